"""Which instance holds which VIP: the one that does already, else rendezvous hashing over those with room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from vipmgr.core.members import score
from vipmgr.core.model import Address, Instance, NodeName, Pool, ServiceKey, Vip
from vipmgr.core.names import local_name, number_of

VIPS_PER_INSTANCE = 1000
"""they fail over together in ~400 ms; 5000 flap (docs/keepalived.md)"""


@dataclass(frozen=True, slots=True)
class LocalGroup:
    """The VIPs of one Service with externalTrafficPolicy: Local; both families go together."""

    name: str
    service: ServiceKey
    vips: tuple[Vip, ...]

    @property
    def endpoints(self) -> frozenset[NodeName]:
        return frozenset().union(*(vip.endpoint_nodes for vip in self.vips))

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(sorted({port for vip in self.vips for port in vip.health_check_node_ports}))


@dataclass(slots=True)
class Homes:
    """`vips`: canonical order. `locals`: instances of Local Services. `surplus`: shared ones to give up."""

    vips: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    locals: dict[str, Instance] = field(default_factory=dict)
    endpoints: dict[str, frozenset[NodeName]] = field(default_factory=dict)
    surplus: set[str] = field(default_factory=set)
    homeless: list[Address] = field(default_factory=list)


def find_homes(
    pool: Pool,
    vips: list[Vip],
    shared: Mapping[str, Instance],
    recorded: list[Instance],
    local: Callable[[LocalGroup], Instance | None],
    *,
    ready: bool,
) -> Homes:
    """`local` gives the instance of a Local Service, or None.

    If instances can be made at all (`ready`), what it lacks is a VRID, and its VIPs go to the shared ones.
    """
    homes = Homes()
    home = {vip: name for name, instance in shared.items() for vip in instance.vips}
    common = [vip.address for vip in vips if not vip.local]
    for group in _groups(pool, [vip for vip in vips if vip.local], recorded):
        instance = local(group)
        if instance is None:
            for vip in group.vips:
                (common if ready or vip.address in home else homes.homeless).append(vip.address)
            continue
        homes.locals[group.name] = instance
        homes.endpoints[group.name] = group.endpoints
        homes.vips[group.name] = canonical(vip.address for vip in group.vips)
    _share(pool, common, shared, home, homes)
    return homes


def canonical(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """IPv4 first, then by value."""
    return tuple(sorted(addresses, key=lambda address: (address.version, int(address))))


def _groups(pool: Pool, vips: list[Vip], recorded: list[Instance]) -> list[LocalGroup]:
    """A VIP stays with the Service its instance was made for, also when that stops being the oldest of its owners."""
    owner = {vip: instance for instance in recorded if instance.service is not None for vip in instance.vips}
    grouped: dict[str, list[Vip]] = {}
    services: dict[str, ServiceKey] = {}
    for vip in sorted(vips, key=lambda vip: (vip.address.version, int(vip.address))):
        held = owner.get(vip.address)
        if held is not None and held.service in vip.services:
            name, service = held.name, held.service
        else:
            service = vip.services[0]
            name = local_name(pool.name, service)
        grouped.setdefault(name, []).append(vip)
        services[name] = service
    return [LocalGroup(name, services[name], tuple(members)) for name, members in grouped.items()]


def _share(
    pool: Pool, addresses: list[Address], shared: Mapping[str, Instance], home: Mapping[Address, str], homes: Homes
) -> None:
    kept: dict[str, list[Address]] = {name: [] for name in shared}
    fresh = []
    for address in addresses:
        name = home.get(address)
        if name is None:
            fresh.append(address)
        else:
            kept[name].append(address)
    limit = pool.vrrp.instances
    surplus = {name for name in shared if limit is not None and (number_of(pool.name, name) or 0) >= limit}
    homes.surplus = {name for name in surplus if not kept[name]}
    open_ones = [name for name in shared if name not in surplus]
    grown = set()
    for address in canonical(fresh):
        room = [name for name in open_ones if len(kept[name]) < VIPS_PER_INSTANCE]
        if not room:
            homes.homeless.append(address)
            continue
        best = max(room, key=lambda name: score(name, str(address)))
        kept[best].append(address)
        grown.add(best)
    for name, addresses_kept in kept.items():
        same = name not in grown and len(addresses_kept) == len(shared[name].vips)
        homes.vips[name] = shared[name].vips if same else canonical(addresses_kept)
