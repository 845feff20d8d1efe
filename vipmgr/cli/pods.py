"""What the agents of a cluster wrote, from their pods' logs: all there is, or what comes, from pods yet to come too."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, NamedTuple

from vipmgr.cli.records import Reader
from vipmgr.core.audit_line import AuditLine
from vipmgr.kube.client import ApiError, Client
from vipmgr.kube.objects import Pod
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import PODS

AGENTS: Final = "app.kubernetes.io/name=vipmgr,app.kubernetes.io/component=agent"
CONTAINER: Final = "agent"
AGAIN: Final = 1.0
"""Seconds until a log whose connection ended is asked for again."""
NOT_STARTED: Final = 400
GONE: Final = 404


class Agent(NamedTuple):
    """One pod of the DaemonSet. `restarted`: its container is not its first."""

    uid: str
    namespace: str
    name: str
    node: str
    restarted: bool


async def agents(client: Client) -> list[Agent]:
    pods = await client.list(PODS, label_selector=AGENTS)
    return [one for one in map(_agent, pods) if one is not None]


def _agent(pod: Pod) -> Agent | None:
    """None: it is on no node yet."""
    if not pod.spec.node_name:
        return None
    about = pod.metadata
    restarted = any(one.restart_count for one in pod.status.container_statuses or () if one.name == CONTAINER)
    return Agent(about.uid, about.namespace, about.name, pod.spec.node_name, restarted)


async def written(client: Client, agent: Agent, since: float | None) -> AsyncIterator[AuditLine]:
    """What the agent's container wrote, and the one before it when it was restarted."""
    reader = Reader(agent.node, 0)
    for previous in (True, False) if agent.restarted else (False,):
        try:
            log = client.read_log(
                agent.name, agent.namespace, container=CONTAINER, since_seconds=_ago(since), previous=previous
            )
            async for raw in log:
                for line in reader.read(raw):
                    yield line
        except ApiError as error:
            if not previous and error.status not in (NOT_STARTED, GONE):
                raise
            complain(agent, f"before its restart: {error}" if previous else str(error))


async def follow_agents(client: Client, read: Iterable[Agent], until: float, take: Callable[[AuditLine], None]) -> None:
    """For ever, every agent there is or will be; those `read` already, from `until` on."""
    async with asyncio.TaskGroup() as tasks:
        followed: dict[str, asyncio.Task[None]] = {}

        def changed(key: str) -> None:
            agent = reflector.items.get(key)
            if agent is not None and agent.uid not in followed:
                follow(agent, None)

        def follow(agent: Agent, since: float | None) -> None:
            followed[agent.uid] = tasks.create_task(_follow(client, agent, since, take))
            followed[agent.uid].add_done_callback(lambda _: followed.pop(agent.uid))

        for agent in read:
            follow(agent, until)
        reflector = Reflector(client, PODS, decode=_agent, changed=changed, label_selector=AGENTS)
        await reflector.run()


async def _follow(client: Client, agent: Agent, since: float | None, take: Callable[[AuditLine], None]) -> None:
    """Until the pod is gone. Lines that come twice after a broken connection are told apart by their numbers."""
    reader, complained = Reader(agent.node, 0), False
    while True:
        try:
            log = client.read_log(
                agent.name, agent.namespace, container=CONTAINER, since_seconds=_ago(since), follow=True
            )
            async for raw in log:
                for line in reader.read(raw):
                    take(line)
                    since = line.time.timestamp()
            complained = False
        except ApiError as error:
            if error.status == GONE:
                return
            if not complained and error.status != NOT_STARTED:
                complain(agent, str(error))
                complained = True
        await asyncio.sleep(AGAIN)


def _ago(since: float | None) -> int | None:
    """The API counts whole seconds back from its own now."""
    return None if since is None else max(1, int(time.time() - since) + 2)


def complain(agent: Agent, text: str) -> None:
    print(f"vipmgr audit: {agent.name}: {text}", file=sys.stderr)
