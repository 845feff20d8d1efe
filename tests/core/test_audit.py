"""The record of all nodes, judged: who held what, why it moved, how long it was dark, and what must not be claimed."""

import pytest

from tests.diary import EPOCH, Diary, ledger_of, timestamp
from vipmgr.core.audit import judge
from vipmgr.core.audit_line import LINES_LOST
from vipmgr.core.findings import NODE_LOST, NODE_REBOOTED, PARTITION, Limits

A = 0.1
SKEW = 4 / 256 * A


def pair():
    """n1 is MASTER since 1.0, n2 its BACKUP of priority 252."""
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    n1.go(0.0, "BACKUP", "started")
    n2.go(0.0, "BACKUP", "started")
    n1.go(1.0, "MASTER", "advertisement-timeout")
    return n1, n2


def report_of(*diaries, **limits):
    return judge(ledger_of(*diaries), Limits(**limits))


def test_a_silent_death_is_dark_for_what_the_timers_allow_and_is_no_split_brain():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    report = report_of(n1, n2)
    [move] = report.failovers
    assert (move.source, move.target, move.cause) == ("n1", "n2", NODE_LOST)
    assert move.vips == ("10.0.0.5",)
    assert move.dark == pytest.approx(((2 * A + SKEW) * 1000, (3 * A + SKEW) * 1000), abs=0.1)
    assert report.split_brain == ()
    assert [(one.node, one.held) for one in report.silent] == [("n1", ("i",))]
    assert [one.nodes for one in report.holders] == [("n2",)]


def test_a_stopped_master_is_dark_from_its_own_line_on():
    n1, n2 = pair()
    n1.go(10.0, "STOP", "stopped")
    n2.go(10.003, "MASTER", "advertisement-timeout")
    [move] = report_of(n1, n2, clock_error=0.005).failovers
    assert move.cause == "stopped"
    assert move.dark.low == pytest.approx(SKEW * 1000, abs=0.1)
    assert move.dark.high == pytest.approx(8.0, abs=0.1)
    assert move.evidence == ("(i) Entering STOP STATE", "(i) Entering MASTER STATE")


def test_a_cut_cable_is_bounded_by_the_timers_and_by_both_lines():
    n1, n2 = pair()
    n1.go(10.0, "FAULT", "interface-down")
    n2.go(10.25, "MASTER", "advertisement-timeout")
    [move] = report_of(n1, n2, clock_error=0.01).failovers
    assert move.cause == "interface-down"
    assert move.dark == pytest.approx((240.0, 260.0), abs=0.1)


def test_a_backup_that_lost_the_race_by_a_moment_took_nothing():
    n1, n2 = pair()
    n3 = Diary("n3", priority=250)
    n3.go(0.0, "BACKUP", "started")
    n2.go(10.026, "MASTER", "priority-zero-received")
    n3.go(10.032, "MASTER", "priority-zero-received")
    n3.go(10.035, "BACKUP", "higher-priority-heard")
    n1.go(10.058, "FAULT", "drained")
    report = report_of(n1, n2, n3)
    assert [(one.source, one.target, one.cause) for one in report.failovers] == [("n1", "n2", "drained")]
    assert [one.nodes for one in report.holders] == [("n2",)]
    assert report.split_brain == ()


def test_the_interval_that_counts_is_the_old_masters():
    n1, n2 = Diary("n1", advert_ms=1000), Diary("n2", priority=252, advert_ms=100)
    n1.go(1.0, "MASTER")
    n2.go(10.0, "MASTER", "advertisement-timeout")
    [move] = report_of(n1, n2).failovers
    assert move.dark == pytest.approx((2015.6, 3015.6), abs=0.1)


@pytest.mark.parametrize("speaks_again", [True, False])
def test_a_master_that_stepped_down_before_the_old_one_was_split_from_it(speaks_again):
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n2.go(14.0, "BACKUP", "higher-priority-heard")
    if speaks_again:
        n1.write(15.0, "config.applied")
    [split] = report_of(n1, n2).split_brain
    assert (split.nodes, split.survivor) == (("n1", "n2"), "n1")
    assert (split.since, split.until) == pytest.approx((EPOCH + 10, EPOCH + 14), abs=0.001)
    assert split.healed_by == "n2: higher-priority-heard"
    [move] = report_of(n1, n2).failovers
    assert move.cause == PARTITION


def test_an_old_master_that_steps_down_later_was_split():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.go(17.0, "BACKUP", "higher-priority-heard")
    report = report_of(n1, n2)
    [split] = report.split_brain
    assert (split.since, split.until, split.survivor) == (
        pytest.approx(EPOCH + 10, abs=0.001),
        pytest.approx(EPOCH + 17, abs=0.001),
        "n2",
    )
    assert report.silent == ()


