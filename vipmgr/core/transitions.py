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
from types import MappingProxyType
from typing import Final, NamedTuple

from vipmgr.core.keepalived_words import (
    Began,
    Clue,
    Ended,
    Entered,
    FifoLine,
    Heard,
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

EXPLAINS: Final[Mapping[MoveReason, frozenset[State]]] = MappingProxyType(
    {
        MoveReason.INTERFACE_DOWN: frozenset({State.FAULT}),
        MoveReason.DELETED: frozenset({State.STOP, State.FAULT}),
        MoveReason.DIED: frozenset({State.STOP, State.BACKUP}),
        MoveReason.DRAINED: frozenset({State.FAULT, State.BACKUP}),
        MoveReason.YIELDED: frozenset({State.FAULT, State.BACKUP}),
        MoveReason.NO_ENDPOINTS: frozenset({State.FAULT}),
        MoveReason.ADDRESS_LOST: frozenset({State.FAULT, State.BACKUP}),
        MoveReason.TRACK_FAULT: frozenset({State.FAULT}),
        MoveReason.HIGHER_PRIORITY: frozenset({State.BACKUP}),
        MoveReason.PRIORITY_ZERO: frozenset({State.MASTER}),
        MoveReason.LOWER_PRIORITY: frozenset({State.MASTER}),
        MoveReason.ADVERT_TIMEOUT: frozenset({State.MASTER}),
        MoveReason.STARTED: frozenset({State.BACKUP, State.FAULT}),
        MoveReason.RECOVERED: frozenset({State.BACKUP, State.MASTER}),
        MoveReason.STOPPED: frozenset({State.STOP}),
    }
)
"""Which states a clue may explain, the most telling reason first: a cable pulled during a drain is a cable pulled."""

_PRECEDENCE: Final = {reason: rank for rank, reason in enumerate(EXPLAINS)}

INFERRED: Final[Mapping[tuple[State, State], MoveReason]] = MappingProxyType(
    {
        (State.INIT, State.BACKUP): MoveReason.STARTED,
        (State.INIT, State.MASTER): MoveReason.UNKNOWN,
        (State.INIT, State.FAULT): MoveReason.STARTED,
        (State.INIT, State.STOP): MoveReason.STOPPED,
        (State.BACKUP, State.INIT): MoveReason.UNKNOWN,
        (State.BACKUP, State.MASTER): MoveReason.ADVERT_TIMEOUT,
        (State.BACKUP, State.FAULT): MoveReason.UNKNOWN,
        (State.BACKUP, State.STOP): MoveReason.STOPPED,
        (State.MASTER, State.INIT): MoveReason.UNKNOWN,
        (State.MASTER, State.BACKUP): MoveReason.UNKNOWN,
        (State.MASTER, State.FAULT): MoveReason.UNKNOWN,
        (State.MASTER, State.STOP): MoveReason.STOPPED,
        (State.FAULT, State.INIT): MoveReason.UNKNOWN,
        (State.FAULT, State.BACKUP): MoveReason.RECOVERED,
        (State.FAULT, State.MASTER): MoveReason.RECOVERED,
        (State.FAULT, State.STOP): MoveReason.STOPPED,
        (State.STOP, State.INIT): MoveReason.UNKNOWN,
        (State.STOP, State.BACKUP): MoveReason.STARTED,
        (State.STOP, State.MASTER): MoveReason.STARTED,
        (State.STOP, State.FAULT): MoveReason.STARTED,
    }
)
"""The reason when no line gives one. BACKUP -> MASTER: only under -D does keepalived say that the timer ran out."""


class _Found(NamedTuple):
    at: float
    clue: Clue
    line: str


class _LogSide(NamedTuple):
    """A transition as the log tells it, still without its FIFO line."""

    at: float
    state: State
    line: str
    clues: tuple[_Found, ...]


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
    clues: list[_Found] = field(default_factory=list)


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
        self._shared: deque[_Found] = deque(maxlen=32)
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
                self._note(_Found(at, word, message))
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
        self._note(_Found(at, Clue(reason, instance), evidence or f"agent: {reason}"))

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
        track.clues.clear()
        if not self._fifo:
            if track.state is not state:
                was, track.state = track.state, state
                pending = _Pending(at, instance, was, state, track.priority, line)
                pending.result = _explain(pending, clues, line, logged=True)
                self._queue.append(pending)
            return
        track.entered.append(_LogSide(at, state, line, tuple(clues)))
        self._match(track)

    def _note(self, found: _Found) -> None:
        name = found.clue.instance
        if name is not None:
            self._track(name).clues.append(found)
            del self._track(name).clues[:-16]
        elif found.clue.interface is not None:
            self._shared.append(found)
        else:
            for track in self._tracks.values():
                track.clues.append(found)

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
                track.clues.append(_Found(at, Clue(reason, name), line))
            elif track.state not in {State.STOP, State.INIT}:
                self._move(name, State.STOP, at, line, reason)

    # --- the two sides together --------------------------------------------------------------------------------------

    def _clues_for(self, instance: str, track: _Track, at: float) -> list[_Found]:
        interface = self._interfaces.get(instance)
        shared = (one for one in self._shared if interface is None or one.clue.interface in (None, interface))
        return [one for one in (*track.clues, *shared) if abs(at - one.at) <= self._near]

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
            pending.result = _explain(pending, side.clues, side.line, logged=True)

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
        pending.result = _explain(pending, clues, pending.line, logged=False)
        track.clues.clear()


def _explain(pending: _Pending, clues: Iterable[_Found], line: str, *, logged: bool) -> Transition:
    assert pending.now is not None  # noqa: S101 - only transitions have a reason
    now = pending.now
    telling = sorted(
        (one for one in clues if now in EXPLAINS.get(one.clue.reason, ())),
        key=lambda one: _PRECEDENCE[one.clue.reason],
    )
    reason = telling[0].clue.reason if telling else INFERRED[pending.was, now]
    if logged and not telling and now is State.FAULT and pending.was in (State.BACKUP, State.MASTER):
        # a link or an address that goes is always logged, a track file only under -D
        reason = MoveReason.TRACK_FAULT
    if not telling and pending.was is State.MASTER and line.endswith("(init)"):
        reason = MoveReason.DIED  # a new process speaks where the old one said no goodbye
    evidence = telling[0].line if telling else line
    return Transition(pending.at, pending.instance, pending.was, now, pending.priority, reason, evidence, not telling)
