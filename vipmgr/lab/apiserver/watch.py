"""A watch: what was written since a revision, then what is being written, through one filter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from vipmgr.lab.apiserver.errors import Object, StatusError
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.selectors import Filter
from vipmgr.lab.apiserver.store import ADDED, DELETED, MODIFIED, Change, Record, Store

_encode = msgspec.json.Encoder().encode
_LIMIT: Final = 100_000
"""Lines waiting for a reader before it is cut off."""

Encode = Callable[[Record], bytes]
"""An object as this watcher wants to see it: plain JSON, or a Table of one row."""


def line(kind: str, body: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"


class Watcher:
    """Collects the lines of one watch. `shared`: encoding is the same for all watchers of the kind, so made once."""

    def __init__(self, store: Store, kind: Kind, chosen: Filter, encode: Encode, *, shared: bool) -> None:
        self._store = store
        self.kind = kind
        self._filter = chosen
        self._encode = encode
        self._shared = shared
        self._lines: list[bytes] = []
        self._ready = asyncio.Event()
        self._detach: Callable[[], None] = lambda: None
        self.revision = store.revision
        self.cut = False

    def start(self, revision: int | None) -> None:
        """From `revision` on; None: all there is as ADDED, then on from now."""
        if revision is None:
            for record in self._store.all(self.kind.storage, self._filter.namespace):
                if self._filter.matches(record.object):
                    self._lines.append(line(ADDED, self._encode(record)))
            self._ready.set()
        else:
            missed = self._store.since(self.kind.storage, revision)
            if missed is None:
                self.end(expired_watch(revision, self._store.revision))
                return
            for change in missed:
                self._hear(change)
        self._detach = self._store.listen(self.kind.storage, self._filter.name, self._hear)

    def close(self) -> None:
        self._detach()
        self._detach = lambda: None

    def end(self, error: StatusError | None = None) -> None:
        """Send `error`, if any, and end the stream."""
        if error is not None:
            self._lines.append(line("ERROR", _encode(error.status())))
        self.cut = True
        self._ready.set()

    async def lines(self, timeout_seconds: float) -> bytes:
        """What there is to send; empty after `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ready.wait()
        except TimeoutError:
            return b""
        self._ready.clear()
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def bookmark(self, columns: list[Object] | None = None) -> bytes:
        """So far nothing is missing. `columns`: the watcher asked for Tables."""
        metadata = {"resourceVersion": str(self._store.revision), "creationTimestamp": None}
        body: Object = {"apiVersion": self.kind.api_version, "kind": self.kind.kind, "metadata": metadata}
        if columns is not None:
            body |= {"apiVersion": "meta.k8s.io/v1", "kind": "Table", "columnDefinitions": columns, "rows": []}
        return line("BOOKMARK", _encode(body))

    def _hear(self, change: Change) -> None:
        kind = self._transition(change)
        if kind is None:
            return
        self._lines.append(self._line(change, kind))
        self._ready.set()
        if len(self._lines) > _LIMIT:
            self.end()

    def _transition(self, change: Change) -> str | None:
        """The event as this filter sees it: what starts to match is ADDED, what stops to match is DELETED."""
        was = change.before is not None and self._filter.matches(change.before.object)
        matches = change.type != DELETED and self._filter.matches(change.after.object)
        match was, matches:
            case True, True:
                return MODIFIED
            case False, True:
                return ADDED
            case True, False:
                return DELETED
            case _:
                return None

    def _line(self, change: Change, kind: str) -> bytes:
        if not self._shared:
            return line(kind, self._encode(_shown(change, kind)))
        key = (self.kind.prefix, kind)
        if key not in change.lines:
            change.lines[key] = line(kind, self._encode(_shown(change, kind)))
        return change.lines[key]


def _shown(change: Change, kind: str) -> Record:
    """What goes with the event. Who loses sight of an object gets it as it last saw it, at the revision of the loss."""
    if kind != DELETED or change.type == DELETED or change.before is None:
        return change.after
    revision = change.after.revision
    metadata = change.before.object["metadata"] | {"resourceVersion": str(revision)}
    return Record(change.before.object | {"metadata": metadata}, revision)


def expired_watch(revision: int, current: int) -> StatusError:
    return StatusError(410, "Expired", f"too old resource version: {revision} ({current})")
