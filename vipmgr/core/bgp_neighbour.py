"""Who is the router at the other end of an interface (BgpPeer.spec.conf.neighborInterface)? By the kernel's neighbour
table, which router advertisements and neighbour discovery fill (RFC 4861). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final, NamedTuple

_REACHABLE: Final = 0x02
_STALE: Final = 0x04
_DELAY: Final = 0x08
PROBE: Final = 0x10
_NO_ARP: Final = 0x40
_PERMANENT: Final = 0x80
DOUBTED: Final = _REACHABLE | _STALE | _DELAY
"""states in which nobody asks yet whether it is still there"""
_ANSWERS: Final = _REACHABLE | _STALE | _DELAY | PROBE | _NO_ARP | _PERMANENT
_ROUTER: Final = 0x80


class Seen(NamedTuple):
    """One entry of the neighbour table. `state`, `flags`: NUD_* and NTF_* of linux/neighbour.h."""

    address: IPv6Address
    state: int
    flags: int = 0


class Choice(NamedTuple):
    """`address`: "" while there is none. `problem`: why there is none, or why it may be the wrong one."""

    address: str
    problem: str = ""


def choose(interface: str, table: Iterable[Seen], kept: str) -> Choice:
    """`table`: of that interface. `kept`: the last choice, which stands until it is gone and another is there: a router
    that restarts is the same router."""
    there = sorted({one for one in table if one.address.is_link_local and one.state & _ANSWERS})
    routers = [one for one in there if one.flags & _ROUTER] or there
    found = [f"{one.address}%{interface}" for one in routers]
    if kept in [f"{one.address}%{interface}" for one in there] or (kept and not found):
        return Choice(kept)
    if len(found) == 1:
        return Choice(found[0])
    if not found:
        return Choice("", f"no router is seen on {interface}: does it send router advertisements there?")
    names = ", ".join(str(one.address) for one in routers)
    return Choice(kept, f"there are several neighbours on {interface} ({names}): it must be a link between two")
