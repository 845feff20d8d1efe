"""What users see: the seed manifests' statuses, every way an address is given back, refusals said once."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.conftest import FINALIZER, POOL_LABEL, Cluster, running, until
from vipmgr.core.wire import Service
from vipmgr.kube.client import Client, InvalidError
from vipmgr.kube.resources import EIPS, EVENTS, NAMESPACES, SERVICES
from vipmgr.lab.apiserver import ApiServer

SEED_EIP = {
    "metadata": {"name": "eip-pool"},
    "spec": {
        "address": "196.168.220.10-196.168.220.30",
        "protocol": "layer2",
        "disable": False,
        "interface": "eth0",
    },
}
SEED_SERVICE = {
    "metadata": {
        "name": "nginx",
        "annotations": {
            "lb.kubesphere.io/v1alpha1": "openelb",
            "protocol.openelb.kubesphere.io/v1alpha1": "layer2",
            "eip.openelb.kubesphere.io/v1alpha2": "eip-pool",
        },
    },
    "spec": {"selector": {"app": "nginx"}, "type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
}


async def test_the_seed_manifests_give_the_status_shown(server: ApiServer, client: Client, cluster: Cluster) -> None:
    await client.create(EIPS, SEED_EIP)
    await client.create(SERVICES, SEED_SERVICE, namespace="default")
    async with running(server):
        await cluster.has("nginx", "196.168.220.10")
        eip = await cluster.pool("eip-pool")
        status = eip.status
        assert (status.first_ip, status.last_ip, status.pool_size) == ("196.168.220.10", "196.168.220.30", 21)
        assert (status.v4, status.ready, status.occupied, status.usage) == (True, True, False, 1)
        assert status.used == {"196.168.220.10": "default/nginx"}
        assert eip.metadata.finalizers == [FINALIZER]
        nginx = await cluster.get("nginx")
        assert (nginx.metadata.labels or {})[POOL_LABEL] == "eip-pool"
        assert [one.ip_mode for one in nginx.status.load_balancer.ingress or ()] == ["VIP"]


async def test_a_pool_nobody_uses_shows_its_size(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("six", "fd00::/120")
    async with running(server):
        await cluster.ready("six")
        status = (await cluster.pool("six")).status
        assert (status.first_ip, status.pool_size, status.v4) == ("fd00::", 256, False)


@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"type": "ClusterIP"}},
        {"metadata": {"annotations": {"lb.kubesphere.io/v1alpha1": None}}},
    ],
    ids=["type changed", "annotation removed"],
)
async def test_a_service_that_asks_no_more_gives_everything_back(
    server: ApiServer, cluster: Cluster, edit: dict[str, object]
) -> None:
    await cluster.eip("pool", "10.0.0.1")
    await cluster.service("a", "pool")
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.service("b", "pool")
        await cluster.refused("b", "PoolExhausted")
        await cluster.edit("a", edit)
        await cluster.untouched("a")
        await cluster.has("b", "10.0.0.1")
        await cluster.uses("pool", {"10.0.0.1": "default/b"})
        assert await cluster.ip("a") == ""


async def test_a_deleted_service_gives_its_address_back(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.2")
    await cluster.service("a", "pool")
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.delete("a")
        await cluster.uses("pool", {})
        assert (await cluster.pool("pool")).status.usage == 0


async def test_what_happened_while_no_controller_ran_is_caught_up(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    for name in ("a", "b", "c"):
        await cluster.service(name, "pool")
    async with running(server):
        for number, name in enumerate(("a", "b", "c"), 1):
            await cluster.has(name, f"10.0.0.{number}")
    await cluster.delete("a")
    await cluster.edit("b", {"spec": {"type": "NodePort"}})
    async with running(server):
        await cluster.untouched("b")
        await cluster.uses("pool", {"10.0.0.3": "default/c"})
        assert await cluster.ip("c") == "10.0.0.3"


async def test_a_service_of_another_class_is_left_alone_and_one_of_ours_needs_no_annotation(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9", {"eip.openelb.kubesphere.io/is-default-eip": "true"})
    for name, one in (("theirs", "example.com/lb"), ("ours", "vipmgr.io/vip")):
        body = {
            "metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": one, "ports": [{"port": 80}]},
        }
        await client.create(SERVICES, body, namespace="default")
    async with running(server):
        await cluster.has("ours", "10.0.0.1")
        assert await cluster.ip("theirs") == ""
        assert not (await cluster.get("theirs")).status.conditions


async def test_an_address_asked_for_later_replaces_the_one_held(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    await cluster.service("a", "pool")
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.edit("a", {"metadata": {"annotations": {"eip.openelb.kubesphere.io/v1alpha1": "10.0.0.7"}}})
        await cluster.uses("pool", {"10.0.0.7": "default/a"})
        assert await cluster.ip("a") == "10.0.0.7"


async def test_a_service_moves_to_another_pool(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("one", "10.0.0.1-10.0.0.9")
    await cluster.eip("two", "10.0.1.1-10.0.1.9")
    await cluster.service("a", "one")
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.edit("a", {"metadata": {"annotations": {POOL_LABEL: "two"}}})
        await cluster.has("a", "10.0.1.1")
        await cluster.uses("one", {})
        await cluster.uses("two", {"10.0.1.1": "default/a"})
        assert ((await cluster.get("a")).metadata.labels or {})[POOL_LABEL] == "two"


async def test_a_deleted_pool_stays_until_nobody_uses_it(server: ApiServer, client: Client, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    await cluster.service("a", "pool")
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await client.delete(EIPS, "pool")
        await cluster.service("b", "pool")
        await cluster.refused("b", "PoolDeleting")
        assert await cluster.ip("a") == "10.0.0.1"
        await cluster.delete("a")
        await cluster.gone("pool")
        await cluster.refused("b", "UnknownPool")


async def test_a_disabled_pool_gives_out_nothing_new(server: ApiServer, client: Client, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    await cluster.service("a", "pool")
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await client.patch(EIPS, "pool", {"spec": {"disable": True}})
        await cluster.service("b", "pool")
        await cluster.refused("b", "PoolDisabled")
        assert await cluster.ip("a") == "10.0.0.1"
        await client.patch(EIPS, "pool", {"spec": {"disable": False}})
        await cluster.has("b", "10.0.0.2")


async def test_two_services_share_an_address_and_the_last_gives_it_back(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    key = {"vipmgr.io/allow-shared-ip": "k"}
    await cluster.service("a", "pool", key)
    await cluster.service("b", "pool", key, ports=[{"port": 443}])
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.has("b", "10.0.0.1")
        await cluster.uses("pool", {"10.0.0.1": "default/a;default/b"})
        await cluster.delete("a")
        await cluster.uses("pool", {"10.0.0.1": "default/b"})
        assert await cluster.ip("b") == "10.0.0.1"


async def test_an_overlapping_pool_is_refused_by_the_controller_itself(server: ApiServer, cluster: Cluster) -> None:
    await cluster.eip("old", "10.0.0.1-10.0.0.9")
    await asyncio.sleep(1.1)
    await cluster.eip("young", "10.0.0.5-10.0.0.20")
    await cluster.service("a", "young")
    async with running(server):
        await cluster.refused("a", "PoolRefused")

        async def said() -> bool:
            young = (await cluster.pool("young")).status
            found = [(one.type, one.status, one.reason) for one in young.conditions or ()]
            return not young.ready and found == [("Ready", "False", "AddressOverlap")]

        await until(said)
        assert await cluster.ip("a") == ""


async def test_a_refusal_is_told_once_and_not_again_after_a_restart(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    async def warnings() -> list[tuple[str, str]]:
        events = await client.list(EVENTS, namespace="default")
        return [(one.regarding.name, one.reason) for one in events if one.type == "Warning"]

    async def told() -> bool:
        return bool(await warnings())

    await cluster.service("a", "nowhere")
    async with running(server):
        message = await cluster.refused("a", "UnknownPool")
        assert "nowhere" in message
        await until(told)
        for number in range(3):
            await cluster.eip(f"other-{number}", f"10.0.{number}.1")
            await cluster.ready(f"other-{number}")
    async with running(server):
        await cluster.eip("last", "10.9.0.1")
        await cluster.ready("last")
    assert await warnings() == [("a", "UnknownPool")]


async def test_a_namespace_that_gets_the_label_gets_the_pool(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1", namespaceSelector={"team": "red"})
    await cluster.service("a")
    async with running(server):
        await cluster.refused("a", "NoPool")
        await client.patch(NAMESPACES, "default", {"metadata": {"labels": {"team": "red"}}})
        await cluster.served("a")
        assert await cluster.ip("a") == "10.0.0.1"


async def test_other_conditions_and_labels_of_a_service_stay(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1")
    await cluster.service("a", "pool")
    theirs = {
        "type": "example.com/Ready",
        "status": "True",
        "reason": "Good",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    await client.patch(
        SERVICES,
        "a",
        {"metadata": {"labels": {"app": "x"}}, "status": {"conditions": [theirs]}},
        namespace="default",
        subresource="status",
    )
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.edit("a", {"metadata": {"annotations": {"lb.kubesphere.io/v1alpha1": None}}})

        async def fact() -> bool:
            one = await cluster.get("a")
            return [other.type for other in one.status.conditions or ()] == ["example.com/Ready"]

        await until(fact)
        assert (await cluster.get("a")).metadata.labels == {"app": "x"}


async def test_openelbs_own_finalizer_does_not_hold_a_service_for_ever(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1")
    await cluster.service("a", "pool")
    await client.patch(
        SERVICES, "a", {"metadata": {"finalizers": ["finalizer.lb.kubesphere.io/v1alpha1"]}}, namespace="default"
    )
    async with running(server):
        await cluster.has("a", "10.0.0.1")
        await cluster.delete("a")
        await cluster.uses("pool", {})

        async def left() -> list[Service]:
            return await client.list(SERVICES, namespace="default", field_selector="spec.type=LoadBalancer")

        async def gone() -> bool:
            return not await left()

        await until(gone)
        assert await left() == []


async def test_the_schema_refuses_what_the_controller_could_not_use(cluster: Cluster) -> None:
    with pytest.raises(InvalidError):
        await cluster.eip("bad", "10.0.0.300")
