"""Addresses of pools: reading them, and finding a free one.

An address is written as OpenELB writes it: one IP, a CIDR, or `first-last`. A CIDR includes its network and broadcast
address, and host bits below the prefix are ignored, so 10.0.0.9/24 is 256 addresses (OpenELB 0.6, Eip.GetSize).

The allocator works on numbers instead of `ipaddress` values, which cost many times as much to hash: `number` maps both
families into one space of integers without collision.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Generic, TypeVar

from vipmgr.core.model import Address, AddressRange, Family

V6_BASE: Final = 1 << 128
"""IPv6 addresses are numbered from here; IPv4 addresses from 0."""

T = TypeVar("T")


def number(address: Address) -> int:
    """The address as an integer that is unique over both families and in the order of its family."""
    return int(address) if address.version == 4 else V6_BASE + int(address)


def address_of(value: int) -> Address:
    """What `number` was called with."""
    return IPv4Address(value) if value < V6_BASE else IPv6Address(value - V6_BASE)


def numbers_family(value: int) -> Family:
    return Family.IPV4 if value < V6_BASE else Family.IPV6


@lru_cache(maxsize=1 << 16)
def ip_of(text: str) -> Address:
    """`ip_address`, remembered: the same texts are read after every write, and equal addresses are then one object."""
    return ip_address(text)


def parse_address(text: str) -> Address:
    """An IP. ::ffff:a.b.c.d is the IPv4 address inside it, as in Go. ValueError says what is wrong with the text."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone; an address of a pool has none")
    address = ip_of(text.strip())
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_range(text: str) -> AddressRange:
    """`IP`, `CIDR` or `first-last`. ValueError says what is wrong with the text."""
    if not text.strip():
        raise ValueError("is empty; expected an IP, a CIDR or first-last")
    if "/" in text:
        network = ip_network(text.strip(), strict=False)
        if not text.rpartition("/")[2].strip().isdigit():
            raise ValueError(f"{text!r} has a netmask; expected a prefix length")
        return AddressRange(network.network_address, network.broadcast_address)
    first, dash, last = text.partition("-")
    return AddressRange(parse_address(first), parse_address(last if dash else first))


def is_buggy(value: int) -> bool:
    """Does this number end in .0 or .255? Some home routers and old stacks drop those. IPv6 has no such addresses."""
    return value < V6_BASE and value & 0xFF in (0, 0xFF)


def buggy_in(span: AddressRange) -> int:
    """How many addresses of the range `is_buggy`."""
    if span.first.version == 6:
        return 0
    first, last = int(span.first), int(span.last)
    zeros = (last >> 8) - ((first - 1) >> 8)
    return zeros + ((last + 1) >> 8) - (first >> 8)


class FreeAddresses:
    """The free addresses of some ranges, lowest first, while more and more are taken.

    `taken` is read live: whatever it contains when `peek` is called is not free. The cursor only moves up, past what is
    taken, so a whole run costs one step per address taken and the size of a range costs nothing: a /64 is as cheap as
    a /24. An address that becomes free behind the cursor is found by the next FreeAddresses, not by this one.
    """

    __slots__ = ("_at", "_avoid_buggy", "_index", "_spans", "_taken")

    def __init__(self, ranges: Iterable[AddressRange], taken: Container[int], *, avoid_buggy: bool = False) -> None:
        self._spans = sorted((number(span.first), number(span.last)) for span in ranges)
        self._taken = taken
        self._avoid_buggy = avoid_buggy
        self._index = 0
        self._at = self._spans[0][0] if self._spans else 0

    def peek(self) -> int | None:
        """The lowest free number, or None: exhausted. It stays free until it is in `taken`."""
        while self._index < len(self._spans):
            first, last = self._spans[self._index]
            at = max(self._at, first)
            while at <= last:
                if at not in self._taken and not (self._avoid_buggy and is_buggy(at)):
                    self._at = at
                    return at
                at += 1
            self._at = at
            self._index += 1
        return None


class RangeIndex(Generic[T]):
    """Which owner's range holds a number: O(log n). The ranges must not overlap."""

    __slots__ = ("_entries", "_firsts")

    def __init__(self, entries: Iterable[tuple[AddressRange, T]]) -> None:
        ordered = sorted(
            ((number(span.first), number(span.last), owner) for span, owner in entries), key=lambda e: e[0]
        )
        self._firsts: Sequence[int] = [first for first, _, _ in ordered]
        self._entries = [(last, owner) for _, last, owner in ordered]

    def find(self, value: int) -> T | None:
        at = bisect_right(self._firsts, value) - 1
        if at < 0:
            return None
        last, owner = self._entries[at]
        return owner if value <= last else None


def of_family(ranges: Iterable[AddressRange], family: Family) -> tuple[AddressRange, ...]:
    return tuple(span for span in ranges if span.family is family)
