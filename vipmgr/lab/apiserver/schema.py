"""The schema of a custom resource: defaults, pruning, unknown fields and validation, as for structural schemas.

Source: apiextensions.k8s.io/v1, JSONSchemaProps. Validation itself is jsonschema (draft 4, which OpenAPI v3 follows).
"""

from __future__ import annotations

import copy
import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jsonschema_rs

from vipmgr.lab.apiserver.cel import Rules
from vipmgr.lab.apiserver.errors import Object, cause

_TYPE_META: Final = ("apiVersion", "kind", "metadata")
_PLAIN: Final = (
    "description", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
    "pattern", "minItems", "maxItems", "uniqueItems", "multipleOf", "minProperties", "maxProperties", "required",
    "format",
)  # fmt: skip


def _is_ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


_FORMATS: Final = {"ipv4": _is_ip(4), "ipv6": _is_ip(6), "cidr": _is_cidr}


class Structural:
    """openAPIV3Schema of one version."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._validator = jsonschema_rs.Draft4Validator(_plain(schema), formats=_FORMATS, validate_formats=True)
        self._rules = Rules(schema)

    def normalised(self, body: Object) -> tuple[Object, list[str]]:
        """A copy, pruned and with the defaults filled in, and the paths of the fields that were unknown."""
        unknown: list[str] = []
        meta = {name: body[name] for name in _TYPE_META if name in body}
        rest = {name: value for name, value in body.items() if name not in _TYPE_META}
        pruned = _pruned(self.schema, rest, "", unknown)
        return {**meta, **_defaulted(self.schema, pruned)}, unknown

    def problems(self, body: Object, old: Object | None) -> list[Object]:
        """What is wrong, as causes of a 422. The CEL rules are asked only when the types are right."""
        rest = {name: value for name, value in body.items() if name != "metadata"}
        found = [_cause(error) for error in self._validator.iter_errors(rest)]
        return found or list(self._rules.broken(body, old))


def _plain(schema: Mapping[str, Any]) -> Object:
    """Kubernetes' dialect in JSON schema's words: nullable, int-or-string, and no x-kubernetes-… keys."""
    result: Object = {name: copy.deepcopy(schema[name]) for name in _PLAIN if name in schema}
    if kind := schema.get("type"):
        result["type"] = [kind, "null"] if schema.get("nullable") else kind
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if "enum" in schema:
        result["enum"] = [*schema["enum"], *([None] if schema.get("nullable") else [])]
    if "properties" in schema:
        result["properties"] = {name: _plain(part) for name, part in schema["properties"].items() if name != "metadata"}
    for name in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(name), dict):
            result[name] = _plain(schema[name])
    for name in ("allOf", "anyOf", "oneOf"):
        if name in schema:
            result[name] = [_plain(part) for part in schema[name]]
    return result


def _pruned(schema: Mapping[str, Any], value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_pruned(items, item, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict) or schema.get("x-kubernetes-embedded-resource"):
        return value
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or others is True
    result = {}
    for name, part in value.items():
        at = f"{path}.{name}" if path else name
        if name in properties:
            result[name] = _pruned(properties[name], part, at, unknown)
        elif isinstance(others, dict):
            result[name] = _pruned(others, part, at, unknown)
        elif keeps:
            result[name] = part
        else:
            unknown.append(at)
    return result


def _defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_defaulted(items, item) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    result = {}
    for name, part in value.items():
        below = properties.get(name, others if isinstance(others, dict) else {})
        if part is None and "default" in below and not below.get("nullable"):
            continue
        result[name] = _defaulted(below, part)
    for name, below in properties.items():
        if name not in result and "default" in below:
            result[name] = _defaulted(below, copy.deepcopy(below["default"]))
    return result


def _cause(error: jsonschema_rs.ValidationError) -> Object:
    """One violation in the words of kube-openapi, as near as matters to a reader."""
    path = _dotted(error.instance_path)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return cause(f"{path}.{name}" if path else name, "Required value", "FieldValueRequired")
        case jsonschema_rs.ValidationErrorKind.Enum(options=options):
            allowed = ", ".join(json.dumps(option) for option in options if option is not None)
            text = f"Unsupported value: {json.dumps(error.instance)}: supported values: {allowed}"
            return cause(path, text, "FieldValueNotSupported")
        case jsonschema_rs.ValidationErrorKind.Type(types=types):
            got = _type_of(error.instance)
            text = f'Invalid value: "{got}": {path} in body must be of type {" or ".join(types)}: "{got}"'
            return cause(path, text, "FieldValueTypeInvalid")
        case _:
            text = f"Invalid value: {json.dumps(error.instance)}: {path} in body is wrong: {error.message}"
            return cause(path, text)


def _dotted(parts: list[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _type_of(value: Any) -> str:
    names: Iterator[str] = (
        name
        for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"),
                           (dict, "object"))
        if isinstance(value, kind)
    )  # fmt: skip
    return next(names, "null")
