"""layer2 lines in the audit: what the new owner's questions tell, and what an agent that died or hung must not."""

from __future__ import annotations

import pytest

from tests.diary import EPOCH, Diary, ledger_of, timestamp
from vipmgr.core.audit import judge
from vipmgr.core.darkness import Dark
from vipmgr.core.findings import NODE_LOST, NODE_REBOOTED, Limits
from vipmgr.core.model import MoveReason

VIP = "10.0.0.40"


class Agent(Diary):
    def layer2(self, at, state, reason="unknown", **facts):
        before = self.state.get(VIP, "INIT")
        shown = {"from": before, "to": state, "reason": reason, "advertMs": 150, "vips": [VIP], **facts}
        self.write(at, "layer2.transition", instance=VIP, **shown)
        self.state[VIP] = state


def pair():
    """n1 answers since 1.0."""
    n1, n2 = Agent("n1"), Agent("n2")
    n1.layer2(1.0, "MASTER", "started")
    return n1, n2


def moves(*diaries):
    report = judge(ledger_of(*diaries), Limits())
    assert report.split_brain == ()
    return report.failovers


def test_the_new_owners_questions_bound_the_darkness_closer_than_any_timer():
    n1, n2 = pair()
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=752.0, darkAtMostMs=901.5)
    [move] = moves(n1, n2)
    assert (move.cause, move.dark) == (NODE_LOST, Dark(752.0, 901.5))


def test_a_new_owner_that_never_heard_the_old_one_knows_no_end_but_the_record_does():
    n1, n2 = pair()
    n1.write(8.0, "config.applied")
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=450.0)
    [move] = moves(n1, n2)
    assert move.dark == Dark(450.0, 2000.0)


def test_an_agent_that_is_started_again_had_died_and_neighbours_that_knew_its_mac_noticed_nothing():
    n1, n2 = pair()
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=450.0, darkAtMostMs=600.0)
    n1.restart_agent(10.7)
    [move] = moves(n1, n2)
    assert (move.cause, move.dark) == (MoveReason.AGENT_DIED, Dark(0.0, 600.0))


def test_a_line_about_the_past_makes_no_restarted_agent_a_rebooted_machine():
    n1, n2 = pair()
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=450.0, darkAtMostMs=600.0)
    n1.write(9.0, "config.applied")
    n1.restart_agent(10.7)
    n1.write(1.5, "keepalived.started")
    [move] = moves(n1, n2)
    assert move.cause == MoveReason.AGENT_DIED


def test_a_machine_that_is_started_again_was_dark_however_soon_its_agent_speaks():
    n1, n2 = pair()
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=450.0, darkAtMostMs=600.0)
    before = f"n1-{n1.boots}", n1.seq
    n1.reboot(15.0)
    n1.write(15.1, "agent.started", previousBoot=before[0], previousSeq=before[1])
    [move] = moves(n1, n2)
    assert (move.cause, move.dark) == (NODE_REBOOTED, Dark(450.0, 600.0))


def test_an_agent_started_again_ends_nothing_that_keepalived_holds():
    n1, n2 = pair()
    n1.go(2.0, "MASTER", "started")
    n1.restart_agent(10.7)
    holders = {one.instance: one.nodes for one in judge(ledger_of(n1, n2), Limits()).holders}
    assert holders == {VIP: (), "i": ("n1",)}


def test_an_agent_that_takes_its_own_address_up_again_is_dark_since_its_lease_was_renewed():
    n1, _ = pair()
    n1.restart_agent(10.0)
    n1.state.clear()
    n1.layer2(10.2, "FAULT", "started")
    n1.layer2(10.4, "MASTER", "recovered", darkAtLeastMs=0.0, darkAtMostMs=1900.0)
    [move] = moves(n1)
    assert (move.source, move.target, move.dark) == ("n1", "n1", Dark(0.0, 1900.0))


def test_an_agent_that_hung_was_no_second_owner_meanwhile():
    n1, n2 = pair()
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=450.0, darkAtMostMs=600.0)
    n1.layer2(14.0, "FAULT", "agent-hung", since=timestamp(EPOCH + 9.4))
    [move] = moves(n1, n2)
    assert (move.cause, move.dark) == (MoveReason.AGENT_HUNG, Dark(0.0, 600.0))


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_since_when_an_agent_hung_is_told_by_its_monotonic_clock_as_well(step):
    n1, n2 = pair()
    n2.layer2(10.0, "MASTER", "advertisement-timeout", darkAtLeastMs=450.0, darkAtMostMs=600.0)
    n1.layer2(14.0, "FAULT", "agent-hung", since=timestamp(EPOCH + 9.4))
    n1.offset = step
    n1.write(20.0, "config.applied")
    n2.offset = step
    n2.write(20.0, "config.applied")
    [move] = moves(n1, n2)
    assert move.cause == MoveReason.AGENT_HUNG


@pytest.mark.parametrize(("why", "low"), [("stopped", 0.0), ("no-local-endpoints", 1900.0)])
def test_an_owner_that_let_go_without_an_heir_still_takes_what_neighbours_send_if_it_has_endpoints(why, low):
    n1, n2 = pair()
    n1.layer2(10.0, "BACKUP", why)
    n2.layer2(12.0, "MASTER", "started")
    [move] = moves(n1, n2)
    assert (move.cause, move.dark) == (why, Dark(low, 2100.0))
