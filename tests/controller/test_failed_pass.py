"""A mistake of the controller itself stops nothing for ever, and one object's mistake stops no other object."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.controller.conftest import Cluster, running, until
from vipmgr.controller.pace import failed_pause
from vipmgr.core.decode import decode_claim
from vipmgr.core.place import place
from vipmgr.core.placement import Placement
from vipmgr.kube.client import Client
from vipmgr.kube.resources import EIPS, EVENTS
from vipmgr.lab.apiserver import ApiServer

MISTAKE = ZeroDivisionError("nobody thought of this")


def stumbling(decode: Callable[..., Any]) -> Callable[..., Any]:
    """A decoder with a mistake that one object brings out."""

    def read(found: Any, *options: Any) -> Any:
        if "poison" in (found.metadata.labels or {}):
            raise MISTAKE
        return decode(found, *options)

    return read


def failing(vips: Any, *rest: Any, **named: Any) -> Placement:
    """A step of the decision with a mistake."""
    vips = list(vips)
    if any("default/poison" in vip.services for vip in vips):
        raise MISTAKE
    return place(vips, *rest, **named)


async def test_a_pass_that_fails_is_made_again_and_goes_well_once_its_cause_is_gone(
    server: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vipmgr.core.desire.place", failing)
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    async with running(server) as controller:
        await cluster.service("before", "pool")
        await cluster.has("before", "10.0.0.1")
        await cluster.service("poison", "pool")
        await until(lambda: "vipmgr_controller_failed_passes_total 2.0" in controller.metrics.page().decode())
        await cluster.service("after", "pool")
        assert controller.leading
        assert await cluster.ip("before") == "10.0.0.1"
        await cluster.delete("poison")
        await cluster.has("after", "10.0.0.2")


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_service_that_cannot_be_read_keeps_its_address_says_so_and_stops_no_other(
    server: ApiServer,
    client: Client,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    restarted: bool,
) -> None:
    monkeypatch.setattr("vipmgr.core.snapshot.decode_claim", stumbling(decode_claim))
    poison, cure = ({"metadata": {"labels": {"poison": value}}} for value in ("", None))
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    async with running(server) as controller:
        await cluster.service("bad", "pool")
        await cluster.has("bad", "10.0.0.1")
        if not restarted:
            await cluster.edit("bad", poison)
            await cluster.refused("bad", "Unreadable")
    if restarted:
        await cluster.edit("bad", poison)
    async with running(server) as controller:
        message = await cluster.refused("bad", "Unreadable")
        assert message == "cannot be read, ZeroDivisionError: nobody thought of this"
        await cluster.service("good", "pool")
        await cluster.has("good", "10.0.0.2")
        page = controller.metrics.page().decode()
        assert "vipmgr_controller_unreadable_objects 1.0" in page
        assert "vipmgr_controller_failed_passes_total 0.0" in page
        assert (await cluster.ip("bad"), await cluster.used("pool")) == (
            "10.0.0.1",
            {"10.0.0.1": "default/bad", "10.0.0.2": "default/good"},
        )
        await until(lambda: told(client, "Unreadable", "bad"))
        await cluster.edit("bad", cure)
        await until(lambda: "vipmgr_controller_unreadable_objects 0.0" in controller.metrics.page().decode())
        await cluster.delete("bad")
        await cluster.uses("pool", {"10.0.0.2": "default/good"})
    assert [one.message for one in caplog.records].count("object.unreadable") == 2 - restarted


@pytest.mark.parametrize("where", ["vipmgr.core.snapshot.decode_pool", "vipmgr.controller.gather._eip"])
async def test_a_pool_that_cannot_be_read_keeps_what_it_gave_out_and_stops_no_other(
    server: ApiServer, client: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    module, _, name = where.rpartition(".")
    monkeypatch.setattr(where, stumbling(getattr(sys.modules[module], name)))
    await cluster.eip("bad", "10.0.0.1-10.0.0.9")
    async with running(server):
        await cluster.service("before", "bad")
        await cluster.has("before", "10.0.0.1")
        await client.patch(EIPS, "bad", {"metadata": {"labels": {"poison": ""}}})
        await until(lambda: told(client, "Unreadable", "bad"))
        await cluster.eip("good", "10.0.1.1-10.0.1.9")
        await cluster.service("after", "good")
        await cluster.has("after", "10.0.1.1")
        assert await cluster.ip("before") == "10.0.0.1"


async def told(client: Client, reason: str, name: str) -> bool:
    return any((one.reason, one.regarding.name) == (reason, name) for one in await client.list(EVENTS))


async def test_pauses_between_failed_passes_grow_up_to_half_a_minute() -> None:
    pauses = [failed_pause(failures) for failures in range(20)]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    assert failed_pause(100_000) == 30.0


@pytest.mark.parametrize("while_running", [True, False])
async def test_a_refused_service_that_is_no_load_balancer_any_more_keeps_no_condition(
    server: ApiServer, cluster: Cluster, while_running: bool
) -> None:
    """It never carried our label."""
    async with running(server):
        await cluster.service("refused", "missing")
        await cluster.refused("refused", "UnknownPool")
        if while_running:
            await cluster.edit("refused", {"spec": {"type": "ClusterIP"}})
            await cluster.untouched("refused")
            assert not (await cluster.get("refused")).status.conditions
    if not while_running:
        await cluster.edit("refused", {"spec": {"type": "ClusterIP"}})
        async with running(server):
            await cluster.untouched("refused")
            assert not (await cluster.get("refused")).status.conditions
