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

from msgspec import structs

from vipmgr.core.eligible import Sites, Stay, interface_name, stay, survey
from vipmgr.core.members import score
from vipmgr.core.model import (
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
def _share(vip: Vip, interface: str, field: Field, size: int) -> tuple[NodeLayer2Address, Instance]:
    """What the candidates are told of one address: the first `size` nodes of the field, those with endpoints first when
    the VIP is Local (the agents themselves see which have endpoints now). Remembered: asked for every address in every
    decision."""
    address = str(vip.address)

    def rank(entry: tuple[NodeName, int]) -> tuple[bool, int, int]:
        node, weight = entry
        return vip.local and node not in vip.endpoint_nodes, -weight, -score(address, node)

    told = NodeLayer2Address(
        address=address,
        candidates=tuple(node for node, _ in sorted(field, key=rank)[:size]),
        services=vip.services,
        health_check_node_ports=vip.health_check_node_ports,
    )
    family = family_of(vip.address)
    return told, Instance(address, vip.pool, interface, family, 0, vip.address, (), (vip.address,))


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
        self.owners: dict[str, list[NodeName]] = {}
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
        one, instance = _share(vip, pool.interface, field, size)
        self.found.instances[instance.name] = instance
        owners = [node for node in self.owners.get(instance.name, ()) if node not in one.candidates]
        if owners:
            one = structs.replace(one, candidates=(*one.candidates, *sorted(owners)))
        for node in one.candidates:
            leaving = node in owners and self._leaves(pool, node)
            told.setdefault(node, []).append(structs.replace(one, leaving=True) if leaving else one)

    def _leaves(self, pool: Pool, node: NodeName) -> bool:
        site = self.sites.of(node, pool.interface)
        return stay(pool, self.nodes.get(node), self.reports[node], site, self.now) is Stay.LEAVE

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
