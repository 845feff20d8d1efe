"""The life of an object: created, changed, marked for deletion, gone. Every write of the server goes through here.

Between two awaits nothing else runs, so a write is atomic from its last look at the store to its put. The one await
is the admission webhook; after it the object is looked at again.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from vipmgr.lab.apiserver import definitions
from vipmgr.lab.apiserver.admission import Admission
from vipmgr.lab.apiserver.clock import now
from vipmgr.lab.apiserver.errors import (
    MODIFIED,
    Object,
    StatusError,
    already_exists,
    bad_request,
    cause,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from vipmgr.lab.apiserver.events import to_stored, to_view
from vipmgr.lab.apiserver.kinds import Catalog, Kind
from vipmgr.lab.apiserver.managed import Ownership, note_update, with_managers
from vipmgr.lab.apiserver.models import unknown_fields
from vipmgr.lab.apiserver.store import DELETED, Change, Key, Record, Store
from vipmgr.lab.apiserver.strategy import Strategy, check_strings

_NAME: Final = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_PATH_NAME: Final = re.compile(r"^[^/%]+$")
_FREE_NAMES: Final = "rbac.authorization.k8s.io"
NAMESPACES: Final = "namespaces"
_ATTEMPTS: Final = 5
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class Write:
    """Who writes, and how. `validation`: Strict, Warn or Ignore unknown fields. `warnings` go into the answer."""

    manager: str = "unknown"
    user: str = "kubernetes-admin"
    dry_run: bool = False
    validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """What a request is about: one object, or (no name) a collection."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return (self.namespace, self.name)

    def missing(self) -> StatusError:
        return not_found(self.kind.plural, self.kind.group, self.name)


