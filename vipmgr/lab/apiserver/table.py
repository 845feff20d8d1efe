"""Lists as `kubectl get` asks for them: meta.k8s.io/v1 Table, from the kind's columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.kinds import Column, Kind

_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]\\]+(?:\\.[^.\[\]\\]*)*)      # .name, with \. for a dot in it
      | \[\?\(@\.(?P<key>[\w.]+)\s*==\s*["'](?P<value>[^"']*)["']\)\]   # [?(@.key=="value")]
      | \['(?P<quoted>[^']+)'\]
      | \[(?P<index>\*|-?\d+)\]""",
    re.VERBOSE,
)


def find(path: str, body: Any) -> list[Any]:
    """All values at a JSONPath, as far as printer columns use it: names, indices, `*`, one equality filter."""
    found = [body]
    for step in _STEP.finditer(path):
        found = [below for value in found for below in _below(step, value)]
    return found


def _below(step: re.Match[str], value: Any) -> Sequence[Any]:
    if step["index"]:
        if not isinstance(value, list):
            return []
        if step["index"] == "*":
            return value
        at = int(step["index"])
        return value[at:][:1]
    if step["key"]:
        items = value if isinstance(value, list) else []
        return [item for item in items if find(f".{step['key']}", item) == [step["value"]]]
    name = step["quoted"] or step["name"].replace("\\.", ".")
    return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []


def age(stamp: str, at: datetime) -> str:
    """As kubectl prints it: 5s, 3m, 2h, 4d."""
    text = stamp.replace("Z", "+00:00")
    seconds = max(0, int((at - datetime.fromisoformat(text)).total_seconds()))
    for size, unit, limit in ((1, "s", 120), (60, "m", 7200), (3600, "h", 172800)):
        if seconds < limit:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


def _cell(column: Column, body: Object, at: datetime) -> Any:
    found = find(column.path, body)
    if not found:
        return None
    if column.type == "date":
        return age(str(found[0]), at)
    if len(found) > 1 or column.type == "string":
        return ",".join(_text(value) for value in found)
    return found[0]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _service_cells(body: Object, at: datetime) -> list[Any]:
    spec = body.get("spec", {})
    ingress = body.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    external = ",".join(one.get("ip") or one.get("hostname", "") for one in ingress)
    if not external:
        external = "<pending>" if spec.get("type") == "LoadBalancer" else "<none>"
    ports = ",".join(
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    )
    selector = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    created = age(body["metadata"]["creationTimestamp"], at)
    shown = [spec.get("type"), spec.get("clusterIP") or "<none>", external, ports or "<none>"]
    return [body["metadata"]["name"], *shown, created, selector or "<none>"]


def _node_cells(body: Object, at: datetime) -> list[Any]:
    ready = find('.status.conditions[?(@.type=="Ready")].status', body)
    status = {"True": "Ready", "False": "NotReady"}.get(ready[0] if ready else "", "Unknown")
    if body.get("spec", {}).get("unschedulable"):
        status += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = body["metadata"].get("labels") or {}
    roles = ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix)))
    version = body.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")
    inner = find('.status.addresses[?(@.type=="InternalIP")].address', body)
    created = age(body["metadata"]["creationTimestamp"], at)
    return [body["metadata"]["name"], status, roles or "<none>", created, version, inner[0] if inner else "<none>"]


def _event_cells(body: Object, at: datetime) -> list[Any]:
    about = body.get("involvedObject") or body.get("regarding") or {}
    seen = body.get("lastTimestamp") or body.get("deprecatedLastTimestamp") or body.get("eventTime")
    last = age(seen, at) if seen else "<unknown>"
    name = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
    message = str(body.get("message") or body.get("note") or "").strip()
    return [body["metadata"]["name"], last, body.get("type"), body.get("reason"), name, message]


_CELLS: Final[dict[str, Callable[[Object, datetime], list[Any]]]] = {
    "services": _service_cells,
    "nodes": _node_cells,
    "events": _event_cells,
}


def column_definitions(kind: Kind) -> list[Object]:
    name = {"name": "Name", "type": "string", "format": "name", "description": "Name must be unique.", "priority": 0}
    return [name] + [
        {"name": one.name, "type": one.type, "format": "", "description": one.description, "priority": one.priority}
        for one in kind.columns
    ]


def make_table(kind: Kind, bodies: Sequence[Object], metadata: Object, include: str, *, headers: bool = True) -> Object:
    """`include`: includeObject of the request: Metadata (default), Object or None."""
    at = datetime.now(UTC)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": column_definitions(kind) if headers else None,
        "rows": [_row(kind, body, at, include) for body in bodies],
    }


def _row(kind: Kind, body: Object, at: datetime, include: str) -> Object:
    cells = _CELLS.get(kind.storage)
    values = cells(body, at) if cells else [body["metadata"]["name"], *(_cell(one, body, at) for one in kind.columns)]
    shown = body
    if include != "Object":
        shown = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}
    return {"cells": values} if include == "None" else {"cells": values, "object": shown}
