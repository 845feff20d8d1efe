"""VipNode and VrrpInstance -> what the agents say, and the register of virtual router IDs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_interface
from typing import Final, TypeVar

from vipmgr.core import wire
from vipmgr.core.decode.values import moment
from vipmgr.core.model import (
    Address,
    Family,
    Instance,
    InstanceReport,
    Interface,
    LocalInterface,
    Member,
    NodeReport,
    Problem,
    Reason,
)
from vipmgr.core.node_layer2 import NodeLayer2Status

DRAIN: Final = "vipmgr.io/drain"
REBALANCE: Final = "vipmgr.io/rebalance"

T = TypeVar("T")


def decode_instance(found: wire.VrrpInstance) -> Instance | Problem:
    """Only we write VrrpInstances: a Problem means that somebody else's hand was in it."""
    name, spec = found.metadata.name, found.spec
    try:
        if not 1 <= spec.virtual_router_id <= 255:
            raise ValueError(f"virtualRouterID {spec.virtual_router_id} is not within 1-255")
        return Instance(
            name=name,
            eip=spec.eip,
            interface=spec.interface,
            family=Family(spec.family),
            vrid=spec.virtual_router_id,
            anchor=ip_address(spec.anchor),
            members=tuple(Member(member.node, member.priority) for member in spec.members),
            vips=tuple(ip_address(vip) for vip in spec.vips),
            service=spec.service,
            rebalance=(found.metadata.annotations or {}).get(REBALANCE, ""),
        )
    except ValueError as error:
        return Problem(f"VrrpInstance/{name}", Reason.BAD_VALUE, f"spec: {error}")


def decode_report(found: wire.VipNode) -> NodeReport:
    """Both halves of a VipNode: what its agent said, and what it was told."""
    metadata, spec, status = found.metadata, found.spec, found.status
    return NodeReport(
        name=metadata.name,
        uid=metadata.uid,
        drain=(metadata.annotations or {}).get(DRAIN) == "true",
        drained=status.drained,
        revision=status.revision,
        published_revision=spec.revision,
        refused_revision=status.refused.revision if status.refused is not None else "",
        listening_since=moment(status.listening_since),
        interfaces=tuple(
            LocalInterface(one.name, one.up, _interfaces(one.addresses), one.mac) for one in status.interfaces
        ),
        reach=status.reach or {},
        instances={
            one.name: InstanceReport(one.state, one.since, one.priority, one.reason, one.contested)
            for one in status.instances
        },
        strangers=frozenset(
            (one.interface, Family(one.family), one.virtual_router_id, one.source)
            for one in status.strangers
            if one.family in tuple(Family)
        ),
        published_instances={one.name: _addresses(one.vips) for one in spec.instances},
        published_wiring={one.name: (one.interface, one.virtual_router_id) for one in spec.instances},
        published_drain=spec.drain,
        published_at=moment(spec.published_at),
        unsettled=_holding(spec.unsettled or {}),
        layer2=_layer2(status.layer2) if status.layer2 is not None else {},
    )


def _layer2(found: NodeLayer2Status) -> dict[str, InstanceReport]:
    """By address as text, in its one spelling. Priority 256: there is no skew time (core/ownership.py)."""
    said = {str(one): state for state in found.addresses for one in _addresses([state.address])}
    return {name: InstanceReport(one.state, one.since, 256, one.reason, contested=False) for name, one in said.items()}


def _holding(found: Mapping[str, Iterable[str]]) -> dict[str, frozenset[Address]]:
    return {name: _addresses(vips) for name, vips in found.items()}


def _addresses(texts: Iterable[str]) -> frozenset[Address]:
    return frozenset(_readable(texts, ip_address))


def _interfaces(texts: Iterable[str]) -> tuple[Interface, ...]:
    return tuple(_readable(texts, ip_interface))


def _readable(texts: Iterable[str], parse: Callable[[str], T]) -> list[T]:
    """Those that can be read: an agent of another version may write what we do not know."""
    found = []
    for text in texts:
        try:
            found.append(parse(text))
        except ValueError:
            continue
    return found
