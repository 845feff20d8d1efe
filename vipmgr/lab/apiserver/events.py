"""core/v1 and events.k8s.io/v1 are two views of the same Events. They are kept as core/v1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from vipmgr.lab.apiserver.errors import Object, bad_request, cause
from vipmgr.lab.apiserver.kinds import Kind

GROUP: Final = "events.k8s.io"
_NAMES: Final = (
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
)
_TO_CORE: Final = dict(_NAMES)
_FROM_CORE: Final = {core: new for new, core in _NAMES}
MICRO_TIME: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")


def to_stored(kind: Kind, body: Object) -> Object:
    """The core/v1 form of what was sent for `kind`."""
    if kind.storage != "events" or kind.group != GROUP:
        return body
    renamed = {_TO_CORE.get(name, name): value for name, value in body.items()}
    return renamed | {"apiVersion": "v1"}


def to_view(kind: Kind, body: Object) -> Object:
    """The stored Event as `kind` shows it."""
    if kind.storage != "events" or kind.group != GROUP:
        return body
    renamed = {_FROM_CORE.get(name, name): value for name, value in body.items()}
    return renamed | {"apiVersion": kind.api_version}


def complete_event(body: Object) -> Object:
    filled: Object = {"source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None}
    filled |= {"reportingComponent": "", "reportingInstance": "", "involvedObject": {}}
    return {**body, **{name: body.get(name, value) for name, value in filled.items()}}


def check_micro_time(path: str, value: object) -> None:
    """MicroTime has exactly six digits; the server cannot even decode anything else: 400."""
    if value is not None and not (isinstance(value, str) and MICRO_TIME.match(value)):
        raise bad_request(f'{path}: parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse')


def event_problems(body: Object) -> Iterator[Object]:
    """`body` in core/v1 form. The rules for events.k8s.io hold once eventTime is set, as in the real server."""
    regarding = body.get("involvedObject") or {}
    namespace, about = body["metadata"]["namespace"], regarding.get("namespace", "")
    if about != namespace and not (about == "" and namespace == "default"):
        yield cause("involvedObject.namespace", f'Invalid value: "{about}": does not match event.namespace')
    if body.get("eventTime") is None:
        return
    for name, limit in (("reportingComponent", 63), ("reportingInstance", 128), ("action", 128), ("reason", 128)):
        value = body.get(name) or ""
        shown = _FROM_CORE.get(name, name)
        if not value:
            yield cause(shown, "Required value", "FieldValueRequired")
        elif len(value) > limit and name != "reportingComponent":
            yield cause(shown, f'Invalid value: "": can have at most {limit} characters')
    if body.get("type") not in ("Normal", "Warning"):
        yield cause("type", f'Invalid value: "{body.get("type")}": ')
    if len(body.get("message") or "") > 1024:
        yield cause("message", 'Invalid value: "": can have at most 1024 characters')
