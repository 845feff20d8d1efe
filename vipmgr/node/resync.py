"""Asks keepalived what its instances do, and compares that with the lines it wrote: were any missed?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from vipmgr.core.keepalived_words import State
from vipmgr.node import keepalived
from vipmgr.node.keepalived import Dumped
from vipmgr.node.observer import Observer
from vipmgr.node.settings import Paths

_SECOND_LOOK: Final = 0.05


class Resync:
    """`catch_up`: read everything keepalived has written so far."""

    def __init__(self, paths: Paths, observer: Observer, catch_up: Callable[[], None]) -> None:
        self._paths = paths
        self._observer = observer
        self._catch_up = catch_up
        self._busy = asyncio.Lock()

    async def ask(self, patience: float = 1.0) -> Mapping[str, State] | None:
        """Instance -> state by keepalived's own dump; None when it does not answer within `patience` seconds.

        A line on its way looks like a missed one, so a difference counts only when it is still there at a second look.
        """
        async with self._busy:
            dumped, differing = await self._compare(patience)
            if dumped is None:
                return None
            if differing:
                await asyncio.sleep(_SECOND_LOOK)
                again, still = await self._compare(patience)
                if again is not None:
                    dumped = again
                    missed = [name for name in still if name in differing]
                    self._observer.adopt(missed, again)
            return {name: one.state for name, one in dumped.items()}

    async def _compare(self, patience: float) -> tuple[Mapping[str, Dumped] | None, list[str]]:
        asked = time.monotonic()
        processes = keepalived.find_processes(self._paths)
        dumped = await keepalived.dump(self._paths, processes, patience)
        self._catch_up()
        if dumped is None and processes.parent is not None and not self._observer.states:
            dumped = {}  # keepalived writes no file when it has no instance any more
        return dumped, [] if dumped is None else self._observer.differing(dumped, asked)
