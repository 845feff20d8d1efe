"""What an audit finds, as values (core.audit finds it). Times are seconds since the epoch, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from vipmgr.core.clocks import Clock
from vipmgr.core.darkness import Dark
from vipmgr.core.ledger import ClockStep, Hole

NODE_LOST: Final = "node-lost"
NODE_REBOOTED: Final = "node-rebooted"
PARTITION: Final = "partition"
STILL_MASTER: Final = "still going on"
BGP: Final = "bgp"


@dataclass(frozen=True, slots=True)
class Limits:
    """`clock_error`: seconds two nodes' clocks may differ. A flap is `flaps` failovers within `flap_window` seconds.

    `until`: when the record ends; None: with its last line.
    """

    clock_error: float = 0.1
    flaps: int = 3
    flap_window: float = 60.0
    until: float | None = None


class Failover(NamedTuple):
    """`cause`: a MoveReason of the old master, or node-lost (silent since), node-rebooted (silent, then all anew),
    partition (it lived on), lines-lost.

    `reason`: what the new master gives. `dark`: None when nothing tells. `evidence`: the old and the new master's line.
    `line`: where the new master's is: NODE/BOOT/SEQ.
    """

    at: float
    instance: str
    vips: tuple[str, ...]
    source: str
    target: str
    cause: str
    reason: str
    dark: Dark | None
    evidence: tuple[str, ...]
    line: str = ""


class SplitBrain(NamedTuple):
    """`until`: None while it goes on. `healed_by`: what ended it. `survivor`: who stayed MASTER. `line`: of the second
    master."""

    since: float
    until: float | None
    instance: str
    vips: tuple[str, ...]
    nodes: tuple[str, ...]
    healed_by: str
    survivor: str
    line: str = ""


class NoOwner(NamedTuple):
    """`until`: None while nobody holds it. `cause`: why the last owner let go. `line`: that told when it was MASTER.

    `instance` is BGP where it was the last next hop that went: no node announced it in a session that stood.
    """

    since: float
    until: float | None
    instance: str
    vips: tuple[str, ...]
    last: str
    cause: str
    line: str = ""


class Flap(NamedTuple):
    since: float
    until: float
    instance: str
    failovers: int
    nodes: tuple[str, ...]


class Heard(NamedTuple):
    """Another speaker, heard by `node` so many times: of an instance of ours, or a stranger on some VRID."""

    since: float
    until: float
    node: str
    subject: str
    source: str
    times: int


class Silent(NamedTuple):
    """A node that held something, lost it without a word and has said nothing since."""

    node: str
    since: float
    held: tuple[str, ...]


class SessionLoss(NamedTuple):
    """A BGP session that fell. `until`: None while it is down. `carried`: addresses the node announced then."""

    since: float
    until: float | None
    node: str
    peer: str
    address: str
    reason: str
    evidence: str
    carried: int
    line: str

    @property
    def instance(self) -> str:
        return BGP


class HopLoss(NamedTuple):
    """Addresses that lost `node` as a next hop, and the nodes `left`. `until`: when it carried them again; None: not
    yet. `cause`: why its session fell, or it withdrew them."""

    since: float
    until: float | None
    node: str
    left: tuple[str, ...]
    cause: str
    vips: tuple[str, ...]
    line: str

    @property
    def instance(self) -> str:
        return BGP


class Holder(NamedTuple):
    instance: str
    nodes: tuple[str, ...]
    since: float
    vips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything in the order of time. `nodes`: who wrote lines. `begins`, `ends`: of the record."""

    begins: float = 0.0
    ends: float = 0.0
    lines: int = 0
    duplicates: int = 0
    nodes: tuple[str, ...] = ()
    clock_error: float = 0.0
    holders: tuple[Holder, ...] = ()
    split_brain: tuple[SplitBrain, ...] = ()
    no_owner: tuple[NoOwner, ...] = ()
    failovers: tuple[Failover, ...] = ()
    flaps: tuple[Flap, ...] = ()
    sessions: tuple[SessionLoss, ...] = ()
    hops: tuple[HopLoss, ...] = ()
    contested: tuple[Heard, ...] = ()
    strangers: tuple[Heard, ...] = ()
    holes: tuple[Hole, ...] = ()
    silent: tuple[Silent, ...] = ()
    clocks: tuple[Clock, ...] = ()
    steps: tuple[ClockStep, ...] = ()
