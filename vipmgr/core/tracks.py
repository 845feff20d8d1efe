"""What the track files say: drain, yield and missing endpoints, as numbers that keepalived adds to its priority.

    -254 or less   FAULT: priority 0 is sent and the next in rank takes over within its skew time
    -253           BACKUP of priority 1: still there should every other member die
    0              as planned

Draining is two steps: -254 to hand over at once, then, when every instance has left MASTER, -253. `step` is called with
every change and at `deadline`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from vipmgr.core.keepalived_words import State

FAULT: Final = -254
LAST: Final = -253
FAULT_TIMEOUT: Final = 2.0
SETTLE: Final = 0.6
"""seconds at priority 1 without becoming MASTER again (5 adverts of 100 ms) until a drain counts as done"""


class Drain(StrEnum):
    NO = "no"
    FAULTING = "faulting"
    LOWERED = "lowered"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of this node now. `yields`: instance -> token. `without_endpoints`: instances to keep in FAULT."""

    drain: bool = False
    yields: Mapping[str, str] = field(default_factory=dict)
    without_endpoints: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrackState:
    """`yielding`: instance -> when it was told to. `tokens`: instance -> the last token seen. `since`: of `drain`."""

    drain: Drain = Drain.NO
    since: float = 0.0
    yielding: Mapping[str, float] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)


def step(state: TrackState, wish: Wish, states: Mapping[str, State], now: float) -> TrackState:
    """The state after looking at `states` (instance -> what keepalived reports) at `now`."""
    drained = _step_drain(state, wish, states, now)
    return _step_yield(drained, wish, states, now)


def _step_drain(state: TrackState, wish: Wish, states: Mapping[str, State], now: float) -> TrackState:
    phase = state.drain
    masters = any(states.get(name) is State.MASTER for name in wish.instances)
    if not wish.drain:
        return replace(state, drain=Drain.NO) if phase is not Drain.NO else state
    if phase is Drain.NO:
        return replace(state, drain=Drain.FAULTING if masters else Drain.LOWERED, since=now)
    if phase is Drain.FAULTING and (not masters or now - state.since >= FAULT_TIMEOUT):
        return replace(state, drain=Drain.LOWERED, since=now)
    if phase in (Drain.LOWERED, Drain.DONE) and masters:
        return replace(state, drain=Drain.LOWERED, since=now)  # every other member is gone: it serves again
    if phase is Drain.LOWERED and now - state.since >= SETTLE:
        return replace(state, drain=Drain.DONE, since=now)
    return state


def _step_yield(state: TrackState, wish: Wish, states: Mapping[str, State], now: float) -> TrackState:
    yielding = dict(state.yielding)
    tokens = {name: state.tokens.get(name, "") for name in wish.instances}
    for name in list(yielding):
        left = name not in wish.instances or states.get(name) is not State.MASTER
        if left or now - yielding[name] >= FAULT_TIMEOUT:
            del yielding[name]
    for name, token in wish.yields.items():
        if name in tokens and token and token != tokens[name]:
            tokens[name] = token
            if states.get(name) is State.MASTER:
                yielding[name] = now
    if yielding == state.yielding and tokens == state.tokens:
        return state
    return replace(state, yielding=yielding, tokens=tokens)


def deadline(state: TrackState) -> float | None:
    due = [at + FAULT_TIMEOUT for at in state.yielding.values()]
    if state.drain is Drain.FAULTING:
        due.append(state.since + FAULT_TIMEOUT)
    if state.drain is Drain.LOWERED:
        due.append(state.since + SETTLE)
    return min(due, default=None)


def contents(state: TrackState, wish: Wish) -> dict[str, int]:
    """File name (`drain`, or the instance) -> the number in it."""
    values = {name: FAULT if name in state.yielding or name in wish.without_endpoints else 0 for name in wish.instances}
    values["drain"] = {Drain.NO: 0, Drain.FAULTING: FAULT}.get(state.drain, LAST)
    return values


def recovered(value: int, now: float) -> TrackState:
    """Where a drain stood, by what a former agent left in the file."""
    phase = {FAULT: Drain.FAULTING, LAST: Drain.LOWERED}.get(value, Drain.NO)
    return TrackState(drain=phase, since=now)
