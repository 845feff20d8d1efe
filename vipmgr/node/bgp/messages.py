"""Values <-> GoBGP's messages. What is read back of a session is what was told, or it would be changed for ever."""

from __future__ import annotations

from typing import Final

from vipmgr.core.bgp_routes import Route
from vipmgr.core.bgp_steps import Session
from vipmgr.core.node_bgp import NodeBfd, NodeBgp, NodeBgpFamily, NodeBgpPeer, NodeBgpRestart
from vipmgr.node.bgp import gobgp_pb2 as pb

IPV4: Final = pb.Family(afi=pb.Family.AFI_IP, safi=pb.Family.SAFI_UNICAST)
IPV6: Final = pb.Family(afi=pb.Family.AFI_IP6, safi=pb.Family.SAFI_UNICAST)
FAMILIES: Final = {"IPv4": IPV4, "IPv6": IPV6}
_NAMES: Final = {pb.Family.AFI_IP: "IPv4", pb.Family.AFI_IP6: "IPv6"}
_REMOVE: Final = {"": pb.REMOVE_PRIVATE_UNSPECIFIED, "all": pb.REMOVE_PRIVATE_ALL, "replace": pb.REMOVE_PRIVATE_REPLACE}
_ORIGIN: Final = pb.Attribute(origin=pb.OriginAttribute(origin=0))
_NEXT_HOP: Final = pb.Attribute(next_hop=pb.NextHopAttribute(next_hop="0.0.0.0"))  # noqa: S104 - gobgpd puts its own


# --- the daemon ------------------------------------------------------------------------------------------------------


def global_message(head: NodeBgp) -> pb.Global:
    return pb.Global(
        asn=head.asn,
        router_id=head.router_id,
        listen_port=head.listen_port,
        listen_addresses=head.listen_addresses,
        use_multiple_paths=head.use_multiple_paths,
    )


def head_value(found: pb.Global) -> NodeBgp:
    listening = tuple(found.listen_addresses)
    return NodeBgp(
        asn=found.asn,
        router_id=found.router_id,
        listen_port=found.listen_port,
        listen_addresses=() if listening == ("0.0.0.0", "::") else listening,  # noqa: S104 - what it says of "all"
        use_multiple_paths=found.use_multiple_paths,
    )


def _restart_message(restart: NodeBgpRestart | None) -> pb.GracefulRestart | None:
    if restart is None:
        return None
    return pb.GracefulRestart(
        enabled=True,
        restart_time=restart.restart_time,
        deferral_time=restart.deferral_time,
        stale_routes_time=restart.stale_routes_time,
        helper_only=restart.helper_only,
        notification_enabled=restart.notification,
        longlived_enabled=restart.long_lived,
    )


def _restart_value(found: pb.GracefulRestart) -> NodeBgpRestart | None:
    if not found.enabled:
        return None
    return NodeBgpRestart(
        restart_time=found.restart_time,
        deferral_time=found.deferral_time,
        stale_routes_time=found.stale_routes_time,
        helper_only=found.helper_only,
        notification=found.notification_enabled,
        long_lived=found.longlived_enabled,
    )


# --- routes ----------------------------------------------------------------------------------------------------------


def path_message(route: Route, *, withdraw: bool = False) -> pb.Path:
    prefix, _, length = route.prefix.partition("/")
    nlri = pb.NLRI(prefix=pb.IPAddressPrefix(prefix=prefix, prefix_len=int(length)))
    if ":" in prefix:
        family = IPV6
        reach = pb.MpReachNLRIAttribute(family=IPV6, next_hops=["::"], nlris=[nlri])
        attributes = [_ORIGIN, pb.Attribute(mp_reach=reach)]
    else:
        family = IPV4
        attributes = [_ORIGIN, _NEXT_HOP]
    if route.local_pref is not None:
        attributes.append(pb.Attribute(local_pref=pb.LocalPrefAttribute(local_pref=route.local_pref)))
    if route.communities:
        numbers = [_number(one) for one in route.communities]
        attributes.append(pb.Attribute(communities=pb.CommunitiesAttribute(communities=numbers)))
    large = [_large(one) for one in route.large]
    attributes.append(pb.Attribute(large_communities=pb.LargeCommunitiesAttribute(communities=large)))
    return pb.Path(nlri=nlri, pattrs=attributes, family=family, is_withdraw=withdraw)


def route_value(path: pb.Path) -> Route:
    nlri = path.nlri.prefix
    communities: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    local_pref = None
    for one in path.pattrs:
        match one.WhichOneof("attr"):
            case "local_pref":
                local_pref = one.local_pref.local_pref
            case "communities":
                found = one.communities.communities
                communities = tuple(sorted(f"{number >> 16}:{number & 0xFFFF}" for number in found))
            case "large_communities":
                all_ = one.large_communities.communities
                large = tuple(sorted(f"{each.global_admin}:{each.local_data1}:{each.local_data2}" for each in all_))
    return Route(f"{nlri.prefix}/{nlri.prefix_len}", communities, large, local_pref)


