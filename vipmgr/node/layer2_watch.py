"""The addresses a node is a candidate for, as its agent watches them; and what it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from vipmgr.core.layer2 import State
from vipmgr.core.layer2_view import Candidate, Layer2Vip, Obstacle, Timings
from vipmgr.core.node_layer2 import NodeLayer2Pool


@dataclass(slots=True)
class Watch:
    """One address of the plan. `due`: no step is needed before, unless something happens."""

    vip: Layer2Vip
    timings: Timings
    leaving: bool
    state: State = field(default_factory=State)
    since: str = ""
    reason: str = ""
    obstacle: Obstacle | None = None
    due: float = 0.0


class Counters:
    """What a scrape shows, besides the states."""

    def __init__(self) -> None:
        self.answers = 0
        self.silences: Counter[str] = Counter()
        self.probes = 0
        self.announcements = 0
        self.transitions: Counter[tuple[str, str]] = Counter()


def watches_of(pool: NodeLayer2Pool) -> Iterable[Watch]:
    """The addresses of one pool, with nothing known of them yet. One that cannot be read is passed over."""
    interval = pool.probe_interval_ms / 1000 or Timings().probe_interval
    timings = Timings(
        watch=pool.probe_interval_ms > 0,
        lease_expiry=pool.lease_ms / 1000,
        probe_interval=interval,
        misses=pool.probe_misses,
        sleep=0.85 * interval * pool.probe_misses,
        doubt=interval,
        refresh=float(pool.garp_refresh_s),
    )
    macs = {node: bytes.fromhex(mac.replace(":", "")) for node, mac in pool.stations.items()}
    for one in pool.addresses:
        candidates = tuple(Candidate(node, macs.get(node, b"")) for node in one.candidates)
        vip = Layer2Vip(
            ip_address(one.address), pool.eip, pool.interface, candidates, one.services, one.health_check_node_ports
        )
        yield Watch(vip, timings, one.leaving)
