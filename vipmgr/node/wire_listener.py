"""Hears VRRP on every interface: one AF_PACKET socket per family, filtered in the kernel (core/stranger_filter.py)."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final

from vipmgr.core.kernel_view import Link
from vipmgr.core.model import Family
from vipmgr.core.stranger_filter import Instruction, Voice, assemble
from vipmgr.core.vrrp_packet import GROUP_MACS, Advert, parse_packet
from vipmgr.log import get_log

log = get_log(__name__)

_ETHERTYPE: Final = {Family.IPV4: 0x0800, Family.IPV6: 0x86DD}
_SO_ATTACH_FILTER: Final = 26
_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP: Final = 1
_MEMBERSHIP_MULTICAST: Final = 0
_BATCH: Final = 64
_LONGEST_ADVERT: Final = 8192


def attach_filter(target: socket.socket, program: tuple[Instruction, ...]) -> None:
    """SO_ATTACH_FILTER; a program attached before is replaced without a gap."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    target.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))


class WireListener:
    """Calls `heard(interface, advert)` from the running loop. Only incoming packets are seen, never our own."""

    def __init__(self, heard: Callable[[str, Advert], None]) -> None:
        self._heard = heard
        self._muted: frozenset[Voice] = frozenset()
        self._joined: set[int] = set()
        self.packets = 0
        self._sockets: dict[Family, socket.socket] = {}
        try:
            for family, ethertype in _ETHERTYPE.items():
                self._sockets[family] = _open(family, ethertype)
        except OSError:
            self.close()
            raise
        loop = asyncio.get_running_loop()
        for one in self._sockets.values():
            loop.add_reader(one.fileno(), self._read, one)

    def mute(self, voices: frozenset[Voice]) -> None:
        """Whose adverts the kernel is to drop from now on."""
        if voices == self._muted:
            return
        self._muted = voices
        for family, one in self._sockets.items():
            attach_filter(one, assemble(family, voices))

    def listen_on(self, links: Iterable[Link]) -> None:
        """Let these interfaces' hardware pass VRRP's multicast groups, whether or not keepalived joined them."""
        wanted = {link.index for link in links if link.up and not link.loopback}
        self._joined &= wanted  # the kernel forgets the membership with the interface
        for index in wanted - self._joined:
            try:
                for family, mac in zip(_ETHERTYPE, GROUP_MACS, strict=True):
                    request = struct.pack("iHH8s", index, _MEMBERSHIP_MULTICAST, len(mac), mac)
                    self._sockets[family].setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
            except OSError as error:
                log.info("listener.not_joined", index=index, error=str(error))
                continue
            self._joined.add(index)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for one in self._sockets.values():
            loop.remove_reader(one.fileno())
            one.close()
        self._sockets.clear()

    def _read(self, source: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                packet, address = source.recvfrom(_LONGEST_ADVERT)
            except BlockingIOError:
                return
            except OSError as error:  # ENETDOWN: an interface went away under the socket; it goes on with the others
                log.info("listener.read_failed", error=str(error))
                return
            self.packets += 1
            advert = parse_packet(packet)
            if advert is not None:
                self._heard(address[0], advert)


def _open(family: Family, ethertype: int) -> socket.socket:
    """On every interface. What arrives before the filter is there is read and found to be no advert."""
    one = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ethertype))
    try:
        attach_filter(one, assemble(family, ()))
    except OSError:
        one.close()
        raise
    return one