class Objects:
    def __init__(self, store: Store, catalog: Catalog, admission: Admission) -> None:
        self.store = store
        self.catalog = catalog
        self._admission = admission
        self._strategy = Strategy()
        store.hook(self._note)

    def get(self, target: Target) -> Record:
        record = self.store.get(target.kind.storage, target.key)
        if record is None:
            raise target.missing()
        return record

    async def create(self, target: Target, body: Object, write: Write, ownership: Ownership | None = None) -> Record:
        """201, or 409, 422, 403. `ownership`: of a server-side apply; otherwise all fields become the writer's."""
        kind = target.kind
        body = self._received(target, body, write)
        metadata = body["metadata"]
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            metadata.pop(name, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        if kind.generation:
            metadata["generation"] = 1
        new = self._strategy.for_create(kind, body)
        new = with_managers(new, ownership) if ownership else note_update(kind, None, new, write.manager, "")
        self._check(kind, new, None)
        await self._admission.review(kind, "CREATE", target, new, None, write)
        self._check_namespace(target, new)
        key = (target.namespace, metadata["name"])
        if self.store.get(kind.storage, key) is not None:
            raise already_exists(kind.plural, kind.group, metadata["name"])
        if write.dry_run:
            return Record(new, 0)
        return self.store.put(kind.storage, key, new)

    async def change(
        self,
        target: Target,
        make: Callable[[Object], Object],
        write: Write,
        ownership: Callable[[], Ownership | None] = lambda: None,
    ) -> Record:
        """Replace an object by what `make` makes of it. Nothing is written when nothing would differ."""
        kind = target.kind
        for _ in range(_ATTEMPTS):
            held = self.get(target)
            body = self._received(target, make(to_view(kind, held.object)), write)
            _check_preconditions(target, body, held)
            body["metadata"]["resourceVersion"] = held.object["metadata"]["resourceVersion"]
            new = self._strategy.for_update(kind, body, held.object, target.subresource)
            managers = ownership()
            if managers is None:
                new = note_update(kind, held.object, new, write.manager, target.subresource)
            else:
                new = with_managers(new, managers)
            if new == held.object:
                return held
            self._check(kind, new, held.object)
            await self._admission.review(kind, "UPDATE", target, new, held.object, write)
            if self.store.get(kind.storage, target.key) is held:
                return self._replace(target, new, write)
        raise conflict(kind.plural, kind.group, target.name, MODIFIED)

    def _replace(self, target: Target, new: Object, write: Write) -> Record:
        if write.dry_run:
            return Record(new, int(new["metadata"]["resourceVersion"]))
        metadata = new["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and target.kind.storage != NAMESPACES:
            return self.store.remove(target.kind.storage, target.key)
        return self.store.put(target.kind.storage, target.key, new)

    async def delete(self, target: Target, options: Object, write: Write) -> tuple[Record, bool]:
        """The object's last state, and whether it is gone (or waits for its finalizers)."""
        kind = target.kind
        for _ in range(_ATTEMPTS):
            held = self.get(target)
            _check_delete(target, held, options.get("preconditions") or {})
            await self._admission.review(kind, "DELETE", target, None, held.object, write)
            if self.store.get(kind.storage, target.key) is not held:
                continue
            if write.dry_run:
                return held, True
            if options.get("propagationPolicy") == "Orphan":
                self._orphan(held.object["metadata"]["uid"])
            return self.discard(kind.storage, target.key)
        raise conflict(kind.plural, kind.group, target.name, MODIFIED)

    def discard(self, storage: str, key: Key) -> tuple[Record, bool]:
        """Delete without asking anybody. What has finalizers is only marked; so is a namespace, until it is empty."""
        held = self.store.get(storage, key)
        if held is None:
            raise KeyError(key)
        metadata = dict(held.object["metadata"])
        if not metadata.get("finalizers") and storage != NAMESPACES:
            return self.store.remove(storage, key), True
        if metadata.get("deletionTimestamp"):
            return held, False
        metadata |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
        if "generation" in metadata:
            metadata["generation"] += 1
        marked = {**held.object, "metadata": metadata}
        if storage == NAMESPACES:
            marked["status"] = {**marked.get("status", {}), "phase": "Terminating"}
        return self.store.put(storage, key, marked), False

    def _received(self, target: Target, body: Any, write: Write) -> Object:
        """The object in the form it is stored in, named and placed, pruned and defaulted by its schema."""
        kind = target.kind
        if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
            raise bad_request(f"the object provided is unrecognized: {kind.kind} must be an object")
        _check_type(kind, body)
        metadata = {name: value for name, value in body.get("metadata", {}).items() if value is not None}
        _name(target, metadata)
        check_strings(kind, metadata)
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **body, "metadata": metadata}
        if kind.schema is not None:
            body, unknown = kind.schema.normalised(body)
            note_unknown(kind, unknown, write)
        elif write.validation == "Strict":
            note_unknown(kind, unknown_fields(kind, body), write)
        return to_stored(kind, body)

    def _check(self, kind: Kind, new: Object, old: Object | None) -> None:
        metadata = new["metadata"]
        causes = list(self._strategy.problems(kind, new, old))
        pattern = _PATH_NAME if kind.group == _FREE_NAMES else _NAME
        if not pattern.match(metadata["name"]) or len(metadata["name"]) > 253:
            text = f'Invalid value: "{metadata["name"]}": a lowercase RFC 1123 subdomain must consist of lower case '
            text += "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
            causes.insert(0, cause("metadata.name", text))
        if causes:
            raise invalid(kind.kind, kind.group, metadata["name"], causes)

    def _check_namespace(self, target: Target, new: Object) -> None:
        if not target.kind.namespaced:
            return
        held = self.store.get(NAMESPACES, ("", target.namespace))
        if held is None:
            raise not_found(NAMESPACES, "", target.namespace)
        if held.object["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            raise forbidden(target.kind.plural, target.kind.group, new["metadata"]["name"], why)

    def _orphan(self, owner: str) -> None:
        for storage in self.store.storages():
            for record in self.store.all(storage):
                metadata = record.object["metadata"]
                kept = [one for one in metadata.get("ownerReferences") or () if one.get("uid") != owner]
                if len(kept) != len(metadata.get("ownerReferences") or ()):
                    body = {**record.object, "metadata": {**metadata, "ownerReferences": kept}}
                    self.store.put(storage, (metadata.get("namespace", ""), metadata["name"]), body)

    def _note(self, change: Change) -> None:
        """Keep in step what follows from objects: numbers of Services, kinds of definitions."""
        body = change.after.object if change.type != DELETED else None
        if change.storage == "services":
            self._strategy.numbers.hold("/".join(change.key), body["spec"] if body else None)
        elif change.storage == definitions.STORAGE:
            spec = change.after.object["spec"]
            kinds = definitions.kinds_of(body) if body else ()
            self.catalog.replace(spec["group"], spec["names"]["plural"], kinds)


def note_unknown(kind: Kind, unknown: list[str], write: Write) -> None:
    """400 under Strict validation, a warning under Warn."""
    words = [f'unknown field "{path}"' for path in unknown]
    if words and write.validation == "Strict":
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {', '.join(words)}"
        )
    if write.validation == "Warn":
        write.warnings.extend(words)


def _check_type(kind: Kind, body: Object) -> None:
    sent = (body.get("apiVersion", kind.api_version), body.get("kind", kind.kind))
    if sent != (kind.api_version, kind.kind):
        raise bad_request(
            f"the API version in the data ({sent[0]}, Kind={sent[1]}) does not match the expected API version "
            f"({kind.api_version}, Kind={kind.kind})"
        )


def _name(target: Target, metadata: Object) -> None:
    """Fill in name and namespace from the path; 400 when the body says another."""
    if not metadata.get("name") and metadata.get("generateName"):
        suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
        metadata["name"] = f"{metadata['generateName']}{suffix}"
    name = metadata.setdefault("name", target.name)
    if not name:
        raise invalid(target.kind.kind, target.kind.group, "", [
            cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
        ])  # fmt: skip
    if target.name and name != target.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
    if not target.kind.namespaced:
        metadata.pop("namespace", None)
        return
    if (metadata.get("namespace") or target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = target.namespace


def _check_preconditions(target: Target, body: Object, held: Record) -> None:
    sent, current = body["metadata"], held.object["metadata"]
    if sent.get("uid") not in (None, "", current["uid"]):
        why = f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {current['uid']}"
        raise conflict(target.kind.plural, target.kind.group, target.name, why)
    revision = sent.get("resourceVersion")
    if not revision and not target.kind.unconditional:
        raise invalid(target.kind.kind, target.kind.group, target.name, [
            cause("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")
        ])  # fmt: skip
    if revision and revision != current["resourceVersion"]:
        raise conflict(target.kind.plural, target.kind.group, target.name, MODIFIED)


def _check_delete(target: Target, held: Record, wanted: Object) -> None:
    for name, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        have = held.object["metadata"][name]
        if wanted.get(name) not in (None, have):
            why = f"Precondition failed: {label} in precondition: {wanted[name]}, {label} in object meta: {have}"
            raise conflict(target.kind.plural, target.kind.group, target.name, why)
