"""Which nodes carry an instance. Those that do stay; priorities never change; the load of a dead node spreads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from vipmgr.core.model import Family, Instance, Member, NodeName

TOP = 254
"""255 is the address owner's (RFC 9568, 6.1)"""
STEP = 2
INSTANCES_PER_NODE = 128
"""255 instances at 100 ms cost a master 18 % of a core: half of that is enough"""


@dataclass(slots=True)
class Load:
    """How often each node is first, second to a given first, and member at all; over all pools."""

    firsts: Counter[NodeName] = field(default_factory=Counter)
    seconds: Counter[tuple[NodeName, NodeName]] = field(default_factory=Counter)
    members: Counter[NodeName] = field(default_factory=Counter)
    vrids: set[tuple[NodeName, str, Family, int]] = field(default_factory=set)
    """(node, interface as the pool names it, family, VRID): one file cannot hold it twice"""

    def add(self, instance: Instance) -> None:
        for rank, member in enumerate(instance.members):
            self._add(instance, member.node, rank, 1)

    def remove(self, instance: Instance) -> None:
        for rank, member in enumerate(instance.members):
            self._add(instance, member.node, rank, -1)

    def _add(self, instance: Instance, node: NodeName, rank: int, by: int) -> None:
        self.members[node] += by
        if rank == 0:
            self.firsts[node] += by
        elif rank == 1:
            self.seconds[instance.members[0].node, node] += by
        key = (node, instance.interface, instance.family, instance.vrid)
        (self.vrids.add if by > 0 else self.vrids.discard)(key)

    def fits(self, instance: Instance, node: NodeName) -> bool:
        return (
            self.members[node] < INSTANCES_PER_NODE
            and (node, instance.interface, instance.family, instance.vrid) not in self.vrids
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What one instance needs. Callables judge a node, by name."""

    size: int
    choosable: Sequence[NodeName]
    weight: Callable[[NodeName], int]
    keep: Callable[[NodeName], bool]
    replace: Callable[[NodeName], bool]
    """may leave, once another takes its place; a member with neither leaves"""
    live: Callable[[NodeName], bool]
    """Ready, not drained, its link up: it could take over now"""
    master: Callable[[NodeName], bool]
    serves: Callable[[NodeName], bool]
    """confirmed to run the instance: the master may leave"""
    endpoints: frozenset[NodeName] = frozenset()


def recruit(instance: Instance, wish: Wish, load: Load) -> tuple[Member, ...]:
    """The members, by rank. One that must go but is MASTER stays until another member serves (staged leave)."""
    kept = [member for member in instance.members if wish.keep(member.node)]
    spare = [member for member in instance.members if not wish.keep(member.node) and wish.replace(member.node)]
    room = wish.size
    if kept and not any(wish.live(member.node) for member in kept):
        room = max(room, len(kept) + 1)
    if len(kept) == len(instance.members) == room and not wish.endpoints:
        return instance.members
    team = [member for member in kept if member.node in wish.endpoints]
    if len(team) < room and wish.endpoints.difference(member.node for member in team):
        fresh = [node for node in _fresh(instance, wish, load) if node in wish.endpoints]
        _fill(team, instance, fresh, room, wish, load)
    rest = [member for member in kept if member not in team]
    for member in sorted(rest, key=lambda m: (not wish.master(m.node), not wish.live(m.node), -m.priority)):
        if len(team) < room or not wish.live(member.node):
            team.append(member)
    if len(team) < room:
        present = {member.node for member in team}
        _fill(team, instance, [n for n in _fresh(instance, wish, load) if n not in present], room, wish, load)
    team += spare[: max(0, wish.size - len(team))]
    relieved = any(wish.serves(member.node) for member in team if member in instance.members)
    if not relieved:
        team += [member for member in instance.members if member not in team and wish.master(member.node)]
    return tuple(sorted(team, key=lambda member: -member.priority))


def rank_again(members: Iterable[Member], weight: Callable[[NodeName], int]) -> tuple[Member, ...]:
    """The same nodes and priorities, heavier nodes first; unchanged when they already are."""
    ranked = list(members)
    order = sorted(ranked, key=lambda member: -weight(member.node))
    return tuple(Member(member.node, slot.priority) for member, slot in zip(order, ranked, strict=True))


def _fresh(instance: Instance, wish: Wish, load: Load) -> list[NodeName]:
    present = {member.node for member in instance.members}
    return [node for node in wish.choosable if node not in present and load.fits(instance, node)]


def _fill(team: list[Member], instance: Instance, fresh: list[NodeName], room: int, wish: Wish, load: Load) -> None:
    """Adds nodes of `fresh` into free priorities, the best for each rank, until there are `room`."""
    held = {member.priority for member in instance.members}
    while fresh and len(team) < room:
        taken = held | {member.priority for member in team}
        priority = next(slot for slot in range(TOP, 0, -STEP) if slot not in taken)
        above = [member for member in {*team, *instance.members} if member.priority > priority]
        node = _best(instance, fresh, above, wish, load)
        fresh.remove(node)
        team.append(Member(node, priority))


def _best(instance: Instance, fresh: list[NodeName], above: list[Member], wish: Wish, load: Load) -> NodeName:
    def burden(node: NodeName) -> tuple[int, int, int]:
        special = 0
        if not above:
            special = load.firsts[node]
        elif len(above) == 1:
            special = load.seconds[above[0].node, node]
        return (-wish.weight(node), special, load.members[node])

    burdens = {node: burden(node) for node in fresh}
    least = min(burdens.values())
    return min((node for node in fresh if burdens[node] == least), key=lambda node: score(instance.name, node))


def score(instance: str, what: str) -> int:
    """Rendezvous weight of a pair, the same everywhere and always."""
    return int.from_bytes(blake2b(f"{instance}|{what}".encode(), digest_size=8).digest())
