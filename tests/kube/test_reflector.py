"""A copy that stays true through cut watches, forgotten history, silence and outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.kube.conftest import Wire, until
from vipmgr.core.wire import Namespace
from vipmgr.kube.auth import Access
from vipmgr.kube.client import Client, Unreadable, WatchEvent
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import NAMESPACES, SERVICES
from vipmgr.lab.apiserver import ApiServer


def label(one: Namespace) -> str | None:
    return (one.metadata.labels or {}).get("team")


@asynccontextmanager
async def running(client: Client, **options: Any) -> AsyncIterator[tuple[Reflector[Namespace, str], list[str]]]:
    changes: list[str] = []
    reflector = Reflector(client, NAMESPACES, **({"decode": label, "changed": changes.append} | options))
    task = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(5):
            await reflector.synced.wait()
        yield reflector, changes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def put(client: Client, name: str, team: str | None) -> None:
    await client.create(NAMESPACES, {"metadata": {"name": name, "labels": {"team": team} if team else {}}})


async def relabel(client: Client, name: str, team: str | None) -> None:
    await client.patch(NAMESPACES, name, {"metadata": {"labels": {"team": team}}})


async def test_it_follows_and_keeps_only_what_decode_returns(client: Client) -> None:
    await put(client, "a", "red")
    await put(client, "b", None)
    async with running(client) as (copy, changes):
        assert dict(copy.items) == {"a": "red"}
        await relabel(client, "b", "blue")
        await relabel(client, "a", None)
        await until(lambda: dict(copy.items) == {"b": "blue"})
        assert changes == ["a", "b", "a"]
        await client.patch(NAMESPACES, "b", {"metadata": {"annotations": {"no": "news"}}})
        await client.delete(NAMESPACES, "b")
        await until(lambda: not copy.items)
        assert changes == ["a", "b", "a", "b"]


async def test_cut_watches_lose_nothing(server: ApiServer, client: Client) -> None:
    async with running(client) as (copy, changes):
        for number in range(10):
            server.cut_watches()
            await server.create("namespaces", {"metadata": {"name": f"n{number}", "labels": {"team": "red"}}})
            server.cut_connections()
            await asyncio.sleep(0.02 * number)
        await until(lambda: len(copy.items) == 10)
        assert sorted(changes) == sorted(f"n{number}" for number in range(10))


async def test_a_forgotten_version_leads_to_a_list_whose_differences_are_reported(
    server: ApiServer, client: Client
) -> None:
    for name in ("keep", "change", "drop"):
        await put(client, name, "red")
    async with running(client) as (copy, changes):
        changes.clear()
        server.faults.set(refuse=True, only="/namespaces")
        server.cut_connections()
        await until(lambda: not copy.connected)
        server.faults.set(refuse=False)
        server.faults.set(only="watch")
        async with Client(Access(server.url)) as other:
            await other.delete(NAMESPACES, "drop")
            await relabel(other, "change", "blue")
            await put(other, "new", "green")
        server.forget_history()
        await until(lambda: dict(copy.items) == {"keep": "red", "change": "blue", "new": "green"})
        assert sorted(changes) == ["change", "drop", "new"]
        assert copy.connected


async def test_an_outage_is_noticed_waited_out_without_hammering_and_healed(server: ApiServer, client: Client) -> None:
    async with running(client) as (copy, _):
        requests = 0
        server.faults.set(refuse=True)
        server.cut_connections()
        await until(lambda: not copy.connected)
        real = server.faults.before

        async def counted(method: str, path: str) -> bool:
            nonlocal requests
            requests += 1
            return await real(method, path)

        server.faults.before = counted  # type: ignore[method-assign]
        await asyncio.sleep(1.5)
        assert 1 <= requests <= 8
        server.faults.heal()
        await put(client, "after", "red")
        await until(lambda: "after" in copy.items and copy.connected)


async def test_a_half_open_connection_is_replaced_after_the_idle_time(server: ApiServer, client: Client) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    async with (
        Wire(port) as wire,
        Client(Access(wire.url), request_seconds=1.0) as far,
        running(far, idle_seconds=0.6) as (copy, _),
    ):
        before = wire.connections
        wire.silence()
        await put(client, "unseen", "red")
        await until(lambda: wire.connections > before)
        wire.restore()
        await until(lambda: copy.items)
        assert dict(copy.items) == {"unseen": "red"}


async def test_bookmarks_keep_a_quiet_watch_alive(client: Client) -> None:
    async with running(client, idle_seconds=0.6) as (copy, _):
        version = copy._version
        await client.create(
            SERVICES, {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 1}]}}, namespace="default"
        )
        await until(lambda: copy._version != version)
        assert int(copy._version) > int(version)


async def test_what_was_written_is_known_at_once_and_its_echo_is_no_news(client: Client) -> None:
    await put(client, "a", "red")
    async with running(client) as (copy, changes):
        changes.clear()
        written = await client.patch(NAMESPACES, "a", {"metadata": {"labels": {"team": "blue"}}})
        copy.adopt(written)
        assert copy.items["a"] == "blue"
        await put(client, "last", "green")
        await until(lambda: "last" in copy.items)
        assert changes == ["last"]


async def test_an_older_event_does_not_undo_what_was_adopted(client: Client) -> None:
    await put(client, "a", "red")
    changes: list[str] = []
    copy = Reflector(client, NAMESPACES, decode=label, changed=changes.append)
    events = []
    for team in ("green", "blue"):
        item = await client.patch(NAMESPACES, "a", {"metadata": {"labels": {"team": team}}})
        events.append(WatchEvent("MODIFIED", item, item.metadata.resource_version))
    copy.adopt(item)
    for event in events:
        copy._apply(event, event.object)
        assert copy.items["a"] == "blue"
    assert changes == []
    await relabel(client, "a", "red")
    later = await client.get(NAMESPACES, "a")
    copy._apply(WatchEvent("MODIFIED", later, later.metadata.resource_version), later)
    assert (copy.items["a"], changes) == ("red", ["a"])


async def test_an_answer_that_the_watch_has_overtaken_does_not_undo_what_came_after_it(client: Client) -> None:
    await put(client, "a", "red")
    await put(client, "gone", "red")
    async with running(client) as (copy, _):
        late = [
            await client.patch(NAMESPACES, name, {"metadata": {"labels": {"team": "blue"}}}) for name in ("a", "gone")
        ]
        await relabel(client, "a", "green")
        await client.delete(NAMESPACES, "gone")
        await until(lambda: dict(copy.items) == {"a": "green"})
        for answer in late:
            copy.adopt(answer)
        assert copy.items == {"a": "green"}


def stumbling(one: Namespace) -> str | None:
    team = label(one)
    if team == "rubbish":
        raise ZeroDivisionError("nobody thought of this")
    return team


async def test_an_object_its_reader_stumbles_over_stays_what_it_was_and_stops_no_other(client: Client) -> None:
    await put(client, "never", "rubbish")
    await put(client, "a", "red")
    async with running(client, decode=stumbling) as (copy, changes):
        assert (dict(copy.items), list(copy.unreadable)) == ({"a": "red"}, ["never"])
        await relabel(client, "a", "rubbish")
        await until(lambda: "a" in copy.unreadable)
        assert (copy.unreadable["a"].name, copy.items["a"]) == ("a", "red")
        assert copy.unreadable["a"].why == "ZeroDivisionError: nobody thought of this"
        await put(client, "b", "blue")
        await until(lambda: "b" in copy.items)
        await relabel(client, "a", "green")
        await until(lambda: copy.items["a"] == "green")
        assert list(copy.unreadable) == ["never"]
        await client.delete(NAMESPACES, "never")
        await until(lambda: not copy.unreadable)
        assert changes[2:] == ["a", "b", "a", "never"]


async def test_an_object_past_the_schema_is_kept_until_it_is_deleted(client: Client) -> None:
    copy = Reflector(client, NAMESPACES, decode=label, changed=lambda _: None)
    await put(client, "a", "red")
    await copy._list()
    spoilt = Unreadable("", "a", "Expected `str`, got `int` - at `$.metadata.labels`")
    copy._apply(WatchEvent("MODIFIED", spoilt, "7"), spoilt)
    assert (dict(copy.items), dict(copy.unreadable)) == ({"a": "red"}, {"a": spoilt})
    copy._apply(WatchEvent("DELETED", spoilt, "8"), spoilt)
    assert (dict(copy.items), dict(copy.unreadable)) == ({}, {})
