"""The audit's verdict beside what the client saw: do they agree? Pure.

The client measures darkness; the audit never saw the client and gives a cause and bounds, from the nodes' lines alone.
They agree when the audit names the same move in the same window, no move where there was none, and the client's
measure lies within its bounds, give or take what the prober cannot resolve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vipmgr.core.audit import judge
from vipmgr.core.audit_line import read_line
from vipmgr.core.findings import PARTITION, Failover, Limits, Report
from vipmgr.core.ledger import Ledger
from vipmgr.core.model import MoveReason

CLOCK_ERROR = 0.02
"""seconds; all nodes of a lab read one clock"""
TOLERANCE_MS = 25.0
"""one probe on either side, and the time the first gratuitous ARP takes when the machine is busy"""

ANSWERS_ON = frozenset({PARTITION, MoveReason.DIED})
"""Causes after which the old master's kernel may go on answering: dark for less than the timers say, or not at all."""


class Seen(NamedTuple):
    """What the client and the kernels saw of one VIP between `began` and `ended` (seconds since the epoch)."""

    vip: str
    began: float
    ended: float
    source: str
    target: str
    dark_ms: float


class Verdict(NamedTuple):
    """`failover`: the audit's last of this VIP in the window, None for none. `objection`: "" when both agree."""

    failover: Failover | None
    objection: str


def audit(lines: Iterable[str]) -> Report:
    """The audit of these lines of all nodes, in any order."""
    ledger = Ledger()
    for line in lines:
        if (read := read_line(line.encode())) is not None:
            ledger.add(read)
    return judge(ledger, Limits(clock_error=CLOCK_ERROR))


def compare(seen: Seen, report: Report) -> Verdict:
    moves = [
        one for one in report.failovers if seen.vip in one.vips and seen.began - CLOCK_ERROR <= one.at <= seen.ended
    ]
    moved = seen.source != seen.target
    if not moves:
        lost = seen.dark_ms > TOLERANCE_MS
        return Verdict(None, "the audit saw no move" if moved else "dark, and the audit saw nothing" if lost else "")
    first, last = moves[0], moves[-1]
    if (first.source, last.target) != (seen.source, seen.target):
        return Verdict(last, f"the VIP went from {seen.source} to {seen.target}")
    return Verdict(last, _dark_objection(seen.dark_ms, moves))


def _dark_objection(dark_ms: float, moves: Sequence[Failover]) -> str:
    """The longest darkness the client saw is that of one of the moves."""
    bounds = [one.dark for one in moves if one.dark is not None]
    if not bounds:
        return "the audit knows no bounds"
    low = 0.0 if any(one.cause in ANSWERS_ON for one in moves) else max(one.low for one in bounds)
    high = max(one.high for one in bounds)
    if low - TOLERANCE_MS <= dark_ms <= high + TOLERANCE_MS:
        return ""
    return f"{dark_ms:.0f} ms is not within {low:.0f}-{high:.0f} ms"
