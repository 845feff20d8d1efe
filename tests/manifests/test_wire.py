"""The CRDs and core/wire.py describe the same fields with the same defaults."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.manifests.folder import MANIFESTS, documents
from vipmgr.core import wire
from vipmgr.core.decode import decode_pool

KINDS = {"Eip": wire.Eip, "VrrpInstance": wire.VrrpInstance, "VipNode": wire.VipNode}

Json = dict[str, Any]


def disagreements(kind: msgspec.inspect.Type, schema: Json, path: str) -> list[str]:
    """What differs between a wire type and the schema of the same field, down to the leaves."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            (inner,) = (one for one in types if not isinstance(one, msgspec.inspect.NoneType))
            return disagreements(inner, schema, path)
        case msgspec.inspect.StructType(fields=fields):
            return struct_disagreements(fields, schema, path)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            return typed("array", schema, path) + disagreements(item, schema.get("items", {}), f"{path}[]")
        case msgspec.inspect.DictType(value_type=msgspec.inspect.AnyType()):
            known = schema.get("x-kubernetes-preserve-unknown-fields")
            return typed("object", schema, path) + ([] if known else [f"{path}: prunes what the wire keeps"])
        case msgspec.inspect.DictType(value_type=value):
            return typed("object", schema, path) + disagreements(value, schema["additionalProperties"], f"{path}{{}}")
        case msgspec.inspect.StrType():
            return typed("string", schema, path)
        case msgspec.inspect.BoolType():
            return typed("boolean", schema, path)
        case msgspec.inspect.IntType():
            return typed("integer", schema, path)
    raise AssertionError(f"{path}: a kind of field this test does not know: {kind}")


def struct_disagreements(fields: tuple[msgspec.inspect.Field, ...], schema: Json, path: str) -> list[str]:
    found = typed("object", schema, path)
    properties = schema.get("properties", {})
    names = {field.encode_name for field in fields}
    found += [f"{path}.{name}: only in wire.py" for name in sorted(names - set(properties))]
    found += [f"{path}.{name}: only in the CRD" for name in sorted(set(properties) - names - {"apiVersion", "kind"})]
    for field in fields:
        part = properties.get(field.encode_name)
        if part is None or field.encode_name == "metadata":
            continue
        where = f"{path}.{field.encode_name}"
        found += default_disagreement(field, part, where)
        if field.required != (field.encode_name in schema.get("required", ())) and where not in STRICTER:
            found.append(f"{where}: required in one only")
        found += disagreements(field.type, part, where)
    return found


STRICTER = {
    "Eip.spec.address",  # OpenELB's CRD requires it; wire.py decodes an object without, to report it
    *(f"{kind}.status.conditions[].{field}" for kind in KINDS for field in ("type", "status")),
}


def default_disagreement(field: msgspec.inspect.Field, part: Json, where: str) -> list[str]:
    """A default other than the zero value stands in both. Zero values are left out of the CRD."""
    ours = field.default if field.default is not msgspec.NODEFAULT else None
    theirs = part.get("default")
    if (ours or None) == theirs:
        return []
    return [f"{where}: default {ours!r} in wire.py, {theirs!r} in the CRD"]


def typed(kind: str, schema: Json, path: str) -> list[str]:
    return [] if schema.get("type") == kind else [f"{path}: {kind} in wire.py, {schema.get('type')} in the CRD"]


@pytest.mark.parametrize("kind", KINDS)
def test_wire_types_and_crds_agree_field_by_field(schemas, kind):
    assert disagreements(msgspec.inspect.type_info(KINDS[kind]), schemas[kind], kind) == []


def test_a_field_that_only_one_side_has_is_noticed(schemas):
    schema = {**schemas["VipNode"], "properties": {**schemas["VipNode"]["properties"], "extra": {"type": "string"}}}
    del schema["properties"]["status"]
    found = disagreements(msgspec.inspect.type_info(wire.VipNode), schema, "VipNode")
    assert found == ["VipNode.status: only in wire.py", "VipNode.extra: only in the CRD"]


def test_an_eip_of_defaults_is_the_same_with_and_without_them(schemas):
    bare = msgspec.convert({"metadata": {}, "spec": {"address": "10.0.0.1", "vrrp": {}, "bgp": {}}}, wire.Eip)
    spec = schemas["Eip"]["properties"]["spec"]["properties"]
    filled: Json = {"address": "10.0.0.1"}
    for name in ("vrrp", "bgp"):
        filled[name] = {key: part["default"] for key, part in spec[name]["properties"].items() if "default" in part}
    filled |= {key: part["default"] for key, part in spec.items() if "default" in part}
    assert msgspec.convert({"metadata": {}, "spec": filled}, wire.Eip) == bare
    assert len(filled["vrrp"]) == 6


def test_the_samples_decode_without_a_problem():
    eips = [one for path in (MANIFESTS / "samples").glob("*.yaml") for one in documents(path) if one["kind"] == "Eip"]
    for one in eips:
        pool = decode_pool(msgspec.convert(one, wire.Eip))
        assert pool.problems == (), one["metadata"]["name"]
        assert pool.ranges
