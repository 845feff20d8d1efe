"""What a running lab can be asked (the requests that vipmgr.lab.client makes over vipmgr.lab.control)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vipmgr.lab import faults, manifests, topology
from vipmgr.lab.control import Handler
from vipmgr.lab.machines import Probing

if TYPE_CHECKING:
    from vipmgr.lab.cluster import Cluster

Request = Mapping[str, Any]


class Desk:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._probings: dict[int, Probing] = {}
        self._numbers = itertools.count(1)
        self._requests: dict[str, Handler] = {
            "wait-up": self._wait_up, "describe": self._describe, "fault": self._fault, "run": self._run,
            "apply": self._apply, "get": self._get, "list": self._list, "patch": self._patch, "delete": self._delete,
            "probe": self._probe, "probed": self._probed,
        }  # fmt: skip

    async def answer(self, request: Request) -> Any:
        """ValueError for a request that nobody knows."""
        if (handler := self._requests.get(request["do"])) is None:
            raise ValueError(f"the lab does not understand {request['do']!r}")
        return await handler(request)

    async def _wait_up(self, request: Request) -> Any:
        await self._cluster.is_up.wait()
        return await self._describe(request)

    async def _describe(self, _: Request) -> Any:
        """What `lab status` shows and `lab exec` needs. Process ids are those inside the lab."""
        wires = self._cluster.topology
        return {
            "name": self._cluster.state.name,
            "up": self._cluster.is_up.is_set(),
            "nodes": {host.name: self._describe_node(host) for host in wires.nodes},
            "segments": {one.interface: [str(one.v4), str(one.v6)] for one in wires.segments},
            "kubeconfig": str(self._cluster.state / "kubeconfig"),
        }

    def _describe_node(self, host: topology.Host) -> dict[str, Any]:
        machine = self._cluster.machines.get(host.name)
        segments = self._cluster.topology.segments
        return {
            "running": machine is not None and machine.running,
            "pid": machine.pid if machine else None,
            "starts": machine.starts if machine else {},
            "alive": sorted(machine.alive) if machine else [],
            "addresses": {one.interface: [str(host.v4(one)), str(host.v6(one))] for one in segments},
        }

    async def _fault(self, request: Request) -> int:
        """Returns the time (ns since the epoch) just before it happened."""
        faults.check(request["name"], request["nodes"], [host.name for host in self._cluster.topology.nodes])
        began = time.time_ns()
        await faults.FAULTS[request["name"]].act(self._cluster, request["nodes"])
        return began

    async def _run(self, request: Request) -> None:
        """A further container on a node."""
        machine = self._cluster.machines[request["node"]]
        await machine.ask("start", name=request["name"], argv=request["argv"], env=request.get("env", {}))

    async def _apply(self, request: Request) -> None:
        await manifests.apply(self._cluster.client, request["objects"])

    async def _get(self, request: Request) -> Any:
        resource = manifests.kind_of(request["kind"])
        return await self._cluster.client.get(resource, request["name"], request["namespace"])

    async def _list(self, request: Request) -> Any:
        return await self._cluster.client.list(manifests.kind_of(request["kind"]), namespace=request["namespace"])

    async def _patch(self, request: Request) -> Any:
        return await self._cluster.client.patch(
            manifests.kind_of(request["kind"]), request["name"], request["body"],
            namespace=request["namespace"], subresource=request["subresource"],
        )  # fmt: skip

    async def _delete(self, request: Request) -> None:
        resource = manifests.kind_of(request["kind"])
        await self._cluster.client.delete(resource, request["name"], namespace=request["namespace"])

    async def _probe(self, request: Request) -> int:
        number = next(self._numbers)
        self._probings[number] = await Probing.start(
            topology.CLIENT, request["interface"], request["addresses"], request["interval_ms"]
        )
        return number

    async def _probed(self, request: Request) -> Any:
        if not request["stop"]:
            return await self._probings[request["number"]].record()
        return await self._probings.pop(request["number"]).stop()
