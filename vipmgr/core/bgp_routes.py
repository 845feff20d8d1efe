"""What a node announces right now, route by route, and which session may carry it.

A route carries one internal large community for every session it is meant for, or the one that means all of them; the
export policy of a session lets through what carries its tag and takes the tags off. So a new VIP changes no policy, and
a new session changes no route.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from vipmgr.core.node_bgp import NodeBgp, NodeBgpRoutes

TAG_ADMIN: Final = 0xFFFF_FFFF
"""a reserved AS number (RFC 7300): nobody else's large communities begin with it"""
TAG_KIND: Final = 1986096237
ALL: Final = 0


class Route(NamedTuple):
    """`prefix`: in its one spelling. `large` has the tags too. Both kinds of communities are sorted."""

    prefix: str
    communities: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    local_pref: int | None = None


def tag(peer: str) -> str:
    """The internal large community of a BgpPeer, by its name; of all of them for ""."""
    number = int.from_bytes(blake2b(peer.encode(), digest_size=4).digest()) or 1 if peer else ALL
    return f"{TAG_ADMIN}:{TAG_KIND}:{number}"


def routes_of(plan: NodeBgp, *, drain: bool, healthy: Callable[[int], bool]) -> dict[str, Route]:
    """Prefix -> route. `healthy`: whether that health check port says that the node has endpoints.

    Two pools that share a prefix (an aggregate) share the route: it goes to the sessions of both, with the attributes
    of both, and the higher LOCAL_PREF.
    """
    if drain:
        return {}
    found: dict[str, Route] = {}
    for group in plan.routes:
        if not all(healthy(port) for port in group.health_check_node_ports):
            continue
        communities, large = _attributes(group)
        for prefix in group.prefixes:
            route = Route(prefix, communities, large, group.local_pref)
            there = found.get(prefix)
            found[prefix] = route if there is None or there == route else _both(there, route)
    return found


def health_ports(plan: NodeBgp) -> frozenset[int]:
    return frozenset(port for group in plan.routes for port in group.health_check_node_ports)


def _attributes(group: NodeBgpRoutes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tags = [tag(peer) for peer in group.peers] or [tag("")]
    return tuple(sorted(set(group.communities))), tuple(sorted({*group.large_communities, *tags}))


def _both(one: Route, other: Route) -> Route:
    prefs = [pref for pref in (one.local_pref, other.local_pref) if pref is not None]
    return Route(
        one.prefix,
        tuple(sorted({*one.communities, *other.communities})),
        tuple(sorted({*one.large, *other.large})),
        max(prefs, default=None),
    )
