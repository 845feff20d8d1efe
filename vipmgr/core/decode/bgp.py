"""BgpConf and BgpPeer -> values. A field that cannot be read is left at its default and reported by name."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Final

from vipmgr.core import bgp_objects as wire
from vipmgr.core.bgp import Conf, Peer
from vipmgr.core.decode.reader import Reader
from vipmgr.core.decode.values import milliseconds, natural, selector
from vipmgr.core.model import Reason, Selector
from vipmgr.core.node_bgp import IN_PEER, INTERFACE, NodeBfd, NodeBgpFamily, NodeBgpPeer, NodeBgpRestart

_TOP_AS: Final = 0xFFFF_FFFF
_PORT: Final = 179
DEFERRAL_S: Final = 30
"""GoBGP's 360 s are longer than routers keep stale routes"""
RESTART_S: Final = 120
_AFIS: Final = {"AFI_IP": "IPv4", "AFI_IP6": "IPv6"}


def decode_conf(found: wire.BgpConf) -> Conf:
    spec = found.spec
    reader = Reader(f"BgpConf/{found.metadata.name}")
    if not spec.as_ and not spec.as_per_rack:
        reader.wrong("spec.as", Reason.BAD_VALUE, "is needed, or spec.asPerRack")
    for index, number in enumerate(spec.families or ()):
        if number not in (0x10001, 0x20001):  # GoBGP's AFI << 16 | SAFI
            reader.wrong(f"spec.families[{index}]", Reason.BAD_VALUE, f"{number} is not IPv4 or IPv6 unicast")
    router_id = ""
    if spec.router_id:
        router_id = reader.read("spec.routerId", lambda: str(IPv4Address(spec.router_id)), "")
    addresses = []
    for index, text in enumerate(spec.listen_addresses or ()):
        one = reader.read(f"spec.listenAddresses[{index}]", lambda text=text: str(ip_address(text)), "")  # type: ignore[misc]
        addresses += [one] if one else []
    return Conf(
        name=found.metadata.name,
        asn=_asn("spec.as", spec.as_, reader),
        racks={
            rack: number
            for rack, one in sorted((spec.as_per_rack or {}).items())
            if (number := _asn(f"spec.asPerRack[{rack}]", one, reader))
        },
        router_id=router_id,
        listen_port=reader.within(
            "spec.listenPort", spec.listen_port or _PORT, ok=-1 <= spec.listen_port <= 0xFFFF,
            expected="a port, or -1 for none", instead=_PORT,
        ),
        listen_addresses=tuple(addresses),
        use_multiple_paths=spec.use_multiple_paths,
        graceful_restart=_restart("spec.gracefulRestart", spec.graceful_restart, reader),
        policy=spec.policy,
        problems=tuple(reader.problems),
    )  # fmt: skip


def decode_peer(found: wire.BgpPeer) -> Peer:
    name, spec = found.metadata.name, found.spec
    reader = Reader(f"BgpPeer/{name}")
    chosen = spec.node_selector
    nodes = Selector()
    if chosen is not None:
        nodes = reader.read("spec.nodeSelector", lambda: selector(chosen), Selector())
    unreadable = bool(reader.problems)  # then it is nobody's session, not everybody's
    address = _address(spec.conf, reader)
    plan = None if address is None or unreadable else _session(found, address, reader)
    return Peer(name, plan, nodes, tuple(reader.problems))


def _address(conf: wire.PeerConf, reader: Reader) -> str | None:
    """ "": the agent finds it. None: there is nobody to speak with."""
    if not conf.neighbor_address:
        if conf.neighbor_interface:
            return reader.read("spec.conf.neighborInterface", lambda: _no_address(conf.neighbor_interface), None)
        reader.wrong("spec.conf.neighborAddress", Reason.BAD_ADDRESS, "is needed, or spec.conf.neighborInterface")
        return None
    return reader.read(
        "spec.conf.neighborAddress", lambda: str(ip_address(conf.neighbor_address)), None, Reason.BAD_ADDRESS
    )


def _no_address(interface: str) -> str:
    if not INTERFACE.fullmatch(interface):
        raise ValueError(f"{interface!r} is no name of an interface")
    return ""


def _session(found: wire.BgpPeer, address: str, reader: Reader) -> NodeBgpPeer:
    spec, conf = found.spec, found.spec.conf
    _ignored(spec, reader)
    restart = _restart("spec.gracefulRestart", spec.graceful_restart, reader)
    hold = _seconds("spec.timers.config.holdTime", spec.timers.config.hold_time, 90, reader)
    hold = reader.within("spec.timers.config.holdTime", hold, ok=hold >= 3, expected="3 or more", instead=90)
    retry = _seconds("spec.timers.config.connectRetry", spec.timers.config.connect_retry, 5, reader)
    keepalive = _seconds("spec.timers.config.keepaliveInterval", spec.timers.config.keepalive_interval, 0, reader)
    least = _seconds(
        "spec.timers.config.minimumAdvertisementInterval",
        spec.timers.config.minimum_advertisement_interval, 0, reader,
    )  # fmt: skip
    multihop = spec.ebgp_multihop
    return NodeBgpPeer(
        name=found.metadata.name,
        address=address,
        asn=_asn("spec.conf.peerAs", conf.peer_as, reader),
        local_asn=_asn("spec.conf.localAs", conf.local_as, reader),
        password=_password(spec),
        password_generation=found.metadata.generation if _password(spec) == IN_PEER else 0,
        admin_down=conf.admin_down,
        allow_own_as=reader.within(
            "spec.conf.allowOwnAs", conf.allow_own_as, ok=0 <= conf.allow_own_as <= 255, expected="0 to 255", instead=0
        ),
        remove_private_as=reader.read("spec.conf.removePrivateAs", lambda: _removal(conf.remove_private_as), ""),
        replace_peer_as=conf.replace_peer_as,
        multihop_ttl=(multihop.multihop_ttl or 255) if multihop.enabled else 0,
        connect_retry=max(1, retry),
        hold_time=hold,
        keepalive=keepalive or hold // 3,
        min_advertisement=least,
        passive=spec.transport.passive_mode,
        remote_port=spec.transport.remote_port or _PORT,
        tcp_mss=spec.transport.tcp_mss,
        mtu_discovery=spec.transport.mtu_discovery,
        families=_families(spec, address, restart is not None, reader),
        graceful_restart=restart,
        bfd=_bfd(spec.bfd, reader),
        interface="" if address else conf.neighbor_interface,
    )


