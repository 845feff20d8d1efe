"""Agents of many nodes, as far as the controller sees them: each confirms the plan it is told and says who is master.

Played by one process over two connections; the first member of an instance is its master.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from vipmgr.core.wire import VipNode
from vipmgr.kube.client import Client
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import NODES, VIP_NODES

_WORKERS = 16
_FIRST_PRIORITY = 254


def node_name(number: int) -> str:
    return f"n{number:04}"


async def make_nodes(client: Client, total: int) -> None:
    """Ready Nodes with a VipNode each, whose agent has listened for long."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    began = datetime(2026, 1, 1, tzinfo=UTC).isoformat().replace("+00:00", "Z")

    async def one(number: int) -> None:
        name = node_name(number)
        link = {"name": "eth0", "up": True, "mac": f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"}
        link["addresses"] = [f"10.0.{200 + number // 250}.{number % 250 + 1}/16"]
        await client.create(NODES, {"metadata": {"name": name}})
        await client.patch(NODES, name, {"status": ready}, subresource="status")
        await client.create(VIP_NODES, {"metadata": {"name": name}})
        status = {"listeningSince": began, "keepalived": {"running": True}, "interfaces": [link]}
        await client.patch(VIP_NODES, name, {"status": status}, subresource="status")

    for start in range(0, total, _WORKERS):
        await asyncio.gather(*(one(number) for number in range(start, min(start + _WORKERS, total))))


class Fleet:
    """`run` until cancelled. `reports` counts the statuses written."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._nodes: Reflector[VipNode, VipNode] = Reflector(
            client, VIP_NODES, decode=lambda one: one, changed=self._due.put_nowait
        )
        self.reports = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nodes.run())
            for _ in range(_WORKERS):
                group.create_task(self._report())

    async def _report(self) -> None:
        while True:
            name = await self._due.get()
            node = self._nodes.items.get(name)
            if node is None or node.status.revision == node.spec.revision:
                continue
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            since = {state.name: state.since for state in node.status.instances}
            states = [
                {
                    "name": one.name,
                    "state": "MASTER" if one.priority == _FIRST_PRIORITY else "BACKUP",
                    "priority": one.priority,
                    "since": since.get(one.name, now),
                }
                for one in node.spec.instances
            ]
            status = {"revision": node.spec.revision, "appliedAt": now, "instances": states}
            await self._client.patch(VIP_NODES, name, {"status": status}, subresource="status")
            self.reports += 1
