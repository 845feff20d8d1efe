"""BgpConf, BgpPeers and placed VIPs -> what each node says in BGP. Pure.

Every eligible node announces every VIP of a bgp pool; of a Service with externalTrafficPolicy Local the node itself
holds back what it has no endpoints for. A dead node's sessions tell of its death: the API server's word is not waited
for. A node that is not Ready for long still leaves, unless no other would be left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from ipaddress import IPv4Address, ip_network

from msgspec import structs

from vipmgr.core.bgp_policy import PolicyText
from vipmgr.core.eligible import Stay, stay
from vipmgr.core.model import Address, NodeFacts, NodeName, NodeReport, Pool, Problem, Protocol, Reason, Selector, Vip
from vipmgr.core.node_bgp import DEFAULT, NodeBgp, NodeBgpPeer, NodeBgpRestart, NodeBgpRoutes

RACK = "openelb.kubesphere.io/rack"


@dataclass(frozen=True, slots=True)
class Conf:
    """A BgpConf. `racks`: rack -> AS. `policy`: the ConfigMap with GoBGP policies, by name."""

    name: str
    asn: int = 0
    racks: Mapping[str, int] = field(default_factory=dict)
    router_id: str = ""
    listen_port: int = 179
    listen_addresses: tuple[str, ...] = ()
    use_multiple_paths: bool = False
    graceful_restart: NodeBgpRestart | None = None
    policy: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A BgpPeer. `plan` is None when there can be no session at all."""

    name: str
    plan: NodeBgpPeer | None
    selector: Selector = field(default_factory=Selector)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """BgpConfs and BgpPeers by name, policies by ConfigMap."""

    confs: Mapping[str, Conf] = field(default_factory=dict)
    peers: Mapping[str, Peer] = field(default_factory=dict)
    policies: Mapping[str, PolicyText] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announcement:
    """`problems`: by the object they are about, "Eip/...", "BgpConf/..." or "BgpPeer/..."."""

    nodes: Mapping[NodeName, NodeBgp]
    problems: tuple[Problem, ...]


def announce(
    vips: Iterable[Vip],
    pools: Mapping[str, Pool],
    nodes: Mapping[NodeName, NodeFacts],
    reports: Mapping[NodeName, NodeReport],
    settings: Settings,
    *,
    now: datetime,
) -> Announcement:
    """A plan for every node with a VipNode, as long as there is a BgpConf that can be used."""
    confs, peers, policies = settings.confs, settings.peers, settings.policies
    speaking = {name: pool for name, pool in pools.items() if pool.protocol is Protocol.BGP}
    conf = confs.get(DEFAULT)
    problems = [*_complaints(speaking, conf, confs, peers)]
    if conf is not None and conf.policy:
        problems += _about_policy(conf, policies.get(conf.policy))
    if conf is None or not (conf.asn or conf.racks):
        return Announcement({}, tuple(problems))
    by_pool: dict[str, list[Vip]] = {}
    for vip in vips:
        if vip.pool in speaking:
            by_pool.setdefault(vip.pool, []).append(vip)
    groups = {name: _groups(speaking[name], found) for name, found in by_pool.items()}
    eligible = {name: _eligible(speaking[name], nodes, reports, now) for name in groups}
    plans = {}
    seen: dict[tuple[str, ...], tuple[NodeBgpRoutes, ...]] = {}
    for node, facts in nodes.items():
        if node not in reports:
            continue
        asn = conf.racks.get(facts.labels.get(RACK, ""), conf.asn)
        if not asn:
            problems.append(_about(conf.name, f"spec.asPerRack: names no AS for node {node}, and spec.as is not set"))
            continue
        mine = tuple(name for name in sorted(groups) if node in eligible[name])
        if mine not in seen:
            seen[mine] = tuple(group for name in mine for group, _ in groups[name])
        here = seen[mine]
        if any(only for name in mine for _, only in groups[name]):
            here = tuple(group for name in mine for group, only in groups[name] if only is None or node in only)
        plans[node] = _plan(conf, asn, facts, [peer for _, peer in sorted(peers.items())], here, policies)
    return Announcement(plans, tuple(problems))


