"""Knows at once when keepalived, or its VRRP process, has come or gone: pid files for coming, pidfds for going."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final

from vipmgr.node.keepalived import Processes, find_processes, started
from vipmgr.node.settings import Paths

SETTLE: Final = 0.3
"""seconds after its start until keepalived is sure to handle signals, whose default is to end it"""


class DaemonWatch:
    """`look()` whenever the pid files may have changed. All three are called from the running loop.

    `began(processes)`: there is a process that was not there before. `came(processes)`: it takes signals by now.
    `went(what)`: one ended.
    """

    def __init__(
        self,
        paths: Paths,
        began: Callable[[Processes], None],
        came: Callable[[Processes], None],
        went: Callable[[str], None],
    ) -> None:
        self._paths = paths
        self._began = began
        self._came = came
        self._went = went
        self._watched: dict[int, int] = {}
        self._told: Processes = Processes(None, None)
        self._settling: asyncio.TimerHandle | None = None
        self.processes = Processes(None, None)

    def look(self) -> None:
        found = find_processes(self._paths)
        fresh = [pid for pid in found if pid is not None and pid not in self._watched]
        for pid in fresh:
            self._watch(pid)
        lost = self.processes.parent is not None and found.parent is None
        self.processes = found
        if fresh:
            self._began(found)
        if lost:
            self._told = Processes(None, None)
        if found.parent is not None and found != self._told and self._settling is None:
            wait = max(0.0, SETTLE - _age(found.parent))
            self._settling = asyncio.get_running_loop().call_later(wait, self._settled)

    def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
        for pid in list(self._watched):
            self._forget(pid)

    def _settled(self) -> None:
        self._settling = None
        self.processes = find_processes(self._paths)
        if self.processes.parent is not None:
            self._told = self.processes
            self._came(self.processes)

    def _watch(self, pid: int) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self._watched[pid] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._ended, pid)

    def _ended(self, pid: int) -> None:
        self._forget(pid)
        what = "keepalived" if pid == self.processes.parent else "its VRRP process"
        before = self.processes
        self.processes = Processes(
            None if pid == before.parent else before.parent, None if pid == before.vrrp else before.vrrp
        )
        self._told = Processes(None, None)
        if pid in before:
            self._went(what)

    def _forget(self, pid: int) -> None:
        descriptor = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


def _age(pid: int) -> float:
    """Seconds since the process started; 0 when it is already gone."""
    began = started(pid)
    return 0.0 if began is None else time.monotonic() - began
