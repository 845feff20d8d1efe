"""The agent and its VipNode: the real API double in this process, and the program as it is started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.node.rig import ROOT, instance, spec_of
from vipmgr.core.wire import InstanceState, VipNode, VipNodeStatus
from vipmgr.kube.auth import Access
from vipmgr.kube.client import ApiError, Client
from vipmgr.kube.resources import NODES, VIP_NODES
from vipmgr.lab.apiserver import ApiServer, read_definitions
from vipmgr.node.plan_store import StoredPlan, save_plan
from vipmgr.node.status_writer import StatusWriter
from vipmgr.node.vip_node import VipNodeLink


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(definitions=read_definitions(ROOT / "manifests" / "crds"), bookmark_interval=0.2) as one:
        yield one


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with Client(Access(server.url), request_seconds=2.0) as one:
        await one.create(NODES, {"metadata": {"name": "n1"}})
        yield one


async def until(true: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            with suppress(ApiError, OSError):
                if value := await true():
                    return value
            await asyncio.sleep(0.01)


class Part:
    """The API side of an agent whose status is `self.status`."""

    def __init__(self, client: Client) -> None:
        self.status = VipNodeStatus(agent_version="1")
        self.wanted: list[str] = []
        self.writer = StatusWriter(client, "n1", lambda: self.status)
        self.link = VipNodeLink(
            client, "n1", self.writer, lambda spec: self.wanted.append(spec.revision), lambda _: None
        )
        self.task = asyncio.create_task(self.link.run())

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def part(client: Client) -> AsyncIterator[Part]:
    made = Part(client)
    yield made
    await made.close()


async def written(client: Client, part: Part) -> VipNode:
    async def equal() -> VipNode | None:
        found = await client.get(VIP_NODES, "n1")
        return found if found.status == part.status else None

    return await until(equal)


async def test_the_vipnode_is_made_with_the_node_as_its_owner_and_its_status_written(
    client: Client, part: Part
) -> None:
    found = await written(client, part)
    node = await client.get(NODES, "n1")
    owners = found.metadata.owner_references or []
    assert [(one.kind, one.uid) for one in owners] == [("Node", node.metadata.uid)]


async def test_what_changes_together_is_written_together_and_no_change_is_no_write(client: Client, part: Part) -> None:
    await written(client, part)
    before = part.writer.writes
    for number in range(50):
        part.status.audit_sequence = number
        part.writer.wake()
    await written(client, part)
    assert part.writer.writes == before + 1
    version = (await client.get(VIP_NODES, "n1")).metadata.resource_version
    part.writer.wake()

    async def looked() -> bool:
        return not part.writer._changed.is_set()

    await until(looked)
    part.status.instances = [InstanceState(name="p-0", state="MASTER")]
    part.writer.wake(now=True)
    await written(client, part)
    part.status.instances = []
    part.writer.wake(now=True)
    found = await written(client, part)
    assert found.status.instances == []
    assert found.metadata.resource_version != version
    assert part.writer.writes == before + 3


async def test_a_vipnode_that_is_deleted_is_made_again(client: Client, part: Part) -> None:
    first = await written(client, part)
    await client.delete(VIP_NODES, "n1")

    async def again() -> bool:
        found = await client.get(VIP_NODES, "n1")
        return found.metadata.uid != first.metadata.uid and found.status == part.status

    assert await until(again)


async def test_a_status_that_somebody_else_changed_is_put_right(client: Client, part: Part) -> None:
    """A hand, or a backup of etcd that was restored."""
    part.status.revision = "r1"
    part.writer.wake()
    await written(client, part)
    writes = part.writer.writes
    patch = {"status": {"revision": "r0", "instances": [{"name": "p-0", "state": "MASTER"}]}}
    await client.patch(VIP_NODES, "n1", patch, subresource="status")
    assert (await written(client, part)).status.instances == []
    await client.patch(VIP_NODES, "n1", {"metadata": {"annotations": {"a": "b"}}})
    spec = spec_of("n1", instance())
    await client.patch(VIP_NODES, "n1", {"spec": msgspec.to_builtins(spec)})

    async def seen() -> bool:
        return part.wanted[-1:] == [spec.revision]

    assert await until(seen)
    assert part.writer.writes == writes + 1
    part.status.revision = spec.revision
    part.writer.wake()
    await written(client, part)
    assert part.wanted == [spec.revision]  # our own write is no news


async def test_only_a_spec_that_a_controller_wrote_is_wanted(client: Client, part: Part) -> None:
    await written(client, part)
    assert part.wanted == []
    spec = spec_of("n1", instance())
    await client.patch(VIP_NODES, "n1", {"spec": msgspec.to_builtins(spec)})

    async def seen() -> bool:
        return part.wanted[-1:] == [spec.revision]

    assert await until(seen)


class Program:
    """`vipmgr agent`, with folders of its own."""

    def __init__(self, server: str, folder: Path, port: int) -> None:
        self.state, self.run, self.port = folder / "state", folder / "run", port
        self.words = [
            sys.executable, "-m", "vipmgr", "agent", "--node", "n1", "--state-dir", str(self.state),
            "--run-dir", str(self.run), "--listen", f"127.0.0.1:{port}",
        ]  # fmt: skip
        self.environment = {**os.environ, "VIPMGR_API_SERVER": server}
        self.environment.pop("KUBECONFIG", None)

    async def start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.words, env=self.environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    async def get(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return int(answer.split()[1]), answer


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_the_program_reports_refuses_serves_and_ends_on_sigterm(
    server: ApiServer, client: Client, tmp_path: Path
) -> None:
    program = Program(server.url, tmp_path, free_port())
    process = await program.start()
    try:

        async def reported() -> bool:
            return bool((await client.get(VIP_NODES, "n1")).status.listening_since)

        await until(reported)
        bad = spec_of("n1", instance())
        bad.keepalived = bad.keepalived.replace("nopreempt", "nopreemptt")
        await client.patch(VIP_NODES, "n1", {"spec": msgspec.to_builtins(bad)})

        async def refused() -> Any:
            return (await client.get(VIP_NODES, "n1")).status.refused

        refusal = await until(refused)
        assert refusal.revision == bad.revision
        assert "nopreemptt" in refusal.message

        async def ready() -> bool:
            return (await program.get("/readyz"))[0] == 200

        assert await until(ready)
        assert (await program.get("/healthz"))[0] == 200
        assert "vipmgr_agent_config_refused_total 1.0" in (await program.get("/metrics"))[1]
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0, err.decode()
    events = [msgspec.json.decode(line)["event"] for line in out.splitlines()]
    assert events == ["agent.started", "config.refused", "agent.stopped"]


async def test_a_node_with_a_plan_is_not_ready_until_keepalived_runs(server: ApiServer, tmp_path: Path) -> None:
    program = Program(server.url, tmp_path, free_port())
    program.state.mkdir()
    save_plan(program.state / "plan.json", StoredPlan(spec=spec_of("n1", instance())))
    process = await program.start()
    try:

        async def only_keepalived_is_missing() -> bool:
            status, answer = await program.get("/readyz")
            return status == 503 and answer.endswith("\r\n\r\nkeepalived\n")

        assert await until(only_keepalived_is_missing)
        assert (await program.get("/healthz"))[0] == 200
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), 10)


async def test_an_outage_is_waited_out_and_what_changed_meanwhile_is_written_after_it(
    server: ApiServer, client: Client, part: Part
) -> None:
    await written(client, part)
    server.faults.set(refuse=True)
    server.cut_connections()
    part.status.audit_sequence = 99
    part.writer.wake(now=True)

    async def noticed() -> bool:
        return not part.link.connected and not part.writer.connected

    await until(noticed)
    server.faults.heal()
    assert (await written(client, part)).status.audit_sequence == 99
