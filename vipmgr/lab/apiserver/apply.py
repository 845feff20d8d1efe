"""Server-side apply: merge what a manager wants, tell apart whose field is whose, remove what it no longer wants.

Source: kubernetes.io/docs/reference/using-api/server-side-apply.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from vipmgr.lab.apiserver.clock import now
from vipmgr.lab.apiserver.errors import Object, StatusError, bad_request
from vipmgr.lab.apiserver.fields import Fields, Path, item_step, leaves, shown, value_step
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.managed import Manager, Ownership, managers_of
from vipmgr.lab.apiserver.objects import Objects, Target, Write
from vipmgr.lab.apiserver.shapes import Shape, shape_of
from vipmgr.lab.apiserver.store import Record


@dataclass(frozen=True)
class Applied:
    """The merged object, and who manages it now."""

    body: Object
    managers: Ownership


async def apply(objects: Objects, target: Target, config: Any, write: Write, *, force: bool) -> tuple[Record, bool]:
    """The object, and whether it was created."""
    _check(config)
    if objects.store.get(target.kind.storage, target.key) is None and not target.subresource:
        managers = (_writer(target.kind, config, write.manager, ""),)
        return await objects.create(target, config, write, managers), True
    result: list[Applied] = []

    def merge(held: Object) -> Object:
        result[:] = [merge_applied(target, held, config, write.manager, force=force)]
        return result[0].body

    return await objects.change(target, merge, write, lambda: result[0].managers), False


def _check(config: Any) -> None:
    if not isinstance(config, dict) or not isinstance(config.get("metadata"), dict):
        raise bad_request("the applied configuration must be an object with metadata")
    if config["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")


def _writer(kind: Kind, config: Object, manager: str, subresource: str) -> Manager:
    """Only the fields this endpoint writes count: status at …/status, anything else elsewhere."""
    fields = frozenset(leaves(shape_of(kind), config))
    if "status" in kind.subresources:
        status = bool(subresource)
        fields = frozenset(path for path in fields if (path[0] == "f:status") == status)
    return Manager(manager, "Apply", kind.api_version, subresource, fields, now())


def merge_applied(target: Target, held: Object, config: Object, manager: str, *, force: bool) -> Applied:
    """What `config` makes of `held`. 409 when another manager holds a field with another value, unless forced."""
    kind = target.kind
    shape = shape_of(kind)
    writer = _writer(kind, config, manager, target.subresource)
    wanted, before = leaves(shape, config), leaves(shape, held)
    managers = managers_of(held)
    mine = next((one for one in managers if one.same(writer)), None)
    others = tuple(one for one in managers if one is not mine)
    taken = frozenset(path for path in writer.fields if path in before and before[path] != wanted[path])
    contested = [(one, one.fields & taken) for one in others if one.fields & taken]
    if contested and not force:
        raise _conflict(target, contested)
    others = tuple(one.with_fields(one.fields - taken) for one in others)
    dropped = _dropped(mine.fields if mine else frozenset(), writer.fields, others)
    body = _merged(shape, held, config)
    for path in dropped:
        _remove(shape, body, path)
    writer = mine if mine is not None and mine.fields == writer.fields and not dropped else writer
    return Applied(body, (*others, writer))


def _dropped(before: Fields, after: Fields, others: Ownership) -> list[Path]:
    """What goes away: no longer applied, and nobody else's, nor anything below it. The longest paths come first.

    An item that goes takes its fields along; the keys of an item that stays are what it is known by, so they stay.
    """
    gone = before - after
    kept = {path[:length] for one in others for path in one.fields for length in range(len(path) + 1)}
    free = gone - kept
    roots = (path for path in free if not any(path[:length] in free for length in range(len(path))))
    return sorted((path for path in roots if not _is_key(path)), key=len, reverse=True)


def _is_key(path: Path) -> bool:
    item, name = path[-2] if len(path) > 1 else "", path[-1].removeprefix("f:")
    return item.startswith("k:") and name in msgspec.json.decode(item[2:])


def _conflict(target: Target, contested: Iterable[tuple[Manager, Fields]]) -> StatusError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{one.name}"{_using(one)}',
            "field": shown(path),
        }
        for one, paths in contested
        for path in sorted(paths)
    ]
    plural = "s" if len(causes) > 1 else ""
    words = ", ".join(f"{one['message']}: {one['field']}" for one in causes)
    text = f"Apply failed with {len(causes)} conflict{plural}: {words}"
    details: Object = {"name": target.name, "kind": target.kind.plural, "causes": causes}
    return StatusError(409, "Conflict", text, details | ({"group": target.kind.group} if target.kind.group else {}))


def _using(manager: Manager) -> str:
    subresource = f' with subresource "{manager.subresource}"' if manager.subresource else ""
    return subresource + (f" using {manager.api_version}" if manager.operation == "Update" else "")


def _merged(shape: Shape, held: Any, wanted: Any) -> Any:
    """A deep copy of the one with the other laid over it."""
    if isinstance(wanted, dict) and not shape.atomic_map:
        below = held if isinstance(held, dict) else {}
        kept = {name: _copy(value) for name, value in below.items() if name not in wanted}
        return kept | {name: _merged(shape.child(name), below.get(name), value) for name, value in wanted.items()}
    lists = shape.lists if isinstance(wanted, list) and isinstance(held, list) else None
    if lists is None or lists.kind == "atomic":
        return _copy(wanted)
    if lists.kind == "set":
        return [*held, *(item for item in wanted if item not in held)]
    new = {item_step(lists, item): item for item in wanted}
    old = {item_step(lists, item): item for item in held}
    kept_items = [_merged(shape.item(), item, new.get(step, {})) for step, item in old.items()]
    return [*kept_items, *(_copy(item) for step, item in new.items() if step not in old)]


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(part) for name, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value


def _remove(shape: Shape, node: Any, path: Path) -> None:
    """Take the field at `path` out of a copy, and what is empty because of it."""
    step, rest = path[0], path[1:]
    kind, _, text = step.partition(":")
    if kind == "f":
        if not isinstance(node, dict) or text not in node:
            return
        if rest:
            _remove(shape.child(text), node[text], rest)
        if not rest or node[text] in ({}, []):
            del node[text]
        return
    lists = shape.lists
    items = node if isinstance(node, list) else []
    steps = [value_step(item) if kind == "v" else item_step(lists, item) for item in items]
    if step not in steps:
        return
    at = steps.index(step)
    if rest:
        _remove(shape.item(), node[at], rest)
    else:
        del node[at]
