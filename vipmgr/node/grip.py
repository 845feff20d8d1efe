"""Has keepalived lost an interface for good without knowing?

keepalived 2.2.7 sees an interface go, and come back under its name, and makes its instances BACKUP; but its sockets
stay with the interface that went, so that it hears nobody, never becomes MASTER, and stands by in vain. This is so for
one made anew (a bond rebuilt, a driver reloaded), renamed and renamed back, or absent when keepalived started. A reload
opens them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vipmgr.node.netlink import Netlink

ABSENT: Final = 0
"""no index of an interface"""


class Grip:
    """`take` just before keepalived opens its sockets: a start, a reload. `slipped` after every change of the links.

    `held`: interface -> its index when keepalived opened it, ABSENT once it was not there; empty: nobody saw it start.
    """

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self.held: dict[str, int] = {}

    def take(self) -> None:
        self._netlink.departed.clear()
        self.held = self._indexes()

    def recall(self, held: Mapping[str, int]) -> None:
        """What a former agent knew of the keepalived that still runs."""
        self.held = dict(held)

    def slipped(self, wanted: Iterable[str]) -> list[str]:
        """Those of the interfaces `wanted` that are there and may not be the ones keepalived has open."""
        now = self._indexes()
        for name in self.held.keys() & (self.held.keys() - now.keys() | self._netlink.departed):
            self.held[name] = ABSENT
        self._netlink.departed.clear()
        return sorted({name for name in wanted if name in now and self.held.get(name, ABSENT) != now[name]})

    def _indexes(self) -> dict[str, int]:
        """Empty until the links are known; there is always the loopback."""
        return {link.name: link.index for link in self._netlink.kernel.links.values()}