def test_a_split_brain_nobody_ended_is_still_going_on():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.write(30.0, "config.applied")
    [split] = report_of(n1, n2).split_brain
    assert split.until is None
    assert [one.nodes for one in report_of(n1, n2).holders] == [("n1", "n2")]


def test_lost_lines_are_no_proof_of_life():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.seq += 1  # its stepping down, perhaps
    n1.write(30.0, "config.applied")
    report = report_of(n1, n2)
    assert report.split_brain == ()
    assert [(one.node, one.first, one.last) for one in report.holes] == [("n1", 3, 3)]


def test_a_restarted_agent_ends_nothing_and_proves_nothing():
    n1, n2 = pair()
    n1.restart_agent(5.0)
    n1.write(6.0, "config.applied")
    report = report_of(n1, n2)
    assert [one.nodes for one in report.holders] == [("n1",)]
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.write(30.0, "config.applied")
    assert report_of(n1, n2).split_brain == ()


def test_an_end_seen_by_the_next_run_of_the_agent_is_the_nodes_own_line():
    n1, n2 = pair()
    n1.restart_agent(5.0)
    n1.go(10.0, "FAULT", "drained")
    n2.go(10.003, "MASTER", "advertisement-timeout")
    assert [one.cause for one in report_of(n1, n2).failovers] == ["drained"]


def test_a_death_found_when_the_agent_came_back_was_earlier_than_its_line():
    n1, n2 = pair()
    n2.go(10.3, "MASTER", "advertisement-timeout")
    n1.restart_agent(40.0)
    n1.write(40.0, "keepalived.died")
    n1.go(40.0, "STOP", "keepalived-died")
    report = report_of(n1, n2)
    assert report.split_brain == ()
    [move] = report.failovers
    assert (move.cause, move.dark.low) == ("keepalived-died", 0.0)


def test_another_keepalived_found_by_the_next_run_of_the_agent_ends_what_the_first_held():
    n1, n2 = pair()
    n2.go(10.3, "MASTER", "advertisement-timeout")
    n1.restart_agent(40.0)
    n1.state = {}
    n1.go(40.0, "BACKUP", "started")
    n1.write(40.1, "keepalived.started")
    report = report_of(n1, n2)
    assert report.split_brain == ()
    assert [one.cause for one in report.failovers] == [NODE_REBOOTED]


def test_a_keepalived_noticed_late_does_not_end_what_it_has_begun_itself():
    n1, n2 = pair()
    n1.write(1.1, "keepalived.started")
    assert [one.nodes for one in report_of(n1, n2).holders] == [("n1",)]


def test_a_transition_nobody_saw_counts_from_keepalived_s_own_time():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.write(
        30.0,
        "audit.gap",
        instance="i",
        **{"from": "MASTER"},
        to="BACKUP",
        priority=254,
        since=timestamp(EPOCH + 17),
        evidence="keepalived.json differs from the lines read",
    )
    report = report_of(n1, n2)
    [split] = report.split_brain
    assert split.until == pytest.approx(EPOCH + 17, abs=0.001)
    assert [(one.node, one.lines) for one in report.holes] == [("n1", 1)]


def test_the_lines_between_two_runs_of_the_agent_are_missed_too():
    n1, _ = pair()
    n1.write(2.0, "config.applied")
    n1.restart_agent(5.0)
    cut = [line for line in n1.lines if b'"seq":3' not in line]
    report = judge(ledger_of(cut), Limits())
    assert [(one.boot, one.first, one.last) for one in report.holes] == [("n1-1", 3, 3)]


def test_a_run_of_the_agent_of_which_nothing_is_there_is_missed():
    n1, _ = pair()
    n1.restart_agent(5.0)
    n1.write(6.0, "config.applied")
    n1.restart_agent(8.0)
    cut = [line for line in n1.lines if b'"boot":"n1-2"' not in line]
    report = judge(ledger_of(cut), Limits())
    assert [(one.boot, one.first, one.last) for one in report.holes] == [("n1-2", 1, 2)]


def test_another_master_heard_proves_that_a_silent_one_lived():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n2.write(13.0, "vrrp.contested", instance="i", source="10.1.0.1")
    report = report_of(n1, n2)
    [split] = report.split_brain
    assert (split.since, split.until) == pytest.approx((EPOCH + 10, EPOCH + 13), abs=0.001)
    [heard] = report.contested
    assert (heard.node, heard.subject, heard.source, heard.times) == ("n2", "i", "10.1.0.1", 1)


