"""Events that operators read with `kubectl describe`: events.k8s.io/v1.

The same event again within `SERIES_SECONDS` becomes a count on the first one, written at most once a minute; one object
gets at most a burst of 20 and then one per 10 s, all together 20 a second. What is left out is counted. Losing an Event
never stops the work: errors are logged, not raised.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client
from vipmgr.kube.lease import boot_time
from vipmgr.kube.resources import EVENTS
from vipmgr.log import get_log

log = get_log(__name__)

SERIES_SECONDS: Final = 600.0
_COUNT_EVERY: Final = 60.0
_REMEMBERED: Final = 4096
_NOTE_BYTES: Final = 1024


class ObjectRef(NamedTuple):
    """What an Event is about."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""


@dataclass
class _Series:
    name: str
    namespace: str
    began: float
    written: float
    count: int = 1


class Bucket:
    """A token bucket: `burst` at once, then `rate` a second."""

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Recorder:
    """`dropped` counts what the rate limits left out."""

    def __init__(
        self, client: Client, *, component: str, instance: str, clock: Callable[[], float] = boot_time
    ) -> None:
        self._client = client
        self._component = component
        self._instance = instance
        self._clock = clock
        self._series: OrderedDict[tuple[Any, ...], _Series] = OrderedDict()
        self._buckets: OrderedDict[ObjectRef, Bucket] = OrderedDict()
        self._all = Bucket(100.0, 20.0, clock())
        self.dropped = 0

    async def record(
        self, about: ObjectRef, type_: Literal["Normal", "Warning"], reason: str, action: str, note: str
    ) -> None:
        """One event: `reason` and `action` are UpperCamelCase words, `note` a sentence."""
        now = self._clock()
        key = (about, type_, reason, action, note)
        known = self._series.get(key)
        if known is not None and now - known.began < SERIES_SECONDS:
            known.count += 1
            if now - known.written >= _COUNT_EVERY:
                known.written = now
                await self._count(known)
            return
        if not (self._bucket(about, now).take(now) and self._all.take(now)):
            self.dropped += 1
            return
        name = f"{about.name[:200]}.{uuid.uuid4().hex[:16]}"
        namespace = about.namespace or "default"
        self._remember(key, _Series(name, namespace, now, now))
        await self._write(name, namespace, self._body(about, type_, reason, action, note))

    def _body(self, about: ObjectRef, type_: str, reason: str, action: str, note: str) -> dict[str, Any]:
        regarding = {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "name": about.name,
            "namespace": about.namespace,
            "uid": about.uid,
        }
        return {
            "eventTime": _now(),
            "reportingController": self._component,
            "reportingInstance": self._instance[:128],
            "type": type_,
            "reason": reason,
            "action": action,
            "note": note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "regarding": {name: value for name, value in regarding.items() if value},
        }

    async def _write(self, name: str, namespace: str, body: dict[str, Any]) -> None:
        metadata = {"name": name, "namespace": namespace}
        try:
            await self._client.create(EVENTS, {"metadata": metadata} | body, namespace=namespace)
        except TemporaryError as error:
            log.info("event.lost", about=name, reason=body["reason"], error=str(error))

    async def _count(self, series: _Series) -> None:
        body = {"series": {"count": series.count, "lastObservedTime": _now()}}
        try:
            await self._client.patch(EVENTS, series.name, body, namespace=series.namespace)
        except TemporaryError as error:
            log.debug("event.uncounted", about=series.name, error=str(error))

    def _remember(self, key: tuple[Any, ...], series: _Series) -> None:
        self._series[key] = series
        while len(self._series) > _REMEMBERED:
            self._series.popitem(last=False)

    def _bucket(self, about: ObjectRef, now: float) -> Bucket:
        if about not in self._buckets:
            self._buckets[about] = Bucket(20.0, 0.1, now)
        self._buckets.move_to_end(about)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return self._buckets[about]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
