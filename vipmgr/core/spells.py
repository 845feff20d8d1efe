"""When each node was MASTER of each instance: rows of the record -> spells with a beginning and an end.

A spell ends by the node's own line (OWN), or a later line of that node shows that it had ended before (LATER: the
machine or keepalived was started again, lines are lost), or nothing of that node says so (OPEN). keepalived outlives
the agent, so a new run of the agent ends nothing by itself but what the agent answered for itself (layer2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf

from vipmgr.core.audit_line import LINES_LOST
from vipmgr.core.keepalived_words import State
from vipmgr.core.ledger import Boot, Ledger, Row
from vipmgr.core.model import MoveReason


class End(Enum):
    OWN = "own line"
    LATER = "a later line"
    OPEN = "none"


@dataclass(slots=True, eq=False)
class Spell:
    """One node, MASTER from `start` to `end` (seconds since the epoch; inf while OPEN).

    `begun`: its first row; None: it was MASTER already when the record begins. `over`: the row that ended it.
    `alive_until`: the last line of that run of the agent, when none between is missing. `anew`: ended LATER, and that
    line is by another run, which knew nothing of it. `waited`: seconds the node had been ready to take over.
    `precision`: seconds by which its times may be early.
    """

    node: str
    instance: str
    boot: str
    seq: int
    start: float
    alive_until: float
    begun: Row | None = None
    end: float = inf
    ending: End = End.OPEN
    over: Row | None = None
    anew: bool = False
    waited: float = 0.0
    precision: float = 0.0

    @property
    def reason(self) -> str:
        """Why it ended, by its own line; "" when that is not known."""
        return self.over.reason if self.over is not None and self.ending is End.OWN else ""

    @property
    def line(self) -> str:
        """Which line it is known by: NODE/BOOT/SEQ; in a bare log, which numbers nothing, NODE@TIME."""
        return f"{self.node}/{self.boot}/{self.seq}" if self.seq else f"{self.node}@{self.start:.3f}"

    @property
    def layer2(self) -> bool:
        """The agent itself answered."""
        return self.known is not None and self.known.layer2

    @property
    def known(self) -> Row | None:
        return self.begun or self.over


def spells_of(ledger: Ledger) -> dict[str, list[Spell]]:
    """instance -> every spell of every node, in the order of their beginnings."""
    by_node: dict[str, list[Row]] = defaultdict(list)
    for row in ledger.rows():
        by_node[row.node].append(row)
    found: dict[str, list[Spell]] = defaultdict(list)
    for node, rows in by_node.items():
        boots = sorted((one for one in ledger.boots.values() if one.node == node), key=lambda one: one.first_at)
        rank = {one.boot: number for number, one in enumerate(boots)}
        rows.sort(key=lambda row: (rank[row.boot], row.seq, row.at))
        reader = _NodeReader({one.boot: one for one in boots}, lives(boots))
        for row in rows:
            reader.read(row)
        reader.close_former_lives(boots)
        for spell in reader.spells:
            found[spell.instance].append(spell)
    for spells in found.values():
        spells.sort(key=lambda one: one.start)
    return dict(found)


def lives(boots: Iterable[Boot]) -> dict[str, int]:
    """boot -> which life of the machine it belongs to: the monotonic clock begins anew with each."""
    found: dict[str, int] = {}
    life, newest = 0, -inf
    for boot in boots:
        first = min((setting[1] for setting in boot.clocks), default=inf) if boot.began is None else boot.began
        if first < newest:
            life, newest = life + 1, -inf
        newest = max([newest, *(setting[2] for setting in boot.clocks)])
        found[boot.boot] = life
    return found


class _NodeReader:
    def __init__(self, boots: Mapping[str, Boot], lives: Mapping[str, int]) -> None:
        self.spells: list[Spell] = []
        self._boots = boots
        self._lives = lives
        self._open: dict[str, Spell] = {}
        self._last: dict[str, Spell] = {}
        self._changed: dict[str, Row] = {}

    def read(self, row: Row) -> None:
        """Rows must come in the order in which the node wrote them."""
        if not row.instance:
            # within one run the agent sees the death, and says so for each instance
            for instance, spell in list(self._open.items()):
                if spell.boot != row.boot and spell.layer2 is row.layer2 and not self._rebooted(spell, row):
                    self._close(instance, row, End.LATER)
            return
        if row.was == State.MASTER:
            self._end(row)
        elif row.instance in self._open:
            if row.now == State.MASTER and row.reason == LINES_LOST:
                return  # a new run of the agent finds it as the one before left it
            self._close(row.instance, row, End.LATER)
        if row.now == State.MASTER:
            before = self._changed.get(row.instance)
            spell = self._begin(row, row.at, row)
            if before is not None and (before.now, before.boot) == (State.BACKUP, row.boot):
                spell.waited = row.at - before.at
        self._changed[row.instance] = row

    def close_former_lives(self, boots: Sequence[Boot]) -> None:
        """A spell of a machine that was started again since ended before it wrote its first line."""
        for instance, spell in list(self._open.items()):
            later = (one for one in boots if self._lives[one.boot] > self._lives[spell.boot])
            if (anew := next(later, None)) is not None:
                spell.end, spell.ending, spell.anew = max(anew.first_at, spell.start), End.LATER, True
                del self._open[instance]

    def _rebooted(self, spell: Spell, row: Row) -> bool:
        return self._lives[spell.boot] != self._lives[row.boot]

    def _begin(self, row: Row, start: float, begun: Row | None) -> Spell:
        boot = self._boots[row.boot]
        whole = all(high < row.seq for _, high in boot.missing)
        alive = max(boot.last, start) if whole and begun is not None else start
        spell = Spell(row.node, row.instance, row.boot, row.seq, start, alive, begun)
        spell.precision = row.precision
        self.spells.append(spell)
        self._open[row.instance] = self._last[row.instance] = spell
        return spell

    def _end(self, row: Row) -> None:
        last = self._last.get(row.instance)
        if row.instance not in self._open and last is not None and _obituary(last, row):
            last.end, last.ending, last.over = min(last.end, row.at), End.OWN, row
            return
        if row.instance not in self._open:
            self._begin(row, min(self._boots[row.boot].first_at, row.at), None)
        self._close(row.instance, row, End.OWN)

    def _close(self, instance: str, row: Row, ending: End) -> None:
        spell = self._open.pop(instance)
        if spell.boot != row.boot and (self._rebooted(spell, row) or row.reason == MoveReason.DIED):
            ending = End.LATER  # it ended while no agent was there to see when
        spell.end, spell.ending, spell.over = max(row.at, spell.start), ending, row
        spell.precision = max(spell.precision, row.precision)
        spell.anew = ending is End.LATER and spell.boot != row.boot and row.was != State.MASTER


def _obituary(last: Spell, row: Row) -> bool:
    """The agent says that keepalived is gone, and then what each instance lost by it: one end, not two."""
    return last.ending is End.LATER and last.boot == row.boot and row.reason == MoveReason.DIED


def middle(values: Iterable[float]) -> float:
    """The median; of an even number, the upper one."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