def test_an_orderly_preemption_is_no_split_brain():
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    n2.go(1.0, "MASTER", "advertisement-timeout")
    n1.go(0.0, "BACKUP", "started")
    n1.go(10.0, "MASTER", "lower-priority-heard")
    n2.go(10.002, "BACKUP", "higher-priority-heard")
    report = report_of(n1, n2, clock_error=0.0)
    assert report.split_brain == ()
    [move] = report.failovers
    assert (move.cause, move.dark) == ("higher-priority-heard", (0.0, 100.0))


def test_clocks_that_differ_within_the_limit_make_no_split_brain():
    n1, n2 = pair()
    n2.offset = -0.08
    n1.go(10.0, "STOP", "stopped")
    n2.go(10.002, "MASTER", "advertisement-timeout")
    assert report_of(n1, n2, clock_error=0.1).split_brain == ()
    assert len(report_of(n1, n2, clock_error=0.01).split_brain) == 1


def test_clocks_far_apart_are_told_from_the_handovers_and_corrected():
    n1, n2 = Diary("n1"), Diary("n2", offset=-5.0)
    n2.go(-60.0, "BACKUP", "started")
    n1.go(0.0, "MASTER")
    for turn in range(4):
        at = 60.0 * (turn + 1)
        old, new = (n1, n2) if turn % 2 == 0 else (n2, n1)
        old.go(at, "FAULT", "drained")
        new.go(at + 0.003, "MASTER", "advertisement-timeout")
        old.go(at + 1, "BACKUP", "recovered")
    report = report_of(n1, n2)
    assert report.split_brain == ()
    assert report.no_owner == ()
    [clock] = report.clocks
    ahead = clock.ahead if clock.node == "n1" else -clock.ahead
    assert ahead == pytest.approx(5.0, abs=0.02)
    assert [one.cause for one in report.failovers] == ["drained"] * 4


def test_a_clock_that_was_set_does_not_tear_the_record():
    n1, n2 = pair()
    n1.write(5.0, "config.applied")
    n1.offset = 3600.0
    n1.write(6.0, "config.applied")
    n1.offset = 0.0
    n1.write(7.0, "config.applied")
    n1.go(10.0, "STOP", "stopped")
    n2.go(10.003, "MASTER", "advertisement-timeout")
    report = report_of(n1, n2)
    assert [round(one.seconds) for one in report.steps] == [3600, -3600]
    assert report.split_brain == ()
    assert report.no_owner == ()


def test_lines_late_twice_and_out_of_order_give_the_same_report():
    n1, n2 = pair()
    n1.go(10.0, "STOP", "stopped")
    n2.go(10.003, "MASTER", "advertisement-timeout")
    straight = report_of(n1, n2)
    shuffled = judge(ledger_of(list(reversed(n2.lines)), list(reversed(n1.lines)), n2.lines, n1.lines), Limits())
    assert shuffled.duplicates == len(n1.lines) + len(n2.lines)
    assert shuffled.failovers == straight.failovers
    assert shuffled.holes == ()


def test_a_master_that_rebooted_ended_with_its_boot():
    n1, n2 = pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.reboot(50.0)
    n1.go(60.0, "BACKUP", "started")
    report = report_of(n1, n2)
    assert report.split_brain == ()
    assert report.silent == ()
    assert [one.cause for one in report.failovers] == [NODE_REBOOTED]


def test_a_killed_keepalived_is_one_end_not_two():
    n1, n2 = pair()
    n1.write(10.0, "keepalived.died")
    n1.go(10.001, "STOP", "keepalived-died")
    n2.go(10.3, "MASTER", "advertisement-timeout")
    report = report_of(n1, n2)
    [move] = report.failovers
    assert move.cause == "keepalived-died"
    assert move.dark.low == 0.0
    assert report.split_brain == ()


def test_a_line_that_contradicts_the_one_before_shows_that_lines_are_lost():
    n1, n2 = pair()
    n1.state["i"], n1.seq = "FAULT", n1.seq + 1
    n1.go(9.0, "BACKUP", "recovered")
    n2.go(8.0, "MASTER", "advertisement-timeout")
    report = report_of(n1, n2)
    assert [one.cause for one in report.failovers] == [LINES_LOST]
    assert report.split_brain == ()


