"""Who holds each instance, and Events for moves: on the Service while they are few, else summed up on the Eip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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


def _vrrp_interval(pool: Pool) -> int:
    return pool.vrrp.advert_interval_ms


class Ledger:
    """Remembers the last master of each instance between passes; at the start it is what VrrpInstance.status says.

    `interval`: what a pool's timers go by, in milliseconds.
    """

    def __init__(self, interval: Callable[[Pool], int] = _vrrp_interval) -> None:
        self._interval = interval
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
            advert = self._interval(pool) if pool else _ADVERT_MS
            owners[name], move = judge(instance, before, speakers.get(name, {}), nodes, now, advert)
            if move is not None:
                moves.append(move)
        self._last = dict(owners)
        return owners, moves


class Layer2Ledger:
    """The same for layer2 addresses, which no object records: a controller that starts takes whom it finds."""

    def __init__(self) -> None:
        self._ledger = Ledger(_probing_interval)

    def look(
        self,
        addresses: Mapping[str, Instance],
        reports: Mapping[str, NodeReport],
        nodes: Mapping[str, NodeFacts],
        pools: Mapping[str, Pool],
        now: datetime,
    ) -> list[Move]:
        if not addresses:
            return []
        said = {node: replace(report, instances=report.layer2) for node, report in reports.items()}
        return self._ledger.look(addresses, {}, said, nodes, pools, now)[1]


def _probing_interval(pool: Pool) -> int:
    """Three of them, and a silent owner is replaced."""
    policy = pool.layer2
    probes = policy.probe_misses * (policy.probe_interval_ms or 150)
    return (probes + (0 if policy.probe_interval_ms else policy.lease_ms)) // 3


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
