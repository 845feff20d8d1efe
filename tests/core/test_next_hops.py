"""BGP in the audit: which sessions fell and why, which addresses lost a next hop, and which lost their last."""

import pytest

from tests.diary import EPOCH, Diary, ledger_of
from vipmgr.core.audit import judge
from vipmgr.core.findings import NODE_REBOOTED, Limits

VIPS = ["198.51.100.1", "198.51.100.2"]


def rise(diary, at, peer="tor", kept=0, families=()):
    line = {
        "families": families,
        "peer": peer,
        "address": f"addr-{peer}",
        "from": "OPENCONFIRM",
        "to": "ESTABLISHED",
        "keptSeconds": kept,
    }
    diary.write(at, "bgp.session", **line)


def fall(diary, at, reason="hold-timer-expired", peer="tor"):
    diary.write(
        at, "bgp.session", peer=peer, address=f"addr-{peer}", reason=reason, **{"from": "ESTABLISHED"}, to="IDLE"
    )


def announce(diary, at, vips=VIPS, peers=()):
    diary.write(at, "bgp.announced", vips=vips, peers=peers)


def withdraw(diary, at, reason, vips=VIPS):
    diary.write(at, "bgp.withdrawn", vips=vips, reason=reason)


def speaker(name, **session):
    """A node that announces both addresses since 1.0."""
    diary = Diary(name)
    rise(diary, 0.5, **session)
    announce(diary, 1.0)
    return diary


def report_of(*diaries, **limits):
    return judge(ledger_of(*diaries), Limits(**limits))


def hops(report):
    return [(one.since - EPOCH, one.node, one.left, one.cause, one.vips) for one in report.hops]


def test_a_session_that_falls_says_how_long_why_and_what_it_carried():
    n1, n2 = speaker("n1"), speaker("n2")
    fall(n1, 10.0, "bfd")
    rise(n1, 14.0)
    report = report_of(n1, n2)
    [fell] = report.sessions
    assert (fell.node, fell.peer, fell.address, fell.reason, fell.carried) == ("n1", "tor", "addr-tor", "bfd", 2)
    assert (fell.since - EPOCH, fell.until - EPOCH) == pytest.approx((10.0, 14.0), abs=0.001)
    [hop] = report.hops
    assert (hop.node, hop.left, hop.cause, hop.vips) == ("n1", ("n2",), "bfd", tuple(VIPS))
    assert hop.until - EPOCH == pytest.approx(14.0, abs=0.001)
    assert report.no_owner == ()


def test_addresses_without_any_next_hop_are_dark_until_one_comes_back():
    n1, n2 = speaker("n1"), speaker("n2")
    fall(n1, 10.0)
    fall(n2, 12.0, "bfd")
    rise(n1, 20.0)
    report = report_of(n1, n2)
    [dark] = report.no_owner
    assert (dark.since - EPOCH, dark.until - EPOCH) == pytest.approx((12.0, 20.0), abs=0.001)
    assert (dark.instance, dark.vips, dark.last, dark.cause) == ("bgp", tuple(VIPS), "n2", "bfd")
    assert [one[2] for one in hops(report)] == [("n2",), ()]


def test_what_is_dark_at_the_end_of_the_record_goes_on():
    n1 = speaker("n1")
    fall(n1, 10.0)
    n1.write(30.0, "config.applied")
    report = report_of(n1)
    assert [(one.since - EPOCH, one.until) for one in report.no_owner] == [(pytest.approx(10.0, abs=0.001), None)]
    assert report.sessions[0].until is None


def test_a_second_session_of_the_node_keeps_it_a_next_hop():
    n1 = speaker("n1")
    rise(n1, 2.0, peer="spine")
    fall(n1, 10.0)
    report = report_of(n1)
    assert len(report.sessions) == 1
    assert report.hops == report.no_owner == ()


def test_an_address_is_lost_with_the_last_session_of_its_family():
    n1 = Diary("n1")
    rise(n1, 0.5, families=["IPv4"])
    rise(n1, 0.5, peer="spine", families=["IPv6"])
    announce(n1, 1.0, ["198.51.100.1", "2001:db8::1"])
    fall(n1, 10.0)
    assert [one[-1] for one in hops(report_of(n1))] == [("198.51.100.1",)]


def test_an_address_for_one_peer_is_lost_with_that_peers_session():
    n1 = Diary("n1")
    rise(n1, 0.5)
    rise(n1, 0.5, peer="spine")
    announce(n1, 1.0, ["198.51.100.1"], ["spine"])
    announce(n1, 1.0, ["198.51.100.2"])
    fall(n1, 10.0, peer="spine")
    assert [one[-1] for one in hops(report_of(n1))] == [("198.51.100.1",)]


