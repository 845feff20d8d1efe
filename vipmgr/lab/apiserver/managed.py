"""metadata.managedFields: who wrote which field, last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vipmgr.lab.apiserver.clock import now
from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.fields import Fields, from_tree, leaves, to_tree
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.shapes import shape_of


@dataclass(frozen=True)
class Manager:
    """One entry. Two entries are of the same manager when all but fields and time agree."""

    name: str
    operation: str
    api_version: str
    subresource: str
    fields: Fields
    time: str

    def same(self, other: Manager) -> bool:
        mine = (self.name, self.operation, self.api_version, self.subresource)
        return mine == (other.name, other.operation, other.api_version, other.subresource)

    def with_fields(self, fields: Fields) -> Manager:
        return Manager(self.name, self.operation, self.api_version, self.subresource, fields, self.time)


Ownership = tuple[Manager, ...]


def managers_of(body: Object) -> Ownership:
    return tuple(
        Manager(
            one.get("manager", ""),
            one.get("operation", "Update"),
            one.get("apiVersion", ""),
            one.get("subresource", ""),
            from_tree(one.get("fieldsV1") or {}),
            one.get("time", ""),
        )
        for one in body["metadata"].get("managedFields") or ()
    )


def with_managers(body: Object, managers: Ownership) -> Object:
    """A copy with these entries; those without fields are left out."""
    entries = [_entry(one) for one in managers if one.fields]
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": metadata | ({"managedFields": entries} if entries else {})}


def _entry(manager: Manager) -> Object:
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_tree(manager.fields),
    }
    return entry | ({"subresource": manager.subresource} if manager.subresource else {})


def note_update(kind: Kind, old: Object | None, new: Object, manager: str, subresource: str) -> Object:
    """`new` with the changed fields in the hands of `manager` (operation Update) and of nobody else.

    An empty list sent as managedFields clears all entries, as in the API.
    """
    shape = shape_of(kind)
    before = leaves(shape, old) if old else {}
    after = leaves(shape, new)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    gone = before.keys() - after.keys()
    writer = Manager(manager, "Update", kind.api_version, subresource, changed, now())
    held = () if old is None or _cleared(new) else managers_of(old)
    others = [one.with_fields(one.fields - changed - gone) for one in held if not one.same(writer)]
    mine = next((one for one in held if one.same(writer)), None)
    if mine is not None:
        fields = (mine.fields | changed) - gone
        writer = mine if fields == mine.fields else writer.with_fields(fields)
    return with_managers(new, (*others, writer))


def _cleared(body: Object) -> bool:
    sent: Any = body["metadata"].get("managedFields")
    return sent in ([], [{}])
