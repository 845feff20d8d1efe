"""One request: who asks, for what, and which part answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
from aiohttp import web

from vipmgr.lab.apiserver import discovery
from vipmgr.lab.apiserver.control import PREFIX, Control
from vipmgr.lab.apiserver.errors import Object, StatusError, method_not_allowed, no_such_path, unauthorized
from vipmgr.lab.apiserver.faults import DropError
from vipmgr.lab.apiserver.kinds import Catalog
from vipmgr.lab.apiserver.objects import Target
from vipmgr.lab.apiserver.openapi import OpenApi
from vipmgr.lab.apiserver.reading import Reader, answer
from vipmgr.lab.apiserver.requests import target_of
from vipmgr.lab.apiserver.selectors import make_filter
from vipmgr.lab.apiserver.writing import Writer

_encode = msgspec.json.Encoder().encode


class Router:
    """`tokens`: bearer token -> user; empty: everybody is the administrator."""

    def __init__(
        self, catalog: Catalog, reader: Reader, writer: Writer, control: Control, tokens: Mapping[str, str]
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._writer = writer
        self._control = control
        self._tokens = tokens
        self._openapi = OpenApi(catalog)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        drop = False
        try:
            if request.path.startswith(PREFIX):
                self._user(request)
                return await self._control.handle(request)
            drop = await self._control.faults.before(request.method, request.path)
            response = await self._serve(request)
        except DropError:
            drop, response = True, web.Response()
        except StatusError as error:
            response = answer(request, _encode(error.status()), error.code, error.headers)
        if drop and request.transport is not None:
            request.transport.abort()
        return response

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path in ("/healthz", "/readyz", "/livez"):
            return web.Response(text="ok")
        user = self._user(request)
        if path.startswith(("/api/v1/", "/apis/")) and path.count("/") > (2 if path.startswith("/api/") else 3):
            return await self._resource(request, target_of(self._catalog, path), user)
        document = self._document(path, request.headers.get("Accept", ""), request.host)
        response = answer(request, _encode(document))
        if document.get("kind") == "APIGroupDiscoveryList":
            response.headers["Content-Type"] = discovery.AGGREGATED
        return response

    def _user(self, request: web.BaseRequest) -> str:
        if not self._tokens:
            return "kubernetes-admin"
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self._tokens:
            raise unauthorized()
        return self._tokens[token]

    def _document(self, path: str, accept: str, host: str) -> Object:
        """Discovery and schema."""
        if path == "/version":
            return dict(discovery.VERSION)
        if path in ("/api", "/apis") and "g=apidiscovery.k8s.io;v=v2;" in accept:
            return discovery.aggregated(self._catalog, core=path == "/api")
        if path.startswith("/openapi/v3"):
            return self._openapi.document(path)
        return self._discovery(path.strip("/").split("/"), host)

    def _discovery(self, parts: list[str], host: str) -> Object:
        catalog = self._catalog
        match parts:
            case ["api"]:
                return discovery.core_versions(host)
            case ["apis"]:
                return discovery.group_list(catalog)
            case ["api", version] if catalog.has_group("", version):
                return discovery.resource_list(catalog, "", version)
            case ["apis", group] if catalog.has_group(group):
                return discovery.group(catalog, group)
            case ["apis", group, version] if catalog.has_group(group, version):
                return discovery.resource_list(catalog, group, version)
        raise no_such_path()

    async def _resource(self, request: web.BaseRequest, target: Target, user: str) -> web.StreamResponse:
        match request.method:
            case "GET":
                return await self._read(request, target)
            case "POST":
                return await self._writer.create(request, target, user)
            case "PUT" if target.name:
                return await self._writer.replace(request, target, user)
            case "PATCH" if target.name:
                return await self._writer.patch(request, target, user)
            case "DELETE" if target.name:
                return await self._writer.delete(request, target, user)
            case "DELETE":
                query = request.query
                labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
                chosen = make_filter(target.kind, target.namespace, labels, fields)
                return await self._writer.delete_all(request, target, chosen, user)
        raise method_not_allowed()

    async def _read(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        query = request.query
        if target.subresource == "log":
            return await self._reader.log(request, target)
        watching = query.get("watch") in ("true", "1", "")
        if target.name and not watching:
            return self._reader.get(request, target)
        fields = query.get("fieldSelector", "")
        if target.name:
            fields = f"metadata.name={target.name}"
            target = replace(target, name="")
        chosen = make_filter(target.kind, target.namespace, query.get("labelSelector", ""), fields)
        if watching:
            return await self._reader.watch(request, target, chosen)
        return self._reader.list(request, target, chosen)
