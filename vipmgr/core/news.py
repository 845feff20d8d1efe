"""What a report says that was not told before: for a reader that judges the same growing record again and again."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

from vipmgr.core.findings import Failover, Flap, Heard, HopLoss, NoOwner, Report, SessionLoss, SplitBrain
from vipmgr.core.ledger import Hole

Finding = SplitBrain | NoOwner | Failover | Flap | SessionLoss | HopLoss | Heard | Hole

HEARD_AGAIN: Final = 600.0
"""Seconds of silence after which another speaker is news again."""


class News:
    """Each finding once; one that was told while it went on is told again with its end."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], float] = {}

    def of(self, report: Report, *, before: float, since: float) -> list[Finding]:
        """In the order of time. What happened after `before` waits: lines about it may be on their way. What happened
        before `since` (Ledger.whole_since) is not told: it cannot be judged any more."""
        self._told = {key: at for key, at in self._told.items() if at >= since}
        fresh = []
        for at, key, finding in _keyed(report):
            if not since <= at <= before:
                continue
            last = self._told.get(key, -inf)
            self._told[key] = max(at, last)
            if _is_new(finding, at, last):
                fresh.append((at, finding))
        return [finding for _, finding in sorted(fresh, key=lambda pair: pair[0])]


def _is_new(finding: Finding, at: float, last: float) -> bool:
    """`last`: when it was told; -inf: never. What grows has one key for all its occurrences."""
    match finding:
        case Heard():
            return at - last > HEARD_AGAIN
        case Flap():
            return finding.since > last
    return last == -inf


def _keyed(report: Report) -> Iterator[tuple[float, tuple[object, ...], Finding]]:
    """Every finding with its newest moment, and with what stays the same while later lines sharpen times and bounds."""
    for split in report.split_brain:
        yield split.until or split.since, (SplitBrain, split.instance, split.line, split.until is None), split
    for empty in report.no_owner:
        about = empty.instance, empty.vips[:1], empty.line
        yield empty.until or empty.since, (NoOwner, *about, empty.until is None), empty
    for move in report.failovers:
        yield move.at, (Failover, move.instance, move.line), move
    for fell in report.sessions:
        yield fell.until or fell.since, (SessionLoss, fell.address, fell.line, fell.until is None), fell
    for hop in report.hops:
        yield hop.until or hop.since, (HopLoss, hop.vips[0], hop.line, hop.until is None), hop
    for flap in report.flaps:
        yield flap.until, (Flap, flap.instance), flap
    for heard in (*report.contested, *report.strangers):
        yield heard.until, (Heard, heard.node, heard.subject, heard.source), heard
    for hole in report.holes:
        yield report.ends, (Hole, hole), hole
