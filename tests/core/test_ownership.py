"""Who is said to hold an instance, from reports that may be stale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from vipmgr.core.model import Family, Instance, InstanceReport, Member, NodeFacts, NodeReport
from vipmgr.core.ownership import DEAD_NODE_LOOKS_READY, Move, Ownership, judge, sentence

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
INSTANCE = Instance(
    "pool-0",
    "pool",
    "eth0",
    Family.IPV4,
    51,
    ip_address("169.254.1.1"),
    (Member("n1", 254), Member("n2", 252)),
    (ip_address("10.0.0.5"),),
)

NOBODY = Ownership()


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def says(node: str, state: str, seconds_ago: float = 100, reason: str = "started", *, contested: bool = False):
    report = InstanceReport(state, ago(seconds_ago), 254 if node == "n1" else 252, reason, contested)
    return NodeReport(node, instances={"pool-0": report})


def nodes(*, dead: str = ""):
    return {name: NodeFacts(name, not_ready_since=NOW if name == dead else None) for name in ("n1", "n2")}


def look(*reports: NodeReport, previous: Ownership = NOBODY, dead: str = "") -> tuple[Ownership, Move | None]:
    return judge(INSTANCE, previous, {report.name: report for report in reports}, nodes(dead=dead), NOW)


HELD = Ownership(master="n1", masters=("n1",), since=ago(500), transitions=1, last="n1")


def test_the_first_master_counts_as_a_transition_but_is_no_move() -> None:
    ownership, move = look(says("n1", "MASTER"), says("n2", "BACKUP"))
    assert (ownership.master, ownership.transitions, move) == ("n1", 1, None)


def test_the_latest_master_is_believed_over_a_dead_nodes_last_word() -> None:
    ownership, move = look(says("n1", "MASTER", 500), says("n2", "MASTER", 1, "advertisement-timeout"), previous=HELD)
    assert ownership.master == "n2"
    assert ownership.transitions == 2
    assert not ownership.contested
    assert move is not None
    assert sentence(move, "VIP 10.0.0.5") == "VIP 10.0.0.5 moved n1 -> n2 in about 302 ms: advertisement timeout"


def test_two_masters_that_last_are_contested() -> None:
    long = DEAD_NODE_LOOKS_READY.total_seconds() + 1
    ownership, _ = look(says("n1", "MASTER", 500), says("n2", "MASTER", long), previous=HELD)
    assert ownership.contested
    assert ownership.masters == ("n1", "n2")


def test_two_masters_are_contested_at_once_when_one_heard_the_other() -> None:
    ownership, _ = look(says("n1", "MASTER", 500), says("n2", "MASTER", 1, contested=True), previous=HELD)
    assert ownership.contested


def test_a_dead_nodes_last_word_does_not_make_it_master_for_ever() -> None:
    ownership, move = look(says("n1", "MASTER"), says("n2", "FAULT"), previous=HELD, dead="n1")
    assert (ownership.master, ownership.last, move) == ("", "n1", None)


def test_a_master_on_a_not_ready_node_counts_while_a_backup_hears_it() -> None:
    ownership, _ = look(says("n1", "MASTER"), says("n2", "BACKUP"), previous=HELD, dead="n1")
    assert ownership.master == "n1"


def test_a_move_is_told_also_when_nobody_was_master_in_between() -> None:
    between, _ = look(says("n1", "FAULT", 1), says("n2", "BACKUP"), previous=HELD)
    assert between.master == ""
    ownership, move = look(says("n1", "FAULT", 1), says("n2", "MASTER", 0, "priority-zero-received"), previous=between)
    assert ownership.transitions == 2
    assert move is not None
    assert (move.from_node, move.to_node) == ("n1", "n2")
    assert move.dark_ms == pytest.approx(1.6, abs=0.1)


def test_the_same_reports_again_change_nothing() -> None:
    first, _ = look(says("n1", "MASTER"), says("n2", "BACKUP"))
    second, move = look(says("n1", "MASTER"), says("n2", "BACKUP"), previous=first)
    assert (second, move) == (first, None)
