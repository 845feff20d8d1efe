"""layer2 from plan to frame, case by case: who is a candidate, what a Lease says, what the kernel lets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipmgr.core import layer2_lease
from vipmgr.core.decode.values import BEGINNING
from vipmgr.core.eligible import BLIP
from vipmgr.core.layer2 import Cause, State, heard, step
from vipmgr.core.layer2_filter import JUMP_ABOVE, LD_WORD, assemble, merged
from vipmgr.core.layer2_plan import place_layer2
from vipmgr.core.layer2_story import advert_ms, reason
from vipmgr.core.layer2_view import Candidate, Layer2Vip, Obstacle, Peer, Timings, View
from vipmgr.core.model import (
    AddressRange,
    Family,
    InstanceReport,
    LocalInterface,
    MoveReason,
    NodeFacts,
    NodeReport,
    Pool,
    Protocol,
    Reason,
    Selector,
    Vip,
)
from vipmgr.core.neighbour import (
    ALL_NODES,
    Advertisement,
    Arp,
    ArpOperation,
    MalformedError,
    Solicitation,
    encode,
    multicast_mac,
    parse,
    solicited_node,
)
from vipmgr.core.respond import Answer, Heard, Post, Silence, Standing, announcements, probe, respond
from vipmgr.core.stranger_filter import JUMP_AT_LEAST, JUMP_EQUAL, LD_BYTE, RETURN

NOW = BEGINNING + timedelta(days=1)
MAC, PEER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
V4, V6 = IPv4Address("10.0.0.40"), IPv6Address("fd00::40")


# --- the plan --------------------------------------------------------------------------------------------------------


def pool(**changes) -> Pool:
    span = AddressRange(IPv4Address("10.0.0.40"), IPv4Address("10.0.0.49"))
    return replace(Pool("office", "u", BEGINNING, Protocol.LAYER2, (span,), "eth0"), **changes)


def report(name: str, *, up: bool = True, owns: str = "", drain: bool = False) -> NodeReport:
    own = LocalInterface("eth0", up, (ip_interface(f"10.0.0.{int(name[1:])}/24"),), f"02:00:00:00:00:0{name[1:]}")
    said = {owns: InstanceReport("MASTER", "", 256, "", contested=False)} if owns else {}
    return NodeReport(name, interfaces=(own,), listening_since=BEGINNING, layer2=said, drain=drain)


def placed(reports: list[NodeReport], facts: list[NodeFacts] | None = None, of: Pool | None = None, **vip):
    nodes = {one.name: one for one in facts or [NodeFacts(one.name) for one in reports]}
    wanted = Vip(V4, "office", ("default/web",), **vip)
    chosen = of or pool()
    return place_layer2([wanted], {"office": chosen}, nodes, {one.name: one for one in reports}, NOW)


def candidates(found) -> tuple[str, ...]:
    told = {one.candidates for part in found.nodes.values() for pool in part.pools for one in pool.addresses}
    (same,) = told
    return same


def test_three_nodes_of_many_are_candidates_and_each_is_told_the_same():
    found = placed([report(f"n{index}") for index in range(1, 8)])
    assert len(candidates(found)) == 3
    assert sorted(found.nodes) == sorted(candidates(found))
    stations = found.nodes[candidates(found)[0]].pools[0].stations
    assert stations == {name: f"02:00:00:00:00:0{name[1:]}" for name in candidates(found)}


def test_the_node_that_answers_stays_a_candidate_last_in_rank():
    everybody = [f"n{index}" for index in range(1, 8)]
    usual = candidates(placed([report(name) for name in everybody]))
    outsider = next(name for name in everybody if name not in usual)
    found = placed([report(name, owns=str(V4) if name == outsider else "") for name in everybody])
    assert candidates(found) == (*usual, outsider)
    assert not any(one.leaving for one in found.nodes[outsider].pools[0].addresses)


@pytest.mark.parametrize(
    ("facts", "leaves"),
    [
        (NodeFacts("n1", excluded=True), True),
        (NodeFacts("n1", labels={"role": "db"}), True),
        (NodeFacts("n1", labels={"role": "edge"}, not_ready_since=NOW - BLIP / 2), False),
    ],
)
def test_a_node_that_may_stay_no_longer_is_told_to_hand_over(facts, leaves):
    edge = pool(node_selector=Selector((("role", "edge"),)))
    others = [NodeFacts(f"n{index}", labels={"role": "edge"}) for index in (2, 3)]
    found = placed([report("n1", owns=str(V4)), report("n2"), report("n3")], [facts, *others], edge)
    (told,) = found.nodes["n1"].pools[0].addresses
    assert told.leaving is leaves
    assert told.candidates[-1] == "n1"


@pytest.mark.parametrize("spoilt", [report("n1", up=False), report("n1", drain=True)])
def test_a_node_whose_link_is_down_or_that_drains_is_no_candidate(spoilt):
    assert "n1" not in candidates(placed([spoilt, report("n2"), report("n3")]))


def test_a_node_whose_agent_has_just_started_stays_a_candidate():
    names = ["n1", "n2", "n3"]
    fresh = [replace(report(name), listening_since=NOW) for name in names]
    assert set(candidates(placed(fresh))) == set(names)


def test_preferred_nodes_come_first():
    preferred = ((10, Selector((("name", "n5"),))),)
    of = pool(vrrp=replace(pool().vrrp, preferred=preferred))
    names = [f"n{index}" for index in range(1, 8)]
    found = placed([report(name) for name in names], [NodeFacts(name, labels={"name": name}) for name in names], of)
    assert candidates(found)[0] == "n5"


def test_nodes_with_endpoints_come_first_for_local_traffic():
    found = placed([report(f"n{index}") for index in range(1, 6)], local=True, endpoint_nodes=frozenset({"n4"}))
    assert candidates(found)[0] == "n4"
    assert len(candidates(found)) == 5


def test_a_pool_without_any_able_node_says_so():
    found = placed([report("n1", up=False)])
    assert found.nodes == {}
    assert [one.reason for one in found.problems] == [Reason.NO_ELIGIBLE_NODE]


# --- the Lease -------------------------------------------------------------------------------------------------------


def test_a_lease_says_what_was_written_into_it():
    text = layer2_lease.written({V4: 7, V6: 1}, {V4: "n2"}, frozenset({V6}))
    read = layer2_lease.read("n1", {layer2_lease.ANNOTATION: text})
    assert read == Peer("n1", True, {V4: 7, V6: 1}, {V4: "n2"}, frozenset({V6}))


@pytest.mark.parametrize("text", ["", "no", '{"claims":{"x":1}}', '{"claims":{"10.0.0.1":"a"}}', "[]"])
def test_a_lease_that_cannot_be_read_claims_nothing(text):
    assert layer2_lease.read("n1", {layer2_lease.ANNOTATION: text}) == Peer("n1", True)


# --- the filter ------------------------------------------------------------------------------------------------------


def passes(program, frame: bytes) -> bool:
    """Runs the instructions used here, as the kernel does."""
    at, value = 0, 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        match code:
            case 0x06:
                return operand > 0
            case 0x20 | 0x30:
                width = 4 if code == LD_WORD else 1
                if operand + width > len(frame):
                    return False
                value = int.from_bytes(frame[operand : operand + width], "big")
            case 0x15 | 0x35 | 0x25:
                holds = {JUMP_EQUAL: value == operand, JUMP_AT_LEAST: value >= operand, JUMP_ABOVE: value > operand}
                at += yes if holds[code] else no
            case other:
                raise AssertionError(other)


assert (LD_BYTE, RETURN) == (0x30, 0x06)


@given(st.sets(st.integers(1, 2**32 - 2), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_the_filter_passes_arp_about_our_addresses_and_no_other(ours, other):
    program = assemble(Family.IPV4, map(IPv4Address, ours))
    for number in (*list(ours)[:3], other):
        frame = encode(Arp(ArpOperation.REQUEST, PEER, IPv4Address(0), bytes(6), IPv4Address(number), PEER))
        said = encode(Arp(ArpOperation.REPLY, PEER, IPv4Address(number), MAC, IPv4Address(0), PEER))
        assert passes(program, frame) == passes(program, said) == (number in ours)


@given(st.sets(st.integers(0, 2**24 - 1), min_size=1, max_size=40), st.integers(0, 2**24 - 1))
def test_the_filter_passes_solicitations_and_advertisements_of_ours_and_no_other(ours, other):
    program = assemble(Family.IPV6, (V6 + number for number in ours))
    for number in (*list(ours)[:3], other):
        target = V6 + number
        asked = probe(target, PEER)
        told = encode(Advertisement(target, ALL_NODES, target, PEER, source_mac=PEER, destination_mac=MAC))
        assert passes(program, asked) == passes(program, told) == (number in ours)
    assert not passes(program, bytes(12) + b"\x86\xdd" + bytes(6) + b"\x06" + bytes(80))


@given(st.sets(st.integers(0, 5000), min_size=1), st.integers(1, 30))
def test_merged_ranges_cover_every_value_and_are_few(values, limit):
    ranges = merged(values, limit)
    assert len(ranges) <= limit
    assert all(any(low <= one <= high for low, high in ranges) for one in values)
    if limit >= len(values):
        assert sum(high - low + 1 for low, high in ranges) == len(values)


def test_without_addresses_nothing_passes():
    assert assemble(Family.IPV4, [V6]) == ((RETURN, 0, 0, 0),)


# --- frames ----------------------------------------------------------------------------------------------------------

POSTS = {V4: Post(Standing.OWNER, 5), V6: Post(Standing.OWNER, 9)}


def test_answers_go_straight_back_and_carry_the_epoch():
    asked = encode(Arp(ArpOperation.REQUEST, PEER, IPv4Address("10.0.0.2"), bytes(6), V4, PEER))
    said = respond(asked, MAC, POSTS)
    assert isinstance(said, Answer)
    answer = parse(said.frame)
    assert (answer.sender, answer.sender_mac, answer.destination, answer.epoch) == (V4, MAC, PEER, 5)
    asker = IPv6Address("fd00::2")
    group = solicited_node(V6)
    told = respond(encode(Solicitation(asker, group, V6, PEER, PEER, multicast_mac(group))), MAC, POSTS)
    assert isinstance(told, Answer)
    answer = parse(told.frame)
    assert (answer.destination, answer.solicited, answer.override, answer.router) == (asker, True, True, False)
    assert (answer.link_address, answer.epoch) == (MAC, 9)


@pytest.mark.parametrize(
    ("standing", "reason"), [(Standing.STANDBY, Silence.NOT_OWNER), (Standing.DOUBT, Silence.IN_DOUBT)]
)
def test_only_an_owner_answers_and_silence_has_a_reason(standing, reason):
    assert respond(probe(V4, PEER), MAC, {V4: Post(standing, 5)}) is reason
    assert respond(probe(V6, PEER), MAC, {V6: Post(standing, 5)}) is reason
    assert respond(probe(V4, PEER), MAC, {}) is Silence.UNKNOWN_ADDRESS
    assert respond(probe(V4, MAC), MAC, POSTS) is Silence.OWN_FRAME


@pytest.mark.parametrize("address", [V4, V6])
def test_an_announcement_is_heard_as_the_claim_it_is(address):
    for frame in announcements(address, PEER, 6):
        assert respond(frame, MAC, POSTS) == Heard(address, PEER, 6)


@given(st.binary(max_size=200), st.sampled_from([b"", bytes(12) + b"\x08\x06", bytes(12) + b"\x86\xdd"]))
def test_garbage_is_answered_by_nobody(garbage, head):
    assert not isinstance(respond(head + garbage, MAC, POSTS), Answer)


@given(st.data())
def test_a_frame_with_flipped_bits_never_ends_the_agent(data):
    frame = bytearray(data.draw(st.sampled_from([probe(V4, PEER), probe(V6, PEER), *announcements(V6, PEER, 3)])))
    for _ in range(data.draw(st.integers(1, 6))):
        frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parse(bytes(frame))
    except MalformedError:
        assert respond(bytes(frame), MAC, POSTS) is Silence.MALFORMED
    else:
        respond(bytes(frame), MAC, POSTS)


@pytest.mark.parametrize(
    ("timings", "least", "most"),
    [(Timings(), 0.45, 0.6), (Timings(misses=2), 0.3, 0.45), (Timings(watch=False), 2.45, 3.45)],
)
def test_the_audits_bounds_hold_what_the_timers_make_of_a_dead_owner(timings, least, most):
    advert = advert_ms(timings) / 1000
    assert 4 * advert >= most - 1e-9
    assert 3 * advert <= max(least, 3 * most / 4) + 0.002


def test_an_address_is_found_in_whatever_spelling():
    found = placed([report("n1")])
    assert ip_address(next(iter(found.instances))) == V4


# --- the words of a move ----------------------------------------------------------------------------------------------


def test_an_owner_that_stops_says_so_even_when_its_heir_spoke_first_and_has_a_new_mac():
    own, heir = Candidate("n1", MAC), Candidate("n2", PEER)
    vip = Layer2Vip(V4, "office", "eth0", (own, heir))
    view = View("n1", vip, {"n2": Peer("n2", fresh=True)}, Obstacle.STOPPING, synced=True, timings=Timings())
    offering, _ = step(view, State(standing=Standing.OWNER, epoch=4), 1.0)
    assert offering.offered == "n2"
    outbid = heard(view, offering, bytes.fromhex("0200000000ff"), 5, 1.001)
    lost, (moved,) = step(view, outbid, 1.002)
    assert (lost.standing, moved.cause) == (Standing.STANDBY, Cause.HANDED_OVER)
    assert reason(moved, view.obstacle) is MoveReason.STOPPED
