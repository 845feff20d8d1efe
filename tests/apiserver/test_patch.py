"""PATCH: merge, JSON and strategic merge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipmgr.lab.apiserver.builtin import KINDS
from vipmgr.lab.apiserver.errors import StatusError
from vipmgr.lab.apiserver.patch import JSON_PATCH, MERGE_PATCH, merged, patched
from vipmgr.lab.apiserver.strategic import strategic_merge

SERVICE, NODE, POD = (next(kind for kind in KINDS if kind.storage == name) for name in ("services", "nodes", "pods"))

scalars = st.integers() | st.text(max_size=3) | st.booleans()
documents = st.recursive(
    st.dictionaries(st.text(max_size=2), scalars | st.none(), max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=2), inner | scalars, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_of_rfc_7396(target, patch, expected):
    assert merged(target, patch) == expected


@settings(max_examples=50)
@given(target=documents, patch=documents)
def test_a_merge_patch_applied_twice_is_applied_once(target, patch):
    once = merged(target, patch)
    assert merged(once, patch) == once


@settings(max_examples=50)
@given(target=documents, patch=documents)
def test_a_merge_patch_leaves_its_target_alone(target, patch):
    before = repr(target)
    merged(target, patch)
    assert repr(target) == before


def test_a_json_patch_tests_before_it_writes():
    body = {"metadata": {"annotations": {"a/b": "1"}}}
    good = [
        {"op": "test", "path": "/metadata/annotations/a~1b", "value": "1"},
        {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "2"},
    ]
    assert patched(SERVICE, body, good, JSON_PATCH)["metadata"]["annotations"] == {"a/b": "2"}
    with pytest.raises(StatusError) as error:
        patched(SERVICE, body, [good[0] | {"value": "9"}], JSON_PATCH)
    assert error.value.code == 422


@pytest.mark.parametrize(("patch", "media_type"), [({}, JSON_PATCH), ([], MERGE_PATCH), ([{"op": "x"}], JSON_PATCH)])
def test_a_patch_of_the_wrong_shape_is_a_bad_request(patch, media_type):
    with pytest.raises(StatusError) as error:
        patched(SERVICE, {"metadata": {}}, patch, media_type)
    assert error.value.code == 400


PORTS = {"spec": {"ports": [{"port": 80, "name": "http", "nodePort": 30080}, {"port": 443, "name": "https"}]}}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ([{"port": 80, "name": "web"}], [{"port": 80, "name": "web", "nodePort": 30080}, PORTS["spec"]["ports"][1]]),
        ([{"port": 22}], [*PORTS["spec"]["ports"], {"port": 22}]),
        ([{"port": 80, "$patch": "delete"}], [PORTS["spec"]["ports"][1]]),
        ([{"$patch": "replace"}, {"port": 1}], [{"port": 1}]),
    ],
)
def test_ports_merge_by_their_number(patch, expected):
    assert strategic_merge(SERVICE, PORTS, {"spec": {"ports": patch}})["spec"]["ports"] == expected


def test_the_order_of_elements_can_be_set():
    order = [{"port": 443}, {"port": 80}]
    result = strategic_merge(SERVICE, PORTS, {"spec": {"$setElementOrder/ports": order, "ports": [{"port": 80}]}})
    assert [port["port"] for port in result["spec"]["ports"]] == [443, 80]
    result = strategic_merge(SERVICE, PORTS, {"spec": {"$setElementOrder/ports": order}})
    assert [port["port"] for port in result["spec"]["ports"]] == [443, 80]


def test_taints_and_finalizers_merge():
    node = {"metadata": {"finalizers": ["a"]}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}
    patch = {"metadata": {"finalizers": ["b"]}, "spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}}
    result = strategic_merge(NODE, node, patch)
    assert [taint["key"] for taint in result["spec"]["taints"]] == ["k", "x"]
    assert result["metadata"]["finalizers"] == ["a", "b"]
    gone = strategic_merge(NODE, result, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}})
    assert gone["metadata"]["finalizers"] == ["b"]


def test_maps_can_be_replaced_or_narrowed():
    body = {"spec": {"selector": {"a": "1", "b": "2"}}}
    replaced = strategic_merge(SERVICE, body, {"spec": {"selector": {"$patch": "replace", "c": "3"}}})
    assert replaced["spec"]["selector"] == {"c": "3"}
    kept = strategic_merge(SERVICE, body, {"spec": {"selector": {"$retainKeys": ["a"], "a": "9"}}})
    assert kept["spec"]["selector"] == {"a": "9"}


def test_containers_merge_by_name_all_the_way_down():
    pod = {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}}
    patch = {"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}}
    first, second = strategic_merge(POD, pod, patch)["spec"]["containers"]
    assert [one["name"] for one in first["env"]] == ["X", "Y"]
    assert second == {"name": "b"}


async def test_a_custom_resource_takes_no_strategic_patch(api):
    path = "/apis/network.kubesphere.io/v1alpha2/eips"
    await api.made(path, {"metadata": {"name": api.namespace}, "spec": {"address": "10.0.0.0/24"}})
    status, answer = await api.call("PATCH", f"{path}/{api.namespace}", {}, media_type=api.STRATEGIC)
    assert (status, answer["reason"]) == (415, "UnsupportedMediaType")
