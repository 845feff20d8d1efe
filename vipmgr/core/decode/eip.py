"""Eip -> Pool. What cannot be read is listed in `Pool.problems`, by field; the pool then gives out nothing new."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import combinations
from typing import Final

from vipmgr.core import wire
from vipmgr.core.addresses import parse_address, parse_range
from vipmgr.core.decode.reader import Reader
from vipmgr.core.decode.values import created, milliseconds, natural, selector, vrid_set
from vipmgr.core.model import (
    Address,
    AddressRange,
    BgpPolicy,
    Layer2Policy,
    Pool,
    Protocol,
    Reason,
    Selector,
    ServiceKey,
    VrrpPolicy,
)

DEFAULT_EIP: Final = "eip.openelb.kubesphere.io/is-default-eip"
REACH: Final = "can_reach:"
_INTERFACE: Final = re.compile(r"[^/:\s]{1,15}")


def decode_pool(eip: wire.Eip) -> Pool:
    """The pool, always: without ranges when no address can be read, with defaults for other fields that cannot."""
    spec, metadata = eip.spec, eip.metadata
    reader = Reader(f"Eip/{metadata.name}")
    ranges = _ranges(spec, reader)
    protocol = reader.read("spec.protocol", lambda: _protocol(spec.protocol), Protocol.BGP)
    _check_interface(spec, protocol, reader)
    chosen_services = spec.service_selector
    chosen_nodes = spec.node_selector
    return Pool(
        name=metadata.name,
        uid=metadata.uid,
        created=created(metadata),
        protocol=protocol,
        ranges=ranges,
        interface=spec.interface,
        disabled=spec.disable,
        deleting=metadata.deletion_timestamp is not None,
        priority=spec.priority,
        namespaces=frozenset(spec.namespaces or ()),
        namespace_selector=(
            None if spec.namespace_selector is None else Selector(tuple(sorted(spec.namespace_selector.items())))
        ),
        is_default=(metadata.annotations or {}).get(DEFAULT_EIP, "").lower() == "true",
        auto_assign=spec.auto_assign,
        avoid_buggy_ips=spec.avoid_buggy_ips,
        service_selector=(
            reader.read("spec.serviceSelector", lambda: selector(chosen_services), Selector())
            if chosen_services is not None
            else None
        ),
        enforce_namespaces=spec.enforce_namespaces,
        node_selector=(
            reader.read("spec.nodeSelector", lambda: selector(chosen_nodes), Selector())
            if chosen_nodes is not None
            else Selector()
        ),
        vrrp=_vrrp(spec.vrrp, reader),
        bgp=_bgp(spec.bgp, reader),
        layer2=_layer2(spec.layer2, reader),
        used=_used(eip.status.used or {}),
        problems=tuple(reader.problems),
    )


def _ranges(spec: wire.EipSpec, reader: Reader) -> tuple[AddressRange, ...]:
    """`address` first, then `addresses`; `address` may be left out only when the others are there."""
    texts = [("spec.address", spec.address)] if spec.address or not spec.addresses else []
    texts += [(f"spec.addresses[{index}]", text) for index, text in enumerate(spec.addresses or ())]
    found: list[tuple[str, AddressRange]] = []
    for field, text in texts:
        try:
            found.append((field, parse_range(text)))
        except ValueError as error:
            reader.wrong(field, Reason.BAD_ADDRESS, str(error))
    for (_, one), (field, other) in combinations(found, 2):
        if one.overlaps(other):
            reader.wrong(field, Reason.OVERLAP, f"{other} overlaps {one} of the same Eip")
    return tuple(span for _, span in found)


def _protocol(text: str) -> Protocol:
    """Nothing means bgp, as in OpenELB."""
    if text not in ("", *Protocol):
        raise ValueError(f"{text!r} is not bgp, layer2 or vip")
    return Protocol(text or Protocol.BGP)


def _check_interface(spec: wire.EipSpec, protocol: Protocol, reader: Reader) -> None:
    name = spec.interface
    if not name:
        if protocol is not Protocol.BGP:
            reader.wrong("spec.interface", Reason.MISSING_INTERFACE, f"is required for protocol {protocol}")
    elif name.startswith(REACH):
        reader.read("spec.interface", lambda: ip_address(name.removeprefix(REACH)), None)
    elif not _INTERFACE.fullmatch(name):
        reader.wrong("spec.interface", Reason.BAD_VALUE, f"{name!r} is no interface name and not {REACH}IP")


def _vrrp(spec: wire.VrrpSpec, reader: Reader) -> VrrpPolicy:
    usual = VrrpPolicy()
    advert = reader.read("spec.vrrp.advertInterval", lambda: milliseconds(spec.advert_interval), 100.0)
    advert = reader.within(
        "spec.vrrp.advertInterval",
        advert,
        ok=10 <= advert <= 40_950 and advert % 10 == 0,  # RFC 9568 5.2.7: 12 bits of centiseconds
        expected="10ms to 40.95s in steps of 10ms",
        instead=100.0,
    )
    delay = reader.read("spec.vrrp.preemptDelay", lambda: milliseconds(spec.preempt_delay), 0.0) / 1000
    refresh = reader.read("spec.vrrp.garpRefresh", lambda: milliseconds(spec.garp_refresh), 30_000.0) / 1000
    return VrrpPolicy(
        advert_interval_ms=int(advert),
        preempt=spec.preempt,
        preempt_delay_s=reader.within(
            "spec.vrrp.preemptDelay", delay, ok=delay <= 1000, expected="at most 1000s", instead=0.0
        ),
        instances=reader.within(
            "spec.vrrp.instances",
            spec.instances,
            ok=spec.instances is None or 1 <= spec.instances <= 255,
            expected="1 to 255",
            instead=None,
        ),
        members=reader.within(
            "spec.vrrp.members", spec.members, ok=1 <= spec.members <= 64, expected="1 to 64", instead=usual.members
        ),
        vrids=reader.read("spec.vrrp.virtualRouterIDs", lambda: vrid_set(spec.virtual_router_ids), usual.vrids),
        unicast=spec.unicast,
        garp_refresh_s=int(
            reader.within(
                "spec.vrrp.garpRefresh", refresh, ok=refresh == int(refresh), expected="whole seconds", instead=30.0
            )
        ),
        track_interfaces=tuple(spec.track_interfaces or ()),
        preferred=_preferred(spec.preferred_nodes or (), reader),
        traffic_health=spec.traffic_health,
    )


def _preferred(found: Iterable[wire.PreferredNode], reader: Reader) -> tuple[tuple[int, Selector], ...]:
    preferred = []
    for index, one in enumerate(found):
        try:
            preferred.append((one.weight, selector(one.node_selector)))
        except ValueError as error:
            reader.wrong(f"spec.vrrp.preferredNodes[{index}].nodeSelector", Reason.BAD_VALUE, str(error))
    return tuple(preferred)


def _bgp(spec: wire.EipBgpSpec, reader: Reader) -> BgpPolicy:
    for field, values, parts, limit in (
        ("spec.bgp.communities", spec.communities, 2, 0xFFFF),
        ("spec.bgp.largeCommunities", spec.large_communities, 3, 0xFFFF_FFFF),
    ):
        for index, text in enumerate(values or ()):
            words = text.split(":")
            if len(words) != parts or any(natural(word, limit) is None for word in words):
                reader.wrong(f"{field}[{index}]", Reason.BAD_VALUE, f"{text!r} is not {parts} numbers up to {limit}")
    length, length6 = spec.aggregation_length, spec.aggregation_length_v6
    return BgpPolicy(
        communities=tuple(spec.communities or ()),
        large_communities=tuple(spec.large_communities or ()),
        local_pref=spec.local_pref,
        aggregation_length=reader.within(
            "spec.bgp.aggregationLength", length, ok=0 <= length <= 32, expected="0 to 32", instead=32
        ),
        aggregation_length_v6=reader.within(
            "spec.bgp.aggregationLengthV6", length6, ok=0 <= length6 <= 128, expected="0 to 128", instead=128
        ),
        peers=tuple(spec.peers or ()),
    )


def _layer2(spec: wire.EipLayer2Spec, reader: Reader) -> Layer2Policy:
    """Two misses are the least: one lost frame must move nothing. Agents renew their Leases every second."""
    usual = Layer2Policy()
    probe = reader.read("spec.layer2.probeInterval", lambda: milliseconds(spec.probe_interval), 150.0)
    lease = reader.read("spec.layer2.leaseDuration", lambda: milliseconds(spec.lease_duration), 3_000.0)
    refresh = reader.read("spec.layer2.garpRefresh", lambda: milliseconds(spec.garp_refresh), 30_000.0) / 1000
    probe_ok, lease_ok = probe == 0 or 20 <= probe <= 5_000, 2_000 <= lease <= 60_000
    return Layer2Policy(
        int(reader.within("spec.layer2.probeInterval", probe, ok=probe_ok, expected="0 or 20ms to 5s", instead=150.0)),
        reader.within(
            "spec.layer2.probeMisses",
            spec.probe_misses,
            ok=2 <= spec.probe_misses <= 20,
            expected="2 to 20",
            instead=usual.probe_misses,
        ),
        int(reader.within("spec.layer2.leaseDuration", lease, ok=lease_ok, expected="2s to 60s", instead=3_000.0)),
        int(
            reader.within(
                "spec.layer2.garpRefresh", refresh, ok=1 <= refresh <= 3600, expected="1s to 1h", instead=30.0
            )
        ),
    )


def _used(used: dict[str, str]) -> dict[Address, tuple[ServiceKey, ...]]:
    """Eip.status.used. Entries that cannot be read, which nobody of us wrote, are passed over."""
    found: dict[Address, tuple[ServiceKey, ...]] = {}
    for text, owners in used.items():
        try:
            address = parse_address(text)
        except ValueError:
            continue
        keys = tuple(key for key in owners.split(";") if key.count("/") == 1)
        if keys:
            found[address] = keys
    return found
