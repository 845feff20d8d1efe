import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TableType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TABLE_TYPE_UNSPECIFIED: _ClassVar[TableType]
    TABLE_TYPE_GLOBAL: _ClassVar[TableType]

class PeerType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PEER_TYPE_UNSPECIFIED: _ClassVar[PeerType]
    PEER_TYPE_INTERNAL: _ClassVar[PeerType]
    PEER_TYPE_EXTERNAL: _ClassVar[PeerType]

class RemovePrivate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REMOVE_PRIVATE_UNSPECIFIED: _ClassVar[RemovePrivate]
    REMOVE_PRIVATE_ALL: _ClassVar[RemovePrivate]
    REMOVE_PRIVATE_REPLACE: _ClassVar[RemovePrivate]

class BfdSessionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BFD_SESSION_STATE_UNSPECIFIED: _ClassVar[BfdSessionState]
    BFD_SESSION_STATE_UP: _ClassVar[BfdSessionState]
    BFD_SESSION_STATE_DOWN: _ClassVar[BfdSessionState]
    BFD_SESSION_STATE_ADMIN_DOWN: _ClassVar[BfdSessionState]
    BFD_SESSION_STATE_INIT: _ClassVar[BfdSessionState]

class DefinedType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFINED_TYPE_UNSPECIFIED: _ClassVar[DefinedType]
    DEFINED_TYPE_PREFIX: _ClassVar[DefinedType]
    DEFINED_TYPE_NEIGHBOR: _ClassVar[DefinedType]
    DEFINED_TYPE_AS_PATH: _ClassVar[DefinedType]
    DEFINED_TYPE_COMMUNITY: _ClassVar[DefinedType]
    DEFINED_TYPE_EXT_COMMUNITY: _ClassVar[DefinedType]
    DEFINED_TYPE_LARGE_COMMUNITY: _ClassVar[DefinedType]

class Comparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARISON_UNSPECIFIED: _ClassVar[Comparison]
    COMPARISON_EQ: _ClassVar[Comparison]
    COMPARISON_GE: _ClassVar[Comparison]
    COMPARISON_LE: _ClassVar[Comparison]

class OriginType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_TYPE_UNSPECIFIED: _ClassVar[OriginType]
    ORIGIN_TYPE_IGP: _ClassVar[OriginType]
    ORIGIN_TYPE_EGP: _ClassVar[OriginType]
    ORIGIN_TYPE_INCOMPLETE: _ClassVar[OriginType]

class RouteAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUTE_ACTION_UNSPECIFIED: _ClassVar[RouteAction]
    ROUTE_ACTION_ACCEPT: _ClassVar[RouteAction]
    ROUTE_ACTION_REJECT: _ClassVar[RouteAction]

class PolicyDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLICY_DIRECTION_UNSPECIFIED: _ClassVar[PolicyDirection]
    POLICY_DIRECTION_IMPORT: _ClassVar[PolicyDirection]
    POLICY_DIRECTION_EXPORT: _ClassVar[PolicyDirection]
TABLE_TYPE_UNSPECIFIED: TableType
TABLE_TYPE_GLOBAL: TableType
PEER_TYPE_UNSPECIFIED: PeerType
PEER_TYPE_INTERNAL: PeerType
PEER_TYPE_EXTERNAL: PeerType
REMOVE_PRIVATE_UNSPECIFIED: RemovePrivate
REMOVE_PRIVATE_ALL: RemovePrivate
REMOVE_PRIVATE_REPLACE: RemovePrivate
BFD_SESSION_STATE_UNSPECIFIED: BfdSessionState
BFD_SESSION_STATE_UP: BfdSessionState
BFD_SESSION_STATE_DOWN: BfdSessionState
BFD_SESSION_STATE_ADMIN_DOWN: BfdSessionState
BFD_SESSION_STATE_INIT: BfdSessionState
DEFINED_TYPE_UNSPECIFIED: DefinedType
DEFINED_TYPE_PREFIX: DefinedType
DEFINED_TYPE_NEIGHBOR: DefinedType
DEFINED_TYPE_AS_PATH: DefinedType
DEFINED_TYPE_COMMUNITY: DefinedType
DEFINED_TYPE_EXT_COMMUNITY: DefinedType
DEFINED_TYPE_LARGE_COMMUNITY: DefinedType
COMPARISON_UNSPECIFIED: Comparison
COMPARISON_EQ: Comparison
COMPARISON_GE: Comparison
COMPARISON_LE: Comparison
ORIGIN_TYPE_UNSPECIFIED: OriginType
ORIGIN_TYPE_IGP: OriginType
ORIGIN_TYPE_EGP: OriginType
ORIGIN_TYPE_INCOMPLETE: OriginType
ROUTE_ACTION_UNSPECIFIED: RouteAction
ROUTE_ACTION_ACCEPT: RouteAction
ROUTE_ACTION_REJECT: RouteAction
POLICY_DIRECTION_UNSPECIFIED: PolicyDirection
POLICY_DIRECTION_IMPORT: PolicyDirection
POLICY_DIRECTION_EXPORT: PolicyDirection

class Global(_message.Message):
    __slots__ = ("asn", "router_id", "listen_port", "listen_addresses", "families", "use_multiple_paths", "graceful_restart")
    ASN_FIELD_NUMBER: _ClassVar[int]
    ROUTER_ID_FIELD_NUMBER: _ClassVar[int]
    LISTEN_PORT_FIELD_NUMBER: _ClassVar[int]
    LISTEN_ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    USE_MULTIPLE_PATHS_FIELD_NUMBER: _ClassVar[int]
    GRACEFUL_RESTART_FIELD_NUMBER: _ClassVar[int]
    asn: int
    router_id: str
    listen_port: int
    listen_addresses: _containers.RepeatedScalarFieldContainer[str]
    families: _containers.RepeatedScalarFieldContainer[int]
    use_multiple_paths: bool
    graceful_restart: GracefulRestart
    def __init__(self, asn: _Optional[int] = ..., router_id: _Optional[str] = ..., listen_port: _Optional[int] = ..., listen_addresses: _Optional[_Iterable[str]] = ..., families: _Optional[_Iterable[int]] = ..., use_multiple_paths: bool = ..., graceful_restart: _Optional[_Union[GracefulRestart, _Mapping]] = ...) -> None: ...