def test_nobody_there_is_said_with_its_length():
    n1, n2 = pair()
    n2.go(2.0, "STOP", "stopped")
    n1.go(10.0, "FAULT", "interface-down")
    n1.go(25.0, "BACKUP", "recovered")
    n1.go(25.4, "MASTER", "advertisement-timeout")
    report = report_of(n1, n2)
    [gap] = report.no_owner
    assert (gap.since, gap.until, gap.last, gap.cause) == (
        pytest.approx(EPOCH + 10, abs=0.001),
        pytest.approx(EPOCH + 25.4, abs=0.001),
        "n1",
        "interface-down",
    )
    assert [(one.source, one.target) for one in report.failovers] == [("n1", "n1")]
    assert report.failovers[0].dark == pytest.approx((15400, 15400), abs=0.5)


def test_nobody_there_until_now():
    n1, n2 = pair()
    n2.go(2.0, "STOP", "stopped")
    n1.go(10.0, "STOP", "stopped")
    assert report_of(n1, n2).no_owner == ()
    [gap] = report_of(n1, n2, until=EPOCH + 60).no_owner
    assert (gap.until, gap.cause) == (None, "stopped")


def test_a_deleted_instance_is_not_missed():
    n1, n2 = pair()
    n2.go(9.0, "STOP", "instance-deleted")
    n1.go(10.0, "STOP", "instance-deleted")
    assert report_of(n1, n2, until=EPOCH + 60).no_owner == ()


def test_flapping_is_said_once():
    n1, n2 = pair()
    masters = [n1, n2]
    for turn in range(5):
        old, new = masters[turn % 2], masters[(turn + 1) % 2]
        old.go(10.0 + turn, "FAULT", "interface-down")
        new.go(10.3 + turn, "MASTER", "advertisement-timeout")
        old.go(10.6 + turn, "BACKUP", "recovered")
    [flap] = report_of(n1, n2).flaps
    assert (flap.failovers, flap.nodes) == (5, ("n1", "n2"))


def test_three_masters_are_one_split_brain():
    n1, n2 = pair()
    n3 = Diary("n3", priority=250)
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n3.go(11.0, "MASTER", "advertisement-timeout")
    n2.go(20.0, "BACKUP", "higher-priority-heard")
    n3.go(20.1, "BACKUP", "higher-priority-heard")
    n1.write(25.0, "config.applied")
    [split] = report_of(n1, n2, n3).split_brain
    assert split.nodes == ("n1", "n2", "n3")
    assert (split.since, split.until) == pytest.approx((EPOCH + 10, EPOCH + 20.1), abs=0.001)


def test_a_record_that_begins_in_the_middle_still_knows_the_first_owner():
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    n1.state["i"] = "MASTER"
    n1.seq = 500
    n1.go(10.0, "FAULT", "drained")
    n2.go(10.003, "MASTER", "advertisement-timeout")
    report = report_of(n1, n2)
    assert [(one.source, one.target, one.cause) for one in report.failovers] == [("n1", "n2", "drained")]
    assert report.holes == ()


def test_strangers_are_counted_by_who_heard_whom():
    n1, n2 = pair()
    for at in (3.0, 4.0):
        n1.write(at, "stranger.heard", interface="eth0", vrid=51, source="10.9.9.9")
    [heard] = report_of(n1, n2).strangers
    assert (heard.subject, heard.source, heard.times) == ("eth0 VRID 51", "10.9.9.9", 2)


def test_an_address_that_waited_for_a_node_says_nothing_about_its_clock():
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    for turn in range(4):
        at, instance = 60.0 * turn, f"i{turn}"
        n1.go(at, "MASTER", instance=instance)
        n1.go(at + 20, "STOP", "stopped", instance=instance)
        n2.go(at + 24.7, "BACKUP", "started", instance=instance)
        n2.go(at + 25, "MASTER", "advertisement-timeout", instance=instance)
    report = report_of(n1, n2)
    assert report.clocks == ()
    assert [one.until - one.since for one in report.no_owner] == pytest.approx([5.0] * 4, abs=0.001)


def test_delays_that_add_up_around_a_ring_of_nodes_are_not_taken_for_clocks():
    ring = [Diary(f"n{number}", priority=254) for number in range(12)]
    for node in ring:
        node.go(-99.0, "BACKUP", "started")
    ring[0].go(-50.0, "MASTER", "advertisement-timeout")
    for turn in range(60):
        old, new, at = ring[turn % 12], ring[(turn + 1) % 12], 20.0 * turn
        old.go(at, "FAULT", "drained")
        new.go(at + 0.006, "MASTER", "advertisement-timeout")
        old.go(at + 0.1, "BACKUP", "drained")
    report = report_of(*ring, clock_error=0.001)
    assert report.clocks == ()
    assert report.split_brain == ()
    assert len(report.failovers) == 60
