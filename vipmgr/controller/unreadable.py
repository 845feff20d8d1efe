"""Objects that cannot be read: said once each, in the log and by an Event where the object is ours, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vipmgr.controller.changes.writes import Notice, reference
from vipmgr.controller.metrics import Metrics
from vipmgr.core.model import Problem
from vipmgr.core.snapshot import Objects
from vipmgr.kube.resources import BGP_CONFS, BGP_PEERS, EIPS, VIP_NODES, VRRP_INSTANCES, Resource
from vipmgr.log import get_log

log = get_log(__name__)


class Troubles:
    """What could not be read at the last look."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: frozenset[Problem] = frozenset()

    def look(self, problems: Iterable[Problem], objects: Objects) -> list[Notice]:
        """Events for what is new. A Service hears of it by its condition."""
        before, self._told = self._told, frozenset(problems)
        self._metrics.unreadable.set(len({one.about for one in self._told}))
        said = []
        for problem in sorted(self._told - before):
            log.error("object.unreadable", about=problem.about, error=problem.message)
            kind, _, name = problem.about.partition("/")
            resource, found = _ours(objects).get(kind, (EIPS, {}))
            if name in found:
                about = reference(resource, found[name].metadata)
                said.append(Notice(about, "Warning", problem.reason, "Read", problem.message))
        return said


def _ours(objects: Objects) -> dict[str, tuple[Resource[Any], Mapping[str, Any]]]:
    return {
        EIPS.kind: (EIPS, objects.eips),
        VRRP_INSTANCES.kind: (VRRP_INSTANCES, objects.instances),
        VIP_NODES.kind: (VIP_NODES, objects.vip_nodes),
        BGP_CONFS.kind: (BGP_CONFS, objects.bgp_confs),
        BGP_PEERS.kind: (BGP_PEERS, objects.bgp_peers),
    }
