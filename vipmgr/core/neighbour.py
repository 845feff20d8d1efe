"""ARP and Neighbor Discovery messages: bytes <-> values. Ethernet frames, as an AF_PACKET socket gives and takes them.

RFC 826 (ARP), RFC 5227 (address conflict detection: probes and announcements), RFC 4861 (Neighbor Discovery),
RFC 4291 2.7.1 (solicited-node multicast). A VLAN tag never shows here: the socket is bound to the VLAN's interface.

Our own ARP messages and advertisements also carry the epoch of the sender's ownership, so that two agents that meet on
the wire can tell whose claim is newer without asking anybody: in ARP behind the message, where Ethernet pads to 60
octets anyway; in ND as an option of the experimental type 253 (RFC 4727 5.1.3). Other stations ignore both.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

Mac = bytes
"""six octets"""

BROADCAST: Final[Mac] = b"\xff" * 6
NO_MAC: Final[Mac] = bytes(6)
UNSPECIFIED4: Final = IPv4Address(0)
UNSPECIFIED6: Final = IPv6Address(0)
ALL_NODES: Final = IPv6Address("ff02::1")

_ETHER_ARP: Final = 0x0806
_ETHER_IPV6: Final = 0x86DD
_ARP_HEADER: Final = struct.pack("!HHBB", 1, 0x0800, 6, 4)  # Ethernet, IPv4, and the lengths of their addresses
_ICMPV6: Final = 58
_SOLICITATION: Final = 135
_ADVERTISEMENT: Final = 136
_SOURCE_LINK_ADDRESS: Final = 1
_TARGET_LINK_ADDRESS: Final = 2
_LINK_ADDRESSES: Final = (_SOURCE_LINK_ADDRESS, _TARGET_LINK_ADDRESS)
_HOP_LIMIT: Final = 255
_EPOCH_OPTION: Final = 253
_EPOCH_MAGIC: Final = b"vipm"
_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20


class Defect(StrEnum):
    """Why bytes are not a message."""

    SHORT = "short"
    OTHER_PROTOCOL = "other-protocol"
    NOT_ETHERNET_IPV4 = "not-ethernet-ipv4"
    UNKNOWN_OPERATION = "unknown-operation"
    HOP_LIMIT = "hop-limit-not-255"
    CHECKSUM = "bad-checksum"
    BAD_OPTION = "bad-option"
    BAD_TARGET = "bad-target"
    BAD_SOURCE = "bad-source"


class MalformedError(ValueError):
    def __init__(self, defect: Defect) -> None:
        super().__init__(str(defect))
        self.defect = defect


class ArpOperation(IntEnum):
    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True, slots=True)
class Arp:
    """One ARP message with the Ethernet addresses around it."""

    operation: ArpOperation
    sender_mac: Mac
    sender: IPv4Address
    target_mac: Mac
    target: IPv4Address
    source: Mac = NO_MAC
    destination: Mac = BROADCAST
    epoch: int | None = None

    @property
    def is_probe(self) -> bool:
        """RFC 5227 1.1: a request from 0.0.0.0, "does anyone use this address?"."""
        return self.operation is ArpOperation.REQUEST and self.sender == UNSPECIFIED4

    @property
    def is_announcement(self) -> bool:
        """RFC 5227 1.1 and RFC 5944 4.6: the sender speaks of its own address (gratuitous ARP)."""
        return self.sender == self.target and self.sender != UNSPECIFIED4


@dataclass(frozen=True, slots=True)
class Solicitation:
    """A Neighbor Solicitation, RFC 4861 4.3. `link_address`: its Source Link-Layer Address option, if any."""

    source: IPv6Address
    destination: IPv6Address
    target: IPv6Address
    link_address: Mac | None
    source_mac: Mac = NO_MAC
    destination_mac: Mac = NO_MAC

    @property
    def is_probe(self) -> bool:
        """RFC 4862 5.4: Duplicate Address Detection, sent from the unspecified address."""
        return self.source == UNSPECIFIED6


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A Neighbor Advertisement, RFC 4861 4.4. `link_address`: its Target Link-Layer Address option, if any."""

    source: IPv6Address
    destination: IPv6Address
    target: IPv6Address
    link_address: Mac | None
    solicited: bool = False
    override: bool = True
    router: bool = False
    source_mac: Mac = NO_MAC
    destination_mac: Mac = NO_MAC
    epoch: int | None = None


Message = Arp | Solicitation | Advertisement


def parse(frame: bytes) -> Message:
    """The message in an Ethernet frame. Raises MalformedError; a host must drop such frames silently (RFC 4861 7.1)."""
    if len(frame) < 14:
        raise MalformedError(Defect.SHORT)
    ether_type = int.from_bytes(frame[12:14], "big")
    if ether_type == _ETHER_ARP:
        return _parse_arp(frame)
    if ether_type == _ETHER_IPV6:
        return _parse_ndp(frame)
    raise MalformedError(Defect.OTHER_PROTOCOL)


def encode(message: Message) -> bytes:
    """The Ethernet frame of a message, checksum and all. Shorter than the minimum of 60: the driver pads it."""
    if isinstance(message, Arp):
        return (
            message.destination
            + message.source
            + _ETHER_ARP.to_bytes(2, "big")
            + _ARP_HEADER
            + struct.pack("!H", message.operation)
            + message.sender_mac
            + message.sender.packed
            + message.target_mac
            + message.target.packed
            + _epoch_bytes(message.epoch)
        )
    if isinstance(message, Solicitation):
        return _encode_ndp(message, _SOLICITATION, 0, _SOURCE_LINK_ADDRESS)
    flags = _ROUTER * message.router | _SOLICITED * message.solicited | _OVERRIDE * message.override
    return _encode_ndp(message, _ADVERTISEMENT, flags, _TARGET_LINK_ADDRESS)


