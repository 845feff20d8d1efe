"""An API server for each test: the embedded one in this process, or a real kube-apiserver from $KUBEBUILDER_ASSETS.

`api_server` is either; what only the embedded one can do (faults, forgetting history, cleaning up) takes `embedded`.
`api` speaks to `api_server`, `lab` to `embedded`, in a namespace of its own.
"""

import json
import ssl
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from vipmgr.lab.apiserver import ApiServer, read_definitions
from vipmgr.lab.apiserver.real import RealApiServer, assets

DEFINITIONS = read_definitions(Path(__file__).parents[2] / "manifests" / "crds")


class Api:
    """JSON in, (status, JSON) out."""

    MERGE = "application/merge-patch+json"
    JSON_PATCH = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"

    def __init__(self, session, url, namespace):
        self._session = session
        self.url = url
        self.namespace = namespace
        self.namespaced = f"/api/v1/namespaces/{namespace}"
        self.headers = {}

    async def call(self, method, path, body=None, *, media_type="application/json", headers=None, **query):
        data = None if body is None else json.dumps(body)
        sent = {"Content-Type": media_type, **(headers or {})}
        async with self._session.request(method, self.url + path, data=data, headers=sent, params=query) as answer:
            self.headers = answer.headers
            content = await answer.read()
            return answer.status, json.loads(content) if content else {}

    async def get(self, path, **query):
        return await self.call("GET", path, **query)

    async def create(self, path, body, **query):
        return await self.call("POST", path, body, **query)

    async def made(self, path, body):
        """The created object; the test cannot go on without it."""
        status, answer = await self.create(path, body)
        assert status == 201, answer
        return answer

    async def merge(self, path, body, **query):
        return await self.call("PATCH", path, body, media_type=self.MERGE, **query)

    async def apply(self, path, body, manager="tester", **query):
        return await self.call("PATCH", path, body, media_type=self.APPLY, fieldManager=manager, **query)

    @asynccontextmanager
    async def watch(self, path, **query):
        timeout = aiohttp.ClientTimeout(total=None, sock_read=20)
        async with self._session.get(self.url + path, params={"watch": "1", **query}, timeout=timeout) as response:
            assert response.status == 200, await response.text()
            yield Watch(response)


class Watch:
    """An open watch."""

    def __init__(self, response):
        self._response = response

    async def next(self):
        """(type, object) of the next event; None when the stream has ended."""
        text = await self._response.content.readline()
        event = json.loads(text) if text else None
        return event and (event["type"], event["object"])

    async def names(self, count):
        """[(type, name), …] of the next events."""
        events = [await self.next() for _ in range(count)]
        return [(kind, body["metadata"]["name"]) for kind, body in events]


@pytest.fixture
async def embedded():
    async with ApiServer(definitions=DEFINITIONS) as server:
        yield server


@pytest.fixture
async def api_server(embedded):
    folder = assets()
    if folder is None:
        yield embedded
        return
    async with RealApiServer(folder, definitions=DEFINITIONS) as server:
        yield server


@asynccontextmanager
async def speak_to(server):
    headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
    authority = server.authority
    context = ssl.create_default_context(cadata=authority.decode()) if authority else False
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        namespace = f"t-{uuid.uuid4().hex[:8]}"
        one = Api(session, server.url, namespace)
        await one.made("/api/v1/namespaces", {"metadata": {"name": namespace}})
        yield one


@pytest.fixture
async def api(api_server):
    async with speak_to(api_server) as one:
        yield one


@pytest.fixture
async def lab(embedded):
    """As `api`, but always to the embedded server."""
    async with speak_to(embedded) as one:
        yield one
