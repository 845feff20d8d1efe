"""The audit's verdict beside what the client saw: do they agree? Pure.

The client measures darkness; the audit never saw the client and gives a cause and bounds, from the nodes' lines alone.
They agree when the audit names the same move in the same window, no move where there was none, and the client's
measure lies within its bounds, give or take what the prober cannot resolve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from vipmgr.core.audit import judge
from vipmgr.core.audit_line import Event, read_line
from vipmgr.core.bgp_report import ESTABLISHED
from vipmgr.core.darkness import KILLED, Dark
from vipmgr.core.findings import PARTITION, Failover, Limits, Report, SplitBrain
from vipmgr.core.ledger import Ledger
from vipmgr.core.model import MoveReason

CLOCK_ERROR: Final = Limits().clock_error
"""Seconds. All nodes of a lab read one clock, but a line is written a moment after the fact."""
TOLERANCE_MS: Final = 25.0
"""one probe on either side, and the time the first gratuitous ARP takes when the machine is busy"""

NOTICE_SECONDS: Final = 1.0
"""until a node, too, has noticed what its router noticed, and its agent has heard of it"""
ANSWERS_ON: Final = frozenset({PARTITION, MoveReason.AGENT_HUNG, *KILLED})
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
    """What the audit says of this VIP in the window: `cause` ("" when it saw no move) and the bounds of the darkness.

    `objection`: "" when both agree."""

    cause: str
    dark: Dark | None
    objection: str


def audit(lines: Iterable[str]) -> Report:
    """The audit of these lines of all nodes, in any order."""
    ledger = Ledger()
    for line in lines:
        if (read := read_line(line.encode())) is not None:
            ledger.add(read)
    return judge(ledger, Limits())


def compare(seen: Seen, report: Report) -> Verdict:
    moves = [one for one in report.failovers if seen.vip in one.vips and _within(one.at, seen)]
    healed = [one for one in report.split_brain if seen.vip in one.vips and _within(one.until, seen)]
    if moves:
        return _of_moves(seen, moves)
    if healed:
        return _of_healing(seen, healed[-1])
    if seen.source != seen.target:
        return Verdict("", None, "the audit saw no move")
    return Verdict("", None, "dark, and the audit saw nothing" if seen.dark_ms > TOLERANCE_MS else "")


def compare_sessions(seen: Seen, lines: Iterable[str]) -> Verdict:
    """For BGP: a client that was dark must find the reason among the sessions that fell.

    A session says nothing about how long traffic took to find another way, so there are no bounds; a drain withdraws
    its routes first, keeps its sessions, and the client must not notice.
    """
    fell = [
        f"session of {line.node} fell: {line.reason}"
        for text in lines
        if (line := read_line(text.encode())) is not None
        and line.event == Event.BGP_SESSION
        and line.from_ == ESTABLISHED
        and seen.began - CLOCK_ERROR <= line.time.timestamp() <= seen.ended + NOTICE_SECONDS
    ]
    if fell:
        return Verdict(fell[0], None, "")
    objection = "dark, and no session fell" if seen.dark_ms > TOLERANCE_MS else ""
    return Verdict("routes withdrawn", None, objection)


def _within(at: float | None, seen: Seen) -> bool:
    return at is not None and seen.began - CLOCK_ERROR <= at <= seen.ended + CLOCK_ERROR


def _of_healing(seen: Seen, split: SplitBrain) -> Verdict:
    """Two masters became one: whoever the audit says survived answers the client."""
    agreed = seen.target == split.survivor and seen.source in split.nodes
    objection = "" if agreed else f"the VIP went from {seen.source} to {seen.target}"
    return Verdict(f"split brain of {' and '.join(split.nodes)} ends", None, objection)


def _of_moves(seen: Seen, moves: Sequence[Failover]) -> Verdict:
    """The longest darkness the client saw is that of one of the moves."""
    first, last = moves[0], moves[-1]
    bounds = [one.dark for one in moves if one.dark is not None]
    if (first.source, last.target) != (seen.source, seen.target):
        return Verdict(last.cause, last.dark, f"the VIP went from {seen.source} to {seen.target}")
    if not bounds:
        return Verdict(last.cause, None, "the audit knows no bounds")
    low = 0.0 if any(one.cause in ANSWERS_ON for one in moves) else max(one.low for one in bounds)
    dark = Dark(low, max(one.high for one in bounds))
    if dark.low - TOLERANCE_MS <= seen.dark_ms <= dark.high + TOLERANCE_MS:
        return Verdict(last.cause, dark, "")
    return Verdict(last.cause, dark, f"{seen.dark_ms:.0f} ms is not within {dark.low:.0f}-{dark.high:.0f} ms")