def solicited_node(address: IPv6Address) -> IPv6Address:
    """ff02::1:ffXX:XXXX of an address: the group its solicitations are sent to."""
    return IPv6Address(0xFF0200000000000000000001FF000000 | int(address) & 0xFFFFFF)


def multicast_mac(group: IPv6Address) -> Mac:
    """33:33 and the last four octets of the group (RFC 2464 7)."""
    return b"\x33\x33" + group.packed[12:]


def _parse_arp(frame: bytes) -> Arp:
    if len(frame) < 42:
        raise MalformedError(Defect.SHORT)
    if frame[14:20] != _ARP_HEADER:
        raise MalformedError(Defect.NOT_ETHERNET_IPV4)
    try:
        operation = ArpOperation(int.from_bytes(frame[20:22], "big"))
    except ValueError:
        raise MalformedError(Defect.UNKNOWN_OPERATION) from None
    return Arp(
        operation,
        sender_mac=frame[22:28],
        sender=IPv4Address(frame[28:32]),
        target_mac=frame[32:38],
        target=IPv4Address(frame[38:42]),
        source=frame[6:12],
        destination=frame[0:6],
        epoch=_epoch(frame[42:54]),
    )


def _parse_ndp(frame: bytes) -> Solicitation | Advertisement:
    if len(frame) < 14 + 40 + 24:
        raise MalformedError(Defect.SHORT)
    length = int.from_bytes(frame[18:20], "big")
    if frame[20] != _ICMPV6 or frame[54] not in (_SOLICITATION, _ADVERTISEMENT):
        raise MalformedError(Defect.OTHER_PROTOCOL)
    if len(frame) < 54 + length or length < 24:
        raise MalformedError(Defect.SHORT)
    if frame[21] != _HOP_LIMIT or frame[55] != 0:  # 255 proves that no router forwarded it: it comes from this link
        raise MalformedError(Defect.HOP_LIMIT)
    body = frame[54 : 54 + length]
    if _checksum(frame[22:54], body):
        raise MalformedError(Defect.CHECKSUM)
    source, destination = IPv6Address(frame[22:38]), IPv6Address(frame[38:54])
    target = IPv6Address(body[8:24])
    if target.is_multicast:
        raise MalformedError(Defect.BAD_TARGET)
    options = _options(body[24:])
    if body[0] == _SOLICITATION:
        # RFC 4861 7.1.1: a probe goes to the solicited-node group and names no link-layer address
        if source == UNSPECIFIED6 and (_SOURCE_LINK_ADDRESS in options or destination != solicited_node(target)):
            raise MalformedError(Defect.BAD_SOURCE)
        link = options.get(_SOURCE_LINK_ADDRESS)
        return Solicitation(source, destination, target, link, frame[6:12], frame[0:6])
    solicited = bool(body[4] & _SOLICITED)
    if destination.is_multicast and solicited:  # RFC 4861 7.1.2
        raise MalformedError(Defect.BAD_SOURCE)
    link, epoch = options.get(_TARGET_LINK_ADDRESS), _epoch(options.get(_EPOCH_OPTION, b""))
    override, router = bool(body[4] & _OVERRIDE), bool(body[4] & _ROUTER)
    return Advertisement(source, destination, target, link, solicited, override, router, frame[6:12], frame[0:6], epoch)


def _options(body: bytes) -> dict[int, bytes]:
    """Option type -> its value, the first of each type. Raises MalformedError on a length of zero or past the end."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(body):
        if at + 2 > len(body) or body[at + 1] == 0 or at + 8 * body[at + 1] > len(body):
            raise MalformedError(Defect.BAD_OPTION)
        end = at + 8 * body[at + 1]
        if body[at] not in _LINK_ADDRESSES or body[at + 1] == 1:  # a longer link address is not Ethernet's
            found.setdefault(body[at], body[at + 2 : end])
        at = end
    return found


def _encode_ndp(message: Solicitation | Advertisement, kind: int, flags: int, option: int) -> bytes:
    body = struct.pack("!BBHB3x", kind, 0, 0, flags) + message.target.packed
    if message.link_address is not None:
        body += bytes((option, 1)) + message.link_address
    if isinstance(message, Advertisement) and message.epoch is not None:
        body += bytes((_EPOCH_OPTION, 2)) + _epoch_bytes(message.epoch) + bytes(2)
    addresses = message.source.packed + message.destination.packed
    body = body[:2] + _checksum(addresses, body).to_bytes(2, "big") + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), _ICMPV6, _HOP_LIMIT)
    ethernet = message.destination_mac + message.source_mac + _ETHER_IPV6.to_bytes(2, "big")
    return ethernet + header + addresses + body


def _epoch_bytes(epoch: int | None) -> bytes:
    return b"" if epoch is None else _EPOCH_MAGIC + epoch.to_bytes(8, "big")


def _epoch(trailer: bytes) -> int | None:
    return int.from_bytes(trailer[4:12], "big") if len(trailer) >= 12 and trailer[:4] == _EPOCH_MAGIC else None


def _checksum(addresses: bytes, body: bytes) -> int:
    """RFC 4443 2.3 over the pseudo-header; 0 when `body` carries its correct checksum."""
    data = addresses + struct.pack("!II", len(body), _ICMPV6) + body + b"\0" * (len(body) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
