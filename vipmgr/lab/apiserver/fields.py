"""Sets of fields, as server-side apply counts them.

A field is a path of `f:NAME` (a field), `k:{…}` (an item of a map list, by its keys) and `v:…` (a value of a set).
Lists and maps that are atomic count as one field. On the wire such a set is a tree, FieldsV1
(sigs.k8s.io/structured-merge-diff, fieldpath).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.shapes import Lists, Shape

Path = tuple[str, ...]
Fields = frozenset[Path]

_encode = msgspec.json.Encoder(order="sorted").encode
_ITEM: Final = object()
"""The value of the field that says "this list item is there"."""
_UNMANAGED: Final = frozenset({"apiVersion", "kind"})
_OWN_METADATA: Final = frozenset({"labels", "annotations", "finalizers", "ownerReferences", "generateName"})


def leaves(shape: Shape, body: Object) -> dict[Path, Any]:
    """Every field of an object that can have a manager, with its value."""
    found: dict[Path, Any] = {}
    metadata = {name: value for name, value in body.get("metadata", {}).items() if name in _OWN_METADATA}
    managed = {name: value for name, value in body.items() if name not in _UNMANAGED} | {"metadata": metadata}
    _walk(shape, managed, (), found)
    found.pop(("f:metadata",), None)
    return found


def _walk(shape: Shape, value: Any, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not shape.atomic_map:
        for name, part in value.items():
            _walk(shape.child(name), part, (*path, f"f:{name}"), found)
        return
    lists = shape.lists if isinstance(value, list) and value else None
    if lists is None or lists.kind == "atomic":
        found[path] = value
    elif lists.kind == "set":
        found.update({(*path, value_step(item)): item for item in value})
    else:
        for item in value:
            at = (*path, item_step(lists, item))
            found[at] = _ITEM
            _walk(shape.item(), item, at, found)


def item_step(lists: Lists, item: Any) -> str:
    """The step that names an item of a map list."""
    keys = {key: item.get(key, (lists.defaults or {}).get(key)) for key in lists.keys}
    return f"k:{_encode(keys).decode()}"


def value_step(item: Any) -> str:
    """The step that names a value of a set."""
    return f"v:{_encode(item).decode()}"


def to_tree(fields: Iterable[Path]) -> Object:
    """FieldsV1. A node with something below it that is itself in the set has a `.`."""
    tree: Object = {}
    members = []
    for path in fields:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        members.append(node)
    for node in members:
        if node:
            node["."] = {}
    return tree


def from_tree(tree: Mapping[str, Any]) -> Fields:
    found: set[Path] = set()

    def walk(node: Mapping[str, Any], path: Path) -> None:
        if not node and path:
            found.add(path)
        for step, below in node.items():
            if step == ".":
                found.add(path)
            else:
                walk(below, (*path, step))

    walk(tree, ())
    return frozenset(found)


def shown(path: Path) -> str:
    """As conflicts name it: .spec.ports[port=80,protocol="TCP"].name"""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = msgspec.json.decode(rest)
            text += "[" + ",".join(f"{key}={_encode(value).decode()}" for key, value in sorted(keys.items())) + "]"
        else:
            text += f"[={rest}]"
    return text
