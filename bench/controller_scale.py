"""10,000 fresh Services served by the controller: wall time, its memory, its CPU while idle.

The API server is the embedded one, in a process of its own; the controller is a process started as an operator would.

    python bench/controller_scale.py [--services 10000] [--slices 20000] [--nodes 1000] [--protocol vip]

With protocol vip the nodes have agents (bench/fleet.py) that confirm what they are told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from fleet import Fleet, make_nodes, node_name

from vipmgr.kube.auth import SERVER_VARIABLE, Access
from vipmgr.kube.client import Client
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import EIPS, ENDPOINT_SLICES, NAMESPACES, SERVICES
from vipmgr.lab.apiserver import ApiServer, read_definitions

ROOT = Path(__file__).parents[1]
IDLE_SECONDS = 15.0


def serve(path: str) -> None:
    """The API server, until standard input ends; its address goes into the file."""

    async def run() -> None:
        async with ApiServer(definitions=read_definitions(ROOT / "manifests" / "crds"), history=200_000) as server:
            Path(path).write_text(server.url, encoding="utf-8")  # noqa: ASYNC240 - before anybody waits
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


async def spread(total: int, in_flight: int, make) -> None:
    numbers = iter(range(total))

    async def work() -> None:
        for number in numbers:
            await make(number)

    await asyncio.gather(*(work() for _ in range(in_flight)))


def service(number: int) -> dict:
    metadata = {"name": f"s{number:05}", "annotations": {"lb.kubesphere.io/v1alpha1": "openelb"}}
    spec = {"type": "LoadBalancer", "selector": {"app": f"s{number:05}"}, "ports": [{"name": "http", "port": 80}]}
    return {"metadata": metadata, "spec": spec}


async def fill(client: Client, args: argparse.Namespace) -> None:
    for name in ("vipmgr-system", "load"):
        await client.create(NAMESPACES, {"metadata": {"name": name}})
    metadata = {"name": "big", "annotations": {"eip.openelb.kubesphere.io/is-default-eip": "true"}}
    spec = {"address": "10.0.0.0/16", "protocol": args.protocol, "interface": "eth0"}
    await client.create(EIPS, {"metadata": metadata, "spec": spec})
    await make_nodes(client, args.nodes)


async def slices(client: Client, args: argparse.Namespace) -> None:
    async def one(number: int) -> None:
        owner = f"s{number % max(1, args.services):05}"
        body = {
            "metadata": {"name": f"e{number:05}", "labels": {"kubernetes.io/service-name": owner}},
            "addressType": "IPv4",
            "ports": [{"port": 80}],
            "endpoints": [
                {"addresses": [f"10.1.{number % 250}.{at + 1}"], "nodeName": node_name((number + at) % args.nodes)}
                for at in range(3)
            ],
        }
        await client.create(ENDPOINT_SLICES, body, namespace="load")

    await spread(args.slices, args.in_flight, one)


async def count_served(client: Client, total: int, enough: asyncio.Event) -> None:
    """Set `enough` once so many Services show an address; by a watch, which costs the server little."""
    shown: set[str] = set()

    def look(key: str) -> None:
        if copy.items.get(key):
            shown.add(key)
        if len(shown) >= total:
            enough.set()

    copy = Reflector(
        client,
        SERVICES,
        decode=lambda one: bool(one.status.load_balancer.ingress),
        changed=look,
        field_selector="spec.type=LoadBalancer",
    )
    await copy.run()


class Program:
    """The controller as a process."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "vipmgr", "controller", "--no-webhook", "--listen", "127.0.0.1:0"]
        environment = os.environ | {SERVER_VARIABLE: url}
        self.log = tempfile.NamedTemporaryFile(prefix="controller-", suffix=".log")  # noqa: SIM115 - lives as long
        self._process = subprocess.Popen([*command, "--log-level", "info"], env=environment, stderr=self.log)
        self.stats = psutil.Process(self._process.pid)

    def rss(self) -> float:
        return self.stats.memory_info().rss / 2**20

    def peak(self) -> float:
        line = next(x for x in Path(f"/proc/{self.stats.pid}/status").read_text().splitlines() if "VmHWM" in x)
        return int(line.split()[1]) / 1024

    def cpu(self) -> float:
        times = self.stats.cpu_times()
        return times.user + times.system

    def check(self) -> None:
        """Raise when it has ended by itself, with its last words."""
        if self._process.poll() is not None:
            last = Path(self.log.name).read_text(encoding="utf-8")[-2000:]
            raise RuntimeError(f"the controller ended with status {self._process.returncode}: {last}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(15)


async def measure(url: str, args: argparse.Namespace) -> dict:
    figures: dict[str, float] = {}
    async with Client(Access(url), request_seconds=120.0) as client:
        await fill(client, args)
        if args.slices:
            await slices(client, args)
        fleet = asyncio.create_task(Fleet(client).run())
        controller = Program(url)
        try:
            enough = asyncio.Event()
            counting = asyncio.create_task(count_served(client, args.services, enough))
            began = time.monotonic()
            await spread(args.services, args.in_flight, lambda n: client.create(SERVICES, service(n), namespace="load"))
            figures["created_s"] = time.monotonic() - began
            async with asyncio.timeout(600):
                await enough.wait()
            counting.cancel()
            figures["served_s"] = time.monotonic() - began
            figures["busy_cpu_s"] = controller.cpu()
            await asyncio.sleep(5)
            before, at = controller.cpu(), time.monotonic()
            await asyncio.sleep(IDLE_SECONDS)
            figures["idle_cpu_percent"] = 100 * (controller.cpu() - before) / (time.monotonic() - at)
            figures["rss_mib"], figures["peak_mib"] = controller.rss(), controller.peak()
            began = time.monotonic()
            await client.create(SERVICES, service(args.services), namespace="load")
            await wait_one(client, args.services, controller)
            figures["one_more_s"] = time.monotonic() - began
        finally:
            controller.stop()
        began = time.monotonic()
        again = Program(url)
        try:
            await client.create(SERVICES, service(args.services + 1), namespace="load")
            await wait_one(client, args.services + 1, again)
            figures["cold_start_s"] = time.monotonic() - began
            figures["cold_rss_mib"] = again.rss()
        finally:
            again.stop()
            fleet.cancel()
            await asyncio.gather(fleet, return_exceptions=True)
    return figures


async def wait_one(client: Client, number: int, controller: Program) -> None:
    async with asyncio.timeout(120):
        while not (await client.get(SERVICES, f"s{number:05}", "load")).status.load_balancer.ingress:
            controller.check()
            await asyncio.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--protocol", choices=("layer2", "vip", "bgp"), default="layer2")
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "url")
        command = [sys.executable, __file__, "--serve", str(path)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            while not (path.exists() and path.read_text()):
                time.sleep(0.05)
            figures = asyncio.run(measure(path.read_text(), args))
        finally:
            server.stdin.close()
            server.wait(15)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({name: round(value, 2) for name, value in figures.items()} | machine | vars(args), indent=2))


if __name__ == "__main__":
    main()
