"""Links and addresses of this host, as the kernel tells of them, and the two things we ask it: routes, removals.

A live copy: dumped once, kept by events, dumped again whenever the kernel had to drop events (ENOBUFS) or the socket
failed. Events only say what changed, so `changed` is called once per batch.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_interface
from typing import Any, Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkDumpInterrupted, NetlinkError

from vipmgr.core.kernel_view import Kernel, Link, Placed
from vipmgr.core.model import Address, Interface
from vipmgr.log import get_log

log = get_log(__name__)

_LINK: Final = 0x1
_ADDRESSES: Final = 0x10 | 0x100
_ROUTES: Final = 0x40 | 0x400
_UP: Final = 0x1
_LOOPBACK: Final = 0x8
_NOARP: Final = 0x80
_LOWER_UP: Final = 0x10000
_SO_RCVBUFFORCE: Final = 33
_RECEIVE_BYTES: Final = 4 * 1024 * 1024
_REOPEN_SECONDS: Final = 0.2


class Netlink:
    """`kernel` is the copy; `synced` is set while it is one. `run` keeps it until cancelled.

    `departed`: names of interfaces that went, or got another name, since somebody last cleared it; they may be back.
    """

    def __init__(self, changed: Callable[[], None], routes_changed: Callable[[], None]) -> None:
        self._changed = changed
        self._routes_changed = routes_changed
        self._links: dict[int, Link] = {}
        self._addresses: dict[int, set[Interface]] = {}
        self.synced = asyncio.Event()
        self.departed: set[str] = set()
        self.resyncs = 0

    @property
    def kernel(self) -> Kernel:
        return Kernel(dict(self._links), {index: frozenset(held) for index, held in self._addresses.items()})

    async def run(self) -> None:
        while True:
            try:
                async with AsyncIPRoute() as events:
                    await events.bind(groups=_LINK | _ADDRESSES | _ROUTES)
                    events.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
                    await self._load()
                    await self._follow(events)
            except (OSError, NetlinkError, NetlinkDumpInterrupted) as error:
                log.warning("netlink.reopened", error=str(error))
            self.synced.clear()
            self.resyncs += 1
            await asyncio.sleep(_REOPEN_SECONDS)

    async def _load(self) -> None:
        """A dump of both, on a socket of its own: what happens meanwhile waits in the event socket."""
        async with AsyncIPRoute() as ask:
            links = [message async for message in await ask.get_links()]
            addresses = [message async for message in await ask.get_addr()]
        self._links.clear()
        self._addresses.clear()
        for message in links:
            self._take_link(message)
        for message in addresses:
            self._take_address(message)
        self.synced.set()
        self._changed()
        self._routes_changed()

    async def _follow(self, events: Any) -> None:
        while True:
            touched = routes = False
            async for message in events.get():
                event = message["event"]
                if event in ("RTM_NEWLINK", "RTM_DELLINK"):
                    touched |= self._take_link(message)
                elif event in ("RTM_NEWADDR", "RTM_DELADDR"):
                    touched |= self._take_address(message)
                elif event in ("RTM_NEWROUTE", "RTM_DELROUTE"):
                    routes = True
            if touched:
                self._changed()
            if touched or routes:
                self._routes_changed()

    def _take_link(self, message: Any) -> bool:
        """True when it changes what we know."""
        index = message["index"]
        if message["family"] != socket.AF_UNSPEC:  # a bridge port's, an IPv6 setting's
            return False
        known = self._links.get(index)
        if message["event"] == "RTM_DELLINK":
            self._addresses.pop(index, None)
            self._links.pop(index, None)
            self.departed |= {known.name} if known is not None else set()
            return known is not None
        flags = message["flags"]
        link = Link(
            index=index,
            name=message.get("ifname") or "",
            mac=message.get("address") or "",
            mtu=message.get("mtu") or 0,
            up=bool(flags & _UP and flags & _LOWER_UP),
            loopback=bool(flags & _LOOPBACK),
            arp=not flags & _NOARP,
        )
        self._links[index] = link
        self.departed |= {known.name} if known is not None and known.name != link.name else set()
        return known != link

    def _take_address(self, message: Any) -> bool:
        text = message.get("local") or message.get("address")
        if text is None:
            return False
        address = ip_interface(f"{text}/{message['prefixlen']}")
        held = self._addresses.setdefault(message["index"], set())
        before = address in held
        if message["event"] == "RTM_DELADDR":
            held.discard(address)
            return before
        held.add(address)
        return not before


async def resolve(targets: Iterable[str], links: Mapping[int, Link]) -> dict[str, str]:
    """can_reach targets -> the interface the kernel would send to them by; those without a route are left out."""
    found: dict[str, str] = {}
    async with AsyncIPRoute() as ask:
        for target in targets:
            try:
                answers = await ask.route("get", dst=target)
            except NetlinkError:
                continue
            link = links.get(answers[0].get("oif") or 0) if answers else None
            if link is not None and not link.loopback:
                found[target] = link.name
    return found


async def remove_addresses(placed: Iterable[Placed], go_on: Callable[[], bool]) -> list[Placed]:
    """Take addresses off interfaces while `go_on()`; those removed (one already gone is not)."""
    removed: list[Placed] = []
    async with AsyncIPRoute() as ask:
        for one in placed:
            if not go_on():
                break
            try:
                index = socket.if_nametoindex(one.interface)
                await ask.addr("del", index=index, address=str(one.address.ip), prefixlen=one.address.network.prefixlen)
            except NetlinkError as error:
                if error.code not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    log.warning("vip.stray_kept", vip=str(one.address), interface=one.interface, error=str(error))
                continue
            except OSError:  # the interface is gone, and its addresses with it
                continue
            removed.append(one)
    return removed


def node_addresses(texts: Iterable[str]) -> frozenset[Address]:
    """Node.status.addresses -> the IP addresses among them."""
    found: set[Address] = set()
    for text in texts:
        try:
            found.add(ip_interface(text).ip)
        except ValueError:
            continue  # a host name
    return frozenset(found)
