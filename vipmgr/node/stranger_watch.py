"""VRRP of others on this node's wires: heard, told once, reported; and priority 0 of our own peers, as a reason.

Instances of this cluster that run on other nodes are heard too. Which those are the API server is asked when an unknown
voice comes up, which is once for each; nobody is called a stranger before it has answered.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_interface
from typing import Final

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.kernel_view import Link
from vipmgr.core.model import Family, MoveReason
from vipmgr.core.stranger_filter import Voice
from vipmgr.core.strangers import Heard, Strangers, voice_of
from vipmgr.core.vrrp_packet import Advert
from vipmgr.core.wire import NodeInstance, VrrpInstance, VrrpInstanceSpec
from vipmgr.errors import TemporaryError
from vipmgr.log import get_log
from vipmgr.node.journal import Journal
from vipmgr.node.observer import Observer
from vipmgr.node.wire_listener import WireListener

log = get_log(__name__)

_EXPIRE_SECONDS: Final = 5.0
_REOPEN_SECONDS: Final = 10.0
_ASK_SOON, _ASK_LATER, _ASK_AFRESH = 0.25, 10.0, 60.0
"""seconds between two questions to the API server: at first, when they go on (every node hears a new instance at once),
and until they count as new ones"""


class StrangerWatch:
    """`open` it in a running loop, and `run`; `attach` when there is an API server.

    `since`: UNIX time since which it has been listening, None while it cannot."""

    def __init__(self, journal: Journal, observer: Observer, changed: Callable[[], None]) -> None:
        self._journal = journal
        self._observer = observer
        self._changed = changed
        self._strangers = Strangers()
        self._own: dict[Voice, str] = {}
        self._links: tuple[Link, ...] = ()
        self._listener: WireListener | None = None
        self._due = 0.0
        self._list: Callable[[], Awaitable[Iterable[VrrpInstance]]] | None = None
        self._ask = asyncio.Event()
        self.since: float | None = None

    @property
    def heard(self) -> tuple[Heard, ...]:
        return self._strangers.heard

    @property
    def packets(self) -> int:
        """How many came through the kernel's filter."""
        return self._listener.packets if self._listener is not None else 0

    def open(self) -> None:
        try:
            self._listener = WireListener(self._heard)
        except OSError as error:
            log.error("listener.not_opened", error=str(error))
            self._due = time.monotonic() + _REOPEN_SECONDS
            return
        self.since = time.time()
        self._listener.mute(self._strangers.muted)
        self._listener.listen_on(self._links)
        self._due = time.monotonic() + _EXPIRE_SECONDS

    def attach(self, list_instances: Callable[[], Awaitable[Iterable[VrrpInstance]]]) -> None:
        """`list_instances`: of the whole cluster, now; it raises TemporaryError."""
        self._list = list_instances
        self._ask.set()

    async def run(self) -> None:
        """Until cancelled."""
        asked, pause = -_ASK_AFRESH, _ASK_SOON
        while True:
            await self._ask.wait()
            self._ask.clear()
            if self._list is None or not self._strangers.unknown:
                continue
            pause = _ASK_SOON if time.monotonic() - asked >= _ASK_AFRESH else min(2 * pause, _ASK_LATER)
            asked = time.monotonic()
            try:
                instances = await self._list()
            except TemporaryError as error:
                log.warning("strangers.not_asked", error=str(error))
                self._ask.set()
            else:
                self._judge([one.spec for one in instances], asked)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the nodes

    def own(self, instances: Iterable[NodeInstance]) -> None:
        """The instances of this node: their adverts are not strange."""
        self._own = {voice: one.name for one in instances for voice in _voices([one])}
        self._strangers.own(frozenset(self._own))
        self._mute()

    def listen_on(self, links: Iterable[Link]) -> None:
        self._links = tuple(links)
        if self._listener is not None:
            self._listener.listen_on(self._links)

    def deadline(self) -> float:
        return self._due

    def tick(self) -> None:
        if self._listener is None:
            self.open()
            return
        now = time.monotonic()
        self._due = now + _EXPIRE_SECONDS
        before = self._strangers.heard
        self._strangers.expire(now)
        self._mute()
        if len(before) != len(self._strangers.heard):
            self._changed()

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()

    def _mute(self) -> None:
        if self._listener is not None:
            self._listener.mute(self._strangers.muted)

    def _heard(self, interface: str, advert: Advert) -> None:
        voice = voice_of(advert)
        if voice is not None and voice in self._own:
            if advert.priority == 0:
                evidence = f"priority 0 advert from {advert.source}"
                self._observer.hint(MoveReason.PRIORITY_ZERO, self._own[voice], evidence)
            return
        self._strangers.hear(interface, advert, time.monotonic())
        self._mute()
        if self._strangers.unknown:
            self._ask.set()

    def _judge(self, instances: Iterable[VrrpInstanceSpec], asked: float) -> None:
        found = self._strangers.judge(_voices(instances), asked)
        self._mute()
        for interface, advert in found:
            line = AuditLine(event=Event.STRANGER, interface=interface, vrid=advert.vrid, priority=advert.priority)
            line.family, line.source = str(advert.family), str(advert.source)
            line.vips = tuple(map(str, advert.addresses))
            self._journal.write(line)
        if found:
            self._changed()
        if self._strangers.unknown:
            self._ask.set()


def _voices(instances: Iterable[NodeInstance | VrrpInstanceSpec]) -> Iterator[Voice]:
    for one in instances:
        with suppress(ValueError):  # spoilt by somebody's hand: it speaks nowhere
            yield Voice(Family(one.family), one.virtual_router_id, ip_interface(one.anchor).ip)
