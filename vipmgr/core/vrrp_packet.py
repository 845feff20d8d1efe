"""VRRP advertisements, versions 2 and 3, IPv4 and IPv6, as they are on the wire (RFC 3768 and 9568 section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from vipmgr.core.model import Address, Family

PROTOCOL: Final = 112
GROUPS: Final = {Family.IPV4: "224.0.0.18", Family.IPV6: "ff02::12"}
GROUP_MACS: Final = (bytes.fromhex("01005e000012"), bytes.fromhex("333300000012"))
_FIXED: Final = 8
_LENGTH: Final = {Family.IPV4: 4, Family.IPV6: 16}


@dataclass(frozen=True, slots=True)
class Advert:
    """`interval_ms` is exact for version 3 (centiseconds on the wire) and whole seconds for version 2."""

    version: int
    family: Family
    source: Address
    vrid: int
    priority: int
    interval_ms: int
    addresses: tuple[Address, ...]


def parse_packet(packet: bytes) -> Advert | None:
    """An IP packet, from its first header byte -> the advertisement in it; None when it is none.

    Addresses that the packet announces but does not carry (cut short) are left out: a listener wants to know who
    speaks, not to judge.
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        header = (packet[0] & 0x0F) * 4
        source: Address = IPv4Address(packet[12:16])
        if packet[9] != PROTOCOL or header < 20:
            return None
        return _parse(packet[header:], Family.IPV4, source)
    if version == 6 and len(packet) >= 40 and packet[6] == PROTOCOL:
        return _parse(packet[40:], Family.IPV6, IPv6Address(packet[8:24]))
    return None


def _parse(advert: bytes, family: Family, source: Address) -> Advert | None:
    if len(advert) < _FIXED or advert[0] & 0x0F != 1:
        return None
    version, vrid, priority, count = advert[0] >> 4, advert[1], advert[2], advert[3]
    if version not in (2, 3) or vrid == 0:
        return None
    interval = int.from_bytes(advert[4:6], "big") & 0x0FFF if version == 3 else advert[5] * 100
    width = _LENGTH[family]
    carried = min(count, (len(advert) - _FIXED) // width)
    cut = (advert[_FIXED + index * width : _FIXED + (index + 1) * width] for index in range(carried))
    addresses: tuple[Address, ...] = tuple(IPv4Address(raw) if width == 4 else IPv6Address(raw) for raw in cut)
    return Advert(version, family, source, vrid, priority, interval * 10, addresses)
