"""The audit lines of what a node announces: address by address, when it begins and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.bgp_routes import Route, tag
from vipmgr.core.model import MoveReason
from vipmgr.core.node_bgp import NodeBgp
from vipmgr.node.journal import Journal

PER_LINE: Final = 250
"""Addresses in one line: container runtimes cut lines at 16 KiB."""


class Announced:
    """What was said so far outlives gobgpd: one that comes back with the same routes is told by its sessions alone."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._said: Mapping[str, Route] = {}

    def tell(
        self, routes: Mapping[str, Route], wanted: Mapping[str, Route], plan: NodeBgp | None, *, drain: bool
    ) -> None:
        """`routes` are in gobgpd now, by prefix, `wanted` should be: what is not there yet went with gobgpd, as its
        sessions tell, and is not withdrawn: routers may keep it meanwhile."""
        if routes is self._said:
            return
        waiting = {prefix: self._said[prefix] for prefix in self._said.keys() & wanted.keys() - routes.keys()}
        routes = {**routes, **waiting} if waiting else routes
        said, self._said = self._said, routes
        gone: dict[MoveReason, list[str]] = {}
        planned = {prefix for group in plan.routes for prefix in group.prefixes} if plan is not None else set()
        for prefix in said.keys() - routes.keys():
            there = MoveReason.DRAINED if drain else MoveReason.NO_ENDPOINTS
            gone.setdefault(there if prefix in planned else MoveReason.DELETED, []).append(_address(prefix))
        for reason, vips in sorted(gone.items()):
            self._write(AuditLine(event=Event.BGP_WITHDRAWN, reason=str(reason)), vips)
        names = {tag(peer.name): peer.name for peer in (plan.peers if plan is not None else ())}
        new: dict[tuple[str, ...], list[str]] = {}
        for prefix, route in routes.items():
            there_before = said.get(prefix)
            if there_before is None or there_before.large != route.large:
                new.setdefault(_peers(route, names), []).append(_address(prefix))
        for peers, vips in sorted(new.items()):
            self._write(AuditLine(event=Event.BGP_ANNOUNCED, peers=peers), vips)

    def _write(self, line: AuditLine, vips: list[str]) -> None:
        vips.sort()
        for begin in range(0, len(vips), PER_LINE):
            line.vips = tuple(vips[begin : begin + PER_LINE])
            self._journal.write(line)


def _peers(route: Route, names: Mapping[str, str]) -> tuple[str, ...]:
    """BgpPeers that get it; empty: all."""
    if tag("") in route.large:
        return ()
    return tuple(sorted(names[one] for one in route.large if one in names))


def _address(prefix: str) -> str:
    """An address without its length, a network with it."""
    address, _, length = prefix.partition("/")
    return address if length == ("128" if ":" in address else "32") else prefix
