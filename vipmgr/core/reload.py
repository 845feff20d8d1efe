"""When a node's configuration is checked, installed, reloaded, confirmed or taken back: events + now -> effects.

    state, effects = step(state, event, now)      # `step(state, Tick(), now)` at `deadline(state)` or later

    Wanted -> [Check] Checked -> [Install] Installed -> [Reload] Reloaded -> [Inspect] Inspected -> [Confirm]

One change is under way at a time; of those that arrive meanwhile only the newest is kept, so a burst costs one reload.
A refusal at any stage leaves the confirmed configuration in force, and in the file. A reload that is not heard of is
asked for once more and then reported; keepalived is never restarted for it. While keepalived is not running a change is
installed all the same: the next start reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from vipmgr.core import spec_check
from vipmgr.core.wire import VipNodeSpec

RELOAD_TIMEOUT: Final = 5.0
INSPECT_AGAIN: Final = 0.05
INSPECT_SLOWLY: Final = 1.0
DISAGREE_TIMEOUT: Final = 5.0
RETRY_INSTALL: Final = 15.0
TRIES: Final = 2


class Phase(StrEnum):
    IDLE = "idle"
    CHECKING = "checking"
    INSTALLING = "installing"
    WAITING = "waiting for keepalived"
    RELOADING = "reloading"
    INSPECTING = "inspecting"
    RESTORING = "restoring the file"


# --- events ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    spec: VipNodeSpec


@dataclass(frozen=True, slots=True)
class Checked:
    """`complaint`: None when the draft is good. `temporary`: it could not be judged (full disk); try again later."""

    complaint: str | None
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Installed:
    """The answer to Install and Restore. `error`: why the file could not be written (full disk), None when it was."""

    error: str | None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """keepalived's log: `Reload complete`, or `Startup complete`."""


@dataclass(frozen=True, slots=True)
class ReloadRefused:
    """keepalived's log: `New config failed validation`; it goes on with the old one."""

    words: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """Kernel and keepalived compared with the plan: what does not agree (empty: confirmed)."""

    disagreements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Up:
    """keepalived runs, its VRRP process included."""


@dataclass(frozen=True, slots=True)
class Down:
    """keepalived does not run."""


