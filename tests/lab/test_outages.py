"""Dark time out of probes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vipmgr.lab.outages import Answer, Contest, Outage, Probe, contests, dark_ms, outages

MS = 1_000_000
INTERVAL = 5 * MS
PATIENCE = 20 * MS


def probes(*lost: range, count: int = 200, interval: int = INTERVAL) -> list[Probe]:
    """One every 5 ms from 1 s on, answered after 0.1 ms but for those in `lost`."""
    gone = {index for span in lost for index in span}
    return [
        Probe(sent, 0 if index in gone else sent + MS // 10, "m1")
        for index in range(count)
        for sent in [1000 * MS + index * interval]
    ]


def test_no_loss_is_no_outage():
    assert outages(probes(), INTERVAL, PATIENCE) == []
    assert dark_ms(probes(), INTERVAL, PATIENCE) == 0


def test_darkness_is_from_the_last_good_probe_to_the_first_good_one_less_an_interval():
    found = outages(probes(range(100, 160)), INTERVAL, PATIENCE)
    assert found == [Outage(1495 * MS, 1800 * MS, 60, 300.0)]


def test_two_outages_are_two():
    assert [one.lost for one in outages(probes(range(10, 20), range(50, 52)), INTERVAL, PATIENCE)] == [10, 2]


def test_an_answer_after_the_patience_is_none():
    late = [one._replace(answered=one.sent + 21 * MS) if one.sent == 1250 * MS else one for one in probes()]
    assert [one.lost for one in outages(late, INTERVAL, PATIENCE)] == [1]


def test_probes_before_the_first_answer_are_no_outage():
    assert outages(probes(range(50)), INTERVAL, PATIENCE) == []


def test_an_outage_that_has_not_ended_is_open():
    (open_one,) = outages(probes(range(150, 200)), INTERVAL, PATIENCE)
    assert open_one.ended == 0
    assert open_one.dark_ms == 250.0


def test_an_answer_that_is_still_on_its_way_is_not_lost_yet():
    assert outages(probes(range(197, 200)), INTERVAL, PATIENCE) == []


def test_a_prober_that_was_not_scheduled_invents_no_outage():
    pausing = [one for one in probes() if not 1200 * MS < one.sent < 1900 * MS]
    assert outages(pausing, INTERVAL, PATIENCE) == []


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_every_lost_probe_after_the_first_good_one_is_in_exactly_one_outage(answered):
    sent = [Probe(index * INTERVAL + 1, index * INTERVAL + 2 if good else 0, "") for index, good in enumerate(answered)]
    sent.append(Probe(sent[-1].sent + PATIENCE, sent[-1].sent + PATIENCE + 1, ""))
    lost = answered[answered.index(True) :].count(False) if True in answered else 0
    found = outages(sent, INTERVAL, PATIENCE)
    assert sum(one.lost for one in found) == lost
    assert all(one.dark_ms >= (one.lost - 1) * 5 for one in found)


def test_a_move_from_one_mac_to_another_is_no_contest():
    answers = [Answer(at * MS, "a") for at in range(0, 500, 50)] + [Answer(at * MS, "b") for at in range(500, 900, 50)]
    assert contests(answers, 500 * MS) == []


def test_two_macs_in_turn_are_a_contest():
    answers = [Answer(at * MS, mac) for at in range(0, 500, 50) for mac in ("a", "b")]
    answers = [one._replace(at=one.at + (one.mac == "b")) for one in answers]
    (contest,) = contests(answers, 500 * MS)
    assert contest == Contest(0, 450 * MS + 1, frozenset({"a", "b"}))
