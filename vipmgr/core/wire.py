"""Kubernetes objects as they travel, reduced to the fields vipmgr reads.

Everything the API server sends is decoded straight into these structs (msgspec), so a page of 500 Services costs
neither the dictionaries nor the fields nobody reads. Unknown fields are skipped. Names are the API's own, in
camelCase on the wire. `core.decode` turns them into the frozen values of `core.model`; nothing past it sees a wire
type.
"""

from __future__ import annotations

import msgspec

from vipmgr.core.node_bgp import NodeBgp, NodeBgpStatus
from vipmgr.core.node_layer2 import NodeLayer2, NodeLayer2Status
from vipmgr.core.wire_base import Wire as Wire  # noqa: PLC0414 - offered to others from here


class OwnerReference(Wire):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class Metadata(Wire):
    """ObjectMeta. `creation_timestamp` and `deletion_timestamp` are RFC 3339 strings, as sent."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[OwnerReference] | None = None


class Condition(Wire):
    """metav1.Condition, and core/v1 NodeCondition as far as the two agree."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    observed_generation: int | None = None


# --- core/v1, discovery.k8s.io/v1 ------------------------------------------------------------------------------------


class ServicePort(Wire):
    port: int
    protocol: str = "TCP"
    name: str = ""


class ServiceSpec(Wire):
    type: str = "ClusterIP"
    ports: list[ServicePort] | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str = msgspec.field(name="loadBalancerIP", default="")
    ip_families: list[str] | None = None
    ip_family_policy: str | None = None
    cluster_ips: list[str] | None = msgspec.field(name="clusterIPs", default=None)
    external_traffic_policy: str = "Cluster"
    health_check_node_port: int = 0
    selector: dict[str, str] | None = None


class PortStatus(Wire):
    port: int = 0
    protocol: str = ""
    error: str | None = None


class Ingress(Wire):
    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    ports: list[PortStatus] | None = None


class LoadBalancerStatus(Wire):
    ingress: list[Ingress] | None = None


class ServiceStatus(Wire):
    load_balancer: LoadBalancerStatus = msgspec.field(default_factory=LoadBalancerStatus)
    conditions: list[Condition] | None = None


class Service(Wire):
    metadata: Metadata
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)
    status: ServiceStatus = msgspec.field(default_factory=ServiceStatus)


class Taint(Wire):
    key: str = ""
    effect: str = ""
    value: str = ""


class NodeSpec(Wire):
    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeAddress(Wire):
    type: str = ""
    address: str = ""


class NodeStatus(Wire):
    conditions: list[Condition] | None = None
    addresses: list[NodeAddress] | None = None


class Node(Wire):
    metadata: Metadata
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


class Namespace(Wire):
    metadata: Metadata


class EndpointConditions(Wire):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Wire):
    node_name: str | None = None
    conditions: EndpointConditions = msgspec.field(default_factory=EndpointConditions)


class EndpointSlice(Wire):
    """Its Service is named by the label `kubernetes.io/service-name`. `endpoints` may be null on the wire."""

    metadata: Metadata
    address_type: str = "IPv4"
    endpoints: list[Endpoint] | None = None


# --- network.kubesphere.io/v1alpha2 (OpenELB's, and ours) ------------------------------------------------------------


class LabelSelectorRequirement(Wire):
    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(Wire):
    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelSelectorRequirement] | None = None


class PreferredNode(Wire):
    weight: int
    node_selector: LabelSelector


class VrrpSpec(Wire):
    """Eip.spec.vrrp. Durations are Go-style strings: 100ms, 1s, 1m30s."""

    advert_interval: str = "100ms"
    preempt: bool = False
    preempt_delay: str = "0s"
    instances: int | None = None
    members: int = 3
    virtual_router_ids: str = msgspec.field(name="virtualRouterIDs", default="1-255")
    unicast: bool = False
    garp_refresh: str = "30s"
    track_interfaces: list[str] | None = None
    preferred_nodes: list[PreferredNode] | None = None
    traffic_health: bool = True


class EipBgpSpec(Wire):
    communities: list[str] | None = None
    large_communities: list[str] | None = None
    local_pref: int | None = None
    aggregation_length: int = 32
    aggregation_length_v6: int = msgspec.field(name="aggregationLengthV6", default=128)
    peers: list[str] | None = None


class EipLayer2Spec(Wire):
    """Eip.spec.layer2. Durations are Go-style strings."""

    probe_interval: str = "150ms"
    probe_misses: int = 3
    lease_duration: str = "3s"
    garp_refresh: str = "30s"


class EipSpec(Wire):
    address: str = ""
    addresses: list[str] | None = None
    protocol: str = "bgp"
    interface: str = ""
    disable: bool = False
    using_known_ips: bool = msgspec.field(name="usingKnownIPs", default=False)
    priority: int = 0
    namespaces: list[str] | None = None
    namespace_selector: dict[str, str] | None = None
    auto_assign: bool = True
    avoid_buggy_ips: bool = msgspec.field(name="avoidBuggyIPs", default=False)
    service_selector: LabelSelector | None = None
    enforce_namespaces: bool = False
    node_selector: LabelSelector | None = None
    vrrp: VrrpSpec = msgspec.field(default_factory=VrrpSpec)
    bgp: EipBgpSpec = msgspec.field(default_factory=EipBgpSpec)
    layer2: EipLayer2Spec = msgspec.field(default_factory=EipLayer2Spec)


