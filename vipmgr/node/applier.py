"""Carries out what core.reload decides: files, keepalived -t, SIGHUP, and the look at what came of it."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol, assert_never

from vipmgr.core import reload
from vipmgr.core.wire import VipNodeSpec
from vipmgr.node import keepalived
from vipmgr.node.background import Background
from vipmgr.node.files import replace_file, sync_folder, write_synced
from vipmgr.node.settings import Paths

_COMPLETE: Final = ("Reload complete", "Startup complete")
_REFUSED: Final = "New config failed validation"
_SILENT: Final = "Reloading"
"""said by the VRRP process itself; until `Reload complete` it sends no adverts (the parent says `Reloading ...`)"""


class Agent(Protocol):
    """What the applier needs of the agent, and whom it tells."""

    def prepare(self, spec: VipNodeSpec) -> None:
        """Before a configuration goes live: its track files must exist. Raises OSError."""

    async def inspect(self, spec: VipNodeSpec) -> tuple[str, ...]:
        """What keepalived and the kernel have different from `spec`."""

    def reloading(self) -> None:
        """SIGHUP is about to be sent."""

    def confirmed(self, effect: reload.Confirm, silent_ms: int | None) -> None:
        """In force. `silent_ms`: how long keepalived sent no adverts."""

    def refused(self, effect: reload.Refuse) -> None: ...

    def complained(self, effect: reload.Complain) -> None: ...


class Applier:
    """`feed` takes events at any time; effects that wait run as tasks and feed their answers back."""

    def __init__(self, paths: Paths, agent: Agent, background: Background) -> None:
        self._paths = paths
        self._agent = agent
        self._background = background
        self._silent_since: float | None = None
        self._silent_ms: int | None = None
        self.state = reload.ConfigState()

    def feed(self, event: reload.Event) -> None:
        self.state, effects = reload.step(self.state, event, time.monotonic())
        for effect in effects:
            self._perform(effect)

    def deadline(self) -> float | None:
        return reload.deadline(self.state)

    def log_message(self, message: str) -> None:
        """keepalived's log, prefix taken off."""
        if message == _SILENT:
            self._silent_since = time.monotonic()
        elif message in _COMPLETE:
            if self._silent_since is not None:
                self._silent_ms = round((time.monotonic() - self._silent_since) * 1000)
            self._silent_since = None
            self.feed(reload.Reloaded())
        elif message.startswith(_REFUSED):
            self.feed(reload.ReloadRefused(self._words() or message))

    def _words(self) -> str:
        """What keepalived's own check of the reload said (reload_check_config)."""
        try:
            return keepalived.summarize(self._paths.reload_check.read_text(errors="replace"))
        except OSError:
            return ""

    def _perform(self, effect: reload.Effect) -> None:
        match effect:
            case reload.Check(spec):
                self._background.spawn(self._check(spec))
            case reload.Install(spec):
                self._background.spawn(self._install(spec))
            case reload.Reload():
                self._reload()
            case reload.Inspect(spec):
                self._background.spawn(self._inspect(spec))
            case reload.Restore(spec):
                self._background.spawn(self._restore(spec))
            case reload.Confirm():
                self._agent.confirmed(effect, self._silent_ms)
                self._silent_ms = None
            case reload.Refuse():
                self._agent.refused(effect)
            case reload.Complain():
                self._agent.complained(effect)
            case never:
                assert_never(never)

    async def _check(self, spec: VipNodeSpec) -> None:
        try:
            await asyncio.to_thread(write_synced, self._paths.draft, spec.keepalived.encode())
        except OSError as error:
            self.feed(reload.Checked(_cannot(error), temporary=True))
            return
        self.feed(reload.Checked(await keepalived.check(self._paths.draft)))

    async def _install(self, spec: VipNodeSpec) -> None:
        try:
            self._agent.prepare(spec)
            await asyncio.to_thread(self._make_live)
        except OSError as error:
            self.feed(reload.Installed(_cannot(error)))
            return
        self.feed(reload.Installed(None))

    async def _restore(self, spec: VipNodeSpec) -> None:
        try:
            await asyncio.to_thread(replace_file, self._paths.config, spec.keepalived.encode())
        except OSError as error:
            self.feed(reload.Installed(_cannot(error)))
            return
        self.feed(reload.Installed(None))

    def _make_live(self) -> None:
        self._paths.draft.replace(self._paths.config)
        sync_folder(self._paths.config.parent)

    def _reload(self) -> None:
        self._silent_ms = None
        parent = keepalived.find_processes(self._paths).parent
        if parent is not None:
            self._agent.reloading()
            keepalived.reload(parent)

    async def _inspect(self, spec: VipNodeSpec) -> None:
        self.feed(reload.Inspected(await self._agent.inspect(spec)))


def _cannot(error: OSError) -> str:
    return f"cannot write the configuration: {error.strerror or error}"
