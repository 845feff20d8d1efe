"""How long nobody answered for a VIP when it moved: bounds from the protocol's own timers (RFC 9568, section 6.1).

    A      advertisement interval of the old master
    skew   (256 - priority of the new master) / 256 x A
    a backup takes over 3A + skew after the last advert it heard, and skew after one of priority 0

The old master died somewhere between its last advert and the next one it owed, so a silent death is dark for 2A + skew
to 3A + skew: measured by the new master's timer alone, no clock is compared. Where both nodes wrote a line the two
times are compared too, as far as their clocks agree, and narrow the bounds.

Who takes a layer2 address over has asked the owner all the time, and its line says for how long it got no answer. When
the owner's agent alone stopped, died or hung, its kernel went on taking what is sent to its MAC: neighbours that knew
it may have noticed nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from vipmgr.core.model import MoveReason
from vipmgr.core.spells import End, Spell

SAYS_GOODBYE: Final = frozenset(
    {
        MoveReason.STOPPED,
        MoveReason.TRACK_FAULT,
        MoveReason.DRAINED,
        MoveReason.YIELDED,
        MoveReason.NO_ENDPOINTS,
        MoveReason.DELETED,
        MoveReason.ADDRESS_LOST,
    }
)
"""Ends that keepalived announces with an advert of priority 0. A cut link cannot, a killed process does not."""


KILLED: Final = frozenset({MoveReason.DIED, MoveReason.AGENT_DIED})
"""The process was gone, the node was not."""


class Dark(NamedTuple):
    """Milliseconds, at least and at most."""

    low: float
    high: float


def timers(old: Spell, new: Spell) -> tuple[float, float]:
    """(A, skew) in seconds; (0, 0) when no line tells the interval. A priority nobody told (0) gives the longest."""
    rows = [spell.known for spell in (old, new)]
    advert = next((row.advert for row in rows if row is not None and row.advert > 0), 0.0)
    priority = new.begun.priority if new.begun is not None else 0
    return advert, (256 - priority) / 256 * advert


def dark_time(old: Spell, new: Spell, clock_error: float, *, overlapping: bool) -> Dark | None:
    """`overlapping`: the old master lived on and did not hear the new one. None: nothing tells."""
    advert, skew = timers(old, new)
    silent = _silence(old, new)
    if old.ending is not End.OWN or overlapping:
        killed = old.over is not None and old.over.reason in KILLED
        return _ms(0.0 if killed else silent[0], silent[1]) if advert else None
    error = clock_error + max(old.precision, new.precision)
    low, high = max(0.0, new.start - old.end - error), max(0.0, new.start - old.end + error)
    if not advert:
        return _ms(low, high)
    if old.reason == MoveReason.AGENT_HUNG or (old.reason == MoveReason.HIGHER_PRIORITY and _timed_out(new)):
        # it lived, but not for the new one, which the old then heard of: some may have reached it all the time
        return _ms(0.0, silent[1])
    if old.reason == MoveReason.HIGHER_PRIORITY:
        return _ms(0.0, advert)
    if old.node == new.node:
        return _ms(new.start - old.end, new.start - old.end + old.precision)
    if old.reason == MoveReason.DIED:
        # the address stays on the interface and is answered for until the new master's gratuitous ARP
        return _ms(0.0, max(3 * advert + skew, high))
    if old.reason in SAYS_GOODBYE:
        told = new.begun is not None and new.begun.priority > 0
        answers_on = old.layer2 and old.reason != MoveReason.NO_ENDPOINTS
        return _ms(0.0 if answers_on else max(low, skew) if told else low, max(high, skew))
    return _narrow(silent, (low, high))


def _silence(old: Spell, new: Spell) -> tuple[float, float]:
    """Seconds, at least and at most, that a silent old master was dark, as the new one knows; by its timers, if by no
    questions of its own. One that never heard the old one knows no most: it is the time since that wrote its last line.
    """
    advert, skew = timers(old, new)
    least, most = new.begun.dark if new.begun is not None else (None, None)
    if least is None:
        return 2 * advert + skew, 3 * advert + skew
    return least / 1000, most / 1000 if most is not None else max(least / 1000, new.start - old.alive_until)


def _timed_out(new: Spell) -> bool:
    return new.begun is not None and new.begun.reason == MoveReason.ADVERT_TIMEOUT


def _narrow(timed: tuple[float, float], measured: tuple[float, float]) -> Dark:
    """Both hold; when they cannot both hold (a first backup was gone too), the clocks have seen it."""
    low, high = max(timed[0], measured[0]), min(timed[1], measured[1])
    return _ms(low, high) if low <= high else _ms(*measured)


def _ms(low: float, high: float) -> Dark:
    return Dark(round(low * 1000, 1), round(high * 1000, 1))