@dataclass(frozen=True, slots=True)
class Stale:
    """keepalived must read what is in force again: an interface it had open is another one now."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Wanted | Checked | Installed | Reloaded | ReloadRefused | Inspected | Up | Down | Stale | Tick


# --- effects ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """Write the draft and let keepalived -t judge it; answer with Checked."""

    spec: VipNodeSpec


@dataclass(frozen=True, slots=True)
class Install:
    """Make the draft the live file; answer with Installed."""

    spec: VipNodeSpec


@dataclass(frozen=True, slots=True)
class Reload:
    """SIGHUP."""


@dataclass(frozen=True, slots=True)
class Inspect:
    """Compare keepalived and the kernel with this plan; answer with Inspected."""

    spec: VipNodeSpec


@dataclass(frozen=True, slots=True)
class Restore:
    """Put the confirmed configuration back in the live file, with which keepalived runs; answer with Installed."""

    spec: VipNodeSpec


@dataclass(frozen=True, slots=True)
class Confirm:
    """`before`: what was in force. `reload_ms`: SIGHUP to `Reload complete`; None when no reload was needed."""

    spec: VipNodeSpec
    before: VipNodeSpec | None
    reload_ms: int | None


@dataclass(frozen=True, slots=True)
class Refuse:
    spec: VipNodeSpec
    message: str


@dataclass(frozen=True, slots=True)
class Complain:
    """Not refused, not confirmed: the reload is stuck, or the kernel does not agree."""

    spec: VipNodeSpec
    message: str


Effect = Check | Install | Reload | Inspect | Restore | Confirm | Refuse | Complain


@dataclass(frozen=True, slots=True)
class ConfigState:
    """`confirmed`: in force. `current`: under way. `queued`: the newest that arrived meanwhile.

    `running`: keepalived runs. `at`: when the next Tick matters. `began`: when the phase's first attempt began.
    `refused`: the revision last refused for good (a repeated Wanted of it is not tried again). `stale`: keepalived
    must reload, whatever becomes of the change under way.
    """

    confirmed: VipNodeSpec | None = None
    current: VipNodeSpec | None = None
    queued: VipNodeSpec | None = None
    phase: Phase = Phase.IDLE
    running: bool = False
    at: float | None = None
    began: float = 0.0
    tries: int = 0
    reload_ms: int | None = None
    complained: bool = False
    asked_again: bool = False
    refused: str = ""
    stale: bool = False


Step = tuple[ConfigState, tuple[Effect, ...]]


def resume(spec: VipNodeSpec) -> ConfigState:
    """A former agent confirmed `spec` and the live file still holds it: compare once keepalived runs."""
    return ConfigState(confirmed=spec, current=spec, phase=Phase.WAITING)


def deadline(state: ConfigState) -> float | None:
    return state.at


def step(state: ConfigState, event: Event, now: float) -> Step:
    """An answer that comes when nobody waits for it any more changes nothing."""
    match event:
        case Wanted(spec):
            return _want(state, spec, now)
        case Checked() if state.phase is Phase.CHECKING:
            return _checked(state, event, now)
        case Installed(error):
            return _written(state, error, now)
        case Reloaded() | ReloadRefused() | Inspected():
            return _answered(state, event, now)
        case Up() | Down() | Stale():
            return _lived(state, event, now)
        case Tick() if state.at is not None and now >= state.at:
            return _tick(state, now)
    return state, ()


def _lived(state: ConfigState, event: Up | Down | Stale, now: float) -> Step:
    match event:
        case Up():
            return _up(state, now)
        case Down():
            return _down(state)
        case Stale():
            return _stale(replace(state, stale=True), now)


def _answered(state: ConfigState, event: Reloaded | ReloadRefused | Inspected, now: float) -> Step:
    match event:
        case Reloaded() if state.phase in (Phase.RELOADING, Phase.WAITING):
            return _inspect(replace(state, running=True, reload_ms=_reload_ms(state, now)), now)
        case ReloadRefused(words) if state.phase in (Phase.RELOADING, Phase.INSPECTING):
            return _taken_back(state, words, now)
        case Inspected(disagreements) if state.phase is Phase.INSPECTING:
            return _inspected(state, disagreements, now)
    return state, ()


def _want(state: ConfigState, spec: VipNodeSpec, now: float) -> Step:
    """`revision` says whether two specs ask for the same; the rest of one may be the controller's own notes."""
    if state.current is not None:
        newest = replace(state, queued=None if spec.revision == state.current.revision else spec)
        waits = state.phase is Phase.RESTORING and state.at is not None  # the new file may fit on the disk
        return _next(newest, (), now) if waits and newest.queued is not None else (newest, ())
    known = state.confirmed.revision if state.confirmed is not None else ""
    if spec.revision == known and (state.refused or state.queued is not None):  # what was refused is asked for no more
        return _confirm(replace(state, current=spec, queued=None, reload_ms=None), now)
    if spec.revision in (known, state.refused):
        return replace(state, queued=None), ()
    complaint = spec_check.complaint(spec)
    if complaint is not None:
        return replace(state, queued=None, refused=spec.revision), (Refuse(spec, complaint),)
    if state.confirmed is not None and spec.keepalived == state.confirmed.keepalived:
        return _confirm(replace(state, current=spec, reload_ms=None), now)
    fresh = replace(state, current=spec, queued=None, phase=Phase.CHECKING, at=None, tries=0)
    return fresh, (Check(spec),)


def _checked(state: ConfigState, checked: Checked, now: float) -> Step:
    assert state.current is not None  # noqa: S101 - CHECKING has one
    if checked.complaint is not None and checked.temporary:
        return _put_off(state, checked.complaint, now)
    if checked.complaint is not None:
        refusal = Refuse(state.current, checked.complaint)
        return _next(replace(state, refused=state.current.revision), (refusal,), now)
    if state.queued is not None:  # something newer is here: do not even install this one
        return _next(state, (), now)
    return replace(state, phase=Phase.INSTALLING, at=None), (Install(state.current),)


def _put_off(state: ConfigState, error: str, now: float) -> Step:
    """A full disk may be emptied again, so this refusal is not for good."""
    assert state.current is not None  # noqa: S101
    later = replace(state, phase=Phase.IDLE, at=now + RETRY_INSTALL, queued=state.queued or state.current, current=None)
    return later, (Refuse(state.current, error),)


def _written(state: ConfigState, error: str | None, now: float) -> Step:
    match state.phase:
        case Phase.INSTALLING:
            return _installed(state, now) if error is None else _put_off(state, error, now)
        case Phase.RESTORING if error is not None and state.queued is None:
            return replace(state, at=now + RETRY_INSTALL), ()
        case Phase.RESTORING:
            return _next(state, (), now)
    return state, ()


def _installed(state: ConfigState, now: float) -> Step:
    if not state.running:
        return replace(state, phase=Phase.WAITING, at=None, began=now), ()
    return _reload(replace(state, tries=0), now)


