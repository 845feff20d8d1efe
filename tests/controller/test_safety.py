"""Killed between any two writes, cut off, doubled, asked to stop: the laws hold and the end is the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from tests.controller.conftest import CRDS, FINALIZER, Cluster, running, settings, until
from vipmgr.controller.program import LEASE, Controller
from vipmgr.kube.auth import Access
from vipmgr.kube.client import Client
from vipmgr.kube.resources import EIPS, LEASES, SERVICES
from vipmgr.lab.apiserver import ApiServer, read_definitions


class Writes:
    """Counts the requests that write, by path; `stop_after` cuts everything off from then on."""

    def __init__(self, server: ApiServer) -> None:
        self.seen: Counter[str] = Counter()
        self.stop_after: int | None = None
        self.total = 0
        self._server = server
        self._real = server.faults.before
        server.faults.before = self._before  # type: ignore[method-assign]

    async def _before(self, method: str, path: str) -> bool:
        ours = method != "GET" and "/leases" not in path and "/events" not in path
        if ours:
            if self.stop_after is not None and self.total >= self.stop_after:
                self._server.faults.refuse = True
            else:
                self.total += 1
                self.seen[f"{method} {path}"] += 1
        return await self._real(method, path)

    def forget(self) -> None:
        self.seen.clear()
        self.total = 0


async def state(client: Client) -> dict[str, object]:
    """Everything the controller decides on, without names of versions and times."""
    eips = await client.list(EIPS)
    services = await client.list(SERVICES, namespace="default")
    return {
        "used": {one.metadata.name: one.status.used for one in eips},
        "usage": {one.metadata.name: one.status.usage for one in eips},
        "guarded": {one.metadata.name: one.metadata.finalizers for one in eips},
        "shown": {one.metadata.name: [each.ip for each in one.status.load_balancer.ingress or ()] for one in services},
        "labels": {one.metadata.name: one.metadata.labels for one in services},
        "conditions": {
            one.metadata.name: [(each.status, each.reason) for each in one.status.conditions or ()] for one in services
        },
    }


async def laws_hold(client: Client) -> None:
    """No address has two owners; whoever shows an address has it recorded."""
    used = {}
    for eip in await client.list(EIPS):
        used |= eip.status.used or {}
    shown: dict[str, str] = {}
    for service in await client.list(SERVICES, namespace="default"):
        for one in service.status.load_balancer.ingress or ():
            assert one.ip not in shown, f"{one.ip} is shown by {shown[one.ip]} and {service.metadata.name}"
            shown[one.ip] = service.metadata.name
            assert used[one.ip] == f"default/{service.metadata.name}"


async def scenario(cluster: Cluster) -> None:
    """Arrivals, a change of pool and departures at once."""
    await cluster.eip("one", "10.0.0.1-10.0.0.3")
    await cluster.eip("two", "10.0.1.1-10.0.1.9")
    for name in ("a", "b", "c", "d"):
        await cluster.service(name, "one")


async def turn(cluster: Cluster) -> None:
    await cluster.delete("a")
    await cluster.edit("b", {"metadata": {"annotations": {"eip.openelb.kubesphere.io/v1alpha2": "two"}}})
    await cluster.edit("c", {"spec": {"type": "ClusterIP"}})
    await cluster.service("e", "two")


async def settled(controller: Controller) -> None:
    """Nothing more to write."""
    await until(lambda: controller.leading)
    await asyncio.sleep(0.1)
    quiet = 0
    writes = -1.0
    while quiet < 4:
        now = sum(
            sample.value
            for metric in controller.metrics.writes.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )
        quiet = quiet + 1 if now == writes else 0
        writes = now
        await asyncio.sleep(0.03)


async def play(stop_after: int | None) -> tuple[dict[str, object], int]:
    """The scenario with the controller killed after so many writes in its second half; the end, and all its writes."""
    async with ApiServer(definitions=read_definitions(CRDS)) as server, Client(Access(server.url)) as client:
        await server.create("namespaces", {"metadata": {"name": "vipmgr-system"}})
        cluster = Cluster(client)
        await scenario(cluster)
        async with running(server) as first:
            await settled(first)
        await turn(cluster)
        writes = Writes(server)
        writes.stop_after = stop_after
        async with running(server) as second:
            if stop_after is None:
                await settled(second)
                total = writes.total
            else:
                await until(lambda: server.faults.refuse)
                total = stop_after
        writes.stop_after = None
        server.faults.heal()
        await laws_hold(client)
        await client.delete(LEASES, LEASE, namespace="vipmgr-system")
        async with running(server) as third:
            await settled(third)
        await laws_hold(client)
        return await state(client), total


async def test_killed_after_any_write_it_ends_in_the_same_state() -> None:
    end, total = await play(None)
    assert end["shown"] == {"b": ["10.0.1.1"], "c": [], "d": ["10.0.0.1"], "e": ["10.0.1.2"]}
    assert total >= 6
    for stop_after in range(total):
        again, _ = await play(stop_after)
        assert again == end, f"killed after write {stop_after} of {total}"


async def test_a_batch_is_one_write_of_the_pool_and_one_of_each_service(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.0/24")
    async with running(server) as controller:
        await settled(controller)
        writes = Writes(server)
        server.faults.set(refuse=True)
        server.cut_connections()
        for number in range(50):
            await server.create(
                "services",
                {
                    "metadata": {
                        "name": f"s{number}",
                        "namespace": "default",
                        "annotations": {
                            "lb.kubesphere.io/v1alpha1": "openelb",
                            "eip.openelb.kubesphere.io/v1alpha2": "pool",
                        },
                    },
                    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
                },
            )
        writes.forget()
        server.faults.heal()

        async def served() -> bool:
            return len(await cluster.used("pool")) == 50

        await until(served)
        await settled(controller)
        eips = {path: count for path, count in writes.seen.items() if "/eips/" in path}
        assert list(eips.values()) == [1]
        assert sum(count for path, count in writes.seen.items() if "/services/" in path) == 50


async def test_two_replicas_one_writes_and_the_other_takes_over(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    first = Controller(settings(identity="first"), Access(server.url))
    task = asyncio.create_task(first.run())
    await until(lambda: first.leading)
    async with running(server, identity="second") as second:
        await cluster.service("a", "pool")
        await cluster.has("a", "10.0.0.1")
        assert (first.leading, second.leading, second.passes) == (True, False, 0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await until(lambda: second.leading)
        await cluster.service("b", "pool")
        await cluster.has("b", "10.0.0.2")
        assert await cluster.ip("a") == "10.0.0.1"


async def test_a_replica_that_lost_the_lease_writes_nothing_more(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    async with running(server) as controller:
        await until(lambda: controller.leading)
        await settled(controller)
        thief = {"holderIdentity": "thief", "leaseDurationSeconds": 3600, "renewTime": "2026-01-01T00:00:00.000000Z"}
        await client.patch(LEASES, LEASE, {"spec": thief}, namespace="vipmgr-system")
        await until(lambda: not controller.leading)
        writes = Writes(server)
        await cluster.service("a", "pool")
        made = writes.total
        await asyncio.sleep(0.5)
        assert writes.total == made
        assert await cluster.ip("a") == ""


async def test_writes_stop_when_the_lease_cannot_be_renewed(server: ApiServer, cluster: Cluster) -> None:
    """Only the Lease is out of reach; everything else could still be written."""
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    async with running(server) as controller:
        await until(lambda: controller.leading)
        await settled(controller)
        server.faults.set(refuse=True, only="/leases")
        await until(lambda: not controller.leading)
        await cluster.service("a", "pool")
        await asyncio.sleep(0.5)
        assert await cluster.ip("a") == ""
        server.faults.heal()
        await cluster.has("a", "10.0.0.1")


async def test_an_outage_of_the_server_is_survived(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    async with running(server) as controller:
        await until(lambda: controller.leading)
        server.faults.set(refuse=True)
        server.cut_connections()
        await until(lambda: not controller.leading)
        server.faults.heal()
        await cluster.service("a", "pool")
        await cluster.has("a", "10.0.0.1")
        assert controller.leading


@pytest.mark.parametrize("share", [0.2, 0.5])
async def test_errors_now_and_then_change_nothing_in_the_end(
    server: ApiServer, client: Client, cluster: Cluster, share: float
) -> None:
    async with running(server):
        for number in range(3):
            await cluster.eip(f"pool-{number}", f"10.0.{number}.0/28")
        server.faults.set(error_rate=share, only="/status")
        for number in range(12):
            await cluster.service(f"s{number}", f"pool-{number % 3}")
        for number in range(12):
            await cluster.served(f"s{number}")
        await laws_hold(client)
        assert (await cluster.pool("pool-0")).metadata.finalizers == [FINALIZER]
