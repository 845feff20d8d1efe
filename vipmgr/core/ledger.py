"""Audit lines of all nodes, in any order, some twice, some lost -> one record that `core.audit` can judge.

Order within a node is exact (`seq`). Between nodes it is only as good as their clocks: a line's time is taken from the
node's monotonic clock plus the distance to the wall clock that its *newest* line of that boot shows, so a clock that
was set in between does not tear the record, and is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

from vipmgr.core.audit_line import LINES_LOST, AuditLine, Event
from vipmgr.core.bgp_record import BgpRecord, BgpRow
from vipmgr.core.keepalived_words import State
from vipmgr.core.model import MoveReason

CLOCK_STEP: Final = 0.05
"""Seconds by which wall and monotonic clock must part to count as a step; slewing moves them far less per line."""


class Row(NamedTuple):
    """A transition; or, with instance "", the start of another keepalived or agent: what the one before held is over.

    `layer2`: the agent itself answers for it; without, keepalived. `dark`: milliseconds without an answer before this,
    at least and at most, by the node's own questions.
    """

    at: float
    seq: int
    node: str
    boot: str
    instance: str
    was: str
    now: str
    priority: int
    advert: float
    vips: tuple[str, ...]
    reason: str
    evidence: str
    precision: float
    layer2: bool = False
    dark: tuple[float | None, float | None] = (None, None)


class Sighting(NamedTuple):
    """Another speaker was heard: another MASTER of ours (contested) or a stranger."""

    at: float
    node: str
    subject: str
    source: str


class ClockStep(NamedTuple):
    node: str
    at: float
    seconds: float


class Hole(NamedTuple):
    """Lines `first` to `last` (of one node's boot) never arrived; 0-0: the node itself says that it missed some."""

    node: str
    boot: str
    first: int
    last: int
    lines: int


@dataclass(slots=True)
class Boot:
    """What is known of one run of a node's agent. `first_at`, `last_at` are wall clock times, as written.

    `clocks`: one entry per setting of the wall clock: its distance to the monotonic clock, and the monotonic times of
    the first and the last line written under it. `previous`: boot and last seq of the run before, by its own word.
    `began`: by the monotonic clock, when it said so; other lines may tell of what happened before.
    """

    node: str
    boot: str
    first_at: float
    last_at: float
    clocks: list[list[float]] = field(default_factory=list)
    first_seq: int = 0
    top: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    previous: tuple[str, int] = ("", 0)
    began: float | None = None

    @property
    def offset(self) -> float | None:
        """Wall clock minus monotonic clock, as the newest line has it."""
        return max(self.clocks, key=lambda one: one[2])[0] if self.clocks else None

    @property
    def last(self) -> float:
        """When its newest line was written, by the newest setting of its clock."""
        newest = max(self.clocks, key=lambda one: one[2], default=None)
        return self.last_at if newest is None else newest[0] + newest[2]

    def steps(self) -> Iterator[ClockStep]:
        """Each setting of the clock after the first; one that was taken back again counts twice."""
        settings = sorted(self.clocks, key=lambda one: one[1])
        for before, after in pairwise(settings):
            by = after[0] - before[0]
            yield ClockStep(self.node, after[0] + after[1], by)
            if before[2] > after[2]:
                yield ClockStep(self.node, after[0] + after[2], -by)

    def keep_time(self, wall: float, monotonic: float) -> None:
        offset = wall - monotonic
        for setting in self.clocks:
            if abs(setting[0] - offset) <= CLOCK_STEP:
                if monotonic > setting[2]:
                    setting[0], setting[2] = offset, monotonic
                setting[1] = min(setting[1], monotonic)
                return
        self.clocks.append([offset, monotonic, monotonic])

    def accept(self, seq: int) -> bool:
        """Note that line `seq` is here; False: it was already."""
        if self.top == 0:
            self.first_seq = self.top = seq
        elif seq > self.top:
            if seq > self.top + 1:
                self.missing.append((self.top + 1, seq - 1))
            self.top = seq
        elif seq < self.first_seq:
            if seq + 1 < self.first_seq:
                self.missing.insert(0, (seq + 1, self.first_seq - 1))
            self.first_seq = seq
        else:
            return self._fill(seq)
        return True

    def _fill(self, seq: int) -> bool:
        for index, (low, high) in enumerate(self.missing):
            if low <= seq <= high:
                self.missing[index : index + 1] = [
                    span for span in ((low, seq - 1), (seq + 1, high)) if span[0] <= span[1]
                ]
                return True
        return False


class Ledger:
    """Collects lines. Everything public may be read at any time."""

    def __init__(self) -> None:
        self.lines = 0
        self.duplicates = 0
        self.whole_since = -inf
        self.boots: dict[tuple[str, str], Boot] = {}
        self.contested: list[Sighting] = []
        self.strangers: list[Sighting] = []
        self._rows: list[tuple[Row, float]] = []
        self._bgp = BgpRecord()
        self._said_lost: list[Hole] = []
        self._texts: dict[str, str] = {}
        self._vips: dict[str, tuple[str, ...]] = {}

    def add(self, line: AuditLine) -> bool:
        """False: this line was here before."""
        at = line.time.timestamp()
        boot = self.boots.get((line.node, line.boot))
        if boot is None:
            boot = Boot(line.node, line.boot, at, at)
            self.boots[line.node, line.boot] = boot
        if line.seq and not boot.accept(line.seq):
            self.duplicates += 1
            return False
        self.lines += 1
        boot.first_at, boot.last_at = min(boot.first_at, at), max(boot.last_at, at)
        if line.monotonic:
            boot.keep_time(at, line.monotonic)
        self._take(line, boot, at)
        return True

    def _take(self, line: AuditLine, boot: Boot, at: float) -> None:
        event = line.event
        if event in (Event.TRANSITION, Event.LAYER2_TRANSITION):
            ago = at - line.since.timestamp() if line.since is not None else 0.0
            self._rows.append((self._row(line, at - ago), line.monotonic - ago))
        elif event == Event.CONTESTED:
            self.contested.append(Sighting(at, boot.node, self._same(line.instance), line.source))
        elif self._bgp.add(line, at):
            return
        elif event == Event.STRANGER:
            self.strangers.append(Sighting(at, boot.node, f"{line.interface} VRID {line.vrid}", line.source))
        elif event == Event.LAYER2_STRANGER:
            about = f"{line.interface} {' '.join(line.vips)}"
            self.strangers.append(Sighting(at, boot.node, about, line.source))
        elif event == Event.KEEPALIVED_STARTED:
            self._rows.append((self._row(line, at)._replace(instance="", was="", now=""), line.monotonic))
        elif event == Event.AGENT_STARTED:
            boot.previous, boot.began = (line.previous_boot, line.previous_seq), line.monotonic
            began = self._row(line, at)._replace(reason=MoveReason.AGENT_DIED, layer2=True)
            self._rows.append((began, line.monotonic))
        elif event == Event.GAP:
            self._said_lost.append(Hole(boot.node, boot.boot, 0, 0, 1))
            if line.instance and line.since is not None:
                missed = self._row(line, line.since.timestamp())
                self._rows.append((missed._replace(reason=LINES_LOST), 0.0))

    def rows(self) -> Iterator[Row]:
        """In the order of arrival, times on its run's newest clock (as written, when that was never set)."""
        shifted = self._shifted()
        for row, monotonic in self._rows:
            offset = shifted.get((row.node, row.boot)) if shifted else None
            yield row if offset is None or not monotonic else row._replace(at=monotonic + offset)

    def bgp_rows(self) -> list[BgpRow]:
        """By node, in the order in which it wrote them."""
        first = {key: boot.first_at for key, boot in self.boots.items()}
        return sorted(self._bgp.rows(self._shifted()), key=lambda row: (first[row.node, row.boot], row.seq))

    def bgp_vips(self) -> set[str]:
        return {vip for row in self._bgp.rows({}) for vip in row.vips}

    def _shifted(self) -> dict[tuple[str, str], float]:
        """(node, boot) -> wall clock minus monotonic clock, of runs in which the clock was set."""
        found = ((key, boot.offset) for key, boot in self.boots.items() if len(boot.clocks) > 1)
        return {key: offset for key, offset in found if offset is not None}

    def holes(self) -> list[Hole]:
        found = list(self._said_lost)
        for boot in self.boots.values():
            found += [Hole(boot.node, boot.boot, low, high, high - low + 1) for low, high in boot.missing]
            found += self._before(boot)
        return found

    def _before(self, boot: Boot) -> Iterator[Hole]:
        """What is missing between the run before and this one; a record that begins with this one misses nothing."""
        name, last = boot.previous
        before = self.boots.get((boot.node, name))
        earlier = any(one.node == boot.node and one.first_at < boot.first_at for one in self.boots.values())
        if before is not None and before.top < last:
            yield Hole(boot.node, name, before.top + 1, last, last - before.top)
        elif before is None and name and earlier and last:
            yield Hole(boot.node, name, 1, last, last)
        if earlier and boot.first_seq > 1:
            yield Hole(boot.node, boot.boot, 1, boot.first_seq - 1, boot.first_seq - 1)

    def steps(self) -> list[ClockStep]:
        return [step for boot in self.boots.values() for step in boot.steps()]

    def forget(self, keep: int) -> None:
        """For a reader that never ends, once there are twice as many rows as `keep`: what is older than the newest
        `keep` goes, except what tells the present: where each node stands with each instance, and since when the last
        MASTER of each was one.

        `whole_since` is then the time before which nothing can be found any more.
        """
        if len(self._rows) <= 2 * keep:
            return
        self.whole_since = cut = sorted(row.at for row, _ in self._rows)[-keep]
        older = [pair for pair in self._rows if pair[0].at < cut]
        self._rows = [*self._present(older), *(pair for pair in self._rows if pair[0].at >= cut)]
        self.contested = [one for one in self.contested if one.at >= cut]
        self.strangers = [one for one in self.strangers if one.at >= cut]
        self._bgp.forget(cut)
        self._texts = {}

    def _present(self, older: list[tuple[Row, float]]) -> Iterator[tuple[Row, float]]:
        groups: dict[tuple[str, str], list[tuple[Row, float]]] = {}
        newest: dict[str, Row] = {}
        for pair in older:
            row = pair[0]
            groups.setdefault((row.node, row.instance), []).append(pair)
            if row.now == State.MASTER and (row.instance not in newest or row.at > newest[row.instance].at):
                newest[row.instance] = row
        for (node, instance), pairs in groups.items():
            pairs.sort(key=lambda pair: (self.boots[node, pair[0].boot].first_at, pair[0].seq, pair[0].at))
            begun = next((n for n in reversed(range(len(pairs))) if pairs[n][0].now == State.MASTER), -1)
            over = pairs[-1][0].was != State.MASTER and pairs[begun][0] is not newest.get(instance)
            yield from pairs[-1 if over else begun :] if instance else pairs

    def _row(self, line: AuditLine, at: float) -> Row:
        same = self._same
        vips = self._vips.get(line.instance, ())
        if vips != line.vips:
            vips = self._vips[line.instance] = line.vips
        return Row(
            at,
            line.seq,
            same(line.node),
            same(line.boot),
            same(line.instance),
            same(line.from_),
            same(line.to),
            line.priority,
            line.advert_ms / 1000,
            vips,
            same(line.reason),
            same(line.evidence),
            line.precision,
            line.event == Event.LAYER2_TRANSITION,
            (line.dark_at_least_ms, line.dark_at_most_ms),
        )

    def _same(self, text: str) -> str:
        """One object for equal texts: a million lines repeat a few thousand of them."""
        return self._texts.setdefault(text, text)
