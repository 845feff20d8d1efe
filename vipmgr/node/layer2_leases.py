"""What the agents tell each other about layer2 addresses: one Lease per agent, those of the companions watched.

Our own is renewed every second and written at once when a claim, an offer or an obstacle changed; it is there only
while this node is a candidate for some address. A peer is fresh while its Lease changed within its duration, by our own
clock; while we cannot reach the API server that clock stands still: nobody can tell then who else cannot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from vipmgr.core import layer2_lease
from vipmgr.core.decode.values import moment
from vipmgr.core.layer2_view import Peer
from vipmgr.core.model import NodeName
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client
from vipmgr.kube.errors import NotFoundError
from vipmgr.kube.objects import Lease
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import LEASES, NODES
from vipmgr.log import get_log
from vipmgr.node.layer2 import Layer2

log = get_log(__name__)

RENEW_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 1.6
"""without an answer to a renewal for this long, the API server is away"""
_TRY_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.1


class _Companion:
    """One other agent's Lease."""

    def __init__(self, client: Client, namespace: str, node: NodeName, changed: Callable[[], None]) -> None:
        self.node = node
        self.changed_at = 0.0
        self.lease: Lease | None = None
        self.peer: Peer | None = None
        self._changed = changed
        self.reflector: Reflector[Lease, Lease] = Reflector(
            client,
            LEASES,
            decode=lambda lease: lease,
            changed=self._news,
            field_selector=f"metadata.name={layer2_lease.lease_name(node)}",
            namespace=namespace,
        )
        self.task = asyncio.create_task(self.reflector.run(), name=f"lease-{node}")

    def _news(self, key: str) -> None:
        before, self.lease = self.lease, self.reflector.items.get(key)
        first = before is None
        if self.lease is not None:
            # what was there before us may be as old as its last renewal; one that lives renews within a second
            self.changed_at = time.monotonic() - (RENEW_SECONDS if first else 0.0)
        if before is None or self.lease is None or before.metadata.annotations != self.lease.metadata.annotations:
            self.peer = None
        self._changed()

    def seen(self, expiry: float, missed: float) -> Peer | None:
        """As of now; `missed`: seconds in which no renewal could have reached us. None: there is no such Lease."""
        if self.lease is None:
            return None
        if self.peer is None:
            self.peer = layer2_lease.read(self.node, self.lease.metadata.annotations)
        renewed_at = self.changed_at + missed
        return replace(self.peer, fresh=time.monotonic() - renewed_at < expiry, renewed_at=renewed_at)


class Leases:
    """`run` beside the agent, with a client."""

    def __init__(self, client: Client, namespace: str, node: NodeName, layer2: Layer2) -> None:
        self._client = client
        self._namespace = namespace
        self._node = node
        self._layer2 = layer2
        self._companions: dict[NodeName, _Companion] = {}
        self._urgent = asyncio.Event()
        self._last_answer = 0.0
        self._read_back = False
        self._said = ""
        layer2.said = self._urgent.set

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_for_ever())
                tasks.create_task(self._look_for_ever())
        finally:
            for one in self._companions.values():
                one.task.cancel()
            await asyncio.gather(*(one.task for one in self._companions.values()), return_exceptions=True)

    # --- our own -----------------------------------------------------------------------------------------------------

    async def _write_for_ever(self) -> None:
        while True:
            self._urgent.clear()
            pause = RENEW_SECONDS
            if self._layer2.needed or self._said:
                try:
                    async with asyncio.timeout(_TRY_SECONDS):
                        await self._keep()
                except (TemporaryError, TimeoutError) as error:
                    log.debug("layer2.lease_not_written", error=str(error))
                    pause = _AGAIN_SECONDS
                    await asyncio.sleep(_AGAIN_SECONDS)
            try:
                async with asyncio.timeout(pause):
                    await self._urgent.wait()
            except TimeoutError:
                pass

    async def _keep(self) -> None:
        """Read it once, so that claims of the agent before this one are not lost; then write it."""
        name = layer2_lease.lease_name(self._node)
        if not self._read_back:
            try:
                found = await self._client.get(LEASES, name, self._namespace)
                now = datetime.now(UTC)
                age = now - (moment(found.spec.renew_time) or now)
                claims = layer2_lease.read(self._node, found.metadata.annotations).claims
                self._layer2.recall(claims, age.total_seconds())
            except NotFoundError:
                pass
            self._read_back = True
        layer2 = self._layer2
        said = layer2_lease.written(layer2.claims(), layer2.offers(), layer2.unable())
        body: dict[str, Any] = {
            "metadata": {"annotations": {layer2_lease.ANNOTATION: said}},
            "spec": {
                "holderIdentity": self._node,
                "leaseDurationSeconds": round(layer2.lease_seconds),
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        try:
            await self._client.patch(LEASES, name, body, namespace=self._namespace)
        except NotFoundError:
            node = await self._client.get(NODES, self._node)
            owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": node.metadata.uid}
            body["metadata"] |= {"name": name, "namespace": self._namespace, "ownerReferences": [owner]}
            await self._client.create(LEASES, body, namespace=self._namespace)
        self._said = said if layer2.needed else ""
        self._last_answer = time.monotonic()

    # --- the others' -------------------------------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        """Freshness runs out by time alone; everything else comes as news."""
        while True:
            self._choose()
            self._look()
            await asyncio.sleep(_AGAIN_SECONDS)

    def _choose(self) -> None:
        wanted = self._layer2.companions()
        for gone in self._companions.keys() - wanted:
            self._companions.pop(gone).task.cancel()
        for fresh in wanted - self._companions.keys():
            self._companions[fresh] = _Companion(self._client, self._namespace, fresh, self._look)

    def _look(self) -> None:
        away = time.monotonic() - self._last_answer
        missed = away if away > _SILENT_SECONDS else 0.0
        expiry = self._layer2.lease_seconds
        peers = {node: peer for node, one in self._companions.items() if (peer := one.seen(expiry, missed)) is not None}
        complete = self._read_back and all(one.reflector.synced.is_set() for one in self._companions.values())
        synced = self._layer2.synced or complete
        news = peers != self._layer2.peers or synced is not self._layer2.synced
        self._layer2.peers, self._layer2.synced = peers, synced
        if news:
            self._layer2.news()
