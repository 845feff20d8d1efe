"""What follows when a configuration was confirmed, refused or got stuck: audit line, status, files, watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from vipmgr.core import reload
from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.kernel_view import disagreements
from vipmgr.core.wire import Refusal, VipNodeSpec
from vipmgr.log import get_log
from vipmgr.node.grip import Grip
from vipmgr.node.journal import Journal, utc
from vipmgr.node.metrics import Metrics
from vipmgr.node.netlink import Netlink
from vipmgr.node.plan_store import StoredPlan, save_plan
from vipmgr.node.report import APPLIED, Facts
from vipmgr.node.resync import Resync
from vipmgr.node.settings import Paths
from vipmgr.node.tracker import Tracker

log = get_log(__name__)

SAVE_AGAIN_SECONDS: Final = 15.0
SLOW_ADVERTS: Final = 3
_PATIENCE_EMPTY: Final = 0.2


class Outcome:
    """Told by the applier (`applier.Agent`). `coming(spec)`: it goes live now; `settled(spec)`: it is confirmed."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it speaks to
        self,
        paths: Paths,
        facts: Facts,
        journal: Journal,
        metrics: Metrics,
        tracker: Tracker,
        netlink: Netlink,
        grip: Grip,
        resync: Resync,
        coming: Callable[[VipNodeSpec], None],
        settled: Callable[[VipNodeSpec], None],
        changed: Callable[[], None],
    ) -> None:
        self._paths = paths
        self._facts = facts
        self._journal = journal
        self._metrics = metrics
        self._tracker = tracker
        self._netlink = netlink
        self._grip = grip
        self._resync = resync
        self._coming = coming
        self._settled = settled
        self._changed = changed
        self._unsaved: VipNodeSpec | None = None
        self._save_at: float | None = None
        self.own_addresses: list[str] = []

    def prepare(self, spec: VipNodeSpec) -> None:
        self._coming(spec)
        self._tracker.prepare(spec)

    async def inspect(self, spec: VipNodeSpec) -> tuple[str, ...]:
        states = await self._resync.ask(1.0 if spec.instances else _PATIENCE_EMPTY)
        if states is None:
            return ("keepalived does not answer",)
        await self._netlink.synced.wait()
        return disagreements(spec, states, self._netlink.kernel.placed())

    def reloading(self) -> None:
        self._grip.take()
        self._metrics.reloads.inc()

    def confirmed(self, effect: reload.Confirm, silent_ms: int | None) -> None:
        spec = effect.spec
        before = {vip for one in effect.before.instances for vip in one.vips} if effect.before is not None else set()
        after = {vip for one in spec.instances for vip in one.vips}
        if effect.before is None or effect.before.revision != spec.revision or effect.reload_ms is not None:
            line = AuditLine(event=Event.CONFIG_APPLIED, revision=spec.revision)
            line.reload_ms, line.silent_ms = effect.reload_ms, silent_ms
            line.vips_added, line.vips_removed = len(after - before), len(before - after)
            self._journal.write(line)
        self._measure(spec, effect.reload_ms, silent_ms)
        now = utc(time.time())
        if self._facts.revision != spec.revision:
            self._facts.revision, self._facts.applied_at = spec.revision, now
        self._facts.refused = None
        self._facts.tell(APPLIED, True, "Confirmed", "", now)
        self._settled(spec)
        self._unsaved = spec
        self.save()
        self._changed()

    def refused(self, effect: reload.Refuse) -> None:
        self._metrics.refused.inc()
        line = AuditLine(event=Event.CONFIG_REFUSED, revision=effect.spec.revision, evidence=effect.message)
        self._journal.write(line)
        now = utc(time.time())
        self._facts.refused = Refusal(revision=effect.spec.revision, message=effect.message[:4096], time=now)
        self._facts.tell(APPLIED, False, "Refused", effect.message, now)
        self._changed()

    def complained(self, effect: reload.Complain) -> None:
        log.warning("config.unconfirmed", revision=effect.spec.revision, message=effect.message)
        self._facts.tell(APPLIED, False, "Unconfirmed", effect.message, utc(time.time()))
        self._changed()

    def remember_addresses(self, addresses: list[str]) -> None:
        """The Node's own addresses, kept with the plan for a start without an API server."""
        if addresses != self.own_addresses:
            self.own_addresses = addresses
            if self._facts.stored is not None:
                self._unsaved = self._unsaved or self._facts.stored
                self.save()

    def save(self) -> None:
        """plan.json; tried again later when the disk is full."""
        if self._unsaved is None:
            return
        self._facts.stored = self._unsaved
        try:
            save_plan(self._paths.plan, StoredPlan(spec=self._unsaved, own_addresses=self.own_addresses))
        except OSError as error:
            if self._save_at is None:
                log.error("plan.not_saved", path=str(self._paths.plan), error=str(error))
            self._save_at = time.monotonic() + SAVE_AGAIN_SECONDS
            return
        self._unsaved, self._save_at = None, None

    def deadline(self) -> float | None:
        return self._save_at

    def _measure(self, spec: VipNodeSpec, reload_ms: int | None, silent_ms: int | None) -> None:
        if reload_ms is None:
            return
        self._facts.keepalived.reload_ms = reload_ms
        self._metrics.reload_ms.set(reload_ms)
        self._metrics.silent_ms.set(silent_ms or 0)
        shortest = min((one.advert_interval_ms for one in spec.instances), default=0)
        if silent_ms is not None and shortest and silent_ms > SLOW_ADVERTS * shortest:
            log.warning("config.slow_reload", revision=spec.revision, silent_ms=silent_ms, advert_ms=shortest)
