"""A mistake of the controller itself stops nothing for ever: the pass is made again, and what is stored stays."""

from __future__ import annotations

import logging

import pytest

from tests.controller.conftest import Cluster, running, until
from vipmgr.controller.pace import failed_pause
from vipmgr.core import wire
from vipmgr.core.decode import Opting, decode_claim
from vipmgr.core.model import Claim
from vipmgr.lab.apiserver import ApiServer


def with_a_mistake(service: wire.Service, opting: Opting) -> Claim | None:
    """The decoder, with a mistake that one object brings out."""
    if service.metadata.name == "poison":
        raise ZeroDivisionError("nobody thought of this")
    return decode_claim(service, opting)


async def test_a_pass_that_fails_is_made_again_and_goes_well_once_its_cause_is_gone(
    server: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vipmgr.core.snapshot.decode_claim", with_a_mistake)
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    async with running(server) as controller:
        await cluster.service("before", "pool")
        await cluster.has("before", "10.0.0.1")
        with caplog.at_level(logging.ERROR):
            await cluster.service("poison", "pool")
            await until(lambda: "vipmgr_controller_failed_passes_total 2.0" in controller.metrics.page().decode())
        await cluster.service("after", "pool")
        assert controller.leading
        assert await cluster.ip("before") == "10.0.0.1"
        await cluster.delete("poison")
        await cluster.has("after", "10.0.0.2")
    assert "while reading Service default/poison" in caplog.text


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
    if not while_running:
        await cluster.edit("refused", {"spec": {"type": "ClusterIP"}})
        async with running(server):
            await cluster.untouched("refused")
