"""Objects, one revision for all of them, a bounded history, and those who want to hear of changes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from vipmgr.lab.apiserver.errors import Object

ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"

Key = tuple[str, str]
"""(namespace, name); the namespace is empty for cluster-scoped objects."""

_encode = msgspec.json.Encoder().encode


class Record:
    """One object at one revision, and its JSON without apiVersion and kind, made at most once."""

    __slots__ = ("_tail", "object", "revision")

    def __init__(self, body: Object, revision: int) -> None:
        self.object = body
        self.revision = revision
        self._tail: bytes | None = None

    @property
    def tail(self) -> bytes:
        """What follows `{"apiVersion":…,"kind":…,` in the object's JSON."""
        if self._tail is None:
            body = {name: value for name, value in self.object.items() if name not in ("apiVersion", "kind")}
            self._tail = _encode(body)[1:]
        return self._tail


class Change:
    """One write. `before`: the object as it was, for selectors; `lines` caches what was encoded for watchers."""

    __slots__ = ("after", "before", "key", "lines", "storage", "type")

    def __init__(self, storage: str, key: Key, kind: str, before: Record | None, after: Record) -> None:
        self.storage = storage
        self.key = key
        self.type = kind
        self.before = before
        self.after = after
        self.lines: dict[tuple[bytes, str], bytes] = {}


Listener = Callable[[Change], None]


class Store:
    """Every write takes the next revision. `history`: how many changes a watch may start back in time."""

    def __init__(self, history: int = 20_000) -> None:
        self.revision = 1
        self._tables: dict[str, dict[Key, Record]] = defaultdict(dict)
        self._history: deque[Change] = deque()
        self._limit = history
        self._forgotten = 0
        self._listeners: dict[tuple[str, str], list[Listener]] = defaultdict(list)
        self._hooks: list[Listener] = []

    def get(self, storage: str, key: Key) -> Record | None:
        return self._tables[storage].get(key)

    def all(self, storage: str, namespace: str = "") -> list[Record]:
        """Sorted by namespace, then name, as etcd keeps them."""
        table = self._tables[storage]
        return [table[key] for key in sorted(table) if namespace in ("", key[0])]

    def storages(self) -> list[str]:
        return [storage for storage, table in self._tables.items() if table]

    def put(self, storage: str, key: Key, body: Object) -> Record:
        """Store `body` (ours from now on) with the next revision written into its metadata."""
        self.revision += 1
        body["metadata"]["resourceVersion"] = str(self.revision)
        record = Record(body, self.revision)
        before = self._tables[storage].get(key)
        self._tables[storage][key] = record
        self._publish(Change(storage, key, MODIFIED if before else ADDED, before, record))
        return record

    def remove(self, storage: str, key: Key) -> Record:
        """Take the object out. What watchers get is its last state with the revision of the removal."""
        before = self._tables[storage].pop(key)
        self.revision += 1
        metadata = before.object["metadata"] | {"resourceVersion": str(self.revision)}
        record = Record(before.object | {"metadata": metadata}, self.revision)
        self._publish(Change(storage, key, DELETED, before, record))
        return record

    def since(self, storage: str, revision: int) -> list[Change] | None:
        """The changes after `revision`, oldest first; None when some of them are forgotten."""
        if revision < self._forgotten:
            return None
        return [change for change in self._history if change.after.revision > revision and change.storage == storage]

    def compact(self) -> None:
        """Forget the history: a watch from an earlier revision gets 410."""
        self._history.clear()
        self._forgotten = self.revision

    def listen(self, storage: str, name: str, listener: Listener) -> Callable[[], None]:
        """Hear of changes to the objects of `storage` called `name` (empty: any). Returns what ends it."""
        listeners = self._listeners[storage, name]
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def hook(self, hook: Listener) -> None:
        """Hear of every change, before any listener."""
        self._hooks.append(hook)

    def _publish(self, change: Change) -> None:
        self._history.append(change)
        if len(self._history) > self._limit:
            self._forgotten = self._history.popleft().after.revision
        for hook in self._hooks:
            hook(change)
        for listener in self._heard_by(change):
            listener(change)

    def _heard_by(self, change: Change) -> Iterable[Listener]:
        listeners = self._listeners
        return [*listeners.get((change.storage, ""), ()), *listeners.get((change.storage, change.key[1]), ())]
