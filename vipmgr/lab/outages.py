"""From probes to dark time. Pure.

A probe sent at t and answered in time proves that the path was alive at t. The dark time of an outage is what lies
between the last answered probe before the lost ones and the first answered one after them, less one interval, since
the path may have failed right after the former. A prober that was not scheduled sends nothing and so invents nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Probe(NamedTuple):
    """One echo request. Times in nanoseconds since the epoch, `answered` 0: no answer came. `mac`: who answered."""

    sent: int
    answered: int
    mac: str


class Outage(NamedTuple):
    """`began`: the last good probe, `ended`: the first good one after it (0: it never came), `lost`: those between."""

    began: int
    ended: int
    lost: int
    dark_ms: float


class Answer(NamedTuple):
    """One ARP answer: when, and from which MAC."""

    at: int
    mac: str


def outages(probes: Sequence[Probe], interval_ns: int, patience_ns: int) -> list[Outage]:
    """Every run of probes that got no answer within `patience_ns`, oldest first.

    Probes lost before the first good one do not count: the path had not been up yet. Neither do the youngest, whose
    answers may still be on their way. The last run may be open.
    """
    newest = max((probe.sent for probe in probes), default=0)
    found: list[Outage] = []
    good = 0
    lost = 0
    for probe in sorted(probes):
        if not 0 < probe.answered <= probe.sent + patience_ns:
            lost += probe.answered > 0 or probe.sent + patience_ns <= newest
            continue
        if lost and good:
            found.append(Outage(good, probe.sent, lost, max(0, probe.sent - good - interval_ns) / 1e6))
        good, lost = probe.sent, 0
    if lost and good:
        found.append(Outage(good, 0, lost, (newest - good) / 1e6))
    return found


def dark_ms(probes: Sequence[Probe], interval_ns: int, patience_ns: int) -> float:
    """The longest outage; 0 when nothing was lost."""
    return max((outage.dark_ms for outage in outages(probes, interval_ns, patience_ns)), default=0.0)


class Contest(NamedTuple):
    """Two or more MACs that answered for one address within one window."""

    began: int
    ended: int
    macs: frozenset[str]


def contests(answers: Iterable[Answer], window_ns: int) -> list[Contest]:
    """When more than one MAC answered ARP for the same address: A, then B, then A again, each within `window_ns`.

    A plain move (A until now, B from now on) is none: the old one must be heard again after the new one.
    """
    found: list[Contest] = []
    last_seen: dict[str, int] = {}
    previous = ""
    for answer in sorted(answers):
        again = last_seen.get(answer.mac)
        if previous and previous != answer.mac and again is not None and answer.at - again <= window_ns:
            macs = frozenset({previous, answer.mac})
            if found and answer.at - found[-1].ended <= window_ns:
                found[-1] = Contest(found[-1].began, answer.at, found[-1].macs | macs)
            else:
                found.append(Contest(again, answer.at, macs))
        last_seen[answer.mac] = answer.at
        previous = answer.mac
    return found