def test_a_drained_node_is_one_next_hop_less_and_a_deleted_address_is_nobodys_loss():
    n1, n2 = speaker("n1"), speaker("n2")
    withdraw(n1, 10.0, "drained")
    assert [(one[1], one[2], one[3]) for one in hops(report_of(n1, n2))] == [("n1", ("n2",), "drained")]
    for diary in (n1, n2):
        withdraw(diary, 20.0, "instance-deleted")
    n1.write(60.0, "config.applied")
    report = report_of(n1, n2)
    assert len(report.hops) == 1
    assert report.no_owner == ()


def test_routers_keep_the_routes_of_a_gobgpd_that_restarts_in_time():
    n1 = speaker("n1", kept=5)
    fall(n1, 10.0, "gobgpd-ended")
    rise(n1, 12.0, kept=5)
    report = report_of(n1)
    assert len(report.sessions) == 1
    assert report.hops == report.no_owner == ()


def test_a_gobgpd_that_comes_back_too_late_was_no_next_hop_since_the_routes_were_dropped():
    n1 = speaker("n1", kept=5)
    fall(n1, 10.0, "gobgpd-ended")
    rise(n1, 30.0, kept=5)
    [dark] = report_of(n1).no_owner
    assert (dark.since - EPOCH, dark.until - EPOCH) == pytest.approx((15.0, 30.0), abs=0.001)


def test_routes_are_kept_for_a_restart_only():
    n1 = speaker("n1", kept=5)
    fall(n1, 10.0, "bfd")
    rise(n1, 12.0, kept=5)
    assert len(report_of(n1).no_owner) == 1


def test_a_machine_that_starts_again_lost_its_sessions_when_it_was_last_heard():
    n1, n2 = speaker("n1"), speaker("n2")
    n1.write(9.0, "config.applied")
    n1.reboot(40.0)
    rise(n1, 41.0)
    announce(n1, 41.0)
    report = report_of(n1, n2)
    [hop] = report.hops
    assert (hop.node, hop.left, hop.cause) == ("n1", ("n2",), NODE_REBOOTED)
    assert (hop.since - EPOCH, hop.until - EPOCH) == pytest.approx((9.0, 41.0), abs=0.001)


def test_an_agent_that_restarts_loses_nothing():
    n1 = speaker("n1")
    n1.restart_agent(10.0)
    n1.write(10.1, "gobgpd.found", routes=2, sessions=1)
    rise(n1, 10.2)
    announce(n1, 10.2)
    n1.write(30.0, "config.applied")
    report = report_of(n1)
    assert report.sessions == report.hops == report.no_owner == ()


def test_a_gobgpd_replaced_while_no_agent_ran_had_lost_its_sessions():
    n1, n2 = speaker("n1"), speaker("n2")
    n1.restart_agent(10.0)
    n1.write(10.1, "gobgpd.found")
    rise(n1, 12.0)
    [fell] = report_of(n1, n2).sessions
    assert (fell.reason, fell.until - EPOCH) == ("gobgpd-ended", pytest.approx(12.0, abs=0.001))


def test_a_handover_within_what_the_clocks_are_off_is_not_dark():
    n1, n2 = speaker("n1"), Diary("n2")
    rise(n2, 0.5)
    withdraw(n1, 10.0, "no-local-endpoints")
    announce(n2, 10.05)
    report = report_of(n1, n2, clock_error=0.1)
    assert len(report.hops) == 1
    assert report.no_owner == ()


def test_an_address_that_was_never_carried_is_not_lost():
    n1 = Diary("n1")
    announce(n1, 1.0)
    n1.write(60.0, "config.applied")
    report = report_of(n1)
    assert report.hops == report.no_owner == ()


def test_a_reader_that_forgets_still_knows_who_carries_what():
    n1, n2 = speaker("n1"), speaker("n2")
    for number in range(40):
        (n1 if number % 2 else n2).go(2.0 + number, "BACKUP" if number % 4 < 2 else "FAULT", "started")
    withdraw(n1, 30.0, "instance-deleted", VIPS[:1])
    fall(n2, 50.0)
    fall(n1, 60.0)
    n1.write(90.0, "config.applied")
    ledger = ledger_of(n1, n2)
    whole = judge(ledger, Limits())
    ledger.forget(5)
    assert len(ledger.bgp_rows()) < 9
    short = judge(ledger, Limits())
    assert (short.sessions, short.hops) == (whole.sessions, whole.hops)
    assert short.no_owner[0].vips == whole.no_owner[0].vips
