"""The API server as typed calls: pages of structs, watches, and writes that a fence can stop."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, NamedTuple, Protocol, Self, TypeVar, cast

import msgspec

from vipmgr.core.wire import Wire
from vipmgr.kube.auth import Access
from vipmgr.kube.connection import Connection, lines
from vipmgr.kube.errors import (
    ApiError,
    ConflictError,
    FencedError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    UnreachableError,
    api_error,
)
from vipmgr.kube.resources import Resource

__all__ = [
    "ApiError",
    "Client",
    "ConflictError",
    "FencedError",
    "ForbiddenError",
    "GoneError",
    "InvalidError",
    "NotFoundError",
    "Page",
    "Patch",
    "UnreachableError",
    "Unreadable",
    "WatchEvent",
]

T = TypeVar("T")

IDLE_SECONDS: Final = 75.0
"""a live watch carries a bookmark about every minute; silence longer than this is a dead connection"""


DAY_SECONDS: Final = 86400.0
"""a log that is followed may be silent for long"""


class Fencing(Protocol):
    """Whether this process may write now."""

    def held(self) -> bool: ...


class Patch(StrEnum):
    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    APPLY = "application/apply-patch+yaml"


class Unreadable(NamedTuple):
    """An object that does not fit its struct (written past the schema), or that its reader stumbled over."""

    namespace: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: list[T]
    resource_version: str
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; a bookmark has no object."""

    type: str
    object: T | Unreadable | None
    resource_version: str


class _ListMeta(Wire):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, Generic[T]):
    metadata: _ListMeta
    items: list[T] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Named(Wire):
    namespace: str = ""
    name: str = ""
    resource_version: str = ""


class _Bare(Wire):
    """Of any object, what a bookmark has too (whose creationTimestamp is null)."""

    metadata: _Named


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    if shape not in _decoders:
        _decoders[shape] = msgspec.json.Decoder(shape)
    return _decoders[shape]


class Client:
    """async with Client(access) as client. Every call raises ApiError (client.py names its kinds)."""

    def __init__(self, access: Access, *, request_seconds: float = 15.0) -> None:
        self._connection = Connection(access, request_seconds=request_seconds)
        self._fence: Fencing | None = None

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    def fenced(self, fence: Fencing) -> Client:
        """The same connection, but no write is sent, or sent again, unless `fence` is held at that moment."""
        other = Client.__new__(Client)
        other._connection = self._connection  # noqa: SLF001 - another Client
        other._fence = fence  # noqa: SLF001
        return other

    async def get(self, resource: Resource[T], name: str, namespace: str = "") -> T:
        body = await self._connection.send("GET", resource.path(namespace, name))
        return _read(body, resource)

    async def pages(
        self,
        resource: Resource[T],
        *,
        namespace: str = "",
        field_selector: str = "",
        label_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[Page[T]]:
        """All objects, `limit` at a time (0: in one answer): decoding a page takes milliseconds, all at once would
        block the loop. Raises GoneError when the list took so long that the server forgot it."""
        parameters = _selectors(field_selector, label_selector)
        if limit:
            parameters["limit"] = str(limit)
        while True:
            body = await self._connection.send("GET", resource.path(namespace), parameters=parameters)
            page, continued = _read_page(body, resource)
            yield page
            if not continued:
                return
            parameters["continue"] = continued

    async def list(self, resource: Resource[T], **selectors: Any) -> list[T]:
        """All objects; the selectors of `pages`."""
        return [item async for page in self.pages(resource, **selectors) for item in page.items]

    async def watch(
        self,
        resource: Resource[T],
        *,
        resource_version: str,
        namespace: str = "",
        field_selector: str = "",
        label_selector: str = "",
        idle_seconds: float = IDLE_SECONDS,
    ) -> AsyncIterator[WatchEvent[T]]:
        """Changes after `resource_version`. Ends when the server ends it or nothing came for `idle_seconds`: watch
        again from the last version seen. Raises GoneError when that version is too old: list again."""
        parameters = _selectors(field_selector, label_selector) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(random.randint(300, 600)),  # noqa: S311 - spreads reconnects
        }
        path = resource.path(namespace)
        try:
            async with self._connection.stream(path, parameters, idle_seconds) as content:
                async for line in lines(content):
                    if line:
                        yield _read_event(line, resource)
        except UnreachableError as error:
            if error.reason != "Idle":
                raise

    async def create(
        self, resource: Resource[T], body: Mapping[str, Any] | msgspec.Struct, *, namespace: str = ""
    ) -> T:
        named = {"apiVersion": resource.api_version, "kind": resource.kind} | dict(msgspec.to_builtins(body))
        sent = msgspec.json.encode(named)
        return _read(await self._write("POST", resource.path(namespace), body=sent), resource)

    async def patch(  # noqa: PLR0913 - what a PATCH has
        self,
        resource: Resource[T],
        name: str,
        body: Any,
        *,
        namespace: str = "",
        subresource: str = "",
        kind: Patch = Patch.MERGE,
        field_manager: str = "vipmgr",
        force: bool = True,
    ) -> T:
        """`field_manager` and `force` count for Patch.APPLY, whose body need not repeat apiVersion and kind."""
        parameters = {"fieldManager": field_manager}
        if kind is Patch.APPLY:
            body = {"apiVersion": resource.api_version, "kind": resource.kind} | dict(msgspec.to_builtins(body))
            parameters["force"] = "true" if force else "false"
        answer = await self._write(
            "PATCH",
            resource.path(namespace, name, subresource),
            parameters=parameters,
            body=msgspec.json.encode(body),
            content_type=kind.value,
        )
        return _read(answer, resource)

    async def delete(self, resource: Resource[T], name: str, *, namespace: str = "", uid: str | None = None) -> None:
        """`uid`: only if it is still that very object (ConflictError otherwise)."""
        options = msgspec.json.encode({"preconditions": {"uid": uid}}) if uid else None
        await self._write("DELETE", resource.path(namespace, name), body=options)

    async def read_log(
        self,
        pod: str,
        namespace: str,
        *,
        container: str = "",
        since_seconds: int | None = None,
        follow: bool = False,
        previous: bool = False,
    ) -> AsyncIterator[bytes]:
        """The lines a container has written so far. `follow`: and those it will write, until the connection ends.
        `previous`: those of the container before the last restart; raises InvalidError when there is none."""
        parameters = {"container": container} if container else {}
        if since_seconds is not None:
            parameters["sinceSeconds"] = str(since_seconds)
        parameters |= {name: "true" for name, wanted in (("follow", follow), ("previous", previous)) if wanted}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        async with self._connection.stream(path, parameters, DAY_SECONDS if follow else IDLE_SECONDS) as content:
            async for line in lines(content):
                yield line

    async def _write(self, method: str, path: str, **options: Any) -> bytes:
        allowed = self._fence.held if self._fence is not None else None
        return await self._connection.send(method, path, allowed=allowed, **options)


