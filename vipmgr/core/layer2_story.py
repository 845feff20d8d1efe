"""How layer2 ownership is told: in the words of VRRP, so that audit, status and Events read both alike."""

from __future__ import annotations

from math import ceil
from typing import Final

from vipmgr.core.keepalived_words import State as Word
from vipmgr.core.layer2 import Cause, Moved
from vipmgr.core.layer2_view import Obstacle, Timings
from vipmgr.core.model import MoveReason
from vipmgr.core.respond import Standing

WORDS: Final = {Standing.OWNER: Word.MASTER, Standing.STANDBY: Word.BACKUP, Standing.DOUBT: Word.FAULT}

_CAUSES: Final = {
    Cause.FIRST_CLAIM: MoveReason.STARTED,
    Cause.RELEASED: MoveReason.PRIORITY_ZERO,
    Cause.OFFERED: MoveReason.PRIORITY_ZERO,
    Cause.SILENT: MoveReason.ADVERT_TIMEOUT,
    Cause.OUTBID: MoveReason.HIGHER_PRIORITY,
    Cause.CONFIRMED: MoveReason.RECOVERED,
    Cause.SLEPT: MoveReason.AGENT_HUNG,
}
_OBSTACLES: Final = {
    Obstacle.LINK_DOWN: MoveReason.INTERFACE_DOWN,
    Obstacle.NO_INTERFACE: MoveReason.INTERFACE_DOWN,
    Obstacle.NO_ENDPOINTS: MoveReason.NO_ENDPOINTS,
    Obstacle.DRAINING: MoveReason.DRAINED,
    Obstacle.STOPPING: MoveReason.STOPPED,
}


def reason(moved: Moved, obstacle: Obstacle | None) -> MoveReason:
    """Of a transition, in VRRP's words. `obstacle`: what stood in this node's way when it happened."""
    if moved.cause in (Cause.OBSTACLE, Cause.HANDED_OVER):
        return _OBSTACLES[obstacle] if obstacle is not None else MoveReason.YIELDED
    return _CAUSES[moved.cause]


def evidence(moved: Moved) -> str:
    return f"{moved.cause} ({moved.other})" if moved.other else str(moved.cause)


def advert_ms(timings: Timings) -> int:
    """The advert interval that bounds the darkness as VRRP's does, three to four of it (core/darkness.py, priority 0).

    An owner falls silent just after it answered, or just before it would have: `misses` to `misses` + 1 intervals.
    Without probes it is replaced when its Lease has run out, which was renewed up to a second before it died.
    """
    probes = timings.misses * timings.probe_interval
    if not timings.watch:
        return ceil(1000 * (timings.lease_expiry + probes) / 4)
    return ceil(1000 * max(probes / 3, (timings.misses + 1) * timings.probe_interval / 4))
