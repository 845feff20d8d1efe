"""Eip.status in OpenELB's shapes: what of a pool is in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from vipmgr.core import wire
from vipmgr.core.addresses import buggy_in
from vipmgr.core.model import Address, Pool, ServiceKey

LARGEST: Final = 2**63 - 1
"""poolSize is an int64 in the API; an IPv6 range may be larger and says this"""


def entries(used: Mapping[Address, Sequence[ServiceKey]]) -> dict[str, str]:
    """{"10.0.0.1": "ns/svc;ns/other"}"""
    return {str(address): ";".join(owners) for address, owners in used.items()}


def pool_size(pool: Pool) -> int:
    """All addresses of the ranges, network and broadcast address included, as OpenELB counts."""
    return min(pool.size, LARGEST)


def capacity(pool: Pool) -> int:
    """How many addresses it can give out: without those it avoids."""
    avoided = sum(map(buggy_in, pool.ranges)) if pool.avoid_buggy_ips else 0
    return pool.size - avoided


def eip_status(pool: Pool, used: Mapping[str, str], conditions: list[wire.Condition] | None = None) -> wire.EipStatus:
    """The whole status. `used` as from `entries`. firstIP, lastIP and v4 describe the first range, `spec.address`.

    `ready`, dead in OpenELB 0.6, tells whether the pool may give out addresses as far as its definition goes.
    """
    first = pool.ranges[0] if pool.ranges else None
    return wire.EipStatus(
        occupied=first is not None and len(used) >= capacity(pool),
        usage=len(used),
        pool_size=pool_size(pool),
        used=dict(used) or None,
        first_ip=str(first.first) if first is not None else "",
        last_ip=str(first.last) if first is not None else "",
        ready=first is not None and not pool.problems,
        v4=first is not None and first.first.version == 4,
        conditions=conditions,
    )
