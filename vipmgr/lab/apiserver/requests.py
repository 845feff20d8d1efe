"""A URL path to what it is about."""

from __future__ import annotations

from urllib.parse import unquote

from vipmgr.lab.apiserver.errors import no_such_path
from vipmgr.lab.apiserver.kinds import Catalog
from vipmgr.lab.apiserver.objects import Target


def target_of(catalog: Catalog, path: str) -> Target:
    """`/api/v1/…` and `/apis/GROUP/VERSION/…`. 404 for anything the catalogue does not have."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    parts = ["", *parts[1:]] if parts[0] == "api" else parts[1:]
    group, version, rest = parts[0], parts[1], parts[2:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = catalog.find(group, version, rest[0])
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in kind.subresources:
        raise no_such_path()
    if name and kind.namespaced and not namespace:
        raise no_such_path()
    return Target(kind, namespace, name, subresource)
