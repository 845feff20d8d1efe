"""Which nodes may carry the instances of a pool, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from vipmgr.core.confirm import Scene
from vipmgr.core.model import AddressRange, Family, Instance, LocalInterface, NodeFacts, NodeName, NodeReport, Pool

REACH = "can_reach:"
LISTENING = timedelta(seconds=1.2)
"""an agent that has listened this long has heard every VRRP speaker with adverts up to one second"""
PATIENCE = timedelta(seconds=5)
"""how long the first instances of a pool wait for agents that are just starting, so that all nodes get their share"""
BLIP = timedelta(minutes=5)
"""a member that is not Ready stays a member this long: the API server's view of a node is not the node"""

Span = tuple[int, int, int]
"""IP version, first and last address of a connected network"""


@dataclass(frozen=True, slots=True)
class Site:
    """One interface of one node, as VRRP sees it."""

    interface: LocalInterface
    families: frozenset[Family]
    spans: tuple[Span, ...]
    """connected networks, link-local ones left out: they look alike on every segment"""

    def covers(self, ranges: tuple[AddressRange, ...]) -> bool:
        return any(
            version == span.first.version and first <= int(span.first) and int(span.last) <= last
            for version, first, last in self.spans
            for span in ranges
        )


class Sites:
    """Finds the Site a pool uses on a node; each is worked out once."""

    def __init__(self, reports: Mapping[NodeName, NodeReport]) -> None:
        self._reports = reports
        self._found: dict[tuple[NodeName, str], Site | None] = {}

    def of(self, node: NodeName, wanted: str) -> Site | None:
        """`wanted`: an interface name, or can_reach:IP. None: not there, or not known (yet)."""
        key = (node, wanted)
        if key not in self._found:
            self._found[key] = self._find(node, wanted)
        return self._found[key]

    def _find(self, node: NodeName, wanted: str) -> Site | None:
        report = self._reports.get(node)
        if report is None:
            return None
        name = interface_name(wanted, report)
        for interface in report.interfaces:
            if name and interface.name == name:
                return _site(interface)
        return None


def interface_name(wanted: str, report: NodeReport) -> str:
    """The interface `wanted` means on that node; "" while a can_reach target is not resolved."""
    if wanted.startswith(REACH):
        return report.reach.get(wanted.removeprefix(REACH), "")
    return wanted


def _site(interface: LocalInterface) -> Site:
    families: set[Family] = set()
    spans: list[Span] = []
    for address in interface.addresses:
        families.add(Family.IPV4 if address.version == 4 else Family.IPV6)
        if not address.ip.is_link_local:
            network = address.network
            first = int(network.network_address)
            spans.append((address.version, first, first + network.num_addresses - 1))
    return Site(interface, frozenset(families), tuple(spans))


class Stay(Enum):
    """What is to become of a member."""

    KEEP = "keep"
    REPLACE = "replace"
    """leaves when another can take its place"""
    LEAVE = "leave"


def stay(pool: Pool, facts: NodeFacts | None, report: NodeReport | None, site: Site | None, now: datetime) -> Stay:
    """Judges a member. Only the operator's word or a deleted Node makes it leave whatever comes."""
    if facts is None or facts.excluded or not pool.node_selector.matches(facts.labels):
        return Stay.LEAVE
    if facts.not_ready_since is not None and now - facts.not_ready_since > BLIP:
        return Stay.REPLACE
    if report is not None and report.interfaces and site is None and interface_name(pool.interface, report):
        return Stay.REPLACE
    return Stay.KEEP


def is_live(node: NodeName, interface: str, scene: Scene, sites: Sites) -> bool:
    """Could this node be MASTER now? A silent agent says nothing against it: keepalived goes on without."""
    facts, report = scene.nodes.get(node), scene.reports.get(node)
    if facts is None or facts.not_ready_since is not None or (report is not None and report.drain):
        return False
    site = sites.of(node, interface)
    return report is None or not report.interfaces or (site is not None and site.interface.up)


