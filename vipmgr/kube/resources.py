"""Where each resource lives on the API server, and the struct it is decoded into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import quote

from vipmgr.core import bgp_objects, wire
from vipmgr.kube import objects

T = TypeVar("T")


@dataclass(frozen=True)
class Resource(Generic[T]):
    """One kind of object. `group` is empty for core/v1."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    type: type[T]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of a collection, of one object, or of its subresource; no namespace means all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = ["namespaces", quote(namespace, safe="")] if self.namespaced and namespace else []
        rest = [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join([root, *scope, self.plural, *rest])


SERVICES: Final = Resource("", "v1", "services", "Service", True, wire.Service)
NODES: Final = Resource("", "v1", "nodes", "Node", False, wire.Node)
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", False, wire.Namespace)
PODS: Final = Resource("", "v1", "pods", "Pod", True, objects.Pod)
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap", True, objects.ConfigMap)
SECRETS: Final = Resource("", "v1", "secrets", "Secret", True, objects.Secret)
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True, wire.EndpointSlice)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease", True, objects.Lease)
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event", True, objects.Event)
WEBHOOKS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    False,
    objects.WebhookConfiguration,
)
EIPS: Final = Resource("network.kubesphere.io", "v1alpha2", "eips", "Eip", False, wire.Eip)
BGP_CONFS: Final = Resource("network.kubesphere.io", "v1alpha2", "bgpconfs", "BgpConf", False, bgp_objects.BgpConf)
BGP_PEERS: Final = Resource("network.kubesphere.io", "v1alpha2", "bgppeers", "BgpPeer", False, bgp_objects.BgpPeer)
VRRP_INSTANCES: Final = Resource("vipmgr.io", "v1alpha1", "vrrpinstances", "VrrpInstance", False, wire.VrrpInstance)
VIP_NODES: Final = Resource("vipmgr.io", "v1alpha1", "vipnodes", "VipNode", False, wire.VipNode)
