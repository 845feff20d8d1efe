"""The node agent: its parts put together, and what each tells the others. `program.run` gives it a loop and an API."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Final

from vipmgr.core import reload, spec_check
from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.keepalived_words import State
from vipmgr.core.wire import VipNodeSpec, VipNodeStatus
from vipmgr.log import get_log
from vipmgr.node import keepalived
from vipmgr.node.applier import Applier
from vipmgr.node.background import Background
from vipmgr.node.bgp.metrics import BgpMetrics
from vipmgr.node.bgp.part import BgpPart
from vipmgr.node.cursor import Saved, load_cursor, save_cursor
from vipmgr.node.daemon_watch import DaemonWatch
from vipmgr.node.fifo import FifoReader
from vipmgr.node.grip import Grip
from vipmgr.node.journal import Journal, utc
from vipmgr.node.keepalived import Processes
from vipmgr.node.layer2 import Layer2
from vipmgr.node.layer2_report import Layer2Metrics, tell_layer2
from vipmgr.node.logfile import FolderWatch, LogTail
from vipmgr.node.metrics import Metrics
from vipmgr.node.netlink import Netlink, node_addresses, resolve
from vipmgr.node.observer import Observer
from vipmgr.node.outcome import Outcome
from vipmgr.node.plan_store import StoredPlan, load_plan
from vipmgr.node.report import RUNNING, Facts, arp_links, compose, interfaces_of, strangers_of
from vipmgr.node.resync import Resync
from vipmgr.node.settings import Settings
from vipmgr.node.stranger_watch import StrangerWatch
from vipmgr.node.sweeper import Sweeper
from vipmgr.node.tracker import Tracker

log = get_log(__name__)

_PREFIX: Final = re.compile(r"^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4}: ")
_ROUTES_SETTLE: Final = 0.1
_SAVE_SECONDS: Final = 5.0
_SAVE_SOON: Final = 0.3


class NodeAgent:
    """`report(now)` is called when VipNode.status may have changed; now: a master moved, do not wait."""

    def __init__(self, settings: Settings, report: Callable[[bool], None]) -> None:
        paths = settings.paths
        self._paths = paths
        self._log_bytes = settings.log_bytes
        self._report = report
        self._background = Background()
        self._kick = asyncio.Event()
        self._routes = asyncio.Event()
        self._reach: list[str] = []
        self._save_at = 0.0
        self._known_daemon = ""
        for folder in (paths.state, paths.run, paths.tracks):
            folder.mkdir(parents=True, exist_ok=True)
        self.facts = Facts()
        self.metrics = Metrics()
        self.layer2_metrics = Layer2Metrics(self.metrics.registry)
        self.bgp_metrics = BgpMetrics(self.metrics.registry)
        self.journal = Journal(paths.audit, settings.node, limit=settings.audit_bytes, keep=settings.audit_files)
        self.observer = Observer(self.journal, self._moved, lambda: report(False))
        self.netlink = Netlink(self._kernel_changed, self._routes.set)
        self._grip = Grip(self.netlink)
        self.tracker = Tracker(paths, self.observer, self.journal, self._drained)
        self.sweeper = Sweeper(paths, self.netlink, self.journal, self._plans)
        self._saved = load_cursor(paths.cursor)
        self._tail = LogTail(paths.log, self._saved.log if self._saved.log.inode else None)
        self.strangers = StrangerWatch(self.journal, self.observer, lambda: report(False))
        self.layer2 = Layer2(settings.node, self.journal, report)
        self.bgp = BgpPart(paths, self.journal, settings.namespace, settings.node, lambda: report(False))
        self._resync = Resync(paths, self.observer, self._catch_up)
        self._outcome = Outcome(
            paths, self.facts, self.journal, self.metrics, self.tracker, self.netlink, self._grip,
            self._resync, self._coming, self._confirmed, lambda: report(False),
        )  # fmt: skip
        self._applier = Applier(paths, self._outcome, self._background)
        self._daemon = DaemonWatch(paths, self._began, self._came, self._went)

    # --- what the API side calls -------------------------------------------------------------------------------------

    def want(self, spec: VipNodeSpec) -> None:
        """A VipNode.spec from the controller. Draining does not wait for a configuration under way."""
        self.tracker.want_drain(spec.drain)
        self._applier.feed(reload.Wanted(spec))
        self._kick.set()
        if spec_check.complaint(spec) is not None:
            return  # refused as a whole
        self.layer2.want(spec.layer2, drain=spec.drain)
        self.bgp.want(spec)
        if spec.reach != self._reach:
            self._reach = list(spec.reach)
            self._routes.set()

    def own_addresses(self, addresses: list[str]) -> None:
        """Node.status.addresses."""
        self.sweeper.kept = node_addresses(addresses)
        self._outcome.remember_addresses(addresses)

    def status(self) -> VipNodeStatus:
        now = time.monotonic()
        plans = self._plans()
        since = self.strangers.since
        tell_layer2(self.facts, self.layer2, self.netlink.kernel.links.values())
        self.facts.listening_since = utc(since) if since is not None else ""
        return compose(
            self.facts,
            interfaces_of(self.netlink.kernel, plans),
            self.observer.report(now),
            strangers_of(self.strangers.heard, time.time() - now),
            self.journal.sequence,
            self.layer2.status(),
            self.bgp.status(),
        )

    async def hand_over(self) -> None:
        """Before it is cancelled for good: what must not wait for others to notice."""
        await self.layer2.hand_over()

    def missing(self) -> list[str]:
        """What keeps the node from being ready: a rollout stops here while keepalived does not start."""
        absent = [] if self.netlink.synced.is_set() else ["netlink"]
        if not self._paths.fifo.is_fifo():
            absent.append("notify fifo")
        if self.facts.stored is not None and not self.facts.keepalived.running:
            absent.append("keepalived")
        return absent

    def scrape(self) -> bytes:
        states = self.observer.states
        metrics = self.metrics
        metrics.masters.set(sum(state is State.MASTER for state in states.values()))
        metrics.instances.set(len(states))
        metrics.strangers.set(len(self.strangers.heard))
        metrics.packets.set(self.strangers.packets)
        metrics.sequence.set(self.journal.sequence)
        metrics.audit_lost.set(self.journal.lost)
        metrics.log_lag.set(self._tail.lag)
        metrics.running.set(self.facts.keepalived.running)
        metrics.drained.set(self.facts.drained)
        self.layer2_metrics.show(self.layer2)
        self.bgp_metrics.show(self.bgp)
        return metrics.text()

    # --- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. keepalived is left as it is."""
        saved = self._saved
        self.journal.write(AuditLine(event=Event.AGENT_STARTED, previous_boot=saved.boot, previous_seq=saved.sequence))
        self.observer.recall(saved.instances)
        self._resume(load_plan(self._paths.plan))  # before anything is awaited, so before any news of the API server
        self.facts.keepalived.version = await keepalived.version()
        folder = FolderWatch(self._paths.run)
        self._fifo = FifoReader(self._paths.fifo, self._fifo_line)
        self._look_back(saved)
        self.strangers.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.netlink.run())
                tasks.create_task(self._follow(folder))
                tasks.create_task(self._keep_time())
                tasks.create_task(self._keep_reach())
                tasks.create_task(self.strangers.run())
                tasks.create_task(self.layer2.run())
                tasks.create_task(self.bgp.run())
                tasks.create_task(self._background.watch())
        finally:
            self._catch_up()
            self.observer.flush()
            self.journal.write(AuditLine(event=Event.AGENT_STOPPED))
            self._save()
            self._daemon.close()
            self._fifo.close()
            self._tail.close()
            folder.close()
            self.strangers.close()
            await self._background.close()
            await self.tracker.close()

    def _resume(self, stored: StoredPlan | None) -> None:
        """Cold start: the node's own copy of the plan is what counts until an API server says otherwise."""
        spec = stored.spec if stored is not None else None
        self.tracker.resume(spec)
        self.tracker.step()
        if stored is None or spec is None:
            return
        self.facts.stored = spec
        self.facts.revision = spec.revision
        self.sweeper.kept = node_addresses(stored.own_addresses)
        self._outcome.own_addresses = stored.own_addresses
        self.observer.learn(spec.instances)
        self.strangers.own(spec.instances)
        self.layer2.want(spec.layer2, drain=spec.drain)
        self.bgp.want(spec)
        self._reach = list(spec.reach)
        try:
            live = self._paths.config.read_text()
        except OSError:
            live = ""
        if live == spec.keepalived:
            self._applier.state = reload.resume(spec)
        else:
            self._applier.feed(reload.Wanted(spec))

    def _look_back(self, saved: Saved) -> None:
        """Bring what a former agent knew up to date with what keepalived wrote while there was none."""
        processes = keepalived.find_processes(self._paths)
        self._known_daemon = saved.keepalived
        self._grip.recall(saved.held)
        if saved.keepalived and processes.identity != saved.keepalived:
            self.journal.write(AuditLine(event=Event.KEEPALIVED_DIED, evidence="it ended while no agent ran"))
            self.observer.died("it ended while no agent ran")
        self._catch_up()
        self._daemon.look()
        if processes.parent is None:
            self._background.spawn(self.sweeper.sweep())

    async def _follow(self, folder: FolderWatch) -> None:
        while True:
            await folder.wait()
            self._keep_fifo()
            self._read_log()
            self._daemon.look()
            self._kick.set()

    async def _keep_time(self) -> None:
        """One timer for every part that has a deadline."""
        while True:
            now = time.monotonic()
            self._tick(now)
            dues = [one for one in self._deadlines() if one is not None]
            wait = max(0.001, min(dues, default=now + _SAVE_SECONDS) - time.monotonic())
            try:
                async with asyncio.timeout(min(wait, _SAVE_SECONDS)):
                    await self._kick.wait()
            except TimeoutError:
                pass
            self._kick.clear()

    def _deadlines(self) -> list[float | None]:
        return [
            self._applier.deadline(),
            self.tracker.deadline(),
            self.observer.deadline(),
            self.strangers.deadline(),
            self._outcome.deadline(),
            self._save_at,
        ]

    def _tick(self, now: float) -> None:
        self._applier.feed(reload.Tick())
        self.tracker.step()
        self.observer.tick(now)
        if now >= self.strangers.deadline():
            self.strangers.tick()
        due = self._outcome.deadline()
        if due is not None and now >= due:
            self._outcome.save()
        if now >= self._save_at:
            self._save_at = now + _SAVE_SECONDS
            self._save()
            self._tail.shrink(self._log_bytes)

    async def _keep_reach(self) -> None:
        while True:
            await self._routes.wait()
            await asyncio.sleep(_ROUTES_SETTLE)
            self._routes.clear()
            await self.netlink.synced.wait()
            try:
                found = await resolve(self._reach, self.netlink.kernel.links) if self._reach else {}
            except OSError as error:
                log.warning("reach.unknown", error=str(error))
                continue
            if found != self.facts.reach:
                self.facts.reach = found
                self._report(False)

    # --- what the parts tell -----------------------------------------------------------------------------------------

    def _moved(self, state: State) -> None:
        self.tracker.step()
        self._save_at = min(self._save_at, time.monotonic() + _SAVE_SOON)
        self._kick.set()
        self._report(state is State.MASTER)

    def _drained(self, drained: bool) -> None:
        self.facts.drained = drained
        self._kick.set()
        self._report(True)

    def _kernel_changed(self) -> None:
        links = self.netlink.kernel.links
        self.strangers.listen_on(arp_links(links))
        self.layer2.kernel(links.values())
        self._reopen()
        self._report(False)

    def _reopen(self) -> None:
        slipped = self._grip.slipped(one.interface for plan in self._plans() for one in plan.instances)
        if slipped and self._daemon.processes.parent is not None:
            log.warning("keepalived.lost_interfaces", interfaces=slipped)
            self._applier.feed(reload.Stale())
            self._kick.set()

    def _coming(self, spec: VipNodeSpec) -> None:
        """`spec` goes live in a moment: old and new instances are ours until it is confirmed."""
        both = {one.name: one for plan in (*self._plans(), spec) for one in plan.instances}.values()
        self.observer.learn(both)
        self.strangers.own(both)

    def _confirmed(self, spec: VipNodeSpec) -> None:
        self.observer.learn(spec.instances)
        self.strangers.own(spec.instances)
        self.tracker.confirmed(spec)
        self._kick.set()
        self._background.spawn(self.sweeper.sweep())

    def _fifo_line(self, line: str) -> None:
        """A line may be here before the news of the process that wrote it."""
        if self._daemon.processes.vrrp is None:
            self._daemon.look()
        self.observer.fifo_line(line)

    def _began(self, processes: Processes) -> None:
        parent = processes.parent
        began = keepalived.started(parent) if parent is not None else None
        if began is None:
            return
        self.facts.keepalived.since = utc(time.time() - time.monotonic() + began)
        if processes.identity != self._known_daemon:
            self._grip.take()
            self._known_daemon = processes.identity
            self.journal.write(AuditLine(event=Event.KEEPALIVED_STARTED, pid=parent or 0), at=began)

    def _came(self, processes: Processes) -> None:
        self.facts.keepalived.running = processes.parent is not None
        self.facts.tell(RUNNING, True, "Running", "", utc(time.time()))
        self._applier.feed(reload.Up())
        self._background.spawn(self._meet())
        self._report(False)

    async def _meet(self) -> None:
        await self._resync.ask()
        await self.sweeper.sweep()

    def _went(self, what: str) -> None:
        self._grip.take()
        self._catch_up()
        living = sorted(self.observer.states)
        self.metrics.deaths.inc()
        self.journal.write(AuditLine(event=Event.KEEPALIVED_DIED, evidence=f"{what} ended", instances=tuple(living)))
        self.observer.died(f"{what} ended")
        self._background.spawn(self.sweeper.sweep())
        if self._daemon.processes.parent is None:
            self.facts.keepalived.running = False
            self.facts.tell(RUNNING, False, "NotRunning", f"{what} ended", utc(time.time()))
            self._applier.feed(reload.Down())
        self._kick.set()
        self._report(True)

    def _catch_up(self) -> None:
        """Everything keepalived has written so far; the log first, as it has the reasons."""
        self._read_log()
        self._fifo.drain()

    def _keep_fifo(self) -> None:
        try:
            self._fifo.look()
        except OSError as error:
            log.error("fifo.not_made", path=str(self._paths.fifo), error=str(error))

    def _read_log(self) -> None:
        try:
            lines = self._tail.look()
        except OSError as error:
            log.warning("log.unreadable", path=str(self._paths.log), error=str(error))
            return
        for line in lines:
            message = _PREFIX.sub("", line, count=1)
            self.observer.log_message(message)
            self._applier.log_message(message)

    def _plans(self) -> list[VipNodeSpec]:
        """What keepalived may be running: confirmed, and under way."""
        state = self._applier.state
        found = [one for one in (state.confirmed, state.current) if one is not None]
        return found or ([self.facts.stored] if self.facts.stored is not None else [])

    def _save(self) -> None:
        saved = Saved(
            log=self._tail.cursor,
            instances=self.observer.memories(),
            keepalived=self._known_daemon,
            held=self._grip.held,
            boot=self.journal.boot,
            sequence=self.journal.sequence,
        )
        save_cursor(self._paths.cursor, saved)