def _plan(
    conf: Conf,
    asn: int,
    facts: NodeFacts,
    peers: Sequence[Peer],
    routes: tuple[NodeBgpRoutes, ...],
    policies: Mapping[str, PolicyText],
) -> NodeBgp:
    sessions = []
    for peer in peers:
        if peer.plan is not None and peer.selector.matches(facts.labels):
            own = peer.plan.graceful_restart is None and conf.graceful_restart is not None
            sessions.append(_inheriting(peer.plan, conf.graceful_restart) if own else peer.plan)
    text = policies.get(conf.policy) if conf.policy else None
    v6 = next((str(one) for one in facts.addresses if one.version == 6 and not one.is_link_local), "")
    return NodeBgp(
        asn=asn,
        router_id=conf.router_id or router_id(facts),
        listen_port=conf.listen_port,
        listen_addresses=conf.listen_addresses,
        use_multiple_paths=conf.use_multiple_paths,
        graceful_restart=conf.graceful_restart,
        peers=tuple(sessions),
        routes=routes,
        next_hop_v6=v6,
        policy=text.policy if text is not None else None,
        policy_unreadable=bool(conf.policy) and (text is None or text.policy is None),
    )


def _inheriting(peer: NodeBgpPeer, restart: NodeBgpRestart | None) -> NodeBgpPeer:
    families = tuple(structs.replace(one, graceful_restart=True) for one in peer.families)
    return structs.replace(peer, graceful_restart=restart, families=families)


def router_id(facts: NodeFacts) -> str:
    """The node's own IPv4 address; without one, a number made of its name (RFC 6286: any that is not zero)."""
    own = next((one for one in facts.addresses if isinstance(one, IPv4Address)), None)
    if own is not None:
        return str(own)
    return str(IPv4Address(int.from_bytes(blake2b(facts.name.encode(), digest_size=4).digest()) or 1))


def _eligible(
    pool: Pool, nodes: Mapping[NodeName, NodeFacts], reports: Mapping[NodeName, NodeReport], now: datetime
) -> frozenset[NodeName]:
    verdicts = {name: stay(pool, facts, reports.get(name), None, now) for name, facts in nodes.items()}
    keep = frozenset(name for name, verdict in verdicts.items() if verdict is Stay.KEEP)
    return keep or frozenset(name for name, verdict in verdicts.items() if verdict is Stay.REPLACE)


def _groups(pool: Pool, vips: Sequence[Vip]) -> list[tuple[NodeBgpRoutes, frozenset[NodeName] | None]]:
    """The prefixes of a pool by the health check ports they hang on; and the nodes, where the controller must say it
    (a Local Service without a health check port)."""
    found: dict[tuple[tuple[int, ...], frozenset[NodeName] | None], dict[str, None]] = {}
    for vip in vips:
        only = vip.endpoint_nodes if vip.local and not vip.health_check_node_ports else None
        found.setdefault((vip.health_check_node_ports, only), {})[_prefix(vip.address, pool)] = None
    policy = pool.bgp
    return [
        (
            NodeBgpRoutes(
                eip=pool.name,
                prefixes=tuple(prefixes),
                communities=policy.communities,
                large_communities=policy.large_communities,
                local_pref=policy.local_pref,
                peers=policy.peers,
                health_check_node_ports=ports,
            ),
            only,
        )
        for (ports, only), prefixes in found.items()
    ]


def _prefix(address: Address, pool: Pool) -> str:
    length = pool.bgp.aggregation_length if address.version == 4 else pool.bgp.aggregation_length_v6
    if length == address.max_prefixlen:
        return f"{address}/{length}"
    return str(ip_network(f"{address}/{length}", strict=False))


def _complaints(
    pools: Mapping[str, Pool], conf: Conf | None, confs: Mapping[str, Conf], peers: Mapping[str, Peer]
) -> Iterable[Problem]:
    for name, one in confs.items():
        yield from one.problems
        if name != DEFAULT:
            yield _about(name, f"metadata.name: only the BgpConf named {DEFAULT} is used")
    for peer in peers.values():
        yield from peer.problems
    for name, pool in pools.items():
        if conf is None:
            yield Problem(f"Eip/{name}", Reason.BGP_UNCONFIGURED, f"spec.protocol: bgp needs a BgpConf named {DEFAULT}")
        for index, wanted in enumerate(pool.bgp.peers):
            if wanted not in peers:
                yield Problem(
                    f"Eip/{name}", Reason.BGP_UNCONFIGURED, f"spec.bgp.peers[{index}]: there is no BgpPeer {wanted}"
                )


def _about_policy(conf: Conf, text: PolicyText | None) -> Iterable[Problem]:
    where = f"spec.policy: ConfigMap {conf.policy}"
    if text is None:
        yield _about(conf.name, f"{where}: there is none in the namespace of vipmgr")
        return
    for one in text.problems:
        yield _about(conf.name, f"{where}: {one}")
    for one in text.ignored:
        yield Problem(f"BgpConf/{conf.name}", Reason.FIELD_IGNORED, f"{where}: {one}: has no effect")


def _about(conf: str, message: str) -> Problem:
    return Problem(f"BgpConf/{conf}", Reason.BAD_VALUE, message)
