"""layer2 VIPs -> which nodes may answer for each, in order of rank. Who does is settled among their agents.

Candidates are the nodes placement would choose for a VRRP instance (core/eligible.py), ranked by the pool's
preferences, then by rendezvous hash, so that the load of a dead node spreads. The node that answers stays a candidate,
last in rank if it would be none: nobody takes over from an owner that answers. One that may stay no longer is told to
hand it over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from vipmgr.core.eligible import Sites, Stay, interface_name, stay, survey
from vipmgr.core.members import score
from vipmgr.core.model import (
    Address,
    Instance,
    NodeFacts,
    NodeName,
    NodeReport,
    Pool,
    Problem,
    Protocol,
    Reason,
    Vip,
    family_of,
)
from vipmgr.core.node_layer2 import NodeLayer2, NodeLayer2Address, NodeLayer2Pool
from vipmgr.core.place import LOCAL_MEMBERS, no_node, weight_of

Field = frozenset[tuple[NodeName, int]]
"""nodes an address may be placed on, with the weight the pool's preferences give each"""


@dataclass(slots=True)
class Layer2Placement:
    """`instances`: every address as what has an owner and moves, by name (the address)."""

    nodes: dict[NodeName, NodeLayer2] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    recheck: datetime | None = None


@lru_cache(maxsize=64)
def _shared(field: Field) -> Field:
    """The same object for equal fields, which makes remembering by it cheap."""
    return field


@lru_cache(maxsize=1 << 15)
def _ranked(address: str, field: Field, endpoint_nodes: frozenset[NodeName] | None, size: int) -> tuple[NodeName, ...]:
    """The first `size` nodes of the field for one address; with `endpoint_nodes` (the VIP is Local) those first: the
    agents themselves see which have endpoints now. Remembered: asked for every address in every decision."""

    def rank(entry: tuple[NodeName, int]) -> tuple[bool, int, int]:
        node, weight = entry
        return endpoint_nodes is not None and node not in endpoint_nodes, -weight, -score(address, node)

    return tuple(node for node, _ in sorted(field, key=rank)[:size])


def place_layer2(
    vips: Iterable[Vip],
    pools: Mapping[str, Pool],
    nodes: Mapping[NodeName, NodeFacts],
    reports: Mapping[NodeName, NodeReport],
    now: datetime,
) -> Layer2Placement:
    wanted: dict[str, list[Vip]] = {}
    for vip in vips:
        if vip.pool in pools and pools[vip.pool].protocol is Protocol.LAYER2:
            wanted.setdefault(vip.pool, []).append(vip)
    planner = _Planner(nodes, reports, now)
    for name in sorted(wanted):
        planner.pool(pools[name], wanted[name])
    return planner.finish()


class _Planner:
    def __init__(
        self, nodes: Mapping[NodeName, NodeFacts], reports: Mapping[NodeName, NodeReport], now: datetime
    ) -> None:
        self.nodes = nodes
        self.reports = reports
        self.now = now
        self.sites = Sites(reports)
        self.found = Layer2Placement()
        self.parts: dict[NodeName, list[NodeLayer2Pool]] = {}
        self.owners: dict[Address, list[NodeName]] = {}
        for name, report in reports.items():
            for address in report.layer2_owned:
                self.owners.setdefault(address, []).append(name)

    def pool(self, pool: Pool, vips: list[Vip]) -> None:
        # an agent that restarts must not lose its place: no VRRP speaks for these addresses
        seen = survey(pool, self.nodes, self.reports, self.sites, self.now, None, listening=timedelta(0))
        if seen.recheck is not None:
            self.found.recheck = min(self.found.recheck or seen.recheck, seen.recheck)
        told: dict[NodeName, list[NodeLayer2Address]] = {}
        field = _shared(frozenset((node, weight_of(pool, self.nodes.get(node))) for node in seen.choosable))
        for vip in vips:
            self._address(pool, vip, field, told)
        stations = {node: self._mac(pool, node) for node in told}
        for node, addresses in told.items():
            self.parts.setdefault(node, []).append(self._part(pool, node, stations, addresses))
        if vips and not seen.choosable and seen.settled:
            self.found.problems.append(Problem(f"Eip/{pool.name}", Reason.NO_ELIGIBLE_NODE, no_node(pool, seen)))

    def _address(self, pool: Pool, vip: Vip, field: Field, told: dict[NodeName, list[NodeLayer2Address]]) -> None:
        size = max(pool.vrrp.members, LOCAL_MEMBERS) if vip.local else pool.vrrp.members
        ranked = _ranked(str(vip.address), field, vip.endpoint_nodes if vip.local else None, size)
        owners = [one for one in self.owners.get(vip.address, ()) if one not in ranked]
        stays = {
            node: stay(pool, self.nodes.get(node), self.reports[node], self.sites.of(node, pool.interface), self.now)
            for node in owners
        }
        candidates = (*ranked, *sorted(owners))
        for node in candidates:
            leaving = stays.get(node) is Stay.LEAVE
            one = NodeLayer2Address(
                address=str(vip.address),
                candidates=candidates,
                services=vip.services,
                health_check_node_ports=vip.health_check_node_ports,
                leaving=leaving,
            )
            told.setdefault(node, []).append(one)
        name = str(vip.address)
        self.found.instances[name] = Instance(
            name, pool.name, pool.interface, family_of(vip.address), 0, vip.address, (), (vip.address,)
        )

    def _mac(self, pool: Pool, node: NodeName) -> str:
        site = self.sites.of(node, pool.interface)
        return site.interface.mac if site is not None else ""

    def _part(
        self, pool: Pool, node: NodeName, stations: Mapping[NodeName, str], addresses: list[NodeLayer2Address]
    ) -> NodeLayer2Pool:
        policy = pool.layer2
        others = {other for one in addresses for other in one.candidates}
        return NodeLayer2Pool(
            eip=pool.name,
            interface=interface_name(pool.interface, self.reports[node]),
            stations={other: stations[other] for other in sorted(others) if stations.get(other)},
            probe_interval_ms=policy.probe_interval_ms,
            probe_misses=policy.probe_misses,
            lease_ms=policy.lease_ms,
            garp_refresh_s=policy.garp_refresh_s,
            addresses=tuple(addresses),
        )

    def finish(self) -> Layer2Placement:
        self.found.nodes = {node: NodeLayer2(pools=tuple(parts)) for node, parts in self.parts.items()}
        return self.found
