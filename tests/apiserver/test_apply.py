"""Server-side apply: whose field is whose."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vipmgr.lab.apiserver.fields import from_tree, to_tree

EIPS = "/apis/network.kubesphere.io/v1alpha2/eips"


def eip(name, *, labels=None, **spec):
    body = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Eip", "metadata": {"name": name}}
    body["metadata"] |= {"labels": labels} if labels else {}
    return body | {"spec": {"address": "10.0.0.0/24", "protocol": "bgp", **spec}}


def managers(body):
    return {one["manager"]: one["fieldsV1"] for one in body["metadata"]["managedFields"]}


async def test_apply_creates_and_owns_what_it_says(api):
    status, body = await api.apply(f"{EIPS}/{api.namespace}", eip(api.namespace, priority=3))
    assert (status, body["spec"]["priority"]) == (201, 3)
    assert managers(body)["tester"]["f:spec"] == {"f:address": {}, "f:protocol": {}, "f:priority": {}}


async def test_an_identical_apply_leaves_the_revision_unchanged(api):
    path = f"{EIPS}/{api.namespace}"
    _, first = await api.apply(path, eip(api.namespace))
    status, again = await api.apply(path, eip(api.namespace))
    assert (status, again["metadata"]["resourceVersion"]) == (200, first["metadata"]["resourceVersion"])


async def test_a_field_somebody_else_changed_conflicts_unless_forced(api):
    path = f"{EIPS}/{api.namespace}"
    await api.apply(path, eip(api.namespace, priority=3))
    _, body = await api.merge(path, {"spec": {"priority": 5}}, fieldManager="other")
    assert "f:priority" not in managers(body)["tester"]["f:spec"]
    assert managers(body)["other"] == {"f:spec": {"f:priority": {}}}
    status, answer = await api.apply(path, eip(api.namespace, priority=3))
    assert (status, answer["reason"]) == (409, "Conflict")
    (cause,) = answer["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".spec.priority")
    assert 'conflict with "other"' in cause["message"]
    status, body = await api.apply(path, eip(api.namespace, priority=3), force="true")
    assert (status, body["spec"]["priority"]) == (200, 3)
    assert "other" not in managers(body)


async def test_two_managers_can_agree_on_a_value(api):
    path = f"{EIPS}/{api.namespace}"
    await api.apply(path, eip(api.namespace, priority=3))
    status, body = await api.apply(path, eip(api.namespace, priority=3), manager="second")
    assert status == 200
    assert "f:priority" in managers(body)["tester"]["f:spec"]
    assert "f:priority" in managers(body)["second"]["f:spec"]
    _, body = await api.apply(path, eip(api.namespace))
    assert body["spec"]["priority"] == 3
    _, body = await api.apply(path, eip(api.namespace), manager="second")
    assert "priority" not in body["spec"]


async def test_what_is_no_longer_applied_is_removed(api):
    path = f"{EIPS}/{api.namespace}"
    await api.apply(path, eip(api.namespace, labels={"a": "1", "b": "2"}, priority=2, vrrp={"members": 2}))
    _, body = await api.apply(path, eip(api.namespace, labels={"b": "2"}))
    assert body["metadata"]["labels"] == {"b": "2"}
    assert "priority" not in body["spec"]
    assert body["spec"].get("vrrp", {}).get("members") != 2


async def test_status_is_applied_on_its_own_and_by_its_own_manager(api):
    path = f"{EIPS}/{api.namespace}"
    await api.apply(path, eip(api.namespace))
    status = eip(api.namespace) | {"status": {"usage": 1, "used": {"10.0.0.1": "a/b"}}}
    del status["spec"]
    code, body = await api.apply(f"{path}/status", status, manager="controller")
    assert (code, body["status"]["usage"], body["spec"]["address"]) == (200, 1, "10.0.0.0/24")
    entry = next(one for one in body["metadata"]["managedFields"] if one["manager"] == "controller")
    assert entry["subresource"] == "status"
    assert "f:used" in entry["fieldsV1"]["f:status"]
    status["status"] = {"usage": 2}
    _, body = await api.apply(f"{path}/status", status, manager="controller")
    assert body["status"].get("used") is None


async def test_ports_are_owned_one_by_one(api):
    path = f"{api.namespaced}/services/s"

    def service(*ports):
        metadata = {"name": "s", "namespace": api.namespace}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": list(ports)}}

    await api.apply(path, service({"port": 80, "name": "http"}), manager="first")
    status, body = await api.apply(path, service({"port": 443, "name": "https"}), manager="second")
    assert status == 200
    assert sorted(port["port"] for port in body["spec"]["ports"]) == [80, 443]
    _, body = await api.apply(path, service({"port": 8443, "name": "https"}), manager="second")
    assert sorted(port["port"] for port in body["spec"]["ports"]) == [80, 8443]
    assert 'k:{"port":8443,"protocol":"TCP"}' in managers(body)["second"]["f:spec"]["f:ports"]


async def test_apply_needs_a_manager_and_no_managed_fields(api):
    path = f"{EIPS}/{api.namespace}"
    body = eip(api.namespace)
    assert (await api.call("PATCH", path, body, media_type=api.APPLY))[0] in (400, 422)
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    assert (await api.apply(path, body))[0] == 400


async def test_a_dry_apply_changes_nothing(api):
    path = f"{EIPS}/{api.namespace}"
    assert (await api.apply(path, eip(api.namespace), dryRun="All"))[0] == 201
    assert (await api.get(path))[0] == 404


steps = st.lists(st.sampled_from(["f:a", "f:b", 'k:{"x":1}', "v:1"]), min_size=1, max_size=4).map(tuple)


@settings(max_examples=100)
@given(fields=st.frozensets(steps, max_size=8))
def test_sets_of_fields_survive_the_wire(fields):
    assert from_tree(to_tree(fields)) == fields
