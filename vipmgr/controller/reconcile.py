"""The loop: what is known -> what should be -> the writes in between, over and over, in order of safety.

An address is recorded in its Eip first and shown by its Service, and answered by a node, only after that was stored;
on the way back the Service lets go first, then the nodes, then the record. Each pass rests on stored objects alone, so
a controller killed between any two writes goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from vipmgr.controller.changes import bgp, eips, instances, nodes, services
from vipmgr.controller.changes.writes import Write
from vipmgr.controller.gather import Cluster
from vipmgr.controller.metrics import Metrics
from vipmgr.controller.moves import Layer2Ledger, Ledger, notices
from vipmgr.controller.pace import Pace, failed_pause
from vipmgr.controller.publish import Outcome, Phase, Publisher
from vipmgr.controller.unreadable import Troubles
from vipmgr.core.bgp_report import refusals
from vipmgr.core.desire import Desired, Steps, desire
from vipmgr.core.eipstatus import entries
from vipmgr.core.model import Address, Assignment, Rejection, ServiceKey
from vipmgr.core.render import Renderer
from vipmgr.core.snapshot import Objects, Snapshot, SnapshotReader
from vipmgr.core.wire import EipStatus, Service
from vipmgr.kube.errors import FencedError
from vipmgr.log import get_log

log = get_log(__name__)

LOOK_AGAIN: Final = 30.0
"""seconds after which a pass is made although nothing changed: time alone may matter (a contested instance)"""
_WRITE_ON: Final = 1.0
"""seconds of writing Service statuses before news may interrupt it"""


_Standing = tuple[Service, Assignment | None, Rejection | None]


class Todo(NamedTuple):
    """`blocked`: Eips whose finalizer is only now being set; nothing is given out of them before the next pass."""

    phases: list[Phase]
    blocked: frozenset[str]
    recheck: datetime | None


class Reconciler:
    """Makes passes while this replica leads. `changed()` tells it that a copy has changed."""

    def __init__(
        self,
        cluster: Cluster,
        reader: SnapshotReader,
        renderer: Renderer,
        metrics: Metrics,
        *,
        cordon_drains: bool = False,
    ) -> None:
        self._cluster = cluster
        self._reader = reader
        self._renderer = renderer
        self._metrics = metrics
        self._cordon_drains = cordon_drains
        self._ledger = Ledger()
        self._layer2 = Layer2Ledger()
        self._sessions = bgp.SessionLedger()
        self._troubles = Troubles(metrics)
        self._steps = Steps()
        self._settled: dict[ServiceKey, _Standing] = {}
        self._news = asyncio.Event()
        self._changed_at = 0.0
        self._changes = 0
        self._wake: asyncio.TimerHandle | None = None
        self.passes = 0

    def changed(self) -> None:
        self._changes += 1
        if not self._news.is_set():
            self._changed_at = time.monotonic()
            self._news.set()

    async def run(self, publisher: Publisher) -> None:
        """Pass after pass until cancelled. Raises FencedError when the lead is lost.

        A pass that fails by a mistake of ours is made again after a growing pause: what is stored stays as it is, and
        the other replica would make the same mistake.
        """
        self._ledger = Ledger()
        pace = Pace()
        failures = 0
        self.changed()
        while True:
            await self._pause(pace)
            try:
                pace = await self._pass(publisher)
                failures = 0
            except FencedError:
                raise
            except Exception:
                pause = failed_pause(failures)
                failures += 1
                self._metrics.failed_passes.inc()
                log.exception("pass.failed", failures=failures, retry_seconds=pause)
                await asyncio.sleep(pause)
                self.changed()

    async def _pass(self, publisher: Publisher) -> Pace:
        began = time.thread_time()
        todo = self.plan(publisher, datetime.now(UTC))
        cost = time.thread_time() - began
        self._metrics.passes.observe(cost)
        self.passes += 1
        pace = Pace(cost, time.monotonic())
        outcome = await publisher.carry_out(todo.phases, self._interrupt(pace), todo.blocked)
        self._timer(outcome, publisher, todo.recheck)
        return pace

    async def _pause(self, pace: Pace) -> None:
        """Wait for news, then a little, so that what belongs together is decided together."""
        await self._news.wait()
        wait = pace.next_start(self._changed_at) - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._metrics.queue.set(self._changes)
        self._changes = 0
        self._news.clear()

    def _interrupt(self, pace: Pace) -> Callable[[], bool]:
        """News may interrupt the writing of Service statuses once another pass may begin."""
        until = max(pace.ended + _WRITE_ON, pace.next_start(pace.ended))
        return lambda: self._news.is_set() and time.monotonic() > until

    def _timer(self, outcome: Outcome, publisher: Publisher, recheck: datetime | None) -> None:
        """A pass that wrote something is followed by another: what was stored may allow the next step."""
        if outcome.written or outcome.left:
            self.changed()
            return
        loop = asyncio.get_running_loop()
        waits = [LOOK_AGAIN]
        if recheck is not None:
            waits.append((recheck - datetime.now(UTC)).total_seconds())
        if (due := publisher.retry_in(outcome.failed)) is not None:
            waits.append(due)
        if self._wake is not None:
            self._wake.cancel()
        self._wake = loop.call_later(max(0.01, min(waits)), self.changed)

    def plan(self, publisher: Publisher, now: datetime) -> Todo:
        """One decision: the writes that bring the cluster there, and when to decide again."""
        objects = self._cluster.objects()
        snapshot = self._drain_cordoned(self._reader.read(objects))
        desired = desire(snapshot, self._renderer.spec, now, self._steps)
        statuses = self._statuses(objects, snapshot, desired, now)
        owners, moves = self._ledger.look(
            desired.placement.instances, objects.instances, snapshot.reports, snapshot.nodes, desired.pools, now
        )
        by_address = {vip.address: vip.services for vip in desired.vips}
        moves += self._layer2.look(desired.layer2.instances, snapshot.reports, snapshot.nodes, desired.pools, now)
        publisher.say(notices(moves, by_address, objects.services, objects.eips))
        publisher.say(self._sessions.look(objects.vip_nodes, objects.bgp_peers))
        publisher.say(self._troubles.look([*self._cluster.unreadable(), *snapshot.problems], objects))
        self._show(objects, snapshot, desired, statuses)
        self._metrics.show_instances(owners, {name: one.eip for name, one in desired.placement.instances.items()})
        shared, single = _registrations(objects, desired)
        guards = [write for eip in objects.eips.values() if (write := eips.guard(eip))]
        blocked = frozenset(write.key for write in guards)
        records = [write for name, wanted in statuses.items() if (write := eips.update(objects.eips[name], wanted))]
        phases = [
            Phase(guards),
            Phase([write for write in records if write.key not in blocked]),
            Phase(shared, one_by_one=True),
            Phase(single),
            Phase(self._services(objects, snapshot, desired, now), may_stop=True),
            Phase(_plans(objects, desired, now)),
            Phase(instances.remove(objects.instances, desired.placement.delete)),
            Phase(instances.rebalanced(objects.instances, desired.placement.rebalanced)),
            Phase(instances.report(objects.instances, owners)),
            Phase(nodes.forget(objects.vip_nodes, objects.nodes)),
            Phase(
                bgp.report(
                    objects.bgp_confs,
                    objects.bgp_peers,
                    [*desired.bgp.problems, *refusals(objects.vip_nodes)],
                    objects.nodes,
                    now,
                )
            ),
        ]
        return Todo(phases, blocked, desired.recheck)

    def _drain_cordoned(self, snapshot: Snapshot) -> Snapshot:
        if not self._cordon_drains:
            return snapshot
        cordoned = {name for name, facts in snapshot.nodes.items() if facts.cordoned}
        drained = {
            name: replace(report, drain=True) if name in cordoned else report
            for name, report in snapshot.reports.items()
        }
        return replace(snapshot, reports=drained)

    def _statuses(self, objects: Objects, snapshot: Snapshot, desired: Desired, now: datetime) -> dict[str, EipStatus]:
        statuses = {}
        for name, eip in objects.eips.items():
            used = entries(desired.allocation.used.get(name, {}))
            if eips.leftovers(eip, used):
                used |= eips.kept_entries(eip, used, _shown(snapshot) | _published(snapshot))
            statuses[name] = eips.status_of(eip, desired.pools[name], used, desired.problems.get(name, ()), now)
        return statuses

    def _services(self, objects: Objects, snapshot: Snapshot, desired: Desired, now: datetime) -> Iterator[Write]:
        """Releases first: others may wait for what they let go. Each write is made when its turn comes, so a phase
        that is interrupted made none in vain; a Service found in order is not looked at again until it changes."""
        assigned, refused = desired.allocation.assigned, desired.allocation.refused
        settled, self._settled = self._settled, {}
        for serving in (False, True):
            for key, service in objects.services.items():
                if (key in assigned) is not serving:
                    continue
                standing = (service, assigned.get(key), refused.get(key))
                known = settled.get(key)
                if known is not None and known[0] is service and known[1:] == standing[1:]:
                    self._settled[key] = known
                elif (write := _service(service, key in snapshot.claims, *standing[1:], now)) is not None:
                    yield write
                else:
                    self._settled[key] = standing

    def _show(self, objects: Objects, snapshot: Snapshot, desired: Desired, statuses: Mapping[str, EipStatus]) -> None:
        self._metrics.show_pools(statuses)
        self._metrics.show_services(len(desired.allocation.assigned), desired.allocation.refused)
        lagging = sum(
            spec.revision != snapshot.reports[name].revision
            for name, spec in desired.specs.items()
            if name in objects.vip_nodes
        )
        self._metrics.show_lagging(lagging)


def _shown(snapshot: Snapshot) -> set[str]:
    """Addresses that the status of some Service shows."""
    held: list[Sequence[Address]] = [claim.held for claim in snapshot.claims.values()]
    return {str(address) for addresses in (*held, *snapshot.leaving.values()) for address in addresses}


def _published(snapshot: Snapshot) -> set[str]:
    """Addresses in the plan of some node that exists, or that it may still hold from an earlier one."""
    return {
        str(vip)
        for report in snapshot.reports.values()
        if report.name in snapshot.nodes
        for live in (report.published_instances, report.unsettled)
        for vips in live.values()
        for vip in vips
    }


def _registrations(objects: Objects, desired: Desired) -> tuple[list[Write], list[Write]]:
    """Writes of the register: those whose order counts (shared instances of a pool being made), and the others."""
    writes = [
        replace(write, needs=frozenset({f"Eip/{desired.placement.instances[write.name].eip}"}))
        for write in instances.register(objects.instances, desired.placement.instances)
    ]
    ordered = [
        write
        for write in writes
        if write.name not in objects.instances and desired.placement.instances[write.name].service is None
    ]
    first = {write.name for write in ordered}
    return ordered, [write for write in writes if write.name not in first]


def _service(
    service: Service, claims: bool, assignment: Assignment | None, rejection: Rejection | None, now: datetime
) -> Write | None:
    if service.metadata.deletion_timestamp is not None:
        return services.unfinalize(service)
    return services.serve(service, assignment, rejection, now) if claims else services.release(service)


def _plans(objects: Objects, desired: Desired, now: datetime) -> list[Write]:
    """A node is told of an instance only when that is in the register."""
    stamp = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return [
        replace(write, needs=frozenset(f"VrrpInstance/{one.name}" for one in desired.specs[write.name].instances))
        for write in nodes.publish(objects.vip_nodes, desired.specs, stamp)
    ]
