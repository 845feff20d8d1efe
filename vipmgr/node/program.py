"""Runs the agent until SIGTERM; keepalived is left alone and VRRP goes on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable

from vipmgr.errors import FatalError
from vipmgr.kube.auth import Access, sign_in
from vipmgr.kube.client import Client
from vipmgr.kube.resources import VRRP_INSTANCES
from vipmgr.log import get_log
from vipmgr.node.agent import NodeAgent
from vipmgr.node.endpoints import serve
from vipmgr.node.layer2_leases import Leases
from vipmgr.node.settings import Settings
from vipmgr.node.status_writer import StatusWriter
from vipmgr.node.vip_node import VipNodeLink

log = get_log(__name__)

_SIGN_IN_AGAIN_SECONDS = 5.0


async def run(settings: Settings) -> None:
    """Returns after SIGTERM or SIGINT. Raises FatalError when it cannot work at all."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    writer: list[StatusWriter] = []

    def report(now: bool) -> None:
        for one in writer:
            one.wake(now=now)

    agent = NodeAgent(settings, report)
    async with contextlib.AsyncExitStack() as stack:
        if settings.port:
            await stack.enter_async_context(serve(settings.address, settings.port, agent.missing, agent.scrape))
        work = [asyncio.create_task(agent.run()), asyncio.create_task(_with_api(settings, agent, writer))]
        work.append(asyncio.create_task(_until(stop)))
        done, pending = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await agent.hand_over()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _with_api(settings: Settings, agent: NodeAgent, writer: list[StatusWriter]) -> None:
    """The API server is needed for news only: the agent works from its own copy while there is none."""
    access = await _signed_in(lambda: sign_in(settings.kubeconfig))
    async with Client(access) as client:
        status = StatusWriter(client, settings.node, agent.status)
        writer.append(status)
        link = VipNodeLink(client, settings.node, status, agent.want, agent.own_addresses)
        agent.bgp.attach(client)
        agent.strangers.attach(lambda: client.list(VRRP_INSTANCES))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            tasks.create_task(Leases(client, settings.namespace, settings.node, agent.layer2).run())


async def _signed_in(attempt: Callable[[], Awaitable[Access]]) -> Access:
    said = ""
    while True:
        try:
            return await attempt()
        except FatalError as error:
            if str(error) != said:
                said = str(error)
                log.error("api.no_access", error=said)
        await asyncio.sleep(_SIGN_IN_AGAIN_SECONDS)
