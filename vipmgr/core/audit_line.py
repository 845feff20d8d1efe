"""One audit line: what an agent writes about its node, one JSON object per line (docs/architecture.md, "Audit lines").

`seq` counts up by one per node and boot, so a hole is a lost line; `boot` names one run of the agent, and its first
line (agent.started) says where the run before it stopped. `monotonic` is the host's CLOCK_MONOTONIC: the wall clock may
step, this one may not. Fields of other events are skipped when reading.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from vipmgr.core.wire import Wire

TRANSITION: Final = "vrrp.transition"
LAYER2_TRANSITION: Final = "layer2.transition"
"""the same fields; the instance is the address"""
BGP_SESSION: Final = "bgp.session"
CONTESTED: Final = "vrrp.contested"
STRANGER: Final = "stranger.heard"
AGENT_STARTED: Final = "agent.started"
GAP: Final = "audit.gap"
LINES_LOST: Final = "lines-lost"
"""The reason of a transition nobody saw, and the cause of a failover that rests on one."""
KEEPALIVED_STARTED: Final = "keepalived.started"


class AuditLine(Wire):
    """`precision`: seconds by which `time` may be early (a keepalived log counts whole seconds); 0 for our own lines.

    `from_`/`to` are core.keepalived_words.State names, `reason` a core.model.MoveReason, `source` the address of
    another speaker (vrrp.contested, stranger.heard). An audit.gap is a transition whose own line was missed: keepalived
    itself gives the time, `since`.
    """

    time: datetime
    node: str
    event: str
    monotonic: float = 0.0
    boot: str = ""
    seq: int = 0
    instance: str = ""
    eip: str = ""
    interface: str = ""
    vrid: int = 0
    from_: str = msgspec.field(name="from", default="")
    to: str = ""
    priority: int = 0
    advert_ms: int = 0
    vips: tuple[str, ...] = ()
    reason: str = ""
    evidence: str = ""
    source: str = ""
    since: datetime | None = None
    previous_boot: str = ""
    previous_seq: int = 0
    precision: float = 0.0


_DECODER: Final = msgspec.json.Decoder(AuditLine)


def read_line(line: bytes) -> AuditLine | None:
    """An audit line, also behind a prefix (container runtime, syslog); None when it is not a whole one."""
    start = line.find(b"{")
    if start < 0:
        return None
    try:
        said = _DECODER.decode(line[start:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said if said.time.tzinfo is not None and said.node else None
