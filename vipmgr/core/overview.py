"""The cluster's objects -> what an operator asks: who holds what, what is wrong, where is this address. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple

from vipmgr.core.bgp_report import announces, complaints
from vipmgr.core.keepalived_words import State
from vipmgr.core.layer2_report import unanswered, unsound
from vipmgr.core.wire import Eip, InstanceState, Node, VipNode, VrrpInstance

DRAIN = "vipmgr.io/drain"
REBALANCE = "vipmgr.io/rebalance"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything by name, and when it was read (seconds since the epoch)."""

    nodes: Mapping[str, VipNode]
    instances: Mapping[str, VrrpInstance]
    eips: Mapping[str, Eip]
    machines: Mapping[str, Node]
    now: float


class Problem(NamedTuple):
    """`urgent`: an address is not served as it should be, now."""

    urgent: bool
    about: str
    text: str


class InstanceRow(NamedTuple):
    """`since`: seconds since the epoch, 0 unknown. `following`: who takes over next. `planned`: who should hold it."""

    name: str
    eip: str
    masters: tuple[str, ...]
    since: float
    transitions: int
    contested: bool
    planned: str
    following: str
    interface: str
    vrid: int
    family: str
    vips: tuple[str, ...]


class NodeRow(NamedTuple):
    """`plan`: current, behind or refused. `drain`: "", asked for, or drained."""

    name: str
    ready: bool
    keepalived: str
    masters: int
    instances: int
    interfaces: tuple[str, ...]
    plan: str
    drain: str
    version: str


class SessionRow(NamedTuple):
    """One BGP session. `since`: seconds since the epoch, 0 unknown. `routes`: prefixes the node announces at all."""

    node: str
    peer: str
    address: str
    asn: int
    state: str
    since: float
    bfd: str
    losses: int
    routes: int


class PoolRow(NamedTuple):
    name: str
    protocol: str
    used: int
    total: int
    ready: bool


class Overview(NamedTuple):
    problems: tuple[Problem, ...]
    instances: tuple[InstanceRow, ...]
    nodes: tuple[NodeRow, ...]
    pools: tuple[PoolRow, ...]
    sessions: tuple[SessionRow, ...] = ()


class Place(NamedTuple):
    """Where one address is. `nodes`: who answers for it; empty: nobody. `since`: seconds since the epoch, 0 unknown."""

    address: str
    eip: str
    protocol: str
    nodes: tuple[str, ...]
    interface: str
    mac: str
    instance: str
    since: float
    following: str
    services: tuple[str, ...]


def overview(cluster: Cluster) -> Overview:
    instances = tuple(_instance_row(cluster, one) for _, one in sorted(cluster.instances.items()))
    nodes = tuple(_node_row(cluster, one) for _, one in sorted(cluster.nodes.items()))
    pools = tuple(
        PoolRow(name, eip.spec.protocol, eip.status.usage, eip.status.pool_size, eip.status.ready)
        for name, eip in sorted(cluster.eips.items())
    )
    found = [*_instance_problems(cluster, instances), *_layer2_problems(cluster)]
    found += [*_node_problems(cluster, nodes), *_pool_problems(cluster)]
    return Overview(
        tuple(sorted(found, key=lambda one: not one.urgent)), instances, nodes, pools, tuple(_session_rows(cluster))
    )


def where(cluster: Cluster, question: str) -> list[Place]:
    """Every address that is `question`, or belongs to the Service namespace/name. Empty: allocated to nobody."""
    return [
        _place(cluster, name, address, tuple(owners.split(";")))
        for name, eip in sorted(cluster.eips.items())
        for address, owners in sorted((eip.status.used or {}).items())
        if question == address or question in owners.split(";")
    ]


def live_members(cluster: Cluster, instance: VrrpInstance) -> list[str]:
    """Members that hold the instance or stand by for it, in the order of rank."""
    return [
        one.node
        for one in instance.spec.members
        if (state := _state(cluster, one.node, instance.metadata.name)) is not None
        and state.state in (State.MASTER, State.BACKUP)
    ]


