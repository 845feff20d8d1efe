"""This node's VipNode on the API server: made when missing, watched, its status kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from vipmgr.core.wire import VipNode, VipNodeSpec
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client, ConflictError
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import NODES, VIP_NODES
from vipmgr.log import get_log
from vipmgr.node.status_writer import StatusWriter

log = get_log(__name__)

_AGAIN_SECONDS: Final = 2.0


class VipNodeLink:
    """`wanted(spec)` for every spec that a controller wrote, once each; `addresses(list)` once, the Node's own."""

    def __init__(
        self,
        client: Client,
        node: str,
        writer: StatusWriter,
        wanted: Callable[[VipNodeSpec], None],
        addresses: Callable[[list[str]], None],
    ) -> None:
        self._client = client
        self._node = node
        self._writer = writer
        self._wanted = wanted
        self._addresses = addresses
        self._missing = asyncio.Event()
        self._told = VipNodeSpec()
        writer.wrote = self._wrote
        self._reflector: Reflector[VipNode, VipNode] = Reflector(
            client, VIP_NODES, decode=_itself, changed=self._changed, field_selector=f"metadata.name={node}"
        )

    @property
    def connected(self) -> bool:
        return self._reflector.connected

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reflector.run())
            tasks.create_task(self._writer.run())
            tasks.create_task(self._ensure())

    def _changed(self, key: str) -> None:
        found = self._reflector.items.get(key)
        if found is None:
            self._writer.lost()
            self._missing.set()
            return
        self._writer.seen(found.status)
        if found.spec.revision and found.spec != self._told:
            self._told = found.spec
            self._wanted(found.spec)

    def _wrote(self, answer: VipNode) -> None:
        """The echo of our own write is no news; a spec that came with the answer is."""
        self._reflector.adopt(answer)
        self._changed(answer.metadata.name)

    async def _ensure(self) -> None:
        """Make the VipNode whenever there is none, owned by the Node so that it goes with it."""
        await self._reflector.synced.wait()
        while True:
            if not await self._make():
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await self._missing.wait()
            self._missing.clear()

    async def _make(self) -> bool:
        try:
            node = await self._client.get(NODES, self._node)
            self._addresses([one.address for one in node.status.addresses or ()])
            if self._reflector.items:
                return True
            owner = {"apiVersion": "v1", "kind": "Node", "name": node.metadata.name, "uid": node.metadata.uid}
            body: dict[str, Any] = {"metadata": {"name": self._node, "ownerReferences": [owner]}}
            await self._client.create(VIP_NODES, body)
        except ConflictError:
            return True
        except TemporaryError as error:
            log.warning("vipnode.not_made", node=self._node, error=str(error))
            return False
        log.info("vipnode.made", node=self._node)
        return True


def _itself(found: VipNode) -> VipNode:
    return found