def _reload(state: ConfigState, now: float) -> Step:
    began = now if state.tries == 0 else state.began
    due = now + RELOAD_TIMEOUT
    waiting = replace(state, phase=Phase.RELOADING, tries=state.tries + 1, began=began, at=due, stale=False)
    return waiting, (Reload(),)


def _stale(state: ConfigState, now: float) -> Step:
    """Reload at once, unless a reload is to come anyway or keepalived is only just starting."""
    if not state.running or not state.stale:
        return state, ()
    if state.phase in (Phase.RELOADING, Phase.INSPECTING):
        return _reload(replace(state, tries=0), now)
    if state.phase is Phase.IDLE and state.confirmed is not None:
        return _reload(replace(state, current=state.confirmed, tries=0), now)
    return state, ()


def _inspect(state: ConfigState, now: float) -> Step:
    assert state.current is not None  # noqa: S101
    return replace(state, phase=Phase.INSPECTING, at=None, began=now, tries=0), (Inspect(state.current),)


def _inspected(state: ConfigState, disagreements: tuple[str, ...], now: float) -> Step:
    assert state.current is not None  # noqa: S101
    if not disagreements:
        return _confirm(state, now)
    if state.queued is not None and now - state.began >= INSPECT_SLOWLY:
        return _next(state, (), now)
    if now - state.began < DISAGREE_TIMEOUT:
        return replace(state, at=now + INSPECT_AGAIN), ()
    if not state.asked_again and state.running:  # it may have started before the file was there, or missed a signal
        return _reload(replace(state, asked_again=True, tries=0), now)
    effects = () if state.complained else (Complain(state.current, "; ".join(disagreements[:5])),)
    return replace(state, at=now + INSPECT_SLOWLY, complained=True), effects


def _confirm(state: ConfigState, now: float) -> Step:
    assert state.current is not None  # noqa: S101
    effect = Confirm(state.current, state.confirmed, state.reload_ms)
    return _next(replace(state, confirmed=state.current, refused="", reload_ms=None), (effect,), now)


def _taken_back(state: ConfigState, words: str, now: float) -> Step:
    """keepalived looked again and said no: the file must hold what it runs with."""
    assert state.current is not None  # noqa: S101
    refused, refusal = replace(state, refused=state.current.revision, at=None), Refuse(state.current, words)
    if state.confirmed is None:
        return _next(refused, (refusal,), now)
    return replace(refused, phase=Phase.RESTORING), (Restore(state.confirmed), refusal)


def _up(state: ConfigState, now: float) -> Step:
    """A start reads the live file: what waited for it, or for a reload, is now to be compared."""
    up = replace(state, running=True)
    if state.phase in (Phase.WAITING, Phase.RELOADING, Phase.INSPECTING) and state.current is not None:
        up, effects = _inspect(up, now)
        return _stale(up, now) if up.stale else (up, effects)
    return _stale(up, now)


def _down(state: ConfigState) -> Step:
    down = replace(state, running=False, stale=False)  # its next start opens everything anew
    if state.phase in (Phase.RELOADING, Phase.INSPECTING):
        return replace(down, phase=Phase.WAITING, at=None), ()
    return down, ()


def _tick(state: ConfigState, now: float) -> Step:
    quiet = replace(state, at=None)
    match state.phase:
        case Phase.RELOADING if state.tries < TRIES:
            return _reload(quiet, now)
        case Phase.RELOADING:
            # Reported, and looked at all the same: the line may have been lost while the change was not.
            assert state.current is not None  # noqa: S101
            message = f"keepalived did not finish reloading within {TRIES} x {RELOAD_TIMEOUT:.0f} s"
            inspecting, effects = _inspect(quiet, now)
            return replace(inspecting, complained=True), (Complain(state.current, message), *effects)
        case Phase.INSPECTING:
            assert state.current is not None  # noqa: S101
            return quiet, (Inspect(state.current),)
        case Phase.RESTORING:
            assert state.confirmed is not None  # noqa: S101
            return quiet, (Restore(state.confirmed),)
        case Phase.IDLE if state.queued is not None:
            return _next(quiet, (), now)
    return quiet, ()


def _next(state: ConfigState, effects: tuple[Effect, ...], now: float) -> Step:
    """Done with `current`, well or not: take up what was queued."""
    after = ConfigState(confirmed=state.confirmed, running=state.running, refused=state.refused, stale=state.stale)
    if state.queued is not None:
        after, more = _want(after, state.queued, now)
        effects += more
    after, more = _stale(after, now)
    return after, (*effects, *more)


def _reload_ms(state: ConfigState, now: float) -> int | None:
    return round((now - state.began) * 1000) if state.phase is Phase.RELOADING else None
