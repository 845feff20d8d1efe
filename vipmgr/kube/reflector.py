"""A live copy of one resource: list, watch from there, for ever.

An outage is waited out with growing, jittered pauses (at most about 5 s); a watch that fell silent is reopened from
where it was; a version the server has forgotten leads to a new list whose differences are reported like any change.
What is kept is what `decode` returns, so a copy costs no more than what its reader needs. An object that cannot be
read stays what it was when it last could be.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from vipmgr.core.wire import Metadata
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import IDLE_SECONDS, Client, Unreadable, WatchEvent
from vipmgr.kube.errors import GoneError
from vipmgr.kube.resources import Resource
from vipmgr.log import get_log

T = TypeVar("T")
V = TypeVar("V")
log = get_log(__name__)

LONGEST_PAUSE: Final = 5.0
_HEALTHY_AFTER: Final = 5.0


class Reflector(Generic[T, V]):
    """`decode` turns an object into what is kept (None: not kept). `changed(key)` is called after `items` has changed,
    or `unreadable`, which has the objects whose last version cannot be read.

    `connected`: the last list or watch went well, so `items` is current. `synced` is set after the first list.
    """

    def __init__(  # noqa: PLR0913 - selectors are the API's
        self,
        client: Client,
        resource: Resource[T],
        *,
        decode: Callable[[T], V | None],
        changed: Callable[[str], None],
        field_selector: str = "",
        label_selector: str = "",
        namespace: str = "",
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._client = client
        self.resource = resource
        self._decode = decode
        self._changed = changed
        self._selectors: dict[str, Any] = {
            "field_selector": field_selector,
            "label_selector": label_selector,
            "namespace": namespace,
        }
        self._idle_seconds = idle_seconds
        self._kept: dict[str, V] = {}
        self._version = ""
        self._adopted: dict[str, int] = {}
        self._spoilt: dict[str, Unreadable] = {}
        self.items: Mapping[str, V] = MappingProxyType(self._kept)
        self.unreadable: Mapping[str, Unreadable] = MappingProxyType(self._spoilt)
        self.synced = asyncio.Event()
        self.connected = False

    async def run(self) -> None:
        """Keep the copy until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = _pause(0) if loop.time() - began < 1.0 else 0.0
                failures = 0
            except GoneError:
                self._version = ""
                pause = _pause(0)
            except TemporaryError as error:
                if self.connected:
                    log.warning("watch.lost", resource=self.resource.plural, error=str(error))
                self.connected = False
                failures = 0 if loop.time() - began > _HEALTHY_AFTER else failures
                pause = _pause(failures)
                failures += 1
            await asyncio.sleep(pause)

    def adopt(self, item: T) -> None:
        """Take over what a write of ours was answered with, so that the next decision does not rest on an older copy
        and the echo of that write is no news. Older events that are still on their way are passed over; an answer that
        the watch has overtaken is."""
        about = _about(item)
        version, key = _number(about.resource_version), _key(about)
        if version < self._adopted.get(key, 0) or version <= _number(self._version):
            return
        self._adopted[key] = version
        self._keep(key, self._read(item))

    async def _list(self) -> None:
        try:
            found, version = await self._read_all(limit=500)
        except GoneError:  # a list that outlives its snapshot on a busy server: take it in one answer
            found, version = await self._read_all(limit=0)
        self._version = version
        self._adopted.clear()
        self.connected = True
        changes = [
            key for key in self._kept.keys() | self._spoilt.keys() | found.keys() if self._keep(key, found.get(key))
        ]
        self.synced.set()
        for key in changes:
            self._changed(key)

    async def _read_all(self, limit: int) -> tuple[dict[str, V | Unreadable], str]:
        found: dict[str, V | Unreadable] = {}
        version = ""
        async for page in self._client.pages(self.resource, limit=limit, **self._selectors):
            version = page.resource_version
            for item in page.items:
                if (value := self._read(item)) is not None:
                    found[_key(_about(item))] = value
            for one in page.unreadable:
                found[_key(one)] = one
            await asyncio.sleep(0)
        return found, version

    async def _watch(self) -> None:
        events = self._client.watch(
            self.resource, resource_version=self._version, idle_seconds=self._idle_seconds, **self._selectors
        )
        async for event in events:
            self.connected = True
            if event.object is not None:
                self._apply(event, event.object)
            self._version = event.resource_version

    def _apply(self, event: WatchEvent[T], item: T | Unreadable) -> None:
        key = _key(item if isinstance(item, Unreadable) else _about(item))
        if key in self._adopted:
            if event.type != "DELETED" and _number(event.resource_version) < self._adopted[key]:
                return
            del self._adopted[key]
        if self._keep(key, None if event.type == "DELETED" else self._read(item)):
            self._changed(key)

    def _read(self, item: T | Unreadable) -> V | Unreadable | None:
        if isinstance(item, Unreadable):
            return item
        try:
            return self._decode(item)
        except Exception as error:  # noqa: BLE001 - one object must not end the copy of all
            about = _about(item)
            return Unreadable(about.namespace, about.name, f"{type(error).__name__}: {error}")

    def _keep(self, key: str, found: V | Unreadable | None) -> bool:
        """Whether that is news."""
        if isinstance(found, Unreadable):
            news = self._spoilt.get(key) != found
            self._spoilt[key] = found
            return news
        if self._spoilt.pop(key, None) is None and self._kept.get(key) == found:
            return False
        if found is None:
            self._kept.pop(key, None)
        else:
            self._kept[key] = found
        return True


def _about(item: Any) -> Metadata:
    about: Metadata = item.metadata
    return about


def _key(about: Metadata | Unreadable) -> str:
    return sys.intern(f"{about.namespace}/{about.name}" if about.namespace else about.name)


def _number(version: str) -> int:
    """resourceVersions of one resource grow, and may be compared (KEP-5504)."""
    return int(version) if version.isdigit() else 0


def _pause(failures: int) -> float:
    """Seconds: 0.1, 0.2, 0.4 … LONGEST_PAUSE, each plus or minus a quarter."""
    return min(0.1 * 2.0 ** min(failures, 10), LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311 - spreading
