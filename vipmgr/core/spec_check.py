"""What `keepalived -t` lets pass and must not go live: an empty file, an instance missing, an address twice; and values
that nobody here could read, whoever wrote them into the object."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Final

from vipmgr.core.addresses import parse_range
from vipmgr.core.model import Family
from vipmgr.core.node_bgp import INTERFACE
from vipmgr.core.wire import VipNodeSpec

_WORD: Final = re.compile(r"[^\s/]+")
_INSTANCE: Final = re.compile(r"^\s*vrrp_instance\s+(\S+)", re.MULTILINE)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""of a Kubernetes object; an instance's is also the name of a file"""


def complaint(spec: VipNodeSpec) -> str | None:
    """None when every value of the spec can be read, and they and its keepalived.conf can be of one mind."""
    unreadable = _unreadable(spec)
    if unreadable is not None:
        return unreadable
    if "global_defs" not in spec.keepalived:
        return "the configuration is empty: it has no global_defs"
    planned = Counter(instance.name for instance in spec.instances)
    printed = Counter(_INSTANCE.findall(spec.keepalived))
    if planned != printed:
        differing = sorted((planned - printed) + (printed - planned))
        return f"the configuration and the plan differ in vrrp_instance {', '.join(differing)}"
    owners = Counter(vip for instance in spec.instances for vip in instance.vips)
    twice = sorted(vip for vip, count in owners.items() if count > 1)
    if twice:
        return f"address {', '.join(twice[:5])} is in more than one place"
    missing = sorted(owners.keys() - set(_WORD.findall(spec.keepalived)))
    if missing:
        return f"address {', '.join(missing[:5])} is planned but not in the configuration"
    return _shared_vrid(spec)


def _unreadable(spec: VipNodeSpec) -> str | None:
    vip_pools = [pool for pool in spec.pools if pool.protocol == "vip"]
    layer2 = spec.layer2.pools if spec.layer2 is not None else ()
    peers, routes = (spec.bgp.peers, spec.bgp.routes) if spec.bgp is not None else ((), ())
    values: tuple[tuple[str, Callable[[str], object], Iterable[str]], ...] = (
        ("instances.name", _name, (one.name for one in spec.instances)),
        ("instances.family", Family, (one.family for one in spec.instances)),
        ("instances.anchor", ip_interface, (one.anchor for one in spec.instances)),
        ("instances.vips", ip_address, (vip for one in spec.instances for vip in one.vips)),
        ("pools.ranges", parse_range, (text for pool in vip_pools for text in pool.ranges)),
        ("reach", ip_address, spec.reach),
        ("layer2.addresses", ip_address, (one.address for pool in layer2 for one in pool.addresses)),
        ("bgp.peers.address", ip_address, (peer.address for peer in peers if not peer.interface)),
        ("bgp.peers.interface", _interface, (peer.interface for peer in peers if peer.interface)),
        ("bgp.routes.prefixes", ip_network, (one for part in routes for one in part.prefixes)),
    )
    for field, read, texts in values:
        for text in texts:
            try:
                read(text)
            except ValueError as error:
                return f"{field}: {error}"
    return None


def _name(text: str) -> None:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of an instance")


def _interface(text: str) -> None:
    if not INTERFACE.fullmatch(text):
        raise ValueError(f"{text!r} is no name of an interface")


def _shared_vrid(spec: VipNodeSpec) -> str | None:
    used = Counter((one.interface, one.family, one.virtual_router_id) for one in spec.instances)
    twice = [key for key, count in used.items() if count > 1]
    if not twice:
        return None
    interface, family, vrid = twice[0]
    return f"virtual router {vrid} ({family}) is used twice on {interface}"
