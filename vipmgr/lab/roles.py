"""What the rest of Kubernetes would do: Node objects and their readiness, endpoints of Services, pods of the agents.

Endpoints: every Service has one on every node, unless its annotation `lab.vipmgr.io/endpoints` names the nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vipmgr.core.wire import Eip, Service
from vipmgr.kube.client import ApiError, Client, Patch
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import EIPS, SERVICES
from vipmgr.lab import manifests
from vipmgr.lab.apiserver.reading import LOG_ANNOTATION
from vipmgr.lab.topology import Host, Topology

ENDPOINTS: Final = "lab.vipmgr.io/endpoints"
NAMESPACE: Final = "vipmgr-system"
CHECK_SECONDS: Final = 0.25


def node_object(host: Host, topology: Topology) -> manifests.Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": host.name, "labels": {"kubernetes.io/hostname": host.name, "kubernetes.io/os": "linux"}},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": str(host.v4(topology.segments[0]))},
                {"type": "Hostname", "address": host.name},
            ],
            "conditions": [ready_condition(True)],
        },
    }


def ready_condition(ready: bool) -> dict[str, str]:
    """As the kubelet writes it, and as the node lifecycle controller overwrites it when the kubelet is silent."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = ("True", "KubeletReady", "kubelet is posting ready status")
    silent = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    status, reason, message = said if ready else silent
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {"type": "Ready", "status": status, "reason": reason, "message": message} | times


def agent_pod(node: str, log: Path) -> manifests.Object:
    """`log`: the agent's output; the embedded API server shows it as the pod's log."""
    containers = [{"name": name, "image": "vipmgr"} for name in ("agent", "keepalived")]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"vipmgr-agent-{node}",
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/name": "vipmgr", "app.kubernetes.io/component": "agent"},
            "annotations": {LOG_ANNOTATION: str(log)},
        },
        "spec": {"nodeName": node, "hostNetwork": True, "containers": containers},
        "status": {"phase": "Running"},
    }


@dataclass(frozen=True, slots=True)
class Duties:
    """What one node serves. `health`: health check port -> ready endpoints on that node. `taken`: addresses on no
    interface whose traffic is its own all the same."""

    ports: frozenset[tuple[str, int]] = frozenset()
    health: Mapping[int, int] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()


def endpoint_nodes(service: Service, ready: list[str]) -> list[str]:
    """The nodes with an endpoint of this Service, out of those that are ready."""
    named = (service.metadata.annotations or {}).get(ENDPOINTS)
    return ready if named is None else [node for node in ready if node in named.split(",")]


def duties(services: list[Service], node: str, ready: list[str], loose: frozenset[str] = frozenset()) -> Duties:
    """Every port of every Service is open on every node, as with kube-proxy. `loose`: addresses on no interface."""
    ports, health = set(), {}
    taken = set()
    for service in services:
        ports |= {(port.protocol or "TCP", port.port) for port in service.spec.ports or []}
        if check := service.spec.health_check_node_port:
            health[check] = int(node in endpoint_nodes(service, ready))
        if service.spec.external_traffic_policy != "Local" or node in endpoint_nodes(service, ready):
            taken |= {one.ip for one in service.status.load_balancer.ingress or ()} & loose
    return Duties(frozenset(ports), health, frozenset(taken))


def endpoint_slice(service: Service, ready: list[str]) -> manifests.Object:
    """One slice per Service. Addresses are made up (RFC 5737): nobody routes to pods here."""
    meta = service.metadata
    endpoints = [
        {"addresses": [f"192.0.2.{index}"], "nodeName": node, "conditions": {"ready": True, "serving": True}}
        for index, node in enumerate(endpoint_nodes(service, ready), start=1)
    ]
    owner = {"apiVersion": "v1", "kind": "Service", "name": meta.name, "uid": meta.uid}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta.name}-lab",
            "namespace": meta.namespace,
            "labels": {"kubernetes.io/service-name": meta.name},
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": port.name or "", "port": port.port} for port in service.spec.ports or []],
    }


