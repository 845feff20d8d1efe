"""The CRDs as the API server would read them: JSON schema by jsonschema-rs, rules by the CEL library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cel
import jsonschema_rs
import pytest
from cel.stdlib import add_stdlib_to_context

from tests.manifests.folder import MANIFESTS, documents

Refusals = Callable[..., list[str]]


@pytest.fixture(scope="session")
def crds() -> dict[str, dict[str, Any]]:
    """kind -> CustomResourceDefinition"""
    found = [document for path in sorted((MANIFESTS / "crds").glob("*.yaml")) for document in documents(path)]
    return {crd["spec"]["names"]["kind"]: crd for crd in found}


@pytest.fixture(scope="session")
def schemas(crds: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """kind -> openAPIV3Schema of the one version"""
    return {kind: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind, crd in crds.items()}


def with_defaults(schema: dict[str, Any], value: Any) -> Any:
    """As the API server fills defaults: in objects that are there."""
    if isinstance(value, dict):
        filled = dict(value)
        for name, part in schema.get("properties", {}).items():
            if name not in filled and "default" in part:
                filled[name] = part["default"]
            if name in filled:
                filled[name] = with_defaults(part, filled[name])
        return filled
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), item) for item in value]
    return value


def rules_broken(schema: dict[str, Any], value: Any, old: Any = None) -> Iterator[str]:
    """The messages of the CEL rules that do not hold. A rule on oldSelf needs an old value."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"] and old is None:
            continue
        context = cel.Context(variables={"self": value, "oldSelf": old})
        add_stdlib_to_context(context)
        if not cel.evaluate(rule["rule"], context):
            yield rule["message"]
    if isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from rules_broken(part, value[name], (old or {}).get(name))
    if isinstance(value, list):
        for item in value:
            yield from rules_broken(schema.get("items", {}), item)


@pytest.fixture(scope="session")
def refusals(schemas: dict[str, dict[str, Any]]) -> Refusals:
    """refusals(object, old=None): why the API server would refuse it; empty when it would not."""
    validators = {kind: jsonschema_rs.validator_for(closed(schema)) for kind, schema in schemas.items()}

    def check(candidate: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
        schema = schemas[candidate["kind"]]
        filled = with_defaults(schema, candidate)
        wrong = [str(error.message) for error in validators[candidate["kind"]].iter_errors(filled)]
        return wrong or list(rules_broken(schema, filled, with_defaults(schema, old)))

    return check


def closed(schema: dict[str, Any], name: str = "") -> dict[str, Any]:
    """The schema with unknown fields refused, as `kubectl apply` does by its strict field validation."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {key: closed(part, key) for key, part in schema["properties"].items()}
    if "items" in schema:
        result["items"] = closed(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = closed(schema["additionalProperties"])
    elif schema.get("properties") and name != "metadata":
        result["additionalProperties"] = False
    return result
