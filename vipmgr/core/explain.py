"""Why keepalived moved an instance: of all that was said near it, the most telling; or what follows from its states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from vipmgr.core.keepalived_words import Clue, State
from vipmgr.core.model import MoveReason


class Found(NamedTuple):
    """A clue, when it came, and the line that it was in."""

    at: float
    clue: Clue
    line: str


class Why(NamedTuple):
    """`inferred`: no line names the reason; it follows from the two states. `evidence`: the most telling line."""

    reason: MoveReason
    evidence: str
    inferred: bool


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


def explain(was: State, now: State, clues: Iterable[Found], line: str, *, logged: bool) -> Why:
    """`line`: that told of the move itself; `logged`: it was the log's."""
    telling = sorted(
        (one for one in clues if now in EXPLAINS.get(one.clue.reason, ())),
        key=lambda one: _PRECEDENCE[one.clue.reason],
    )
    if telling:
        return Why(telling[0].clue.reason, telling[0].line, inferred=False)
    reason = INFERRED[was, now]
    if logged and now is State.FAULT and was in (State.BACKUP, State.MASTER):
        # a link or an address that goes is always logged, a track file only under -D
        reason = MoveReason.TRACK_FAULT
    if was is State.MASTER and line.endswith("(init)"):
        reason = MoveReason.DIED  # a new process speaks where the old one said no goodbye
    return Why(reason, line, inferred=True)
