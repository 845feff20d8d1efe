"""The one address an instance's adverts carry, so that VIPs may come and go without two masters.

keepalived compares the addresses of an advert with its own; an anchor found only in this instance of this cluster makes
any other speaker of the same VRID a stranger who is ignored (docs/keepalived.md).
"""

from __future__ import annotations

from collections.abc import Container
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address

from vipmgr.core.model import Address, Family

_OTHERS = frozenset({0, 20, 25, 169, 170, 255})
"""third octets of 169.254 in use elsewhere: reserved (RFC 3927), node-local DNS, cloud metadata and time"""


def anchor(cluster: str, instance: str, family: Family, taken: Container[Address]) -> Address:
    """The first free one of a sequence fixed by cluster and instance: in 169.254/16, or in fe80::/64."""
    turn = 0
    while True:
        digest = sha256(f"{cluster}/{instance}/{turn}".encode()).digest()
        turn += 1
        if family is Family.IPV6:
            candidate: Address = IPv6Address(b"\xfe\x80" + bytes(6) + digest[:8])
        elif digest[0] in _OTHERS:
            continue
        else:
            candidate = IPv4Address(b"\xa9\xfe" + digest[:2])
        if candidate not in taken:
            return candidate
