"""Findings as `vipmgr audit --follow` prints them: each a line for a person, a JSON object or YAML document for a
machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from vipmgr.cli.output import BOLD, RED, YELLOW, clock_time, dump, paint, shortened
from vipmgr.cli.verdict import bounds, left, length, lost, simple
from vipmgr.core.findings import Failover, Flap, Heard, HopLoss, NoOwner, SessionLoss, SplitBrain
from vipmgr.core.ledger import Hole
from vipmgr.core.news import Finding

NAMES: Final = {
    SplitBrain: "splitBrain",
    NoOwner: "noOwner",
    Failover: "failover",
    Flap: "flap",
    SessionLoss: "sessionLoss",
    HopLoss: "hopLoss",
    Heard: "heard",
    Hole: "hole",
}


def news(findings: Iterable[Finding], output: str, now: float) -> Iterator[str]:
    for one in findings:
        if output == "table":
            yield "  ".join(part for part in _told(one, now) if part)
            continue
        plain = {"finding": NAMES[type(one)], **msgspec.to_builtins(simple(one))}
        yield msgspec.json.encode(plain).decode() if output == "json" else f"---\n{dump(plain, 'yaml')}"


def _told(one: Finding, now: float) -> tuple[str, ...]:
    match one:
        case Failover():
            what = f"{one.source} -> {one.target}  dark {bounds(one.dark)}  {one.cause}"
            return clock_time(one.at, now), paint("FAILOVER", BOLD), one.instance, what, shortened(one.vips)
        case SplitBrain():
            what = f"{' and '.join(one.nodes)} both MASTER"
            return *_span(one, "SPLIT BRAIN", now), one.instance, what, one.healed_by, shortened(one.vips)
        case NoOwner():
            what = f"held by nobody since {one.last}"
            return *_span(one, "NO OWNER", now), one.instance, what, one.cause, shortened(one.vips)
        case SessionLoss():
            what = f"{one.node} and {one.peer} ({one.address})"
            return *_span(one, "BGP SESSION LOST", now), what, one.reason, one.evidence
        case HopLoss():
            what = f"{one.node} carries them no more, {left(one)}"
            return *_span(one, "NEXT HOP LOST", now), what, one.cause, shortened(one.vips)
        case Flap():
            what = f"{one.failovers} moves in {length(one.until - one.since)}: {' '.join(one.nodes)}"
            return clock_time(one.until, now), paint("FLAPPING", YELLOW), one.instance, what
        case Heard():
            what = f"{one.node} hears {one.source or 'another speaker'}"
            return clock_time(one.until, now), paint("HEARD", YELLOW), one.subject, what
        case Hole():
            return clock_time(now, now), paint("LINES LOST", YELLOW), one.node, lost(one.first, one.last, one.lines)


def _span(one: SplitBrain | NoOwner | SessionLoss | HopLoss, title: str, now: float) -> tuple[str, str]:
    """When it began; or when it ended, and how long it lasted."""
    if one.until is None:
        return clock_time(one.since, now), paint(title, RED)
    return clock_time(one.until, now), paint(f"{title} ENDED", YELLOW) + f" after {length(one.until - one.since)}"
