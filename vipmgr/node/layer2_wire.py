"""layer2's ears and mouth: AF_PACKET sockets per interface, filtered in the kernel, and the multicast groups of NDP.

Each socket is bound to one protocol of one interface, so that other traffic does not even meet the filter. The groups
are joined as a host would (IPV6_JOIN_GROUP): the card listens, and switches that snoop MLD forward.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from vipmgr.core.layer2_filter import assemble
from vipmgr.core.model import Address, Family, family_of
from vipmgr.core.neighbour import solicited_node
from vipmgr.log import get_log
from vipmgr.node.wire_listener import attach_filter

log = get_log(__name__)

_ETHERTYPE: Final = {Family.IPV4: 0x0806, Family.IPV6: 0x86DD}
_GROUPS_PER_SOCKET: Final = 64
"""each costs the socket some of its net.core.optmem_max"""
_BATCH: Final = 64
_LONGEST: Final = 2048
_SEND_BYTES: Final = 1024 * 1024
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33


class Ear:
    """One interface. `heard(index, frame)` is called from the running loop. `packets`: let through by the filter."""

    def __init__(self, index: int, name: str, heard: Callable[[int, bytes], None]) -> None:
        self.index = index
        self.packets = 0
        self._name = name
        self._heard = heard
        self._addresses: frozenset[Address] = frozenset()
        self._sockets: dict[Family, socket.socket] = {}
        self._groups: dict[IPv6Address, socket.socket] = {}
        self._members: dict[socket.socket, int] = {}

    def listen(self, addresses: Iterable[Address]) -> None:
        """For exactly these from now on. Raises OSError when the interface is gone."""
        wanted = frozenset(addresses)
        if wanted == self._addresses and self._sockets.keys() == {family_of(one) for one in wanted}:
            return
        for family in Family:
            mine = [one for one in wanted if family_of(one) is family]
            if mine and family not in self._sockets:
                self._sockets[family] = self._open(family, mine)
            elif mine:
                attach_filter(self._sockets[family], assemble(family, mine))
            elif family in self._sockets:
                self._close(self._sockets.pop(family))
        self._addresses = wanted
        self._join({solicited_node(one) for one in wanted if isinstance(one, IPv6Address)})

    def send(self, address: Address, frame: bytes) -> bool:
        """About `address`. False: the kernel did not take it; a lost frame is one the wire may lose as well."""
        family = Family.IPV4 if isinstance(address, IPv4Address) else Family.IPV6
        try:
            self._sockets[family].send(frame)
        except (OSError, KeyError):
            return False
        return True

    def close(self) -> None:
        for one in self._sockets.values():
            self._close(one)
        for one in self._members:
            one.close()
        self._sockets.clear()
        self._groups.clear()
        self._members.clear()

    def drain(self) -> int:
        """Read what is waiting now; how many frames there were."""
        return sum(self._read(one) for one in self._sockets.values())

    def _open(self, family: Family, addresses: list[Address]) -> socket.socket:
        """The protocol is set by `bind`: nothing arrives before the filter is there."""
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            one.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BYTES)
            one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SEND_BYTES)
            attach_filter(one, assemble(family, addresses))
            one.bind((self._name, _ETHERTYPE[family]))
        except OSError:
            one.close()
            raise
        asyncio.get_running_loop().add_reader(one.fileno(), self._read, one)
        return one

    def _close(self, one: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(one.fileno())
        one.close()

    def _read(self, source: socket.socket) -> int:
        for count in range(_BATCH):
            try:
                frame = source.recv(_LONGEST)
            except BlockingIOError:
                return count
            except OSError as error:  # ENETDOWN: the link went down under the socket, which lives on
                log.info("layer2.read_failed", interface=self._name, error=str(error))
                return count
            self.packets += 1
            self._heard(self.index, frame)
        return _BATCH

    def _join(self, wanted: set[IPv6Address]) -> None:
        for group in self._groups.keys() - wanted:
            self._leave(group)
        for group in wanted - self._groups.keys():
            carrier = next((one for one, held in self._members.items() if held < _GROUPS_PER_SOCKET), None)
            if carrier is None:
                carrier = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                self._members[carrier] = 0
            try:
                carrier.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._request(group))
            except OSError as error:
                log.warning("layer2.group_not_joined", interface=self._name, group=str(group), error=str(error))
                continue
            self._groups[group] = carrier
            self._members[carrier] += 1

    def _leave(self, group: IPv6Address) -> None:
        carrier = self._groups.pop(group)
        self._members[carrier] -= 1
        if self._members[carrier] == 0:
            del self._members[carrier]
            carrier.close()
            return
        try:
            carrier.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, self._request(group))
        except OSError as error:
            log.info("layer2.group_not_left", interface=self._name, group=str(group), error=str(error))

    def _request(self, group: IPv6Address) -> bytes:
        """struct ipv6_mreq"""
        return group.packed + struct.pack("=i", self.index)
