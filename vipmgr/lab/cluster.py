"""A running lab: PID 1 of its namespaces. Builds the topology, starts everything, does what it is asked.

python -m vipmgr.lab.cluster --state DIR --outside-fd N [--nodes 3] ...      (started by vipmgr.lab.reaper)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from vipmgr.errors import FatalError
from vipmgr.kube.client import Client
from vipmgr.kube.resources import VIP_NODES
from vipmgr.lab import control, manifests, topology, wiring
from vipmgr.lab.apiserver.real import assets
from vipmgr.lab.desk import Desk
from vipmgr.lab.machines import Machine
from vipmgr.lab.plane import APIS, Plane
from vipmgr.lab.roles import NAMESPACE, Duties, Roles, agent_pod, node_object
from vipmgr.log import get_log, set_up

log = get_log(__name__)
POLL_SECONDS = 0.1
REPORT_SECONDS = 60.0
KEEPALIVED = Path(__file__).parents[1] / "node" / "keepalived-run.sh"
"""what keepalived's container runs"""
GOBGPD = KEEPALIVED.with_name("gobgpd-run.sh")


class Cluster:
    def __init__(self, options: argparse.Namespace) -> None:
        self.state: Path = options.state
        self.topology = topology.plan(options.nodes, options.segments, options.cluster)
        self.plane = Plane(self.state, f"/proc/self/fd/{options.outside_fd}", options.api)
        self._options = options
        self.machines: dict[str, Machine] = {}
        self._roles: Roles | None = None
        self.is_up = asyncio.Event()

    def machine(self, name: str) -> Machine:
        """KeyError when it left, or has not come up yet."""
        return self.machines[name]

    @property
    def client(self) -> Client:
        """Of the API server. FatalError while there is none."""
        if self.plane.client is None:
            raise FatalError("this lab has no API server (yet)")
        return self.plane.client

    async def up(self) -> None:
        """Everything started, every agent has reported. Then keeps playing Kubernetes, for ever."""
        await asyncio.to_thread(wiring.lay, self.topology)
        if self._options.bare:
            await asyncio.gather(*(self._add_machine(host).boot() for host in self.topology.nodes))
            self.is_up.set()
            await asyncio.Event().wait()
        client = await self.plane.start_api()
        await self.plane.start_controllers(self._options.controllers)
        self._roles = Roles(client, alive=self._alive, serve=self._serve, grace=self._options.grace)
        async with asyncio.TaskGroup() as group:
            await asyncio.gather(*(self._bring_up(host) for host in self.topology.nodes))
            group.create_task(self._roles.run())
            await self._wait_for_agents([host.name for host in self.topology.nodes])
            self.is_up.set()

    async def _bring_up(self, host: topology.Host) -> None:
        machine = self._add_machine(host)
        pod = agent_pod(host.name, machine.state / "logs" / "agent.log")
        await manifests.apply(self.client, [node_object(host, self.topology), pod])
        await self._boot(machine)

    def _add_machine(self, host: topology.Host) -> Machine:
        machine = self.machines[host.name] = Machine(host.name, self.state / "nodes" / host.name)
        return machine

    async def _boot(self, machine: Machine) -> None:
        await machine.boot()
        if self._options.bare:
            return
        env = {
            "KUBECONFIG": str(self.plane.kubeconfig),
            "NODE_NAME": machine.name,
            "POD_NAME": f"vipmgr-agent-{machine.name}",
            "POD_NAMESPACE": NAMESPACE,
            "TMPDIR": "/run/vipmgr",
        }
        await machine.ask("start", name="keepalived", argv=["/bin/sh", str(KEEPALIVED)], env=env)
        if self._options.bgp:
            await machine.ask("start", name="gobgpd", argv=["/bin/sh", str(GOBGPD)], env=env)
        await machine.ask(
            "start", name="agent", argv=[sys.executable, "-m", "vipmgr", "agent", "--listen=:9474"], env=env
        )

    async def _wait_for_agents(self, names: Sequence[str]) -> None:
        """Every named node's agent has reported. FatalError with their last words when one does not."""
        missing = set(names)
        deadline = time.monotonic() + REPORT_SECONDS
        while missing:
            if time.monotonic() > deadline:
                said = "\n".join(self.machines[name].last_words() for name in sorted(missing))
                raise FatalError(f"no report of {', '.join(sorted(missing))} within {REPORT_SECONDS:.0f} s:\n{said}")
            nodes = await self.client.list(VIP_NODES)
            missing -= {node.metadata.name for node in nodes if node.status.agent_version}
            await asyncio.sleep(POLL_SECONDS)

    def _alive(self) -> Mapping[str, bool]:
        return {name: machine.running for name, machine in self.machines.items()}

    async def _serve(self, node: str, wanted: Duties) -> None:
        health = {str(port): count for port, count in wanted.health.items()}
        await self.machines[node].ask("serve", ports=sorted(wanted.ports), health=health, taken=sorted(wanted.taken))

    async def reboot(self, name: str) -> None:
        """A node comes back: new interfaces, empty /run, the disk as it was."""
        host, machine = self.topology.node(name), self.machines[name]
        await machine.die()
        await asyncio.to_thread(wiring.remove_host, host)
        await asyncio.to_thread(wiring.add_host, host, self.topology)
        await self._boot(machine)
        if self._roles:
            self._roles.forget(name)

    async def join(self) -> str:
        self.topology, host = self.topology.grown()
        await asyncio.to_thread(wiring.add_host, host, self.topology)
        await self._bring_up(host)
        await self._wait_for_agents([host.name])
        return host.name

    async def leave(self, name: str) -> None:
        """As an administrator does it: the pods are stopped, the Node is deleted, the machine goes."""
        machine = self.machines.pop(name)
        for container in ("agent", "keepalived", *(["gobgpd"] if self._options.bgp else [])):
            await machine.ask("stop", name=container, grace=5)
        client = self.client
        await client.delete(manifests.KINDS["Node"], name)
        await client.delete(manifests.KINDS["Pod"], f"vipmgr-agent-{name}", namespace=NAMESPACE)
        await machine.die()
        host = self.topology.node(name)
        await asyncio.to_thread(wiring.remove_host, host)
        self.topology = self.topology.without(host)

    async def annotate_node(self, name: str, *, drain: bool) -> None:
        body = {"metadata": {"annotations": {"vipmgr.io/drain": "true" if drain else None}}}
        await self.client.patch(VIP_NODES, name, body)


async def _main(options: argparse.Namespace) -> int:
    cluster = Cluster(options)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await control.serve(options.state, Desk(cluster).answer)
    running = asyncio.create_task(cluster.up())
    ending = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
    server.close()
    if ending in done:
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await cluster.plane.close()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cluster")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--outside-fd", type=int, required=True)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--segments", type=int, default=1)
    parser.add_argument("--cluster", type=int, default=0)
    parser.add_argument("--controllers", type=int, default=1)
    parser.add_argument("--grace", type=float, default=3.0)
    parser.add_argument("--api", choices=APIS, default="real" if assets() else "embedded")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--bgp", action="store_true", help="a gobgpd on every node")
    set_up()
    try:
        return asyncio.run(_main(parser.parse_args(argv)))
    except* (FatalError, ValueError) as reasons:
        print(*reasons.exceptions, sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