def _ignored(spec: wire.BgpPeerSpec, reader: Reader) -> None:
    """What OpenELB hands to GoBGP, which refuses it (OpenELB cannot make its groups and VRFs) or takes no notice."""
    conf = spec.conf
    for field, is_set, why in (
        ("spec.conf.neighborInterface", conf.neighbor_address and conf.neighbor_interface,
         "spec.conf.neighborAddress is connected to"),
        ("spec.conf.peerGroup", conf.peer_group, "there are no groups to be in"),
        ("spec.conf.vrf", conf.vrf, "there are no VRFs to be in"),
        ("spec.conf.routeFlapDamping", conf.route_flap_damping, "no routes are taken in"),
        ("spec.conf.sendCommunity", conf.send_community, "communities are always sent"),
        ("spec.transport.remoteAddress", spec.transport.remote_address not in ("", conf.neighbor_address),
         "spec.conf.neighborAddress is connected to"),
    ):  # fmt: skip
        if is_set:
            reader.wrong(field, Reason.FIELD_IGNORED, f"has no effect: {why}")


def _password(spec: wire.BgpPeerSpec) -> str:
    if spec.password_secret is not None:
        return f"secret/{spec.password_secret.name}/{spec.password_secret.key}"
    return IN_PEER if spec.conf.auth_password else ""


def _removal(text: str) -> str:
    """OpenELB's spelling is GoBGP's: REMOVE_PRIVATE_ALL or all."""
    word = text.removeprefix("REMOVE_PRIVATE_").lower().replace("_", "")
    if word in ("", "none", "unspecified"):
        return ""
    if word not in ("all", "replace"):
        raise ValueError(f"{text!r} is not all or replace")
    return word


def _families(spec: wire.BgpPeerSpec, address: str, graceful: bool, reader: Reader) -> tuple[NodeBgpFamily, ...]:
    """Left out: the family of the address, both where an interface says who it is: what OpenELB and GoBGP take."""
    found = []
    own = "IPv6" if ":" in address else "IPv4"
    usual = (own,) if address else ("IPv4", "IPv6")
    for index, one in enumerate(spec.afi_safis or ()):
        named = one.config.family if one.config is not None else None
        family = own if named is None else _AFIS.get(named.afi)
        if family is None or (named is not None and named.safi != "SAFI_UNICAST"):
            where = f"spec.afiSafis[{index}].config.family"
            reader.wrong(where, Reason.FIELD_IGNORED, "has no effect: there are routes of IPv4 and IPv6 unicast alone")
        elif one.config is None or one.config.enabled:
            restart = one.mp_graceful_restart
            keeps = graceful if restart is None else restart.config.enabled
            found.append(NodeBgpFamily(
                family=family, graceful_restart=keeps,
                receive=one.add_paths.config.receive, send_max=one.add_paths.config.send_max,
            ))  # fmt: skip
    return tuple(found) or tuple(NodeBgpFamily(family=one, graceful_restart=graceful) for one in usual)


def _restart(field: str, found: wire.GracefulRestart | None, reader: Reader) -> NodeBgpRestart | None:
    if found is None or not found.enabled:
        return None
    time = found.restart_time or RESTART_S
    return NodeBgpRestart(
        restart_time=reader.within(
            f"{field}.restartTime", time, ok=1 <= time <= 4095, expected="1 to 4095", instead=RESTART_S
        ),
        deferral_time=found.deferral_time or DEFERRAL_S,
        stale_routes_time=found.stale_routes_time,
        helper_only=found.helper_only,
        notification=found.notification_enabled,
        long_lived=found.longlived_enabled,
    )


def _bfd(found: wire.Bfd | None, reader: Reader) -> NodeBfd | None:
    if found is None or not found.enabled:
        return None
    times = []
    for field, text in (("transmitInterval", found.transmit_interval), ("receiveInterval", found.receive_interval)):
        read = reader.read(f"spec.bfd.{field}", lambda text=text: milliseconds(text), 100.0)  # type: ignore[misc]
        ok = 10 <= read <= 60_000
        times.append(reader.within(f"spec.bfd.{field}", read, ok=ok, expected="10ms to 60s", instead=100.0))
    count = found.detect_multiplier
    return NodeBfd(
        transmit_ms=int(times[0]),
        receive_ms=int(times[1]),
        multiplier=reader.within(
            "spec.bfd.detectMultiplier", count, ok=1 <= count <= 255, expected="1 to 255", instead=3
        ),
    )


def _asn(field: str, number: int, reader: Reader) -> int:
    return reader.within(field, number, ok=0 <= number <= _TOP_AS, expected=f"0 to {_TOP_AS}", instead=0)


def _seconds(field: str, text: str, usual: int, reader: Reader) -> int:
    if not text:
        return usual
    found = natural(text, 0xFFFF)
    if found is None:
        reader.wrong(field, Reason.BAD_VALUE, f"{text!r} is no number of seconds up to 65535")
        return usual
    return found
