"""Leader election over one record with compare-and-swap: who may lead, judged by one process's own clock alone.

The record's times are never compared with ours: what counts is when *we* saw the record change and when *we* sent the
last renewal the server accepted. A leader stops `deadline` seconds after sending that renewal; another takes over no
earlier than `duration` after it first saw it, which is later than it was sent. So with deadline < duration there are
never two leaders, however the clocks are set, as long as they run at about the same speed: the gap between the two
numbers is the margin (5 s of 15 by default, a third).

Times are seconds of any clock that goes on while the machine is suspended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple


class Record(NamedTuple):
    """The Lease as stored. `version` changes with every write; `holder` is "" when released or never taken."""

    holder: str
    duration: float
    transitions: int
    version: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one process knows. `identity` is unique to the process, not to the machine.

    `renewed_at`: when the last accepted renewal was sent, None while not leading.
    """

    identity: str
    duration: float = 15.0
    deadline: float = 10.0
    record: Record | None = None
    observed_at: float = 0.0
    renewed_at: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.deadline < self.duration:
            raise ValueError(f"deadline {self.deadline} s must lie between 0 and the lease duration {self.duration} s")


def holds(candidate: Candidate, now: float) -> bool:
    """May this process act as leader now?"""
    return candidate.renewed_at is not None and now < candidate.renewed_at + candidate.deadline


def observe(candidate: Candidate, record: Record | None, now: float) -> Candidate:
    """The record was read (None: there is none). Seeing another holder, or none, ends our own lead at once."""
    if record is None or candidate.record is None or record.version != candidate.record.version:
        candidate = replace(candidate, record=record, observed_at=now)
    lost = record is None or record.holder != candidate.identity
    return replace(candidate, renewed_at=None) if lost else candidate


def may_write(candidate: Candidate, now: float) -> bool:
    """May it write itself into the record, as a renewal or as a takeover? The write is bound to the version seen."""
    record = candidate.record
    if record is None or not record.holder or record.holder == candidate.identity:
        return True
    return now >= candidate.observed_at + record.duration


def written(candidate: Candidate, record: Record, sent_at: float, now: float) -> Candidate:
    """Our write, sent at `sent_at`, was accepted and left `record`."""
    return replace(candidate, record=record, observed_at=now, renewed_at=sent_at)


def next_record(candidate: Candidate) -> Record:
    """What to write; `version` is the one it must still have ("": create it)."""
    before = candidate.record
    if before is None:
        return Record(candidate.identity, candidate.duration, 0, "")
    change = before.holder != candidate.identity
    return Record(candidate.identity, candidate.duration, before.transitions + change, before.version)


def released(candidate: Candidate) -> Candidate:
    """It stopped leading by itself."""
    return replace(candidate, renewed_at=None)
