"""Processes that are kept running, as a container runtime keeps them, with their output in log files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Final, TextIO

PAUSES: Final = (0.2, 1.0, 2.0, 5.0)
"""seconds before the next start, after so many failures in a row"""
HEALED_AFTER: Final = 10.0
LINE_LIMIT: Final = 1 << 20
REAP_AFTER: Final = 0.3

Tell = Callable[[Mapping[str, Any]], None]


@dataclass
class Container:
    """`wanted`: to be started again when it ends. `failures`: ends in a row, each soon after the start."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    wanted: bool = True
    failures: int = 0
    process: asyncio.subprocess.Process | None = None
    task: asyncio.Task[None] | None = None


class Containers:
    """Containers are plain processes, each in a session of its own; one that ends is started again after a pause.

    `logs`: the folder of NAME.log, both output streams of NAME, whole lines, as `kubectl logs` shows them.
    `tell` hears {"event": "started" | "exited", "container": ..., ...}. As PID 1 this also buries orphans.
    """

    def __init__(self, logs: Path, tell: Tell) -> None:
        self._logs = logs
        self._tell = tell
        self._known: dict[str, Container] = {}
        self._loop = asyncio.get_running_loop()
        if os.getpid() == 1:
            self._loop.add_signal_handler(Signals.SIGCHLD, self._loop.call_later, REAP_AFTER, self._bury)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        if name in self._known:
            raise ValueError(f"{name} is already there")
        container = self._known[name] = Container(name, argv, env)
        container.task = asyncio.create_task(self._keep(container))

    async def stop(self, name: str, grace: float) -> None:
        """SIGTERM, after `grace` seconds SIGKILL; it is not started again. KeyError when there is none."""
        container = self._known.pop(name)
        container.wanted = False
        if container.process is not None:
            container.process.terminate()
        assert container.task is not None  # noqa: S101 - set by start
        try:
            await asyncio.wait_for(asyncio.shield(container.task), grace)
        except TimeoutError:
            self._send(container, Signals.SIGKILL)
            await container.task

    def signal(self, name: str, number: Signals) -> None:
        """To the container's first process and all that descend from it; SIGTERM goes to the first alone, as a
        container runtime sends it. KeyError when there is none, ValueError when it is not running."""
        container = self._known[name]
        if container.process is None:
            raise ValueError(f"{name} is not running")
        self._send(container, number)

    def pid(self, name: str) -> int | None:
        container = self._known.get(name)
        return container.process.pid if container and container.process else None

    async def _keep(self, container: Container) -> None:
        with (self._logs / f"{container.name}.log").open("a", buffering=1) as log:
            while container.wanted:
                started = time.monotonic()
                status = await self._run_once(container, log)
                self._tell({"event": "exited", "container": container.name, "status": status})
                lived = time.monotonic() - started
                container.failures = 0 if lived > HEALED_AFTER else container.failures + 1
                if container.wanted:
                    await asyncio.sleep(PAUSES[min(container.failures, len(PAUSES)) - 1] if container.failures else 0)

    async def _run_once(self, container: Container, log: TextIO) -> int:
        process = await asyncio.create_subprocess_exec(
            *container.argv,
            env={**os.environ, **container.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=LINE_LIMIT,
        )
        container.process = process
        self._tell({"event": "started", "container": container.name, "pid": process.pid})
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - asked for above
        reading = asyncio.gather(_copy(process.stdout, log), _copy(process.stderr, log))
        status = await process.wait()
        with contextlib.suppress(TimeoutError):  # a grandchild may hold the pipe open for ever
            await asyncio.wait_for(reading, 1)
        container.process = None
        return status

    def _send(self, container: Container, number: Signals) -> None:
        if container.process is None:
            return
        below = descendants(container.process.pid) if number != Signals.SIGTERM else []
        for pid in [container.process.pid, *below]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _bury(self) -> None:
        """Wait for orphans that ended. Late, so that a container's own end is seen by who started it."""
        own = {one.process.pid for one in self._known.values() if one.process}
        for pid in (pid for pid, parent, state in processes() if parent == 1 and state == "Z" and pid not in own):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def processes() -> list[tuple[int, int, str]]:
    """(pid, parent, state letter) of every process in sight."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                found.append((int(entry.name), int(parent), state))
    return found


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, parents first."""
    children: dict[int, list[int]] = {}
    for one, parent, _ in processes():
        children.setdefault(parent, []).append(one)
    found = list(children.get(pid, ()))
    for one in found:
        found += children.get(one, ())
    return found


async def _copy(source: asyncio.StreamReader, log: TextIO) -> None:
    async for line in source:
        log.write(line.decode(errors="replace").rstrip("\n") + "\n")
