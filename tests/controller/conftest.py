"""The real controller against the embedded API server, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from vipmgr.controller.program import Controller
from vipmgr.controller.settings import Settings
from vipmgr.core.wire import Eip, Service
from vipmgr.kube.auth import Access
from vipmgr.kube.client import Client, NotFoundError
from vipmgr.kube.resources import EIPS, SERVICES
from vipmgr.lab.apiserver import ApiServer, read_definitions

CRDS = Path(__file__).parents[2] / "manifests" / "crds"
FINALIZER = "finalizer.ipam.kubesphere.io/v1alpha1"
POOL_LABEL = "eip.openelb.kubesphere.io/v1alpha2"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(definitions=read_definitions(CRDS), bookmark_interval=5.0) as one:
        await one.create("namespaces", {"metadata": {"name": "vipmgr-system"}})
        yield one


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with Client(Access(server.url), request_seconds=5.0) as one:
        yield one


def settings(**changes: Any) -> Settings:
    usual = {
        "listen": ("127.0.0.1", 0),
        "webhook": False,
        "lease_duration": 2.0,
        "lease_renew": 1.2,
        "lease_retry": 0.1,
    }
    return Settings(**(usual | changes))


@asynccontextmanager
async def running(server: ApiServer, **changes: Any) -> AsyncIterator[Controller]:
    """A controller that leads, unless another does."""
    controller = Controller(settings(**changes), Access(server.url))
    task = asyncio.create_task(controller.run())
    try:
        yield controller
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(fact: Callable[[], Any], seconds: float = 15.0) -> None:
    """Wait for a fact, which may be a coroutine."""
    async with asyncio.timeout(seconds):
        while True:
            found = fact()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


class Cluster:
    """Short words for what the tests do to the API."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def eip(self, name: str, address: str, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        metadata = {"name": name, "annotations": annotations or {}}
        body = {"metadata": metadata, "spec": {"address": address, "protocol": "layer2", "interface": "eth0"} | spec}
        await self.client.create(EIPS, body)

    async def service(
        self, name: str, pool: str | None = None, annotations: dict[str, str] | None = None, **spec: Any
    ) -> None:
        chosen = {"lb.kubesphere.io/v1alpha1": "openelb"} | ({POOL_LABEL: pool} if pool else {}) | (annotations or {})
        body = {
            "metadata": {"name": name, "annotations": chosen},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]} | spec,
        }
        await self.client.create(SERVICES, body, namespace="default")

    async def edit(self, name: str, body: dict[str, Any]) -> None:
        await self.client.patch(SERVICES, name, body, namespace="default")

    async def get(self, name: str) -> Service:
        return await self.client.get(SERVICES, name, "default")

    async def pool(self, name: str) -> Eip:
        return await self.client.get(EIPS, name)

    async def delete(self, name: str) -> None:
        await self.client.delete(SERVICES, name, namespace="default")

    async def ip(self, name: str) -> str:
        return ",".join(one.ip for one in (await self.get(name)).status.load_balancer.ingress or ())

    async def used(self, pool: str) -> dict[str, str]:
        return (await self.pool(pool)).status.used or {}

    async def has(self, name: str, ip: str) -> None:
        async def fact() -> bool:
            return await self.ip(name) == ip

        await until(fact)

    async def served(self, name: str) -> None:
        async def fact() -> bool:
            return bool(await self.ip(name))

        await until(fact)

    async def refused(self, name: str, reason: str) -> str:
        """Wait for that reason; the message."""
        message = ""

        async def fact() -> bool:
            nonlocal message
            for one in (await self.get(name)).status.conditions or ():
                if one.status == "False" and one.reason == reason:
                    message = one.message
                    return True
            return False

        await until(fact)
        return message

    async def uses(self, pool: str, used: dict[str, str]) -> None:
        async def fact() -> bool:
            return await self.used(pool) == used

        await until(fact)

    async def ready(self, pool: str) -> None:
        async def fact() -> bool:
            return (await self.pool(pool)).status.ready

        await until(fact)

    async def gone(self, pool: str) -> None:
        async def fact() -> bool:
            try:
                await self.pool(pool)
            except NotFoundError:
                return True
            return False

        await until(fact)

    async def untouched(self, name: str) -> None:
        """Wait until no trace of ours is left on the Service."""

        async def fact() -> bool:
            one = await self.get(name)
            labels, conditions = one.metadata.labels or {}, one.status.conditions or []
            return POOL_LABEL not in labels and not conditions and not one.status.load_balancer.ingress

        await until(fact)


@pytest.fixture
def cluster(client: Client) -> Cluster:
    return Cluster(client)
