"""keepalived's notify FIFO and its log, of one node -> transitions with a reason.

The FIFO says what happened, exactly and in order, but never why. The log says why, in lines that come before or after
the FIFO's (two pipes, two readers), and is the only source on machines without a FIFO. So a transition waits until the
log's own `Entering ... STATE` for it has come (keepalived logs the causes first), at most `wait` seconds; then the
reason is the most telling clue near it, or what follows from the two states alone (`inferred`).

    merger = Merger()                          # one per node
    merger.feed_fifo(line, at) -> outputs      # every complete line of the FIFO
    merger.feed_log(message, at) -> outputs    # every complete log message, prefix taken off
    merger.hint(reason, at, instance) -> None  # what the agent did or saw itself: drain, yield, priority 0 heard ...
    merger.died(at) -> outputs                 # the process is gone without a word
    merger.tick(at) -> outputs                 # at `merger.deadline()` or later
    merger.states                              # at once, without waiting for reasons

`at` is seconds on any one clock that does not step back (the agent's: monotonic). Lines that are halves or garbage
are counted in `ignored` and change nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from vipmgr.core.explain import Found, explain
from vipmgr.core.keepalived_words import (
    Began,
    Clue,
    Ended,
    Entered,
    FifoLine,
    Heard,
    LinkUp,
    Priority,
    State,
    read_fifo,
    read_log,
)
from vipmgr.core.model import MoveReason


@dataclass(frozen=True, slots=True)
class Transition:
    """`inferred`: no line names the reason; it follows from the two states. `evidence`: the most telling line."""

    at: float
    instance: str
    was: State
    now: State
    priority: int
    reason: MoveReason
    evidence: str
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Contested:
    """This MASTER heard another one of lower priority. `source`: its address, "" when the log did not say."""

    at: float
    instance: str
    source: str
    priority: int
    evidence: str


Output = Transition | Contested


class _LogSide(NamedTuple):
    """A transition as the log tells it, still without its FIFO line."""

    at: float
    state: State
    line: str
    clues: tuple[Found, ...]


@dataclass(slots=True, eq=False)
class _Pending:
    """An output in the order of the FIFO; `result` once its reason is settled. `now` None: another MASTER heard."""

    at: float
    instance: str
    was: State
    now: State | None
    priority: int
    line: str
    result: Output | None = None


@dataclass(slots=True)
class _Track:
    state: State = State.INIT
    priority: int = 0
    contested_at: float = float("-inf")
    init_at: float = float("-inf")
    contest: _Pending | None = None
    waiting: deque[_Pending] = field(default_factory=deque)
    entered: deque[_LogSide] = field(default_factory=lambda: deque(maxlen=8))
    clues: list[Found] = field(default_factory=list)
    met: int = 0
    """how many clues about interfaces were there when it last moved: they explain nothing later"""


class Merger:
    """One node's lines in, its transitions out. `fifo`: False for a machine that has only a log.

    `wait`: how long a FIFO line waits for the log. `near`: how old a clue may be to explain a transition (logs of 1 s
    resolution and adverts of 1 s need 3). `quiet`: a contested instance is reported at most once in so many seconds.
    """

    def __init__(self, *, fifo: bool = True, wait: float = 0.25, near: float = 3.0, quiet: float = 1.0) -> None:
        self.ignored = 0
        self._fifo = fifo
        self._wait = wait
        self._near = near
        self._quiet = quiet
        self._tracks: dict[str, _Track] = {}
        self._queue: deque[_Pending] = deque()
        self._shared: deque[tuple[int, Found]] = deque(maxlen=32)
        self._noted = 0
        self._interfaces: Mapping[str, str] = {}

    @property
    def states(self) -> dict[str, State]:
        """Instance -> its state by the newest line, reasons known or not."""
        return {name: track.state for name, track in self._tracks.items()}

    def learn(self, interfaces: Mapping[str, str]) -> None:
        """Instance -> interface, so that one link going down explains only the instances on it."""
        self._interfaces = interfaces

    def seed(self, instance: str, state: State, priority: int) -> None:
        """What is known without having seen it happen (keepalived ran before its reader): no transition."""
        track = self._track(instance)
        track.state, track.priority = state, priority

    def feed_fifo(self, line: str, at: float) -> list[Output]:
        said = read_fifo(line)
        if said is None:
            self.ignored += bool(line.strip())
        elif said.kind == "INSTANCE":
            self._obey(said, at, line.strip())
        return self._drain(at)

    def feed_log(self, message: str, at: float) -> list[Output]:
        word = read_log(message)
        match word:
            case Entered():
                self._entered(word, at, message)
            case Clue():
                self._note(Found(at, word, message))
            case LinkUp(interface):
                self._forget_link(interface)
            case Heard():
                self._heard(word, at, message)
            case Priority(instance, priority):
                self._track(instance).priority = priority
            case Ended(MoveReason.DIED as reason):
                self._end(reason, at, message)
            case Ended(reason) if not self._fifo:
                self._end(reason, at, message)
            case Began() if not self._fifo:
                self._end(MoveReason.DIED, at, message, spare=at - self._near)
        return self._drain(at)

    def hint(self, reason: MoveReason, at: float, instance: str | None = None, evidence: str = "") -> None:
        """The agent knows why the next transition comes (None: of every instance): say so before causing it."""
        self._note(Found(at, Clue(reason, instance), evidence or f"agent: {reason}"))

    def died(self, at: float, evidence: str = "") -> list[Output]:
        """keepalived ended without a word: every instance that was alive is in STOP."""
        self._end(MoveReason.DIED, at, evidence or "keepalived is gone")
        return self._drain(at)

    def tick(self, at: float) -> list[Output]:
        return self._drain(at)

    def deadline(self) -> float | None:
        """When `tick` is due; None: nothing waits."""
        return self._queue[0].at + self._wait if self._queue else None

    # --- lines in ----------------------------------------------------------------------------------------------------

    def _track(self, instance: str) -> _Track:
        return self._tracks.setdefault(instance, _Track())

    def _obey(self, said: FifoLine, at: float, line: str) -> None:
        track = self._track(said.name)
        track.priority = said.priority
        match said.word:
            case "MASTER_PRIORITY" | "BACKUP_PRIORITY":
                return
            case "MASTER_RX_LOWER_PRI":
                if self._may_contest(track, at):
                    track.contest = _Pending(at, said.name, track.state, None, said.priority, line)
                    self._queue.append(track.contest)
            case "DELETED":
                self._move(said.name, State.STOP, at, line, MoveReason.DELETED)
                del self._tracks[said.name]
            case "STOP":
                self._move(said.name, State.STOP, at, line, MoveReason.STOPPED)
            case word:
                self._move(said.name, State(word), at, line)

    def _move(self, instance: str, now: State, at: float, line: str, reason: MoveReason | None = None) -> None:
        """The instance is in `now`. keepalived repeats states on reload: that is no transition."""
        track = self._track(instance)
        if track.state is now:
            return
        pending = _Pending(at, instance, track.state, now, track.priority, line)
        track.state = now
        self._queue.append(pending)
        if reason is None:
            track.waiting.append(pending)
            self._match(track)
        else:
            pending.result = Transition(at, instance, pending.was, now, track.priority, reason, line)
            track.clues.clear()

    def _entered(self, entered: Entered, at: float, line: str) -> None:
        instance, state, init = entered
        track = self._track(instance)
        track.init_at = at if init else track.init_at
        clues = self._clues_for(instance, track, at)
        if not self._fifo:
            if track.state is not state:
                was, track.state = track.state, state
                pending = _Pending(at, instance, was, state, track.priority, line)
                pending.result = _explained(pending, clues, line, logged=True)
                self._queue.append(pending)
            return
        track.entered.append(_LogSide(at, state, line, tuple(clues)))
        self._match(track)

    def _note(self, found: Found) -> None:
        name = found.clue.instance
        if name is not None:
            self._track(name).clues.append(found)
            del self._track(name).clues[:-16]
        elif found.clue.interface is not None:
            self._noted += 1
            self._shared.append((self._noted, found))
        else:
            for track in self._tracks.values():
                track.clues.append(found)

    def _forget_link(self, interface: str) -> None:
        """It is up again: that it was down explains nothing from here on. Whoever it took down has said so by now."""
        over = [pair for pair in self._shared if pair[1].clue == Clue(MoveReason.INTERFACE_DOWN, None, interface)]
        for pair in over:
            self._shared.remove(pair)

    def _heard(self, heard: Heard, at: float, line: str) -> None:
        """The log's side of MASTER_RX_LOWER_PRI; settles the FIFO's when that came first."""
        track = self._track(heard.instance)
        contested = Contested(at, heard.instance, heard.source, heard.priority, line)
        if track.contest is not None:
            track.contest.result, track.contest = contested, None
        elif self._may_contest(track, at):
            self._queue.append(_Pending(at, heard.instance, track.state, None, heard.priority, line, contested))

    def _may_contest(self, track: _Track, at: float) -> bool:
        """Both sides say so with every advert while it lasts; one line in `quiet` seconds is enough."""
        if at - track.contested_at < self._quiet:
            return False
        track.contested_at = at
        return True

    def _end(self, reason: MoveReason, at: float, line: str, spare: float = float("inf")) -> None:
        """`spare`: instances that began since are of the process that comes, not of the one that went."""
        for name, track in self._tracks.items():
            if track.init_at >= spare:
                continue
            if reason is MoveReason.DIED and track.waiting and track.waiting[-1].now is State.BACKUP:
                # the new process's first FIFO line overtook the old one's obituary in the log
                track.clues.append(Found(at, Clue(reason, name), line))
            elif track.state not in {State.STOP, State.INIT}:
                self._move(name, State.STOP, at, line, reason)

    # --- the two sides together --------------------------------------------------------------------------------------

    def _clues_for(self, instance: str, track: _Track, at: float) -> list[Found]:
        """What may explain a move at `at`. It explains no later one: a cable pulled before is not why a drain came."""
        interface = self._interfaces.get(instance)
        shared = [
            one
            for number, one in self._shared
            if number > track.met and (interface is None or one.clue.interface in (None, interface))
        ]
        track.met = self._noted
        found = [one for one in (*track.clues, *shared) if abs(at - one.at) <= self._near]
        track.clues.clear()
        return found

    def _match(self, track: _Track) -> None:
        """Pair what waits with the log's word for it, in order; a log line without a FIFO line before it is dropped."""
        while track.waiting and track.entered:
            pending = track.waiting[0]
            if pending.at - track.entered[0].at > self._near:
                track.entered.popleft()
                continue
            side = next((one for one in track.entered if one.state is pending.now), None)
            if side is None:
                return
            while track.entered.popleft() is not side:
                pass
            track.waiting.popleft()
            pending.result = _explained(pending, side.clues, side.line, logged=True)

    def _drain(self, at: float) -> list[Output]:
        """Outputs in order: the first that still waits holds back the rest, for `wait` seconds at most."""
        ready: list[Output] = []
        while self._queue:
            pending = self._queue[0]
            if pending.result is None:
                if at - pending.at < self._wait:
                    break
                self._settle(pending)
            self._queue.popleft()
            assert pending.result is not None  # noqa: S101 - settled just above
            ready.append(pending.result)
        return ready

    def _settle(self, pending: _Pending) -> None:
        """The log did not come in time."""
        track = self._tracks.get(pending.instance, _Track())
        if pending.now is None:
            pending.result = Contested(pending.at, pending.instance, "", 0, pending.line)
            track.contest = None
            return
        if pending in track.waiting:
            track.waiting.remove(pending)
        clues = self._clues_for(pending.instance, track, pending.at)
        pending.result = _explained(pending, clues, pending.line, logged=False)


def _explained(pending: _Pending, clues: Iterable[Found], line: str, *, logged: bool) -> Transition:
    assert pending.now is not None  # noqa: S101 - only transitions have a reason
    why = explain(pending.was, pending.now, clues, line, logged=logged)
    return Transition(
        pending.at,
        pending.instance,
        pending.was,
        pending.now,
        pending.priority,
        why.reason,
        why.evidence,
        inferred=why.inferred,
    )
