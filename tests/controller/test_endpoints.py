"""Health, metrics and the admission webhook, over real HTTP."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.controller.conftest import Cluster, running, until
from vipmgr.controller.program import Controller
from vipmgr.kube.client import Client
from vipmgr.kube.resources import SECRETS, WEBHOOKS
from vipmgr.lab.apiserver import ApiServer

NAME = "vipmgr-webhook"


async def get(controller: Controller, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{controller.listener.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_health_readiness_and_metrics_are_served(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.2")
    for name in ("a", "b", "c"):
        await cluster.service(name, "pool")
    async with running(server) as controller:
        await cluster.refused("c", "PoolExhausted")
        assert await get(controller, "/healthz") == (200, "ok\n")
        assert await get(controller, "/readyz") == (200, "ok\n")

        async def counted() -> bool:
            page = set((await get(controller, "/metrics"))[1].splitlines())
            return {
                "vipmgr_controller_leader 1.0",
                'vipmgr_pool_addresses{eip="pool"} 2.0',
                'vipmgr_pool_addresses_used{eip="pool"} 2.0',
                "vipmgr_services_assigned 2.0",
                'vipmgr_services_refused{reason="PoolExhausted"} 1.0',
                'vipmgr_controller_watch_up{resource="eips"} 1.0',
            } <= page

        await until(counted)


async def test_it_is_not_ready_before_everything_was_read(server: ApiServer) -> None:
    server.faults.set(refuse=True, only="endpointslices")
    async with running(server) as controller:
        await until(lambda: controller.listener.port)

        async def only_slices_missing() -> bool:
            return await get(controller, "/readyz") == (503, "not read yet: endpointslices\n")

        await until(only_slices_missing)
        assert controller.passes == 0
        server.faults.heal()

        async def ready() -> bool:
            return (await get(controller, "/readyz"))[0] == 200

        await until(ready)


@pytest.fixture
async def guarded(server: ApiServer, client: Client) -> AsyncIterator[tuple[Controller, str]]:
    """A controller with its webhook up and registered; with the authority the API server was given."""
    hook = {
        "name": "eips.vipmgr.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"service": {"name": NAME, "namespace": "vipmgr-system", "path": "/validate"}},
        "rules": [],
    }
    await client.create(WEBHOOKS, {"metadata": {"name": NAME}, "webhooks": [hook]})
    hosts = {"webhook_listen": ("127.0.0.1", 0), "webhook_hosts": ("127.0.0.1",)}
    async with running(server, webhook=True, **hosts) as controller:
        authority = ""

        async def published() -> bool:
            nonlocal authority
            found = await client.get(WEBHOOKS, NAME)
            authority = (found.webhooks or [])[0].client_config.get("caBundle", "")
            return bool(authority) and controller.webhook is not None and controller.webhook.port > 0

        await until(published)
        yield controller, base64.b64decode(authority).decode()


async def ask(guarded: tuple[Controller, str], operation: str, kind: str, **objects: Any) -> str | None:
    """None when admitted, else why not."""
    controller, authority = guarded
    assert controller.webhook is not None
    name = next(one for one in objects.values() if one)["metadata"]["name"]
    request = {"uid": "u1", "operation": operation, "kind": {"kind": kind}, "name": name} | objects
    tls = ssl.create_default_context(cadata=authority)
    url = f"https://127.0.0.1:{controller.webhook.port}/validate"
    async with aiohttp.ClientSession() as http, http.post(url, json={"request": request}, ssl=tls) as answer:
        assert answer.status == 200
        response = (await answer.json())["response"]
        assert response["uid"] == "u1"
        return None if response["allowed"] else response["status"]["message"]


def eip(name: str, address: str, **rest: Any) -> dict[str, Any]:
    created = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {"name": name} | created,
        "spec": {"address": address, "protocol": "layer2", "interface": "eth0"},
    } | rest


async def test_what_the_schema_cannot_see_is_refused_at_admission(
    guarded: tuple[Controller, str], cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    await cluster.ready("pool")
    refused = await ask(guarded, "CREATE", "Eip", object=eip("other", "10.0.0.5"))
    assert refused is not None
    assert "overlaps" in refused
    assert await ask(guarded, "CREATE", "Eip", object=eip("other", "10.0.1.5")) is None
    changed = await ask(
        guarded, "UPDATE", "Eip", oldObject=eip("pool", "10.0.0.1-10.0.0.9"), object=eip("pool", "10.0.0.1")
    )
    assert changed is not None
    used = eip("pool", "10.0.0.1-10.0.0.9", status={"used": {"10.0.0.1": "default/a"}})
    in_use = await ask(guarded, "DELETE", "Eip", oldObject=used, object=None)
    assert in_use is not None
    assert "default/a" in in_use
    assert await ask(guarded, "DELETE", "Eip", oldObject=eip("pool", "10.0.0.1"), object=None) is None


async def test_bgp_objects_are_checked_for_what_they_say(guarded: tuple[Controller, str]) -> None:
    peer = {"metadata": {"name": "p"}, "spec": {"conf": {"peerAs": 65000, "neighborAddress": "10.0.0.300"}}}
    refused = await ask(guarded, "CREATE", "BgpPeer", object=peer)
    assert refused == "spec.conf.neighborAddress: '10.0.0.300' is not an address"
    good = {"metadata": {"name": "c"}, "spec": {"as": 65000, "routerId": "10.0.0.1", "listenPort": 179}}
    assert await ask(guarded, "CREATE", "BgpConf", object=good) is None
    bad = {"metadata": {"name": "c"}, "spec": {"as": 65000, "routerId": "::1", "listenPort": 70000}}
    assert await ask(guarded, "UPDATE", "BgpConf", object=bad, oldObject=good) is not None


async def test_both_replicas_serve_with_one_authority(
    server: ApiServer, client: Client, guarded: tuple[Controller, str]
) -> None:
    secret = await client.get(SECRETS, NAME, "vipmgr-system")
    hosts = {"webhook_listen": ("127.0.0.1", 0), "webhook_hosts": ("127.0.0.1",)}
    async with running(server, webhook=True, **hosts) as second:
        await until(lambda: second.webhook is not None and second.webhook.port)
        assert await ask((second, guarded[1]), "CREATE", "Eip", object=eip("one", "10.0.0.1")) is None
    assert (await client.get(SECRETS, NAME, "vipmgr-system")).data == secret.data
