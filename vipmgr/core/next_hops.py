"""The record of BGP -> which sessions fell, and which addresses lost a next hop, or the last one.

A node is a next hop of an address while it announces it and a session stands that carries it. Routers keep the routes
of a gobgpd that restarts gracefully (RFC 4724): such a session counts until the time it asked for is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import NamedTuple

from vipmgr.core.audit_line import Event
from vipmgr.core.bgp_loss import Loss
from vipmgr.core.bgp_record import BgpRow
from vipmgr.core.findings import BGP, NODE_REBOOTED, HopLoss, NoOwner, SessionLoss
from vipmgr.core.model import Family, MoveReason


class Reboot(NamedTuple):
    """A machine that started again: its last line before."""

    node: str
    at: float


class _Expiry(NamedTuple):
    """The time is over for which the router kept the routes of this session."""

    node: str
    address: str
    fell: float


class _Dark(NamedTuple):
    since: float
    node: str
    cause: str
    line: str


@dataclass(slots=True)
class _Node:
    """`up`: address of the router -> the line by which the session rose. `kept`: likewise, of those that fell and whose
    routes are kept, with when. `announced`: address -> BgpPeers it is for; empty: all."""

    up: dict[str, BgpRow] = field(default_factory=dict)
    kept: dict[str, tuple[BgpRow, float]] = field(default_factory=dict)
    announced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    fallen: dict[str, int] = field(default_factory=dict)
    """address of the router -> which SessionLoss is open"""
    lost: list[int] = field(default_factory=list)
    """which HopLosses are open"""

    def carries(self, vips: Iterable[str]) -> set[str]:
        sessions = [*self.up.values(), *(row for row, _ in self.kept.values())]
        by_family = {
            family: {row.peer for row in sessions if not row.families or family in row.families} for family in Family
        }
        found = set()
        for vip in vips:
            wanted = self.announced.get(vip)
            peers = by_family[Family.IPV6 if ":" in vip else Family.IPV4]
            if wanted is not None and (not peers.isdisjoint(wanted) if wanted else peers):
                found.add(vip)
        return found


class NextHops:
    """`tell` once; then `sessions`, `hops` and `dark` are what was found, each in the order of time."""

    def __init__(self, clock_error: float) -> None:
        self.sessions: list[SessionLoss] = []
        self.hops: list[HopLoss] = []
        self.dark: list[NoOwner] = []
        self._clock_error = clock_error
        self._nodes: dict[str, _Node] = {}
        self._holders: dict[str, set[str]] = {}
        self._in_the_dark: dict[str, _Dark] = {}
        self._numbers = count()
        self._edges: list[tuple[float, int, BgpRow | Reboot | _Expiry]] = []

    def tell(
        self, rows: Sequence[BgpRow], reboots: Iterable[Reboot], ahead: Mapping[str, float], until: float
    ) -> NextHops:
        """`ahead`: node -> seconds its clock is ahead. `until`: when the record ends."""
        found: list[BgpRow | Reboot] = [*rows, *reboots]
        self._numbers = count(len(found))
        self._edges = [(one.at - ahead.get(one.node, 0.0), number, one) for number, one in enumerate(found)]
        heapify(self._edges)
        while self._edges and self._edges[0][0] <= until:
            at, _, edge = heappop(self._edges)
            self._take(at, edge, self._nodes.setdefault(edge.node, _Node()))
        self._end_dark(set(self._in_the_dark), until, goes_on=True)
        self.dark.sort(key=lambda one: one.since)
        return self

    def _take(self, at: float, edge: BgpRow | Reboot | _Expiry, node: _Node) -> None:
        match edge:
            case Reboot():
                self._fall(at, edge.node, node, list(node.up), NODE_REBOOTED)
                node.kept.clear()
                self._compare(at, edge.node, node, list(node.carried), NODE_REBOOTED)
            case _Expiry():
                if edge.address in node.kept and node.kept[edge.address][1] == edge.fell:
                    del node.kept[edge.address]
                    self._compare(at, edge.node, node, list(node.carried), Loss.ENDED)
            case BgpRow(event=Event.BGP_ANNOUNCED):
                node.announced |= dict.fromkeys(edge.vips, edge.peers)
                self._compare(at, edge.node, node, edge.vips, "", edge)
            case BgpRow(event=Event.BGP_WITHDRAWN):
                for vip in edge.vips:
                    node.announced.pop(vip, None)
                self._compare(at, edge.node, node, edge.vips, edge.reason, edge)
            case BgpRow(up=True):
                self._rise(at, edge, node)
            case BgpRow(fresh=True):
                self._fall(at, edge.node, node, list(node.up), Loss.ENDED, edge)
                self._compare(at, edge.node, node, list(node.carried), Loss.ENDED, edge)
            case BgpRow(event=Event.BGP_SESSION):
                self._fall(at, edge.node, node, [edge.address], edge.reason, edge)
                self._compare(at, edge.node, node, list(node.carried), edge.reason, edge)

    def _rise(self, at: float, row: BgpRow, node: _Node) -> None:
        node.kept.pop(row.address, None)
        node.up[row.address] = row
        if (index := node.fallen.pop(row.address, None)) is not None:
            self.sessions[index] = self.sessions[index]._replace(until=at)
        self._compare(at, row.node, node, node.announced, "", row)

    def _fall(
        self, at: float, name: str, node: _Node, addresses: Iterable[str], reason: str, row: BgpRow | None = None
    ) -> None:
        for address in addresses:
            up = node.up.pop(address, None)
            if up is not None and reason == Loss.ENDED and up.kept:
                node.kept[address] = up, at
                heappush(self._edges, (at + up.kept, next(self._numbers), _Expiry(name, address, at)))
            peer = row.peer if row is not None and row.peer else up.peer if up is not None else ""
            evidence = row.evidence if row is not None else ""
            node.fallen[address] = len(self.sessions)
            carried = len(node.announced)
            self.sessions.append(
                SessionLoss(at, None, name, peer, address, reason, evidence, carried, _line(at, name, row))
            )

    def _compare(
        self, at: float, name: str, node: _Node, vips: Iterable[str], cause: str, row: BgpRow | None = None
    ) -> None:
        """Which of `vips` does the node carry now, and did not, or the other way round?"""
        touched = set(vips)
        now = node.carries(touched)
        lost, gained = (touched & node.carried) - now, now - node.carried
        node.carried = (node.carried - lost) | gained
        if gained:
            self._gain(at, name, node, gained)
        if lost:
            self._lose(at, name, node, lost, cause, _line(at, name, row))

    def _gain(self, at: float, name: str, node: _Node, gained: set[str]) -> None:
        for vip in gained:
            self._holders.setdefault(vip, set()).add(name)
        self._end_dark(gained & self._in_the_dark.keys(), at, goes_on=False)
        for index in list(node.lost):
            if not gained.isdisjoint(self.hops[index].vips):
                self.hops[index] = self.hops[index]._replace(until=at)
                node.lost.remove(index)

    def _lose(self, at: float, name: str, node: _Node, lost: set[str], cause: str, line: str) -> None:
        by_rest: dict[tuple[str, ...], list[str]] = {}
        for vip in lost:
            self._holders[vip].discard(name)
            by_rest.setdefault(tuple(sorted(self._holders[vip])), []).append(vip)
        if cause == MoveReason.DELETED:
            return
        for left, vips in sorted(by_rest.items()):
            node.lost.append(len(self.hops))
            self.hops.append(HopLoss(at, None, name, left, cause, tuple(sorted(vips)), line))
            if not left:
                self._in_the_dark |= dict.fromkeys(vips, _Dark(at, name, cause, line))

    def _end_dark(self, vips: Iterable[str], at: float, *, goes_on: bool) -> None:
        """Nodes are compared as far as their clocks agree: what is shorter is called a handover."""
        together: dict[_Dark, list[str]] = {}
        for vip in vips:
            together.setdefault(self._in_the_dark.pop(vip), []).append(vip)
        for dark, those in together.items():
            if at - dark.since > self._clock_error:
                until = None if goes_on else at
                self.dark.append(
                    NoOwner(dark.since, until, BGP, tuple(sorted(those)), dark.node, dark.cause, dark.line)
                )


def _line(at: float, node: str, row: BgpRow | None) -> str:
    return f"{node}/{row.boot}/{row.seq}" if row is not None else f"{node}@{at:.3f}"
