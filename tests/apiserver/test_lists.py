"""Lists: selectors, pages, Tables."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipmgr.lab.apiserver.errors import StatusError
from vipmgr.lab.apiserver.selectors import label_question
from vipmgr.lab.apiserver.table import age, find

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


async def make(api, *names, **labels):
    for name in names:
        await api.made(f"{api.namespaced}/configmaps", {"metadata": {"name": name, "labels": labels}})


def names(answer):
    return [one["metadata"]["name"] for one in answer["items"]]


async def test_pages_show_the_moment_of_the_first_one(api):
    await make(api, "a", "b", "c", "d", "e")
    path = f"{api.namespaced}/configmaps"
    _, first = await api.get(path, limit="2", labelSelector="!no")
    await api.call("DELETE", f"{path}/d")
    seen, page = names(first), first
    while token := page["metadata"].get("continue"):
        _, page = await api.get(path, **{"limit": "2", "continue": token, "labelSelector": "!no"})
        seen += names(page)
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert [name for name in seen if len(name) == 1] == ["a", "b", "c", "d", "e"]


async def test_a_page_of_a_forgotten_list_is_gone(embedded, lab):
    await make(lab, "a", "b", "c")
    path = f"{lab.namespaced}/configmaps"
    _, first = await lab.get(path, limit="1")
    assert first["metadata"]["remainingItemCount"] == 2
    embedded.forget_history()
    status, answer = await lab.get(path, **{"limit": "1", "continue": first["metadata"]["continue"]})
    assert (status, answer["reason"]) == (410, "Expired")


async def test_items_of_built_in_lists_bear_no_kind(api):
    await make(api, "a", mine="yes")
    _, answer = await api.get(f"{api.namespaced}/configmaps", labelSelector="mine")
    assert (answer["kind"], answer["apiVersion"]) == ("ConfigMapList", "v1")
    assert not {"kind", "apiVersion"} & answer["items"][0].keys()


async def test_a_list_over_all_namespaces_finds_the_object(api):
    await make(api, "a", mine=api.namespace)
    _, answer = await api.get("/api/v1/configmaps", labelSelector=f"mine={api.namespace}")
    assert names(answer) == ["a"]


async def test_an_unknown_field_selector_is_refused(api):
    status, answer = await api.get(f"{api.namespaced}/configmaps", fieldSelector="spec.color=red")
    assert status == 400
    assert "field label not supported: spec.color" in answer["message"]


async def test_nodes_are_selected_by_unschedulable(api):
    name = api.namespace
    await api.made("/api/v1/nodes", {"metadata": {"name": name}, "spec": {"unschedulable": True}})
    query = f"metadata.name={name},spec.unschedulable"
    assert names((await api.get("/api/v1/nodes", fieldSelector=f"{query}=true"))[1]) == [name]
    assert names((await api.get("/api/v1/nodes", fieldSelector=f"{query}=false"))[1]) == []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("a=1", True),
        ("a==1", True),
        ("a!=1", False),
        ("b!=1", True),
        ("a", True),
        ("!a", False),
        ("!b", True),
        ("a in (1, 2)", True),
        ("a notin (1,2)", False),
        ("b notin (1,2)", True),
        ("a=1,c.example.com/x=y", True),
        ("a=1,c.example.com/x=z", False),
        ("a>0", True),
        ("a<1", False),
    ],
)
def test_label_selectors(selector, expected):
    body = {"metadata": {"labels": {"a": "1", "c.example.com/x": "y"}}}
    assert label_question(selector)(body) is expected


def test_a_selector_that_cannot_be_read_is_refused():
    with pytest.raises(StatusError, match="unable to parse requirement"):
        label_question("a in 1,2")


label = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@settings(max_examples=50)
@given(key=label, value=label, labels=st.dictionaries(label, label, max_size=4))
def test_a_selector_and_its_opposite_divide_all_objects(key, value, labels):
    body = {"metadata": {"labels": labels}}
    for yes, no in ((f"{key}={value}", f"{key}!={value}"), (key, f"!{key}"),
                    (f"{key} in ({value})", f"{key} notin ({value})")):  # fmt: skip
        assert label_question(yes)(body) is not label_question(no)(body)


async def test_a_table_has_the_columns_of_the_definition(api):
    body = {"metadata": {"name": api.namespace}, "spec": {"address": "10.1.2.0/24", "protocol": "bgp"}}
    await api.made("/apis/network.kubesphere.io/v1alpha2/eips", body)
    _, table = await api.call(
        "GET", f"/apis/network.kubesphere.io/v1alpha2/eips/{api.namespace}", headers={"Accept": TABLE}
    )
    columns = [column["name"].lower() for column in table["columnDefinitions"]]
    assert (table["kind"], columns[:2]) == ("Table", ["name", "cidr"])
    assert table["rows"][0]["cells"][:2] == [api.namespace, "10.1.2.0/24"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_printer_columns_find_what_they_name():
    body = {"a": {"b": [{"type": "X", "v": 1}, {"type": "Ready", "v": 2}], "dot.ted": 3}}
    assert find(".a.b[0].v", body) == [1]
    assert find(".a.b[*].v", body) == [1, 2]
    assert find('.a.b[?(@.type=="Ready")].v', body) == [2]
    assert find(".a.dot\\.ted", body) == [3]
    assert find(".a.none.more", body) == []


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")])
def test_ages_are_short(seconds, text):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert age("2026-01-01T00:00:00Z", start + timedelta(seconds=seconds)) == text
