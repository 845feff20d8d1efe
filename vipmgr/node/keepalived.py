"""The keepalived next to us: is it running, is a configuration good, reload, and what does it say its state is.

It is started and restarted by its own container (vipmgr/node/keepalived-run.sh); nothing here starts or stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from vipmgr.core.keepalived_words import State
from vipmgr.log import get_log
from vipmgr.node.settings import Paths

log = get_log(__name__)

DUMP_SIGNAL: Final = 36
"""`keepalived --signum=JSON` of 2.2.7 on Linux"""
CHECK_SECONDS: Final = 20.0
_STATES: Final = {0: State.INIT, 1: State.BACKUP, 2: State.MASTER, 3: State.FAULT}
_PREFIX: Final = re.compile(r"^\((?:\S+: )?Line (\d+)\) ")


class Dumped(NamedTuple):
    """One instance in keepalived's own words. `since`: UNIX time of its last transition."""

    state: State
    priority: int
    since: float


class Processes(NamedTuple):
    """Process ids, None when not running. The VRRP child exists only while there is an instance."""

    parent: int | None
    vrrp: int | None

    @property
    def identity(self) -> str:
        """Names this very process, also when its number is given to another later; "" when it does not run."""
        began = started(self.parent) if self.parent is not None else None
        return f"{self.parent}@{began:.2f}" if began is not None else ""


def started(pid: int) -> float | None:
    """When a process began, on the monotonic clock (10 ms exact; psutil's create_time is whole seconds off)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())


def find_processes(paths: Paths) -> Processes:
    """By pid file and name: a pid file outlives its process, and its number may be somebody else's by now."""
    return Processes(_live(paths.pid), _live(paths.vrrp_pid))


def _live(pid_file: Path) -> int | None:
    try:
        pid = int(pid_file.read_text())
        process = psutil.Process(pid)
        alive = process.name() == "keepalived" and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    return pid if alive else None


async def check(config: Path) -> str | None:
    """keepalived's complaint about a configuration, None when it has none (keepalived -t: any warning counts)."""
    try:
        process = await asyncio.create_subprocess_exec(
            "keepalived", "-t", "-P", "-f", str(config),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        return f"keepalived cannot be run: {error.strerror}"
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"keepalived -t did not end within {CHECK_SECONDS:.0f} s"
    if process.returncode == 0:
        return None
    return summarize(output.decode(errors="replace")) or f"keepalived -t failed with status {process.returncode}"


def summarize(output: str) -> str:
    """keepalived's words, each once (it reads the file several times), at most a screenful."""
    said = dict.fromkeys(_PREFIX.sub(r"line \1: ", line.strip()) for line in output.splitlines() if line.strip())
    return "; ".join(list(said)[:10])


async def version() -> str:
    """As in `Keepalived v2.2.7`; empty when it cannot be found out."""
    try:
        process = await asyncio.create_subprocess_exec(
            "keepalived", "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError:
        return ""
    output, _ = await process.communicate()
    found = re.search(rb"Keepalived v(\S+)", output)
    return found[1].decode() if found else ""


def reload(pid: int) -> None:
    """SIGHUP, if the process is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)


async def dump(paths: Paths, processes: Processes, patience: float = 1.0) -> Mapping[str, Dumped] | None:
    """Instance -> its state as keepalived has it now; None when it does not answer.

    keepalived renames an empty file into place and fills it afterwards, so a file that cannot be read yet is read
    again.
    """
    if processes.parent is None:
        return None
    if processes.vrrp is None:
        return {}
    paths.dump.unlink(missing_ok=True)
    try:
        os.kill(processes.parent, DUMP_SIGNAL)
    except ProcessLookupError:
        return None
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    pause = 0.005
    while loop.time() < until:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.05)
        try:
            return read_dump(paths.dump.read_bytes())
        except (OSError, ValueError):
            continue
    return None


def read_dump(content: bytes) -> dict[str, Dumped]:
    """keepalived.json. Raises ValueError when it is not (yet) whole."""
    instances = json.loads(content)
    if not isinstance(instances, list):
        raise ValueError("keepalived.json is not a list")
    found = {}
    for one in instances:
        data = one["data"]
        state = _STATES.get(int(data["state"]), State.INIT)
        found[str(data["iname"])] = Dumped(state, int(data["effective_priority"]), float(data["last_transition"]))
    return found
