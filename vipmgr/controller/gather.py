"""Live copies of everything a decision needs, trimmed to what it reads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import structs

from vipmgr.controller.changes.services import is_ours
from vipmgr.controller.changes.writes import Write
from vipmgr.core.bgp_objects import BgpConf, BgpPeer
from vipmgr.core.bgp_policy import ENTRY
from vipmgr.core.decode import decode_endpoints
from vipmgr.core.model import NodeName, Problem, Reason, ServiceKey
from vipmgr.core.snapshot import Objects
from vipmgr.core.wire import Eip, EndpointSlice, Metadata, Namespace, Node, Service, VipNode, VrrpInstance
from vipmgr.kube.client import Client
from vipmgr.kube.objects import ConfigMap
from vipmgr.kube.reflector import Reflector
from vipmgr.kube.resources import (
    BGP_CONFS,
    BGP_PEERS,
    CONFIG_MAPS,
    EIPS,
    ENDPOINT_SLICES,
    NAMESPACES,
    NODES,
    SERVICES,
    VIP_NODES,
    VRRP_INSTANCES,
    Resource,
)

_OURS: Final = ("kubesphere.io/", "vipmgr.io/")


class Cluster:
    """Reflectors of the resources. `changed` is called after anything changed; `namespace`: of the ConfigMaps.

    Services are watched twice: those of type LoadBalancer, and those of any other type, of which only the ones that
    still carry traces of ours are kept: a Service that changed its type leaves the first copy and enters the second
    until it is cleaned. A label cannot select these: one that was refused carries a condition alone.
    """

    def __init__(self, client: Client, changed: Callable[[], None], namespace: str) -> None:
        def note(_: str) -> None:
            changed()

        self.services: Reflector[Service, Service] = Reflector(
            client, SERVICES, decode=_service, changed=note, field_selector="spec.type=LoadBalancer"
        )
        self.former: Reflector[Service, Service] = Reflector(
            client,
            SERVICES,
            decode=lambda one: _service(one) if is_ours(one) else None,
            changed=note,
            field_selector="spec.type!=LoadBalancer",
        )
        self.eips: Reflector[Eip, Eip] = Reflector(client, EIPS, decode=_eip, changed=note)
        self.nodes: Reflector[Node, Node] = Reflector(client, NODES, decode=_node, changed=note)
        self.namespaces: Reflector[Namespace, Mapping[str, str]] = Reflector(
            client, NAMESPACES, decode=lambda one: one.metadata.labels or {}, changed=note
        )
        self.slices: Reflector[EndpointSlice, tuple[ServiceKey, frozenset[NodeName]]] = Reflector(
            client, ENDPOINT_SLICES, decode=decode_endpoints, changed=note
        )
        self.instances: Reflector[VrrpInstance, VrrpInstance] = Reflector(
            client, VRRP_INSTANCES, decode=_instance, changed=note
        )
        self.vip_nodes: Reflector[VipNode, VipNode] = Reflector(client, VIP_NODES, decode=_vip_node, changed=note)
        self.bgp_confs: Reflector[BgpConf, BgpConf] = Reflector(client, BGP_CONFS, decode=_conf, changed=note)
        self.bgp_peers: Reflector[BgpPeer, BgpPeer] = Reflector(client, BGP_PEERS, decode=_peer, changed=note)
        self.config_maps: Reflector[ConfigMap, Mapping[str, str]] = Reflector(
            client, CONFIG_MAPS, decode=_policy, changed=note, namespace=namespace
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
            ("bgpconfs", self.bgp_confs),
            ("bgppeers", self.bgp_peers),
            ("configmaps", self.config_maps),
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
            BGP_CONFS.kind: self.bgp_confs,
            BGP_PEERS.kind: self.bgp_peers,
        }
        return by_kind.get(resource.kind)

    def unreadable(self) -> list[Problem]:
        """Objects whose last version does not fit: what they said before counts, or they are left out."""
        return [
            Problem(f"{reflector.resource.kind}/{key}", Reason.UNREADABLE, f"cannot be read, {one.why}")
            for _, reflector in self.reflectors()
            for key, one in reflector.unreadable.items()
        ]

    def objects(self) -> Objects:
        """What is there now; later changes do not show in it."""
        return Objects(
            services={**self.former.items, **self.services.items},
            eips=dict(self.eips.items),
            namespaces=dict(self.namespaces.items),
            nodes=dict(self.nodes.items),
            endpoints=self.endpoint_nodes(),
            instances=dict(self.instances.items),
            vip_nodes=dict(self.vip_nodes.items),
            bgp_confs=dict(self.bgp_confs.items),
            bgp_peers=dict(self.bgp_peers.items),
            bgp_policies={key.partition("/")[2]: data for key, data in self.config_maps.items.items()},
        )

    def endpoint_nodes(self) -> dict[ServiceKey, frozenset[NodeName]]:
        """Service -> nodes with a ready endpoint, over all its slices."""
        nodes: dict[ServiceKey, frozenset[NodeName]] = {}
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


def _service(service: Service) -> Service:
    """Thousands of them say the same words: each word is kept once. Cluster IPs count only without ipFamilies."""
    spec, status = service.spec, service.status
    metadata = _metadata(service.metadata)
    metadata.labels = {key: sys.intern(value) for key, value in (metadata.labels or {}).items()} or None
    spec.type = sys.intern(spec.type)
    spec.external_traffic_policy = sys.intern(spec.external_traffic_policy)
    spec.ip_family_policy = sys.intern(spec.ip_family_policy) if spec.ip_family_policy else None
    spec.ip_families = [sys.intern(family) for family in spec.ip_families or ()] or None
    spec.cluster_ips = None if spec.ip_families else spec.cluster_ips
    for port in spec.ports or ():
        port.protocol, port.name = sys.intern(port.protocol), ""
    for one in status.conditions or ():
        one.type, one.status, one.reason = sys.intern(one.type), sys.intern(one.status), sys.intern(one.reason)
    return structs.replace(service, metadata=metadata)


def _eip(eip: Eip) -> Eip:
    return structs.replace(eip, metadata=_metadata(eip.metadata))


def _node(node: Node) -> Node:
    """Without heartbeats of the kubelet, which are no change."""
    ready = [one for one in node.status.conditions or () if one.type == "Ready"]
    return structs.replace(
        node, metadata=_metadata(node.metadata, version=False), status=structs.replace(node.status, conditions=ready)
    )


def _instance(instance: VrrpInstance) -> VrrpInstance:
    return structs.replace(instance, metadata=_metadata(instance.metadata))


def _conf(conf: BgpConf) -> BgpConf:
    return structs.replace(conf, metadata=_metadata(conf.metadata, version=False))


def _peer(peer: BgpPeer) -> BgpPeer:
    """The password is the agents' business."""
    hidden = "***" if peer.spec.conf.auth_password else ""
    spec = structs.replace(peer.spec, conf=structs.replace(peer.spec.conf, auth_password=hidden))
    return structs.replace(peer, metadata=_metadata(peer.metadata, version=False), spec=spec)


def _policy(found: ConfigMap) -> Mapping[str, str]:
    return {key: text for key, text in (found.data or {}).items() if key == ENTRY}


def _vip_node(node: VipNode) -> VipNode:
    """The text of the configuration is known by its revision; it would be most of the memory at 1,000 nodes."""
    metadata = _metadata(node.metadata, version=False)
    return structs.replace(node, metadata=metadata, spec=structs.replace(node.spec, keepalived=""))
