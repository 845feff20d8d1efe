"""The interfaces of the plan: what is heard on them and answered at once, and what this node says there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from vipmgr.core.kernel_view import Link
from vipmgr.core.layer2 import Announce, Probe
from vipmgr.core.model import Address
from vipmgr.core.respond import Answer, Heard, Post, announcements, probe, respond
from vipmgr.log import get_log
from vipmgr.node.layer2_watch import Counters
from vipmgr.node.layer2_wire import Ear

log = get_log(__name__)


class Ears:
    """`awake()` is called before a frame is judged; `told(index, heard)` for claims of other stations."""

    def __init__(self, counters: Counters, awake: Callable[[], None], told: Callable[[int, Heard], None]) -> None:
        self._counters = counters
        self._awake = awake
        self._told = told
        self._ears: dict[int, Ear] = {}
        self._macs: dict[int, bytes] = {}
        self._posts: dict[int, dict[Address, Post]] = {}
        self._asked: dict[tuple[int, bytes, int], float] = {}
        self.links: Mapping[str, Link] = {}

    @property
    def packets(self) -> int:
        return sum(ear.packets for ear in self._ears.values())

    def frames(self, interface: str) -> int:
        """How many came in there so far."""
        ear = self._at(interface)
        return ear.packets if ear is not None else 0

    def link(self, interface: str) -> Link | None:
        """None too while we cannot listen there."""
        found = self.links.get(interface)
        return found if found is not None and found.index in self._ears else None

    def kernel(self, links: Iterable[Link]) -> None:
        self.links = {link.name: link for link in links}
        self._macs = {one.index: bytes.fromhex(one.mac.replace(":", "")) for one in self.links.values() if one.mac}

    def listen(self, wanted: Mapping[str, Mapping[Address, Post]]) -> None:
        """For these addresses, by interface, and for no others."""
        there = {self.links[name].index: posts for name, posts in wanted.items() if name in self.links}
        names = {link.index: link.name for link in self.links.values()}
        for index in self._ears.keys() - there.keys():
            self._ears.pop(index).close()
            self._posts.pop(index, None)
        for index, posts in there.items():
            ear = self._ears.get(index) or Ear(index, names[index], self._hear)
            self._posts[index] = dict(posts)
            try:
                ear.listen(posts)
            except OSError as error:
                log.warning("layer2.not_listening", interface=names[index], error=str(error))
                ear.close()
                self._ears.pop(index, None)
                continue
            self._ears[index] = ear

    def post(self, interface: str, address: Address, post: Post) -> None:
        """This node's standing changed: in force for the next frame."""
        link = self.links.get(interface)
        if link is not None:
            self._posts.setdefault(link.index, {})[address] = post

    def ask(self, effect: Probe, pause: float, now: float) -> None:
        """One question to a station in a round (`pause` is shorter) stands for all its addresses on that interface."""
        ear = self._at(effect.interface)
        mac = self._macs.get(ear.index) if ear is not None else None
        if ear is None or mac is None:
            return
        if effect.destination:
            key = (ear.index, effect.destination, effect.address.version)
            if now - self._asked.get(key, now - pause) < pause:
                return
            self._asked[key] = now
        self._counters.probes += 1
        ear.send(effect.address, probe(effect.address, mac, effect.destination or None))

    def announce(self, effect: Announce) -> None:
        ear = self._at(effect.interface)
        mac = self._macs.get(ear.index) if ear is not None else None
        if ear is None or mac is None:
            return
        for frame in announcements(effect.address, mac, effect.epoch):
            self._counters.announcements += 1
            ear.send(effect.address, frame)

    def drain(self) -> None:
        """Judge what is waiting now."""
        for ear in list(self._ears.values()):
            ear.drain()

    def close(self) -> None:
        for ear in self._ears.values():
            ear.close()
        self._ears.clear()

    def _at(self, interface: str) -> Ear | None:
        link = self.links.get(interface)
        return self._ears.get(link.index) if link is not None else None

    def _hear(self, index: int, frame: bytes) -> None:
        """A frame that came through the filter."""
        self._awake()
        mac = self._macs.get(index)
        if mac is None or index not in self._ears:
            return
        match respond(frame, mac, self._posts.get(index, {})):
            case Answer(address, reply):
                self._ears[index].send(address, reply)
                self._counters.answers += 1
            case Heard() as heard:
                self._told(index, heard)
            case silence:
                self._counters.silences[str(silence)] += 1
