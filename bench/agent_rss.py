"""Memory of the node agent: `vipmgr agent` against the API server double, before and after a plan of many VIPs.

    python bench/agent_rss.py [--vips 1000] [--instances 10]

It runs in a network namespace of its own (unshare -n) with real keepalived; the API server double listens on loopback
inside. Prints resident memory as the kernel counts it (VmRSS) and the peak (VmHWM). Run as root.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_address
from pathlib import Path

import msgspec

from vipmgr.core.addresses import parse_range
from vipmgr.core.model import Family, InstancePlan, NodePlan, Protocol
from vipmgr.core.render import node_spec
from vipmgr.core.wire import VipNodeSpec
from vipmgr.kube.auth import Access
from vipmgr.kube.client import ApiError, Client
from vipmgr.kube.resources import NODES, VIP_NODES
from vipmgr.lab.apiserver import ApiServer, read_definitions

ROOT = Path(__file__).parents[1]
LINKS = (
    "link set lo up",
    "link add eth0 type veth peer name eth1",
    "link set eth0 up",
    "link set eth1 up",
    "addr add 10.77.0.1/16 dev eth0",
)
INSIDE = "VIPMGR_BENCH_INSIDE"


def memory(pid: int) -> tuple[float, float]:
    """MiB: resident now, and at its highest."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


def plan(instances: int, vips: int) -> VipNodeSpec:
    share = vips // instances
    made = [
        InstancePlan(
            name=f"p-{number}",
            eip="p",
            interface="eth0",
            family=Family.IPV4,
            vrid=number + 1,
            priority=254,
            anchor=ip_address(f"169.254.77.{number + 1}"),
            advert_interval_ms=100,
            vips=tuple(ip_address("10.77.8.0") + number * share + one for one in range(share)),
        )
        for number in range(instances)
    ]
    pools = (("p", Protocol.VIP, "eth0", (parse_range("10.77.8.0/21"),)),)
    return node_spec(
        NodePlan(node="n1", instances=tuple(made), pools=pools), (ROOT / "templates/keepalived.conf.j2").read_text()
    )


async def measure(instances: int, vips: int) -> None:
    async with (
        ApiServer(definitions=read_definitions(ROOT / "manifests/crds")) as server,
        Client(Access(server.url)) as client,
    ):
        await client.create(NODES, {"metadata": {"name": "n1"}})
        environment = {**os.environ, "VIPMGR_API_SERVER": server.url}
        keeper = subprocess.Popen(  # noqa: ASYNC220 - once, before anything is measured
            [ROOT / "vipmgr/node/keepalived-run.sh"], stdout=subprocess.DEVNULL
        )
        agent = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "vipmgr", "agent", "--node", "n1"],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            await until(lambda: client.get(VIP_NODES, "n1"), lambda found: bool(found.status.listening_since))
            await asyncio.sleep(2)
            show("idle, no plan", agent.pid)
            spec = plan(instances, vips)
            await client.patch(VIP_NODES, "n1", {"spec": msgspec.to_builtins(spec)})
            await until(lambda: client.get(VIP_NODES, "n1"), lambda found: found.status.revision == spec.revision)
            await asyncio.sleep(3)
            show(f"{instances} instances, {vips} VIPs held", agent.pid)
            began, used = time.monotonic(), cpu(agent.pid)
            await asyncio.sleep(10)
            print(f"{'CPU while nothing happens':<36}{(cpu(agent.pid) - used) / (time.monotonic() - began):>9.2%}")
        finally:
            for process in (agent, keeper):
                process.terminate()
                process.wait(10)


async def until(read, fits) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if fits(await read()):
                    return
            except ApiError:
                pass  # not there yet
            await asyncio.sleep(0.1)


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(what: str, pid: int) -> None:
    now, peak = memory(pid)
    print(f"{what:<36}{now:>7.1f} MiB, peak {peak:.1f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vips", type=int, default=1000)
    parser.add_argument("--instances", type=int, default=10)
    args = parser.parse_args()
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv])  # noqa: S606 - no shell wanted
    with tempfile.TemporaryDirectory() as folder:
        for name, place in (("run", "/run/vipmgr"), ("state", "/var/lib/vipmgr")):
            (Path(folder) / name).mkdir()
            Path(place).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", f"{folder}/{name}", place], check=True)
        for words in LINKS:
            subprocess.run(["ip", *words.split()], check=True)
        asyncio.run(measure(args.instances, args.vips))
        for place in ("/run/vipmgr", "/var/lib/vipmgr"):
            subprocess.run(["umount", place], check=True)


if __name__ == "__main__":
    main()
