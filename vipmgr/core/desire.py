"""Snapshot -> Desired: the whole decision, from what is known to what every object should say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from vipmgr.core import wire
from vipmgr.core.addresses import number
from vipmgr.core.allocate import allocate
from vipmgr.core.bgp import Announcement, announce
from vipmgr.core.layer2_plan import Layer2Placement, place_layer2
from vipmgr.core.memo import Memo
from vipmgr.core.model import Address, Allocation, Claim, NodeName, NodePlan, Pool, Problem, ServiceKey, Vip
from vipmgr.core.place import place
from vipmgr.core.placement import Placement
from vipmgr.core.pools import judged
from vipmgr.core.snapshot import Snapshot
from vipmgr.core.stage import stage


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be. `allocation` has Service.status and Eip.status.used, `placement` the VrrpInstances (wanted, to
    delete, rebalanced), `specs` VipNode.spec of every node that has a VipNode.

    `leaving`: Services to take every trace of ours off. `pools`: as judged. `problems`: what is wrong, by Eip: with the
    Eip itself first, then with placing its addresses; every Eip has an entry. `recheck`: decide again then.
    """

    allocation: Allocation
    leaving: frozenset[ServiceKey]
    pools: Mapping[str, Pool]
    problems: Mapping[str, tuple[Problem, ...]]
    vips: Sequence[Vip]
    placement: Placement
    layer2: Layer2Placement
    bgp: Announcement
    specs: Mapping[NodeName, wire.VipNodeSpec]
    recheck: datetime | None


class Steps:
    """The steps that cost by the number of Services, each remembering its last result: nodes report far more often than
    Services change. Use one for all decisions of a run."""

    def __init__(self) -> None:
        self.allocate = Memo(_allocate)
        self.gather_vips = Memo(gather_vips)


def desire(
    snapshot: Snapshot, render: Callable[[NodePlan], wire.VipNodeSpec], now: datetime, steps: Steps | None = None
) -> Desired:
    """`render` makes a spec of a plan (`core.render.Renderer.spec`, which remembers unchanged ones)."""
    steps = steps or Steps()
    pools = judged(snapshot.pools.values())
    allocation = steps.allocate(snapshot.claims, pools, snapshot.namespaces, snapshot.leaving)
    vips = steps.gather_vips(allocation, snapshot.claims, snapshot.endpoints)
    holding = {vip.pool for vip in vips}
    placement = place(
        vips,
        {name: pool for name, pool in pools.items() if not pool.problems or name in holding},
        snapshot.nodes,
        snapshot.reports,
        snapshot.instances,
        cluster=snapshot.cluster,
        now=now,
    )
    layer2 = place_layer2(vips, pools, snapshot.nodes, snapshot.reports, now)
    bgp = announce(vips, pools, snapshot.nodes, snapshot.reports, snapshot.bgp, now=now)
    plans = {
        node: replace(plan, layer2=layer2.nodes.get(node), bgp=bgp.nodes.get(node))
        for node, plan in stage(placement, snapshot.reports).items()
    }
    problems = {name: list(pool.problems) for name, pool in pools.items()}
    for problem in (
        *placement.problems,
        *layer2.problems,
        *(one for one in bgp.problems if one.about.startswith("Eip/")),
    ):
        problems[problem.about.removeprefix("Eip/")].append(problem)
    return Desired(
        allocation=allocation,
        leaving=frozenset(snapshot.leaving),
        pools=pools,
        problems={name: tuple(found) for name, found in problems.items()},
        vips=vips,
        placement=placement,
        specs={node: render(plan) for node, plan in plans.items()},
        layer2=layer2,
        bgp=bgp,
        recheck=min((one for one in (placement.recheck, layer2.recheck) if one is not None), default=None),
    )


def _allocate(
    claims: Mapping[ServiceKey, Claim],
    pools: Mapping[str, Pool],
    namespaces: Mapping[str, Mapping[str, str]],
    leaving: Mapping[ServiceKey, Sequence[Address]],
) -> Allocation:
    return allocate(claims.values(), pools.values(), namespaces, leaving)


def gather_vips(
    allocation: Allocation, claims: Mapping[ServiceKey, Claim], endpoints: Mapping[ServiceKey, frozenset[NodeName]]
) -> list[Vip]:
    """The addresses that are assigned, each with the Services that share it, in the order of pools and addresses.

    Reserved addresses that nobody is assigned (an old one, until the status that shows it is rewritten) are none.
    """
    owners: dict[tuple[str, int], tuple[Address, list[Claim]]] = {}
    for key, assignment in allocation.assigned.items():
        for address, pool in assignment.addresses:
            owners.setdefault((pool, number(address)), (address, []))[1].append(claims[key])
    return [_vip(*owners[at], at[0], endpoints) for at in sorted(owners)]


def _vip(address: Address, sharers: list[Claim], pool: str, endpoints: Mapping[ServiceKey, frozenset[NodeName]]) -> Vip:
    if len(sharers) > 1:
        sharers = sorted(sharers, key=lambda claim: (claim.created, claim.key))
    keys = tuple([claim.key for claim in sharers])
    if not all(claim.local_traffic for claim in sharers):
        return _anywhere(address, pool, keys)
    nodes = frozenset.intersection(*(endpoints.get(claim.key, frozenset()) for claim in sharers))
    ports = sorted({claim.health_check_node_port for claim in sharers} - {0})
    return Vip(address, pool, keys, True, tuple(ports), nodes)


@lru_cache(maxsize=1 << 15)
def _anywhere(address: Address, pool: str, keys: tuple[ServiceKey, ...]) -> Vip:
    """The very same object again for what has not changed: what is made of it later is remembered by it."""
    return Vip(address, pool, keys)
