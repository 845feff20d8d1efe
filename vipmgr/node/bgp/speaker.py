"""One gobgpd kept as the plan says: what differs is changed, step by step; a lost connection means looking anew.

gobgpd outlives the agent, and keeps its routes and sessions meanwhile. When gobgpd itself is restarted, its sessions
are made anew, with the mark of a graceful restart where routers know of it, so that they keep the routes until all are
sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from vipmgr.core import bgp_steps as core
from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.bgp_routes import routes_of, tag
from vipmgr.core.node_bgp import NodeBgp, NodeBgpPeer
from vipmgr.log import get_log
from vipmgr.node.bgp import gobgp_pb2 as pb
from vipmgr.node.bgp import messages
from vipmgr.node.bgp import policy_messages as filters
from vipmgr.node.bgp.announced import Announced
from vipmgr.node.bgp.gobgpd import Gobgpd, GobgpError
from vipmgr.node.bgp.neighbours import Neighbours
from vipmgr.node.bgp.passwords import Passwords
from vipmgr.node.bgp.sessions import Sessions
from vipmgr.node.journal import Journal
from vipmgr.node.settings import Paths

log = get_log(__name__)

CONNECT_AGAIN: Final = 0.1
LOOK_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 0.02
AGAIN_SECONDS: Final = 3.0


class Speaker:
    """`plan` is set, then `wake()` called, by its owner; `changed()` is called when the report may differ."""

    def __init__(self, paths: Paths, journal: Journal, passwords: Passwords, changed: Callable[[], None]) -> None:
        self._paths = paths
        self._journal = journal
        self._passwords = passwords
        self._changed = changed
        self._news = asyncio.Event()
        self._held = core.Speaker()
        self._look = False
        self._restarting = False
        self.plan: NodeBgp | None = None
        self.drain = False
        self.healthy: Callable[[int], bool] = lambda _: True
        self.sessions = Sessions(journal)
        self.neighbours = Neighbours(self.wake, self.sessions.stands)
        self._announced = Announced(journal)
        self.running = False
        self.refusals: dict[str, str] = {}
        """in gobgpd's own words, by the NodeBgpPeer.place of the session, core.POLICY, or "" for anything else"""

    def wake(self) -> None:
        self._news.set()

    @property
    def routes(self) -> int:
        return len(self._held.routes)

    async def run(self) -> None:
        """Until cancelled. gobgpd is left as it is."""
        while True:
            while not self._paths.gobgpd.exists():  # noqa: ASYNC110 - a file made by another container
                await asyncio.sleep(CONNECT_AGAIN)
            with suppress(GobgpError, ConnectionResetError):
                async with Gobgpd(self._paths.gobgpd) as daemon:
                    await self._speak(daemon)
            if self.running:
                self.running = False
                self._held = core.Speaker()
                self.sessions.lost_all()
                self._journal.write(AuditLine(event=Event.GOBGPD_DIED))
                self._changed()
            await asyncio.sleep(CONNECT_AGAIN)

    async def _speak(self, daemon: Gobgpd) -> None:
        """While the connection stands. Raises GobgpError when it ends."""
        self._held = await self._look_at(daemon)
        self._restarting = self._held.head is None and self._paths.gobgpd_restart.exists()
        self.running = True
        held = len(self._held.routes), len(self._held.sessions)
        self._journal.write(AuditLine(event=Event.GOBGPD_FOUND, routes=held[0], sessions=held[1]))
        watching = asyncio.create_task(self._watch(daemon))
        try:
            while True:
                await self._carry_out(daemon)
                self._mark()
                self._changed()
                await self._pause(watching)
                if self._look:
                    self._look = False
                    await self._list(daemon)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError, GobgpError):
                await watching

    async def _pause(self, watching: asyncio.Task[None]) -> None:
        """Until there is news, or it is time to look; raises what ended the watch."""
        seconds = AGAIN_SECONDS if self.refusals else LOOK_SECONDS
        news = asyncio.create_task(self._news.wait())
        try:
            done, _ = await asyncio.wait({news, watching}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        if watching in done:
            watching.result()
        self._look = self._look or not done
        self._news.clear()

    async def _watch(self, daemon: Gobgpd) -> None:
        async for peer in daemon.watch_peers():
            counted = None
            if self.sessions.falls(peer):
                counted = await self._counted(daemon, peer.state.neighbor_address)
            if self.sessions.heard(peer, counted):
                self._look = True
                self._news.set()
                self._changed()
        raise ConnectionResetError("the watch ended")

    async def _counted(self, daemon: Gobgpd, address: str) -> pb.Peer | None:
        """gobgpd ends the session first, then notes that its BFD is down."""
        for pause in (SETTLE_SECONDS, 0.0):
            found = await daemon.peers(address)
            if not found or found[0].state.bfd_state.session_state != pb.BFD_SESSION_STATE_UP:
                break
            await asyncio.sleep(pause)
        return found[0] if found else None

    async def _list(self, daemon: Gobgpd) -> None:
        for peer in await daemon.peers():
            self.sessions.count(peer)

    # --- what is, what should be -------------------------------------------------------------------------------------

    async def _look_at(self, daemon: Gobgpd) -> core.Speaker:
        started = await daemon.global_()
        if started is None:
            return core.Speaker()
        paths = [path for family in (messages.IPV4, messages.IPV6) for path in await daemon.paths(family)]
        sessions = [messages.session_value(peer) for peer in await daemon.peers()]
        routes = [messages.route_value(path) for path in paths]
        coming = await daemon.assigned(pb.POLICY_DIRECTION_IMPORT)
        going = await daemon.assigned(pb.POLICY_DIRECTION_EXPORT)
        left = {*coming, *going, filters.OWN}
        await daemon.delete_policies(
            lambda name: name.startswith((filters.GATE, filters.RULES)) and name not in left, ()
        )  # an agent that ended half way
        chain = filters.chain_value(coming, going)
        return core.Speaker(
            head=messages.head_value(started),
            gates=chain.gates if chain is not None else frozenset(),
            rules=chain.rules if chain is not None else core.Rules(),
            chain=chain,
            routes={route.prefix: route for route in routes},
            sessions={session.settings.address: session for session in sessions},
        )

    def _wanted(self, peers: Sequence[NodeBgpPeer]) -> core.Speaker:
        plan = self.plan
        if plan is None:
            return core.Speaker()
        sessions = {}
        for peer in peers:
            held = self._held.sessions.get(peer.address)
            password = self._passwords.of(peer)
            if password is None and held is not None:
                password = held.password  # the API server is away: as it was
            if password is not None:
                sessions[peer.address] = core.Session(core.settings_of(peer, plan.asn), password)
        return core.Speaker(
            head=core.head_of(plan),
            gates=frozenset(_gates(peers, plan.next_hop_v6)),
            rules=self._held.rules if plan.policy_unreadable else core.rules_of(plan),
            routes=routes_of(plan, drain=self.drain, healthy=self.healthy),
            sessions=sessions,
            graceful=plan.graceful_restart is not None,
        )

    async def _carry_out(self, daemon: Gobgpd) -> None:
        self.refusals = {}
        peers = self.neighbours.resolve(self.plan.peers if self.plan is not None else (), self._held.sessions)
        self.sessions.expect(peers)
        await self._renew(daemon)
        wanted = self._wanted([peer for peer in peers if peer.address])
        if not await self._go(daemon, wanted):
            await self._go(daemon, replace(wanted, rules=self._held.rules))
        self._announced.tell(self._held.routes, wanted.routes, self.plan, drain=self.drain)

    async def _go(self, daemon: Gobgpd, wanted: core.Speaker) -> bool:
        """A step that is refused is reported and tried again; the others go on. False: they may, with the rules there
        were."""
        for step in core.steps(self._held, wanted):
            try:
                await self._do(daemon, step)
            except GobgpError as error:
                if error.lost:
                    raise
                about = self.sessions.place(_about(step))
                self.refusals[about] = str(error)
                log.warning("gobgpd.refused", step=type(step).__name__, about=about, error=str(error))
                if isinstance(step, core.LoadRules):
                    await self._filter(daemon, core.DropRules(step.rules))  # what came before the one refused
                    return False
                if isinstance(step, core.Start | core.Stop | core.Enforce):
                    return True
                continue
            self._held = core.after(self._held, step)
            if isinstance(step, core.Routes):
                self._announced.tell(self._held.routes, wanted.routes, self.plan, drain=self.drain)
        return True

    async def _renew(self, daemon: Gobgpd) -> None:
        """Take out sessions with BFD that fell, so that they are made anew: nothing is lost by it.

        gobgpd resets a session whenever its BFD goes down, and keeps a reset for a session that is idle already until
        the next one comes up. BIRD ends BFD with the session: without this, each would bring down what the other
        begins, for ever.
        """
        fallen, self.sessions.fallen = self.sessions.fallen, set()
        for address in fallen & self._held.sessions.keys():
            if self._held.sessions[address].settings.bfd is not None:
                await daemon.delete_peer(address)
                self._held = core.after(self._held, core.DropSession(address))

    async def _do(self, daemon: Gobgpd, step: core.Step) -> None:
        match step:
            case core.Stop(graceful):
                with suppress(OSError):  # it ended by itself
                    daemon.end(graceful=graceful)
                raise ConnectionResetError("the next gobgpd is told the rest")
            case core.Start(head):
                await daemon.start(messages.global_message(head))
                await daemon.add_policies((), [filters.own_policy()])
            case core.Routes(withdrawn, announced):
                paths = [messages.path_message(route, withdraw=True) for route in withdrawn]
                await daemon.change_paths(paths + [messages.path_message(route) for route in announced])
            case core.AddSession(session):
                await daemon.add_peer(messages.peer_message(session, restarting=self._restarting))
            case core.ChangeSession(session):
                self.sessions.reconfigured(session.settings.address)
                await daemon.update_peer(messages.peer_message(session))
            case core.DropSession(address):
                await daemon.delete_peer(address)
            case _:
                await self._filter(daemon, step)

    async def _filter(
        self,
        daemon: Gobgpd,
        step: core.OpenGate | core.CloseGate | core.LoadRules | core.DropRules | core.Enforce | core.Resend,
    ) -> None:
        match step:
            case core.OpenGate(gate):
                await daemon.add_policies(filters.gate_sets(gate), [filters.gate_policy(gate)])
            case core.CloseGate(gate):
                name = filters.gate_name(gate)
                await daemon.delete_policies(
                    lambda one: one == name, [one.defined_type for one in filters.gate_sets(gate)]
                )
            case core.LoadRules(rules):
                await daemon.add_policies(filters.rules_sets(rules), filters.rules_policies(rules))
            case core.DropRules(rules):
                prefix = filters.rule_name(rules, "")
                await daemon.delete_policies(lambda one: one.startswith(prefix), filters.KINDS.values())
            case core.Enforce(chain):
                for assignment in filters.assignments(chain):
                    await daemon.assign(assignment)
            case core.Resend(address):
                await daemon.resend(address)

    def _mark(self) -> None:
        """Whether a gobgpd started next comes back from a graceful restart; /run is empty after a boot."""
        self._restarting = False
        mark = self._paths.gobgpd_restart
        try:
            if any(one.settings.graceful_restart is not None for one in self._held.sessions.values()):
                mark.touch()
            else:
                mark.unlink(missing_ok=True)
        except OSError as error:
            log.warning("gobgpd.mark_not_written", path=str(mark), error=str(error))


def _gates(peers: Iterable[NodeBgpPeer], next_hop_v6: str) -> Iterator[core.Gate]:
    for peer in peers:
        over_v4 = ":" not in peer.address and any(one.family == "IPv6" for one in peer.families)
        yield core.Gate(peer.address, tag(peer.name), next_hop_v6 if over_v4 else "")


def _about(step: core.Step) -> str:
    match step:
        case core.AddSession(session) | core.ChangeSession(session):
            return session.settings.address
        case core.OpenGate(gate) | core.CloseGate(gate):
            return gate.address
        case core.DropSession(address) | core.Resend(address):
            return address
        case core.LoadRules() | core.DropRules() | core.Enforce():
            return core.POLICY
    return ""
