"""Live copies of everything a decision needs, trimmed to what it reads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from msgspec import structs

from vipmgr.controller.changes.services import POOL_LABEL
from vipmgr.controller.changes.writes import Write
from vipmgr.core.decode import (
    Opting,
    decode_claim,
    decode_endpoints,
    decode_instance,
    decode_node,
    decode_pool,
    decode_report,
)
from vipmgr.core.model import Claim, Instance, NodeFacts, NodeName, NodeReport, Pool, Problem, ServiceKey
from vipmgr.core.wire import Eip, EndpointSlice, Metadata, Namespace, Node, Service, VipNode, VrrpInstance
from vipmgr.kube.client import Client
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import (
    EIPS,
    ENDPOINT_SLICES,
    NAMESPACES,
    NODES,
    SERVICES,
    VIP_NODES,
    VRRP_INSTANCES,
    Resource,
)

W = TypeVar("W")
V = TypeVar("V")

_OURS: Final = ("kubesphere.io/", "vipmgr.io/")


@dataclass(frozen=True, slots=True)
class Kept(Generic[W, V]):
    """An object as stored, trimmed, and what it was decoded to; decoding once per change keeps a pass cheap."""

    stored: W
    value: V


class Cluster:
    """Reflectors of the resources. `changed` is called after anything changed.

    Services are watched twice: those of type LoadBalancer, and those of any other type that still carry our label: a
    Service that changed its type leaves the first watch and enters the second until it is cleaned.
    """

    def __init__(self, client: Client, opting: Opting, changed: Callable[[], None]) -> None:
        def note(_: str) -> None:
            changed()

        def service(one: Service) -> Kept[Service, Claim | None]:
            return Kept(structs.replace(one, metadata=_metadata(one.metadata)), decode_claim(one, opting))

        self.services: Reflector[Service, Kept[Service, Claim | None]] = Reflector(
            client, SERVICES, decode=service, changed=note, field_selector="spec.type=LoadBalancer"
        )
        self.former: Reflector[Service, Kept[Service, Claim | None]] = Reflector(
            client,
            SERVICES,
            decode=service,
            changed=note,
            field_selector="spec.type!=LoadBalancer",
            label_selector=POOL_LABEL,
        )
        self.eips: Reflector[Eip, Kept[Eip, Pool]] = Reflector(client, EIPS, decode=_eip, changed=note)
        self.nodes: Reflector[Node, NodeFacts] = Reflector(client, NODES, decode=decode_node, changed=note)
        self.namespaces: Reflector[Namespace, Mapping[str, str]] = Reflector(
            client, NAMESPACES, decode=lambda one: one.metadata.labels or {}, changed=note
        )
        self.slices: Reflector[EndpointSlice, tuple[ServiceKey, frozenset[NodeName]]] = Reflector(
            client, ENDPOINT_SLICES, decode=decode_endpoints, changed=note
        )
        self.instances: Reflector[VrrpInstance, Kept[VrrpInstance, Instance | Problem]] = Reflector(
            client, VRRP_INSTANCES, decode=_instance, changed=note
        )
        self.vip_nodes: Reflector[VipNode, Kept[VipNode, NodeReport]] = Reflector(
            client, VIP_NODES, decode=_vip_node, changed=note
        )

    def reflectors(self) -> Iterator[tuple[str, Reflector[Any, Any]]]:
        """With the name of each for logs and metrics."""
        yield from (
            ("services", self.services),
            ("formerServices", self.former),
            ("eips", self.eips),
            ("nodes", self.nodes),
            ("namespaces", self.namespaces),
            ("endpointslices", self.slices),
            ("vrrpinstances", self.instances),
            ("vipnodes", self.vip_nodes),
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _, reflector in self.reflectors():
                group.create_task(reflector.run())

    async def synced(self) -> None:
        """Wait until every copy is complete: a decision on half of the objects would take addresses away."""
        for _, reflector in self.reflectors():
            await reflector.synced.wait()

    def adopt(self, write: Write, answer: Any) -> None:
        """Take over the stored object a write was answered with."""
        holder = self._holder(write.resource, answer)
        if holder is not None:
            holder.adopt(answer)

    def _holder(self, resource: Resource[Any], answer: Any) -> Reflector[Any, Any] | None:
        if resource is SERVICES:
            return self.services if answer.spec.type == "LoadBalancer" else None
        by_kind: dict[str, Reflector[Any, Any]] = {
            EIPS.kind: self.eips,
            VRRP_INSTANCES.kind: self.instances,
            VIP_NODES.kind: self.vip_nodes,
        }
        return by_kind.get(resource.kind)

    def endpoint_nodes(self) -> dict[str, frozenset[str]]:
        """Service -> nodes with a ready or serving endpoint, over all its slices."""
        nodes: dict[str, frozenset[str]] = {}
        for service, some in self.slices.items.values():
            nodes[service] = nodes[service] | some if service in nodes else some
        return nodes


def _metadata(metadata: Metadata, *, version: bool = True) -> Metadata:
    """Without what nobody reads: foreign annotations (kubectl keeps whole manifests there)."""
    annotations = {key: value for key, value in (metadata.annotations or {}).items() if _is_ours(key)}
    return structs.replace(
        metadata,
        annotations=annotations or None,
        resource_version=metadata.resource_version if version else "",
        owner_references=None,
        namespace=sys.intern(metadata.namespace),
    )


def _is_ours(annotation: str) -> bool:
    return any(domain in annotation for domain in _OURS)


def _eip(eip: Eip) -> Kept[Eip, Pool]:
    return Kept(structs.replace(eip, metadata=_metadata(eip.metadata)), decode_pool(eip))


def _instance(instance: VrrpInstance) -> Kept[VrrpInstance, Instance | Problem]:
    return Kept(structs.replace(instance, metadata=_metadata(instance.metadata)), decode_instance(instance))


def _vip_node(node: VipNode) -> Kept[VipNode, NodeReport]:
    """The text of the configuration is known by its revision; it would be most of the memory at 1,000 nodes."""
    metadata = _metadata(node.metadata, version=False)
    trimmed = structs.replace(node, metadata=metadata, spec=structs.replace(node.spec, keepalived=""))
    return Kept(trimmed, decode_report(node))
