"""What a cluster's controller-manager would clean up: dependents of owners that are gone, namespaces, old kinds."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from vipmgr.lab.apiserver import definitions
from vipmgr.lab.apiserver.objects import NAMESPACES, Objects
from vipmgr.lab.apiserver.store import DELETED, Change, Key


class Garbage:
    """Follows every change and discards, a moment later, what nothing holds any more."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store
        self._dependents: dict[str, set[tuple[str, Key]]] = defaultdict(set)
        self._store.hook(self._note)

    def _note(self, change: Change) -> None:
        place = (change.storage, change.key)
        for owner in _owners(change.before.object if change.before else None):
            self._dependents[owner].discard(place)
        metadata = change.after.object["metadata"]
        if change.type != DELETED:
            for owner in _owners(change.after.object):
                self._dependents[owner].add(place)
        loop = asyncio.get_running_loop()
        if change.type == DELETED:
            if self._dependents.get(metadata["uid"]):
                loop.call_soon(self._release, metadata["uid"])
            if change.storage == definitions.STORAGE:
                loop.call_soon(self._empty_storage, change.key[1])
            if change.key[0]:
                loop.call_soon(self._empty_namespace, change.key[0])
        elif change.storage == NAMESPACES and metadata.get("deletionTimestamp"):
            loop.call_soon(self._empty_namespace, change.key[1])

    def _release(self, owner: str) -> None:
        """Drop the references to `owner`; what has no owner left goes with it."""
        for storage, key in self._dependents.pop(owner, set()):
            record = self._store.get(storage, key)
            if record is None:
                continue
            metadata = record.object["metadata"]
            kept = [one for one in metadata["ownerReferences"] if one.get("uid") != owner]
            if kept:
                self._store.put(storage, key, {**record.object, "metadata": {**metadata, "ownerReferences": kept}})
            else:
                self._objects.discard(storage, key)

    def _empty_storage(self, storage: str) -> None:
        for record in self._store.all(storage):
            self._store.remove(storage, _key(record.object["metadata"]))

    def _empty_namespace(self, name: str) -> None:
        """Discard what a terminating namespace contains; once nothing is left, the namespace too."""
        held = self._store.get(NAMESPACES, ("", name))
        if held is None or not held.object["metadata"].get("deletionTimestamp"):
            return
        left = [(storage, _key(one.object["metadata"]))
                for storage in self._store.storages() for one in self._store.all(storage, name)]  # fmt: skip
        for storage, key in left:
            if self._store.get(storage, key) is not None:
                self._objects.discard(storage, key)
        if not left and not held.object["metadata"].get("finalizers"):
            self._store.remove(NAMESPACES, ("", name))


def _owners(body: dict[str, object] | None) -> list[str]:
    metadata = (body or {}).get("metadata")
    references = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    return [one.get("uid", "") for one in references or ()]


def _key(metadata: dict[str, str]) -> Key:
    return (metadata.get("namespace", ""), metadata["name"])
