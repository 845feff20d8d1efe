"""Drain, yield and endpoint health carried out: core.tracks decides, this writes the files and tells why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from vipmgr.core import tracks
from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.model import MoveReason
from vipmgr.core.tracks import Drain, TrackState, Wish
from vipmgr.core.wire import NodeInstance, VipNodeSpec
from vipmgr.log import get_log
from vipmgr.node.endpoint_poll import EndpointPoll
from vipmgr.node.journal import Journal
from vipmgr.node.observer import Observer
from vipmgr.node.settings import Paths
from vipmgr.node.track_files import drop_tracks, read_track, write_tracks

log = get_log(__name__)

_DRAIN_EVENTS: Final = {
    Drain.FAULTING: Event.DRAIN_STARTED,
    Drain.DONE: Event.DRAIN_DONE,
    Drain.NO: Event.DRAIN_UNDONE,
}


class Tracker:
    """`step` after anything that may matter; `drained(bool)` is called when a drain is confirmed or over."""

    def __init__(self, paths: Paths, observer: Observer, journal: Journal, drained: Callable[[bool], None]) -> None:
        self._paths = paths
        self._observer = observer
        self._journal = journal
        self._drained = drained
        self._poll = EndpointPoll(self.step)
        self._drain = False
        self._plan: tuple[NodeInstance, ...] = ()
        self._coming: tuple[NodeInstance, ...] = ()
        self._state = TrackState()

    def resume(self, spec: VipNodeSpec | None) -> None:
        """Go on from the files a former agent left; tokens of the stored plan were obeyed."""
        now = time.monotonic()
        self._state = tracks.recovered(read_track(self._paths.tracks, "drain"), now)
        if spec is not None:
            tokens = {one.name: one.yield_token for one in spec.instances}
            self._state = replace(self._state, tokens=tokens)
            self._drain = spec.drain
            self._plan = tuple(spec.instances)

    def want_drain(self, drain: bool) -> None:
        self._drain = drain
        self.step()

    def prepare(self, spec: VipNodeSpec) -> None:
        """Make the files of a configuration about to go live. Raises OSError."""
        self._coming = tuple(spec.instances)
        write_tracks(self._paths.tracks, tracks.contents(self._state, self._wish()))

    def confirmed(self, spec: VipNodeSpec) -> None:
        """`spec` is in force: its ports are polled, its yield tokens obeyed, files of instances gone removed."""
        self._plan, self._coming = tuple(spec.instances), ()
        self._poll.watch(port for one in spec.instances for port in one.health_check_node_ports)
        self.step()
        drop_tracks(self._paths.tracks, frozenset(one.name for one in spec.instances))

    def step(self) -> None:
        wish = self._wish()
        before = self._state
        self._state = tracks.step(before, wish, self._observer.states, time.monotonic())
        self._say(before, self._state)
        self._write(wish)

    def deadline(self) -> float | None:
        return tracks.deadline(self._state)

    async def close(self) -> None:
        await self._poll.close()

    def _wish(self) -> Wish:
        return Wish(
            drain=self._drain,
            yields={one.name: one.yield_token for one in self._plan},
            without_endpoints=frozenset(one.name for one in self._plan if not self._served(one)),
            instances=frozenset(one.name for one in (*self._plan, *self._coming)),
        )

    def _served(self, instance: NodeInstance) -> bool:
        return all(self._poll.healthy(port) for port in instance.health_check_node_ports)

    def _say(self, before: TrackState, after: TrackState) -> None:
        if before.drain is after.drain:
            return
        first = before.drain is Drain.NO
        event = Event.DRAIN_STARTED if first else _DRAIN_EVENTS.get(after.drain)
        if event is not None:
            self._journal.write(AuditLine(event=event, instances=tuple(sorted(one.name for one in self._plan))))
        self._drained(after.drain is Drain.DONE)

    def _write(self, wish: Wish) -> None:
        """Say why before it happens: keepalived answers within a millisecond."""
        contents = tracks.contents(self._state, wish)
        changing = {name for name, value in contents.items() if read_track(self._paths.tracks, name) != value}
        if "drain" in changing and contents["drain"] != 0:
            self._observer.hint(MoveReason.DRAINED)
        for name in changing - {"drain"}:
            if contents[name] != 0:
                absent = name in wish.without_endpoints
                self._observer.hint(MoveReason.NO_ENDPOINTS if absent else MoveReason.YIELDED, name)
        try:
            write_tracks(self._paths.tracks, contents)
        except OSError as error:
            log.error("track.not_written", folder=str(self._paths.tracks), error=str(error))
