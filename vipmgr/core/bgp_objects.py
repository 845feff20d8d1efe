"""BgpConf and BgpPeer as they travel: OpenELB's names, which are GoBGP's, and the additions (bfd, passwordSecret)."""

from __future__ import annotations

import msgspec

from vipmgr.core.wire import Condition, LabelSelector, Metadata
from vipmgr.core.wire_base import Wire


class GracefulRestart(Wire):
    enabled: bool = False
    restart_time: int = 0
    helper_only: bool = False
    deferral_time: int = 0
    notification_enabled: bool = False
    longlived_enabled: bool = False
    stale_routes_time: int = 0


class BgpConfSpec(Wire):
    as_: int = msgspec.field(name="as", default=0)
    as_per_rack: dict[str, int] | None = None
    router_id: str = ""
    listen_port: int = 0
    listen_addresses: list[str] | None = None
    families: list[int] | None = None
    use_multiple_paths: bool = False
    graceful_restart: GracefulRestart | None = None
    policy: str = ""


class NodeConfStatus(Wire):
    as_: int = msgspec.field(name="as", default=0)
    router_id: str = ""


class BgpConfStatus(Wire):
    nodes_conf_status: dict[str, NodeConfStatus] | None = None
    conditions: list[Condition] | None = None


class BgpConf(Wire):
    metadata: Metadata
    spec: BgpConfSpec = msgspec.field(default_factory=BgpConfSpec)
    status: BgpConfStatus = msgspec.field(default_factory=BgpConfStatus)


class PeerConf(Wire):
    """`auth_password`: the agent reads it; nothing past decoding has it."""

    neighbor_address: str = ""
    neighbor_interface: str = ""
    peer_as: int = 0
    local_as: int = 0
    auth_password: str = ""
    admin_down: bool = False
    allow_own_as: int = 0
    peer_group: str = ""
    remove_private_as: str = ""
    replace_peer_as: bool = False
    route_flap_damping: bool = False
    send_community: int = 0
    vrf: str = ""


class PasswordSecret(Wire):
    name: str = ""
    key: str = "password"


class Bfd(Wire):
    enabled: bool = True
    transmit_interval: str = "100ms"
    receive_interval: str = "100ms"
    detect_multiplier: int = 3


class FamilyName(Wire):
    afi: str = ""
    safi: str = ""


class AfiSafiConfig(Wire):
    """`enabled`: left out, it is: GoBGP cannot tell either."""

    enabled: bool = True
    family: FamilyName = msgspec.field(default_factory=FamilyName)


class AddPathsConfig(Wire):
    receive: bool = False
    send_max: int = 0


class AddPaths(Wire):
    config: AddPathsConfig = msgspec.field(default_factory=AddPathsConfig)


class Switch(Wire):
    enabled: bool = False


class MpGracefulRestart(Wire):
    config: Switch = msgspec.field(default_factory=Switch)


class AfiSafi(Wire):
    config: AfiSafiConfig | None = None
    add_paths: AddPaths = msgspec.field(default_factory=AddPaths)
    mp_graceful_restart: MpGracefulRestart | None = None


class Multihop(Wire):
    enabled: bool = False
    multihop_ttl: int = 0


class TimersConfig(Wire):
    """Seconds, as text."""

    connect_retry: str = ""
    hold_time: str = ""
    keepalive_interval: str = ""
    minimum_advertisement_interval: str = ""


class Timers(Wire):
    config: TimersConfig = msgspec.field(default_factory=TimersConfig)


class Transport(Wire):
    mtu_discovery: bool = False
    passive_mode: bool = False
    remote_address: str = ""
    remote_port: int = 0
    tcp_mss: int = 0


class BgpPeerSpec(Wire):
    conf: PeerConf = msgspec.field(default_factory=PeerConf)
    password_secret: PasswordSecret | None = None
    bfd: Bfd | None = None
    afi_safis: list[AfiSafi] | None = None
    ebgp_multihop: Multihop = msgspec.field(default_factory=Multihop)
    graceful_restart: GracefulRestart | None = None
    node_selector: LabelSelector | None = None
    timers: Timers = msgspec.field(default_factory=Timers)
    transport: Transport = msgspec.field(default_factory=Transport)


class SessionStatus(Wire):
    """nodesPeerStatus, as far as the controller reads it: whose entry it is, it clears away when the node is gone."""


class BgpPeerStatus(Wire):
    nodes_peer_status: dict[str, SessionStatus] | None = None
    conditions: list[Condition] | None = None


class BgpPeer(Wire):
    metadata: Metadata
    spec: BgpPeerSpec = msgspec.field(default_factory=BgpPeerSpec)
    status: BgpPeerStatus = msgspec.field(default_factory=BgpPeerStatus)
