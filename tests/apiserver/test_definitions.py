"""Custom resources: defaults, pruning, validation, CEL."""

import pytest

from vipmgr.lab.apiserver.schema import Structural

EIPS = "/apis/network.kubesphere.io/v1alpha2/eips"


def definition(group, schema, **version):
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    names = {"plural": "things", "kind": "Thing", "shortNames": ["th"]}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [one]}
    body = {"metadata": {"name": f"things.{group}"}, "spec": spec}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **body}


SPEC = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "inner": {"type": "object", "properties": {"deep": {"type": "boolean", "default": True}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "port": {"x-kubernetes-int-or-string": True},
                "maybe": {"type": "string", "nullable": True},
            },
        }
    },
}


def problems(schema, body, old=None):
    return [f"{one['field']}: {one['message']}" for one in Structural(schema).problems(body, old)]


def test_defaults_are_filled_in_where_their_parent_is():
    body, _ = Structural(SPEC).normalised({"spec": {"size": 1, "inner": {}}})
    assert body["spec"] == {"size": 1, "color": "red", "inner": {"deep": True}}
    assert Structural(SPEC).normalised({})[0] == {}


def test_null_means_the_default_unless_null_is_allowed():
    body, _ = Structural(SPEC).normalised({"spec": {"color": None, "maybe": None}})
    assert body["spec"] == {"color": "red", "maybe": None}


def test_unknown_fields_are_pruned_and_named():
    sent = {"spec": {"size": 1, "bogus": 1, "free": {"any": 1}, "map": {"k": "v"}}, "other": 2}
    body, unknown = Structural(SPEC).normalised(sent)
    assert body["spec"] == {"size": 1, "color": "red", "free": {"any": 1}, "map": {"k": "v"}}
    assert unknown == ["spec.bogus", "other"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.size"),
        ({"size": 0}, "spec.size"),
        ({"size": "x"}, "spec.size"),
        ({"size": 1, "color": "green"}, "spec.color"),
        ({"size": 1, "port": True}, "spec.port"),
        ({"size": 1, "map": {"k": 1}}, "spec.map.k"),
    ],
)
def test_what_the_schema_forbids_is_named_by_its_field(spec, field):
    assert [text.partition(":")[0] for text in problems(SPEC, {"spec": spec})] == [field]


@pytest.mark.parametrize("spec", [{"size": 1, "port": 80}, {"size": 1, "port": "http"}, {"size": 2, "maybe": None}])
def test_what_the_schema_allows_passes(spec):
    assert problems(SPEC, {"spec": spec}) == []


def rule(text, kind="string", **more):
    value = {"type": kind, "x-kubernetes-validations": [{"rule": text, "message": "no", **more}]}
    return {"type": "object", "properties": {"v": value}}


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("isIP(self)", "fd00::1", "300.1.1.1"),
        ("ip(self).family() == 6", "fd00::1", "10.0.0.1"),
        ("ip.isCanonical(self)", "fd00::1", "FD00::1"),
        ("isCIDR(self)", "10.0.0.0/8", "10.0.0.0"),
        ("cidr(self).containsIP('10.1.2.3')", "10.0.0.0/8", "192.168.0.0/16"),
        ("cidr(self).containsIP(ip('10.1.2.3'))", "10.0.0.0/8", "192.168.0.0/16"),
        ("cidr('10.0.0.0/8').containsCIDR(self)", "10.1.0.0/16", "11.0.0.0/16"),
        ("cidr(self).prefixLength() == 24", "10.0.0.0/24", "10.0.0.0/16"),
        ("cidr(self).masked() == cidr(self)", "10.0.0.0/24", "10.0.0.1/24"),
        ("cidr(self).ip() == ip('10.0.0.1')", "10.0.0.1/24", "10.0.0.2/24"),
        ("ip(self).isLoopback()", "127.0.0.1", "10.0.0.1"),
        ("ip(self).isGlobalUnicast()", "10.0.0.1", "169.254.0.1"),
        ("self.split('-').size() == 2", "a-b", "a"),
        ("self.matches('^[a-z]+$')", "abc", "a1"),
        ("self.find('[0-9]+') == '12'", "a12b", "ab"),
        ("self.lowerAscii() == self", "abc", "Abc"),
        ("duration(self) <= duration('1m')", "30s", "2h"),
    ],
)
def test_the_functions_of_kubernetes_cel(text, good, bad):
    assert problems(rule(text), {"v": good}) == []
    assert len(problems(rule(text), {"v": bad})) == 1


