"""What a node's report says of BGP: does it announce an address to somebody, and what is wrong with its sessions?"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from vipmgr.core.model import Address
from vipmgr.core.node_bgp import NodeBgpRoutes
from vipmgr.core.wire import VipNode

ESTABLISHED: Final = "ESTABLISHED"


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
        if state != ESTABLISHED and not peer.admin_down:
            why = f" ({one.reason})" if one is not None and one.reason else ""
            yield f"BGP session with {peer.name} ({peer.address}) is {state}{why}"
