"""One node's share of a placement, as values ready to print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vipmgr.core.eligible import REACH, Site, Sites, interface_name
from vipmgr.core.model import (
    Address,
    AddressRange,
    Family,
    Instance,
    InstancePlan,
    Member,
    NodeReport,
    Pool,
    Protocol,
    VrrpPolicy,
)
from vipmgr.core.placement import Placement

PoolPlan = tuple[str, Protocol, str, tuple[AddressRange, ...]]


def instance_plan(
    instance: Instance,
    member: Member,
    report: NodeReport,
    placement: Placement,
    *,
    vips: tuple[Address, ...],
    yield_token: str = "",
) -> InstancePlan | None:
    """None while the node lacks the interface: it could only be in FAULT there."""
    sites = placement.sites
    pool = placement.pools.get(instance.eip)
    site = sites.of(member.node, instance.interface)
    interface = interface_name(instance.interface, report)
    if not interface or (site is None and report.interfaces):
        return None
    policy = pool.vrrp if pool is not None else VrrpPolicy()
    source = None
    if policy.unicast:
        source = _spoken(site, instance.family, pool)
        if source is None:
            return None
    return InstancePlan(
        name=instance.name,
        eip=instance.eip,
        interface=interface,
        family=instance.family,
        vrid=instance.vrid,
        priority=member.priority,
        anchor=instance.anchor,
        advert_interval_ms=policy.advert_interval_ms,
        vips=vips,
        preempt=policy.preempt,
        preempt_delay_s=policy.preempt_delay_s,
        garp_refresh_s=policy.garp_refresh_s,
        track_interfaces=_tracked(policy, interface, report),
        unicast_source=source,
        unicast_peers=_peers(instance, member, pool, sites) if source is not None else (),
        health_check_node_ports=placement.health_ports.get(instance.name, ()),
        yield_token=yield_token,
    )


def _tracked(policy: VrrpPolicy, own: str, report: NodeReport) -> tuple[str, ...]:
    """Without the instance's own interface (tracked anyway) and unknown ones: either makes keepalived -t exit 5."""
    known = {interface.name for interface in report.interfaces}
    return tuple(name for name in dict.fromkeys(policy.track_interfaces) if name != own and name in known)


def _peers(instance: Instance, member: Member, pool: Pool | None, sites: Sites) -> tuple[Address, ...]:
    others = (other.node for other in instance.members if other.node != member.node)
    spoken = (_spoken(sites.of(node, instance.interface), instance.family, pool) for node in others)
    return tuple(sorted((address for address in spoken if address is not None), key=int))


def _spoken(site: Site | None, family: Family, pool: Pool | None) -> Address | None:
    """The address adverts come from: one in the pool's subnet if there is one, not link-local if that can be."""
    if site is None:
        return None
    version = 4 if family is Family.IPV4 else 6
    ranges = pool.ranges if pool is not None else ()
    mine = [address for address in site.interface.addresses if address.version == version]
    if not mine:
        return None
    best = min(
        mine,
        key=lambda a: (not any(span.first in a.network for span in ranges), a.ip.is_link_local, int(a.ip)),
    )
    return best.ip


class PoolPlans:
    """What every node is told of the pools: the same tuple for all, unless an interface depends on the node."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = [pools[name] for name in sorted(pools)]
        self._varies = any(pool.interface.startswith(REACH) for pool in self._pools)
        self._same: tuple[PoolPlan, ...] = tuple(_plan(pool, pool.interface) for pool in self._pools)
        self.reach = reach(self._pools)

    def of(self, report: NodeReport) -> tuple[PoolPlan, ...]:
        if not self._varies:
            return self._same
        return tuple(_plan(pool, interface_name(pool.interface, report)) for pool in self._pools)


def _plan(pool: Pool, interface: str) -> PoolPlan:
    return (pool.name, pool.protocol, interface, pool.ranges)


def reach(pools: Iterable[Pool]) -> tuple[str, ...]:
    """The targets of can_reach, for the agents to resolve."""
    return tuple(sorted({pool.interface.removeprefix(REACH) for pool in pools if pool.interface.startswith(REACH)}))
