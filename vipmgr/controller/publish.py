"""Carries out writes: in phases, several in flight, each fenced, failures put off with growing pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from vipmgr.controller.changes.writes import Notice, Verb, Write
from vipmgr.controller.metrics import Metrics
from vipmgr.kube.client import Client
from vipmgr.kube.errors import ApiError, ConflictError, FencedError, NotFoundError
from vipmgr.kube.events import Recorder
from vipmgr.log import get_log

log = get_log(__name__)

IN_FLIGHT: Final = 24
"""the API server's own limit is near 400 writes a second; more in flight only adds latency"""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 60.0
_NOTICES: Final = 5000


@dataclass(frozen=True, slots=True)
class Phase:
    """Writes that may go out together. `one_by_one`: in order. `may_stop`: the rest may wait for the next pass."""

    writes: Iterable[Write]
    one_by_one: bool = False
    may_stop: bool = False


@dataclass(slots=True)
class Outcome:
    """`failed`: keys to try again; `left`: a phase was stopped because something new came in between."""

    written: int = 0
    failed: set[str] = field(default_factory=set)
    blocked: frozenset[str] = frozenset()
    left: bool = False


class Publisher:
    """`adopt(write, answer)` hands the stored object back to the copy it came from. `client` is fenced."""

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        metrics: Metrics,
        adopt: Callable[[Write, Any], None],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._metrics = metrics
        self._adopt = adopt
        self._clock = clock
        self._put_off: dict[str, tuple[float, float]] = {}
        self._notices: asyncio.Queue[Notice] = asyncio.Queue(_NOTICES)

    async def carry_out(
        self, phases: Sequence[Phase], news: Callable[[], bool], blocked: Collection[str] = ()
    ) -> Outcome:
        """All phases in order. A write is not sent when what it `needs` failed or is `blocked`. `news()` ends a phase
        that may stop.

        Raises:
            FencedError: this replica may not write any more; nothing further was sent.
        """
        outcome = Outcome(blocked=frozenset(blocked))
        for phase in phases:
            await self._phase(phase, outcome, news)
        return outcome

    def retry_in(self, failed: Collection[str]) -> float | None:
        """Seconds until the first of the failed writes is due again; None: none failed by itself."""
        now = self._clock()
        self._put_off = {key: off for key, off in self._put_off.items() if key in failed}
        return min((max(0.0, due - now) for due, _ in self._put_off.values()), default=None)

    def say(self, notices: Sequence[Notice]) -> None:
        """Queue Events; when thousands wait already, the rest is left out and counted."""
        for notice in notices:
            if self._notices.full():
                self._recorder.dropped += 1
            else:
                self._notices.put_nowait(notice)

    async def record(self) -> None:
        """Write the queued Events until cancelled. An Event is never worth the work: whatever goes wrong is logged."""
        while True:
            notice = await self._notices.get()
            try:
                await self._recorder.record(*notice)
            except FencedError:
                raise
            except Exception:
                log.exception("event.failed", about=notice.about.name, reason=notice.reason)
            self._metrics.events_dropped.set(self._recorder.dropped)

    async def _phase(self, phase: Phase, outcome: Outcome, news: Callable[[], bool]) -> None:
        queue = iter(phase.writes)

        async def work(write: Write) -> None:
            await self._one(write, outcome)
            for following in queue:
                if phase.may_stop and news():
                    outcome.left = True
                    return
                await self._one(following, outcome)

        first = list(islice(queue, 1 if phase.one_by_one else IN_FLIGHT))
        try:
            async with asyncio.TaskGroup() as group:
                for write in first:
                    group.create_task(work(write))
        except* FencedError as fenced:
            raise fenced.exceptions[0] from None

    async def _one(self, write: Write, outcome: Outcome) -> None:
        due, pause = self._put_off.get(write.key, (0.0, 0.0))
        if write.needs & (outcome.failed | outcome.blocked) or self._clock() < due:
            outcome.failed.add(write.key)
            return
        try:
            answer = await self._send(write)
        except FencedError:
            raise
        except ApiError as error:
            self._failed(write, error, pause)
            outcome.failed.add(write.key)
            return
        self._put_off.pop(write.key, None)
        self._metrics.writes.labels(write.resource.kind).inc()
        outcome.written += 1
        if answer is not None:
            self._adopt(write, answer)
        self.say(write.notices)

    async def _send(self, write: Write) -> Any:
        match write.verb:
            case Verb.CREATE:
                return await self._client.create(write.resource, write.body, namespace=write.namespace)
            case Verb.PATCH:
                return await self._client.patch(
                    write.resource,
                    write.name,
                    write.body,
                    namespace=write.namespace,
                    subresource=write.subresource,
                    kind=write.kind,
                )
            case Verb.DELETE:
                try:
                    await self._client.delete(write.resource, write.name, namespace=write.namespace, uid=write.uid)
                except NotFoundError:
                    log.debug("write.already_gone", key=write.key)
                return None

    def _failed(self, write: Write, error: ApiError, pause: float) -> None:
        pause = min(max(_FIRST_PAUSE, 2 * pause), _LONGEST_PAUSE)
        self._put_off[write.key] = (self._clock() + pause, pause)
        self._metrics.errors.labels(write.resource.kind, error.reason or str(error.status)).inc()
        expected = isinstance(error, ConflictError | NotFoundError)
        (log.debug if expected else log.warning)("write.failed", key=write.key, verb=write.verb, error=str(error))
