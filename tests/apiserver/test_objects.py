"""What happens to one object between its creation and its end."""

import aiohttp

from vipmgr.lab.apiserver import ApiServer

EIPS = "/apis/network.kubesphere.io/v1alpha2/eips"


def config_map(name="a", **metadata):
    return {"metadata": {"name": name, **metadata}, "data": {"key": "value"}}


def eip(name, **spec):
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name},
        "spec": {"address": "10.9.8.0/24", **spec},
    }


async def test_a_created_object_gets_uid_time_and_revision(api):
    body = await api.made(f"{api.namespaced}/configmaps", config_map())
    metadata = body["metadata"]
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert (body["kind"], body["apiVersion"], metadata["namespace"]) == ("ConfigMap", "v1", api.namespace)


async def test_a_second_object_of_the_same_name_is_refused(api):
    await api.made(f"{api.namespaced}/configmaps", config_map())
    status, answer = await api.create(f"{api.namespaced}/configmaps", config_map())
    assert (status, answer["reason"]) == (409, "AlreadyExists")
    assert answer["message"] == 'configmaps "a" already exists'


async def test_what_is_not_there_is_not_found(api):
    status, answer = await api.get(f"{api.namespaced}/configmaps/none")
    assert (status, answer["reason"], answer["kind"]) == (404, "NotFound", "Status")
    assert answer["details"] == {"name": "none", "kind": "configmaps"}


async def test_an_object_needs_its_namespace(api):
    status, answer = await api.create("/api/v1/namespaces/no-such-place/configmaps", config_map())
    assert status == 404
    assert answer["message"] == 'namespaces "no-such-place" not found'


async def test_generate_name_makes_a_name(api):
    body = await api.made(f"{api.namespaced}/configmaps", {"metadata": {"generateName": "made-"}})
    assert body["metadata"]["name"].startswith("made-")
    assert len(body["metadata"]["name"]) == len("made-") + 5


async def test_a_bad_name_is_invalid(api):
    status, answer = await api.create(f"{api.namespaced}/configmaps", config_map("Not_A_Name"))
    assert (status, answer["reason"]) == (422, "Invalid")
    assert answer["details"]["causes"][0]["field"] == "metadata.name"


async def test_a_put_with_an_old_revision_conflicts(api):
    path = f"{api.namespaced}/configmaps/a"
    first = await api.made(f"{api.namespaced}/configmaps", config_map())
    status, _ = await api.call("PUT", path, first | {"data": {"key": "new"}})
    assert status == 200
    status, answer = await api.call("PUT", path, first | {"data": {"key": "newer"}})
    assert (status, answer["reason"]) == (409, "Conflict")


async def test_a_merge_patch_naming_an_old_revision_conflicts(api):
    path = f"{api.namespaced}/configmaps/a"
    first = await api.made(f"{api.namespaced}/configmaps", config_map())
    await api.merge(path, {"data": {"x": "1"}})
    stale = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"x": "2"}}
    status, _ = await api.merge(path, stale)
    assert status == 409


async def test_a_put_to_a_custom_resource_needs_a_revision(api):
    await api.made(EIPS, eip(api.namespace))
    status, answer = await api.call("PUT", f"{EIPS}/{api.namespace}", eip(api.namespace))
    assert status == 422
    assert "must be specified for an update" in answer["message"]


