"""ICMP echo and ARP as bytes: what the prober sends and hears. Pure. (RFC 792, RFC 4443, RFC 826.)"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_ECHO: Final = struct.Struct("!BBHHH")
_ARP_REQUEST, _ARP_REPLY = 1, 2
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_ECHO_REQUEST_V6, _ECHO_REPLY_V6 = 128, 129
_ICMP, _ICMPV6 = 1, 58


class Echo(NamedTuple):
    """An echo reply: who sent it, and the identifier and sequence number of the request."""

    source: IPv4Address | IPv6Address
    identifier: int
    sequence: int


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(identifier: int, sequence: int, version: int) -> bytes:
    """For version 6 the kernel fills in the checksum (RFC 3542 section 3.1)."""
    if version == 6:
        return _ECHO.pack(_ECHO_REQUEST_V6, 0, 0, identifier, sequence)
    bare = _ECHO.pack(_ECHO_REQUEST, 0, 0, identifier, sequence)
    return _ECHO.pack(_ECHO_REQUEST, 0, checksum(bare), identifier, sequence)


def parse_echo_reply(packet: bytes) -> Echo | None:
    """From an IP packet, v4 or v6 without extension headers; None when it is anything else."""
    if len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == _ICMP:
        start = (packet[0] & 0xF) * 4
        source: IPv4Address | IPv6Address = IPv4Address(packet[12:16])
        wanted = _ECHO_REPLY
    elif len(packet) >= 48 and packet[0] >> 4 == 6 and packet[6] == _ICMPV6:
        start, source, wanted = 40, IPv6Address(packet[8:24]), _ECHO_REPLY_V6
    else:
        return None
    if len(packet) < start + _ECHO.size:
        return None
    kind, _, _, identifier, sequence = _ECHO.unpack_from(packet, start)
    return Echo(source, identifier, sequence) if kind == wanted else None


def arp_request(mac: bytes, source: IPv4Address, target: IPv4Address) -> bytes:
    """An Ethernet frame, broadcast: who has `target`?"""
    body = _ARP.pack(1, 0x0800, 6, 4, _ARP_REQUEST, mac, source.packed, b"\0" * 6, target.packed)
    return b"\xff" * 6 + mac + b"\x08\x06" + body


def parse_arp_reply(packet: bytes, mac: bytes) -> tuple[IPv4Address, str] | None:
    """(address, MAC that claims it) from an ARP packet that answers `mac`; None when it is anything else."""
    if len(packet) < _ARP.size:
        return None
    _, kind, _, _, operation, sender, address, target, _ = _ARP.unpack_from(packet)
    if kind != 0x0800 or operation != _ARP_REPLY or target != mac:
        return None
    return IPv4Address(address), sender.hex(":")
