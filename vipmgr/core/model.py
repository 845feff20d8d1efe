"""The nouns: frozen values that every pure stage takes and returns.

    Pool         an Eip, decoded            Claim        a Service that asks for addresses, decoded
    Allocation   claims x pools             Vip          one allocated address and what is known of its Services
    NodeFacts    a Node, decoded            NodeReport   what that node's agent last said (VipNode.status)
    Instance     a vrrp_instance            NodePlan     everything one node is to do (VipNode.spec, as values)

Times are datetime (UTC) when they come from Kubernetes and float seconds when they are a clock handed in. Addresses are
`ipaddress` values. Nothing here does I/O, and nothing here is ever changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import NamedTuple

from vipmgr.core.node_bgp import NodeBgp
from vipmgr.core.node_layer2 import NodeLayer2

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
ServiceKey = str
"""namespace/name"""
NodeName = str


class Protocol(StrEnum):
    """Eip.spec.protocol: how the addresses of a pool are made reachable."""

    BGP = "bgp"
    LAYER2 = "layer2"
    VIP = "vip"


class Family(StrEnum):
    """As in Service.spec.ipFamilies."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


def family_of(address: Address) -> Family:
    return Family.IPV4 if address.version == 4 else Family.IPV6


class Reason(StrEnum):
    """Why something was refused. Users see these: reason of Events and conditions, and a metric label."""

    BAD_ADDRESS = "BadAddress"
    BAD_VALUE = "BadValue"
    UNREADABLE = "Unreadable"
    MISSING_INTERFACE = "MissingInterface"
    OVERLAP = "AddressOverlap"
    SECOND_DEFAULT = "SecondDefaultPool"
    UNKNOWN_POOL = "UnknownPool"
    NO_POOL = "NoPool"
    POOL_DISABLED = "PoolDisabled"
    POOL_DELETING = "PoolDeleting"
    POOL_EXHAUSTED = "PoolExhausted"
    POOL_REFUSED = "PoolRefused"
    POOL_IN_USE = "PoolInUse"
    IMMUTABLE = "ImmutableField"
    ADDRESS_OUTSIDE = "AddressOutsidePool"
    ADDRESS_IN_USE = "AddressInUse"
    ADDRESS_AVOIDED = "AddressAvoided"
    WRONG_FAMILY = "WrongFamily"
    WRONG_PROTOCOL = "WrongProtocol"
    PORT_COLLISION = "PortCollision"
    SHARING_KEY = "SharingKeyMismatch"
    SHARING_POLICY = "SharingTrafficPolicyMismatch"
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed"
    SERVICE_NOT_SELECTED = "ServiceNotSelected"
    NO_ELIGIBLE_NODE = "NoEligibleNode"
    VRID_EXHAUSTED = "VirtualRouterIDsExhausted"
    VRID_STRANGER = "StrangerUsesVirtualRouterID"
    INSTANCE_FULL = "InstanceFull"
    BGP_UNCONFIGURED = "BGPNotConfigured"
    FIELD_IGNORED = "FieldIgnored"
    NOT_APPLIED = "NotApplied"


class MoveReason(StrEnum):
    """Why an instance changed state on a node (audit, VipNode.status, Events)."""

    ADVERT_TIMEOUT = "advertisement-timeout"
    PRIORITY_ZERO = "priority-zero-received"
    HIGHER_PRIORITY = "higher-priority-heard"
    LOWER_PRIORITY = "lower-priority-heard"
    INTERFACE_DOWN = "interface-down"
    ADDRESS_LOST = "address-lost"
    TRACK_FAULT = "track-fault"
    DRAINED = "drained"
    YIELDED = "yielded"
    NO_ENDPOINTS = "no-local-endpoints"
    STARTED = "started"
    STOPPED = "stopped"
    DIED = "keepalived-died"
    AGENT_DIED = "agent-died"
    AGENT_HUNG = "agent-hung"
    DELETED = "instance-deleted"
    RECOVERED = "recovered"
    UNKNOWN = "unknown"


class Problem(NamedTuple):
    """Something its author can fix: the object ("Eip/eip-pool"), the reason, and a sentence that names the field."""

    about: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, order=True)
class AddressRange:
    """Addresses from first to last, both included, of one family."""

    first: Address
    last: Address

    def __post_init__(self) -> None:
        if self.first.version != self.last.version:
            raise ValueError(f"{self.first}-{self.last} mixes IPv4 and IPv6")
        if int(self.first) > int(self.last):
            raise ValueError(f"{self.first}-{self.last} ends before it begins")

    def __contains__(self, address: Address) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def __len__(self) -> int:
        """Only for ranges that fit a C ssize_t; use `size` where an IPv6 range may come."""
        return self.size

    @property
    def size(self) -> int:
        return int(self.last) - int(self.first) + 1

    @property
    def family(self) -> Family:
        return family_of(self.first)

    def overlaps(self, other: AddressRange) -> bool:
        return (
            self.first.version == other.first.version
            and int(self.first) <= int(other.last)
            and int(other.first) <= int(self.last)
        )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


