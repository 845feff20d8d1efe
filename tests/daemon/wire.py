"""Real keepalived on a few nodes joined by a bridge: namespaces of their own, gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

START = "mount -t tmpfs vipmgr /run; mkdir /run/vipmgr; mount --bind {folder} /run/vipmgr; exec {keepalived}"
KEEPALIVED = (
    "keepalived -n -P -l -G -f /run/vipmgr/keepalived.conf -p /run/vipmgr/keepalived.pid -r /run/vipmgr/vrrp.pid"
)


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def until(fact: Callable[[], bool], what: str, timeout: float = 10) -> float:
    """Waits for `fact`; seconds it took."""
    begin = time.monotonic()
    while not fact():
        assert time.monotonic() - begin < timeout, f"not within {timeout} s: {what}"
        time.sleep(0.001)
    return time.monotonic() - begin


class Node:
    """One namespace with its keepalived. `events`: FIFO lines, oldest first."""

    def __init__(self, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.events: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "track").mkdir(parents=True)
        os.mkfifo(folder / "notify.fifo")
        self._fifo = os.open(folder / "notify.fifo", os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""

    def start(self, conf: str) -> None:
        (self.folder / "keepalived.conf").write_text(conf)
        script = START.format(folder=self.folder, keepalived=KEEPALIVED)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, "sh", "-c", script],
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": str(self.folder)},
            )

    def reload(self, conf: str) -> None:
        assert self.process is not None
        (self.folder / "keepalived.conf").write_text(conf)
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=10)

    def close(self) -> None:
        """Kills whatever runs in the node: an orderly end takes keepalived over a second."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        while left := ip("netns", "pids", self.namespace).split():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.005)
        os.close(self._fifo)
        ip("netns", "del", self.namespace)

    def track(self, name: str, value: int) -> None:
        """By rename, as the agent does: keepalived may read a file between its truncation and its writing."""
        new = self.folder / f"{name}.new"
        new.write_text(f"{value}\n")
        new.rename(self.folder / "track" / name)

    def clog(self) -> None:
        """Fill the FIFO to the brim, to be read by nobody."""
        with suppress(BlockingIOError):
            while os.write(self._fifo, b"x" * 4096):
                pass
        with suppress(BlockingIOError):
            while os.write(self._fifo, b"x"):
                pass

    def state(self, instance: str) -> str:
        """The last state the FIFO told."""
        self._read()
        words = [line.split() for line in self.events if line.startswith(f'INSTANCE "{instance}"')]
        return next((word[2] for word in reversed(words) if "_" not in word[2]), "")  # MASTER_RX_LOWER_PRI is none

    def priority(self, instance: str) -> int:
        """The effective priority the FIFO told last."""
        self._read()
        words = [line.split() for line in self.events if line.startswith(f'INSTANCE "{instance}"')]
        return int(words[-1][3]) if words else 0

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def holds(self, address: str) -> bool:
        return f" {address}/" in ip("-n", self.namespace, "-o", "addr")

    def _read(self) -> None:
        try:
            while chunk := os.read(self._fifo, 65536):
                self._rest += chunk
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        self.events += [line.decode() for line in lines]


@contextmanager
def wire(nodes: dict[str, list[tuple[str, list[str]]]], folder: Path) -> Iterator[dict[str, Node]]:
    """`nodes`: name -> [(interface, addresses)]; only the first interface of each is plugged into the bridge."""
    mark = f"vipd{token_hex(3)}"
    made: dict[str, Node] = {}
    ip("netns", "add", f"{mark}-sw")
    try:
        ip("-n", f"{mark}-sw", "link", "add", "sw", "type", "bridge")
        ip("-n", f"{mark}-sw", "link", "set", "sw", "up")
        for name, links in nodes.items():
            namespace = f"{mark}-{name}"
            ip("netns", "add", namespace)
            made[name] = Node(namespace, folder / name)
            ip("-n", namespace, "link", "set", "lo", "up")
            interface, addresses = links[0]
            peer = ("type", "veth", "peer", "name", interface, "netns", namespace)
            ip("-n", f"{mark}-sw", "link", "add", f"to-{name}", *peer)
            ip("-n", f"{mark}-sw", "link", "set", f"to-{name}", "master", "sw", "up")
            for address in addresses:
                nodad = ["nodad"] if ":" in address else []
                ip("-n", namespace, "addr", "add", address, "dev", interface, *nodad)
            ip("-n", namespace, "link", "set", interface, "up")
        yield made
    finally:
        for node in made.values():
            node.close()
        ip("netns", "del", f"{mark}-sw")
