"""layer2 on this node: runs the ownership machine for every address of the plan, and answers ARP and NDP for its own.

core/layer2.py decides, core/respond.py makes the frames; Ears hear and send them, Leases carry what the agents tell
each other. Answers go out from the receive path. Rounds are as long as the shortest probe interval of the plan; an
owner with nothing to do costs a comparison a round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from vipmgr.core import layer2 as machine
from vipmgr.core.kernel_view import Link
from vipmgr.core.layer2 import Announce, Effect, Moved, Probe, State
from vipmgr.core.layer2_story import WORDS
from vipmgr.core.layer2_view import Obstacle, Peer, View
from vipmgr.core.model import Address, NodeName
from vipmgr.core.node_layer2 import NodeLayer2, NodeLayer2State, NodeLayer2Status
from vipmgr.core.respond import Heard, Post, Standing
from vipmgr.log import get_log
from vipmgr.node.endpoint_poll import EndpointPoll
from vipmgr.node.journal import Journal
from vipmgr.node.layer2_ears import Ears
from vipmgr.node.layer2_record import Record
from vipmgr.node.layer2_vouch import Vouchers, epoch_vouched_for
from vipmgr.node.layer2_watch import Counters, Watch, watches_of

log = get_log(__name__)

_IDLE_SECONDS: Final = 0.15
_BREATH_SECONDS: Final = 0.02
_FAR_SECONDS: Final = 0.5
"""between two looks at an address that others are nearer to; news of them comes by itself"""
_REPORT_SECONDS: Final = 5.0
"""conditions may end by time alone: a stranger has left, arp_ignore was set"""
_HANDOVER_SECONDS: Final = 0.8
_WITHOUT_API_SECONDS: Final = 3.0


class Layer2:
    """`report(now)`: the status changed. `said`: what our Lease is to say changed (set by the API side)."""

    def __init__(
        self,
        node: NodeName,
        journal: Journal,
        report: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._report = report
        self._clock = clock
        self.counters = Counters()
        self._record = Record(journal, self.counters)
        self.said: Callable[[], None] = lambda: None
        self.peers: Mapping[NodeName, Peer] = {}
        self.synced = False
        self._begun = clock()
        self._watches: dict[Address, Watch] = {}
        self._ears = Ears(self.counters, self._awake, self._listen_to)
        self._poll = EndpointPoll(self._endpoints_changed)
        self._drain = False
        self._stopping = False
        self._last = self._report_due = clock()
        self._nap = _IDLE_SECONDS
        self._vouchers = Vouchers()
        self._claimed: dict[Address, int] = {}
        self._claimed_at = 0.0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    # --- what others tell --------------------------------------------------------------------------------------------

    def want(self, spec: NodeLayer2 | None, *, drain: bool) -> None:
        """The plan. What is no longer in it is let go at once."""
        self._drain = drain
        wanted = {one.vip.address: one for pool in (spec.pools if spec else ()) for one in watches_of(pool)}
        for address in self._watches.keys() - wanted.keys():
            self._drop(address)
        now = self._clock()
        for address, fresh in wanted.items():
            known = self._watches.get(address)
            if known is None:
                self._watches[address] = fresh
                self._recall(fresh, now)
                continue
            if known.vip.interface != fresh.vip.interface:
                known.state = replace(known.state, announced=0, announce_due=now)
            known.vip, known.timings, known.leaving, known.due = fresh.vip, fresh.timings, fresh.leaving, 0.0
        self._nap = min((one.timings.sleep for one in self._watches.values()), default=_IDLE_SECONDS)
        self._poll.watch(port for one in self._watches.values() for port in one.vip.health_check_node_ports)
        self._listen()
        self.step()
        self.said()
        self._work.set()

    def kernel(self, links: Iterable[Link]) -> None:
        """Interfaces came, went, changed their state or their MAC."""
        before = self._ears.links
        self._ears.kernel(links)
        now = self._clock()
        for one in self._watches.values():
            old, new = before.get(one.vip.interface), self._ears.links.get(one.vip.interface)
            if old == new:
                continue
            one.due = 0.0
            if old is not None and new is not None and (old.mac != new.mac or old.index != new.index):
                one.state = replace(one.state, announced=0, announce_due=now)
        self._listen()
        self.step()

    def recall(self, claims: Mapping[Address, int], age: float) -> None:
        """What our own Lease said when this agent started: claims of the agent before it, renewed so long ago."""
        self._claimed, self._claimed_at = dict(claims), self._clock() - age
        now = self._clock()
        for one in self._watches.values():
            self._recall(one, now)
        self.step()

    def news(self) -> None:
        """`peers` or `synced` changed."""
        for one in self._watches.values():
            one.due = 0.0
        self.step()

    def claims(self) -> dict[Address, int]:
        return machine.claims({address: one.state for address, one in self._watches.items()})

    def offers(self) -> dict[Address, NodeName]:
        return {address: one.state.offered for address, one in self._watches.items() if one.state.offered}

    def unable(self) -> frozenset[Address]:
        return frozenset(address for address, one in self._watches.items() if self._obstacle(one) is not None)

    def companions(self) -> frozenset[NodeName]:
        """The other candidates of our addresses: whose Leases count. Empty too when there is no address."""
        found = {one.node for watch in self._watches.values() for one in watch.vip.candidates}
        return frozenset(found - {self._node})

    @property
    def needed(self) -> bool:
        """This node is a candidate for some address."""
        return bool(self._watches)

    def interfaces(self) -> frozenset[str]:
        return frozenset(one.vip.interface for one in self._watches.values())

    @property
    def lease_seconds(self) -> float:
        return min((one.timings.lease_expiry for one in self._watches.values()), default=3.0)

    # --- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Rounds until cancelled. Without any address it sleeps."""
        try:
            while True:
                if not self._watches:
                    self._work.clear()
                    await self._work.wait()
                    self._last = self._clock()
                self.step()
                if self._last >= self._report_due:
                    self._report_due = self._last + _REPORT_SECONDS
                    self._report(False)
                await asyncio.sleep(self._until_next_round())
        finally:
            await self._poll.close()
            self._ears.close()

    async def hand_over(self) -> None:
        """Before this agent stops: offer every address, answer until others have it; at most a moment."""
        self._stopping = True
        for one in self._watches.values():
            one.due = 0.0
        self.step()
        self.said()
        try:
            async with asyncio.timeout(_HANDOVER_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            log.warning("layer2.not_handed_over", addresses=len(self.claims()))

    def step(self) -> None:
        """Look at every address that is due."""
        now = self._clock()
        late = now - self._last
        self._last = now
        if not self.synced and now - self._begun > _WITHOUT_API_SECONDS:
            self.synced = True
        for one in list(self._watches.values()):
            if late > one.timings.sleep:
                self._put(one, *machine.slept(self._view(one), one.state, now - late, now))
            if now >= one.due or late > one.timings.sleep:
                self._put(one, *machine.step(self._view(one), one.state, now))
                self._breathe()
        if any(one.state.standing is Standing.OWNER for one in self._watches.values()):
            self._empty.clear()
        else:
            self._empty.set()

    def _breathe(self) -> None:
        """Hear and answer in the middle of much work: who answers is not asleep."""
        now = self._clock()
        if now - self._last > _BREATH_SECONDS:
            self._last = now
            self._ears.drain()

    def status(self) -> NodeLayer2Status | None:
        if not self._watches:
            return None
        told = [
            NodeLayer2State(
                address=str(address),
                eip=one.vip.eip,
                interface=one.vip.interface,
                state=str(WORDS[one.state.standing]),
                since=one.since,
                reason=one.reason,
                epoch=one.state.epoch,
            )
            for address, one in self._watches.items()
            if one.state.standing is not Standing.STANDBY
        ]
        return NodeLayer2Status(addresses=told, standby=len(self._watches) - len(told))

    def strangers(self) -> list[tuple[Address, str]]:
        """(address, MAC) of stations that use an address of the plan and are none of ours."""
        now = self._clock()
        return [
            (address, one.state.stranger.hex(":"))
            for address, one in self._watches.items()
            if one.state.stranger is not None and now < one.state.stranger_until
        ]

    @property
    def packets(self) -> int:
        return self._ears.packets

    # --- inside ------------------------------------------------------------------------------------------------------

    def _until_next_round(self) -> float:
        """Rounds begin at multiples of the interval, as core.layer2 counts them."""
        interval = min((one.timings.probe_interval for one in self._watches.values()), default=_IDLE_SECONDS)
        doubts = [one.state.doubt_until for one in self._watches.values() if one.state.standing is Standing.DOUBT]
        now = self._clock()
        return max(0.001, min([interval - now % interval + 0.0005, *(until - now for until in doubts)]))

    def _recall(self, one: Watch, now: float) -> None:
        epoch = self._claimed.pop(one.vip.address, None)
        if epoch is not None and one.state.standing is Standing.STANDBY:
            own = State(standing=Standing.OWNER, epoch=epoch)
            doubting, effects = machine.slept(self._view(one), own, self._claimed_at, now)
            self._put(one, doubting, [effect for effect in effects if not isinstance(effect, Moved)])
            self._record.recalled(one)

    def _view(self, one: Watch) -> View:
        frames = self._ears.frames(one.vip.interface)
        return View(self._node, one.vip, self.peers, self._obstacle(one), self.synced, one.timings, frames)

    def _obstacle(self, one: Watch) -> Obstacle | None:
        link = self._ears.link(one.vip.interface)
        if link is None:
            return Obstacle.NO_INTERFACE
        if not link.up:
            return Obstacle.LINK_DOWN
        if not all(self._poll.healthy(port) for port in one.vip.health_check_node_ports):
            return Obstacle.NO_ENDPOINTS
        if self._stopping:
            return Obstacle.STOPPING
        return Obstacle.DRAINING if self._drain or one.leaving else None

    def _endpoints_changed(self) -> None:
        for one in self._watches.values():
            one.due = 0.0
        self.step()
        self.said()

    def _put(self, one: Watch, state: State, effects: Iterable[Effect]) -> None:
        """The new state first: an answer must not go out for an address that is lost."""
        before, one.state = one.state, state
        obstacle = self._obstacle(one)
        idle = state.standing is Standing.OWNER and obstacle is None
        far = state.standing is Standing.STANDBY and not state.unanswered and state.probe_due <= self._last
        one.due = state.announce_due if idle else self._last + _FAR_SECONDS if far else 0.0
        told = obstacle is not one.obstacle or state.offered != before.offered
        one.obstacle = obstacle
        if state.standing is not before.standing or state.epoch != before.epoch:
            self._ears.post(one.vip.interface, one.vip.address, Post(state.standing, state.epoch))
        for effect in effects:
            match effect:
                case Probe():
                    self._question(one, effect)
                case Announce():
                    self._ears.announce(effect)
                case Moved():
                    told = True
                    self._record.moved(one, before.standing, effect, obstacle, self._clock())
                    self._report(True)
        if told:
            self.said()

    def _drop(self, address: Address) -> None:
        one = self._watches.pop(address)
        if one.state.standing is not Standing.STANDBY:
            self._record.dropped(one)
            self._report(True)

    def _listen(self) -> None:
        wanted: dict[str, dict[Address, Post]] = {}
        for address, one in self._watches.items():
            post = Post(one.state.standing, one.state.epoch)
            wanted.setdefault(one.vip.interface, {})[address] = post
        self._ears.listen(wanted)

    def _awake(self) -> None:
        """Before a frame is judged: after a sleep, first find out what is still ours."""
        if self._clock() - self._last > self._nap:
            self.step()

    # --- frames ------------------------------------------------------------------------------------------------------

    def _listen_to(self, index: int, heard: Heard) -> None:
        now = self._clock()
        one = self._watches.get(heard.address)
        if one is None:
            return
        stranger = one.state.stranger
        one.state = machine.heard(self._view(one), one.state, heard.mac, heard.epoch, now)
        self._put(one, *machine.step(self._view(one), one.state, now))
        if one.state.stranger is not None and one.state.stranger != stranger:
            self._record.stranger(one, one.state.stranger)
            self._report(False)
        if heard.epoch is not None and self._vouchers.heard(index, heard.mac, now, one.timings.probe_interval / 2):
            for other in self._watches.values():
                if other.state.unanswered:
                    self._trust(other, heard.mac, now)

    def _trust(self, one: Watch, mac: bytes, at: float) -> bool:
        """The station at `mac` spoke then, perhaps of another address: is that an answer for this one?"""
        epoch = epoch_vouched_for(one, mac, self.peers)
        if epoch is not None:
            one.state = machine.heard(self._view(one), one.state, mac, epoch, at)
        return epoch is not None

    def _question(self, one: Watch, effect: Probe) -> None:
        """Not asked when the station has just answered for another of its addresses."""
        now, pause = self._clock(), one.timings.probe_interval / 2
        link, mac = self._ears.link(effect.interface), effect.destination
        spoke = self._vouchers.spoke(link.index, mac, now, pause) if link is not None and mac else None
        if not (spoke is not None and mac and self._trust(one, mac, spoke)):
            self._ears.ask(effect, pause, now)
