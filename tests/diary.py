"""What the agents of a few nodes would write: audit lines with seq, boot, and clocks that are off or get set."""

from datetime import UTC, datetime

import msgspec

from vipmgr.core.audit_line import AuditLine, read_line
from vipmgr.core.ledger import Ledger

EPOCH = 1_795_000_000.0


class Diary:
    """One node's journal. `offset`: its wall clock minus the true time; may be changed on the way (a clock step)."""

    def __init__(self, node, *, priority=254, advert_ms=100, offset=0.0):
        self.node, self.priority, self.advert_ms, self.offset = node, priority, advert_ms, offset
        self.boots, self.seq, self.born, self.state, self.lines = 1, 0, 0.0, {}, []

    def write(self, at, event, **facts):
        self.seq += 1
        line = {
            "time": timestamp(EPOCH + at + self.offset),
            "monotonic": 100.0 + at - self.born,
            "node": self.node,
            "boot": f"{self.node}-{self.boots}",
            "seq": self.seq,
            "event": event,
            **facts,
        }
        self.lines.append(msgspec.json.encode(line))

    def go(self, at, state, reason="unknown", instance="i", **facts):
        """The instance enters `state` at the true time `at`."""
        self.write(
            at,
            "vrrp.transition",
            instance=instance,
            **{"from": self.state.get(instance, "INIT")},
            to=state,
            priority=self.priority,
            advertMs=self.advert_ms,
            vips=["10.0.0.5"],
            reason=reason,
            evidence=f"({instance}) Entering {state} STATE",
            **facts,
        )
        self.state[instance] = state

    def reboot(self, at):
        """The machine starts again: nothing of before is known, the monotonic clock begins anew."""
        self.boots, self.seq, self.state, self.born = self.boots + 1, 0, {}, at

    def restart_agent(self, at):
        """keepalived goes on; the new run knows where the old one stopped."""
        before = f"{self.node}-{self.boots}", self.seq
        self.boots, self.seq = self.boots + 1, 0
        self.write(at, "agent.started", previousBoot=before[0], previousSeq=before[1])


def timestamp(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def ledger_of(*sources):
    """A ledger fed with diaries, or with lists of raw lines."""
    ledger = Ledger()
    for source in sources:
        for raw in source.lines if isinstance(source, Diary) else source:
            line = raw if isinstance(raw, AuditLine) else read_line(raw)
            assert line is not None, raw
            ledger.add(line)
    return ledger
