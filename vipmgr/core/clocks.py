"""How far apart the clocks of the nodes are, from the handovers themselves.

When a master says goodbye (priority 0), the next one takes over its skew time later: a few milliseconds. So the
distance between the two lines is the distance of the two clocks, a little delay aside. Three handovers between two
nodes that agree on it are an estimate; fewer, or ones that disagree, are none. A node that only just became ready to
take over tells nothing: the address may have waited for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from vipmgr.core.darkness import SAYS_GOODBYE, timers
from vipmgr.core.spells import End, Spell, middle

WINDOW: Final = 10.0
"""Seconds: a handover further apart than this is not one."""
AGREE: Final = 0.05
"""Seconds within which three quarters of the handovers must agree."""
WORTH: Final = 0.02
"""Seconds below which a difference is delay, not clock."""


class Clock(NamedTuple):
    """`ahead`: seconds by which this node's clock is ahead of `of`'s, from so many handovers."""

    node: str
    of: str
    ahead: float
    handovers: int


def compare(instances: Mapping[str, Sequence[Spell]], clock_error: float) -> list[Clock]:
    """Nodes whose clock is off by more than the `clock_error` allowed, against the node with most handovers."""
    pairs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for spells in instances.values():
        _sample(spells, pairs)
    offsets = {pair: middle(values) for pair, values in pairs.items() if _agree(values)}
    agreed = {pair: offset if abs(offset) >= WORTH else 0.0 for pair, offset in offsets.items()}
    if not agreed:
        return []
    weight: dict[str, int] = defaultdict(int)
    for (one, other), values in pairs.items():
        weight[one] += len(values)
        weight[other] += len(values)
    root = max(sorted(weight), key=lambda node: weight[node])
    ahead, waiting = {root: 0.0}, [root]
    while waiting:
        node = waiting.pop()
        for (one, other), offset in agreed.items():
            for here, there, sign in ((one, other, 1), (other, one, -1)):
                if here == node and there not in ahead:
                    ahead[there] = ahead[node] + sign * offset
                    waiting.append(there)
    return [
        Clock(node, root, by, weight[node]) for node, by in sorted(ahead.items()) if abs(by) >= max(WORTH, clock_error)
    ]


def align(instances: Mapping[str, list[Spell]], clocks: Sequence[Clock]) -> None:
    """Move every time in the spells onto one clock. Each list is sorted again."""
    ahead = {clock.node: clock.ahead for clock in clocks}
    if not ahead:
        return
    for spells in instances.values():
        for spell in spells:
            by = ahead.get(spell.node, 0.0)
            spell.start, spell.end, spell.alive_until = spell.start - by, spell.end - by, spell.alive_until - by
        spells.sort(key=lambda one: one.start)


def _sample(spells: Sequence[Spell], pairs: dict[tuple[str, str], list[float]]) -> None:
    begun = [one for one in spells if one.begun is not None]
    starts = [one.start for one in begun]
    for old in spells:
        if old.ending is not End.OWN or old.reason not in SAYS_GOODBYE or old.precision:
            continue
        near = begun[bisect_left(starts, old.end - WINDOW) : bisect_left(starts, old.end + WINDOW)]
        others = [one for one in near if one.node != old.node and not one.precision and one.waited > WINDOW]
        if others:
            new = min(others, key=lambda one: abs(one.start - old.end))
            offset = new.start - old.end - timers(old, new)[1]
            first, second = sorted((old.node, new.node))
            pairs[first, second].append(offset if first == old.node else -offset)


def _agree(values: list[float]) -> bool:
    centre = middle(values)
    close = sum(abs(value - centre) <= AGREE for value in values)
    return close >= 3 and close * 4 >= len(values) * 3