class Requirement(NamedTuple):
    """One matchExpressions entry: operator is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Selector:
    """A metav1.LabelSelector. Empty matches everything."""

    match_labels: tuple[tuple[str, str], ...] = ()
    expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels) and all(
            _meets(labels, requirement) for requirement in self.expressions
        )


def _meets(labels: Mapping[str, str], requirement: Requirement) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            return not present or labels[requirement.key] not in requirement.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case other:
            raise ValueError(f"unknown label selector operator {other!r}")


@dataclass(frozen=True, slots=True)
class VrrpPolicy:
    """Eip.spec.vrrp, decoded. `vrids`: those allowed. `preferred`: (weight, selector), highest sum of weights wins."""

    advert_interval_ms: int = 100
    preempt: bool = False
    preempt_delay_s: float = 0.0
    instances: int | None = None
    members: int = 3
    vrids: frozenset[int] = frozenset(range(1, 256))
    unicast: bool = False
    garp_refresh_s: int = 30
    track_interfaces: tuple[str, ...] = ()
    preferred: tuple[tuple[int, Selector], ...] = ()
    traffic_health: bool = True


@dataclass(frozen=True, slots=True)
class BgpPolicy:
    """Eip.spec.bgp, decoded. Communities as sent: "65000:1", "65000:1:2"."""

    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    local_pref: int | None = None
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer2Policy:
    """Eip.spec.layer2, decoded. `probe_interval_ms` 0: a dead node is told by its Lease alone."""

    probe_interval_ms: int = 150
    probe_misses: int = 3
    lease_ms: int = 3000
    garp_refresh_s: int = 30


@dataclass(frozen=True, slots=True)
class Pool:
    """An Eip. `used`: what Eip.status.used records, the durable half of the allocation (the other is Service.status).

    `interface` is a name or `can_reach:IP`. `namespaces`/`namespace_selector` bind the pool to namespaces; they are a
    boundary for named pools and addresses too when `enforce_namespaces`. `problems`: why it gives out nothing new
    (a field that cannot be read, another pool in the way); who holds an address of it keeps it.
    """

    name: str
    uid: str
    created: datetime
    protocol: Protocol
    ranges: tuple[AddressRange, ...]
    interface: str = ""
    disabled: bool = False
    deleting: bool = False
    priority: int = 0
    namespaces: frozenset[str] = frozenset()
    namespace_selector: Selector | None = None
    is_default: bool = False
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    service_selector: Selector | None = None
    enforce_namespaces: bool = False
    node_selector: Selector = field(default_factory=Selector)
    vrrp: VrrpPolicy = field(default_factory=VrrpPolicy)
    bgp: BgpPolicy = field(default_factory=BgpPolicy)
    layer2: Layer2Policy = field(default_factory=Layer2Policy)
    used: Mapping[Address, tuple[ServiceKey, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def __contains__(self, address: Address) -> bool:
        return any(address in span for span in self.ranges)

    @property
    def size(self) -> int:
        return sum(span.size for span in self.ranges)


@dataclass(frozen=True, slots=True)
class Claim:
    """A Service that asks for addresses.

    `requested`: addresses it names (at most one per family). `families`: what it needs, in order; with
    `optional_second` (PreferDualStack) the second may stay unserved. `held`: what its status shows
    now. `ports`: (protocol, port).
    `sharing_key`: vipmgr.io/allow-shared-ip. Naming the same IP is OpenELB's way to share it. `default_class`: pools
    that are nobody's default may serve it too. `fault`: what its author wrote cannot be read; it keeps what it holds.
    """

    key: ServiceKey
    uid: str
    namespace: str
    created: datetime
    pool: str | None = None
    requested: tuple[Address, ...] = ()
    families: tuple[Family, ...] = (Family.IPV4,)
    optional_second: bool = False
    protocol: Protocol | None = None
    sharing_key: str | None = None
    ports: frozenset[tuple[str, int]] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    selector: tuple[tuple[str, str], ...] = ()
    default_class: bool = False
    local_traffic: bool = False
    health_check_node_port: int = 0
    held: tuple[Address, ...] = ()
    fault: Rejection | None = None


class Rejection(NamedTuple):
    """Why a claim was not (fully) served; becomes an Event and a condition on the Service."""

    reason: Reason
    message: str


class Assignment(NamedTuple):
    """What a Service gets: address -> the pool it is from, in the order of the claim's families."""

    addresses: tuple[tuple[Address, str], ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    """The result of `allocate`. A Service may be in both maps (PreferDualStack, half served)."""

    assigned: Mapping[ServiceKey, Assignment]
    refused: Mapping[ServiceKey, Rejection]
    used: Mapping[str, Mapping[Address, tuple[ServiceKey, ...]]]
    """pool -> address -> its owners, oldest first; every known pool has an entry"""


@dataclass(frozen=True, slots=True)
class Vip:
    """One allocated address, as placement sees it.

    `local`: all its Services have externalTrafficPolicy Local, so only nodes with endpoints may answer.
    `endpoint_nodes`: the nodes with ready endpoints of every such Service (empty when not local).
    """

    address: Address
    pool: str
    services: tuple[ServiceKey, ...]
    local: bool = False
    health_check_node_ports: tuple[int, ...] = ()
    endpoint_nodes: frozenset[NodeName] = frozenset()


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A Node. `excluded`: labelled node.kubernetes.io/exclude-from-external-load-balancers, or out of service.

    `not_ready_since`: None while Ready."""

    name: NodeName
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    not_ready_since: datetime | None = None
    cordoned: bool = False
    excluded: bool = False
    addresses: tuple[Address, ...] = ()
    """InternalIPs"""


@dataclass(frozen=True, slots=True)
class LocalInterface:
    name: str
    up: bool
    addresses: tuple[Interface, ...]
    mac: str = ""


class InstanceReport(NamedTuple):
    """What one node says of one instance (wire.InstanceState, decoded)."""

    state: str
    since: str
    priority: int
    reason: str
    contested: bool


@dataclass(frozen=True, slots=True)
class NodeReport:
    """VipNode.status and the operator's wishes on that object, decoded.

    `drain`: annotation vipmgr.io/drain. `strangers`: (interface, family, vrid, source).
    `reach`: can_reach target -> interface.
    """

    name: NodeName
    uid: str = ""
    drain: bool = False
    drained: bool = False
    revision: str = ""
    published_revision: str = ""
    refused_revision: str = ""
    listening_since: datetime | None = None
    interfaces: tuple[LocalInterface, ...] = ()
    reach: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[str, InstanceReport] = field(default_factory=dict)
    strangers: frozenset[tuple[str, Family, int, str]] = frozenset()
    published_instances: Mapping[str, frozenset[Address]] = field(default_factory=dict)
    """what the spec last published holds, instance -> its VIPs; live on the node once `revision` equals it"""
    published_wiring: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """the same, instance -> its interface and VRID"""
    published_drain: bool = False
    """whether that spec tells the node to drain"""
    published_at: datetime | None = None
    """when the controller wrote that spec (VipNode.spec.publishedAt)"""
    unsettled: Mapping[str, frozenset[Address]] = field(default_factory=dict)
    """VipNode.spec.unsettled: of earlier specs, may be live as well until `revision` equals `published_revision`. VIPs
    that the same instance has in the spec last published: it may still run them on another interface or VRID"""
    layer2: Mapping[str, InstanceReport] = field(default_factory=dict)
    """address -> what the node says of it, for layer2 addresses it answers for"""

    @property
    def layer2_owned(self) -> list[str]:
        """Addresses, each in its one spelling."""
        return [name for name, said in self.layer2.items() if said.state == "MASTER"]


class Member(NamedTuple):
    node: NodeName
    priority: int


@dataclass(frozen=True, slots=True)
class Instance:
    """A VrrpInstance: `members` in order of rank; a priority stays with its member as long as that stays."""

    name: str
    eip: str
    interface: str
    family: Family
    vrid: int
    anchor: Address
    members: tuple[Member, ...] = ()
    vips: tuple[Address, ...] = ()
    service: ServiceKey | None = None
    rebalance: str = ""
    """annotation vipmgr.io/rebalance: a token while the planned first member is asked to take over again"""


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """One vrrp_instance of one node, ready to print: no arithmetic is left for the template."""

    name: str
    eip: str
    interface: str
    family: Family
    vrid: int
    priority: int
    anchor: Address
    advert_interval_ms: int
    vips: tuple[Address, ...]
    preempt: bool = False
    preempt_delay_s: float = 0.0
    garp_refresh_s: int = 30
    track_interfaces: tuple[str, ...] = ()
    unicast_source: Address | None = None
    unicast_peers: tuple[Address, ...] = ()
    health_check_node_ports: tuple[int, ...] = ()
    yield_token: str = ""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Everything one node is to do."""

    node: NodeName
    instances: tuple[InstancePlan, ...] = ()
    pools: tuple[tuple[str, Protocol, str, tuple[AddressRange, ...]], ...] = ()
    """(name, protocol, interface, ranges)"""
    reach: tuple[str, ...] = ()
    drain: bool = False
    unsettled: tuple[tuple[str, tuple[Address, ...]], ...] = ()
    """instance -> VIPs no longer in this plan that may be live on the node until it confirms"""
    bgp: NodeBgp | None = None
    layer2: NodeLayer2 | None = None
