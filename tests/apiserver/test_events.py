"""Events in both their API groups, and Leases: kinds with rules of their own."""

import pytest

NEW = "/apis/events.k8s.io/v1"


def event(api, **changes):
    body = {
        "metadata": {"name": "e", "namespace": api.namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "vipmgr.io/controller",
        "reportingInstance": "one",
        "action": "Moved",
        "reason": "VipMoved",
        "type": "Normal",
        "note": "moved",
        "regarding": {"kind": "Service", "namespace": api.namespace, "name": "s"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


async def test_an_event_is_seen_in_both_groups(api):
    body = await api.made(f"{NEW}/namespaces/{api.namespace}/events", event(api))
    assert (body["apiVersion"], body["note"], body["regarding"]["name"]) == ("events.k8s.io/v1", "moved", "s")
    _, old = await api.get(f"{api.namespaced}/events/e")
    assert (old["apiVersion"], old["message"], old["involvedObject"]["name"]) == ("v1", "moved", "s")
    assert not {"note", "regarding"} & old.keys()
    _, found = await api.get(f"{api.namespaced}/events", fieldSelector="involvedObject.name=s,reason=VipMoved")
    assert len(found["items"]) == 1
    _, found = await api.get(f"{NEW}/namespaces/{api.namespace}/events", fieldSelector="regarding.name=other")
    assert found["items"] == []


async def test_a_series_is_patched_in_the_new_group(api):
    path = f"{NEW}/namespaces/{api.namespace}/events"
    await api.made(path, event(api))
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}
    status, body = await api.merge(f"{path}/e", series)
    assert (status, body["series"]["count"], body["note"]) == (200, 2, "moved")


async def test_a_watch_shows_events_in_the_group_it_asked(api):
    path = f"{NEW}/namespaces/{api.namespace}/events"
    await api.made(path, event(api))
    async with api.watch(path) as watch:
        assert (await watch.next())[1]["note"] == "moved"
    async with api.watch(f"{api.namespaced}/events") as watch:
        assert (await watch.next())[1]["message"] == "moved"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"note": "x" * 1025}, 422),
        ({"action": None}, 422),
        ({"reportingController": None}, 422),
        ({"type": "Odd"}, 422),
        ({"regarding": {"kind": "Node", "name": "n"}}, 422),
        ({"eventTime": "2026-01-01T00:00:00Z"}, 400),
    ],
)
async def test_wrong_events_are_refused(api, change, status):
    code, answer = await api.create(f"{NEW}/namespaces/{api.namespace}/events", event(api, **change))
    assert code == status, answer


async def test_an_event_about_a_node_belongs_into_default(api):
    body = event(api, regarding={"kind": "Node", "name": "n"})
    body["metadata"] = {"generateName": "e-", "namespace": "default"}
    assert (await api.create(f"{NEW}/namespaces/default/events", body))[0] == 201


async def test_leases_keep_micro_times(api):
    path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.123456Z"}
    body = await api.made(path, {"metadata": {"name": "l"}, "spec": spec})
    assert body["spec"]["renewTime"] == "2026-01-01T00:00:00.123456Z"
    assert (await api.merge(f"{path}/l", {"spec": {"renewTime": "2026-01-01T00:00:00Z"}}))[0] == 400
    assert (await api.merge(f"{path}/l", {"spec": {"leaseDurationSeconds": 0}}))[0] == 422


async def test_two_candidates_for_one_lease_cannot_both_win(api):
    path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
    body = await api.made(path, {"metadata": {"name": "l"}, "spec": {"holderIdentity": ""}})
    revision = body["metadata"]["resourceVersion"]
    tries = [{"metadata": {"resourceVersion": revision}, "spec": {"holderIdentity": name}} for name in ("a", "b")]
    assert sorted([(await api.merge(f"{path}/l", one))[0] for one in tries]) == [200, 409]
