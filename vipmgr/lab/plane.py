"""The control plane of a lab: the API server (embedded, real, or somebody else's) and the controllers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from vipmgr.errors import FatalError
from vipmgr.kube.auth import sign_in
from vipmgr.kube.client import ApiError, Client
from vipmgr.lab import manifests
from vipmgr.lab.apiserver.real import ASSETS, RealApiServer, assets
from vipmgr.lab.containers import Containers
from vipmgr.lab.namespaces import inside
from vipmgr.lab.relay import Connect, listener, relay, tcp_socket
from vipmgr.lab.roles import NAMESPACE
from vipmgr.lab.topology import CONTROL_ADDRESS
from vipmgr.lab.wiring import ip

API_PORT: Final = 6443
APIS: Final = ("embedded", "real", "kubeconfig")
START_SECONDS: Final = 30.0
LEASE: Final = ("--lease-duration=6", "--lease-renew=4", "--lease-retry=1")
"""nobody wants to wait in a lab as long as a cluster that must bear a slow API server"""
MANIFESTS: Final = Path(__file__).parents[2] / "manifests"


class Plane:
    """`outside`: the network namespace the lab was started from, as a path.

    `api`: embedded, real (etcd and kube-apiserver from $KUBEBUILDER_ASSETS) or kubeconfig (the cluster of $KUBECONFIG;
    never without being asked for: the lab adds Nodes to it).
    """

    def __init__(self, state: Path, outside: str, api: str) -> None:
        (state / "logs").mkdir(exist_ok=True)
        self._state = state
        self._outside = outside
        self._api = api
        self._real: RealApiServer | None = None
        self._gate = asyncio.Event()
        self._gate.set()
        self._programs = Containers(state / "logs", lambda _: None)
        self._controllers: list[str] = []
        self._servers: list[asyncio.Server] = []
        self.kubeconfig = state / "kubeconfig-inside"
        self.client: Client | None = None

    async def start_api(self) -> Client:
        """Bring an API server to CONTROL_ADDRESS, wait until it answers, load what vipmgr needs there."""
        match self._api:
            case "embedded":
                self._start_embedded()
            case "real":
                await self._start_real()
            case _:
                config = _read(Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"))
                _write(self._state / "kubeconfig", config)
                await self._bring_in(config, lambda: inside(self._outside, tcp_socket))
        client = self.client = await self._sign_in()
        if self._api != "kubeconfig":
            await self._bring_out()
        await manifests.apply(client, manifests.read_folder(MANIFESTS / "crds"))
        await manifests.apply(client, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        return client

    def _start_embedded(self) -> None:
        argv = [sys.executable, "-m", "vipmgr.lab.apiserver", "--listen", f"{CONTROL_ADDRESS}:{API_PORT}"]
        argv += ["--kubeconfig", str(self.kubeconfig), "--crds", str(MANIFESTS / "crds")]
        self._programs.start("apiserver", argv, {})

    async def _start_real(self) -> None:
        """etcd and kube-apiserver on this namespace's loopback. FatalError when they are not there."""
        if (binaries := assets()) is None:
            raise FatalError(f"set ${ASSETS} to the folder of etcd and kube-apiserver")
        self._real = await RealApiServer(binaries).__aenter__()
        await self._bring_in(_read(self._real.kubeconfig), tcp_socket)

    async def _bring_in(self, config: dict[str, Any], connect: Connect) -> None:
        """Relay what the lab says at CONTROL_ADDRESS to the server of that kubeconfig, and write one that says so."""
        (context,) = [one["context"] for one in config["contexts"] if one["name"] == config["current-context"]]
        (cluster,) = [one["cluster"] for one in config["clusters"] if one["name"] == context["cluster"]]
        server = urlsplit(cluster["server"])
        if server.hostname is None:
            raise FatalError(f"the kubeconfig's server, {cluster['server']!r}, is no URL")
        cluster.setdefault("tls-server-name", server.hostname)
        cluster["server"] = f"{server.scheme}://{CONTROL_ADDRESS}:{API_PORT}"
        ear = listener(str(CONTROL_ADDRESS), API_PORT)
        target = (server.hostname, server.port or 443)
        self._servers.append(await relay(ear, connect, target, self._gate))
        _write(self.kubeconfig, config)

    async def start_controllers(self, count: int) -> None:
        for index in range(1, count + 1):
            name = f"controller-{index}"
            argv = [sys.executable, "-m", "vipmgr", "controller", f"--identity={name}"]
            argv += [f"--listen=:{8080 + index}", f"--webhook-listen=:{9443 + index}", *LEASE]
            env = {"KUBECONFIG": str(self.kubeconfig), "POD_NAME": name, "POD_NAMESPACE": NAMESPACE}
            self._programs.start(name, argv, env)
            self._controllers.append(name)

    def signal_controllers(self, number: signal.Signals) -> None:
        for name in self._controllers:
            self._programs.signal(name, number)

    async def hold(self, down: bool) -> None:
        """Nobody gets an answer: the server or the relay to it stands still, the nodes' packets are dropped."""
        if self._api == "embedded":
            self._programs.signal("apiserver", signal.SIGSTOP if down else signal.SIGCONT)
        elif down:
            self._gate.clear()
        else:
            self._gate.set()
        await asyncio.to_thread(ip, [f"link set mgmt {'down' if down else 'up'}"])

    async def close(self) -> None:
        if self.client is not None:
            await self.client.__aexit__()
        if self._real is not None:
            await self._real.stop()

    async def _sign_in(self) -> Client:
        """As soon as the server has written its kubeconfig and answers. TimeoutError after half a minute."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    client = Client(await sign_in(str(self.kubeconfig)))
                    await client.__aenter__()
                    await client.list(manifests.KINDS["Namespace"])
                except (ApiError, FatalError):
                    await asyncio.sleep(0.05)
                else:
                    return client

    async def _bring_out(self) -> None:
        """`kubeconfig`, beside ours, for people and programs in the namespace the lab was started from."""
        ear = inside(self._outside, lambda: listener("127.0.0.1"))
        port = ear.getsockname()[1]
        self._servers.append(await relay(ear, tcp_socket, (str(CONTROL_ADDRESS), API_PORT), self._gate))
        config = _read(self.kubeconfig)
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
        _write(self._state / "kubeconfig", config)


def _read(path: Path) -> dict[str, Any]:
    """A kubeconfig. FatalError when there is none."""
    try:
        config: dict[str, Any] = yaml.safe_load(path.read_text())
    except OSError as error:
        raise FatalError(f"{path}: {error.strerror}") from error
    return config


def _write(path: Path, config: dict[str, Any]) -> None:
    """For its owner alone: it holds a token."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        yaml.safe_dump(config, file)
