"""VipNode.spec.bgp and VipNode.status.bgp: what one node is to say in BGP, and what became of it.

The parts of the spec are frozen: they are plans as well as what travels. No password is in any of them: `password` says
where the agent reads it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from vipmgr.core.wire_base import FrozenWire, Wire

DEFAULT: Final = "default"
"""the one BgpConf that counts"""
INTERFACE: Final = re.compile(r"[^/:%\s]{1,15}")
"""NodeBgpPeer.interface: what may come after the % of a link-local address"""
IN_PEER: Final = "peer"
"""NodeBgpPeer.password: it is the BgpPeer's conf.authPassword"""


class NodeBgpRestart(FrozenWire, frozen=True, kw_only=True):
    """Graceful restart (RFC 4724). Times in seconds, 0: GoBGP's default."""

    restart_time: int = 0
    deferral_time: int = 0
    stale_routes_time: int = 0
    helper_only: bool = False
    notification: bool = False
    long_lived: bool = False


class NodeBgpFamily(FrozenWire, frozen=True, kw_only=True):
    """`family`: IPv4 or IPv6, unicast. `send_max`: paths sent for one prefix (RFC 7911), 0: one, without identifier."""

    family: str
    graceful_restart: bool = False
    receive: bool = False
    send_max: int = 0


class NodeBfd(FrozenWire, frozen=True, kw_only=True):
    """RFC 5880. Milliseconds."""

    transmit_ms: int
    receive_ms: int
    multiplier: int


class NodeBgpPeer(FrozenWire, frozen=True, kw_only=True):
    """One session. `password`: "", "peer" (conf.authPassword of the BgpPeer `name`) or "secret/NAME/KEY".

    `interface`: the router is whoever is at the other end of it; the agent finds the `address`, "" until then.
    `password_generation`: of the BgpPeer, when the password is in it. Times in seconds. `multihop_ttl`: 0: direct.
    """

    name: str
    address: str
    asn: int
    local_asn: int = 0
    password: str = ""
    password_generation: int = 0
    admin_down: bool = False
    allow_own_as: int = 0
    remove_private_as: str = ""
    replace_peer_as: bool = False
    multihop_ttl: int = 0
    connect_retry: int
    hold_time: int
    keepalive: int
    min_advertisement: int = 0
    passive: bool = False
    remote_port: int = 0
    tcp_mss: int = 0
    mtu_discovery: bool = False
    families: tuple[NodeBgpFamily, ...] = ()
    graceful_restart: NodeBgpRestart | None = None
    bfd: NodeBfd | None = None
    interface: str = ""

    @property
    def place(self) -> str:
        """What reports call the router, whatever its link-local address is today."""
        return self.interface or self.address


class NodeBgpRoutes(FrozenWire, frozen=True, kw_only=True):
    """Prefixes of one pool with the same attributes. `peers`: BgpPeers by name that get them; empty: all.

    `health_check_node_ports`: announced only while all of these say that the node has endpoints.
    """

    eip: str
    prefixes: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    local_pref: int | None = None
    peers: tuple[str, ...] = ()
    health_check_node_ports: tuple[int, ...] = ()


class NodeBgpSet(FrozenWire, frozen=True, kw_only=True):
    """A defined set of GoBGP. `kind`: prefix, neighbor, community, ext-community, large-community or as-path. Prefixes
    with the lengths they match: "10.0.0.0/8 16..24"."""

    kind: str
    name: str
    members: tuple[str, ...] = ()


class NodeBgpClause(FrozenWire, frozen=True, kw_only=True):
    """One condition or one action of a statement: `what` it looks at or changes, how (`option`), `values`."""

    what: str
    option: str = ""
    values: tuple[str, ...] = ()


class NodeBgpStatement(FrozenWire, frozen=True, kw_only=True):
    """`verdict`: accept, reject, or "": on with the next statement."""

    conditions: tuple[NodeBgpClause, ...] = ()
    actions: tuple[NodeBgpClause, ...] = ()
    verdict: str = ""


class NodeBgpRule(FrozenWire, frozen=True, kw_only=True):
    """A policy definition of GoBGP."""

    name: str
    statements: tuple[NodeBgpStatement, ...] = ()


class NodeBgpPolicy(FrozenWire, frozen=True, kw_only=True):
    """BgpConf.spec.policy: what its ConfigMap says. `imports`, `exports`: rules by name, in their order; what passes
    all of them is let through unless refused by default."""

    sets: tuple[NodeBgpSet, ...] = ()
    rules: tuple[NodeBgpRule, ...] = ()
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    refuse_imports: bool = False
    refuse_exports: bool = False


class NodeBgp(FrozenWire, frozen=True, kw_only=True):
    """`listen_port`: -1: accept no session. `next_hop_v6`: for IPv6 routes sent in a session over IPv4, which has no
    IPv6 address of its own. `policy_unreadable`: there should be a policy: the one in force stays."""

    asn: int
    router_id: str
    listen_port: int
    listen_addresses: tuple[str, ...] = ()
    use_multiple_paths: bool = False
    graceful_restart: NodeBgpRestart | None = None
    peers: tuple[NodeBgpPeer, ...] = ()
    routes: tuple[NodeBgpRoutes, ...] = ()
    next_hop_v6: str = ""
    policy: NodeBgpPolicy | None = None
    policy_unreadable: bool = False


class NodeBgpSession(Wire):
    """`address`: NodeBgpPeer.place. `state`: IDLE to ESTABLISHED (RFC 4271, 8.2.2). `since`: RFC 3339. `reason`: of the
    last loss. `problem`: why it is not as the BgpPeer says, beginning with the field."""

    peer: str
    address: str
    state: str
    asn: int = 0
    since: str = ""
    reason: str = ""
    bfd: str = ""
    losses: int = 0
    problem: str = ""


class NodeBgpStatus(Wire):
    """`routes`: prefixes announced now. `silent_ports`: health check ports that say the node has no endpoints.
    `problem`: why not everything is as the plan says."""

    running: bool = False
    asn: int = 0
    router_id: str = ""
    routes: int = 0
    silent_ports: list[int] = msgspec.field(default_factory=list)
    sessions: list[NodeBgpSession] = msgspec.field(default_factory=list)
    problem: str = ""
