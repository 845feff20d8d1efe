"""The fields of built-in kinds, taken from the models of the official client, which are made from the real OpenAPI.

Loading them costs most of a second, so that happens when the first client asks for a schema or for strict validation.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.shapes import Lists, builtin_lists

_MANY: Final = re.compile(r"^(?:list\[(?P<item>.+)\]|dict(?:\(|\[)str, (?P<value>.+)(?:\)|\]))$", re.IGNORECASE)
_PLAIN: Final[Mapping[str, Object]] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"x-kubernetes-preserve-unknown-fields": True},
}
_RENAMED: Final = {("", "Event"): "CoreV1Event", ("events.k8s.io", "Event"): "EventsV1Event"}


@functools.cache
def _model(name: str) -> Any:
    return getattr(importlib.import_module("kubernetes.client.models"), name, None)


def model_name(kind: Kind) -> str:
    return _RENAMED.get((kind.group, kind.kind), f"V1{kind.kind}")


def fields_of(name: str) -> Iterator[tuple[str, str, str]]:
    """(field as in JSON, its type in the models' words, description) of one model; none: not known."""
    model = _model(name)
    described = getattr(model, "model_fields", {})
    for attribute, field in getattr(model, "attribute_map", {}).items():
        kind = model.openapi_types.get(attribute, "object")
        yield field, kind, getattr(described.get(attribute), "description", None) or ""


def _description(name: str) -> str:
    """What the model says of itself, without the part about being a Python class."""
    return str(getattr(_model(name), "__doc__", "") or "").partition("Attributes:")[0].strip()


def _component(name: str) -> str:
    """The name of a component; kubectl shows what follows its last dot as the type."""
    return f"io.k8s.{re.sub('^(V1|CoreV1|EventsV1)', '', name)}"


def parts(kind: str) -> tuple[str, str]:
    """("list" | "map" | "", the element's type)."""
    match = _MANY.match(kind)
    if match is None:
        return "", kind
    return ("list", match["item"]) if match["item"] else ("map", match["value"])


def unknown_fields(kind: Kind, body: Object) -> list[str]:
    """Paths of the fields that the kind does not have."""
    found: list[str] = []
    _unknown(model_name(kind), body, "", found)
    return found


def _unknown(type_name: str, value: Any, path: str, found: list[str]) -> None:
    many, element = parts(type_name)
    if many == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            _unknown(element, item, f"{path}[{index}]", found)
    elif many == "map" and isinstance(value, dict):
        for name, part in value.items():
            _unknown(element, part, f"{path}.{name}", found)
    elif not many and isinstance(value, dict) and element not in _PLAIN:
        known = {field: below for field, below, _ in fields_of(element)}
        for name, part in value.items() if known else ():
            at = f"{path}.{name}".removeprefix(".")
            if name in known:
                _unknown(known[name], part, at, found)
            else:
                found.append(at)


class Components:
    """OpenAPI components of the built-in kinds of one document, each model once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Object] = {}

    def add(self, kind: Kind) -> str:
        """Its name among the components."""
        name = model_name(kind)
        self._model(name, "", builtin_lists(kind))
        return _component(name)

    def metadata(self) -> Object:
        return self._type("V1ObjectMeta", "metadata", {})

    def _model(self, name: str, path: str, lists: Mapping[str, Lists]) -> None:
        component = _component(name)
        if component in self.schemas:
            return
        schema: Object = {"type": "object", "description": _description(name), "properties": {}}
        self.schemas[component] = schema
        for field, kind, words in fields_of(name):
            at = f"{path}.{field}".removeprefix(".")
            schema["properties"][field] = self._type(kind, at, lists) | {"description": words}

    def _type(self, kind: str, path: str, lists: Mapping[str, Lists]) -> Object:
        many, element = parts(kind)
        if many == "list":
            return {"type": "array", "items": self._type(element, f"{path}[]", lists)} | _merge_words(lists.get(path))
        if many == "map":
            return {"type": "object", "additionalProperties": self._type(element, path, lists)}
        if element in _PLAIN:
            return dict(_PLAIN[element])
        self._model(element, path, lists)
        return {"allOf": [{"$ref": f"#/components/schemas/{_component(element)}"}]}


def _merge_words(lists: Lists | None) -> Object:
    """What tells kubectl how to merge a list."""
    if lists is None:
        return {}
    if lists.kind == "set":
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    words: Object = {"x-kubernetes-list-type": lists.kind}
    if lists.kind == "map":
        words["x-kubernetes-list-map-keys"] = list(lists.keys)
    if lists.keys:
        words |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": lists.keys[0]}
    return words
