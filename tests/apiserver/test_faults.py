"""The switches that break the server on purpose, and that breaking it costs no data."""

import asyncio

import aiohttp
import pytest


def config_map(name):
    return {"metadata": {"name": name}}


async def test_throttled_requests_say_when_to_come_back(embedded, lab):
    embedded.faults.set(throttle=1, retry_after=3)
    status, answer = await lab.get("/api/v1/nodes")
    assert (status, answer["reason"], lab.headers["Retry-After"]) == (429, "TooManyRequests", "3")
    assert (await lab.get("/api/v1/nodes"))[0] == 200


async def test_refused_connections_are_cut_until_healed(embedded, lab):
    embedded.faults.set(refuse=True)
    with pytest.raises(aiohttp.ClientError):
        await lab.get("/api/v1/nodes")
    embedded.faults.heal()
    assert (await lab.get("/api/v1/nodes"))[0] == 200


async def test_a_request_that_hangs_is_answered_once_healed(embedded, lab):
    embedded.faults.set(hang=True)
    request = asyncio.create_task(lab.get("/api/v1/nodes"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(request), 0.1)
    embedded.faults.heal()
    assert (await request)[0] == 200


async def test_a_share_of_requests_fails(embedded, lab):
    embedded.faults.set(error_rate=0.5)
    codes = [(await lab.get("/api/v1/nodes"))[0] for _ in range(40)]
    assert {200, 500} == set(codes)


@pytest.mark.parametrize("applied", [False, True])
async def test_a_write_is_lost_or_its_answer_is(embedded, lab, applied):
    collection = f"{lab.namespaced}/configmaps"
    embedded.faults.set(drop_after_writes=1, drop_applied=applied)
    await lab.made(collection, config_map("first"))
    with pytest.raises(aiohttp.ClientError):
        await lab.create(collection, config_map("second"))
    assert (await lab.get(f"{collection}/second"))[0] == (200 if applied else 404)
    assert (await lab.create(collection, config_map("third")))[0] == 201


async def test_faults_can_be_kept_to_some_paths(embedded, lab):
    embedded.faults.set(error_rate=1.0, only="/services")
    assert (await lab.get("/api/v1/services"))[0] == 500
    assert (await lab.get("/api/v1/nodes"))[0] == 200


async def test_faults_are_set_from_outside_too(embedded, lab):
    assert (await lab.call("POST", "/-/faults", {"error_rate": 1.0}))[0] == 200
    assert (await lab.get("/api/v1/nodes"))[0] == 500
    assert (await lab.call("POST", "/-/faults", {}))[0] == 200
    assert (await lab.get("/api/v1/nodes"))[0] == 200
    assert (await lab.call("POST", "/-/faults", {"nonsense": 1}))[0] == 400


async def test_a_watch_is_cut_from_outside(embedded, lab):
    collection = f"{lab.namespaced}/configmaps"
    async with lab.watch(collection, labelSelector="none") as watch:
        assert (await lab.call("POST", "/-/cut-watches"))[0] == 200
        assert await watch.next() is None
    assert (await lab.call("POST", "/-/no-such-thing"))[0] == 404
    assert (await lab.get("/-/faults"))[0] == 405


async def test_cut_connections_break_a_watch_in_the_middle(embedded, lab):
    collection = f"{lab.namespaced}/configmaps"
    async with lab.watch(collection) as watch:
        await lab.made(collection, config_map("a"))
        assert await watch.names(1) == [("ADDED", "a")]
        embedded.cut_connections()
        with pytest.raises(aiohttp.ClientError):
            await watch.next()
    assert (await lab.get(f"{collection}/a"))[0] == 200
