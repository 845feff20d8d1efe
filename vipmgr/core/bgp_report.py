"""What a node's report says of BGP: does it announce an address to somebody, and what is wrong with its sessions?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Final

from vipmgr.core.model import Address, NodeName, Problem, Reason
from vipmgr.core.node_bgp import DEFAULT, NodeBgpRoutes
from vipmgr.core.wire import VipNode

ESTABLISHED: Final = "ESTABLISHED"
SHOWN: Final = 5
"""nodes named in one sentence"""


def announces(node: VipNode, eip: str, address: Address) -> bool:
    """A session that stands carries a prefix of `eip` that holds the address."""
    plan, status = node.spec.bgp, node.status.bgp
    if plan is None or status is None or not status.running or node.spec.drain:
        return False
    up = {one.peer for one in status.sessions if one.state == ESTABLISHED}
    return any(
        one.eip == eip
        and ((not one.peers and up) or up.intersection(one.peers))
        and not set(status.silent_ports).intersection(one.health_check_node_ports)
        and _holds(one, address)
        for one in plan.routes
    )


def _holds(routes: NodeBgpRoutes, address: Address) -> bool:
    host = f"{address}/{address.max_prefixlen}"
    return host in routes.prefixes or any(
        address in ip_network(one) for one in routes.prefixes if not one.endswith(f"/{address.max_prefixlen}")
    )


def complaints(node: VipNode) -> Iterator[str]:
    """What an operator should know: sessions that do not stand, and what the agent could not do."""
    plan, status = node.spec.bgp, node.status.bgp
    if plan is None:
        return
    if status is None or not status.running:
        yield "gobgpd does not answer"
        return
    if status.problem:
        yield status.problem
    states = {one.peer: one for one in status.sessions}
    for peer in plan.peers:
        one = states.get(peer.name)
        state = one.state if one is not None else "missing"
        if one is not None and one.problem:
            yield f"BgpPeer {peer.name}: {one.problem}"
        if state != ESTABLISHED and not peer.admin_down:
            why = f" ({one.reason})" if one is not None and one.reason else ""
            yield f"BGP session with {peer.name} ({peer.place}) is {state}{why}"


def refusals(nodes: Mapping[NodeName, VipNode]) -> list[Problem]:
    """What nodes could not apply, by the BgpPeer or BgpConf and its field, with the nodes that say so."""
    said: dict[tuple[str, str], list[NodeName]] = {}
    for name, node in sorted(nodes.items()):
        if node.status.bgp is None or node.spec.bgp is None:
            continue
        if node.status.bgp.problem:
            said.setdefault((f"BgpConf/{DEFAULT}", node.status.bgp.problem), []).append(name)
        for one in node.status.bgp.sessions:
            if one.problem:
                said.setdefault((f"BgpPeer/{one.peer}", one.problem), []).append(name)
    return [
        Problem(about, Reason.NOT_APPLIED, f"{problem} (says {_some(names)})")
        for (about, problem), names in said.items()
    ]


def _some(names: list[NodeName]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
