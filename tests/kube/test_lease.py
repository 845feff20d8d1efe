"""Election over the embedded server: one leader, through blackholes, restarts and releases."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.kube.conftest import Wire, until
from vipmgr.kube.auth import Access
from vipmgr.kube.client import Client
from vipmgr.kube.lease import Fence, LeaseElection
from vipmgr.kube.resources import LEASES
from vipmgr.lab.apiserver import ApiServer

TIMINGS = {"duration": 1.0, "renew": 0.6, "retry": 0.1}


class Candidate:
    """An election whose leader does nothing but say that it leads."""

    def __init__(self, client: Client, identity: str) -> None:
        self.election = LeaseElection(client, namespace="default", name="lead", identity=identity, **TIMINGS)
        self.fences: list[Fence] = []
        self.working = False
        self.task = asyncio.create_task(self.election.run(self._lead))

    @property
    def leads(self) -> bool:
        return bool(self.fences) and self.fences[-1].held()

    async def _lead(self, fence: Fence) -> None:
        self.fences.append(fence)
        self.working = True
        try:
            await asyncio.Event().wait()
        finally:
            self.working = False

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def test_one_leads_and_the_other_takes_over_at_once_when_it_is_released(client: Client) -> None:
    first = Candidate(client, "first")
    await until(lambda: first.leads)
    second = Candidate(client, "second")
    try:
        await until(lambda: second.election.holder == "first")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await first.stop()
        assert not first.working
        await until(lambda: second.leads)
        assert loop.time() - began < TIMINGS["duration"]
        lease = await client.get(LEASES, "lead", "default")
        assert (lease.spec.holder_identity, lease.spec.lease_transitions) == ("second", 1)
        assert lease.spec.renew_time is not None
        assert len(lease.spec.renew_time.rpartition(".")[2]) == len("123456Z")
    finally:
        await second.stop()


async def test_a_leader_behind_a_blackhole_stops_before_the_other_begins(server: ApiServer, client: Client) -> None:
    async with Wire(int(server.url.rsplit(":", 1)[1])) as wire, Client(Access(wire.url)) as far:
        first = Candidate(far, "first")
        await until(lambda: first.leads)
        second = Candidate(client, "second")
        try:
            await until(lambda: second.election.holder == "first")
            wire.silence()
            both = 0
            stopped_first = False
            while not second.leads:
                both += first.leads and second.leads
                stopped_first = stopped_first or not first.working
                await asyncio.sleep(0.002)
            assert both == 0
            assert stopped_first
            assert not first.working
            assert not first.fences[0].held()
            wire.restore()
            await until(lambda: first.election.holder == "second")
            assert not first.leads
        finally:
            await second.stop()
            await first.stop()


async def test_a_short_outage_does_not_end_the_lead(server: ApiServer, client: Client) -> None:
    first = Candidate(client, "first")
    try:
        await until(lambda: first.leads)
        server.faults.set(refuse=True)
        await asyncio.sleep(0.25)
        server.faults.heal()
        await asyncio.sleep(0.6)
        assert first.leads
        assert len(first.fences) == 1
    finally:
        await first.stop()


async def test_a_lost_lead_is_won_again_with_a_new_fence(server: ApiServer, client: Client) -> None:
    first = Candidate(client, "first")
    try:
        await until(lambda: first.leads)
        server.faults.set(refuse=True)
        await until(lambda: not first.working)
        server.faults.heal()
        await until(lambda: len(first.fences) == 2)
        assert first.fences[1].held()
        assert not first.fences[0].held()
    finally:
        await first.stop()


async def test_a_lease_taken_by_force_ends_the_lead(client: Client) -> None:
    first = Candidate(client, "first")
    try:
        await until(lambda: first.leads)
        await client.patch(LEASES, "lead", {"spec": {"holderIdentity": "thief"}}, namespace="default")
        await until(lambda: not first.working)
        assert first.election.holder == "thief"
    finally:
        await first.stop()


async def test_an_error_of_the_work_comes_out_and_releases_the_lease(client: Client) -> None:
    async def fail(_: Fence) -> None:
        raise ValueError("broken")

    election = LeaseElection(client, namespace="default", name="lead", identity="first", **TIMINGS)
    with pytest.raises(ValueError, match="broken"):
        await election.run(fail)
    assert (await client.get(LEASES, "lead", "default")).spec.holder_identity == ""
