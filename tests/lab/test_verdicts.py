"""When client and audit agree, and when they do not."""

from __future__ import annotations

import pytest

from vipmgr.core.darkness import Dark
from vipmgr.core.findings import PARTITION, Failover, Report, SplitBrain
from vipmgr.core.model import MoveReason
from vipmgr.lab.verdicts import Seen, compare

VIP = "10.0.0.5"
SEEN = Seen(VIP, 100.0, 102.0, "n1", "n2", 280.0)


def move(**changed) -> Failover:
    one = Failover(
        100.3, "eip-pool-0", (VIP,), "n1", "n2", MoveReason.INTERFACE_DOWN, MoveReason.ADVERT_TIMEOUT,
        Dark(201.0, 301.0), (),
    )  # fmt: skip
    return one._replace(**changed)


def verdict(seen: Seen, *moves: Failover) -> str:
    return compare(seen, Report(failovers=moves)).objection


def test_the_same_move_within_the_bounds_agrees():
    assert verdict(SEEN, move()) == ""


def test_nothing_seen_by_either_agrees():
    assert verdict(SEEN._replace(target="n1", dark_ms=0.0)) == ""


@pytest.mark.parametrize(
    ("seen", "moves", "objection"),
    [
        (SEEN, (), "the audit saw no move"),
        (SEEN._replace(target="n1"), (), "dark, and the audit saw nothing"),
        (SEEN._replace(target="n3"), (move(),), "the VIP went from n1 to n3"),
        (SEEN._replace(dark_ms=150.0), (move(),), "150 ms is not within 201-301 ms"),
        (SEEN._replace(dark_ms=350.0), (move(),), "350 ms is not within 201-301 ms"),
        (SEEN, (move(dark=None),), "the audit knows no bounds"),
        (SEEN, (move(at=99.0),), "the audit saw no move"),
        (SEEN, (move(at=102.5),), "the audit saw no move"),
        (SEEN, (move(vips=("10.0.0.6",)),), "the audit saw no move"),
    ],
)
def test_every_difference_is_an_objection(seen, moves, objection):
    assert verdict(seen, *moves) == objection


def test_a_master_that_answers_on_may_be_dark_for_less_than_the_timers_say():
    assert verdict(SEEN._replace(dark_ms=0.0), move(cause=PARTITION)) == ""
    assert verdict(SEEN._replace(dark_ms=400.0), move(cause=PARTITION)) == "400 ms is not within 0-301 ms"


def test_the_end_of_a_split_brain_goes_to_its_survivor():
    split = SplitBrain(99.0, 101.0, "eip-pool-0", (VIP,), ("n1", "n2"), "n2: higher-priority-heard", "n1")
    back = SEEN._replace(source="n2", target="n1", dark_ms=5.0)
    assert compare(back, Report(split_brain=(split,))) == ("split brain of n1 and n2 ends", None, "")
    assert compare(back._replace(target="n2"), Report(split_brain=(split,))).objection == "the VIP went from n2 to n2"
    assert compare(back, Report(split_brain=(split._replace(until=None),))).objection == "the audit saw no move"


def test_two_moves_in_one_window_are_one_way():
    back = move(at=101.0, source="n2", target="n3", dark=Dark(0.0, 10.0))
    assert verdict(SEEN._replace(target="n3"), move(), back) == ""
