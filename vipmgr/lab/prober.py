"""The client's eyes: ICMP echo to every address every few milliseconds, ARP "who has" beside it, all answers kept.

    python -m vipmgr.lab.prober --interface eth0 --interval-ms 5 ADDRESS...

Runs in the client's namespace. On standard output: a line `ready`, then one JSON object for every line read on standard
input: {address: {"probes": [[sent, answered, mac], ...], "answers": [[at, mac], ...]}}, all there is since the start.
Ends with standard input. Times are the kernel's where it received, in nanoseconds since the epoch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from vipmgr.lab.frames import arp_request, echo_request, parse_arp_reply, parse_echo_reply

Address = IPv4Address | IPv6Address

_ETH_IPV4, _ETH_IPV6, _ETH_ARP = 0x0800, 0x86DD, 0x0806
_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")
_SEQUENCES: Final = 1 << 16


class Target:
    """One address and everything heard from it. `probes`: [sent, answered, mac], in the order sent."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.text = str(address)
        self.probes: list[list[int | str]] = []
        self.answers: list[tuple[int, str]] = []

    def answered(self, sequence: int, at: int, mac: str) -> None:
        """Sequence numbers wrap: the youngest probe of that number is meant."""
        newest = len(self.probes) - 1
        index = newest - (newest - sequence) % _SEQUENCES
        if index >= 0 and self.probes[index][1] == 0:
            self.probes[index][1:] = [at, mac]


class Prober:
    def __init__(self, interface: str, addresses: Sequence[Address], interval_ms: float, arp_every: int = 10) -> None:
        self._targets = {address: Target(address) for address in addresses}
        self._interval = interval_ms / 1000
        self._arp_every = arp_every
        self._identifier = os.getpid() & 0xFFFF
        self._interface = interface
        self._senders = {4: _raw(socket.AF_INET, socket.IPPROTO_ICMP), 6: _raw(socket.AF_INET6, socket.IPPROTO_ICMPV6)}
        self._ears = {
            ear.fileno(): (ear, kind)
            for kind in (_ETH_IPV4, _ETH_IPV6, _ETH_ARP)
            for ear in [_listener(interface, kind, socket.SOCK_DGRAM)]
        }
        self._asker = _listener(interface, _ETH_ARP, socket.SOCK_RAW)
        self._mac: bytes = self._asker.getsockname()[4]
        self._own = _own_address(interface, self._targets)
        self._rounds = 0

    def run(self) -> None:
        poll = select.poll()
        poll.register(sys.stdin.fileno(), select.POLLIN)
        for fd in self._ears:
            poll.register(fd, select.POLLIN)
        due = time.monotonic()
        print("ready", flush=True)
        while True:
            now = time.monotonic()
            if now >= due:
                self._send()
                due = max(due + self._interval, now + self._interval / 2)
                continue
            for fd, _ in poll.poll((due - now) * 1000):
                if fd != sys.stdin.fileno():
                    self._hear(*self._ears[fd])
                elif not os.read(fd, 4096):
                    return
                else:
                    self._report()

    def _send(self) -> None:
        for target in self._targets.values():
            sequence = len(target.probes) % _SEQUENCES
            packet = echo_request(self._identifier, sequence, target.address.version)
            target.probes.append([time.time_ns(), 0, ""])
            with contextlib.suppress(OSError):  # no neighbour, no route, full queue: a probe without an answer
                self._senders[target.address.version].sendto(packet, (target.text, 0))
            if self._rounds % self._arp_every == 0 and isinstance(target.address, IPv4Address) and self._own:
                with contextlib.suppress(OSError):
                    self._asker.send(arp_request(self._mac, self._own, target.address))
        self._rounds += 1

    def _hear(self, ear: socket.socket, kind: int) -> None:
        try:
            packet, control, _, source = ear.recvmsg(256, 64)
        except OSError:
            return
        at = _received_at(control)
        if kind == _ETH_ARP:
            claim = parse_arp_reply(packet, self._mac)
            if claim and (target := self._targets.get(claim[0])):
                target.answers.append((at, claim[1]))
            return
        echo = parse_echo_reply(packet)
        if echo and echo.identifier == self._identifier and (target := self._targets.get(echo.source)):
            target.answered(echo.sequence, at, source[4].hex(":"))

    def _report(self) -> None:
        everything = {one.text: {"probes": one.probes, "answers": one.answers} for one in self._targets.values()}
        print(json.dumps(everything, separators=(",", ":")), flush=True)


def _raw(family: int, protocol: int) -> socket.socket:
    sender = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
    return sender


def _listener(interface: str, kind: int, style: int) -> socket.socket:
    ear = socket.socket(socket.AF_PACKET, style | socket.SOCK_NONBLOCK, socket.htons(kind))
    ear.bind((interface, kind))
    ear.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return ear


def _own_address(interface: str, targets: Sequence[Address] | dict[Address, Target]) -> IPv4Address | None:
    """The address this host would talk to its IPv4 targets from."""
    for target in targets:
        if isinstance(target, IPv4Address):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                probe.connect((str(target), 9))
                return IPv4Address(probe.getsockname()[0])
    return None


def _received_at(control: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="prober")
    parser.add_argument("--interface", default="eth0")
    parser.add_argument("--interval-ms", type=float, default=5)
    parser.add_argument("addresses", nargs="+", type=ip_address)
    args = parser.parse_args(argv)
    with contextlib.suppress(OSError):  # without the right to real-time scheduling the figures are noisier, not wrong
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    Prober(args.interface, args.addresses, args.interval_ms).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
