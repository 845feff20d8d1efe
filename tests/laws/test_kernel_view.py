"""Kernel against plan: which addresses are stray, which disagree, which are the node's own; and what -t lets pass."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.node.rig import instance, spec_of
from vipmgr.core.keepalived_words import State
from vipmgr.core.kernel_view import Kernel, Link, Placed, disagreements, own_addresses, strays
from vipmgr.core.spec_check import complaint

POOL = "10.77.0.200-10.77.0.250"
INTERFACES = st.sampled_from(["eth0", "eth1", "lo", "kube-ipvs0"])
HOSTS = st.integers(190, 255)
ADDRESSES = st.builds(lambda host, length: ip_interface(f"10.77.0.{host}/{length}"), HOSTS, st.sampled_from([24, 32]))
PLACED = st.sets(st.builds(Placed, INTERFACES, ADDRESSES), max_size=30)
PLANS = st.lists(st.sets(st.integers(200, 250), max_size=10), max_size=3)
KEPT = st.frozensets(HOSTS.map(lambda host: ip_address(f"10.77.0.{host}")), max_size=3)


def plans_of(hosts):
    return [spec_of("n1", instance(vips=[f"10.77.0.{host}" for host in sorted(held)])) for held in hosts]


@given(PLACED, PLANS, KEPT, st.booleans())
def test_what_is_removed_is_a_host_route_of_our_pools_on_our_interface_and_never_the_node_s_own(
    placed, hosts, kept, running
):
    plans = plans_of(hosts)
    named = {vip for plan in plans for one in plan.instances for vip in one.vips}
    for one in strays(plans, placed, kept, running=running):
        assert one in placed
        assert one.interface == "eth0"
        assert one.address.network.prefixlen == 32
        assert 200 <= int(str(one.address.ip).rpartition(".")[2]) <= 250
        assert one.address.ip not in kept
        assert not (running and str(one.address.ip) in named)


@given(PLACED, PLANS)
def test_when_nobody_runs_vrrp_no_vip_of_a_plan_stays(placed, hosts):
    plans = plans_of(hosts)
    named = {ip_address(vip) for plan in plans for one in plan.instances for vip in one.vips}
    gone = set(strays(plans, placed, frozenset(), running=False))
    left = {one for one in placed - gone if one.interface == "eth0" and one.address.network.prefixlen == 32}
    assert not {one.address.ip for one in left} & named


def test_what_keepalived_may_hold_and_what_the_node_has_itself_are_no_strays():
    plan = spec_of("n1", instance())
    placed = [Placed("eth0", ip_interface(f"10.77.0.{host}/32")) for host in (200, 201, 202)]
    kept = frozenset({ip_address("10.77.0.202")})
    assert strays([plan], placed, kept, running=True) == [placed[1]]
    assert strays([plan], placed, kept, running=False) == placed[:2]


def test_without_a_plan_nothing_is_stray():
    assert strays([], {Placed("eth0", ip_interface("10.77.0.200/32"))}, frozenset(), running=False) == []


@pytest.mark.parametrize(
    ("states", "placed", "expected"),
    [
        ({"p-0": State.MASTER}, ["10.77.0.200/32"], ()),
        ({"p-0": State.BACKUP}, [], ()),
        ({"p-0": State.MASTER}, [], ("10.77.0.200 is not on eth0, instance p-0 is MASTER",)),
        ({"p-0": State.FAULT}, ["10.77.0.200/32"], ("10.77.0.200 is on eth0, instance p-0 is not MASTER",)),
        ({}, [], ("keepalived does not know instance p-0",)),
        ({"p-0": State.BACKUP, "p-9": State.BACKUP}, [], ("keepalived still has instance p-9",)),
    ],
)
def test_a_plan_is_confirmed_only_when_keepalived_and_the_kernel_agree_with_it(states, placed, expected):
    found = [Placed("eth0", ip_interface(one)) for one in placed]
    assert disagreements(spec_of("n1", instance()), states, found) == expected


def test_the_node_s_own_addresses_are_those_that_are_no_vip_no_anchor_and_not_link_local():
    link = Link(2, "eth0", up=True)
    texts = ["10.77.0.11/24", "10.77.0.200/32", "10.77.0.240/32", "10.77.0.99/32", "fe80::1/64", "2001:db8::1/64"]
    kernel = Kernel({2: link}, {2: frozenset(ip_interface(text) for text in texts)})
    own = [str(one) for one in own_addresses(kernel, link, [spec_of("n1", instance())])]
    assert own == ["10.77.0.11/24", "10.77.0.99/32", "2001:db8::1/64"]


def changed(**changes):
    return msgspec.structs.replace(spec_of("n1", instance(), instance("p-1", ["10.77.0.201"], vrid=52)), **changes)


def test_a_good_plan_is_not_complained_about():
    assert complaint(changed()) is None


def test_what_keepalived_would_let_pass_is_refused():
    good = changed()
    assert "empty" in (complaint(changed(keepalived="")) or "")
    assert "p-1" in (complaint(changed(instances=good.instances[:1])) or "")
    assert "p-1" in (
        complaint(changed(keepalived=good.keepalived.replace("vrrp_instance p-1", "vrrp_instance p-2"))) or ""
    )
    twice = spec_of("n1", instance(), instance("p-1", ["10.77.0.200"], vrid=52))
    assert "10.77.0.200 is in more than one place" in (complaint(twice) or "")
    absent = changed(keepalived=good.keepalived.replace("10.77.0.201", "10.77.0.202"))
    assert "10.77.0.201 is planned but not" in (complaint(absent) or "")
    assert "virtual router 51" in (complaint(spec_of("n1", instance(), instance("p-1", ["10.77.0.201"]))) or "")


def test_an_address_that_only_begins_like_a_planned_one_does_not_count_as_there():
    spec = spec_of("n1", instance(vips=["10.77.0.20"]), pool="10.77.0.2-10.77.0.250")
    spec.keepalived = spec.keepalived.replace("10.77.0.20/", "10.77.0.200/")
    assert "10.77.0.20 is planned but not" in (complaint(spec) or "")