def test_a_transition_rule_looks_at_updates_only():
    schema = rule("self == oldSelf", message="stays")
    assert problems(schema, {"v": "a"}) == []
    assert problems(schema, {"v": "a"}, {"v": "a"}) == []
    assert problems(schema, {"v": "b"}, {}) == []
    assert problems(schema, {"v": "b"}, {"v": "a"}) == ['v: Invalid value: "b": stays']


def test_a_rule_with_an_optional_old_self_is_asked_on_creation_too():
    schema = rule("oldSelf.hasValue() || self == 'new'", optionalOldSelf=True)
    assert problems(schema, {"v": "new"}) == []
    assert len(problems(schema, {"v": "x"})) == 1
    assert problems(schema, {"v": "x"}, {"v": "new"}) == []


def test_items_of_a_map_list_are_compared_with_their_former_selves():
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v"}],
    }
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    schema = {"type": "object", "properties": {"l": {"type": "array", "items": item, **keyed}}}
    old = {"l": [{"name": "a", "v": 1}, {"name": "b", "v": 5}]}
    assert problems(schema, {"l": [{"name": "b", "v": 5}, {"name": "a", "v": 2}]}, old) == []
    assert len(problems(schema, {"l": [{"name": "b", "v": 4}, {"name": "c", "v": 0}]}, old)) == 1


def test_a_rule_at_the_root_sees_the_spec_with_its_escaped_names():
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"a-b": {"type": "integer"}}}},
        "x-kubernetes-validations": [{"rule": "self.spec.a__dash__b > 1", "messageExpression": "'low ' + string(1)"}],
    }
    assert problems(schema, {"spec": {"a-b": 2}}) == []
    assert problems(schema, {"spec": {"a-b": 1}}) == [': Invalid value: "object": low 1']


def test_a_rule_that_fails_to_evaluate_refuses():
    (text,) = problems(rule("self.missing == 1", "object"), {"v": {}})
    assert "rule evaluation error: self.missing == 1" in text


async def test_a_definition_serves_its_kind_and_takes_it_away(lab):
    group = f"g{lab.namespace}.example.com"
    path = f"/apis/{group}/v1/namespaces/{lab.namespace}/things"
    assert (await lab.get(path))[0] == 404
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    body = await lab.made(crds, definition(group, SPEC))
    assert {one["type"]: one["status"] for one in body["status"]["conditions"]}["Established"] == "True"
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"size": 1}}
    assert (await lab.made(path, thing))["spec"]["color"] == "red"
    _, resources = await lab.get(f"/apis/{group}/v1")
    assert resources["resources"][0]["shortNames"] == ["th"]
    assert (await lab.call("DELETE", f"{crds}/things.{group}"))[0] == 200
    assert (await lab.get(path))[0] == 404


async def test_a_definition_with_a_wrong_name_or_a_broken_rule_is_refused(api):
    group = f"g{api.namespace}.example.com"
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    wrong = definition(group, SPEC)
    wrong["metadata"]["name"] = "other"
    assert (await api.create(crds, wrong))[0] == 422
    assert (await api.create(crds, definition(group, rule("self +"))))[0] == 422


async def test_strict_validation_refuses_unknown_fields_and_warn_warns(api):
    body = {"metadata": {"name": api.namespace}, "spec": {"address": "10.0.0.0/24", "bogus": 1}}
    status, answer = await api.create(EIPS, body, fieldValidation="Strict")
    assert status == 400
    assert 'strict decoding error: unknown field "spec.bogus"' in answer["message"]
    status, answer = await api.create(EIPS, body)
    assert (status, "bogus" in answer["spec"]) == (201, False)
    assert 'unknown field \\"spec.bogus\\"' in api.headers["Warning"]


async def test_strict_validation_knows_the_built_in_kinds(api):
    body = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80, "colour": 1}]}}
    status, answer = await api.create(f"{api.namespaced}/services", body, fieldValidation="Strict")
    assert status == 400
    assert 'unknown field "spec.ports[0].colour"' in answer["message"]


async def test_the_pool_of_an_eip_cannot_be_changed(api):
    await api.made(EIPS, {"metadata": {"name": api.namespace}, "spec": {"address": "10.0.0.0/24", "protocol": "bgp"}})
    status, answer = await api.merge(f"{EIPS}/{api.namespace}", {"spec": {"address": "10.0.1.0/24"}})
    assert (status, answer["reason"], answer["details"]["causes"][0]["field"]) == (422, "Invalid", "spec.address")
