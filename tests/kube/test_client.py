"""Typed calls, their errors, and what is tried again."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.kube.conftest import CRDS, Wire
from vipmgr.kube.auth import SERVER_VARIABLE, Access, _from_account, sign_in
from vipmgr.kube.client import (
    Client,
    ConflictError,
    FencedError,
    GoneError,
    InvalidError,
    NotFoundError,
    Patch,
    UnreachableError,
)
from vipmgr.kube.resources import EIPS, LEASES, NAMESPACES, NODES, SERVICES
from vipmgr.lab.apiserver import ApiServer, read_definitions


def service(name: str, kind: str = "LoadBalancer") -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": [{"port": 80}]}}


async def test_an_object_comes_back_as_its_struct(client: Client) -> None:
    made = await client.create(SERVICES, service("web"), namespace="default")
    assert made.spec.ports is not None
    assert (made.spec.type, made.spec.ports[0].port) == ("LoadBalancer", 80)
    assert (await client.get(SERVICES, "web", "default")).metadata.uid == made.metadata.uid


async def test_lists_come_in_pages_and_by_selector(client: Client) -> None:
    for number in range(7):
        kind = "LoadBalancer" if number % 2 else "ClusterIP"
        await client.create(SERVICES, service(f"s{number}", kind), namespace="default")
    pages = [page async for page in client.pages(SERVICES, limit=3)]
    assert [len(page.items) for page in pages] == [3, 3, 1]
    chosen = await client.list(SERVICES, field_selector="spec.type=LoadBalancer")
    assert sorted(one.metadata.name for one in chosen) == ["s1", "s3", "s5"]


async def test_refusals_have_names(client: Client) -> None:
    with pytest.raises(NotFoundError):
        await client.get(SERVICES, "nobody", "default")
    made = await client.create(SERVICES, service("web"), namespace="default")
    with pytest.raises(ConflictError) as again:
        await client.create(SERVICES, service("web"), namespace="default")
    assert again.value.reason == "AlreadyExists"
    with pytest.raises(InvalidError, match="interface"):
        await client.create(EIPS, {"metadata": {"name": "p"}, "spec": {"address": "10.0.0.1", "protocol": "vip"}})
    with pytest.raises(ConflictError):
        await client.delete(SERVICES, "web", namespace="default", uid="another")
    await client.delete(SERVICES, "web", namespace="default", uid=made.metadata.uid)


async def test_a_patch_of_an_older_version_is_a_conflict(client: Client) -> None:
    made = await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    body = {"metadata": {"resourceVersion": made.metadata.resource_version, "labels": {"a": "1"}}}
    await client.patch(NAMESPACES, "team", body)
    with pytest.raises(ConflictError):
        await client.patch(NAMESPACES, "team", body | {"metadata": body["metadata"] | {"labels": {"a": "2"}}})
    done = await client.patch(
        NAMESPACES, "team", [{"op": "add", "path": "/metadata/labels/b", "value": "2"}], kind=Patch.JSON
    )
    assert {"a": "1", "b": "2"}.items() <= (done.metadata.labels or {}).items()
    applied = await client.patch(
        NAMESPACES, "team", {"metadata": {"name": "team", "labels": {"c": "3"}}}, kind=Patch.APPLY, field_manager="me"
    )
    assert (applied.metadata.labels or {})["c"] == "3"


async def test_one_write_of_the_status_sets_the_label_too(client: Client) -> None:
    await client.create(SERVICES, service("web"), namespace="default")
    body = {"metadata": {"labels": {"x": "y"}}, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
    done = await client.patch(SERVICES, "web", body, namespace="default", subresource="status")
    assert done.metadata.labels == {"x": "y"}
    assert [one.ip for one in done.status.load_balancer.ingress or []] == ["10.0.0.1"]


async def test_a_busy_server_is_asked_again_after_the_time_it_names(server: ApiServer, client: Client) -> None:
    server.faults.set(throttle=1, retry_after=1)
    began = asyncio.get_running_loop().time()
    await client.create(NAMESPACES, {"metadata": {"name": "late"}})
    assert 1.0 <= asyncio.get_running_loop().time() - began < 2.0


async def test_a_server_that_stays_busy_is_given_up(server: ApiServer, client: Client) -> None:
    server.faults.set(throttle=50, retry_after=0)
    with pytest.raises(Exception, match="429"):
        await client.get(NAMESPACES, "default")
    assert server.faults.throttle == 45


async def test_no_answer_is_unreachable(server: ApiServer) -> None:
    async with Client(Access(server.url), request_seconds=0.2) as hasty:
        server.faults.set(hang=True)
        with pytest.raises(UnreachableError):
            await hasty.get(NAMESPACES, "default")
        server.faults.heal()
        server.faults.set(refuse=True)
        with pytest.raises(UnreachableError):
            await hasty.get(NAMESPACES, "default")


async def test_a_fence_stops_writes_and_their_repetition(server: ApiServer, client: Client) -> None:
    class Gate:
        asked = 0

        def held(self) -> bool:
            self.asked += 1
            return self.asked <= 1

    gate = Gate()
    fenced = client.fenced(gate)
    await fenced.get(NAMESPACES, "default")
    assert gate.asked == 0
    server.faults.set(throttle=1, retry_after=0)
    with pytest.raises(FencedError):
        await fenced.create(NAMESPACES, {"metadata": {"name": "never"}})
    with pytest.raises(NotFoundError):
        await client.get(NAMESPACES, "never")


async def test_a_watch_tells_what_happened_since_and_ends_quietly_in_silence(client: Client) -> None:
    page = await anext(client.pages(NAMESPACES))
    await client.create(NAMESPACES, {"metadata": {"name": "one"}})
    await client.patch(NAMESPACES, "one", {"metadata": {"labels": {"a": "b"}}})
    seen = []
    async for event in client.watch(NAMESPACES, resource_version=page.resource_version):
        seen.append((event.type, event.object.metadata.name if event.object else ""))
        if event.type == "BOOKMARK":
            break
    assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("BOOKMARK", "")]
    quiet = client.watch(NAMESPACES, resource_version=event.resource_version, idle_seconds=0.05)
    assert [one async for one in quiet] == []


async def test_a_forgotten_version_is_gone(server: ApiServer, client: Client) -> None:
    page = await anext(client.pages(NAMESPACES))
    await client.create(NAMESPACES, {"metadata": {"name": "one"}})
    server.forget_history()
    with pytest.raises(GoneError):
        await anext(client.watch(NAMESPACES, resource_version=page.resource_version))


async def test_an_object_past_the_schema_does_not_hide_the_others() -> None:
    """No CRD stops it here: the items are written as a foreign server might send them."""
    nodes = [{"metadata": {"name": "good"}}, {"metadata": {"name": "bad"}, "spec": {"unschedulable": "maybe"}}]

    async def answer(request: web.Request) -> web.Response:
        assert "gzip" in request.headers["Accept-Encoding"]
        body = gzip.compress(json.dumps({"metadata": {"resourceVersion": "5"}, "items": nodes}).encode())
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    app = web.Application()
    app.router.add_get("/api/v1/nodes", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Client(Access(f"http://127.0.0.1:{runner.addresses[0][1]}")) as client:
            (page,) = [page async for page in client.pages(NODES)]
            assert [one.metadata.name for one in page.items] == ["good"]
            assert [(one.name, one.why) for one in page.unreadable] == [
                ("bad", "Expected `bool`, got `str` - at `$.spec.unschedulable`")
            ]
    finally:
        await runner.cleanup()


async def test_a_kubeconfig_with_authority_and_token_signs_in() -> None:
    async with ApiServer(tls=True) as server, Client(await sign_in(str(server.kubeconfig))) as client:
        assert (await client.get(NAMESPACES, "default")).metadata.name == "default"


async def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    async with ApiServer(tokens={"s3cret": "me"}) as server:
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": "s3cret"},
        }
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "echo",
            "args": [json.dumps(credential)],
            "interactiveMode": "Never",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(_kubeconfig(server.url, {"exec": plugin})))
        async with Client(await sign_in(str(path))) as client:
            assert (await client.get(NAMESPACES, "default")).metadata.name == "default"


def _kubeconfig(url: str, user: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
    }


async def test_a_plain_address_in_the_environment_needs_no_kubeconfig(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, server.url + "/")
    async with Client(await sign_in()) as client:
        assert (await client.get(NAMESPACES, "default")).metadata.name == "default"


async def test_the_token_of_a_pod_is_read_again_when_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ApiServer(tls=True, tokens={"old": "me", "new": "me"}) as server:
        host, port = server.url.removeprefix("https://").split(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        config = server.kubeconfig.read_text()
        data = next(
            line.split(":", 1)[1].strip() for line in config.splitlines() if "certificate-authority-data" in line
        )
        (tmp_path / "ca.crt").write_bytes(base64.b64decode(data))
        (tmp_path / "token").write_text("expired")
        access = _from_account(tmp_path)
        await access.authorization()
        (tmp_path / "token").write_text("new\n")
        async with Client(access) as client:
            assert (await client.get(NAMESPACES, "default")).metadata.name == "default"


async def test_writes_pass_a_silent_wire_only_after_it_speaks_again(server: ApiServer) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    async with Wire(port) as wire, Client(Access(wire.url), request_seconds=0.3) as client:
        await client.get(NAMESPACES, "default")
        wire.silence()
        with pytest.raises(UnreachableError):
            await client.create(LEASES, {"metadata": {"name": "l"}}, namespace="default")
        wire.restore()
        assert (await client.get(NAMESPACES, "default")).metadata.name == "default"


def test_every_resource_of_ours_is_defined_where_the_client_looks() -> None:
    defined = {
        (one["spec"]["group"], one["spec"]["names"]["plural"], one["spec"]["versions"][0]["name"])
        for one in read_definitions(CRDS)
    }
    assert (EIPS.group, EIPS.plural, EIPS.version) in defined
