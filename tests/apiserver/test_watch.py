"""What a watch tells, and when it gives up."""

import asyncio

from vipmgr.lab.apiserver import ApiServer

from .conftest import speak_to


def config_map(name, **labels):
    return {"metadata": {"name": name, "labels": labels}}


async def test_a_watch_from_nothing_begins_with_all_there_is(api):
    collection = f"{api.namespaced}/configmaps"
    await api.made(collection, config_map("a", mine="yes"))
    async with api.watch(collection, labelSelector="mine") as watch:
        assert await watch.names(1) == [("ADDED", "a")]
        await api.made(collection, config_map("b", mine="yes"))
        assert await watch.names(1) == [("ADDED", "b")]


async def test_a_watch_from_a_revision_tells_what_came_after_it(api):
    collection = f"{api.namespaced}/configmaps"
    first = await api.made(collection, config_map("a"))
    await api.merge(f"{collection}/a", {"data": {"x": "1"}})
    await api.call("DELETE", f"{collection}/a")
    async with api.watch(collection, resourceVersion=first["metadata"]["resourceVersion"]) as watch:
        (modified, _), (deleted, body) = await watch.next(), await watch.next()
    assert (modified, deleted) == ("MODIFIED", "DELETED")
    assert int(body["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"]) + 1


async def test_what_starts_to_match_is_added_and_what_stops_is_deleted(api):
    collection = f"{api.namespaced}/configmaps"
    made = await api.made(collection, config_map("a"))
    revision = made["metadata"]["resourceVersion"]
    async with api.watch(collection, labelSelector="color=red", resourceVersion=revision) as watch:
        for color in ("red", "red", "blue"):
            await api.merge(f"{collection}/a", {"metadata": {"labels": {"color": color}}, "data": {"at": "1"}})
        await api.merge(f"{collection}/a", {"metadata": {"labels": {"color": "red"}}})
        added, gone, again = await watch.next(), await watch.next(), await watch.next()
    assert [added[0], gone[0], again[0]] == ["ADDED", "DELETED", "ADDED"]
    assert gone[1]["metadata"]["labels"]["color"] == "red"
    assert int(gone[1]["metadata"]["resourceVersion"]) > int(added[1]["metadata"]["resourceVersion"])


async def test_services_can_be_watched_by_type(api):
    collection = f"{api.namespaced}/services"
    body = await api.made(collection, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    revision = body["metadata"]["resourceVersion"]
    async with api.watch(collection, fieldSelector="spec.type=LoadBalancer", resourceVersion=revision) as watch:
        await api.merge(f"{collection}/s", {"spec": {"type": "LoadBalancer"}})
        await api.merge(f"{collection}/s", {"spec": {"type": "ClusterIP"}})
        assert await watch.names(2) == [("ADDED", "s"), ("DELETED", "s")]


async def test_a_watch_by_name_hears_of_that_object_alone(api):
    collection = f"{api.namespaced}/configmaps"
    async with api.watch(collection, fieldSelector="metadata.name=b") as watch:
        for name in ("a", "b", "c"):
            await api.made(collection, config_map(name))
        await api.call("DELETE", f"{collection}/b")
        assert await watch.names(2) == [("ADDED", "b"), ("DELETED", "b")]


async def test_a_watch_ends_after_the_time_it_asked_for(api):
    async with api.watch(f"{api.namespaced}/configmaps", resourceVersion="0", timeoutSeconds="1") as watch:
        while event := await watch.next():
            assert event[0] == "ADDED"


async def test_bookmarks_carry_the_revision_of_a_quiet_watch():
    async with ApiServer(bookmark_interval=0.05) as server, speak_to(server) as api:
        collection = f"{api.namespaced}/configmaps"
        _, listed = await api.get(collection)
        revision = listed["metadata"]["resourceVersion"]
        async with api.watch(collection, resourceVersion=revision, allowWatchBookmarks="true") as watch:
            other = await api.made(f"{api.namespaced}/secrets", config_map("elsewhere"))
            kind, body = await watch.next()
            while body["metadata"]["resourceVersion"] != other["metadata"]["resourceVersion"]:
                kind, body = await watch.next()
        assert (kind, body["kind"], sorted(body)) == ("BOOKMARK", "ConfigMap", ["apiVersion", "kind", "metadata"])


async def test_a_forgotten_revision_is_gone(embedded, lab):
    collection = f"{lab.namespaced}/configmaps"
    made = await lab.made(collection, config_map("a"))
    await lab.made(collection, config_map("b"))
    embedded.forget_history()
    async with lab.watch(collection, resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        kind, status = await watch.next()
        assert await watch.next() is None
    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_history_is_bounded():
    async with ApiServer(history=5) as server, speak_to(server) as api:
        collection = f"{api.namespaced}/configmaps"
        bodies = [await api.made(collection, config_map(f"a{number}")) for number in range(8)]
        revisions = [body["metadata"]["resourceVersion"] for body in bodies]
        async with api.watch(collection, resourceVersion=revisions[0]) as watch:
            assert (await watch.next())[1]["code"] == 410
        async with api.watch(collection, resourceVersion=revisions[2]) as watch:
            assert await watch.names(5) == [("ADDED", f"a{number}") for number in range(3, 8)]


async def test_a_revision_of_the_future_is_too_large(lab):
    status, answer = await lab.get(f"{lab.namespaced}/configmaps", resourceVersion="999999999")
    assert status == 504
    assert answer["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_cut_watches_end_and_can_be_resumed(embedded, lab):
    collection = f"{lab.namespaced}/configmaps"
    async with lab.watch(collection) as watch:
        body = await lab.made(collection, config_map("a"))
        assert await watch.names(1) == [("ADDED", "a")]
        embedded.cut_watches()
        assert await watch.next() is None
    await lab.made(collection, config_map("b"))
    async with lab.watch(collection, resourceVersion=body["metadata"]["resourceVersion"]) as watch:
        assert await watch.names(1) == [("ADDED", "b")]


async def test_every_watcher_gets_every_event_in_order(lab):
    collection = f"{lab.namespaced}/configmaps"
    names = [f"c{number:02}" for number in range(30)]

    async def read(ready):
        async with lab.watch(collection) as watch:
            ready.set()
            return await watch.names(len(names))

    readies = [asyncio.Event() for _ in range(20)]
    tasks = [asyncio.create_task(read(ready)) for ready in readies]
    for ready in readies:
        await ready.wait()
    for name in names:
        await lab.made(collection, config_map(name))
    for events in await asyncio.gather(*tasks):
        assert events == [("ADDED", name) for name in names]
