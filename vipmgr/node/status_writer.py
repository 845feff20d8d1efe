"""VipNode.status, kept equal to what the agent knows: batched, only differences, patient while nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from vipmgr.core.merge_diff import merge_diff
from vipmgr.core.wire import VipNode, VipNodeStatus
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client, NotFoundError, Patch
from vipmgr.kube.resources import VIP_NODES
from vipmgr.log import get_log

log = get_log(__name__)

WINDOW: Final = 0.05
HURRY: Final = 0.005
_LONGEST_PAUSE: Final = 5.0


class StatusWriter:
    """`wake()` after every change; `compose` is asked when it is time to write. `now` shortens the wait."""

    def __init__(self, client: Client, node: str, compose: Callable[[], VipNodeStatus]) -> None:
        self._client = client
        self._node = node
        self._compose = compose
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._written: dict[str, Any] | None = None
        self.wrote: Callable[[VipNode], None] = lambda _: None
        """told the object as each write left it"""
        self.writes = 0
        self.connected = False

    def wake(self, *, now: bool = False) -> None:
        self._changed.set()
        if now:
            self._hurry.set()

    def seen(self, status: VipNodeStatus) -> None:
        """The object as the server has it: before us, made anew, or changed by somebody who had better not."""
        found = msgspec.to_builtins(status)
        if found != self._written:
            self._written = found
            self.wake()

    def lost(self) -> None:
        """The object is gone: nothing to write to until `seen`."""
        self._written = None

    async def run(self) -> None:
        failures = 0
        while True:
            await self._changed.wait()
            await self._gather()
            try:
                await self._write()
                failures = 0
            except TemporaryError as error:
                if failures == 0:
                    log.warning("status.not_written", error=str(error))
                self.connected = False
                self._changed.set()
                await asyncio.sleep(min(0.1 * 2.0**failures, _LONGEST_PAUSE))
                failures += 1

    async def _gather(self) -> None:
        """Let what belongs together come together: WINDOW seconds, HURRY when a master changed."""
        try:
            async with asyncio.timeout(WINDOW):
                await self._hurry.wait()
                await asyncio.sleep(HURRY)
        except TimeoutError:
            pass
        self._hurry.clear()
        self._changed.clear()

    async def _write(self) -> None:
        if self._written is None:
            return
        wanted: dict[str, Any] = msgspec.to_builtins(self._compose())
        patch = merge_diff(self._written, wanted)
        if not patch:
            return
        try:
            answer = await self._client.patch(
                VIP_NODES, self._node, {"status": patch}, subresource="status", kind=Patch.MERGE
            )
        except NotFoundError:
            self.lost()
            return
        self.writes += 1
        self.connected = True
        self._written = msgspec.to_builtins(answer.status)
        self.wrote(answer)
