"""Who holds each instance, and Events for moves: on the Service while they are few, else summed up on the Eip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from vipmgr.controller.changes.writes import Notice, reference
from vipmgr.core.model import Address, Instance, NodeFacts, NodeReport, Pool, ServiceKey
from vipmgr.core.ownership import Move, Ownership, judge, sentence
from vipmgr.core.wire import Eip, Service, VrrpInstance
from vipmgr.kube.resources import EIPS, SERVICES

EACH_UP_TO: Final = 20
"""VIPs of one move that get an Event each"""
_ADVERT_MS: Final = 100


class Ledger:
    """Remembers the last master of each instance between passes; at the start it is what VrrpInstance.status says."""

    def __init__(self) -> None:
        self._last: dict[str, Ownership] = {}

    def look(
        self,
        instances: Mapping[str, Instance],
        stored: Mapping[str, VrrpInstance],
        reports: Mapping[str, NodeReport],
        nodes: Mapping[str, NodeFacts],
        pools: Mapping[str, Pool],
        now: datetime,
    ) -> tuple[dict[str, Ownership], list[Move]]:
        """Ownership of every instance, and the moves since the last look."""
        owners: dict[str, Ownership] = {}
        moves = []
        speakers = _speakers(reports)
        for name, instance in instances.items():
            before = self._last.get(name) or recorded(stored.get(name))
            pool = pools.get(instance.eip)
            advert = pool.vrrp.advert_interval_ms if pool else _ADVERT_MS
            owners[name], move = judge(instance, before, speakers.get(name, {}), nodes, now, advert)
            if move is not None:
                moves.append(move)
        self._last = dict(owners)
        return owners, moves


def _speakers(reports: Mapping[str, NodeReport]) -> dict[str, dict[str, NodeReport]]:
    """Instance -> the reports that mention it: of its members, and of former members that did not let go yet."""
    speakers: dict[str, dict[str, NodeReport]] = {}
    for node, report in reports.items():
        for name in report.instances:
            speakers.setdefault(name, {})[node] = report
    return speakers


def recorded(stored: VrrpInstance | None) -> Ownership:
    """What the object says, after a restart."""
    if stored is None:
        return Ownership()
    status = stored.status
    return Ownership(
        status.master, tuple(status.masters), status.since or "", status.transitions, status.contested, status.master
    )


def notices(
    moves: Sequence[Move],
    owners: Mapping[Address, Sequence[ServiceKey]],
    services: Mapping[str, Service],
    eips: Mapping[str, Eip],
) -> list[Notice]:
    """`owners`: address -> its Services. One Event per Service for small moves, one on the Eip for all others."""
    said = []
    for move in moves:
        vips = move.instance.vips
        if len(vips) > EACH_UP_TO and (eip := eips.get(move.instance.eip)) is not None:
            what = f"{len(vips)} VIPs of {move.instance.name} ({vips[0]} …)"
            said.append(Notice(reference(EIPS, eip.metadata), "Normal", "VIPsMoved", "Failover", sentence(move, what)))
            continue
        for vip in vips:
            note = sentence(move, f"VIP {vip}")
            for key in owners.get(vip, ()):
                if (service := services.get(key)) is not None:
                    about = reference(SERVICES, service.metadata)
                    said.append(Notice(about, "Normal", "VIPMoved", "Failover", note))
    return said
