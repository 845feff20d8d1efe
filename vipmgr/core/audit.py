"""The record of all nodes -> what happened to the VIPs: failovers, split brain, nobody there, flaps, holes in it.

A dead master never says goodbye. Its spell ends when another node takes over, and the two overlapped (split brain)
only if something shows that the first lived on as MASTER: its own later end, a later line of its agent with nothing
lost in between, a MASTER that heard another one,
or one that stepped down before it.

Times are seconds since the epoch. Nodes are compared within `Limits.clock_error`; what is closer than that is called
simultaneous.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from vipmgr.core.audit_line import LINES_LOST
from vipmgr.core.clocks import align, compare
from vipmgr.core.darkness import KILLED, dark_time, timers
from vipmgr.core.findings import (
    NODE_LOST,
    NODE_REBOOTED,
    PARTITION,
    STILL_MASTER,
    Failover,
    Flap,
    Heard,
    Holder,
    Limits,
    NoOwner,
    Report,
    Silent,
    SplitBrain,
)
from vipmgr.core.ledger import Boot, Ledger, Sighting
from vipmgr.core.model import MoveReason
from vipmgr.core.next_hops import NextHops, Reboot
from vipmgr.core.spells import End, Spell, lives, spells_of


def judge(ledger: Ledger, limits: Limits) -> Report:
    instances = spells_of(ledger)
    clocks = compare(instances, limits.clock_error)
    align(instances, clocks)
    boots = ledger.boots.values()
    ends = max((boot.last for boot in boots), default=0.0)
    until = ends if limits.until is None else max(limits.until, ends)
    ahead = {clock.node: clock.ahead for clock in clocks}
    heard: dict[str, list[float]] = defaultdict(list)
    for sighting in ledger.contested:
        heard[sighting.subject].append(sighting.at - ahead.get(sighting.node, 0.0))
    stories = [
        _Story(name, limits, until, sorted(heard[name])).tell(spells) for name, spells in sorted(instances.items())
    ]
    hops = NextHops(limits.clock_error).tell(ledger.bgp_rows(), _reboots(ledger), ahead, until)
    failovers = sorted((one for story in stories for one in story.failovers), key=lambda one: (one.at, one.instance))
    return Report(
        begins=min((boot.first_at for boot in boots), default=0.0),
        ends=ends,
        lines=ledger.lines,
        duplicates=ledger.duplicates,
        nodes=tuple(sorted({boot.node for boot in boots})),
        clock_error=limits.clock_error,
        holders=tuple(story.holder() for story in stories if story.spells),
        split_brain=tuple(sorted((one for story in stories for one in story.splits), key=lambda one: one.since)),
        no_owner=tuple(
            sorted([*hops.dark, *(one for story in stories for one in story.empty)], key=lambda one: one.since)
        ),
        failovers=tuple(failovers),
        flaps=tuple(_flaps(failovers, limits)),
        sessions=tuple(hops.sessions),
        hops=tuple(hops.hops),
        contested=tuple(_group(ledger.contested)),
        strangers=tuple(_group(ledger.strangers)),
        holes=tuple(ledger.holes()),
        silent=tuple(_silent(stories, ledger)),
        clocks=tuple(clocks),
        steps=tuple(ledger.steps()),
    )


@dataclass(slots=True)
class _Story:
    """One instance, told from its first master to its last."""

    instance: str
    limits: Limits
    until: float
    heard: list[float]
    spells: Sequence[Spell] = ()
    starts: Sequence[float] = ()
    active: list[Spell] = field(default_factory=list)
    gone: dict[Spell, float] = field(default_factory=dict)
    previous: Spell | None = None
    failovers: list[Failover] = field(default_factory=list)
    splits: list[SplitBrain] = field(default_factory=list)
    empty: list[NoOwner] = field(default_factory=list)

    def tell(self, spells: Sequence[Spell]) -> _Story:
        self.spells, self.starts = spells, [spell.start for spell in spells]
        for spell in spells:
            self._meet(spell)
        for spell in list(self.active):
            if spell.ending is not End.OPEN:
                self._retire(spell)
        if not self.active and self.previous is not None:
            self._left_empty(self.previous)
        self.splits = _joined(self.splits)
        return self

    def holder(self) -> Holder:
        since = min((spell.start for spell in self.active), default=self.until)
        return Holder(self.instance, tuple(sorted({one.node for one in self.active})), since, self._vips())

    def _meet(self, new: Spell) -> None:
        """`new` begins: who of the others is over, who is dead, and who lives on beside it?"""
        if any(self._outran(old, new) for old in self.active):
            return
        rivals: list[Spell] = []
        for old in list(self.active):
            if old.node == new.node or old.end <= new.start:
                self._retire(old)
                continue
            split = self._both(old, new)
            if split is not None:
                self.splits.append(split)
                rivals.append(old)
            else:
                self._retire(old, new)
        source = rivals[-1] if rivals else self.previous
        if source is not None and new.begun is not None:
            if not rivals and not self.active:
                self._was_empty(source, new)
            self.failovers.append(self._failover(source, new, overlapping=bool(rivals)))
        self.active.append(new)

    def _outran(self, old: Spell, new: Spell) -> bool:
        """Did `new` begin only because it had not heard yet that `old` had, and step back at once? It owned nothing.

        After an advert of priority 0 backups wait for their skew times, which lie less than a millisecond apart.
        """
        error = self._error(old, new)
        return (
            new.reason == MoveReason.HIGHER_PRIORITY
            and new.end - new.start <= error
            and old.end > new.end
            and new.start - old.start <= error
            and not self._begun_within(new.start, new.end + error)
        )

    def _retire(self, old: Spell, new: Spell | None = None) -> None:
        """`new`: who took over from it while nothing shows that it still lived."""
        self.active.remove(old)
        self.gone[old] = old.end
        if new is not None and old.ending is not End.OWN:
            advert, skew = timers(old, new)
            self.gone[old] = max(old.start, new.start - 2.5 * advert - skew)
        if self.previous is None or self.gone[old] >= self.gone[self.previous]:
            self.previous = old

    def _error(self, *spells: Spell) -> float:
        return self.limits.clock_error + max(spell.precision for spell in spells)

    def _both(self, old: Spell, new: Spell) -> SplitBrain | None:
        """Were both MASTER longer than clocks and an orderly handover explain?"""
        error, advert = self._error(old, new), timers(old, new)[0]
        if old.ending is End.OWN:
            handover = advert if old.reason == MoveReason.HIGHER_PRIORITY else 0.0
            over = min(old.end, new.end)
            return self._split(old, new, over) if over - new.start > error + handover else None
        alive = min(old.end, max(old.alive_until, self._last_heard(new.start + error, min(old.end, new.end))))
        if new.reason == MoveReason.HIGHER_PRIORITY and not self._begun_within(new.start, new.end + error):
            alive = max(alive, new.end)
        if alive <= new.start + error:
            return None
        goes_on = old.ending is End.OPEN and old.alive_until > new.start + error
        return self._split(old, new, new.end if goes_on else min(alive, new.end))

    def _last_heard(self, low: float, high: float) -> float:
        """When a second MASTER was last heard between the two times; -inf: it was not."""
        index = bisect_right(self.heard, high)
        return self.heard[index - 1] if index > bisect_left(self.heard, low) else -inf

    def _begun_within(self, low: float, high: float) -> bool:
        """Did anybody become MASTER after `low`, by `high`?"""
        return bisect_right(self.starts, high) > bisect_right(self.starts, low)

    def _split(self, old: Spell, new: Spell, until: float) -> SplitBrain:
        first = old if old.end <= new.end else new
        survivor = new if first is old else old
        return SplitBrain(
            new.start,
            None if until == inf else until,
            self.instance,
            self._vips(old, new),
            tuple(sorted({old.node, new.node})),
            STILL_MASTER if until == inf else f"{first.node}: {first.reason or 'not heard again'}",
            "" if until == inf else survivor.node,
            new.line,
        )

    def _failover(self, old: Spell, new: Spell, *, overlapping: bool) -> Failover:
        assert new.begun is not None  # noqa: S101 - the caller's condition
        lines = (row.evidence for row in (old.over if old.ending is End.OWN else None, new.begun) if row is not None)
        return Failover(
            new.start,
            self.instance,
            self._vips(new, old),
            old.node,
            new.node,
            _cause(old, overlapping=overlapping),
            new.begun.reason,
            dark_time(old, new, self.limits.clock_error, overlapping=overlapping),
            tuple(line for line in lines if line),
            new.line,
        )

    def _was_empty(self, old: Spell, new: Spell) -> None:
        advert = timers(old, new)[0] or 1.0
        if old.ending is End.OWN and new.start - old.end > 4 * advert + self._error(old, new):
            cause = _cause(old, overlapping=False)
            vips = self._vips(old, new)
            self.empty.append(NoOwner(old.end, new.start, self.instance, vips, old.node, cause, old.line))

    def _left_empty(self, old: Spell) -> None:
        advert = timers(old, old)[0] or 1.0
        if old.reason != MoveReason.DELETED and self.until - old.end > 4 * advert + self._error(old):
            cause = _cause(old, overlapping=False)
            self.empty.append(NoOwner(old.end, None, self.instance, self._vips(old), old.node, cause, old.line))

    def _vips(self, *spells: Spell) -> tuple[str, ...]:
        rows = (spell.known for spell in (*spells, *reversed(self.spells)))
        return next((row.vips for row in rows if row is not None and row.vips), ())


def _cause(old: Spell, *, overlapping: bool) -> str:
    if overlapping:
        return PARTITION
    if old.ending is End.OWN:
        return old.reason or MoveReason.UNKNOWN
    if old.ending is End.OPEN:
        return NODE_LOST
    if old.over is not None and old.over.reason in KILLED:
        return old.over.reason
    return NODE_REBOOTED if old.anew else LINES_LOST


def _joined(splits: Iterable[SplitBrain]) -> list[SplitBrain]:
    """Three masters are one split brain of three, not three of two."""
    joined: list[SplitBrain] = []
    for one in sorted(splits, key=lambda split: split.since):
        last = joined[-1] if joined else None
        if last is None or (last.until is not None and one.since > last.until) or not set(one.nodes) & set(last.nodes):
            joined.append(one)
            continue
        later = one if (one.until or inf) >= (last.until or inf) else last
        joined[-1] = later._replace(
            since=last.since, line=last.line, nodes=tuple(sorted({*last.nodes, *one.nodes})), vips=last.vips or one.vips
        )
    return joined


def _flaps(failovers: Iterable[Failover], limits: Limits) -> Iterable[Flap]:
    by_instance: dict[str, list[Failover]] = defaultdict(list)
    for one in failovers:
        by_instance[one.instance].append(one)
    for instance, moves in by_instance.items():
        run: list[Failover] = []
        for move in [*moves, None]:
            if move is not None and (not run or move.at - run[-1].at <= limits.flap_window / limits.flaps):
                run.append(move)
                continue
            if len(run) >= limits.flaps:
                nodes = tuple(sorted({name for one in run for name in (one.source, one.target)}))
                yield Flap(run[0].at, run[-1].at, instance, len(run), nodes)
            run = [move] if move is not None else []


def _reboots(ledger: Ledger) -> Iterable[Reboot]:
    by_node: dict[str, list[Boot]] = defaultdict(list)
    for boot in sorted(ledger.boots.values(), key=lambda one: one.first_at):
        by_node[boot.node].append(boot)
    for node, boots in by_node.items():
        life = lives(boots)
        for before, after in pairwise(boots):
            if life[before.boot] != life[after.boot]:
                yield Reboot(node, before.last)


def _group(sightings: Iterable[Sighting]) -> Iterable[Heard]:
    groups: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for one in sightings:
        groups[one.node, one.subject, one.source].append(one.at)
    found = [Heard(min(times), max(times), *key, len(times)) for key, times in groups.items()]
    return sorted(found)


def _silent(stories: Iterable[_Story], ledger: Ledger) -> Iterable[Silent]:
    last: dict[str, float] = {}
    for boot in ledger.boots.values():
        last[boot.node] = max(last.get(boot.node, 0.0), boot.last)
    held: dict[str, list[str]] = defaultdict(list)
    for story in stories:
        for spell, ended in story.gone.items():
            if spell.ending is End.OPEN and last[spell.node] <= ended + story.limits.clock_error:
                held[spell.node].append(story.instance)
    return [Silent(node, last[node], tuple(names)) for node, names in sorted(held.items())]
