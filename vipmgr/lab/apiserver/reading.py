"""GET: one object, a list, a watch, a pod's log; as JSON or as a Table."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from vipmgr.lab.apiserver.errors import (
    Object,
    bad_request,
    cause,
    expired,
    invalid,
    too_large_revision,
)
from vipmgr.lab.apiserver.events import GROUP as EVENTS_GROUP
from vipmgr.lab.apiserver.events import to_view
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.objects import Objects, Target
from vipmgr.lab.apiserver.paging import Snapshots
from vipmgr.lab.apiserver.selectors import Filter
from vipmgr.lab.apiserver.store import Record
from vipmgr.lab.apiserver.table import column_definitions, make_table
from vipmgr.lab.apiserver.watch import Encode, Watcher

_encode = msgspec.json.Encoder().encode
JSON: Final = "application/json"
LOG_ANNOTATION: Final = "lab.vipmgr.io/log-file"
"""On a Pod: the file on this machine that `kubectl logs` shows."""
_GZIP_FROM: Final = 128 * 1024
_POLL: Final = 0.05
"""Seconds between two looks at a log file that is followed."""


def encode(kind: Kind, record: Record) -> bytes:
    """The object's JSON as `kind` shows it."""
    if kind.group == EVENTS_GROUP:
        return _encode(to_view(kind, record.object))
    return kind.prefix + record.tail


def as_table(request: web.BaseRequest) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def answer(
    request: web.BaseRequest, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON; compressed when it is long and the client can read that, as the real server does."""
    response = web.Response(body=body, status=status, content_type=JSON, headers=headers)
    if len(body) > _GZIP_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


class Reader:
    """`bookmark_interval`: seconds between two bookmarks of a quiet watch (the real server takes about a minute)."""

    def __init__(self, objects: Objects, bookmark_interval: float) -> None:
        self._objects = objects
        self._store = objects.store
        self._interval = bookmark_interval
        self.snapshots = Snapshots()
        self.watchers: set[Watcher] = set()

    def get(self, request: web.BaseRequest, target: Target) -> web.Response:
        record = self._objects.get(target)
        if as_table(request):
            metadata = {"resourceVersion": str(record.revision)}
            return answer(request, self._table(request, target.kind, [record], metadata))
        return answer(request, encode(target.kind, record))

    def list(self, request: web.BaseRequest, target: Target, chosen: Filter) -> web.Response:
        query, kind = request.query, target.kind
        limit = int(query.get("limit") or 0)
        revision = self._store.revision
        if token := query.get("continue", ""):
            records, token, left, revision = self.snapshots.following(token, limit)
        else:
            self._check_revision(query)
            found = self._store.all(kind.storage, chosen.namespace)
            records = [record for record in found if chosen.matches(record.object)]
            records, token, left = self.snapshots.page(records, revision, limit)
        metadata: Object = {"resourceVersion": str(revision)}
        if token:
            metadata |= {"continue": token} | ({"remainingItemCount": left} if not _selects(query) else {})
        if as_table(request):
            return answer(request, self._table(request, kind, records, metadata))
        return answer(request, _list_body(kind, records, metadata))

    def _check_revision(self, query: Mapping[str, str]) -> None:
        text = query.get("resourceVersion") or "0"
        if not text.isdigit():
            raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
        asked, current = int(text), self._store.revision
        if asked > current:
            raise too_large_revision(asked, current)
        if query.get("resourceVersionMatch") == "Exact" and asked != current:
            raise expired(f"The resourceVersion for the provided list is too old: {asked}")

    def _table(self, request: web.BaseRequest, kind: Kind, records: Sequence[Record], metadata: Object) -> bytes:
        bodies = [to_view(kind, record.object) for record in records]
        return _encode(make_table(kind, bodies, metadata, request.query.get("includeObject", "Metadata")))

    async def watch(self, request: web.BaseRequest, target: Target, chosen: Filter) -> web.StreamResponse:
        query, kind = request.query, target.kind
        if query.get("sendInitialEvents"):
            text = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise invalid("ListOptions", "meta.k8s.io", "", [cause("sendInitialEvents", text, "FieldValueForbidden")])
        revision = query.get("resourceVersion") or "0"
        if not revision.isdigit():
            raise bad_request(f'Invalid value: "{revision}": strconv.ParseUint: invalid syntax')
        if int(revision) > self._store.revision:
            raise too_large_revision(int(revision), self._store.revision)
        table = as_table(request)
        watcher = Watcher(self._store, kind, chosen, self._watch_encoder(request, kind), shared=not table)
        response = web.StreamResponse(headers={"Content-Type": JSON, "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        self.watchers.add(watcher)
        try:
            watcher.start(int(revision) if int(revision) else None)
            await self._stream(response, watcher, query, table=table)
        finally:
            watcher.close()
            self.watchers.discard(watcher)
        return response

    def _watch_encoder(self, request: web.BaseRequest, kind: Kind) -> Encode:
        if not as_table(request):
            return lambda record: encode(kind, record)
        return lambda record: self._table(request, kind, [record], {"resourceVersion": str(record.revision)})

    async def _stream(
        self, response: web.StreamResponse, watcher: Watcher, query: Mapping[str, str], *, table: bool
    ) -> None:
        """Until the asked time is over, the watch is cut, or the client is gone."""
        loop = asyncio.get_running_loop()
        seconds = float(query.get("timeoutSeconds") or 0) or random.uniform(1800, 3600)  # noqa: S311
        ends = loop.time() + seconds
        bookmarks = query.get("allowWatchBookmarks") in ("true", "1", "True")
        while (left := ends - loop.time()) > 0:
            body = await watcher.lines(min(self._interval, left))
            if not body and bookmarks and left > self._interval:
                body = watcher.bookmark(column_definitions(watcher.kind) if table else None)
            if body:
                await response.write(body)
            if watcher.cut:
                return

    async def log(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """The file named by the Pod's annotation; `follow`, `tailLines`, `sinceSeconds` (whole file) as in the API."""
        pod = self._objects.get(target).object
        path = (pod["metadata"].get("annotations") or {}).get(LOG_ANNOTATION)
        if not path or not Path(path).exists():  # noqa: ASYNC240 - a local file, at once
            raise bad_request(f'container in pod "{target.name}" is waiting to start: no log file is attached')
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        follow = request.query.get("follow") in ("true", "1")
        with Path(path).open("rb") as file:  # noqa: ASYNC230
            await response.write(_tail(file.read(), request.query.get("tailLines")))
            while follow:
                if more := file.read():
                    await response.write(more)
                else:
                    await asyncio.sleep(_POLL)
        return response


def _tail(content: bytes, lines: str | None) -> bytes:
    if lines is None:
        return content
    kept = content.splitlines(keepends=True)[-int(lines) :] if int(lines) else []
    return b"".join(kept)


def _selects(query: Mapping[str, str]) -> bool:
    return bool(query.get("labelSelector") or query.get("fieldSelector"))


def _list_body(kind: Kind, records: Sequence[Record], metadata: Object) -> bytes:
    """Items of built-in kinds bear no apiVersion and kind of their own, as in the real server."""
    head = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": metadata}
    if kind.custom:
        items = [kind.prefix + record.tail for record in records]
    else:
        items = [_item(kind, record) for record in records]
    return _encode(head)[:-1] + b',"items":[' + b",".join(items) + b"]}"


def _item(kind: Kind, record: Record) -> bytes:
    if kind.group == EVENTS_GROUP:
        return b"{" + encode(kind, record)[len(kind.prefix) :]
    return b"{" + record.tail