class GracefulRestart(_message.Message):
    __slots__ = ("enabled", "restart_time", "helper_only", "deferral_time", "notification_enabled", "longlived_enabled", "stale_routes_time", "peer_restart_time", "peer_restarting", "local_restarting", "mode")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    RESTART_TIME_FIELD_NUMBER: _ClassVar[int]
    HELPER_ONLY_FIELD_NUMBER: _ClassVar[int]
    DEFERRAL_TIME_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_ENABLED_FIELD_NUMBER: _ClassVar[int]
    LONGLIVED_ENABLED_FIELD_NUMBER: _ClassVar[int]
    STALE_ROUTES_TIME_FIELD_NUMBER: _ClassVar[int]
    PEER_RESTART_TIME_FIELD_NUMBER: _ClassVar[int]
    PEER_RESTARTING_FIELD_NUMBER: _ClassVar[int]
    LOCAL_RESTARTING_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    restart_time: int
    helper_only: bool
    deferral_time: int
    notification_enabled: bool
    longlived_enabled: bool
    stale_routes_time: int
    peer_restart_time: int
    peer_restarting: bool
    local_restarting: bool
    mode: str
    def __init__(self, enabled: bool = ..., restart_time: _Optional[int] = ..., helper_only: bool = ..., deferral_time: _Optional[int] = ..., notification_enabled: bool = ..., longlived_enabled: bool = ..., stale_routes_time: _Optional[int] = ..., peer_restart_time: _Optional[int] = ..., peer_restarting: bool = ..., local_restarting: bool = ..., mode: _Optional[str] = ...) -> None: ...

class StartBgpRequest(_message.Message):
    __slots__ = ()
    GLOBAL_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...

class StartBgpResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetBgpRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetBgpResponse(_message.Message):
    __slots__ = ()
    GLOBAL_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...

