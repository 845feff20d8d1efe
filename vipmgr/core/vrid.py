"""Virtual router IDs: unique on their L2 segment and transport family, never one a stranger uses, and never changed.

A segment is what pools and instances have in common through a connected network or a node's interface. The VRIDs in use
are those of the VrrpInstances, whether or not their nodes are up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from vipmgr.core.confirm import Scene
from vipmgr.core.eligible import Sites, Span
from vipmgr.core.model import Family, Instance, NodeFacts, NodeName, Pool, Protocol

Footprint = set[Span | tuple[NodeName, str]]


@dataclass(slots=True)
class Segments:
    """Groups pools (by name) and instances without a pool (by "/name") that can hear each other."""

    _parent: dict[str, str] = field(default_factory=dict)
    _owner: dict[Span | tuple[NodeName, str], str] = field(default_factory=dict)

    def add(self, name: str, footprint: Footprint) -> None:
        self._parent.setdefault(name, name)
        for key in footprint:
            other = self._owner.setdefault(key, name)
            if other != name:
                self._parent[self.of(name)] = self.of(other)

    def of(self, name: str) -> str:
        """The group's name; `name` itself when it was never added."""
        while (parent := self._parent.get(name, name)) != name:
            name = parent
        return name

    def at(self, node: NodeName, interface: str) -> str | None:
        owner = self._owner.get((node, interface))
        return None if owner is None else self.of(owner)


class Register:
    """Which VRIDs are taken where. Instances are entered as they are met; strangers when it is made."""

    def __init__(self, segments: Segments, heard: Mapping[tuple[str, Family], Mapping[int, str]]) -> None:
        self.segments = segments
        self.strangers = heard
        """(segment, family) -> VRID -> the stranger's address"""
        self._taken: dict[tuple[str, Family], set[int]] = {}

    def enter(self, segment: str, family: Family, vrid: int) -> None:
        self._taken.setdefault((segment, family), set()).add(vrid)

    def free(self, segment: str, family: Family, vrid: int) -> bool:
        key = (segment, family)
        return vrid not in self._taken.get(key, ()) and vrid not in self.strangers.get(key, {})

    def choose(self, segment: str, family: Family, allowed: frozenset[int], seed: str) -> int | None:
        """The first free VRID at or after the one `seed` points to; two clusters thus rarely begin alike."""
        start = int.from_bytes(sha256(seed.encode()).digest()[:4]) % 255
        for step in range(255):
            vrid = (start + step) % 255 + 1
            if vrid in allowed and self.free(segment, family, vrid):
                return vrid
        return None


def segment_of(instance: Instance, pools: Mapping[str, Pool], segments: Segments) -> str:
    pool = pools.get(instance.eip)
    known = pool is not None and pool.protocol is Protocol.VIP
    return segments.of(instance.eip if known else f"/{instance.name}")


def map_segments(
    pools: Iterable[Pool], nodes: Mapping[NodeName, NodeFacts], instances: Iterable[Instance], sites: Sites
) -> Segments:
    """A pool's footprint is its interface on every node it selects: its instances may come to any of them."""
    segments = Segments()
    named = set()
    for pool in sorted(pools, key=lambda pool: pool.name):
        named.add(pool.name)
        selected = (name for name, facts in nodes.items() if pool.node_selector.matches(facts.labels))
        segments.add(pool.name, _footprint(selected, pool.interface, sites))
    for instance in instances:
        members = [member.node for member in instance.members]
        name = instance.eip if instance.eip in named else f"/{instance.name}"
        segments.add(name, _footprint(members, instance.interface, sites))
    return segments


def _footprint(nodes: Iterable[NodeName], interface: str, sites: Sites) -> Footprint:
    footprint: Footprint = set()
    for node in nodes:
        site = sites.of(node, interface)
        if site is not None:
            footprint.add((node, site.interface.name))
            footprint.update(site.spans)
    return footprint


def strangers(
    scene: Scene, segments: Segments, instances: Iterable[tuple[str, Instance]]
) -> dict[tuple[str, Family], dict[int, str]]:
    """VRIDs heard from others, by segment. `instances`: (segment, instance).

    An advert is ours when its source is a node that is a member of, or may still run, an instance with that VRID there:
    another keepalived on one of our nodes is a stranger like any other.
    """
    heard: dict[tuple[str, Family], dict[int, str]] = {}
    if not any(report.strangers for report in scene.reports.values()):
        return heard
    home = {
        str(address.ip): name
        for name, report in scene.reports.items()
        for interface in report.interfaces
        for address in interface.addresses
    }
    ours: dict[tuple[str, Family, int], set[NodeName]] = {}
    for segment, instance in instances:
        speakers = ours.setdefault((segment, instance.family, instance.vrid), set())
        speakers.update(member.node for member in instance.members)
        speakers.update(scene.holders.get(instance.name, ()))
    for name, report in sorted(scene.reports.items()):
        for interface, family, vrid, source in sorted(report.strangers):
            where = segments.at(name, interface)
            if where is not None and home.get(source, "") not in ours.get((where, family, vrid), ()):
                heard.setdefault((where, family), {})[vrid] = source
    return heard
