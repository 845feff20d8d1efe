"""protocol vip: the register, the plans of nodes, and who is said to hold what. Nodes are reported by hand here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.controller.conftest import Cluster, running, until
from vipmgr.core.wire import VipNode, VrrpInstance
from vipmgr.kube.client import Client
from vipmgr.kube.resources import EVENTS, NODES, SERVICES, VIP_NODES, VRRP_INSTANCES
from vipmgr.lab.apiserver import ApiServer


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Node:
    """Says what an agent would say: its interface, the revision it was given, the state of its instances."""

    def __init__(self, client: Client, number: int) -> None:
        self.name = f"n{number}"
        self._client = client
        self._address = f"10.0.0.{100 + number}/24"

    async def join(self) -> None:
        await self._client.create(NODES, {"metadata": {"name": self.name}})
        ready = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
        await self._client.patch(NODES, self.name, {"status": ready}, subresource="status")
        await self._client.create(VIP_NODES, {"metadata": {"name": self.name}, "spec": {}})
        await self.say()

    async def say(self, **states: tuple[str, str]) -> None:
        """`states`: instance, with _ for -, -> (state, reason); BACKUP for what else its plan names."""
        there = await self._client.get(VIP_NODES, self.name)
        planned = {one.name: ("BACKUP", "started") for one in there.spec.instances or ()}
        said = planned | {name.replace("_", "-"): state for name, state in states.items()}
        status: dict[str, Any] = {
            "revision": there.spec.revision,
            "listeningSince": "2026-01-01T00:00:00Z",
            "interfaces": [
                {"name": "eth0", "index": 2, "mac": "02:00:00:00:00:01", "up": True, "addresses": [self._address]}
            ],
            "instances": [
                {"name": name, "state": state, "reason": reason, "since": stamp(), "priority": 252}
                for name, (state, reason) in said.items()
            ],
        }
        await self._client.patch(VIP_NODES, self.name, {"status": status}, subresource="status")

    async def get(self) -> VipNode:
        return await self._client.get(VIP_NODES, self.name)


async def instance(client: Client) -> VrrpInstance:
    found: list[VrrpInstance] = []

    async def placed() -> bool:
        nonlocal found
        found = [one for one in await client.list(VRRP_INSTANCES) if one.spec.vips]
        return bool(found) and len(found[0].spec.members) == 2

    await until(placed)
    return found[0]


async def two_nodes(client: Client, cluster: Cluster) -> tuple[Node, Node]:
    nodes = Node(client, 1), Node(client, 2)
    for node in nodes:
        await node.join()
    await cluster.eip("pool", "10.0.0.10-10.0.0.20", protocol="vip", vrrp={"instances": 1})
    await cluster.service("web", "pool")
    return nodes


async def told(nodes: tuple[Node, Node], vip: str) -> list[VipNode]:
    """Both plans, once they have it: the second node is told after the first has confirmed that it runs."""

    async def fact() -> bool:
        plans = [vip in (await node.get()).spec.keepalived for node in nodes]
        for node, planned in zip(nodes, plans, strict=True):
            if planned:
                await node.say()
        return all(plans)

    await until(fact)
    return [await node.get() for node in nodes]


async def test_an_address_is_registered_and_then_told_to_its_nodes(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    nodes = await two_nodes(client, cluster)
    async with running(server):
        await cluster.has("web", "10.0.0.10")
        one = await instance(client)
        assert (one.spec.eip, one.spec.interface, one.spec.vips) == ("pool", "eth0", ["10.0.0.10"])
        assert 1 <= one.spec.virtual_router_id <= 255
        for plan in await told(nodes, "10.0.0.10"):
            assert [each.virtual_router_id for each in plan.spec.instances] == [one.spec.virtual_router_id]
            assert plan.spec.published_at


async def test_a_node_is_written_only_when_its_revision_differs(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    nodes = await two_nodes(client, cluster)
    async with running(server) as controller:
        await instance(client)
        before = await told(nodes, "10.0.0.10")
        passes = controller.passes
        await cluster.eip("other", "10.5.0.0/24")
        await until(lambda: controller.passes > passes)
        await cluster.ready("other")
        await cluster.eip("third", "10.6.0.0/24")
        await cluster.ready("third")
        after = [await node.get() for node in nodes]
        for old, new in zip(before, after, strict=True):
            assert [each.vips for each in new.spec.instances] == [each.vips for each in old.spec.instances]
            assert (old.spec.revision == new.spec.revision) is (old.metadata.generation == new.metadata.generation)


async def test_a_move_is_told_on_the_service_and_in_the_status(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    first, second = nodes = await two_nodes(client, cluster)
    async with running(server):
        one = await instance(client)
        await told(nodes, "10.0.0.10")
        key = one.metadata.name.replace("-", "_")
        await first.say(**{key: ("MASTER", "started")})
        await second.say(**{key: ("BACKUP", "started")})

        async def held_by(name: str, transitions: int) -> bool:
            status = (await client.get(VRRP_INSTANCES, one.metadata.name)).status
            return (status.master, status.transitions) == (name, transitions)

        await until(lambda: held_by("n1", 1))
        await second.say(**{key: ("MASTER", "advertisement-timeout")})
        await until(lambda: held_by("n2", 2))

        async def moved() -> bool:
            events = await client.list(EVENTS, namespace="default")
            return [each.note for each in events if each.reason == "VIPMoved"] == [
                "VIP 10.0.0.10 moved n1 -> n2 in about 302 ms: advertisement timeout"
            ]

        await until(moved)
    async with running(server) as again:
        await until(lambda: again.passes >= 1)
        await cluster.eip("other", "10.5.0.0/24")
        await cluster.ready("other")
        assert await held_by("n2", 2)
        assert await moved()


async def test_an_address_stays_recorded_until_the_nodes_were_told_to_drop_it(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    nodes = await two_nodes(client, cluster)
    async with running(server):
        await instance(client)
        await told(nodes, "10.0.0.10")
        server.faults.set(error_rate=1.0, only="/vipnodes/")
        await client.delete(SERVICES, "web", namespace="default")

        async def counted() -> bool:
            return (await cluster.pool("pool")).status.usage == 0

        await cluster.eip("other", "10.5.0.0/24")
        await cluster.ready("other")
        assert await cluster.used("pool") == {"10.0.0.10": "default/web"}
        server.faults.heal()

        async def confirmed() -> bool:
            for node in nodes:
                await node.say()
            return await counted()

        await until(confirmed)


async def test_the_plan_of_a_deleted_node_goes_with_it(server: ApiServer, client: Client, cluster: Cluster) -> None:
    first, _ = await two_nodes(client, cluster)
    async with running(server):
        await instance(client)
        await client.delete(NODES, first.name)

        async def left() -> list[str]:
            return [one.metadata.name for one in await client.list(VIP_NODES)]

        async def forgotten() -> bool:
            return len(await left()) < 2

        await until(forgotten)
        assert await left() == ["n2"]


async def test_a_cordoned_node_is_drained_when_asked_for(server: ApiServer, client: Client, cluster: Cluster) -> None:
    first, second = await two_nodes(client, cluster)
    async with running(server, cordon_drains=True):
        await instance(client)
        await client.patch(NODES, first.name, {"spec": {"unschedulable": True}})

        async def draining() -> bool:
            return (await first.get()).spec.drain

        await until(draining)
        assert not (await second.get()).spec.drain
        await client.patch(NODES, first.name, {"spec": {"unschedulable": False}})

        async def back() -> bool:
            return not (await first.get()).spec.drain

        await until(back)
