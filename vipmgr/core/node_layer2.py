"""VipNode.spec.layer2 and VipNode.status.layer2: which addresses a node may answer for, and which it does."""

from __future__ import annotations

import msgspec

from vipmgr.core.wire_base import FrozenWire, Wire


class NodeLayer2Address(FrozenWire, frozen=True, kw_only=True):
    """`candidates`: nodes in order of rank. `leaving`: this node is to hand it to another and be rid of it."""

    address: str
    candidates: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    health_check_node_ports: tuple[int, ...] = ()
    leaving: bool = False


class NodeLayer2Pool(FrozenWire, frozen=True, kw_only=True):
    """One pool on this node. `stations`: candidate -> MAC of its interface. `probe_interval_ms` 0: Leases alone."""

    eip: str
    interface: str
    stations: dict[str, str] = msgspec.field(default_factory=dict)
    probe_interval_ms: int = 150
    probe_misses: int = 3
    lease_ms: int = 3000
    garp_refresh_s: int = 30
    addresses: tuple[NodeLayer2Address, ...] = ()


class NodeLayer2(FrozenWire, frozen=True, kw_only=True):
    pools: tuple[NodeLayer2Pool, ...] = ()


class NodeLayer2State(Wire):
    """An address this node answers for, or may not claim. state: MASTER, BACKUP (it makes sure), FAULT (a stranger
    uses the address; `reason` names its MAC). `since`: RFC 3339 with microseconds."""

    address: str
    eip: str
    interface: str
    state: str
    since: str = ""
    reason: str = ""
    epoch: int = 0


class NodeLayer2Status(Wire):
    """`standby`: how many addresses it would answer for if others failed."""

    addresses: list[NodeLayer2State] = msgspec.field(default_factory=list)
    standby: int = 0
