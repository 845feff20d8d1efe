"""What the ownership machine (core/layer2.py) sees of the world when it looks at one address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vipmgr.core.model import Address, NodeName
from vipmgr.core.neighbour import Mac


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. `misses` unanswered probes, `probe_interval` apart, make an owner dead.

    With `watch` the silence of an owner counts although its Lease is fresh; without, only once the Lease has expired. A
    node further down the ranking waits for `patience` more probes per place. `renewal`: by then an agent that lives has
    renewed its Lease. `sleep`: an owner that was not scheduled for this long cannot know whether it was replaced and
    doubts for `doubt`.
    """

    watch: bool = True
    lease_expiry: float = 3.0
    renewal: float = 1.3
    probe_interval: float = 0.15
    misses: int = 3
    patience: int = 2
    sleep: float = 0.4
    doubt: float = 0.15
    handover: float = 0.5
    burst: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0)
    refresh: float = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    node: NodeName
    mac: Mac


@dataclass(frozen=True, slots=True)
class Layer2Vip:
    """One address of the plan. `candidates` in order of rank (rendezvous hash, preferred nodes first)."""

    address: Address
    eip: str
    interface: str
    candidates: tuple[Candidate, ...]
    services: tuple[str, ...] = ()
    health_check_node_ports: tuple[int, ...] = ()

    def rank(self, node: NodeName) -> int:
        return next((place for place, one in enumerate(self.candidates) if one.node == node), len(self.candidates))


@dataclass(frozen=True, slots=True)
class Peer:
    """What another agent's Lease says. `fresh`: it changed within `Timings.lease_expiry`, by our own clock, which
    stands still while we cannot reach the API server. `renewed_at`: when it last changed, by that clock.
    """

    node: NodeName
    fresh: bool
    claims: Mapping[Address, int] = field(default_factory=dict)
    offers: Mapping[Address, NodeName] = field(default_factory=dict)
    unable: frozenset[Address] = frozenset()
    renewed_at: float = field(default=0.0, compare=False)


class Obstacle(StrEnum):
    """Why this node may not own an address now."""

    LINK_DOWN = "link-down"
    NO_INTERFACE = "no-interface"
    NO_ENDPOINTS = "no-local-endpoints"
    DRAINING = "draining"
    STOPPING = "stopping"

    @property
    def silences_at_once(self) -> bool:
        """There is nothing left to hand over: the link or the backends are gone."""
        return self in (Obstacle.LINK_DOWN, Obstacle.NO_INTERFACE, Obstacle.NO_ENDPOINTS)


@dataclass(frozen=True, slots=True)
class View:
    """What one step sees. `synced`: the peers' Leases were listed (or the API server has been away for an expiry).

    `frames`: how many frames about our addresses the interface has received so far. Not of whatever kind: a switch that
    is cut off itself still talks.
    """

    node: NodeName
    vip: Layer2Vip
    peers: Mapping[NodeName, Peer]
    obstacle: Obstacle | None
    synced: bool
    timings: Timings
    frames: int = 0