async def test_an_identical_patch_leaves_the_revision_unchanged(api):
    first = await api.made(f"{api.namespaced}/configmaps", config_map())
    status, again = await api.merge(f"{api.namespaced}/configmaps/a", {"data": {"key": "value"}})
    assert status == 200
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_the_generation_counts_changes_of_the_spec_only(api):
    path = f"{EIPS}/{api.namespace}"
    first = await api.made(EIPS, eip(api.namespace))
    assert first["metadata"]["generation"] == 1
    _, labelled = await api.merge(path, {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    _, status = await api.merge(f"{path}/status", {"status": {"usage": 1}})
    assert status["metadata"]["generation"] == 1
    _, changed = await api.merge(path, {"spec": {"priority": 4}})
    assert changed["metadata"]["generation"] == 2


async def test_status_and_spec_of_a_custom_resource_are_written_apart(api):
    path = f"{EIPS}/{api.namespace}"
    created = await api.made(EIPS, eip(api.namespace) | {"status": {"usage": 5}})
    assert "usage" not in created.get("status", {})
    _, body = await api.merge(path, {"status": {"usage": 5}, "spec": {"priority": 1}})
    assert (body["spec"]["priority"], "usage" in body.get("status", {})) == (1, False)
    change = {"status": {"usage": 7}, "spec": {"priority": 9}, "metadata": {"annotations": {"a": "b"}}}
    _, body = await api.merge(f"{path}/status", change)
    assert (body["spec"]["priority"], body["status"]["usage"]) == (1, 7)
    assert "annotations" not in body["metadata"]


async def test_an_object_with_finalizers_waits_for_them(api):
    path = f"{api.namespaced}/configmaps/a"
    await api.made(f"{api.namespaced}/configmaps", config_map(finalizers=["example.com/hold"]))
    status, body = await api.call("DELETE", path)
    assert status == 200
    assert body["metadata"]["deletionTimestamp"]
    status, _ = await api.get(path)
    assert status == 200
    status, _ = await api.merge(path, {"metadata": {"finalizers": None}})
    assert status == 200
    status, _ = await api.get(path)
    assert status == 404


async def test_a_delete_asks_for_the_uid_it_means(api):
    path = f"{api.namespaced}/configmaps/a"
    body = await api.made(f"{api.namespaced}/configmaps", config_map())
    status, answer = await api.call("DELETE", path, {"preconditions": {"uid": "another"}})
    assert (status, answer["reason"]) == (409, "Conflict")
    status, answer = await api.call("DELETE", path, {"preconditions": {"uid": body["metadata"]["uid"]}})
    assert (status, answer["status"]) == (200, "Success")


async def test_a_dry_run_changes_nothing(api):
    collection = f"{api.namespaced}/configmaps"
    status, _ = await api.create(collection, config_map("dry"), dryRun="All")
    assert status == 201
    assert (await api.get(f"{collection}/dry"))[0] == 404
    first = await api.made(collection, config_map())
    status, body = await api.call("PATCH", f"{collection}/a", {"data": {"k": "v"}}, media_type=api.MERGE, dryRun="All")
    assert (status, body["data"]["k"]) == (200, "v")
    assert (await api.call("DELETE", f"{collection}/a", dryRun="All"))[0] == 200
    assert (await api.get(f"{collection}/a"))[1]["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_labels_must_be_strings(api):
    status, answer = await api.create(f"{api.namespaced}/configmaps", config_map(labels={"a": 1}))
    assert (status, answer["reason"]) == (400, "BadRequest")


async def test_a_body_of_another_kind_is_refused(api):
    status, _ = await api.create(f"{api.namespaced}/configmaps", config_map() | {"kind": "Secret", "apiVersion": "v1"})
    assert status == 400


async def test_a_collection_can_be_deleted_by_label(api):
    collection = f"{api.namespaced}/configmaps"
    for name, color in (("a", "red"), ("b", "red"), ("c", "blue")):
        await api.made(collection, config_map(name, labels={"color": color}))
    status, _ = await api.call("DELETE", collection, labelSelector="color=red")
    assert status == 200
    _, left = await api.get(collection, labelSelector="color")
    assert [one["metadata"]["name"] for one in left["items"]] == ["c"]


async def test_a_token_opens_the_door_and_nothing_else_does():
    async with ApiServer(tokens={"secret": "someone"}) as server, aiohttp.ClientSession(server.url) as session:
        async with session.get("/api/v1/nodes") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")
        async with session.get("/api/v1/nodes", headers={"Authorization": "Bearer secret"}) as answer:
            assert answer.status == 200
