"""ARP and Neighbor Discovery as the client's cable carries them. Also a program, run in the client's namespace.

python -m tests.lab.wiretap INTERFACE              prints TIME HEX for every such frame, in either direction
python -m tests.lab.wiretap INTERFACE HEX...       sends these frames
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
from typing import NamedTuple, Self

from vipmgr.core.neighbour import Advertisement, Arp, MalformedError, Message, Solicitation, parse

ROOT = __file__.removesuffix("/tests/lab/wiretap.py")
ALL = 0x0003


class Heard(NamedTuple):
    at: float
    message: Message

    @property
    def claims(self) -> str:
        """The address its sender says it has; "" when it says nothing of the kind."""
        match self.message:
            case Arp(sender=sender):
                return "" if int(sender) == 0 else str(sender)
            case Advertisement(target=target):
                return str(target)
            case Solicitation():
                return ""

    @property
    def mac(self) -> str:
        message = self.message
        return (message.source if isinstance(message, Arp) else message.source_mac).hex(":")


class Wiretap:
    """Listens while its block lasts; `heard` may be read at any time."""

    def __init__(self, lab, interface: str = "eth0", where: str = "client") -> None:
        self._argv = lab.command(where, [sys.executable, "-m", "tests.lab.wiretap", interface])
        self.heard: list[Heard] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # nsenter has forked: a signal would not reach the listener
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, _, frame = line.partition(" ")
            try:
                self.heard.append(Heard(float(at), parse(bytes.fromhex(frame))))
            except MalformedError:
                continue

    def about(self, vip: str, since: float = 0.0) -> list[Heard]:
        """Messages of stations that say they have the address."""
        return [one for one in self.heard if one.claims == vip and one.at >= since]


def send(lab, interface: str, *frames: bytes, where: str = "client") -> None:
    lab.exec(
        where,
        "sh",
        "-c",
        f"cd {ROOT} && {sys.executable} -m tests.lab.wiretap {interface} {' '.join(map(bytes.hex, frames))}",
    )


def _main(interface: str, frames: list[str]) -> None:
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    ear.bind((interface, ALL))
    if frames:
        for one in frames:
            ear.send(bytes.fromhex(one))
        return
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([ear, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        frame = ear.recv(4096)
        if frame[12:14] == b"\x08\x06" or (frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a"):
            print(time.time(), frame.hex(), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
