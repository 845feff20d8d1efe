"""OpenAPI v3, as far as kubectl reads it: explain, and what an apply may ask of the server."""

from __future__ import annotations

import copy
from typing import Any, Final

from vipmgr.lab.apiserver.errors import Object, no_such_path
from vipmgr.lab.apiserver.kinds import Catalog, Kind
from vipmgr.lab.apiserver.models import Components
from vipmgr.lab.apiserver.patch import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

_ROOT: Final = "/openapi/v3"
_TEXT: Final = {"type": "string"}


class OpenApi:
    """Documents are made when asked for, and kept until a definition changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._made: dict[str, Object] = {}
        self._revision = -1

    def document(self, path: str) -> Object:
        """`/openapi/v3` lists the documents, `/openapi/v3/apis/GROUP/VERSION` is one."""
        if self._revision != self._catalog.revision:
            self._made.clear()
            self._revision = self._catalog.revision
        name = path.removeprefix(_ROOT).strip("/")
        if not name:
            return self._index()
        kinds = [kind for kind in self._catalog if _base(kind) == name]
        if not kinds:
            raise no_such_path()
        if name not in self._made:
            self._made[name] = _document(kinds)
        return self._made[name]

    def _index(self) -> Object:
        names = dict.fromkeys(_base(kind) for kind in self._catalog)
        links = {name: {"serverRelativeURL": f"{_ROOT}/{name}?hash={self._revision}"} for name in names}
        return {"paths": links}


def _base(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _document(kinds: list[Kind]) -> Object:
    components = Components()
    paths: Object = {}
    for kind in kinds:
        name = _add_custom(components, kind) if kind.schema else components.add(kind)
        schema = components.schemas[name]
        schema["x-kubernetes-group-version-kind"] = [_gvk(kind)]
        paths |= _paths(kind, name)
    info = {"title": "Kubernetes", "version": "v1.32.0"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": components.schemas}}


def _gvk(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _add_custom(components: Components, kind: Kind) -> str:
    name = f"{'.'.join(reversed(kind.group.split('.')))}.{kind.version}.{kind.kind}"
    schema: Any = copy.deepcopy(dict(kind.schema.schema)) if kind.schema else {}
    properties = schema.setdefault("properties", {})
    properties |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": components.metadata()}
    components.schemas[name] = schema
    return name


def _paths(kind: Kind, name: str) -> Object:
    place = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"/{_base(kind)}{place}/{kind.plural}"
    schema = {"$ref": f"#/components/schemas/{name}"}
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    base = {"x-kubernetes-group-version-kind": _gvk(kind), "responses": answer}
    body = {"content": {"application/json": {"schema": schema}}}
    patches = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH, *([] if kind.custom else [STRATEGIC_PATCH])]
    patch_body = {"content": {media_type: {"schema": {"type": "object"}} for media_type in patches}}
    options = [_parameter("dryRun"), _parameter("fieldManager"), _parameter("fieldValidation")]
    writing = base | {"parameters": options}
    return {
        collection: {
            "get": base | {"x-kubernetes-action": "list"},
            "post": writing | {"x-kubernetes-action": "post", "requestBody": body},
        },
        f"{collection}/{{name}}": {
            "get": base | {"x-kubernetes-action": "get"},
            "put": writing | {"x-kubernetes-action": "put", "requestBody": body},
            "patch": writing
            | {
                "x-kubernetes-action": "patch",
                "parameters": [*options, _parameter("force")],
                "requestBody": patch_body,
            },
            "delete": base | {"x-kubernetes-action": "delete", "parameters": [_parameter("dryRun")]},
        },
    }


def _parameter(name: str) -> Object:
    return {"name": name, "in": "query", "schema": {"type": "boolean" if name == "force" else "string"}}
