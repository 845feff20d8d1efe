"""What Prometheus sees. A registry per controller: two may run in one process."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from vipmgr.core.model import Rejection, ServiceKey
from vipmgr.core.ownership import Ownership
from vipmgr.core.wire import EipStatus


class Metrics:
    """Figures set once per pass, and counters of what the writers did."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        self.leader = Gauge("vipmgr_controller_leader", "1 while this replica leads", **own)
        self.passes = Histogram(
            "vipmgr_controller_reconcile_seconds",
            "One computation of the desired state",
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0),
            **own,
        )
        self.failed_passes = Counter(
            "vipmgr_controller_failed_passes", "Passes that ended in an error of the controller itself", **own
        )
        self.unreadable = Gauge(
            "vipmgr_controller_unreadable_objects", "Objects that cannot be read and count as they last were", **own
        )
        self.queue = Gauge("vipmgr_controller_queue", "Changes seen since the last pass began", **own)
        self.writes = Counter("vipmgr_controller_writes", "Writes the API server accepted", ["resource"], **own)
        self.errors = Counter("vipmgr_controller_write_errors", "Writes that failed", ["resource", "reason"], **own)
        self.watching = Gauge("vipmgr_controller_watch_up", "1 while the copy is current", ["resource"], **own)
        self._pool_size = Gauge("vipmgr_pool_addresses", "Addresses of the pool", ["eip"], **own)
        self._pool_used = Gauge("vipmgr_pool_addresses_used", "Addresses given to Services", ["eip"], **own)
        self._assigned = Gauge("vipmgr_services_assigned", "Services that have an address", **own)
        self._refused = Gauge("vipmgr_services_refused", "Services refused", ["reason"], **own)
        self._instances = Gauge("vipmgr_instances", "VRRP instances", ["eip"], **own)
        self._masters = Gauge("vipmgr_instance_masters", "Nodes that say they are master", ["instance"], **own)
        self._contested = Gauge("vipmgr_instances_contested", "Instances with more than one master", **own)
        self._lagging = Gauge("vipmgr_nodes_lagging", "Nodes that have not confirmed their revision", **own)
        self.events_dropped = Gauge("vipmgr_events_dropped", "Events left out by the rate limit", **own)

    def show_pools(self, statuses: Mapping[str, EipStatus]) -> None:
        self._pool_size.clear()
        self._pool_used.clear()
        for name, status in statuses.items():
            self._pool_size.labels(name).set(status.pool_size)
            self._pool_used.labels(name).set(status.usage)

    def show_services(self, assigned: int, refused: Mapping[ServiceKey, Rejection]) -> None:
        self._assigned.set(assigned)
        self._refused.clear()
        for reason, count in Tally(rejection.reason for rejection in refused.values()).items():
            self._refused.labels(str(reason)).set(count)

    def show_instances(self, owners: Mapping[str, Ownership], eips: Mapping[str, str]) -> None:
        """`eips`: instance -> its Eip."""
        self._masters.clear()
        self._instances.clear()
        for name, ownership in owners.items():
            self._masters.labels(name).set(len(ownership.masters))
        for eip, count in Tally(eips.values()).items():
            self._instances.labels(eip).set(count)
        self._contested.set(sum(ownership.contested for ownership in owners.values()))

    def show_lagging(self, nodes: int) -> None:
        self._lagging.set(nodes)

    def page(self) -> bytes:
        """The exposition text, version 0.0.4."""
        return generate_latest(self.registry)
