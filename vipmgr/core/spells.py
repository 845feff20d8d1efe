"""When each node was MASTER of each instance: rows of the record -> spells with a beginning and an end.

A spell ends by the node's own line (OWN), or a later line of that node shows that it had ended before (LATER: it
booted again, keepalived was started again, lines are lost), or nothing of that node says so (OPEN).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf

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
    `alive_until`: the last line of that node in the same boot, when none between is missing
    and its agent ran all the time. `rebooted`: ended LATER,
    by another boot. `waited`: seconds the node had been ready to take over before it did.
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
    rebooted: bool = False
    waited: float = 0.0

    @property
    def precision(self) -> float:
        """Seconds by which its times may be early."""
        return max(row.precision if row is not None else 0.0 for row in (self.begun, self.over))

    @property
    def reason(self) -> str:
        """Why it ended, by its own line; "" when that is not known."""
        return self.over.reason if self.over is not None and self.ending is End.OWN else ""

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
        reader = _NodeReader({one.boot: one for one in boots})
        for row in rows:
            reader.read(row)
        if boots:
            reader.close_older(boots[-1])
        for spell in reader.spells:
            found[spell.instance].append(spell)
    for spells in found.values():
        spells.sort(key=lambda one: one.start)
    return dict(found)


class _NodeReader:
    def __init__(self, boots: Mapping[str, Boot]) -> None:
        self.spells: list[Spell] = []
        self._boots = boots
        self._open: dict[str, Spell] = {}
        self._last: dict[str, Spell] = {}
        self._changed: dict[str, Row] = {}

    def read(self, row: Row) -> None:
        """Rows must come in the order in which the node wrote them."""
        if not row.instance:
            for instance in list(self._open):
                self._close(instance, row, End.LATER)
            return
        if row.was == State.MASTER:
            self._end(row)
        elif row.instance in self._open:
            if (row.was, row.now) == (State.INIT, State.MASTER) and self._open[row.instance].boot == row.boot:
                return  # a restarted agent finds it as the one before left it
            self._close(row.instance, row, End.LATER)
        if row.now == State.MASTER:
            before = self._changed.get(row.instance)
            spell = self._begin(row, row.at, row)
            if before is not None and (before.now, before.boot) == (State.BACKUP, row.boot):
                spell.waited = row.at - before.at
        self._changed[row.instance] = row

    def close_older(self, newest: Boot) -> None:
        """A spell of an earlier boot ended with that boot, at the latest when the next one wrote its first line."""
        for instance, spell in list(self._open.items()):
            if spell.boot != newest.boot:
                spell.end, spell.ending, spell.rebooted = newest.first_at, End.LATER, True
                del self._open[instance]

    def _begin(self, row: Row, start: float, begun: Row | None) -> Spell:
        boot = self._boots[row.boot]
        whole = all(high < row.seq for high in (*(high for _, high in boot.missing), *boot.agent_starts))
        alive = max(boot.last, start) if whole and begun is not None else start
        spell = Spell(row.node, row.instance, row.boot, row.seq, start, alive, begun)
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
        if ending is End.OWN and spell.boot != row.boot:
            ending = End.LATER
        spell.end, spell.ending, spell.over = max(row.at, spell.start), ending, row
        spell.rebooted = spell.boot != row.boot


def _obituary(last: Spell, row: Row) -> bool:
    """The agent says that keepalived is gone, and then what each instance lost by it: one end, not two."""
    return last.ending is End.LATER and last.boot == row.boot and row.reason == MoveReason.DIED


def middle(values: Iterable[float]) -> float:
    """The median; of an even number, the upper one."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
