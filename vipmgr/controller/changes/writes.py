"""A write as a value, and what to say once it was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from vipmgr.core.wire import Condition, Metadata
from vipmgr.kube.client import Patch
from vipmgr.kube.events import ObjectRef
from vipmgr.kube.resources import Resource


class Notice(NamedTuple):
    """An Event to be."""

    about: ObjectRef
    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


class Verb(StrEnum):
    CREATE = "create"
    PATCH = "patch"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Write:
    """One request. `needs`: keys of earlier writes; when one of those failed in this pass, this one waits for the next.

    `uid`: delete only that very object.
    """

    resource: Resource[Any]
    verb: Verb
    name: str
    namespace: str = ""
    body: Any = None
    kind: Patch = Patch.MERGE
    subresource: str = ""
    uid: str = ""
    needs: frozenset[str] = frozenset()
    notices: tuple[Notice, ...] = ()

    @property
    def key(self) -> str:
        """Kind/namespace/name, or Kind/name."""
        return "/".join(part for part in (self.resource.kind, self.namespace, self.name) if part)


def reference(resource: Resource[Any], metadata: Metadata) -> ObjectRef:
    return ObjectRef(resource.api_version, resource.kind, metadata.name, metadata.namespace, metadata.uid)


def rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(
    before: list[Condition] | None, type_: str, status: bool, reason: str, message: str, now: datetime
) -> Condition:
    """The condition as it should stand: the very one of `before` if it says the same, with its time if only words
    differ."""
    old = next((one for one in before or () if one.type == type_), None)
    text = "True" if status else "False"
    message = message[:1024]
    if old is not None and (old.status, old.reason, old.message) == (text, reason, message):
        return old
    since = old.last_transition_time if old is not None and old.status == text else None
    return Condition(
        type=type_, status=text, reason=reason, message=message, last_transition_time=since or rfc3339(now)
    )


def with_condition(before: list[Condition] | None, one: Condition) -> list[Condition]:
    """The list with `one` in its place: merge patches replace the whole list, and others have conditions there too."""
    rest = [other for other in before or () if other.type != one.type]
    return [*rest, one]
