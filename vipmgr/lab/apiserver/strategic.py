"""Strategic merge patch, for built-in kinds: merge patch that knows the keys of lists.

Directives as in the API conventions: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/NAME`,
`$setElementOrder/NAME`, `$retainKeys`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vipmgr.lab.apiserver.errors import Object, bad_request
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.shapes import Shape, shape_of


def strategic_merge(kind: Kind, body: Object, patch: Mapping[str, Any]) -> Object:
    """A new object: `body` with `patch` merged in."""
    return _object(shape_of(kind), body, patch)


def _object(shape: Shape, target: Any, patch: Mapping[str, Any]) -> Object:
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result: Object = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {name: value for name, value in result.items() if name in patch["$retainKeys"]}
    for name, value in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            result[field] = [item for item in result.get(field, []) if item not in value]
        elif value is None:
            result.pop(name, None)
        elif not name.startswith("$"):
            order = patch.get(f"$setElementOrder/{name}")
            result[name] = _value(shape.child(name), result.get(name), value, order)
    for name, order in patch.items():
        if name.startswith("$setElementOrder/") and (field := name.partition("/")[2]) not in patch and field in result:
            result[field] = _ordered(shape.child(field), result[field], order)
    return result


def _value(shape: Shape, target: Any, patch: Any, order: list[Any] | None) -> Any:
    if isinstance(patch, dict):
        return _object(shape, target, patch)
    return _list(shape, target or [], patch, order) if isinstance(patch, list) else patch


def _list(shape: Shape, target: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    lists = shape.lists
    if not lists.keys:
        if lists.kind == "set":
            return [*target, *(item for item in patch if item not in target)]
        return patch
    key = lists.keys[0]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    result = list(target)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        at = next((index for index, held in enumerate(result) if held.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [held for held in result if held.get(key) != item[key]]
        elif at is None:
            result.append(_object(shape.item(), {}, item))
        else:
            result[at] = _object(shape.item(), result[at], item)
    return _ordered(shape, result, order) if order else result


def _ordered(shape: Shape, items: list[Any], order: list[Any]) -> list[Any]:
    """Items named in `order` in that order; the others keep their place behind them."""
    keys = shape.lists.keys
    wanted = [entry.get(keys[0]) if keys and isinstance(entry, dict) else entry for entry in order]

    def rank(item: Any) -> int:
        value = item.get(keys[0]) if keys and isinstance(item, dict) else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=rank)
