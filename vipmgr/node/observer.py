"""What keepalived does on this node, put together from its FIFO, its log, its dump and its death.

The judgement is core.transitions'; this keeps what the node reports of each instance and writes the audit lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.keepalived_words import State
from vipmgr.core.model import MoveReason
from vipmgr.core.transitions import Contested, Merger, Output, Transition
from vipmgr.core.wire import InstanceState, NodeInstance
from vipmgr.node.journal import Journal, utc
from vipmgr.node.keepalived import Dumped

CONTESTED_SECONDS: Final = 3.0
"""how long after another master was last heard an instance is called contested"""


class Memory(msgspec.Struct):
    """Of one instance, over a restart of the agent."""

    state: State
    priority: int = 0
    since: float = 0.0
    reason: str = ""
    transitions: int = 0
    previous: str = ""


class Observer:
    """`moved(state)` is called at once for every change of state; `settled()` when reasons became known."""

    def __init__(self, journal: Journal, moved: Callable[[State], None], settled: Callable[[], None]) -> None:
        self._journal = journal
        self._moved = moved
        self._settled = settled
        self._merger = Merger()
        self._known: dict[str, Memory] = {}
        self._instances: Mapping[str, NodeInstance] = {}
        self._contested_until: dict[str, float] = {}
        self._touched: dict[str, tuple[float, float]] = {}
        """instance -> when its newest line was read: monotonic, and UNIX time"""
        self.transitions = 0
        self.contests = 0
        self.gaps = 0

    @property
    def states(self) -> dict[str, State]:
        """By the newest line, without waiting for a reason; instances that keepalived has."""
        return {name: state for name, state in self._merger.states.items() if state not in (State.INIT, State.STOP)}

    def learn(self, instances: Iterable[NodeInstance]) -> None:
        """What the plan says of the instances, for the audit lines."""
        self._instances = {one.name: one for one in instances}
        self._merger.learn({name: one.interface for name, one in self._instances.items()})

    def fifo_line(self, line: str) -> None:
        self._feed(lambda now: self._merger.feed_fifo(line, now))

    def log_message(self, message: str) -> None:
        self._feed(lambda now: self._merger.feed_log(message, now))

    def died(self, evidence: str) -> None:
        self._feed(lambda now: self._merger.died(now, evidence))

    def tick(self, now: float) -> None:
        """At `deadline` or later (monotonic)."""
        lapsed = [name for name, until in self._contested_until.items() if until <= now]
        for name in lapsed:
            del self._contested_until[name]
        if lapsed:
            self._settled()
        self._feed(self._merger.tick)

    def flush(self) -> None:
        """We are about to end: what still waits for its reason is told without."""
        self._feed(lambda now: self._merger.tick(now + 60.0))

    def hint(self, reason: MoveReason, instance: str | None = None, evidence: str = "") -> None:
        self._merger.hint(reason, time.monotonic(), instance, evidence)

    def deadline(self) -> float | None:
        """When `tick` is due (monotonic)."""
        merging = self._merger.deadline()
        return min([*self._contested_until.values(), *([] if merging is None else [merging])], default=None)

    def differing(self, dumped: Mapping[str, Dumped], asked_at: float) -> list[str]:
        """Instances of which keepalived's dump (asked for at `asked_at`) says other than the lines that came before.

        An instance that moved since is left out: the dump may be the older one.
        """
        names = {name for name in dumped.keys() | self.states.keys() if self._differs(name, dumped)}
        return sorted(name for name in names if self._touched.get(name, (0.0, 0.0))[0] < asked_at)

    def _differs(self, name: str, dumped: Mapping[str, Dumped]) -> bool:
        said = dumped[name].state if name in dumped else None
        known = self.states.get(name)
        return said is not known and not (said is State.INIT and known is None)

    def adopt(self, names: Iterable[str], dumped: Mapping[str, Dumped]) -> None:
        """Take the dump's word for these instances: lines about them were missed, and the audit says so."""
        for name in names:
            before = self._merger.states.get(name, State.INIT)
            said = dumped.get(name) or Dumped(State.STOP, 0, time.time())
            self._merger.seed(name, said.state, said.priority)
            transitions = self._known[name].transitions + 1 if name in self._known else 1
            self._known[name] = Memory(said.state, said.priority, said.since, "", transitions, str(before))
            self.gaps += 1
            line = self._line(Event.GAP, name, said.priority, "keepalived.json differs from the lines read")
            line.from_, line.to, line.since = str(before), str(said.state), datetime.fromtimestamp(said.since, UTC)
            self._journal.write(line)
            self._moved(said.state)

    def recall(self, memories: Mapping[str, Memory]) -> None:
        """What a former agent knew."""
        for name, memory in memories.items():
            self._merger.seed(name, memory.state, memory.priority)
            self._known[name] = memory

    def memories(self) -> dict[str, Memory]:
        return dict(self._known)

    def report(self, now: float) -> list[InstanceState]:
        """As in VipNode.status.instances; `now` is monotonic."""
        found = []
        for name, state in sorted(self.states.items()):
            memory = self._known.get(name) or Memory(state)
            current = memory.state is state
            since = memory.since if current else self._touched.get(name, (0.0, 0.0))[1]
            found.append(
                InstanceState(
                    name=name,
                    state=str(state),
                    priority=memory.priority,
                    since=utc(since) if since else "",
                    reason=memory.reason if current else "",
                    transitions=memory.transitions,
                    previous_state=memory.previous if current else str(memory.state),
                    contested=self._contested_until.get(name, 0.0) > now,
                )
            )
        return found

    def _feed(self, feed: Callable[[float], list[Output]]) -> None:
        before = self._merger.states
        now = time.monotonic()
        outputs = feed(now)
        after = self._merger.states
        for name in before.keys() | after.keys():
            state = after.get(name, State.STOP)
            if before.get(name) is not state and (name in before or state is not State.INIT):
                self._touched[name] = now, time.time()
                self._moved(state)
        for output in outputs:
            if isinstance(output, Transition):
                self._record(output)
            else:
                self._record_contest(output)
        if outputs:
            self._settled()

    def _record(self, move: Transition) -> None:
        self.transitions += 1
        memory = self._known.get(move.instance) or Memory(move.was)
        read, wall = self._touched.get(move.instance, (move.at, time.time()))
        since = wall - (read - move.at)
        line = self._line(Event.TRANSITION, move.instance, move.priority, move.evidence)
        line.from_, line.to, line.reason = str(move.was), str(move.now), str(move.reason)
        self._journal.write(line, at=move.at)
        if move.now is State.STOP:
            self._known.pop(move.instance, None)
            self._contested_until.pop(move.instance, None)
            return
        self._known[move.instance] = Memory(
            move.now, move.priority, since, str(move.reason), memory.transitions + 1, str(move.was)
        )

    def _record_contest(self, heard: Contested) -> None:
        self.contests += 1
        self._contested_until[heard.instance] = time.monotonic() + CONTESTED_SECONDS
        line = self._line(Event.CONTESTED, heard.instance, heard.priority, heard.evidence)
        line.source = heard.source
        self._journal.write(line, at=heard.at)

    def _line(self, event: Event, name: str, priority: int, evidence: str) -> AuditLine:
        """With what the plan says of the instance."""
        line = AuditLine(event=event, instance=name, priority=priority, evidence=evidence)
        one = self._instances.get(name)
        if one is not None:
            line.eip, line.interface, line.vrid = one.eip, one.interface, one.virtual_router_id
            line.advert_ms, line.vips = one.advert_interval_ms, tuple(one.vips)
        return line
