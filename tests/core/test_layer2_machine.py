"""The ownership machine, look by look: the rules that no simulated world is sure to meet."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from vipmgr.core.layer2 import Announce, Cause, Moved, Probe, State, heard, slept, step
from vipmgr.core.layer2_view import Candidate, Layer2Vip, Peer, Timings, View
from vipmgr.core.respond import Standing

VIP = IPv4Address("10.0.0.40")
MACS = {name: bytes((2, 0, 0, 0, 0, index)) for index, name in enumerate(("n0", "n1", "n2"))}
LATE = 100.0


def view(node: str, *peers: Peer, **changes) -> View:
    vip = Layer2Vip(VIP, "office", "eth0", tuple(Candidate(name, mac) for name, mac in MACS.items()))
    known = {peer.node: peer for peer in peers}
    return View(node, vip, known, obstacle=None, synced=True, timings=Timings(), **changes)


def moves(effects) -> list[Cause]:
    return [one.cause for one in effects if isinstance(one, Moved)]


def test_a_claim_heard_before_its_lease_says_so_is_not_taken_for_released():
    lease_of_before = Peer("n1", True)
    seen = view("n0", lease_of_before, Peer("n2", True))
    state = heard(seen, State(), MACS["n1"], 5, LATE)
    state, effects = step(seen, state, LATE)
    assert (state.standing, moves(effects)) == (Standing.STANDBY, [])
    told = replace(seen, peers={"n1": Peer("n1", True, {VIP: 5}), "n2": Peer("n2", True)})
    state, _ = step(told, state, LATE + 0.01)
    state, effects = step(seen, state, LATE + 0.02)
    assert moves(effects) == [Cause.RELEASED], "it was in the Lease, and is gone from it"


def test_an_owner_that_wakes_asks_once_and_answers_nobody_before_an_interval_has_passed():
    alone, doubt = view("n0"), Timings().doubt
    owner = State(standing=Standing.OWNER, epoch=5, announce_due=LATE)
    state, effects = slept(alone, owner, LATE - 2, LATE)
    assert [type(one) for one in effects] == [Moved, Probe]
    for later in (0.0, doubt / 2, doubt - 0.001):
        state, effects = step(alone, state, LATE + later)
        assert (state.standing, effects) == (Standing.DOUBT, ())
    outbid, _ = step(alone, heard(alone, state, MACS["n1"], 6, LATE + doubt / 2), LATE + doubt / 2)
    assert outbid.standing is Standing.STANDBY
    state, effects = step(alone, state, LATE + doubt)
    assert (state.standing, moves(effects)) == (Standing.OWNER, [Cause.CONFIRMED])
    assert any(isinstance(one, Announce) for one in effects)


def test_an_owner_that_slept_says_since_when_nobody_answered():
    alone = view("n0")
    state, effects = slept(alone, State(standing=Standing.OWNER, epoch=5), LATE - 2, LATE)
    assert next(one for one in effects if isinstance(one, Moved)).since == LATE - 2
    _, effects = step(alone, state, LATE + 1)
    confirmed = next(one for one in effects if isinstance(one, Moved))
    assert confirmed.dark == (0.0, 3.0)


def test_how_long_an_owner_was_silent_is_not_known_to_who_never_heard_it():
    gone = view("n0", Peer("n1", False, {VIP: 5}))
    state, effects, now = State(), (), LATE
    while not moves(effects):
        now += 0.15
        state, effects = step(gone, state, now)
    taken = next(one for one in effects if isinstance(one, Moved))
    assert taken.cause is Cause.SILENT
    assert taken.dark is not None
    assert taken.dark.most is None
    assert 0.4 < taken.dark.least < 0.5


def test_an_answer_counts_from_the_question_on_for_who_was_asked_may_have_died_since():
    seen = view("n0", Peer("n1", True, {VIP: 5}))
    state, _ = step(seen, heard(seen, State(), MACS["n1"], 5, LATE), LATE)
    assert state.unanswered == 1
    answered = heard(seen, state, MACS["n1"], 5, LATE + 0.08)
    assert (answered.alive_at, answered.unanswered) == (LATE, 0)