def _selectors(field_selector: str, label_selector: str) -> dict[str, str]:
    named = {"fieldSelector": field_selector, "labelSelector": label_selector}
    return {name: value for name, value in named.items() if value}


def _read(body: bytes, resource: Resource[T]) -> T:
    try:
        return cast("T", _decoder(resource.type).decode(body))
    except msgspec.DecodeError as error:
        raise ApiError(0, "Unreadable", f"{resource.kind}: {error}") from error


def _read_page(body: bytes, resource: Resource[T]) -> tuple[Page[T], str]:
    """A page, and the token for the next. One object that does not fit its struct does not hide the others."""
    try:
        found = cast("_List[T]", _decoder(_List[resource.type]).decode(body))  # type: ignore[name-defined]
        return Page(found.items or [], found.metadata.resource_version), found.metadata.continue_
    except msgspec.ValidationError:
        raw: _List[msgspec.Raw] = _decoder(_List[msgspec.Raw]).decode(body)
    except msgspec.DecodeError as error:
        raise UnreachableError(0, "Unreadable", f"{resource.plural}: {error}") from error
    read = [_read_item(item, resource) for item in raw.items or []]
    unreadable = tuple(one for one in read if isinstance(one, Unreadable))
    items = [one for one in read if not isinstance(one, Unreadable)]
    return Page(items, raw.metadata.resource_version, unreadable), raw.metadata.continue_


def _read_item(item: msgspec.Raw, resource: Resource[Any]) -> Any:
    """The object, or Unreadable."""
    try:
        return _decoder(resource.type).decode(item)
    except msgspec.ValidationError as error:
        about = _decoder(_Bare).decode(item).metadata
        return Unreadable(about.namespace, about.name, str(error))


def _read_event(line: bytes, resource: Resource[T]) -> WatchEvent[T]:
    try:
        raw: _Event = _decoder(_Event).decode(line)
        if raw.type == "ERROR":
            raise api_error(_status_code(raw.object), bytes(raw.object), f"watch {resource.plural}")
        version = _decoder(_Bare).decode(raw.object).metadata.resource_version
    except msgspec.DecodeError as error:
        raise UnreachableError(0, "Unreadable", f"watch {resource.plural}: {error}") from error
    if raw.type == "BOOKMARK":
        return WatchEvent(raw.type, None, version)
    return WatchEvent(raw.type, _read_item(raw.object, resource), version)


def _status_code(raw: msgspec.Raw) -> int:
    code = msgspec.json.decode(raw, type=dict[str, Any]).get("code", 0)
    return code if isinstance(code, int) else 0
