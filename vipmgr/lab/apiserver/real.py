"""The real thing: etcd and kube-apiserver (1.28 or later) from $KUBEBUILDER_ASSETS, behind the same handle.

There is no controller-manager: nothing collects dependents or empties namespaces, so tests use names of their own.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from vipmgr.controller.certificates import renew
from vipmgr.errors import FatalError
from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.kubeconfig import write_kubeconfig

ASSETS: Final = "KUBEBUILDER_ASSETS"
_READY_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_POLL_SECONDS: Final = 0.1
_HOST: Final = "127.0.0.1"


def assets() -> Path | None:
    """The folder with etcd and kube-apiserver, if the environment names one."""
    folder = os.environ.get(ASSETS)
    return Path(folder) if folder else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


class RealApiServer:
    """`async with RealApiServer(folder) as server: server.url, server.kubeconfig, server.token, server.authority`.

    FatalError when it does not become ready within a minute; its log is then part of the message.
    """

    def __init__(self, binaries: Path, *, definitions: Iterable[Object] = ()) -> None:
        self._binaries = binaries
        self._definitions = tuple(definitions)
        self._folder = tempfile.TemporaryDirectory(prefix="vipmgr-kube-apiserver-")
        self._path = Path(self._folder.name)
        self._processes: list[asyncio.subprocess.Process] = []
        self._port = _free_port()
        self.token = secrets.token_urlsafe(24)
        self._certificates = renew(None, [_HOST, "localhost"], datetime.now(UTC))
        self.authority = self._certificates.authorities
        self.kubeconfig = self._path / "kubeconfig"

    @property
    def url(self) -> str:
        return f"https://{_HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """The API server first, so that it does not complain about etcd."""
        for process in reversed(self._processes):
            if process.returncode is None:
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._processes.clear()
        self._folder.cleanup()

    async def _start(self) -> None:
        etcd, peer = f"http://{_HOST}:{_free_port()}", f"http://{_HOST}:{_free_port()}"
        await self._run("etcd", *self._etcd_flags(etcd, peer))
        await self._run("kube-apiserver", *self._apiserver_flags(etcd))
        write_kubeconfig(self.kubeconfig, self.url, authority=self.authority, token=self.token)
        context = ssl.create_default_context(cadata=self.authority.decode())
        headers = {"Authorization": f"Bearer {self.token}"}
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(self.url, connector=connector, headers=headers) as session:
            await self._wait(session, "/readyz")
            for definition in self._definitions:
                await self._define(session, definition)

    async def _run(self, program: str, *flags: str) -> None:
        with (self._path / f"{program}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(self._binaries / program, *flags, stdout=log, stderr=log)
        self._processes.append(process)

    def _etcd_flags(self, url: str, peer: str) -> list[str]:
        return [
            f"--data-dir={self._path / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ]

    def _apiserver_flags(self, etcd: str) -> list[str]:
        certificate = self._file("tls.crt", self._certificates.certificate)
        key = self._file("tls.key", self._certificates.key)
        tokens = self._file("tokens.csv", f'{self.token},kubernetes-admin,admin,"system:masters"\n'.encode())
        return [
            f"--etcd-servers={etcd}",
            f"--bind-address={_HOST}",
            f"--secure-port={self._port}",
            f"--cert-dir={self._path}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--token-auth-file={tokens}",
            f"--service-account-key-file={certificate}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
        ]

    def _file(self, name: str, content: bytes) -> Path:
        path = self._path / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path

    async def _wait(self, session: aiohttp.ClientSession, path: str) -> None:
        """Until the server answers `path` with success."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await _says_ok(session, path):
                    dead = [process for process in self._processes if process.returncode is not None]
                    if dead:
                        raise TimeoutError
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            log = (self._path / "kube-apiserver.log").read_text(errors="replace")[-2000:]
            raise FatalError(f"kube-apiserver did not become ready: {log}") from error

    async def _define(self, session: aiohttp.ClientSession, definition: Object) -> None:
        """Create a definition and wait until its objects can be listed."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        async with session.post(path, json=definition) as answer:
            if answer.status != 201:
                raise FatalError(f"kube-apiserver refused a definition: {await answer.text()}")
        spec = definition["spec"]
        version = next(one["name"] for one in spec["versions"] if one["storage"])
        await self._wait(session, f"/apis/{spec['group']}/{version}/{spec['names']['plural']}")


async def _says_ok(session: aiohttp.ClientSession, path: str) -> bool:
    try:
        async with session.get(path) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
