"""layer2 in the audit: a line for every change of standing, in the words and fields of VRRP's."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.keepalived_words import State as Word
from vipmgr.core.layer2 import Moved
from vipmgr.core.layer2_story import WORDS, advert_ms, evidence, reason
from vipmgr.core.layer2_view import Obstacle
from vipmgr.core.model import MoveReason
from vipmgr.core.respond import Standing
from vipmgr.node.journal import Journal, utc
from vipmgr.node.layer2_watch import Counters, Watch


class Record:
    """Writes what it is told, and keeps it in the Watch for the status."""

    def __init__(self, journal: Journal, counters: Counters) -> None:
        self._journal = journal
        self._counters = counters

    def moved(self, one: Watch, was: Standing, moved: Moved, obstacle: Obstacle | None, now: float) -> None:
        """`now`, on the clock of the machine, and `moved.since`: how long ago it was."""
        line = AuditLine(event=Event.LAYER2_TRANSITION, from_=str(WORDS[was]), to=str(WORDS[moved.standing]))
        line.reason, line.evidence = str(reason(moved, obstacle)), evidence(moved)
        if moved.since is not None:
            line.since = datetime.fromtimestamp(time.time() - (now - moved.since), UTC)
        if moved.dark is not None:
            line.dark_at_least_ms, line.dark_at_most_ms = map(_milliseconds, moved.dark)
        self._write(one, line)

    def recalled(self, one: Watch) -> None:
        line = AuditLine(event=Event.LAYER2_TRANSITION, from_=str(Word.INIT), to=str(WORDS[one.state.standing]))
        line.reason, line.evidence = str(MoveReason.STARTED), "its Lease says that it had it"
        self._write(one, line)

    def dropped(self, one: Watch) -> None:
        line = AuditLine(event=Event.LAYER2_TRANSITION, from_=str(WORDS[one.state.standing]), to=str(Word.STOP))
        line.reason, line.evidence = str(MoveReason.DELETED), "not in the plan any more"
        self._write(one, line)

    def stranger(self, one: Watch, mac: bytes) -> None:
        vips = (str(one.vip.address),)
        line = AuditLine(event=Event.LAYER2_STRANGER, interface=one.vip.interface, source=mac.hex(":"), vips=vips)
        self._journal.write(line)

    def _write(self, one: Watch, line: AuditLine) -> None:
        one.since, one.reason = utc(time.time()), line.reason
        self._counters.transitions[line.to, line.reason] += 1
        line.instance, line.vips = str(one.vip.address), (str(one.vip.address),)
        line.eip, line.interface = one.vip.eip, one.vip.interface
        line.advert_ms, line.epoch = advert_ms(one.timings), one.state.epoch
        self._journal.write(line)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