class Family(_message.Message):
    __slots__ = ("afi", "safi")
    class Afi(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        AFI_UNSPECIFIED: _ClassVar[Family.Afi]
        AFI_IP: _ClassVar[Family.Afi]
        AFI_IP6: _ClassVar[Family.Afi]
    AFI_UNSPECIFIED: Family.Afi
    AFI_IP: Family.Afi
    AFI_IP6: Family.Afi
    class Safi(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SAFI_UNSPECIFIED: _ClassVar[Family.Safi]
        SAFI_UNICAST: _ClassVar[Family.Safi]
    SAFI_UNSPECIFIED: Family.Safi
    SAFI_UNICAST: Family.Safi
    AFI_FIELD_NUMBER: _ClassVar[int]
    SAFI_FIELD_NUMBER: _ClassVar[int]
    afi: Family.Afi
    safi: Family.Safi
    def __init__(self, afi: _Optional[_Union[Family.Afi, str]] = ..., safi: _Optional[_Union[Family.Safi, str]] = ...) -> None: ...

class IPAddressPrefix(_message.Message):
    __slots__ = ("prefix_len", "prefix")
    PREFIX_LEN_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix_len: int
    prefix: str
    def __init__(self, prefix_len: _Optional[int] = ..., prefix: _Optional[str] = ...) -> None: ...

class NLRI(_message.Message):
    __slots__ = ("prefix",)
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: IPAddressPrefix
    def __init__(self, prefix: _Optional[_Union[IPAddressPrefix, _Mapping]] = ...) -> None: ...

class OriginAttribute(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: int
    def __init__(self, origin: _Optional[int] = ...) -> None: ...

class NextHopAttribute(_message.Message):
    __slots__ = ("next_hop",)
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    next_hop: str
    def __init__(self, next_hop: _Optional[str] = ...) -> None: ...

class LocalPrefAttribute(_message.Message):
    __slots__ = ("local_pref",)
    LOCAL_PREF_FIELD_NUMBER: _ClassVar[int]
    local_pref: int
    def __init__(self, local_pref: _Optional[int] = ...) -> None: ...

class CommunitiesAttribute(_message.Message):
    __slots__ = ("communities",)
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, communities: _Optional[_Iterable[int]] = ...) -> None: ...

class MpReachNLRIAttribute(_message.Message):
    __slots__ = ("family", "next_hops", "nlris")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOPS_FIELD_NUMBER: _ClassVar[int]
    NLRIS_FIELD_NUMBER: _ClassVar[int]
    family: Family
    next_hops: _containers.RepeatedScalarFieldContainer[str]
    nlris: _containers.RepeatedCompositeFieldContainer[NLRI]
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., next_hops: _Optional[_Iterable[str]] = ..., nlris: _Optional[_Iterable[_Union[NLRI, _Mapping]]] = ...) -> None: ...

class LargeCommunity(_message.Message):
    __slots__ = ("global_admin", "local_data1", "local_data2")
    GLOBAL_ADMIN_FIELD_NUMBER: _ClassVar[int]
    LOCAL_DATA1_FIELD_NUMBER: _ClassVar[int]
    LOCAL_DATA2_FIELD_NUMBER: _ClassVar[int]
    global_admin: int
    local_data1: int
    local_data2: int
    def __init__(self, global_admin: _Optional[int] = ..., local_data1: _Optional[int] = ..., local_data2: _Optional[int] = ...) -> None: ...

class LargeCommunitiesAttribute(_message.Message):
    __slots__ = ("communities",)
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedCompositeFieldContainer[LargeCommunity]
    def __init__(self, communities: _Optional[_Iterable[_Union[LargeCommunity, _Mapping]]] = ...) -> None: ...

class Attribute(_message.Message):
    __slots__ = ("origin", "next_hop", "local_pref", "communities", "mp_reach", "large_communities")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    LOCAL_PREF_FIELD_NUMBER: _ClassVar[int]
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    MP_REACH_FIELD_NUMBER: _ClassVar[int]
    LARGE_COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    origin: OriginAttribute
    next_hop: NextHopAttribute
    local_pref: LocalPrefAttribute
    communities: CommunitiesAttribute
    mp_reach: MpReachNLRIAttribute
    large_communities: LargeCommunitiesAttribute
    def __init__(self, origin: _Optional[_Union[OriginAttribute, _Mapping]] = ..., next_hop: _Optional[_Union[NextHopAttribute, _Mapping]] = ..., local_pref: _Optional[_Union[LocalPrefAttribute, _Mapping]] = ..., communities: _Optional[_Union[CommunitiesAttribute, _Mapping]] = ..., mp_reach: _Optional[_Union[MpReachNLRIAttribute, _Mapping]] = ..., large_communities: _Optional[_Union[LargeCommunitiesAttribute, _Mapping]] = ...) -> None: ...

class Path(_message.Message):
    __slots__ = ("nlri", "pattrs", "is_withdraw", "family")
    NLRI_FIELD_NUMBER: _ClassVar[int]
    PATTRS_FIELD_NUMBER: _ClassVar[int]
    IS_WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    nlri: NLRI
    pattrs: _containers.RepeatedCompositeFieldContainer[Attribute]
    is_withdraw: bool
    family: Family
    def __init__(self, nlri: _Optional[_Union[NLRI, _Mapping]] = ..., pattrs: _Optional[_Iterable[_Union[Attribute, _Mapping]]] = ..., is_withdraw: bool = ..., family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class Destination(_message.Message):
    __slots__ = ("prefix", "paths")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    paths: _containers.RepeatedCompositeFieldContainer[Path]
    def __init__(self, prefix: _Optional[str] = ..., paths: _Optional[_Iterable[_Union[Path, _Mapping]]] = ...) -> None: ...

class AddPathStreamRequest(_message.Message):
    __slots__ = ("table_type", "paths")
    TABLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    table_type: TableType
    paths: _containers.RepeatedCompositeFieldContainer[Path]
    def __init__(self, table_type: _Optional[_Union[TableType, str]] = ..., paths: _Optional[_Iterable[_Union[Path, _Mapping]]] = ...) -> None: ...

class AddPathStreamResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPathRequest(_message.Message):
    __slots__ = ("table_type", "family", "batch_size")
    TABLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    table_type: TableType
    family: Family
    batch_size: int
    def __init__(self, table_type: _Optional[_Union[TableType, str]] = ..., family: _Optional[_Union[Family, _Mapping]] = ..., batch_size: _Optional[int] = ...) -> None: ...

class ListPathResponse(_message.Message):
    __slots__ = ("destination",)
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    destination: Destination
    def __init__(self, destination: _Optional[_Union[Destination, _Mapping]] = ...) -> None: ...

class PeerConf(_message.Message):
    __slots__ = ("auth_password", "local_asn", "neighbor_address", "peer_asn", "peer_group", "type", "remove_private", "route_flap_damping", "send_community", "neighbor_interface", "vrf", "allow_own_asn", "replace_peer_asn", "admin_down")
    AUTH_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ASN_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PEER_ASN_FIELD_NUMBER: _ClassVar[int]
    PEER_GROUP_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REMOVE_PRIVATE_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FLAP_DAMPING_FIELD_NUMBER: _ClassVar[int]
    SEND_COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    VRF_FIELD_NUMBER: _ClassVar[int]
    ALLOW_OWN_ASN_FIELD_NUMBER: _ClassVar[int]
    REPLACE_PEER_ASN_FIELD_NUMBER: _ClassVar[int]
    ADMIN_DOWN_FIELD_NUMBER: _ClassVar[int]
    auth_password: str
    local_asn: int
    neighbor_address: str
    peer_asn: int
    peer_group: str
    type: PeerType
    remove_private: RemovePrivate
    route_flap_damping: bool
    send_community: int
    neighbor_interface: str
    vrf: str
    allow_own_asn: int
    replace_peer_asn: bool
    admin_down: bool
    def __init__(self, auth_password: _Optional[str] = ..., local_asn: _Optional[int] = ..., neighbor_address: _Optional[str] = ..., peer_asn: _Optional[int] = ..., peer_group: _Optional[str] = ..., type: _Optional[_Union[PeerType, str]] = ..., remove_private: _Optional[_Union[RemovePrivate, str]] = ..., route_flap_damping: bool = ..., send_community: _Optional[int] = ..., neighbor_interface: _Optional[str] = ..., vrf: _Optional[str] = ..., allow_own_asn: _Optional[int] = ..., replace_peer_asn: bool = ..., admin_down: bool = ...) -> None: ...

class EbgpMultihop(_message.Message):
    __slots__ = ("enabled", "multihop_ttl")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    MULTIHOP_TTL_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    multihop_ttl: int
    def __init__(self, enabled: bool = ..., multihop_ttl: _Optional[int] = ...) -> None: ...

class TimersConfig(_message.Message):
    __slots__ = ("connect_retry", "hold_time", "keepalive_interval", "minimum_advertisement_interval", "idle_hold_time_after_reset")
    CONNECT_RETRY_FIELD_NUMBER: _ClassVar[int]
    HOLD_TIME_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_ADVERTISEMENT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    IDLE_HOLD_TIME_AFTER_RESET_FIELD_NUMBER: _ClassVar[int]
    connect_retry: int
    hold_time: int
    keepalive_interval: int
    minimum_advertisement_interval: int
    idle_hold_time_after_reset: int
    def __init__(self, connect_retry: _Optional[int] = ..., hold_time: _Optional[int] = ..., keepalive_interval: _Optional[int] = ..., minimum_advertisement_interval: _Optional[int] = ..., idle_hold_time_after_reset: _Optional[int] = ...) -> None: ...

class TimersState(_message.Message):
    __slots__ = ("connect_retry", "hold_time", "keepalive_interval", "minimum_advertisement_interval", "negotiated_hold_time", "uptime", "downtime")
    CONNECT_RETRY_FIELD_NUMBER: _ClassVar[int]
    HOLD_TIME_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_ADVERTISEMENT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    NEGOTIATED_HOLD_TIME_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    DOWNTIME_FIELD_NUMBER: _ClassVar[int]
    connect_retry: int
    hold_time: int
    keepalive_interval: int
    minimum_advertisement_interval: int
    negotiated_hold_time: int
    uptime: _timestamp_pb2.Timestamp
    downtime: _timestamp_pb2.Timestamp
    def __init__(self, connect_retry: _Optional[int] = ..., hold_time: _Optional[int] = ..., keepalive_interval: _Optional[int] = ..., minimum_advertisement_interval: _Optional[int] = ..., negotiated_hold_time: _Optional[int] = ..., uptime: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., downtime: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Timers(_message.Message):
    __slots__ = ("config", "state")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    config: TimersConfig
    state: TimersState
    def __init__(self, config: _Optional[_Union[TimersConfig, _Mapping]] = ..., state: _Optional[_Union[TimersState, _Mapping]] = ...) -> None: ...

class Transport(_message.Message):
    __slots__ = ("local_address", "local_port", "mtu_discovery", "passive_mode", "remote_address", "remote_port", "tcp_mss", "bind_interface")
    LOCAL_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_PORT_FIELD_NUMBER: _ClassVar[int]
    MTU_DISCOVERY_FIELD_NUMBER: _ClassVar[int]
    PASSIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    REMOTE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REMOTE_PORT_FIELD_NUMBER: _ClassVar[int]
    TCP_MSS_FIELD_NUMBER: _ClassVar[int]
    BIND_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    local_address: str
    local_port: int
    mtu_discovery: bool
    passive_mode: bool
    remote_address: str
    remote_port: int
    tcp_mss: int
    bind_interface: str
    def __init__(self, local_address: _Optional[str] = ..., local_port: _Optional[int] = ..., mtu_discovery: bool = ..., passive_mode: bool = ..., remote_address: _Optional[str] = ..., remote_port: _Optional[int] = ..., tcp_mss: _Optional[int] = ..., bind_interface: _Optional[str] = ...) -> None: ...

class MpGracefulRestartConfig(_message.Message):
    __slots__ = ("enabled",)
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    def __init__(self, enabled: bool = ...) -> None: ...

class MpGracefulRestart(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: MpGracefulRestartConfig
    def __init__(self, config: _Optional[_Union[MpGracefulRestartConfig, _Mapping]] = ...) -> None: ...

class AfiSafiConfig(_message.Message):
    __slots__ = ("family", "enabled")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    family: Family
    enabled: bool
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., enabled: bool = ...) -> None: ...

class AfiSafiState(_message.Message):
    __slots__ = ("family", "enabled", "received", "accepted", "advertised")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ADVERTISED_FIELD_NUMBER: _ClassVar[int]
    family: Family
    enabled: bool
    received: int
    accepted: int
    advertised: int
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., enabled: bool = ..., received: _Optional[int] = ..., accepted: _Optional[int] = ..., advertised: _Optional[int] = ...) -> None: ...

class AddPathsConfig(_message.Message):
    __slots__ = ("receive", "send_max")
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    SEND_MAX_FIELD_NUMBER: _ClassVar[int]
    receive: bool
    send_max: int
    def __init__(self, receive: bool = ..., send_max: _Optional[int] = ...) -> None: ...

class AddPaths(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: AddPathsConfig
    def __init__(self, config: _Optional[_Union[AddPathsConfig, _Mapping]] = ...) -> None: ...

class AfiSafi(_message.Message):
    __slots__ = ("mp_graceful_restart", "config", "state", "add_paths")
    MP_GRACEFUL_RESTART_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ADD_PATHS_FIELD_NUMBER: _ClassVar[int]
    mp_graceful_restart: MpGracefulRestart
    config: AfiSafiConfig
    state: AfiSafiState
    add_paths: AddPaths
    def __init__(self, mp_graceful_restart: _Optional[_Union[MpGracefulRestart, _Mapping]] = ..., config: _Optional[_Union[AfiSafiConfig, _Mapping]] = ..., state: _Optional[_Union[AfiSafiState, _Mapping]] = ..., add_paths: _Optional[_Union[AddPaths, _Mapping]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("notification", "update", "open", "keepalive", "refresh", "discarded", "total", "withdraw_update", "withdraw_prefix")
    NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_FIELD_NUMBER: _ClassVar[int]
    REFRESH_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_UPDATE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_PREFIX_FIELD_NUMBER: _ClassVar[int]
    notification: int
    update: int
    open: int
    keepalive: int
    refresh: int
    discarded: int
    total: int
    withdraw_update: int
    withdraw_prefix: int
    def __init__(self, notification: _Optional[int] = ..., update: _Optional[int] = ..., open: _Optional[int] = ..., keepalive: _Optional[int] = ..., refresh: _Optional[int] = ..., discarded: _Optional[int] = ..., total: _Optional[int] = ..., withdraw_update: _Optional[int] = ..., withdraw_prefix: _Optional[int] = ...) -> None: ...

class Messages(_message.Message):
    __slots__ = ("received", "sent")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    received: Message
    sent: Message
    def __init__(self, received: _Optional[_Union[Message, _Mapping]] = ..., sent: _Optional[_Union[Message, _Mapping]] = ...) -> None: ...

class Queues(_message.Message):
    __slots__ = ("input", "output")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    input: int
    output: int
    def __init__(self, input: _Optional[int] = ..., output: _Optional[int] = ...) -> None: ...

class PeerState(_message.Message):
    __slots__ = ("local_asn", "messages", "neighbor_address", "peer_asn", "peer_group", "type", "queues", "remove_private", "route_flap_damping", "send_community", "session_state", "admin_state", "out_q", "flops", "router_id", "bfd_state")
    class SessionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SESSION_STATE_UNSPECIFIED: _ClassVar[PeerState.SessionState]
        SESSION_STATE_IDLE: _ClassVar[PeerState.SessionState]
        SESSION_STATE_CONNECT: _ClassVar[PeerState.SessionState]
        SESSION_STATE_ACTIVE: _ClassVar[PeerState.SessionState]
        SESSION_STATE_OPENSENT: _ClassVar[PeerState.SessionState]
        SESSION_STATE_OPENCONFIRM: _ClassVar[PeerState.SessionState]
        SESSION_STATE_ESTABLISHED: _ClassVar[PeerState.SessionState]
    SESSION_STATE_UNSPECIFIED: PeerState.SessionState
    SESSION_STATE_IDLE: PeerState.SessionState
    SESSION_STATE_CONNECT: PeerState.SessionState
    SESSION_STATE_ACTIVE: PeerState.SessionState
    SESSION_STATE_OPENSENT: PeerState.SessionState
    SESSION_STATE_OPENCONFIRM: PeerState.SessionState
    SESSION_STATE_ESTABLISHED: PeerState.SessionState
    class AdminState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ADMIN_STATE_UNSPECIFIED: _ClassVar[PeerState.AdminState]
        ADMIN_STATE_UP: _ClassVar[PeerState.AdminState]
        ADMIN_STATE_DOWN: _ClassVar[PeerState.AdminState]
        ADMIN_STATE_PFX_CT: _ClassVar[PeerState.AdminState]
    ADMIN_STATE_UNSPECIFIED: PeerState.AdminState
    ADMIN_STATE_UP: PeerState.AdminState
    ADMIN_STATE_DOWN: PeerState.AdminState
    ADMIN_STATE_PFX_CT: PeerState.AdminState
    LOCAL_ASN_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PEER_ASN_FIELD_NUMBER: _ClassVar[int]
    PEER_GROUP_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    REMOVE_PRIVATE_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FLAP_DAMPING_FIELD_NUMBER: _ClassVar[int]
    SEND_COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_STATE_FIELD_NUMBER: _ClassVar[int]
    ADMIN_STATE_FIELD_NUMBER: _ClassVar[int]
    OUT_Q_FIELD_NUMBER: _ClassVar[int]
    FLOPS_FIELD_NUMBER: _ClassVar[int]
    ROUTER_ID_FIELD_NUMBER: _ClassVar[int]
    BFD_STATE_FIELD_NUMBER: _ClassVar[int]
    local_asn: int
    messages: Messages
    neighbor_address: str
    peer_asn: int
    peer_group: str
    type: PeerType
    queues: Queues
    remove_private: RemovePrivate
    route_flap_damping: bool
    send_community: int
    session_state: PeerState.SessionState
    admin_state: PeerState.AdminState
    out_q: int
    flops: int
    router_id: str
    bfd_state: BfdPeerState
    def __init__(self, local_asn: _Optional[int] = ..., messages: _Optional[_Union[Messages, _Mapping]] = ..., neighbor_address: _Optional[str] = ..., peer_asn: _Optional[int] = ..., peer_group: _Optional[str] = ..., type: _Optional[_Union[PeerType, str]] = ..., queues: _Optional[_Union[Queues, _Mapping]] = ..., remove_private: _Optional[_Union[RemovePrivate, str]] = ..., route_flap_damping: bool = ..., send_community: _Optional[int] = ..., session_state: _Optional[_Union[PeerState.SessionState, str]] = ..., admin_state: _Optional[_Union[PeerState.AdminState, str]] = ..., out_q: _Optional[int] = ..., flops: _Optional[int] = ..., router_id: _Optional[str] = ..., bfd_state: _Optional[_Union[BfdPeerState, _Mapping]] = ...) -> None: ...

class BfdAsyncCounters(_message.Message):
    __slots__ = ("received_packets",)
    RECEIVED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    received_packets: int
    def __init__(self, received_packets: _Optional[int] = ...) -> None: ...

class BfdPeerState(_message.Message):
    __slots__ = ("session_state", "bfd_async")
    SESSION_STATE_FIELD_NUMBER: _ClassVar[int]
    BFD_ASYNC_FIELD_NUMBER: _ClassVar[int]
    session_state: BfdSessionState
    bfd_async: BfdAsyncCounters
    def __init__(self, session_state: _Optional[_Union[BfdSessionState, str]] = ..., bfd_async: _Optional[_Union[BfdAsyncCounters, _Mapping]] = ...) -> None: ...

class BfdPeerConfig(_message.Message):
    __slots__ = ("enabled", "port", "desired_minimum_tx_interval", "required_minimum_receive", "detection_multiplier")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    DESIRED_MINIMUM_TX_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_MINIMUM_RECEIVE_FIELD_NUMBER: _ClassVar[int]
    DETECTION_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    port: int
    desired_minimum_tx_interval: int
    required_minimum_receive: int
    detection_multiplier: int
    def __init__(self, enabled: bool = ..., port: _Optional[int] = ..., desired_minimum_tx_interval: _Optional[int] = ..., required_minimum_receive: _Optional[int] = ..., detection_multiplier: _Optional[int] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("conf", "ebgp_multihop", "state", "timers", "transport", "graceful_restart", "afi_safis", "bfd")
    CONF_FIELD_NUMBER: _ClassVar[int]
    EBGP_MULTIHOP_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    GRACEFUL_RESTART_FIELD_NUMBER: _ClassVar[int]
    AFI_SAFIS_FIELD_NUMBER: _ClassVar[int]
    BFD_FIELD_NUMBER: _ClassVar[int]
    conf: PeerConf
    ebgp_multihop: EbgpMultihop
    state: PeerState
    timers: Timers
    transport: Transport
    graceful_restart: GracefulRestart
    afi_safis: _containers.RepeatedCompositeFieldContainer[AfiSafi]
    bfd: BfdPeerConfig
    def __init__(self, conf: _Optional[_Union[PeerConf, _Mapping]] = ..., ebgp_multihop: _Optional[_Union[EbgpMultihop, _Mapping]] = ..., state: _Optional[_Union[PeerState, _Mapping]] = ..., timers: _Optional[_Union[Timers, _Mapping]] = ..., transport: _Optional[_Union[Transport, _Mapping]] = ..., graceful_restart: _Optional[_Union[GracefulRestart, _Mapping]] = ..., afi_safis: _Optional[_Iterable[_Union[AfiSafi, _Mapping]]] = ..., bfd: _Optional[_Union[BfdPeerConfig, _Mapping]] = ...) -> None: ...

class AddPeerRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: Peer
    def __init__(self, peer: _Optional[_Union[Peer, _Mapping]] = ...) -> None: ...

class AddPeerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpdatePeerRequest(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: Peer
    def __init__(self, peer: _Optional[_Union[Peer, _Mapping]] = ...) -> None: ...

class UpdatePeerResponse(_message.Message):
    __slots__ = ("needs_soft_reset_in",)
    NEEDS_SOFT_RESET_IN_FIELD_NUMBER: _ClassVar[int]
    needs_soft_reset_in: bool
    def __init__(self, needs_soft_reset_in: bool = ...) -> None: ...

class DeletePeerRequest(_message.Message):
    __slots__ = ("address", "interface")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    address: str
    interface: str
    def __init__(self, address: _Optional[str] = ..., interface: _Optional[str] = ...) -> None: ...

class DeletePeerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPeerRequest(_message.Message):
    __slots__ = ("address", "enable_advertised")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ENABLE_ADVERTISED_FIELD_NUMBER: _ClassVar[int]
    address: str
    enable_advertised: bool
    def __init__(self, address: _Optional[str] = ..., enable_advertised: bool = ...) -> None: ...

class ListPeerResponse(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: Peer
    def __init__(self, peer: _Optional[_Union[Peer, _Mapping]] = ...) -> None: ...

class ResetPeerRequest(_message.Message):
    __slots__ = ("address", "communication", "soft", "direction")
    class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DIRECTION_UNSPECIFIED: _ClassVar[ResetPeerRequest.Direction]
        DIRECTION_IN: _ClassVar[ResetPeerRequest.Direction]
        DIRECTION_OUT: _ClassVar[ResetPeerRequest.Direction]
    DIRECTION_UNSPECIFIED: ResetPeerRequest.Direction
    DIRECTION_IN: ResetPeerRequest.Direction
    DIRECTION_OUT: ResetPeerRequest.Direction
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_FIELD_NUMBER: _ClassVar[int]
    SOFT_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    address: str
    communication: str
    soft: bool
    direction: ResetPeerRequest.Direction
    def __init__(self, address: _Optional[str] = ..., communication: _Optional[str] = ..., soft: bool = ..., direction: _Optional[_Union[ResetPeerRequest.Direction, str]] = ...) -> None: ...

class ResetPeerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchEventRequest(_message.Message):
    __slots__ = ("peer",)
    class Peer(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: WatchEventRequest.Peer
    def __init__(self, peer: _Optional[_Union[WatchEventRequest.Peer, _Mapping]] = ...) -> None: ...

class WatchEventResponse(_message.Message):
    __slots__ = ("peer",)
    class PeerEvent(_message.Message):
        __slots__ = ("type", "peer")
        class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            TYPE_UNSPECIFIED: _ClassVar[WatchEventResponse.PeerEvent.Type]
            TYPE_INIT: _ClassVar[WatchEventResponse.PeerEvent.Type]
            TYPE_END_OF_INIT: _ClassVar[WatchEventResponse.PeerEvent.Type]
            TYPE_STATE: _ClassVar[WatchEventResponse.PeerEvent.Type]
        TYPE_UNSPECIFIED: WatchEventResponse.PeerEvent.Type
        TYPE_INIT: WatchEventResponse.PeerEvent.Type
        TYPE_END_OF_INIT: WatchEventResponse.PeerEvent.Type
        TYPE_STATE: WatchEventResponse.PeerEvent.Type
        TYPE_FIELD_NUMBER: _ClassVar[int]
        PEER_FIELD_NUMBER: _ClassVar[int]
        type: WatchEventResponse.PeerEvent.Type
        peer: Peer
        def __init__(self, type: _Optional[_Union[WatchEventResponse.PeerEvent.Type, str]] = ..., peer: _Optional[_Union[Peer, _Mapping]] = ...) -> None: ...
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: WatchEventResponse.PeerEvent
    def __init__(self, peer: _Optional[_Union[WatchEventResponse.PeerEvent, _Mapping]] = ...) -> None: ...

class Prefix(_message.Message):
    __slots__ = ("ip_prefix", "mask_length_min", "mask_length_max")
    IP_PREFIX_FIELD_NUMBER: _ClassVar[int]
    MASK_LENGTH_MIN_FIELD_NUMBER: _ClassVar[int]
    MASK_LENGTH_MAX_FIELD_NUMBER: _ClassVar[int]
    ip_prefix: str
    mask_length_min: int
    mask_length_max: int
    def __init__(self, ip_prefix: _Optional[str] = ..., mask_length_min: _Optional[int] = ..., mask_length_max: _Optional[int] = ...) -> None: ...

class DefinedSet(_message.Message):
    __slots__ = ("defined_type", "name", "list", "prefixes")
    DEFINED_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    defined_type: DefinedType
    name: str
    list: _containers.RepeatedScalarFieldContainer[str]
    prefixes: _containers.RepeatedCompositeFieldContainer[Prefix]
    def __init__(self, defined_type: _Optional[_Union[DefinedType, str]] = ..., name: _Optional[str] = ..., list: _Optional[_Iterable[str]] = ..., prefixes: _Optional[_Iterable[_Union[Prefix, _Mapping]]] = ...) -> None: ...

class MatchSet(_message.Message):
    __slots__ = ("type", "name")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[MatchSet.Type]
        TYPE_ANY: _ClassVar[MatchSet.Type]
        TYPE_ALL: _ClassVar[MatchSet.Type]
        TYPE_INVERT: _ClassVar[MatchSet.Type]
    TYPE_UNSPECIFIED: MatchSet.Type
    TYPE_ANY: MatchSet.Type
    TYPE_ALL: MatchSet.Type
    TYPE_INVERT: MatchSet.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    type: MatchSet.Type
    name: str
    def __init__(self, type: _Optional[_Union[MatchSet.Type, str]] = ..., name: _Optional[str] = ...) -> None: ...

class AsPathLength(_message.Message):
    __slots__ = ("type", "length")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    type: Comparison
    length: int
    def __init__(self, type: _Optional[_Union[Comparison, str]] = ..., length: _Optional[int] = ...) -> None: ...

class CommunityCount(_message.Message):
    __slots__ = ("type", "count")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    type: Comparison
    count: int
    def __init__(self, type: _Optional[_Union[Comparison, str]] = ..., count: _Optional[int] = ...) -> None: ...

class LocalPrefEq(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: int
    def __init__(self, value: _Optional[int] = ...) -> None: ...

class MedEq(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: int
    def __init__(self, value: _Optional[int] = ...) -> None: ...

class Conditions(_message.Message):
    __slots__ = ("prefix_set", "neighbor_set", "as_path_length", "as_path_set", "community_set", "ext_community_set", "route_type", "large_community_set", "next_hop_in_list", "afi_safi_in", "community_count", "origin", "local_pref_eq", "med_eq")
    class RouteType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROUTE_TYPE_UNSPECIFIED: _ClassVar[Conditions.RouteType]
        ROUTE_TYPE_INTERNAL: _ClassVar[Conditions.RouteType]
        ROUTE_TYPE_EXTERNAL: _ClassVar[Conditions.RouteType]
        ROUTE_TYPE_LOCAL: _ClassVar[Conditions.RouteType]
    ROUTE_TYPE_UNSPECIFIED: Conditions.RouteType
    ROUTE_TYPE_INTERNAL: Conditions.RouteType
    ROUTE_TYPE_EXTERNAL: Conditions.RouteType
    ROUTE_TYPE_LOCAL: Conditions.RouteType
    PREFIX_SET_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_SET_FIELD_NUMBER: _ClassVar[int]
    AS_PATH_LENGTH_FIELD_NUMBER: _ClassVar[int]
    AS_PATH_SET_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_SET_FIELD_NUMBER: _ClassVar[int]
    EXT_COMMUNITY_SET_FIELD_NUMBER: _ClassVar[int]
    ROUTE_TYPE_FIELD_NUMBER: _ClassVar[int]
    LARGE_COMMUNITY_SET_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_IN_LIST_FIELD_NUMBER: _ClassVar[int]
    AFI_SAFI_IN_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LOCAL_PREF_EQ_FIELD_NUMBER: _ClassVar[int]
    MED_EQ_FIELD_NUMBER: _ClassVar[int]
    prefix_set: MatchSet
    neighbor_set: MatchSet
    as_path_length: AsPathLength
    as_path_set: MatchSet
    community_set: MatchSet
    ext_community_set: MatchSet
    route_type: Conditions.RouteType
    large_community_set: MatchSet
    next_hop_in_list: _containers.RepeatedScalarFieldContainer[str]
    afi_safi_in: _containers.RepeatedCompositeFieldContainer[Family]
    community_count: CommunityCount
    origin: OriginType
    local_pref_eq: LocalPrefEq
    med_eq: MedEq
    def __init__(self, prefix_set: _Optional[_Union[MatchSet, _Mapping]] = ..., neighbor_set: _Optional[_Union[MatchSet, _Mapping]] = ..., as_path_length: _Optional[_Union[AsPathLength, _Mapping]] = ..., as_path_set: _Optional[_Union[MatchSet, _Mapping]] = ..., community_set: _Optional[_Union[MatchSet, _Mapping]] = ..., ext_community_set: _Optional[_Union[MatchSet, _Mapping]] = ..., route_type: _Optional[_Union[Conditions.RouteType, str]] = ..., large_community_set: _Optional[_Union[MatchSet, _Mapping]] = ..., next_hop_in_list: _Optional[_Iterable[str]] = ..., afi_safi_in: _Optional[_Iterable[_Union[Family, _Mapping]]] = ..., community_count: _Optional[_Union[CommunityCount, _Mapping]] = ..., origin: _Optional[_Union[OriginType, str]] = ..., local_pref_eq: _Optional[_Union[LocalPrefEq, _Mapping]] = ..., med_eq: _Optional[_Union[MedEq, _Mapping]] = ...) -> None: ...

class CommunityAction(_message.Message):
    __slots__ = ("type", "communities")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[CommunityAction.Type]
        TYPE_ADD: _ClassVar[CommunityAction.Type]
        TYPE_REMOVE: _ClassVar[CommunityAction.Type]
        TYPE_REPLACE: _ClassVar[CommunityAction.Type]
    TYPE_UNSPECIFIED: CommunityAction.Type
    TYPE_ADD: CommunityAction.Type
    TYPE_REMOVE: CommunityAction.Type
    TYPE_REPLACE: CommunityAction.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    type: CommunityAction.Type
    communities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[_Union[CommunityAction.Type, str]] = ..., communities: _Optional[_Iterable[str]] = ...) -> None: ...

class MedAction(_message.Message):
    __slots__ = ("type", "value")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[MedAction.Type]
        TYPE_MOD: _ClassVar[MedAction.Type]
        TYPE_REPLACE: _ClassVar[MedAction.Type]
    TYPE_UNSPECIFIED: MedAction.Type
    TYPE_MOD: MedAction.Type
    TYPE_REPLACE: MedAction.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    type: MedAction.Type
    value: int
    def __init__(self, type: _Optional[_Union[MedAction.Type, str]] = ..., value: _Optional[int] = ...) -> None: ...

class AsPrependAction(_message.Message):
    __slots__ = ("asn", "repeat", "use_left_most")
    ASN_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    USE_LEFT_MOST_FIELD_NUMBER: _ClassVar[int]
    asn: int
    repeat: int
    use_left_most: bool
    def __init__(self, asn: _Optional[int] = ..., repeat: _Optional[int] = ..., use_left_most: bool = ...) -> None: ...

class NexthopAction(_message.Message):
    __slots__ = ("address", "self", "unchanged", "peer_address")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SELF_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    self: bool
    unchanged: bool
    peer_address: bool
    def __init__(self_, address: _Optional[str] = ..., self: bool = ..., unchanged: bool = ..., peer_address: bool = ...) -> None: ...

class LocalPrefAction(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: int
    def __init__(self, value: _Optional[int] = ...) -> None: ...

class OriginAction(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: OriginType
    def __init__(self, origin: _Optional[_Union[OriginType, str]] = ...) -> None: ...

class Actions(_message.Message):
    __slots__ = ("route_action", "community", "med", "as_prepend", "ext_community", "nexthop", "local_pref", "large_community", "origin_action")
    ROUTE_ACTION_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    MED_FIELD_NUMBER: _ClassVar[int]
    AS_PREPEND_FIELD_NUMBER: _ClassVar[int]
    EXT_COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    NEXTHOP_FIELD_NUMBER: _ClassVar[int]
    LOCAL_PREF_FIELD_NUMBER: _ClassVar[int]
    LARGE_COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_ACTION_FIELD_NUMBER: _ClassVar[int]
    route_action: RouteAction
    community: CommunityAction
    med: MedAction
    as_prepend: AsPrependAction
    ext_community: CommunityAction
    nexthop: NexthopAction
    local_pref: LocalPrefAction
    large_community: CommunityAction
    origin_action: OriginAction
    def __init__(self, route_action: _Optional[_Union[RouteAction, str]] = ..., community: _Optional[_Union[CommunityAction, _Mapping]] = ..., med: _Optional[_Union[MedAction, _Mapping]] = ..., as_prepend: _Optional[_Union[AsPrependAction, _Mapping]] = ..., ext_community: _Optional[_Union[CommunityAction, _Mapping]] = ..., nexthop: _Optional[_Union[NexthopAction, _Mapping]] = ..., local_pref: _Optional[_Union[LocalPrefAction, _Mapping]] = ..., large_community: _Optional[_Union[CommunityAction, _Mapping]] = ..., origin_action: _Optional[_Union[OriginAction, _Mapping]] = ...) -> None: ...

class Statement(_message.Message):
    __slots__ = ("name", "conditions", "actions")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    conditions: Conditions
    actions: Actions
    def __init__(self, name: _Optional[str] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., actions: _Optional[_Union[Actions, _Mapping]] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("name", "statements")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    statements: _containers.RepeatedCompositeFieldContainer[Statement]
    def __init__(self, name: _Optional[str] = ..., statements: _Optional[_Iterable[_Union[Statement, _Mapping]]] = ...) -> None: ...

class PolicyAssignment(_message.Message):
    __slots__ = ("name", "direction", "policies", "default_action")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ACTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    direction: PolicyDirection
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    default_action: RouteAction
    def __init__(self, name: _Optional[str] = ..., direction: _Optional[_Union[PolicyDirection, str]] = ..., policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ..., default_action: _Optional[_Union[RouteAction, str]] = ...) -> None: ...

class AddDefinedSetRequest(_message.Message):
    __slots__ = ("defined_set", "replace")
    DEFINED_SET_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    defined_set: DefinedSet
    replace: bool
    def __init__(self, defined_set: _Optional[_Union[DefinedSet, _Mapping]] = ..., replace: bool = ...) -> None: ...

class AddDefinedSetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteDefinedSetRequest(_message.Message):
    __slots__ = ("defined_set", "all")
    DEFINED_SET_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    defined_set: DefinedSet
    all: bool
    def __init__(self, defined_set: _Optional[_Union[DefinedSet, _Mapping]] = ..., all: bool = ...) -> None: ...

class DeleteDefinedSetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AddPolicyRequest(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class AddPolicyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeletePolicyRequest(_message.Message):
    __slots__ = ("policy", "all")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    all: bool
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., all: bool = ...) -> None: ...

class DeletePolicyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPolicyRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ...) -> None: ...

class ListDefinedSetRequest(_message.Message):
    __slots__ = ("defined_type", "name")
    DEFINED_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    defined_type: DefinedType
    name: str
    def __init__(self, defined_type: _Optional[_Union[DefinedType, str]] = ..., name: _Optional[str] = ...) -> None: ...

class ListDefinedSetResponse(_message.Message):
    __slots__ = ("defined_set",)
    DEFINED_SET_FIELD_NUMBER: _ClassVar[int]
    defined_set: DefinedSet
    def __init__(self, defined_set: _Optional[_Union[DefinedSet, _Mapping]] = ...) -> None: ...

class ListPolicyAssignmentRequest(_message.Message):
    __slots__ = ("name", "direction")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    direction: PolicyDirection
    def __init__(self, name: _Optional[str] = ..., direction: _Optional[_Union[PolicyDirection, str]] = ...) -> None: ...

class ListPolicyAssignmentResponse(_message.Message):
    __slots__ = ("assignment",)
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    assignment: PolicyAssignment
    def __init__(self, assignment: _Optional[_Union[PolicyAssignment, _Mapping]] = ...) -> None: ...

class SetPolicyAssignmentRequest(_message.Message):
    __slots__ = ("assignment",)
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    assignment: PolicyAssignment
    def __init__(self, assignment: _Optional[_Union[PolicyAssignment, _Mapping]] = ...) -> None: ...

class SetPolicyAssignmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
