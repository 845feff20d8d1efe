"""Kernel against plan: do the addresses on the interfaces agree with what keepalived says, and which are stray?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import NamedTuple

from vipmgr.core.addresses import parse_range
from vipmgr.core.keepalived_words import State
from vipmgr.core.model import Address, AddressRange, Interface
from vipmgr.core.wire import NodePool, VipNodeSpec


class Placed(NamedTuple):
    """One address on one interface."""

    interface: str
    address: Interface


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. `up`: administratively up and with carrier. `arp`: it resolves neighbours (not a dummy)."""

    index: int
    name: str
    mac: str = ""
    mtu: int = 0
    up: bool = False
    loopback: bool = False
    arp: bool = True


@dataclass(frozen=True, slots=True)
class Kernel:
    """A snapshot of links and addresses."""

    links: Mapping[int, Link] = field(default_factory=dict)
    addresses: Mapping[int, frozenset[Interface]] = field(default_factory=dict)

    def placed(self) -> set[Placed]:
        return {Placed(link.name, one) for index, link in self.links.items() for one in self.addresses.get(index, ())}

    def where(self, address: Address) -> set[str]:
        """The interfaces that carry `address`."""
        return {one.interface for one in self.placed() if one.address.ip == address}


def disagreements(spec: VipNodeSpec, states: Mapping[str, State], placed: Iterable[Placed]) -> tuple[str, ...]:
    """What keeps a plan from being confirmed: instances keepalived does not know, VIPs where they should not be."""
    wrong = [f"keepalived does not know instance {one.name}" for one in spec.instances if one.name not in states]
    planned = {one.name for one in spec.instances}
    wrong += [f"keepalived still has instance {name}" for name in sorted(states.keys() - planned)]
    present = {(one.interface, one.address.ip) for one in placed}
    for instance in spec.instances:
        master = states.get(instance.name) is State.MASTER
        for vip in instance.vips:
            there = (instance.interface, ip_address(vip)) in present
            if there != master:
                wrong.append(
                    f"{vip} is {'' if there else 'not '}on {instance.interface}, instance {instance.name} is "
                    f"{'MASTER' if master else 'not MASTER'}"
                )
    return tuple(wrong)


def vip_ranges(pools: Iterable[NodePool]) -> tuple[AddressRange, ...]:
    """The ranges whose addresses only keepalived puts on interfaces."""
    return tuple(parse_range(text) for pool in pools if pool.protocol == "vip" for text in pool.ranges)


def strays(
    plans: Iterable[VipNodeSpec], placed: Iterable[Placed], kept: frozenset[Address], *, running: bool
) -> list[Placed]:
    """Addresses of our pools that nobody on this node answers for.

    `plans`: the one in force and any under way or just before. While keepalived is `running`, an address that any of
    them names is keepalived's business; when it is dead every VIP is a stray. `kept`: the node's own addresses.
    Only host routes (/32, /128), as keepalived adds them, on interfaces that instances or pools of ours use.
    """
    specs = list(plans)
    ranges = vip_ranges(pool for spec in specs for pool in spec.pools)
    named = {ip_address(vip) for spec in specs for instance in spec.instances for vip in instance.vips}
    ours = {one.interface for spec in specs for one in spec.instances}
    ours |= {pool.interface for spec in specs for pool in spec.pools if pool.protocol == "vip"}
    found = []
    for one in placed:
        address = one.address.ip
        if one.interface not in ours or address in kept or one.address.network.prefixlen != address.max_prefixlen:
            continue
        if running and address in named:
            continue
        if address in named or any(address in span for span in ranges):
            found.append(one)
    return sorted(found, key=lambda one: (one.interface, one.address.version, int(one.address.ip)))


def own_addresses(kernel: Kernel, link: Link, specs: Iterable[VipNodeSpec]) -> list[Interface]:
    """The addresses of a link without VIPs of our pools, anchors and link-local ones: what the node itself has."""
    plans = list(specs)
    ranges = vip_ranges(pool for spec in plans for pool in spec.pools)
    ours = {ip_address(text) for spec in plans for one in spec.instances for text in (*one.vips, anchor_of(one.anchor))}
    addresses = kernel.addresses.get(link.index, frozenset())

    def mine(one: Interface) -> bool:
        host = one.network.prefixlen == one.max_prefixlen
        return not (one.ip in ours or one.is_link_local or (host and any(one.ip in span for span in ranges)))

    return sorted(filter(mine, addresses), key=lambda one: (one.version, int(one.ip)))


def anchor_of(text: str) -> str:
    """The address of an anchor, with or without a prefix length."""
    return str(ip_interface(text).ip)
