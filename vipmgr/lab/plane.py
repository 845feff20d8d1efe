"""The control plane of a lab: the API server (embedded, real, or somebody else's) and the controllers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from vipmgr.errors import FatalError
from vipmgr.kube.auth import sign_in
from vipmgr.kube.client import ApiError, Client
from vipmgr.lab import manifests
from vipmgr.lab.containers import Containers
from vipmgr.lab.namespaces import inside
from vipmgr.lab.relay import listener, relay, tcp_socket
from vipmgr.lab.roles import NAMESPACE
from vipmgr.lab.topology import CONTROL_ADDRESS
from vipmgr.lab.wiring import ip

API_PORT: Final = 6443
START_SECONDS: Final = 30.0
LEASE: Final = ("--lease-duration=6", "--lease-renew=4", "--lease-retry=1")
"""nobody wants to wait in a lab as long as a cluster that must bear a slow API server"""
MANIFESTS: Final = Path(__file__).parents[2] / "manifests"


class Plane:
    """`outside`: the network namespace the lab was started from, as a path."""

    def __init__(self, state: Path, outside: str) -> None:
        (state / "logs").mkdir(exist_ok=True)
        self._state = state
        self._outside = outside
        self._programs = Containers(state / "logs", lambda _: None)
        self._controllers: list[str] = []
        self._servers: list[asyncio.Server] = []
        self.kubeconfig = state / "kubeconfig-inside"
        self.client: Client | None = None

    async def start_api(self) -> Client:
        """Start the API server, wait until it answers, load what vipmgr needs there."""
        argv = [sys.executable, "-m", "vipmgr.lab.apiserver", "--listen", f"{CONTROL_ADDRESS}:{API_PORT}"]
        argv += ["--kubeconfig", str(self.kubeconfig), "--crds", str(MANIFESTS / "crds")]
        self._programs.start("apiserver", argv, {})
        client = self.client = await self._sign_in()
        await self._open_to_the_outside()
        await manifests.apply(client, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        return client

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
        """Nobody gets an answer: the process is stopped, the nodes' packets are dropped."""
        self._programs.signal("apiserver", signal.SIGSTOP if down else signal.SIGCONT)
        await asyncio.to_thread(ip, [f"link set mgmt {'down' if down else 'up'}"])

    async def close(self) -> None:
        if self.client is not None:
            await self.client.__aexit__()

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

    async def _open_to_the_outside(self) -> None:
        """`kubeconfig`, beside ours, for people and programs in the namespace the lab was started from."""
        ear = inside(self._outside, lambda: listener("127.0.0.1"))
        port = ear.getsockname()[1]
        self._servers.append(await relay(ear, tcp_socket, (str(CONTROL_ADDRESS), API_PORT)))
        config: dict[str, Any] = yaml.safe_load(self.kubeconfig.read_text())
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
        fd = os.open(self._state / "kubeconfig", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            yaml.safe_dump(config, file)
