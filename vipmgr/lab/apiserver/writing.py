"""POST, PUT, PATCH, DELETE: from the request's body and options to a write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import yaml
from aiohttp import web

from vipmgr.lab.apiserver.apply import apply
from vipmgr.lab.apiserver.errors import Object, bad_request, method_not_allowed, unsupported_media_type
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.objects import NAMESPACES, Objects, Target, Write
from vipmgr.lab.apiserver.patch import APPLY_PATCH, patched
from vipmgr.lab.apiserver.reading import answer, encode
from vipmgr.lab.apiserver.selectors import Filter
from vipmgr.lab.apiserver.store import Record

_encode = msgspec.json.Encoder().encode
_UNSAID: Final = "application/octet-stream"
"""What aiohttp takes for the type of a body that has none."""
_RETURNS_DELETED: Final = frozenset({NAMESPACES})


class Writer:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def create(self, request: web.BaseRequest, target: Target, user: str) -> web.Response:
        if target.name:
            raise method_not_allowed()
        write = options(request, user)
        record = await self._objects.create(target, await read_body(request), write)
        return _answer(request, target.kind, record, write, 201)

    async def replace(self, request: web.BaseRequest, target: Target, user: str) -> web.Response:
        write = options(request, user)
        body = await read_body(request)
        record = await self._objects.change(target, lambda _held: body, write)
        return _answer(request, target.kind, record, write)

    async def patch(self, request: web.BaseRequest, target: Target, user: str) -> web.Response:
        write = options(request, user)
        body = await read_body(request)
        if request.content_type == APPLY_PATCH:
            force = request.query.get("force") in ("true", "1")
            if not request.query.get("fieldManager"):
                raise bad_request(
                    "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch"
                )
            record, created = await apply(self._objects, target, body, write, force=force)
            return _answer(request, target.kind, record, write, 201 if created else 200)
        kind, media_type = target.kind, request.content_type
        record = await self._objects.change(target, lambda held: patched(kind, held, body, media_type), write)
        return _answer(request, kind, record, write)

    async def delete(self, request: web.BaseRequest, target: Target, user: str) -> web.Response:
        write = options(request, user)
        wanted = await _delete_options(request)
        write.dry_run = write.dry_run or bool(wanted.get("dryRun"))
        record, gone = await self._objects.delete(target, wanted, write)
        kind = target.kind
        if kind.returns_deleted or not gone or kind.storage in _RETURNS_DELETED:
            return _answer(request, kind, record, write)
        details = {
            "name": target.name,
            "group": kind.group,
            "kind": kind.plural,
            "uid": record.object["metadata"]["uid"],
        }
        status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        status["details"] = {name: value for name, value in details.items() if value}
        return answer(request, _encode(status), headers=_warnings(write))

    async def delete_all(self, request: web.BaseRequest, target: Target, chosen: Filter, user: str) -> web.Response:
        write = options(request, user)
        wanted = await _delete_options(request)
        kind = target.kind
        gone = []
        for record in self._objects.store.all(kind.storage, chosen.namespace):
            metadata = record.object["metadata"]
            if chosen.matches(record.object):
                one = Target(kind, metadata.get("namespace", ""), metadata["name"])
                gone.append((await self._objects.delete(one, wanted, write))[0].object)
        metadata = {"resourceVersion": str(self._objects.store.revision)}
        body = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": metadata, "items": gone}
        return answer(request, _encode(body), headers=_warnings(write))


def options(request: web.BaseRequest, user: str) -> Write:
    """fieldManager, dryRun and fieldValidation of a write. 400 for values there are not."""
    query = request.query
    if (dry_run := query.get("dryRun", "All")) != "All":
        raise bad_request(f'Invalid value: "{dry_run}": supported values: "All"')
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f'fieldValidation: Unsupported value: "{validation}"')
    agent = request.headers.get("User-Agent", "").partition("/")[0]
    manager = query.get("fieldManager") or agent or "unknown"
    return Write(manager=manager, user=user, dry_run="dryRun" in query, validation=validation)


async def read_body(request: web.BaseRequest) -> Any:
    """JSON, or YAML when the media type says so."""
    content = await request.read()
    if "json" not in request.content_type and "yaml" not in request.content_type and request.content_type != _UNSAID:
        raise unsupported_media_type(("application/json", "application/yaml"))
    try:
        if "yaml" in request.content_type and not content.lstrip().startswith(b"{"):
            return yaml.safe_load(content)
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise bad_request(f"the object provided is unrecognized (must be of type JSON or YAML): {error}") from error


async def _delete_options(request: web.BaseRequest) -> Object:
    wanted = await read_body(request) if request.can_read_body else {}
    if not isinstance(wanted, dict):
        raise bad_request("DeleteOptions must be an object")
    policy = request.query.get("propagationPolicy")
    return wanted | ({"propagationPolicy": policy} if policy else {})


def _warnings(write: Write) -> Mapping[str, str]:
    if not write.warnings:
        return {}
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in write.warnings)
    return {"Warning": ", ".join(f'299 - "{text}"' for text in quoted)}


def _answer(request: web.BaseRequest, kind: Kind, record: Record, write: Write, status: int = 200) -> web.Response:
    return answer(request, encode(kind, record), status, _warnings(write))
