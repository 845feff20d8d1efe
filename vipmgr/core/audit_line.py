"""One audit line: what an agent writes about its node, one JSON object per line (docs/audit-lines.md has one of each).

`seq` counts up by one per node and boot, so a hole is a lost line; `boot` names one run of the agent, and its first
line (agent.started) says where the run before it stopped. `monotonic` is the host's CLOCK_MONOTONIC: the wall clock may
step, this one may not. What a line does not say (a field that is empty, zero or null) is left out; fields of a later
version are skipped when reading.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from vipmgr.core.wire_base import Wire


class Event(StrEnum):
    """What a line is about. A reader may meet others: those of a later version."""

    TRANSITION = "vrrp.transition"
    CONTESTED = "vrrp.contested"
    LAYER2_TRANSITION = "layer2.transition"
    LAYER2_STRANGER = "layer2.stranger"
    BGP_SESSION = "bgp.session"
    BGP_ANNOUNCED = "bgp.announced"
    BGP_WITHDRAWN = "bgp.withdrawn"
    GOBGPD_FOUND = "gobgpd.found"
    GOBGPD_DIED = "gobgpd.died"
    STRANGER = "stranger.heard"
    CONFIG_APPLIED = "config.applied"
    CONFIG_REFUSED = "config.refused"
    KEEPALIVED_STARTED = "keepalived.started"
    KEEPALIVED_DIED = "keepalived.died"
    STRAY_REMOVED = "vip.stray_removed"
    DRAIN_STARTED = "drain.started"
    DRAIN_DONE = "drain.done"
    DRAIN_UNDONE = "drain.undone"
    AGENT_STARTED = "agent.started"
    AGENT_STOPPED = "agent.stopped"
    GAP = "audit.gap"


LINES_LOST: Final = "lines-lost"
"""The reason of a transition nobody saw, and the cause of a failover that rests on one."""
_UNSTAMPED: Final = datetime.fromtimestamp(0, UTC)


class AuditLine(Wire, kw_only=True):
    """The writer says what happened; the journal adds when, where and which (`time` to `seq`).

    `from_`/`to` are core.keepalived_words.State names (a session's: GoBGP's), `reason` a core.model.MoveReason (a
    session's: why it fell), `source` the address of another speaker, `instance` of a layer2 line its address.
    `instances`: all that the event touched. An audit.gap is a transition whose own line was missed: keepalived itself
    gives the time, `since`. `precision`: seconds by which `time` may be early (a keepalived log counts whole seconds);
    0 for our own lines.

    BGP: `peers`: to whom addresses are announced; empty: to all. `families`: of the addresses a session carries.
    `kept_seconds`: how long the router was asked to keep our routes while gobgpd restarts. `routes`, `sessions`: what
    gobgpd held when it was found.
    """

    time: datetime = _UNSTAMPED
    monotonic: float = 0.0
    node: str = ""
    boot: str = ""
    seq: int = 0
    event: str
    instance: str = ""
    eip: str = ""
    interface: str = ""
    family: str = ""
    vrid: int = 0
    peer: str = ""
    address: str = ""
    asn: int = 0
    peers: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    kept_seconds: int = 0
    from_: str = msgspec.field(name="from", default="")
    to: str = ""
    priority: int = 0
    advert_ms: int = 0
    vips: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    epoch: int = 0
    reason: str = ""
    evidence: str = ""
    source: str = ""
    since: datetime | None = None
    dark_at_least_ms: float | None = None
    dark_at_most_ms: float | None = None
    revision: str = ""
    reload_ms: int | None = None
    silent_ms: int | None = None
    vips_added: int = 0
    vips_removed: int = 0
    routes: int = 0
    sessions: int = 0
    pid: int = 0
    previous_boot: str = ""
    previous_seq: int = 0
    precision: float = 0.0

    def stamp(self, *, seconds: float, monotonic: float, node: str, boot: str, seq: int) -> None:
        """`seconds`: since the epoch."""
        self.time = datetime.fromtimestamp(seconds, UTC)
        self.monotonic, self.node, self.boot, self.seq = round(monotonic, 6), node, boot, seq


_DECODER: Final = msgspec.json.Decoder(AuditLine)
_ENCODER: Final = msgspec.json.Encoder()


def read_line(line: bytes) -> AuditLine | None:
    """An audit line, also behind a prefix (container runtime, syslog); None when it is not a whole one.

    What else an agent logs has a time and a node too, but no number.
    """
    start = line.find(b"{")
    if start < 0:
        return None
    try:
        said = _DECODER.decode(line[start:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    whole = said.node and said.seq > 0 and said.time.tzinfo is not None and said.time != _UNSTAMPED
    return said if whole else None


def write_line(line: AuditLine) -> bytes:
    return _ENCODER.encode(line)