def best_member(instance: Instance, scene: Scene, sites: Sites) -> NodeName | None:
    """The member of the highest rank that is live: where `vipmgr rebalance` brings the instance."""
    return next((node for node, _ in instance.members if is_live(node, instance.interface, scene, sites)), None)


@dataclass(frozen=True, slots=True)
class Survey:
    """The nodes for one pool. `choosable` is sorted; `why_not` has every other node of the cluster."""

    family: Family
    choosable: tuple[NodeName, ...]
    why_not: Mapping[NodeName, str]
    selected: int
    """Ready nodes the pool selects, whether or not their agents have reported"""
    settled: bool
    """nobody worth waiting for is missing: the first instances may be made"""
    recheck: datetime | None = field(default=None)
    """when time alone may change the above"""


def survey(
    pool: Pool,
    nodes: Mapping[NodeName, NodeFacts],
    reports: Mapping[NodeName, NodeReport],
    sites: Sites,
    now: datetime,
    family: Family | None,
    listening: timedelta = LISTENING,
) -> Survey:
    """`family`: the transport the pool's instances already use; None: IPv4 wherever any node has it.

    `listening`: for how long an agent must have listened for other VRRP speakers.
    """
    why_not: dict[NodeName, str] = {}
    candidates: dict[NodeName, Site] = {}
    starting: list[datetime] = []
    heard: list[datetime] = []
    selected = 0
    missing = False
    for name, facts in nodes.items():
        report = reports.get(name)
        refusal = _refused(pool, facts)
        if not refusal:
            selected += 1
            if report is None or report.listening_since is None:
                refusal, missing = "its agent has not reported", True
            elif now - report.listening_since < listening:
                refusal, missing = "its agent has just begun to listen for other VRRP speakers", True
                starting.append(report.listening_since + listening)
        site = sites.of(name, pool.interface) if report is not None else None
        if not refusal and report is not None:
            refusal = _unfit(pool, report, site)
            missing = missing or (site is None and not interface_name(pool.interface, report))
        if refusal:
            why_not[name] = refusal
        elif report is not None and site is not None and report.listening_since is not None:
            candidates[name] = site
            heard.append(report.listening_since)
    transport = family or _transport(candidates)
    _narrow(pool, candidates, transport, why_not)
    patience = max(pool.created, min(heard)) + PATIENCE if heard else None
    if missing and patience is not None and now < patience:
        starting.append(patience)
    return Survey(
        family=transport,
        choosable=tuple(sorted(candidates)),
        why_not=why_not,
        selected=selected,
        settled=not missing or (patience is not None and now >= patience),
        recheck=min(starting, default=None),
    )


def _refused(pool: Pool, facts: NodeFacts) -> str:
    if facts.not_ready_since is not None:
        return "not Ready"
    if facts.excluded:
        return "excluded from external load balancers"
    if not pool.node_selector.matches(facts.labels):
        return "not matched by spec.nodeSelector"
    return ""


def _unfit(pool: Pool, report: NodeReport, site: Site | None) -> str:
    if report.drain:
        return "drained"
    if site is None:
        if pool.interface.startswith(REACH):
            return f"no interface towards {pool.interface.removeprefix(REACH)}"
        return f"no interface {pool.interface}"
    if not site.interface.up:
        return f"interface {site.interface.name} is down"
    if not site.families:
        return f"interface {site.interface.name} has no address"
    return ""


def _transport(candidates: Mapping[NodeName, Site]) -> Family:
    if not candidates or any(Family.IPV4 in site.families for site in candidates.values()):
        return Family.IPV4
    return Family.IPV6


def _narrow(pool: Pool, candidates: dict[NodeName, Site], transport: Family, why_not: dict[NodeName, str]) -> None:
    """Takes out nodes without an address of the transport, and those outside the pool's subnet if others are inside."""
    for name in [name for name, site in candidates.items() if transport not in site.families]:
        why_not[name] = f"interface {candidates.pop(name).interface.name} has no {transport} address"
    inside = {name for name, site in candidates.items() if site.covers(pool.ranges)}
    if inside:
        for name in candidates.keys() - inside:
            why_not[name] = f"interface {candidates.pop(name).interface.name} is not in the subnet of the pool"
