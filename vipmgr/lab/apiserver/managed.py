"""metadata.managedFields."""

from __future__ import annotations

from typing import Any

from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.kinds import Kind

Ownership = Any


def forget_managers(body: Object) -> Object:
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": metadata}


def note_update(kind: Kind, old: Object | None, new: Object, manager: str, subresource: str, ownership: Any) -> Object:
    return new