def _loose(eip: Eip) -> frozenset[str]:
    """The addresses of this pool in use that no node puts on an interface."""
    return frozenset(eip.status.used or ()) if eip.spec.protocol != "vip" else frozenset()


class Roles:
    """`alive`: node -> whether its kubelet can be heard now. `serve`: give a node its duties."""

    def __init__(
        self,
        client: Client,
        *,
        alive: Callable[[], Mapping[str, bool]],
        serve: Callable[[str, Duties], Any],
        grace: float,
    ) -> None:
        self._client = client
        self._alive = alive
        self._serve = serve
        self._grace = grace
        self._last_heard: dict[str, float] = {}
        self._ready: dict[str, bool] = {}
        self._given: dict[str, Duties] = {}
        self._slices: dict[str, manifests.Object] = {}
        self._services: Reflector[Service, Service] = Reflector(
            client, SERVICES, decode=lambda service: service, changed=lambda _: self._stale.set()
        )
        self._eips: Reflector[Eip, frozenset[str]] = Reflector(
            client, EIPS, decode=_loose, changed=lambda _: self._stale.set()
        )
        self._stale = asyncio.Event()

    async def run(self) -> None:
        """For ever. A refused or unreachable API server is tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.run())
            group.create_task(self._eips.run())
            group.create_task(self._rounds())

    def forget(self, node: str) -> None:
        """A node booted: it serves nothing yet."""
        self._given.pop(node, None)
        self._stale.set()

    async def _rounds(self) -> None:
        while True:
            with contextlib.suppress(ApiError):
                await self._judge_nodes()
                if self._stale.is_set():
                    self._stale.clear()
                    await self._serve_services()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), CHECK_SECONDS)

    async def _serve_services(self) -> None:
        try:
            await self._give_duties()
            await self._place_endpoints()
        except ApiError:
            self._stale.set()
            raise

    async def _judge_nodes(self) -> None:
        now = time.monotonic()
        for node, alive in self._alive().items():
            if alive:
                self._last_heard[node] = now
            ready = now - self._last_heard.setdefault(node, now) < self._grace
            if self._ready.get(node) != ready:
                self._stale.set()
            if self._ready.get(node, True) != ready:
                # "conditions" merges by type only in a strategic patch; the lab's nodes have this one alone.
                status = {"status": {"conditions": [ready_condition(ready)]}}
                await self._client.patch(manifests.KINDS["Node"], node, status, subresource="status")
            self._ready[node] = ready
        for gone in self._ready.keys() - self._alive().keys():
            del self._ready[gone]
            self._stale.set()

    async def _place_endpoints(self) -> None:
        ready = sorted(node for node, is_ready in self._ready.items() if is_ready)
        for key, service in dict(self._services.items).items():
            wanted = endpoint_slice(service, ready)
            if self._slices.get(key) != wanted:
                meta = wanted["metadata"]
                await self._client.patch(
                    manifests.KINDS["EndpointSlice"], meta["name"], wanted, namespace=meta["namespace"],
                    kind=Patch.APPLY, field_manager=manifests.FIELD_MANAGER,
                )  # fmt: skip
                self._slices[key] = wanted
        for gone in self._slices.keys() - self._services.items.keys():
            meta = self._slices.pop(gone)["metadata"]
            with contextlib.suppress(ApiError):
                await self._client.delete(manifests.KINDS["EndpointSlice"], meta["name"], namespace=meta["namespace"])

    async def _give_duties(self) -> None:
        ready = sorted(node for node, is_ready in self._ready.items() if is_ready)
        services = list(self._services.items.values())
        loose = frozenset().union(*self._eips.items.values())
        for node, alive in self._alive().items():
            wanted = duties(services, node, ready, loose)
            if alive and self._given.get(node) != wanted:
                await self._serve(node, wanted)
                self._given[node] = wanted