def _number(community: str) -> int:
    high, _, low = community.partition(":")
    return int(high) << 16 | int(low)


def _large(community: str) -> pb.LargeCommunity:
    admin, one, two = community.split(":")
    return pb.LargeCommunity(global_admin=int(admin), local_data1=int(one), local_data2=int(two))


# --- sessions --------------------------------------------------------------------------------------------------------


def peer_message(session: Session, *, restarting: bool = False) -> pb.Peer:
    """`restarting`: this gobgpd was one with that session a moment ago (RFC 4724, restart state)."""
    one = session.settings
    peer = pb.Peer(
        conf=pb.PeerConf(
            neighbor_address=one.address,
            peer_asn=one.asn,
            local_asn=one.local_asn,
            auth_password=session.password,
            admin_down=one.admin_down,
            allow_own_asn=one.allow_own_as,
            remove_private=_REMOVE[one.remove_private_as],
            replace_peer_asn=one.replace_peer_as,
        ),
        timers=pb.Timers(
            config=pb.TimersConfig(
                connect_retry=one.connect_retry,
                hold_time=one.hold_time,
                keepalive_interval=one.keepalive,
                minimum_advertisement_interval=one.min_advertisement,
                idle_hold_time_after_reset=1,
            )
        ),
        transport=pb.Transport(
            passive_mode=one.passive, remote_port=one.remote_port, tcp_mss=one.tcp_mss, mtu_discovery=one.mtu_discovery
        ),
        graceful_restart=_restart_message(one.graceful_restart),
        afi_safis=[_family_message(family) for family in one.families],
    )
    if restarting and one.graceful_restart is not None:
        peer.graceful_restart.local_restarting = True
    if one.multihop_ttl:
        peer.ebgp_multihop.CopyFrom(pb.EbgpMultihop(enabled=True, multihop_ttl=one.multihop_ttl))
    if one.bfd is not None:
        peer.bfd.CopyFrom(
            pb.BfdPeerConfig(
                enabled=True,
                desired_minimum_tx_interval=one.bfd.transmit_ms * 1000,
                required_minimum_receive=one.bfd.receive_ms * 1000,
                detection_multiplier=one.bfd.multiplier,
            )
        )
    return peer


def session_value(found: pb.Peer) -> Session:
    conf, timers, transport = found.conf, found.timers.config, found.transport
    bfd = None
    if found.bfd.enabled:
        bfd = NodeBfd(
            transmit_ms=found.bfd.desired_minimum_tx_interval // 1000,
            receive_ms=found.bfd.required_minimum_receive // 1000,
            multiplier=found.bfd.detection_multiplier,
        )
    settings = NodeBgpPeer(
        name="",
        address=conf.neighbor_address,
        asn=conf.peer_asn,
        local_asn=conf.local_asn,
        admin_down=conf.admin_down,
        allow_own_as=conf.allow_own_asn,
        remove_private_as=next(name for name, number in _REMOVE.items() if number == conf.remove_private),
        replace_peer_as=conf.replace_peer_asn,
        multihop_ttl=found.ebgp_multihop.multihop_ttl if found.ebgp_multihop.enabled else 0,
        connect_retry=timers.connect_retry,
        hold_time=timers.hold_time,
        keepalive=timers.keepalive_interval,
        min_advertisement=timers.minimum_advertisement_interval,
        passive=transport.passive_mode,
        remote_port=transport.remote_port,
        tcp_mss=transport.tcp_mss,
        mtu_discovery=transport.mtu_discovery,
        families=tuple(_family_value(one) for one in found.afi_safis if one.config.family.afi in _NAMES),
        graceful_restart=_restart_value(found.graceful_restart),
        bfd=bfd,
    )
    return Session(settings, conf.auth_password)


def _family_message(one: NodeBgpFamily) -> pb.AfiSafi:
    return pb.AfiSafi(
        config=pb.AfiSafiConfig(family=FAMILIES[one.family], enabled=True),
        mp_graceful_restart=pb.MpGracefulRestart(config=pb.MpGracefulRestartConfig(enabled=one.graceful_restart)),
        add_paths=pb.AddPaths(config=pb.AddPathsConfig(receive=one.receive, send_max=one.send_max)),
    )


def _family_value(found: pb.AfiSafi) -> NodeBgpFamily:
    return NodeBgpFamily(
        family=_NAMES[found.config.family.afi],
        graceful_restart=found.mp_graceful_restart.config.enabled,
        receive=found.add_paths.config.receive,
        send_max=found.add_paths.config.send_max,
    )
