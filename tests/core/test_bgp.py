"""BgpConf, BgpPeers and VIPs -> what each node says, and the order in which gobgpd is brought there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from vipmgr.core import bgp_objects as wire
from vipmgr.core.bgp import RACK, Settings, announce, router_id
from vipmgr.core.bgp_loss import Loss, Tally, why
from vipmgr.core.bgp_policy import read_policy
from vipmgr.core.bgp_report import announces, complaints, refusals
from vipmgr.core.bgp_routes import Route, routes_of, tag
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
    Start,
    Stop,
    after,
    head_of,
    settings_of,
    steps,
)
from vipmgr.core.decode import decode_conf, decode_peer
from vipmgr.core.model import BgpPolicy, NodeFacts, NodeReport, Pool, Protocol, Reason, Selector, Vip
from vipmgr.core.node_bgp import NodeBfd, NodeBgp, NodeBgpPeer, NodeBgpRoutes, NodeBgpSession, NodeBgpStatus
from vipmgr.core.spec_check import complaint
from vipmgr.core.wire import Metadata, VipNode, VipNodeSpec, VipNodeStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def conf(**spec):
    return decode_conf(msgspec.convert({"metadata": {"name": "default"}, "spec": {"as": 65001} | spec}, wire.BgpConf))


def peer(name="r", conf=None, **spec):
    named = {"neighborAddress": "10.0.0.254", "peerAs": 65000} | (conf or {})
    found = {"metadata": {"name": name, "generation": 7}, "spec": {"conf": named} | spec}
    return decode_peer(msgspec.convert(found, wire.BgpPeer))


def pool(name="p", selector=None, **policy):
    node_selector = selector or Selector()
    return Pool(name, name, NOW, Protocol.BGP, (), node_selector=node_selector, bgp=BgpPolicy(**policy))


def node(name, address="10.0.0.1", **facts):
    return NodeFacts(name, addresses=(ip_address(address),), **facts)


def vip(address="198.51.100.1", pool="p", **more):
    return Vip(ip_address(address), pool, ("a/web",), **more)


def plan(vips=(), pools=None, nodes=None, confs=None, peers=(), policies=None):
    pools = [pool()] if pools is None else pools
    nodes = [node("n1")] if nodes is None else nodes
    return announce(
        vips, {one.name: one for one in pools}, {one.name: one for one in nodes},
        {one.name: NodeReport(one.name) for one in nodes},
        Settings({"default": conf()} if confs is None else confs, {one.name: one for one in peers}, policies or {}),
        now=NOW,
    )  # fmt: skip


def prefixes(found, name="n1"):
    return [prefix for group in found.nodes[name].routes for prefix in group.prefixes]


# --- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"conf": {"neighborAddress": "router"}}, "spec.conf.neighborAddress"),
        ({"conf": {"neighborAddress": ""}}, "spec.conf.neighborAddress"),
        ({"conf": {"neighborAddress": "", "neighborInterface": "eth0%1"}}, "spec.conf.neighborInterface"),
        ({"conf": {"peerAs": 1 << 32}}, "spec.conf.peerAs"),
        ({"conf": {"removePrivateAs": "some"}}, "spec.conf.removePrivateAs"),
        ({"timers": {"config": {"holdTime": "2"}}}, "spec.timers.config.holdTime"),
        ({"timers": {"config": {"connectRetry": "soon"}}}, "spec.timers.config.connectRetry"),
        ({"bfd": {"transmitInterval": "1ms"}}, "spec.bfd.transmitInterval"),
        ({"bfd": {"receiveInterval": "often"}}, "spec.bfd.receiveInterval"),
        ({"gracefulRestart": {"enabled": True, "restartTime": 5000}}, "spec.gracefulRestart.restartTime"),
        ({"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}, "spec.nodeSelector"),
    ],
)
def test_what_a_peer_cannot_have_is_named_by_field(spec, field):
    [problem] = peer(**spec).problems
    assert problem.about == "BgpPeer/r"
    assert problem.reason in (Reason.BAD_VALUE, Reason.BAD_ADDRESS)
    assert problem.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"conf": {"neighborInterface": "eth0"}}, "spec.conf.neighborInterface"),
        ({"conf": {"peerGroup": "x"}}, "spec.conf.peerGroup"),
        ({"conf": {"vrf": "x"}}, "spec.conf.vrf"),
        ({"conf": {"routeFlapDamping": True}}, "spec.conf.routeFlapDamping"),
        ({"conf": {"sendCommunity": 3}}, "spec.conf.sendCommunity"),
        ({"transport": {"remoteAddress": "10.0.0.9"}}, "spec.transport.remoteAddress"),
        ({"afiSafis": [{"config": {"family": {"afi": "AFI_L2VPN"}}}]}, "spec.afiSafis[0].config.family"),
    ],
)
def test_what_has_no_effect_is_named_and_costs_no_session(spec, field):
    found = peer(**spec)
    [problem] = found.problems
    assert (problem.reason, problem.message.split(": ")[0]) == (Reason.FIELD_IGNORED, field)
    assert found.plan == peer().plan


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"as": 0}, "spec.as"),
        ({"routerId": "router"}, "spec.routerId"),
        ({"listenPort": 70000}, "spec.listenPort"),
        ({"listenAddresses": ["all"]}, "spec.listenAddresses[0]"),
        ({"families": [65537, 1]}, "spec.families[1]"),
    ],
)
def test_what_a_configuration_cannot_have_is_named_by_field(spec, field):
    [problem] = conf(**spec).problems
    assert problem.message.startswith(f"{field}: ")


def test_an_unreadable_node_selector_makes_nobodys_session_not_everybodys():
    assert peer(nodeSelector={"matchExpressions": [{"key": "a", "operator": "Like"}]}).plan is None


def test_a_password_stays_where_it_is():
    secret = peer(passwordSecret={"name": "s", "key": "k"}, conf={"authPassword": "hidden"}).plan
    own = peer(conf={"authPassword": "hidden"}).plan
    assert (secret.password, secret.password_generation) == ("secret/s/k", 0)
    assert (own.password, own.password_generation) == ("peer", 7)
    assert "hidden" not in repr(own)
    assert "hidden" not in repr(Session(own, "hidden"))


def test_the_fields_of_a_peer_arrive():
    found = peer(
        conf={"localAs": 65009, "adminDown": True, "allowOwnAs": 2, "removePrivateAs": "REMOVE_PRIVATE_ALL"},
        ebgpMultihop={"enabled": True, "multihopTtl": 5}, bfd={"transmitInterval": "50ms", "detectMultiplier": 4},
        timers={"config": {"holdTime": "9"}}, transport={"passiveMode": True, "remotePort": 1179},
        afiSafis=[{"config": {"enabled": True, "family": {"afi": "AFI_IP6", "safi": "SAFI_UNICAST"}},
                   "addPaths": {"config": {"sendMax": 4}}}],
    ).plan  # fmt: skip
    assert (found.local_asn, found.admin_down, found.allow_own_as, found.remove_private_as) == (65009, True, 2, "all")
    assert (found.multihop_ttl, found.hold_time, found.keepalive, found.passive, found.remote_port) == (
        5,
        9,
        3,
        True,
        1179,
    )
    assert found.bfd == NodeBfd(transmit_ms=50, receive_ms=100, multiplier=4)
    assert [(one.family, one.send_max) for one in found.families] == [("IPv6", 4)]


def test_a_session_carries_the_family_of_its_address_unless_told_otherwise():
    assert [one.family for one in peer().plan.families] == ["IPv4"]
    assert [one.family for one in peer(conf={"neighborAddress": "fd00::1"}).plan.families] == ["IPv6"]


# --- the plan --------------------------------------------------------------------------------------------------------


def test_every_node_announces_every_vip_unless_the_pool_selects_nodes():
    nodes = [node("n1", labels={"a": "1"}), node("n2")]
    assert [prefixes(plan([vip()], nodes=nodes), name) for name in ("n1", "n2")] == [["198.51.100.1/32"]] * 2
    chosen = plan([vip()], [pool(selector=Selector((("a", "1"),)))], nodes)
    assert [prefixes(chosen, name) for name in ("n1", "n2")] == [["198.51.100.1/32"], []]


def test_a_node_that_is_long_not_ready_leaves_unless_it_is_the_last():
    dead = node("n1", not_ready_since=NOW - timedelta(minutes=6))
    assert [prefixes(plan([vip()], nodes=[dead, node("n2")]), name) for name in ("n1", "n2")] == [
        [],
        ["198.51.100.1/32"],
    ]
    assert prefixes(plan([vip()], nodes=[dead])) == ["198.51.100.1/32"]


def test_aggregates_are_announced_once():
    found = plan(
        [vip("198.51.100.1"), vip("198.51.100.9"), vip("2001:db8::1"), vip("2001:db8::9")],
        [pool(aggregation_length=24, aggregation_length_v6=64)],
    )
    assert prefixes(found) == ["198.51.100.0/24", "2001:db8::/64"]


def test_a_local_service_hangs_on_its_health_check_or_on_its_endpoints():
    nodes = [node("n1"), node("n2")]
    polled = plan([vip(local=True, health_check_node_ports=(30001,), endpoint_nodes=frozenset({"n1"}))], nodes=nodes)
    assert [polled.nodes[name].routes[0].health_check_node_ports for name in ("n1", "n2")] == [(30001,)] * 2
    told = plan([vip(local=True, endpoint_nodes=frozenset({"n1"}))], nodes=nodes)
    assert [prefixes(told, name) for name in ("n1", "n2")] == [["198.51.100.1/32"], []]


def test_racks_have_their_own_as_and_sessions():
    nodes = [node("n1", labels={RACK: "a"}), node("n2")]
    found = plan(
        nodes=nodes, confs={"default": conf(asPerRack={"a": 65101})},
        peers=[peer("rack-a", nodeSelector={"matchLabels": {RACK: "a"}}), peer("all", {"neighborAddress": "10.9.9.9"})],
    )  # fmt: skip
    assert {name: one.asn for name, one in found.nodes.items()} == {"n1": 65101, "n2": 65001}
    assert {name: [one.name for one in each.peers] for name, each in found.nodes.items()} == {
        "n1": ["all", "rack-a"], "n2": ["all"],
    }  # fmt: skip


def test_sessions_inherit_graceful_restart():
    found = plan(confs={"default": conf(gracefulRestart={"enabled": True, "restartTime": 60})}, peers=[peer()])
    [session] = found.nodes["n1"].peers
    assert session.graceful_restart.restart_time == 60
    assert all(one.graceful_restart for one in session.families)


def test_a_policy_that_can_be_read_is_in_every_plan_and_one_that_cannot_leaves_what_is_in_force():
    confs = {"default": conf(policy="mine")}
    good, bad = read_policy(""), read_policy("[global]\nx = 1")
    found = {text: plan(confs=confs, policies=policies) for text, policies in (
        ("good", {"mine": good, "other": bad}), ("bad", {"mine": bad}), ("absent", {"other": good}),
    )}  # fmt: skip
    plans = {text: one.nodes["n1"] for text, one in found.items()}
    assert {text: (one.policy, one.policy_unreadable) for text, one in plans.items()} == {
        "good": (good.policy, False), "bad": (None, True), "absent": (None, True),
    }  # fmt: skip
    assert [[one.message for one in each.problems] for each in found.values()] == [
        [],
        ["spec.policy: ConfigMap mine: gobgp.conf: global.x: is not known"],
        ["spec.policy: ConfigMap mine: there is none in the namespace of vipmgr"],
    ]


def test_a_node_is_identified_by_its_ipv4_address_or_by_a_number_of_its_own():
    assert router_id(node("n1", "10.0.0.7")) == "10.0.0.7"
    lone = [router_id(node(name, "fd00::1")) for name in ("n1", "n2")]
    assert len(set(lone)) == 2
    assert all(ip_address(one).version == 4 for one in lone)


def test_a_pool_without_a_configuration_or_with_unknown_peers_says_so():
    [problem] = plan(confs={}).problems
    assert (problem.about, problem.reason) == ("Eip/p", Reason.BGP_UNCONFIGURED)
    [unknown] = plan(pools=[pool(peers=("x",))]).problems
    assert unknown.message == "spec.bgp.peers[0]: there is no BgpPeer x"


# --- routes and steps ------------------------------------------------------------------------------------------------


def told(*groups, **more):
    return NodeBgp(asn=65001, router_id="10.0.0.1", listen_port=179, routes=groups, **more)


def group(*prefixes, **more):
    return NodeBgpRoutes(eip="p", prefixes=prefixes, **more)


def test_a_drained_node_announces_nothing_and_one_without_endpoints_what_needs_none():
    found = told(group("10.1.0.1/32"), group("10.1.0.2/32", health_check_node_ports=(1, 2)))
    assert routes_of(found, drain=True, healthy=lambda _: True) == {}
    assert list(routes_of(found, drain=False, healthy=lambda port: port != 2)) == ["10.1.0.1/32"]


def test_pools_that_share_a_prefix_reach_the_sessions_of_both():
    found = told(group("10.1.0.0/24", peers=("a",), local_pref=100), group("10.1.0.0/24", peers=("b",), local_pref=200))
    [route] = routes_of(found, drain=False, healthy=lambda _: True).values()
    assert set(route.large) == {tag("a"), tag("b")}
    assert route.local_pref == 200


def test_tags_differ_and_never_mean_all():
    assert len({tag(name) for name in ("", "a", "b", "c")}) == 4


def test_a_router_named_by_its_interface_alone_is_spoken_with_in_both_families():
    found = peer(conf={"neighborAddress": "", "neighborInterface": "eth0"})
    assert found.problems == ()
    assert (found.plan.address, found.plan.interface, found.plan.place) == ("", "eth0", "eth0")
    assert [one.family for one in found.plan.families] == ["IPv4", "IPv6"]
    assert (peer().plan.interface, peer().plan.place) == ("", "10.0.0.254")


def test_an_interface_that_is_none_is_refused_before_it_reaches_gobgpd():
    def said(interface):
        one = structs.replace(session().settings, name="r", address="", interface=interface)
        return complaint(VipNodeSpec(bgp=told(peers=(one,))))

    assert said("eth0%1") == "bgp.peers.interface: 'eth0%1' is no name of an interface"
    assert "interface" not in said("eth0")


def session(address="10.0.0.254", md5="", **more):
    settings = NodeBgpPeer(name="r", address=address, asn=65000, connect_retry=1, hold_time=9, keepalive=3, **more)
    return Session(settings_of(settings, 65001), md5)


NO_RULES = Rules()


def speaker(routes=(), sessions=(), gates=(), head=None, rules=NO_RULES):
    return Speaker(
        head or head_of(told()), frozenset(gates), rules, Chain(frozenset(gates), rules),
        {one.prefix: one for one in routes}, {one.settings.address: one for one in sessions},
    )  # fmt: skip


ONE, TWO = Route("10.1.0.1/32"), Route("10.1.0.2/32")
GATE = Gate("10.0.0.254", tag("r"))


def test_from_nothing_routes_are_there_before_sessions_and_policies_before_both():
    wanted = speaker([ONE], [session()], [GATE])
    assert steps(Speaker(), wanted) == [
        Start(wanted.head), OpenGate(GATE), Enforce(Chain(frozenset([GATE]))), Routes((), [ONE]), AddSession(session()),
    ]  # fmt: skip


def test_nothing_is_done_when_nothing_differs():
    assert steps(speaker([ONE], [session()], [GATE]), speaker([ONE], [session()], [GATE])) == []


def test_withdrawals_come_first_and_policies_go_last():
    found = steps(speaker([ONE], [session()], [GATE]), speaker([TWO]))
    assert found == [
        Routes([ONE], ()), DropSession("10.0.0.254"), Enforce(Chain()), Routes((), [TWO]), CloseGate(GATE),
    ]  # fmt: skip


def test_only_the_session_that_differs_is_changed():
    other = session("10.0.0.253")
    found = steps(speaker(sessions=[session(), other]), speaker(sessions=[session(md5="new"), other]))
    assert found == [ChangeSession(session(md5="new"))]


def test_another_as_costs_every_session_and_is_graceful_only_where_that_is_agreed():
    wanted = speaker([ONE], head=head_of(NodeBgp(asn=1, router_id="10.0.0.1", listen_port=179)))
    assert steps(speaker([ONE]), wanted)[0] == Stop(graceful=False)
    assert steps(speaker([ONE]), _graceful(wanted))[0] == Stop(graceful=True)
    assert steps(speaker([ONE]), Speaker()) == [Stop(graceful=False)]


def _graceful(one):
    return replace(one, graceful=True)


def test_other_rules_are_loaded_before_they_rule_and_every_standing_session_hears_what_they_say():
    old, new = Rules("old"), Rules("new")
    found = steps(speaker([ONE], [session()], [GATE], rules=old), speaker([ONE], [session()], [GATE], rules=new))
    assert found == [
        LoadRules(new), Enforce(Chain(frozenset([GATE]), new)), Resend("10.0.0.254"), Routes((), [ONE]), DropRules(old),
    ]  # fmt: skip


def test_rules_that_end_are_taken_out_of_force_first():
    found = steps(speaker(rules=Rules("old")), speaker())
    assert found == [Enforce(Chain()), DropRules(Rules("old"))]


def test_a_session_whose_gate_changes_hears_its_routes_again_and_no_other_does():
    other, moved = session("10.0.0.253"), Gate("10.0.0.254", tag("r"), "fd00::1")
    gate = Gate("10.0.0.253", tag("s"))
    held, wanted = (speaker([ONE], [session(), other], [gate, one]) for one in (GATE, moved))
    assert steps(held, wanted) == [
        OpenGate(moved), Enforce(Chain(frozenset([gate, moved]))), Resend("10.0.0.254"), CloseGate(GATE),
    ]  # fmt: skip


def test_steps_lead_where_they_should():
    held, wanted = speaker([ONE], [session("10.0.0.253")], [GATE]), speaker([TWO], [session()], [])
    for step in steps(held, wanted):
        held = after(held, step)
    assert (held.routes, held.sessions, held.gates) == (wanted.routes, wanted.sessions, wanted.gates)


# --- what is shown ---------------------------------------------------------------------------------------------------


def reported(state="ESTABLISHED", silent=(), drain=False, peers=("r",)):
    spec = VipNodeSpec(bgp=told(group("10.1.0.0/24", "10.2.0.1/32", health_check_node_ports=(1,)), peers=tuple(
        NodeBgpPeer(name=name, address="10.0.0.254", asn=1, connect_retry=1, hold_time=9, keepalive=3)
        for name in peers
    )), drain=drain)  # fmt: skip
    sessions = [
        NodeBgpSession(peer=name, address="10.0.0.254", state=state, reason="hold-timer-expired") for name in peers
    ]
    status = NodeBgpStatus(running=True, routes=2, sessions=sessions, silent_ports=list(silent))
    return VipNode(metadata=Metadata(name="n1"), spec=spec, status=VipNodeStatus(bgp=status))


def test_an_address_is_where_a_standing_session_carries_it():
    for address in ("10.1.0.77", "10.2.0.1"):
        assert announces(reported(), "p", ip_address(address))
    assert not announces(reported(), "p", ip_address("10.2.0.2"))
    assert not announces(reported(), "q", ip_address("10.2.0.1"))
    assert not announces(reported("ACTIVE"), "p", ip_address("10.2.0.1"))
    assert not announces(reported(silent=(1,)), "p", ip_address("10.2.0.1"))
    assert not announces(reported(drain=True), "p", ip_address("10.2.0.1"))


def test_what_nodes_could_not_apply_is_said_by_field_once_for_all_of_them():
    def unread(name):
        node = reported("IDLE")
        node.metadata.name = name
        node.status.bgp.sessions[0].problem = "spec.passwordSecret: no"
        return node

    nodes = {f"n{index}": unread(f"n{index}") for index in range(1, 8)}
    [problem] = refusals(nodes)
    assert problem == ("BgpPeer/r", Reason.NOT_APPLIED, "spec.passwordSecret: no (says n1, n2, n3, n4, n5 and 2 more)")
    assert "BgpPeer r: spec.passwordSecret: no" in complaints(nodes["n1"])
    nodes["n1"].status.bgp.problem = "spec.policy: no"
    assert refusals({"n1": nodes["n1"]})[0] == ("BgpConf/default", Reason.NOT_APPLIED, "spec.policy: no (says n1)")


def test_a_session_that_does_not_stand_is_a_complaint():
    assert list(complaints(reported())) == []
    assert list(complaints(reported("IDLE"))) == ["BGP session with r (10.0.0.254) is IDLE (hold-timer-expired)"]


# --- why a session was lost ------------------------------------------------------------------------------------------

STOOD = Tally(received=9, received_keepalives=6, received_notifications=1, sent_notifications=1, bfd_up=True)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ({"sent_notifications": 2, "bfd_up": False, "bfd_heard": 40}, Loss.BFD),
        ({"sent_notifications": 2, "bfd_up": False}, Loss.BFD),
        ({"sent_notifications": 2, "received_notifications": 2, "received": 10, "bfd_up": False}, Loss.RECEIVED),
        ({"sent_notifications": 2}, Loss.HOLD_TIMER),
        ({"sent_notifications": 2, "received": 11, "received_keepalives": 8}, Loss.HOLD_TIMER),
        ({"sent_notifications": 2, "received": 10}, Loss.SENT),
        ({}, Loss.CONNECTION),
        ({"admin_down": True, "sent_notifications": 2}, Loss.ADMIN_DOWN),
    ],
)
def test_a_loss_is_explained_by_what_was_counted(after, reason):
    assert why(STOOD, STOOD._replace(**after)) is reason


def test_bfd_that_came_up_after_it_was_last_looked_at_counts_by_what_it_heard():
    early = STOOD._replace(bfd_up=False)
    assert why(early, early._replace(sent_notifications=2, bfd_heard=40)) is Loss.BFD
    assert why(early, early._replace(sent_notifications=2)) is Loss.HOLD_TIMER  # it never came up


def test_a_session_made_anew_is_counted_from_nothing():
    assert why(STOOD, Tally(received=3, received_keepalives=3)) is Loss.BFD
    assert why(STOOD._replace(bfd_up=False), Tally(received_notifications=1, received=4)) is Loss.RECEIVED


def test_the_documentation_explains_every_reason():
    text = (Path(__file__).parents[2] / "docs" / "bgp.md").read_text()
    assert [reason for reason in Loss if f"`{reason}`" not in text] == []
