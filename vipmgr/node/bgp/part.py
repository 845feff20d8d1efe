"""BGP as the agent sees it: a part that costs nothing until a plan speaks of BGP (grpc is 28 MB)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from vipmgr.core.bgp_routes import health_ports
from vipmgr.core.bgp_steps import POLICY
from vipmgr.core.node_bgp import NodeBgp, NodeBgpStatus
from vipmgr.core.wire import VipNodeSpec
from vipmgr.kube.client import Client
from vipmgr.node.bgp.passwords import AGAIN_SECONDS, Passwords
from vipmgr.node.endpoint_poll import EndpointPoll
from vipmgr.node.journal import Journal
from vipmgr.node.settings import Paths

if TYPE_CHECKING:
    from vipmgr.node.bgp.speaker import Speaker


class BgpPart:
    """`want` for every plan; `attach` when there is an API server; `report` is called when `status` may differ."""

    def __init__(self, paths: Paths, journal: Journal, namespace: str, node: str, report: Callable[[], None]) -> None:
        self._paths = paths
        self._journal = journal
        self._node = node
        self._report = report
        self._passwords = Passwords(namespace)
        self._plan: NodeBgp | None = None
        self._drain = False
        self._first = asyncio.Event()
        self._attached = asyncio.Event()
        self._told = asyncio.Event()
        self._speaker: Speaker | None = None
        self._poll: EndpointPoll | None = None

    def want(self, spec: VipNodeSpec) -> None:
        self._plan, self._drain = spec.bgp, spec.drain
        if spec.bgp is not None:
            self._first.set()
        self._tell()

    def attach(self, client: Client) -> None:
        self._passwords.client = client
        self._attached.set()
        self._tell()

    def status(self) -> NodeBgpStatus | None:
        """None: no plan ever spoke of BGP."""
        speaker, plan = self._speaker, self._plan
        if speaker is None or (plan is None and not speaker.routes):
            return None
        sessions = speaker.sessions.report()
        for one in sessions:
            unseen = speaker.neighbours.problem(one.address)
            one.problem = self._passwords.problems.get(one.peer) or unseen or speaker.refusals.get(one.address, "")
        refusals = speaker.refusals
        problems = [
            f"spec.policy: {text}" if about == POLICY else text
            for about, text in refusals.items()
            if about not in {one.address for one in sessions}
        ]
        return NodeBgpStatus(
            running=speaker.running,
            asn=plan.asn if plan is not None else 0,
            router_id=plan.router_id if plan is not None else "",
            routes=speaker.routes,
            silent_ports=sorted(port for port in health_ports(plan) if not self._healthy(port)) if plan else [],
            sessions=sessions,
            problem="; ".join(problems)[:1024],
        )

    async def run(self) -> None:
        """Until cancelled; gobgpd is left as it is."""
        await self._first.wait()
        from vipmgr.node.bgp.openelb_status import OpenElbStatus  # noqa: PLC0415 - see above
        from vipmgr.node.bgp.speaker import Speaker  # noqa: PLC0415

        self._poll = EndpointPoll(self._tell)
        speaker = self._speaker = Speaker(self._paths, self._journal, self._passwords, self._changed)
        speaker.healthy = self._healthy
        self._written = OpenElbStatus(self._node, speaker)
        self._tell()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(speaker.run())
                tasks.create_task(speaker.neighbours.run())
                tasks.create_task(self._publish())
                tasks.create_task(self._keep_passwords(speaker))
        finally:
            await self._poll.close()

    async def _keep_passwords(self, speaker: Speaker) -> None:
        """Beside the speaker, which must not wait for an API server."""
        while True:
            peers = self._plan.peers if self._plan is not None else ()
            if await self._passwords.refresh(peers, time.monotonic()):
                speaker.wake()
                self._report()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), AGAIN_SECONDS)
            self._told.clear()

    async def _publish(self) -> None:
        await self._attached.wait()
        assert self._passwords.client is not None  # noqa: S101 - set before the event
        await self._written.run(self._passwords.client)

    def _changed(self) -> None:
        self._written.wake()
        self._report()

    def _healthy(self, port: int) -> bool:
        return self._poll is None or self._poll.healthy(port)

    def _tell(self) -> None:
        speaker = self._speaker
        if speaker is None or self._poll is None:
            return
        speaker.plan, speaker.drain = self._plan, self._drain
        self._told.set()
        self._poll.watch(health_ports(self._plan) if self._plan is not None else ())
        speaker.wake()
        self._report()
