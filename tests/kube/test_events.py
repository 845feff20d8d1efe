"""Events that tell once, count, and never flood."""

from __future__ import annotations

from vipmgr.kube.client import Client
from vipmgr.kube.events import ObjectRef, Recorder
from vipmgr.kube.objects import Event
from vipmgr.kube.resources import EVENTS
from vipmgr.lab.apiserver import ApiServer

SERVICE = ObjectRef("v1", "Service", "web", "default", "uid-1")
EIP = ObjectRef("network.kubesphere.io/v1alpha2", "Eip", "pool", "", "uid-2")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def recorder(client: Client, clock: Clock) -> Recorder:
    return Recorder(client, component="vipmgr-controller", instance="one", clock=clock)


async def events(client: Client, namespace: str = "default") -> list[Event]:
    return await client.list(EVENTS, namespace=namespace)


async def test_the_same_again_becomes_a_count(client: Client) -> None:
    clock = Clock()
    one = recorder(client, clock)
    for _ in range(5):
        await one.record(SERVICE, "Warning", "PoolExhausted", "Allocate", "no free address")
    (event,) = await events(client)
    assert (event.reason, event.action, event.type, event.note) == (
        "PoolExhausted",
        "Allocate",
        "Warning",
        "no free address",
    )
    assert event.series is None
    clock.now += 61
    await one.record(SERVICE, "Warning", "PoolExhausted", "Allocate", "no free address")
    (event,) = await events(client)
    assert event.series is not None
    assert event.series.count == 6


async def test_after_a_while_it_is_told_anew(client: Client) -> None:
    clock = Clock()
    one = recorder(client, clock)
    await one.record(SERVICE, "Normal", "VIPMoved", "Failover", "moved")
    clock.now += 601
    await one.record(SERVICE, "Normal", "VIPMoved", "Failover", "moved")
    assert len(await events(client)) == 2


async def test_one_object_cannot_flood(client: Client) -> None:
    clock = Clock()
    one = recorder(client, clock)
    for number in range(50):
        await one.record(SERVICE, "Normal", "VIPMoved", "Failover", f"move {number}")
    assert len(await events(client)) == 20
    assert one.dropped == 30
    clock.now += 30
    await one.record(SERVICE, "Normal", "VIPMoved", "Failover", "later")
    assert len(await events(client)) == 21


async def test_events_of_cluster_objects_live_in_default(client: Client) -> None:
    await recorder(client, Clock()).record(EIP, "Warning", "AddressOverlap", "Validate", "x" * 3000)
    (event,) = await events(client)
    assert (event.regarding.kind, event.regarding.name) == ("Eip", "pool")
    assert event.metadata.namespace == "default"
    assert len(event.note) == 1024
    assert event.event_time is not None
    assert len(event.event_time.rpartition(".")[2]) == len("123456Z")


async def test_losing_an_event_stops_nobody(server: ApiServer, client: Client) -> None:
    server.faults.set(refuse=True)
    one = recorder(client, Clock())
    await one.record(SERVICE, "Normal", "VIPMoved", "Failover", "moved")
    server.faults.heal()
    await one.record(SERVICE, "Normal", "VIPMoved", "Failover", "moved again")
    assert [event.note for event in await events(client)] == ["moved again"]
