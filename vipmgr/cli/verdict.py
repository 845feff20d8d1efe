"""An audit's Report as an operator reads it at three in the morning: what is wrong now, what went wrong, what moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from vipmgr.cli.output import BOLD, GREEN, RED, YELLOW, ago, clock_time, iso, paint, shortened, table
from vipmgr.core.darkness import Dark
from vipmgr.core.findings import HopLoss, NoOwner, Report, SessionLoss, SplitBrain

CLEAN: Final = 0
SPLIT_BRAIN: Final = 3
INCOMPLETE: Final = 4
NOBODY: Final = 5

_TIMES: Final = frozenset({"at", "since", "until", "begins", "ends"})


def status_of(report: Report) -> int:
    """The worst that the report has to say, as an exit status."""
    if report.split_brain or any(one.times >= 3 for one in report.contested):
        return SPLIT_BRAIN
    if report.no_owner:
        return NOBODY
    return INCOMPLETE if report.holes else CLEAN


def narrowed(report: Report, *, since: float | None, vip: str, node: str, instance: str) -> Report:
    """Only what touches this VIP, node or instance, and did not end before `since`."""

    def keeps(one: Any) -> bool:
        ended = one.until if hasattr(one, "until") else getattr(one, "at", None)
        if since is not None and ended is not None and ended < since:
            return False
        named = {getattr(one, name, None) for name in ("node", "source", "target", "last")}
        nodes = named | set(getattr(one, "nodes", ()))
        known = getattr(one, "instance", getattr(one, "subject", None))
        return (
            (not vip or vip in getattr(one, "vips", (vip,)))
            and (not node or node in nodes)
            and (not instance or known is None or known == instance)
        )

    kept: dict[str, Any] = {
        name: tuple(filter(keeps, getattr(report, name)))
        for name in (
            "split_brain", "no_owner", "failovers", "sessions", "hops", "flaps", "contested", "strangers", "holes",
            "silent",
        )
    }  # fmt: skip
    held = tuple(
        one for one in report.holders if (not vip or vip in one.vips) and (not instance or one.instance == instance)
    )
    return replace(report, **kept, holders=held)


def plain(report: Report) -> dict[str, Any]:
    """For machines: camelCase, times RFC 3339 in UTC, `darkMs` [low, high]."""
    found = msgspec.to_builtins(simple(report))
    return {"status": status_of(report), **found}


def simple(value: Any) -> Any:
    """A finding as a mapping, its times as text."""
    if isinstance(value, Dark):
        return [value.low, value.high]
    fields = getattr(value, "_fields", None) or getattr(value, "__slots__", None)
    if fields and not isinstance(value, str):
        return {_camel(name): _timed(name, getattr(value, name)) for name in fields}
    return [simple(one) for one in value] if isinstance(value, tuple | list) else value


def _timed(name: str, value: Any) -> Any:
    return iso(value) if name in _TIMES and (value is None or isinstance(value, float)) else simple(value)


def _camel(name: str) -> str:
    name = {"source": "from", "target": "to", "dark": "darkMs"}.get(name, name)
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def told(report: Report, now: float) -> Iterator[str]:
    """Lines for a person, the worst first. `now`: times of another day are shown with their date."""
    yield from _verdict(report)
    yield from _split(report, now)
    yield from _nobody(report, now)
    yield from _failovers(report, now)
    yield from _sessions(report, now)
    yield from _hops(report, now)
    yield from _others(report, now)
    yield from _record(report, now)


def _verdict(report: Report) -> Iterator[str]:
    now = [one for one in report.split_brain if one.until is None]
    empty = [one for one in report.no_owner if one.until is None]
    for one in now:
        yield paint(f"SPLIT BRAIN NOW  {one.instance}: {' and '.join(one.nodes)} both MASTER", RED)
    for gap in empty:
        yield paint(f"NOBODY HOLDS  {shortened(gap.vips) or gap.instance} (instance {gap.instance})", RED)
    if not report.lines:
        yield "no audit lines"
    elif not now and not empty:
        past = len(report.split_brain), len(report.no_owner), len(report.failovers)
        words = f"{past[2]} failovers, {past[0]} split brains, {past[1]} times without an owner"
        down = sum(one.until is None for one in report.sessions)
        if report.sessions:
            words += f", {len(report.sessions)} BGP sessions lost" + (f" ({down} still down)" if down else "")
        owned = f"All {len(report.holders)} instances have one owner now. " if report.holders else ""
        yield paint(f"{owned}{words}.", YELLOW if past[0] or past[1] or down else GREEN)


def _split(report: Report, now: float) -> Iterator[str]:
    rows = [
        (*_lasted(one, now), one.instance, " + ".join(one.nodes), one.healed_by, shortened(one.vips))
        for one in reversed(report.split_brain)
    ]
    yield from _section("SPLIT BRAIN", ("SINCE", "LASTED", "INSTANCE", "MASTERS", "ENDED BY", "VIPS"), rows, RED)


def _nobody(report: Report, now: float) -> Iterator[str]:
    rows = [
        (*_lasted(one, now), one.instance, one.last, one.cause, shortened(one.vips))
        for one in reversed(report.no_owner)
    ]
    yield from _section("WITHOUT AN OWNER", ("SINCE", "LASTED", "INSTANCE", "LAST", "WHY", "VIPS"), rows, RED)


def _failovers(report: Report, now: float) -> Iterator[str]:
    rows = [
        (
            clock_time(one.at, now),
            one.instance,
            f"{one.source} -> {one.target}",
            bounds(one.dark),
            one.cause,
            shortened(one.vips),
        )
        for one in reversed(report.failovers)
    ]
    yield from _section("FAILOVERS, newest first", ("WHEN", "INSTANCE", "MOVED", "DARK", "WHY", "VIPS"), rows, BOLD)


def _sessions(report: Report, now: float) -> Iterator[str]:
    rows = [
        (*_lasted(one, now), one.node, f"{one.peer} ({one.address})", one.reason, str(one.carried))
        for one in reversed(report.sessions)
    ]
    yield from _section("BGP SESSIONS LOST", ("SINCE", "LASTED", "NODE", "WITH", "WHY", "ADDRESSES"), rows, BOLD)


def _hops(report: Report, now: float) -> Iterator[str]:
    rows = [(*_lasted(one, now), one.node, left(one), one.cause, shortened(one.vips)) for one in reversed(report.hops)]
    yield from _section("NEXT HOPS LOST", ("SINCE", "LASTED", "NODE", "LEFT", "WHY", "VIPS"), rows, BOLD)


def _others(report: Report, now: float) -> Iterator[str]:
    flaps = [
        (clock_time(one.since, now), length(one.until - one.since), one.instance, str(one.failovers),
         " ".join(one.nodes))
        for one in report.flaps
    ]  # fmt: skip
    yield from _section("FLAPPING", ("SINCE", "FOR", "INSTANCE", "MOVES", "NODES"), flaps, YELLOW)
    for title, found in (("ANOTHER MASTER HEARD", report.contested), ("STRANGERS HEARD", report.strangers)):
        heard = [
            (clock_time(one.until, now), one.node, one.subject, one.source or "?", str(one.times)) for one in found
        ]
        yield from _section(title, ("LAST", "BY", "ABOUT", "FROM", "TIMES"), heard, YELLOW)


def _record(report: Report, now: float) -> Iterator[str]:
    """How far the rest can be trusted."""
    notes = [f"{one.node}: {lost(one.first, one.last, one.lines)}" for one in report.holes]
    notes += [
        f"{one.node} has said nothing since {clock_time(one.since, now)}; it held {shortened(one.held)}"
        for one in report.silent
    ]
    notes += [
        f"{one.node}'s clock was set by {one.seconds:+.3f} s at {clock_time(one.at, now)}" for one in report.steps
    ]
    notes += [
        f"{one.node}'s clock is {one.ahead * 1000:+.0f} ms against {one.of}'s, by {one.handovers} handovers; corrected"
        for one in report.clocks
    ]
    if notes:
        yield from ("", paint("THE RECORD", YELLOW), *notes)
    if report.lines:
        span = f"{clock_time(report.begins, now)} to {clock_time(report.ends, now)}"
        yield ""
        yield (
            f"{report.lines} lines of {len(report.nodes)} nodes ({shortened(report.nodes, 6)}), {span}; "
            f"clocks taken to agree within {report.clock_error * 1000:.0f} ms"
        )


def _lasted(one: SplitBrain | NoOwner | SessionLoss | HopLoss, now: float) -> tuple[str, str]:
    return clock_time(one.since, now), "goes on" if one.until is None else length(one.until - one.since)


def _section(title: str, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]], colour: str) -> Iterator[str]:
    if rows:
        yield from ("", paint(title, colour), *table(headers, rows))


def left(one: HopLoss) -> str:
    """How many next hops there still were."""
    return f"{len(one.left)} left: {', '.join(one.left)}" if one.left else "none left"


def lost(first: int, last: int, lines: int) -> str:
    if not first:
        return "missed a transition, and says so"
    return f"{lines} lines are missing ({first if first == last else f'{first}-{last}'})"


def length(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 10 else ago(seconds)


def bounds(dark: Dark | None) -> str:
    if dark is None:
        return "?"
    if dark.high >= 10_000:
        return ago(dark.high / 1000)
    low, high = f"{dark.low:.0f}", f"{dark.high:.0f}"
    return f"{high}ms" if low == high else f"{low}-{high}ms"