def masters(instance: VrrpInstance) -> tuple[str, ...]:
    one = (instance.status.master,) if instance.status.master else ()
    return tuple(instance.status.masters) or one


def seconds(text: str | None) -> float:
    """RFC 3339 -> seconds since the epoch; 0 for none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError:
        return 0.0


def _state(cluster: Cluster, node: str, instance: str) -> InstanceState | None:
    there = cluster.nodes.get(node)
    return next((one for one in there.status.instances if one.name == instance), None) if there is not None else None


def _instance_row(cluster: Cluster, instance: VrrpInstance) -> InstanceRow:
    spec, status = instance.spec, instance.status
    holding = masters(instance)
    standing_by = [node for node in live_members(cluster, instance) if node not in holding]
    return InstanceRow(
        instance.metadata.name,
        spec.eip,
        holding,
        seconds(status.since),
        status.transitions,
        status.contested,
        spec.members[0].node if spec.members else "",
        standing_by[0] if standing_by else "",
        spec.interface,
        spec.virtual_router_id,
        spec.family,
        tuple(spec.vips),
    )


def _node_row(cluster: Cluster, node: VipNode) -> NodeRow:
    spec, status = node.spec, node.status
    refused = status.refused is not None and status.refused.revision == spec.revision
    asked = (node.metadata.annotations or {}).get(DRAIN) == "true"
    used = {one.interface for one in spec.instances}
    return NodeRow(
        node.metadata.name,
        _ready(cluster.machines.get(node.metadata.name)),
        "running" if status.keepalived.running else "down" if spec.instances else "idle",
        sum(one.state == State.MASTER for one in status.instances),
        len(status.instances),
        tuple(f"{one.name}{'' if one.up else ' (down)'}" for one in status.interfaces if one.name in used),
        "refused" if refused else "current" if status.revision == spec.revision else "behind",
        "drained" if asked and status.drained else "draining" if asked else "",
        status.agent_version,
    )


def _ready(machine: Node | None) -> bool:
    conditions = (machine.status.conditions or []) if machine is not None else []
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def _instance_problems(cluster: Cluster, rows: Iterable[InstanceRow]) -> Iterator[Problem]:
    for row in rows:
        about = f"instance {row.name}"
        if len(row.masters) > 1:
            yield Problem(True, about, f"two masters: {' and '.join(row.masters)} both hold {_vips(row.vips)}")
        elif not row.masters and row.vips:
            yield Problem(True, about, f"nobody holds {_vips(row.vips)}")
        elif row.contested:
            yield Problem(True, about, f"{row.masters[0] if row.masters else 'its master'} hears another master")
        if row.masters and not row.following and len(cluster.instances[row.name].spec.members) > 1:
            yield Problem(False, about, f"no other node stands by for {row.masters[0]}")


def _node_problems(cluster: Cluster, rows: Iterable[NodeRow]) -> Iterator[Problem]:
    for row in rows:
        node = cluster.nodes[row.name]
        about = f"node {row.name}"
        if not row.ready:
            yield Problem(False, about, "is not Ready; what it reports may be old")
        if row.keepalived == "down":
            yield Problem(True, about, "keepalived is not running")
        if row.plan == "refused" and node.status.refused is not None:
            yield Problem(False, about, f"refused its plan, keeps the last good one: {node.status.refused.message}")
        elif row.plan == "behind":
            yield Problem(False, about, f"has not applied its plan {node.spec.revision[:12]} yet")
        for interface in row.interfaces:
            if interface.endswith("(down)"):
                yield Problem(False, about, f"interface {interface}")
        found = (*complaints(node), *unsound(node), *_strangers(node))
        yield from (Problem(False, about, complaint) for complaint in found)
        if row.drain:
            yield Problem(False, about, f"is {row.drain}" + ("" if row.drain == "drained" else ", not done yet"))


def _strangers(node: VipNode) -> Iterator[str]:
    for one in node.status.strangers:
        yield f"{one.source} speaks VRRP with VRID {one.virtual_router_id} on {one.interface}, and is not ours"


def _session_rows(cluster: Cluster) -> Iterator[SessionRow]:
    for name, node in sorted(cluster.nodes.items()):
        if (status := node.status.bgp) is None:
            continue
        for one in status.sessions:
            yield SessionRow(
                name, one.peer, one.address, one.asn, one.state, seconds(one.since), one.bfd, one.losses, status.routes
            )


def _layer2_problems(cluster: Cluster) -> Iterator[Problem]:
    living = [node for name, node in cluster.nodes.items() if _ready(cluster.machines.get(name))]
    for pool, address in unanswered(cluster.eips, living):
        yield Problem(True, f"pool {pool}", f"nobody answers for {address}")


def _pool_problems(cluster: Cluster) -> Iterator[Problem]:
    for name, eip in sorted(cluster.eips.items()):
        if eip.status.pool_size and eip.status.usage >= eip.status.pool_size:
            yield Problem(False, f"pool {name}", f"is full: {eip.status.usage} of {eip.status.pool_size} in use")
        for one in eip.status.conditions or ():
            if one.type == "Ready" and one.status == "False":
                yield Problem(False, f"pool {name}", one.message or one.reason)


def _vips(vips: tuple[str, ...]) -> str:
    more = f" and {len(vips) - 3} more" if len(vips) > 3 else ""
    return (", ".join(vips[:3]) or "no address") + more


def _place(cluster: Cluster, eip: str, address: str, services: tuple[str, ...]) -> Place:
    protocol = cluster.eips[eip].spec.protocol
    instance = next((one for one in cluster.instances.values() if address in one.spec.vips), None)
    if instance is None:
        return _announced(cluster, eip, address, services)
    row = _instance_row(cluster, instance)
    mac = _mac(cluster, row.masters[0], row.interface) if row.masters else ""
    return Place(address, eip, protocol, row.masters, row.interface, mac, row.name, row.since, row.following, services)


def _announced(cluster: Cluster, eip: str, address: str, services: tuple[str, ...]) -> Place:
    """bgp: the nodes that announce it in a session that stands."""
    protocol = cluster.eips[eip].spec.protocol
    if protocol == "layer2":
        return _answered(cluster, eip, address, services)
    nodes = tuple(name for name, node in sorted(cluster.nodes.items()) if announces(node, eip, ip_address(address)))
    return Place(address, eip, protocol, nodes, "", "", "", 0.0, "", services)


def _answered(cluster: Cluster, eip: str, address: str, services: tuple[str, ...]) -> Place:
    """layer2: who says that it answers, the latest first; who would be next of those the node's plan names."""
    found = [
        (state, name)
        for name, node in cluster.nodes.items()
        for state in (node.status.layer2.addresses if node.status.layer2 is not None else ())
        if ip_address(state.address) == ip_address(address) and state.state == State.MASTER
    ]
    found.sort(key=lambda one: (one[0].since, one[1]), reverse=True)
    if not found:
        return Place(address, eip, "layer2", (), cluster.eips[eip].spec.interface, "", "", 0.0, "", services)
    state, holder = found[0]
    nodes = tuple(name for _, name in found)
    mac = _mac(cluster, holder, state.interface)
    following = _heir(cluster, holder, address, nodes)
    return Place(address, eip, "layer2", nodes, state.interface, mac, "", seconds(state.since), following, services)


def _heir(cluster: Cluster, holder: str, address: str, holding: tuple[str, ...]) -> str:
    plan = cluster.nodes[holder].spec.layer2
    candidates = (
        name
        for pool in (plan.pools if plan is not None else ())
        for one in pool.addresses
        if ip_address(one.address) == ip_address(address)
        for name in one.candidates
    )
    return next((name for name in candidates if name not in holding), "")


def _mac(cluster: Cluster, node: str, interface: str) -> str:
    there = cluster.nodes.get(node)
    found = (one.mac for one in there.status.interfaces if one.name == interface) if there is not None else iter(())
    return next(found, "")
