"""The lab's handles: a node, by way of its kubelet, and a program in some other namespace of the lab."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vipmgr.errors import FatalError
from vipmgr.lab.containers import LINE_LIMIT, descendants
from vipmgr.lab.wiring import NAMESPACES

FOLDERS = ("run", "lib", "logs")
WORDS = 1500


class Machine:
    """One node: its kubelet process and the folders that outlive it. `running` is false when it is dead."""

    def __init__(self, name: str, state: Path) -> None:
        self.name = name
        self.state = state
        self.starts: dict[str, int] = {}
        self.alive: set[str] = set()
        """containers that run now"""
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The kubelet, PID 1 of the node: the one child of the unshare that waits for it."""
        if self._process is None or not self.running:
            return None
        return next(iter(descendants(self._process.pid)), None)

    async def boot(self) -> None:
        """Start the kubelet in new namespaces. /run is empty after a boot, /var/lib is as it was."""
        shutil.rmtree(self.state / "run", ignore_errors=True)
        for folder in FOLDERS:
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        inner = [sys.executable, "-m", "vipmgr.lab.kubelet", self.name, "--state", str(self.state)]
        self._process = await asyncio.create_subprocess_exec(
            *in_network(self.name), "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", *inner,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_LIMIT,
        )  # fmt: skip
        ready = asyncio.get_running_loop().create_future()
        self._waiting[0] = ready
        self._listening = asyncio.create_task(self._listen(self._process))
        await ready

    async def ask(self, do: str, **parameters: Any) -> None:
        """Give the kubelet an order and wait until it is done. FatalError with its words."""
        if self._process is None or self._process.stdin is None or not self.running:
            raise FatalError(f"{self.name} is not running")
        number = next(self._ids)
        done = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": number, "do": do} | parameters).encode() + b"\n")
        await done

    async def die(self) -> None:
        """SIGKILL for the kubelet, and so, by the kernel, for every process of the node."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    def last_words(self) -> str:
        """The end of every log of this node."""
        logs = sorted((self.state / "logs").glob("*.log"))
        return "\n".join(f"--- {self.name} {log.stem}\n{log.read_text()[-WORDS:]}" for log in logs)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for in boot
        async for line in process.stdout:
            heard = json.loads(line)
            if heard.get("event") == "started":
                self.starts[heard["container"]] = self.starts.get(heard["container"], 0) + 1
                self.alive.add(heard["container"])
            elif heard.get("event") == "exited":
                self.alive.discard(heard["container"])
            elif "event" not in heard or heard["event"] == "ready":
                self._settle(heard)
        self.alive.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(FatalError(f"{self.name} died"))
        self._waiting.clear()

    def _settle(self, heard: Mapping[str, Any]) -> None:
        future = self._waiting.pop(heard.get("id", 0), None)
        if future is None or future.done():
            return
        if "error" in heard:
            future.set_exception(FatalError(f"{self.name}: {heard['error']}"))
        else:
            future.set_result(None)


class Probing:
    """A prober in the client's namespace."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, namespace: str, interface: str, addresses: Sequence[str], interval_ms: float) -> Probing:
        """FatalError when it cannot start."""
        process = await asyncio.create_subprocess_exec(
            *in_network(namespace), sys.executable, "-m", "vipmgr.lab.prober",
            "--interface", interface, "--interval-ms", str(interval_ms), *addresses,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 28,
        )  # fmt: skip
        probing = cls(process)
        if await probing._line() != b"ready\n":
            raise FatalError(f"the prober of {', '.join(addresses)} did not start")
        return probing

    async def record(self) -> Any:
        """Everything since the start, as the prober tells it."""
        assert self._process.stdin is not None  # noqa: S101 - asked for in start
        self._process.stdin.write(b"\n")
        return json.loads(await self._line())

    async def stop(self) -> Any:
        record = await self.record()
        await self.kill()
        return record

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - asked for in start
        return await self._process.stdout.readline()


def in_network(namespace: str) -> list[str]:
    """The words before a command that is to run in that network namespace (same process, no fork)."""
    return ["nsenter", f"--net={NAMESPACES / namespace}"]
