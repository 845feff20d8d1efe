"""The routers of BgpPeers that name an interface alone: found in the kernel's neighbour table, again and again.

gobgpd could look by itself (PeerConf.neighbor_interface), but does so once, when the session is added or taken out: it
fails where two are in the table, which is what a router with another address looks like for a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Final

from msgspec import structs
from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkDumpInterrupted, NetlinkError

from vipmgr.core.bgp_neighbour import DOUBTED, PROBE, Choice, Seen, choose
from vipmgr.core.node_bgp import NodeBgpPeer
from vipmgr.log import get_log

log = get_log(__name__)

WANTED_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 0.2
_ALL_NODES: Final = "ff02::1"
_ALL_ROUTERS: Final = "ff02::2"
_SOLICITATION: Final = bytes((133, 0)) + bytes(6)
_ADVERTISEMENT: Final = bytes((134, 0)) + bytes(14)
"""lifetime 0: here is somebody, but no default router (RFC 4861, 4.2). It is how routers find the other end."""


class Neighbours:
    """`peers` are set by the owner; `changed` is called when `resolve` would answer something else, or `problems` did.
    `stands`: whether the session of that interface is up, by NodeBgpPeer.place."""

    def __init__(self, changed: Callable[[], None], stands: Callable[[str], bool]) -> None:
        self._changed = changed
        self._stands = stands
        self._interfaces: frozenset[str] = frozenset()
        self._asked = asyncio.Event()
        self._found: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._twice: dict[str, str] = {}

    def problem(self, place: str) -> str:
        """Beginning with the field; "": none."""
        text = self._problems.get(place) or self._twice.get(place)
        return f"spec.conf.neighborInterface: {text}" if text else ""

    def resolve(self, peers: Sequence[NodeBgpPeer], held: Iterable[str]) -> tuple[NodeBgpPeer, ...]:
        """With the addresses found; "" where there is none. `held`: addresses of the sessions gobgpd has, which this
        agent may not have made."""
        interfaces = frozenset(peer.interface for peer in peers if peer.interface)
        for one in held:
            name = one.partition("%")[2]
            if name in interfaces:
                self._found.setdefault(name, one)
        if interfaces - self._interfaces:
            self._asked.set()
        self._interfaces = interfaces
        resolved = [structs.replace(one, address=self._found.get(one.interface, one.address)) for one in peers]
        self._twice = _same_host(resolved)
        return tuple(structs.replace(one, address="") if one.place in self._twice else one for one in resolved)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for interface in self._interfaces:
                await self._look(interface)
            down = any(not self._stands(one) for one in self._interfaces)
            self._asked.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), WANTED_SECONDS if down else QUIET_SECONDS)

    async def _look(self, interface: str) -> None:
        kept = self._found.get(interface, "")
        try:
            index = socket.if_nametoindex(interface)
            table = await _table(index)
            _call(index, table)
            if not self._stands(interface):
                await _doubt(index, table)
            await asyncio.sleep(_ANSWER_SECONDS)
            choice = choose(interface, await _table(index), kept)
        except (OSError, NetlinkError, NetlinkDumpInterrupted) as error:
            choice = Choice(kept, f"{interface}: {error}")
        if choice.address != kept:
            log.info("bgp.neighbour", interface=interface, address=choice.address, before=kept)
        if (choice.address, choice.problem) != (kept, self._problems.get(interface, "")):
            self._found[interface], self._problems[interface] = choice
            self._changed()


def _same_host(peers: Iterable[NodeBgpPeer]) -> dict[str, str]:
    """Interfaces with a router that another session has too: GoBGP's policies take no notice of the interface."""
    seen: dict[str, str] = {}
    twice = {}
    for peer in sorted(peers, key=lambda one: bool(one.interface)):
        host = peer.address.partition("%")[0]
        if peer.interface and seen.get(host, peer.place) != peer.place:
            twice[peer.place] = f"{host} is the router on {seen[host]} too, and gobgpd cannot tell the two apart"
        elif host:
            seen[host] = peer.place
    return twice


async def _table(index: int) -> list[Seen]:
    async with AsyncIPRoute() as ask:
        entries = [one async for one in await ask.get_neighbours(family=socket.AF_INET6)]
    return [
        Seen(IPv6Address(one.get("dst")), one["state"], one["flags"])
        for one in entries
        if one["ifindex"] == index and one.get("dst")
    ]


async def _doubt(index: int, table: Iterable[Seen]) -> None:
    """Have the kernel ask those it takes for reachable now, instead of half a minute after they fell silent."""
    async with AsyncIPRoute() as ask:
        for one in table:
            if one.address.is_link_local and one.state & DOUBTED:
                with suppress(NetlinkError):  # it went meanwhile
                    await ask.neigh("change", dst=str(one.address), ifindex=index, state=PROBE, flags=one.flags)


def _call(index: int, table: Iterable[Seen]) -> None:
    """Ask for routers, and every neighbour known whether it is still there; show ourselves."""
    known = [str(one.address) for one in table if one.address.is_link_local]
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as mouth:
        mouth.setblocking(False)
        mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        for hops in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
            mouth.setsockopt(socket.IPPROTO_IPV6, hops, 255)
        mouth.sendto(_ADVERTISEMENT, (_ALL_NODES, 0, 0, index))
        for target in (_ALL_ROUTERS, *known):
            with suppress(OSError):  # that one is away
                mouth.sendto(_SOLICITATION, (target, 0, 0, index))
