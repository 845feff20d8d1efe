"""The server as a whole: `async with ApiServer() as server: server.url, server.kubeconfig`."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml
from aiohttp import web

from vipmgr.controller.certificates import renew, server_context
from vipmgr.lab.apiserver.admission import Admission
from vipmgr.lab.apiserver.builtin import KINDS
from vipmgr.lab.apiserver.control import Control
from vipmgr.lab.apiserver.definitions import STORAGE as DEFINITIONS
from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.faults import Faults
from vipmgr.lab.apiserver.garbage import Garbage
from vipmgr.lab.apiserver.kinds import Catalog
from vipmgr.lab.apiserver.kubeconfig import write_kubeconfig
from vipmgr.lab.apiserver.objects import Objects, Target, Write
from vipmgr.lab.apiserver.reading import Reader
from vipmgr.lab.apiserver.routing import Router
from vipmgr.lab.apiserver.store import Store
from vipmgr.lab.apiserver.writing import Writer

_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_LONGEST_BODY: Final = 3 * 1024 * 1024
_ADMINISTRATOR: Final = "kubernetes-admin"


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LONGEST_BODY)


class ApiServer:
    """A running API server. Everything it holds is in memory and gone when it stops.

    `listen`: port 0 is a free one. `tls`: serve HTTPS with a certificate of its own. `tokens`: bearer token -> user
    name; with TLS an administrator's token is made and written into the kubeconfig. `definitions`:
    CustomResourceDefinitions to begin with. `history`: how many changes a watch may go back. `kubeconfig`: where to
    write that file; by default into a temporary folder.
    """

    def __init__(
        self,
        *,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        tls: bool = False,
        tokens: Mapping[str, str] | None = None,
        definitions: Iterable[Object] = (),
        history: int = 20_000,
        bookmark_interval: float = 10.0,
        kubeconfig: Path | None = None,
    ) -> None:
        self._host, self._port = listen
        self._tls = tls
        self._tokens = dict(tokens or {})
        self._admin = secrets.token_urlsafe(24) if tls or self._tokens else ""
        if self._admin:
            self._tokens[self._admin] = _ADMINISTRATOR
        self._definitions = tuple(definitions)
        self.authority: bytes | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._kubeconfig = kubeconfig
        self.store = Store(history)
        self.faults = Faults()
        self.catalog = Catalog(KINDS)
        self.admission = Admission(self.store)
        self._objects = Objects(self.store, self.catalog, self.admission)
        self._garbage = Garbage(self._objects)
        self._reader = Reader(self._objects, bookmark_interval)
        actions = {
            "cut-watches": self.cut_watches,
            "cut-connections": self.cut_connections,
            "forget-history": self.forget_history,
        }
        control = Control(self.faults, actions)
        router = Router(self.catalog, self._reader, Writer(self._objects), control, self._tokens)
        self._handle = router.handle
        self._web: web.Server | None = None
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def token(self) -> str:
        """The administrator's bearer token; empty when the server asks for none."""
        return self._admin

    @property
    def kubeconfig(self) -> Path:
        if self._kubeconfig is None:
            raise RuntimeError("the server is not running")
        return self._kubeconfig

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vipmgr-apiserver-")
        folder = Path(self._folder.name)
        context = None
        if self._tls:
            hosts = list(dict.fromkeys((self._host, "127.0.0.1", "::1", "localhost")))
            certificates = renew(None, hosts, datetime.now(UTC))
            self.authority, context = certificates.authorities, server_context(certificates)
        self._web = web.Server(self._handle, request_factory=_request, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(self._web, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=context).start()
        self._port = self._runner.addresses[0][1]
        await self._fill()
        self._kubeconfig = self._kubeconfig or folder / "kubeconfig"
        write_kubeconfig(self._kubeconfig, self.url, authority=self.authority, token=self._admin)

    async def stop(self) -> None:
        self.faults.heal()
        self.cut_watches()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.admission.close()
        if self._folder is not None:
            self._folder.cleanup()

    async def _fill(self) -> None:
        """What every cluster has from the start, and the definitions asked for."""
        for name in _NAMESPACES:
            await self.create("namespaces", {"metadata": {"name": name}})
        for definition in self._definitions:
            await self.create(DEFINITIONS, definition)

    async def create(self, storage: str, body: Object) -> Object:
        """Create an object without a request; `storage`: plural, or plural.group."""
        kind = self.catalog.of_storage(storage)
        target = Target(kind, body["metadata"].get("namespace", "default") if kind.namespaced else "")
        return (await self._objects.create(target, body, Write(manager="lab"))).object

    def cut_watches(self) -> None:
        """End every watch that is open, as the real server does now and then."""
        for watcher in tuple(self._reader.watchers):
            watcher.end()

    def forget_history(self) -> None:
        """A watch or a page from before now gets 410."""
        self.store.compact()
        self._reader.snapshots.forget()

    def cut_connections(self) -> None:
        """Drop every TCP connection, in the middle of whatever it carries."""
        for protocol in self._web.connections if self._web else ():
            if protocol.transport is not None:
                protocol.transport.abort()


def read_definitions(folder: Path) -> list[Object]:
    """The CustomResourceDefinitions in a folder's YAML files, in the order of their names."""
    documents: list[Any] = []
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        documents.extend(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return [one for one in documents if one and one.get("kind") == "CustomResourceDefinition"]


async def run_until(server: ApiServer, stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set. The URL is printed once the server answers."""
    async with server:
        print(server.url, flush=True)
        await stopped.wait()
