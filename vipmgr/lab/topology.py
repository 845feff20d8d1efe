"""The wires of a lab, as values, and the ip(8) commands that lay them.

    control namespace: bridges (one per segment), the management bridge, API server, controllers
    nK                 eth0, eth1, ... on the segments, mgmt0 on the management bridge
    client             eth0, eth1, ... on the segments: the prober
    router             the same; empty until a BGP speaker runs there

Addresses repeat from lab to lab; they never leave the lab's own namespaces. The first segment holds the addresses of
the project's first manifests (196.168.220.10-30), so those apply as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

HOSTS_PER_CLUSTER: Final = 40
MANAGEMENT: Final = IPv4Network("172.31.254.0/24")
CONTROL_ADDRESS: Final = MANAGEMENT[254]
CLIENT: Final = "client"
ROUTER: Final = "router"
SHADOW: Final = "-away"
"""suffix of the second bridge of a segment: the other side of a partition"""


@dataclass(frozen=True, slots=True)
class Segment:
    """One layer 2 network: a /22 and a /64. The last quarter of the /22 holds hosts, the rest is free for pools."""

    index: int

    @property
    def bridge(self) -> str:
        return f"lan{self.index}"

    @property
    def interface(self) -> str:
        return f"eth{self.index}"

    @property
    def v4(self) -> IPv4Network:
        return IPv4Network((int(IPv4Address("196.168.220.0")) + 1024 * self.index, 22))

    @property
    def v6(self) -> IPv6Network:
        return IPv6Network((int(IPv6Address("fd00:220::")) + (self.index << 64), 64))


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with a leg in every segment. `number` (1-254) makes its addresses; `managed`: has mgmt0."""

    name: str
    number: int
    managed: bool = True

    def port(self, segment: Segment) -> str:
        """The bridge's end of its cable."""
        return f"{self.name}-{segment.interface}"

    @property
    def management_port(self) -> str:
        return f"{self.name}-mgmt0"

    @property
    def management_address(self) -> IPv4Address:
        return MANAGEMENT[self.number]

    def v4(self, segment: Segment) -> IPv4Address:
        return segment.v4[768 + self.number]

    def v6(self, segment: Segment) -> IPv6Address:
        return segment.v6[0x10000 + self.number]


@dataclass(frozen=True, slots=True)
class Topology:
    """`cluster` (0-4) keeps the addresses of labs that share a segment apart."""

    nodes: tuple[Host, ...]
    segments: tuple[Segment, ...] = (Segment(0),)
    cluster: int = 0
    extra: tuple[Host, ...] = field(default=())

    @property
    def hosts(self) -> tuple[Host, ...]:
        return self.nodes + self.extra

    def node(self, name: str) -> Host:
        """KeyError when there is none."""
        for host in self.nodes:
            if host.name == name:
                return host
        raise KeyError(name)

    def grown(self) -> tuple[Topology, Host]:
        """With one node more; names and numbers of nodes that left are not used again."""
        last = max((node.number for node in self.nodes), default=self.cluster * HOSTS_PER_CLUSTER)
        host = _node(last - self.cluster * HOSTS_PER_CLUSTER + 1, self.cluster)
        return replace(self, nodes=(*self.nodes, host)), host

    def without(self, host: Host) -> Topology:
        return replace(self, nodes=tuple(node for node in self.nodes if node != host))


def plan(nodes: int, segments: int = 1, cluster: int = 0) -> Topology:
    """The topology of a lab. ValueError when the numbers do not fit its address plan."""
    limit = 200 if cluster == 0 else HOSTS_PER_CLUSTER
    if not 1 <= nodes <= limit or not 1 <= segments <= 4 or not 0 <= cluster <= 4:
        raise ValueError(f"a lab has 1 to {limit} nodes, 1 to 4 segments and a cluster number of 0 to 4")
    return Topology(
        nodes=tuple(_node(index, cluster) for index in range(1, nodes + 1)),
        segments=tuple(Segment(index) for index in range(segments)),
        cluster=cluster,
        extra=(Host(CLIENT, 250 - cluster, managed=False), Host(ROUTER, 240 - cluster, managed=False)),
    )


def _node(index: int, cluster: int) -> Host:
    return Host(f"{'n' if cluster == 0 else 'abcd'[cluster - 1]}{index}", cluster * HOSTS_PER_CLUSTER + index)


def lay_bridges(topology: Topology) -> list[str]:
    """Lines for `ip -batch` in the control namespace. No STP, no snooping: a port forwards as soon as it is up."""
    lines = ["link set lo up"]
    for bridge in [name for one in topology.segments for name in (one.bridge, one.bridge + SHADOW)] + ["mgmt"]:
        lines += [
            f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {bridge} up",
        ]
    return [*lines, f"addr add {CONTROL_ADDRESS}/{MANAGEMENT.prefixlen} dev mgmt"]


def plug_in(host: Host, topology: Topology) -> list[str]:
    """Lines for `ip -batch` in the control namespace: the cables of one host, whose namespace exists."""
    cables = [(host.port(one), one.interface, one.bridge) for one in topology.segments]
    if host.managed:
        cables.append((host.management_port, "mgmt0", "mgmt"))
    lines = []
    for port, interface, bridge in cables:
        lines += [
            f"link add {port} type veth peer name {interface} netns {host.name}",
            f"link set {port} master {bridge}",
            f"link set {port} up",
        ]
    return lines


def configure(host: Host, topology: Topology) -> list[str]:
    """Lines for `ip -batch` in the host's own namespace."""
    lines = ["link set lo up"]
    for segment in topology.segments:
        lines += [
            f"addr add {host.v4(segment)}/{segment.v4.prefixlen} dev {segment.interface}",
            f"addr add {host.v6(segment)}/{segment.v6.prefixlen} dev {segment.interface} nodad",
            f"link set {segment.interface} up",
        ]
    if host.managed:
        lines += [f"addr add {host.management_address}/{MANAGEMENT.prefixlen} dev mgmt0", "link set mgmt0 up"]
    return lines
