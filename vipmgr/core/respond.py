"""layer2 on the wire: what to answer to a frame, or why there is silence; and what to announce.

Pure: the table of addresses and the frame come in, frames or a reason go out. An answer is given only for an address
this node owns right now. Every silence has a reason, because "why does it not answer" is the question of the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from vipmgr.core.model import Address
from vipmgr.core.neighbour import (
    ALL_NODES,
    BROADCAST,
    NO_MAC,
    UNSPECIFIED4,
    UNSPECIFIED6,
    Advertisement,
    Arp,
    ArpOperation,
    Mac,
    MalformedError,
    Message,
    Solicitation,
    encode,
    multicast_mac,
    parse,
    solicited_node,
)


class Standing(StrEnum):
    """This node's standing towards one address."""

    OWNER = "owner"
    STANDBY = "standby"
    DOUBT = "doubt"
    """it was owner, and must first make sure that it still is (it slept, or its link came back)"""


class Post(NamedTuple):
    """One address of the plan: this node's standing, and the epoch of its claim while it has one."""

    standing: Standing
    epoch: int = 0


class Silence(StrEnum):
    """Why a frame gets no answer. The label of a counter."""

    MALFORMED = "malformed"
    OWN_FRAME = "own-frame"
    UNKNOWN_ADDRESS = "unknown-address"
    NOT_OWNER = "not-owner"
    IN_DOUBT = "in-doubt"
    NOT_A_REQUEST = "not-a-request"
    CLAIMED_BY_ANOTHER = "claimed-by-another"


_WITHOUT_OWNERSHIP: Final = {Standing.STANDBY: Silence.NOT_OWNER, Standing.DOUBT: Silence.IN_DOUBT}


@dataclass(frozen=True, slots=True)
class Answer:
    """A frame to send back."""

    address: Address
    frame: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """No answer is due, but another station speaks for one of our addresses: `mac` says that it has `address`.

    `epoch`: of its claim, when the station is one of our agents.
    """

    address: Address
    mac: Mac
    epoch: int | None


Verdict = Answer | Heard | Silence


def respond(frame: bytes, mac: Mac, posts: Mapping[Address, Post]) -> Verdict:
    """Judge one received frame on an interface whose link-layer address is `mac`."""
    try:
        message = parse(frame)
    except MalformedError:
        return Silence.MALFORMED
    if (message.source if isinstance(message, Arp) else message.source_mac) == mac:
        return Silence.OWN_FRAME
    heard = _claim(message)
    if heard is not None and heard.address in posts and heard.mac != mac:
        return heard
    if isinstance(message, Advertisement) or (isinstance(message, Arp) and message.operation is ArpOperation.REPLY):
        return Silence.NOT_A_REQUEST
    post = posts.get(message.target)
    if post is None:
        return Silence.UNKNOWN_ADDRESS
    if post.standing is not Standing.OWNER:
        return _WITHOUT_OWNERSHIP[post.standing]
    return Answer(message.target, encode(_reply(message, mac, post.epoch)))


def announcements(address: Address, mac: Mac, epoch: int) -> tuple[bytes, ...]:
    """What tells every neighbour that `address` is at `mac`.

    IPv4: a gratuitous request and a gratuitous reply, for there are stacks that heed only one (RFC 5227 3). IPv6: an
    unsolicited advertisement to all nodes with Override set (RFC 4861 7.2.6).
    """
    if isinstance(address, IPv4Address):
        request = Arp(ArpOperation.REQUEST, mac, address, NO_MAC, address, source=mac, epoch=epoch)
        return encode(request), encode(replace(request, operation=ArpOperation.REPLY, target_mac=mac))
    return (encode(_unsolicited(address, mac, epoch)),)


def probe(address: Address, mac: Mac, destination: Mac | None = None) -> bytes:
    """Ask who has `address` without claiming anything: RFC 5227 2.1.1, RFC 4862 5.4.

    To the link's broadcast or solicited-node group, or straight to one station's link-layer address `destination`.
    """
    if isinstance(address, IPv4Address):
        return encode(Arp(ArpOperation.REQUEST, mac, UNSPECIFIED4, NO_MAC, address, mac, destination or BROADCAST))
    group = solicited_node(address)
    to = destination or multicast_mac(group)
    return encode(Solicitation(UNSPECIFIED6, group, address, None, source_mac=mac, destination_mac=to))


def _claim(message: Message) -> Heard | None:
    """What the message says about who has which address; None when it claims nothing (a probe)."""
    if isinstance(message, Arp):
        return None if message.sender == UNSPECIFIED4 else Heard(message.sender, message.sender_mac, message.epoch)
    if isinstance(message, Advertisement):
        return Heard(message.target, message.link_address or message.source_mac, message.epoch)
    return None if message.is_probe else Heard(message.source, message.link_address or message.source_mac, None)


def _reply(request: Arp | Solicitation, mac: Mac, epoch: int) -> Arp | Advertisement:
    if isinstance(request, Arp):
        return Arp(
            ArpOperation.REPLY,
            sender_mac=mac,
            sender=request.target,
            target_mac=request.sender_mac,
            target=request.sender,
            source=mac,
            destination=request.source,
            epoch=epoch,
        )
    unsolicited = _unsolicited(request.target, mac, epoch)
    if request.is_probe:  # RFC 4861 7.2.4: there is nobody to send it to yet: all nodes hear, and it is not "solicited"
        if request.destination_mac == mac:  # a peer asks just us whether we live; spare the others
            return replace(unsolicited, destination_mac=request.source_mac)
        return unsolicited
    to = request.link_address or request.source_mac
    return replace(unsolicited, destination=request.source, solicited=True, destination_mac=to)


def _unsolicited(address: IPv6Address, mac: Mac, epoch: int) -> Advertisement:
    to = multicast_mac(ALL_NODES)
    return Advertisement(address, ALL_NODES, address, mac, source_mac=mac, destination_mac=to, epoch=epoch)
