"""Whatever gobgpd holds and whatever it should: the steps lead there, and no packet is lost on the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vipmgr.core.bgp_routes import Route
from vipmgr.core.bgp_steps import (
    AddSession,
    Chain,
    ChangeSession,
    CloseGate,
    DropRules,
    DropSession,
    Enforce,
    Gate,
    LoadRules,
    OpenGate,
    Resend,
    Routes,
    Rules,
    Session,
    Speaker,
    after,
    steps,
)
from vipmgr.core.node_bgp import NodeBgp, NodeBgpPeer

ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
HEADS = st.sampled_from([NodeBgp(asn=number, router_id="10.0.0.9", listen_port=179) for number in (1, 2)])
ROUTES = st.builds(
    Route, st.sampled_from([f"10.1.0.{last}/32" for last in range(6)]), st.sampled_from([(), ("1:1",), ("1:2",)])
)


@st.composite
def sessions(draw):
    settings = NodeBgpPeer(
        name="", address=draw(ADDRESSES), asn=draw(st.integers(1, 2)), connect_retry=1, hold_time=9, keepalive=3
    )
    return Session(settings, draw(st.sampled_from(["", "x"])))


@st.composite
def speakers(draw, started=None):
    """One that was started, or (unless `started`) perhaps not."""
    if not started and draw(st.booleans()):
        return Speaker()
    held = draw(st.lists(sessions(), max_size=3, unique_by=lambda one: one.settings.address))
    gates = frozenset(Gate(one.settings.address, "tag", draw(st.sampled_from(["", "fd00::1"]))) for one in held)
    rules = draw(st.sampled_from([Rules(), Rules("a"), Rules("b")]))
    return Speaker(
        draw(HEADS),
        gates,
        rules,
        Chain(gates, rules),
        {one.prefix: one for one in draw(st.lists(ROUTES, max_size=6))},
        {one.settings.address: one for one in held},
    )


@given(speakers(), speakers())
def test_the_steps_lead_there_and_then_there_are_none(held, wanted):
    for step in steps(held, wanted):
        held = after(held, step)
    assert (held.head, held.gates, held.rules, held.chain) == (wanted.head, wanted.gates, wanted.rules, wanted.chain)
    assert (dict(held.routes), dict(held.sessions)) == (dict(wanted.routes), dict(wanted.sessions))
    assert steps(held, wanted) == []


@given(speakers(), speakers(started=True))
def test_a_route_both_have_is_never_gone_while_the_daemon_stays(held, wanted):
    kept = held.routes.keys() & wanted.routes.keys()
    if held.head != wanted.head:
        return
    for step in steps(held, wanted):
        held = after(held, step)
        assert kept <= held.routes.keys()


@given(speakers(), speakers(started=True))
def test_no_session_is_made_before_its_policy_and_the_routes(held, wanted):
    found = steps(held, wanted)
    for index, step in enumerate(found):
        if isinstance(step, AddSession):
            assert not any(isinstance(later, Routes | OpenGate | LoadRules | Enforce) for later in found[index:])


@given(speakers(), speakers(started=True))
def test_only_what_is_there_is_in_force_and_only_what_is_not_in_force_goes(held, wanted):
    for step in steps(held, wanted):
        match step:
            case Enforce(chain):
                assert chain.gates <= held.gates
                assert chain.rules in (held.rules, Rules())
            case CloseGate(gate):
                assert gate not in held.chain.gates
            case DropRules(rules):
                assert rules != held.chain.rules
        held = after(held, step)


@given(speakers(started=True), speakers(started=True))
def test_a_session_that_stays_hears_its_routes_again_if_and_only_if_its_policies_are_others(held, wanted):
    if held.head != wanted.head:
        return
    resent = {step.address for step in steps(held, wanted) if isinstance(step, Resend)}
    stay = held.sessions.keys() & wanted.sessions.keys()
    assert resent == {
        address for address in stay if held.rules != wanted.rules or seen(held, address) != seen(wanted, address)
    }


def seen(speaker, address):
    return {gate for gate in speaker.gates if gate.address == address}


@given(speakers(started=True), speakers(started=True))
def test_a_session_that_does_not_differ_is_not_touched(held, wanted):
    if held.head != wanted.head:
        return
    same = {address for address, one in wanted.sessions.items() if held.sessions.get(address) == one}
    for step in steps(held, wanted):
        match step:
            case AddSession(one) | ChangeSession(one):
                assert one.settings.address not in same
            case DropSession(address):
                assert address not in same