class EipStatus(Wire):
    occupied: bool = False
    usage: int = 0
    pool_size: int = 0
    used: dict[str, str] | None = None
    first_ip: str = msgspec.field(name="firstIP", default="")
    last_ip: str = msgspec.field(name="lastIP", default="")
    ready: bool = False
    v4: bool = False
    conditions: list[Condition] | None = None


class Eip(Wire):
    metadata: Metadata
    spec: EipSpec = msgspec.field(default_factory=EipSpec)
    status: EipStatus = msgspec.field(default_factory=EipStatus)


# --- vipmgr.io/v1alpha1 ----------------------------------------------------------------------------------------------


class InstanceMember(Wire):
    node: str
    priority: int


class VrrpInstanceSpec(Wire):
    """The register of VRIDs. `service` is set when the instance belongs to one externalTrafficPolicy: Local Service."""

    eip: str
    interface: str
    family: str
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    anchor: str
    members: list[InstanceMember] = msgspec.field(default_factory=list)
    vips: list[str] = msgspec.field(default_factory=list)
    service: str | None = None


class VrrpInstanceStatus(Wire):
    master: str = ""
    masters: list[str] = msgspec.field(default_factory=list)
    since: str | None = None
    transitions: int = 0
    contested: bool = False
    vip_count: int = 0
    conditions: list[Condition] | None = None


class VrrpInstance(Wire):
    metadata: Metadata
    spec: VrrpInstanceSpec
    status: VrrpInstanceStatus = msgspec.field(default_factory=VrrpInstanceStatus)


class NodeInstance(Wire):
    """One vrrp_instance of a node's keepalived.conf, as values. Times in milliseconds.

    `health_check_node_ports`: the agent polls these on loopback and faults the instance when one says "no local
    endpoint". `yield_token`: a new token asks the agent to hand this instance over once (vipmgr rebalance).
    """

    name: str
    eip: str
    interface: str
    family: str
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    priority: int
    anchor: str
    advert_interval_ms: int
    vips: list[str] = msgspec.field(default_factory=list)
    health_check_node_ports: list[int] = msgspec.field(default_factory=list)
    yield_token: str = ""


class NodePool(Wire):
    """The ranges ("a-b") of a pool: what the agent may take off an interface when it finds it stray."""

    name: str
    protocol: str
    interface: str
    ranges: list[str]


class VipNodeSpec(Wire):
    """Written by the controller alone. `revision` is a digest of everything else in the spec.

    `layer2` and `bgp` are the parts of those protocols; `reach` lists the targets of `can_reach:` to resolve.
    Outside the revision, for the controller itself: `published_at` (RFC 3339), and `unsettled`, instance -> VIPs of
    earlier revisions that may be live on the node until it confirms this one.
    """

    revision: str = ""
    keepalived: str = ""
    instances: list[NodeInstance] = msgspec.field(default_factory=list)
    pools: list[NodePool] = msgspec.field(default_factory=list)
    reach: list[str] = msgspec.field(default_factory=list)
    drain: bool = False
    layer2: NodeLayer2 | None = None
    bgp: NodeBgp | None = None
    published_at: str = ""
    unsettled: dict[str, list[str]] | None = None


class NodeInterface(Wire):
    """`up`: administratively up and with carrier. `addresses`: with prefix length, VIPs of our pools left out."""

    name: str
    index: int = 0
    mac: str = ""
    mtu: int = 0
    up: bool = False
    addresses: list[str] = msgspec.field(default_factory=list)


class InstanceState(Wire):
    """What keepalived says of one instance on this node. state: INIT, BACKUP, MASTER, FAULT.

    `since`: RFC 3339 with microseconds. `reason`: a `core.model.MoveReason`. `contested`: another master was heard.
    """

    name: str
    state: str
    priority: int = 0
    since: str = ""
    reason: str = ""
    transitions: int = 0
    previous_state: str = ""
    contested: bool = False


class Stranger(Wire):
    """A VRRP speaker that is not one of ours, heard on this node's wire."""

    interface: str
    family: str
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    source: str
    last_seen: str = ""


class Refusal(Wire):
    """A revision this node did not take, and why, in keepalived's own words."""

    revision: str
    message: str
    time: str = ""


class KeepalivedStatus(Wire):
    running: bool = False
    version: str = ""
    since: str = ""
    reload_ms: int | None = None


class VipNodeStatus(Wire):
    """Written by that node's agent alone. `revision` is the last one installed and confirmed."""

    revision: str = ""
    applied_at: str = ""
    agent_version: str = ""
    listening_since: str = ""
    refused: Refusal | None = None
    keepalived: KeepalivedStatus = msgspec.field(default_factory=KeepalivedStatus)
    interfaces: list[NodeInterface] = msgspec.field(default_factory=list)
    reach: dict[str, str] | None = None
    instances: list[InstanceState] = msgspec.field(default_factory=list)
    strangers: list[Stranger] = msgspec.field(default_factory=list)
    drained: bool = False
    audit_sequence: int = 0
    layer2: NodeLayer2Status | None = None
    bgp: NodeBgpStatus | None = None
    conditions: list[Condition] | None = None


class VipNode(Wire):
    metadata: Metadata
    spec: VipNodeSpec = msgspec.field(default_factory=VipNodeSpec)
    status: VipNodeStatus = msgspec.field(default_factory=VipNodeStatus)
