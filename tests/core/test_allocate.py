from __future__ import annotations

from ipaddress import ip_address

import pytest

from tests.core.cluster import V4, V6, addresses, claim, pool, used, with_status, with_used
from vipmgr.core.allocate import allocate
from vipmgr.core.model import Problem, Protocol, Reason, Rejection, Selector

NAMESPACES = {"ns": {"team": "blue"}, "other": {"team": "red"}}


def run(claims, pools, **more):
    return allocate(claims, pools, NAMESPACES, **more)


def refusal(result, key="ns/svc"):
    return result.refused[key].reason if key in result.refused else None


def test_the_seed_service_gets_the_first_address_of_the_pool_it_names():
    result = run([claim("default/nginx", pool="eip-pool")], [pool("eip-pool", "196.168.220.10-196.168.220.30")])
    assert addresses(result, "default/nginx") == ["196.168.220.10"]
    assert used(result) == {"196.168.220.10": "default/nginx"}
    assert not result.refused


DISABLED = pool("off", disabled=True)
DELETING = pool("leaving", deleting=True)
BROKEN = pool("broken", problems=(Problem("Eip/broken", Reason.BAD_VALUE, "spec.vrrp.members is 0"),))
MINE = pool("mine", "10.1.0.0/30", namespaces=frozenset({"ns"}))
DEFAULT = pool("default", "10.2.0.0/30", is_default=True)
LABELLED = pool("labelled", "10.3.0.0/30", namespace_selector=Selector((("team", "blue"),)))


@pytest.mark.parametrize(
    ("reason", "asked", "pools"),
    [
        (Reason.UNKNOWN_POOL, {"pool": "nowhere"}, [pool()]),
        (Reason.NO_POOL, {}, [pool()]),
        (Reason.POOL_DISABLED, {"pool": "off"}, [DISABLED]),
        (Reason.POOL_DISABLED, {"requested": ["10.0.0.1"]}, [DISABLED]),
        (Reason.POOL_DISABLED, {}, [pool("off", disabled=True, is_default=True)]),
        (Reason.POOL_DELETING, {"pool": "leaving"}, [DELETING]),
        (Reason.POOL_REFUSED, {"pool": "broken"}, [BROKEN]),
        (Reason.POOL_EXHAUSTED, {"pool": "eip-pool"}, [pool("eip-pool", "10.0.0.0", avoid_buggy_ips=True), DEFAULT]),
        (Reason.ADDRESS_OUTSIDE, {"requested": ["10.9.9.9"]}, [pool()]),
        (Reason.ADDRESS_OUTSIDE, {"requested": ["10.2.0.1"], "pool": "eip-pool"}, [pool(), DEFAULT]),
        (Reason.ADDRESS_AVOIDED, {"requested": ["10.0.0.0"]}, [pool("eip-pool", "10.0.0.0/24", avoid_buggy_ips=True)]),
        (Reason.WRONG_FAMILY, {"requested": ["2001:db8::1"]}, [pool("eip-pool", "2001:db8::/64")]),
        (Reason.WRONG_FAMILY, {"pool": "eip-pool"}, [pool("eip-pool", "2001:db8::/64")]),
        (Reason.WRONG_PROTOCOL, {"pool": "eip-pool", "protocol": Protocol.BGP}, [pool()]),
        (Reason.WRONG_PROTOCOL, {"protocol": Protocol.BGP}, [DEFAULT]),
        (
            Reason.NAMESPACE_NOT_ALLOWED,
            {"pool": "eip-pool"},
            [pool(namespaces=frozenset({"other"}), enforce_namespaces=True)],
        ),
        (
            Reason.NAMESPACE_NOT_ALLOWED,
            {"requested": ["10.0.0.1"]},
            [pool(namespace_selector=Selector((("team", "red"),)), enforce_namespaces=True)],
        ),
        (Reason.SERVICE_NOT_SELECTED, {"pool": "eip-pool"}, [pool(service_selector=Selector((("app", "web"),)))]),
        (Reason.BAD_ADDRESS, {"fault": Rejection(Reason.BAD_ADDRESS, "no"), "pool": "eip-pool"}, [pool()]),
    ],
)
def test_a_claim_that_cannot_be_served_is_told_why_and_gets_nothing(reason, asked, pools):
    result = run([claim(**asked)], pools)
    assert refusal(result) is reason
    assert not result.assigned
    assert not any(result.used.values())


@pytest.mark.parametrize(
    ("expected", "asked", "pools"),
    [
        ("10.1.0.0", {}, [DEFAULT, MINE]),
        ("10.3.0.0", {}, [DEFAULT, LABELLED]),
        ("10.2.0.0", {}, [DEFAULT, pool(), pool("red", "10.4.0.1", namespaces=frozenset({"other"}))]),
        ("10.1.0.0", {}, [pool("b", "10.4.0.0/30", namespaces=frozenset({"ns"}), priority=7), MINE]),
        ("10.4.0.0", {}, [pool("b", "10.4.0.0/30", namespaces=frozenset({"ns"}), priority=-1), MINE]),
        ("10.2.0.0", {}, [DEFAULT, pool("mine", "10.1.0.0/30", namespaces=frozenset({"ns"}), disabled=True)]),
        ("10.2.0.0", {}, [DEFAULT, pool("mine", "10.1.0.0/30", namespaces=frozenset({"ns"}), auto_assign=False)]),
        ("10.2.0.0", {"protocol": Protocol.VIP}, [DEFAULT, pool("mine", "10.1.0.1", protocol=Protocol.BGP)]),
        ("10.1.0.0", {"pool": "mine"}, [DEFAULT, pool("mine", "10.1.0.0/30", auto_assign=False)]),
        ("10.4.0.1", {"pool": "red"}, [DEFAULT, pool("red", "10.4.0.1", namespaces=frozenset({"other"}))]),
        ("10.1.0.2", {"requested": ["10.1.0.2"]}, [DEFAULT, pool("mine", "10.1.0.0/30", auto_assign=False)]),
        ("10.0.0.1", {"default_class": True}, [pool()]),
        ("10.2.0.0", {"default_class": True}, [pool(), DEFAULT]),
        ("10.0.0.1", {"labels": {"app": "web"}}, [DEFAULT, pool(service_selector=Selector((("app", "web"),)))]),
        ("10.2.0.0", {"labels": {"app": "db"}}, [DEFAULT, pool(service_selector=Selector((("app", "web"),)))]),
    ],
)
def test_the_pool_is_the_named_one_then_the_one_with_the_ip_then_ones_own_then_the_default(expected, asked, pools):
    assert addresses(run([claim(**asked)], pools), "ns/svc") == [expected]


def test_any_pool_of_default_class_is_never_one_bound_to_others():
    bound = pool("red", "10.4.0.1", namespaces=frozenset({"other"}))
    assert refusal(run([claim(default_class=True)], [bound])) is Reason.NO_POOL


def test_a_full_pool_of_ones_own_is_passed_over_for_another_of_ones_own_but_not_for_the_default():
    small = pool("small", "10.5.0.1", namespaces=frozenset({"ns"}), priority=-5)
    claims = [claim(f"ns/s{age}", age=age) for age in range(6)]
    result = run(claims, [small, MINE, DEFAULT])
    got = [addresses(result, one.key) for one in claims]
    assert got == [["10.5.0.1"], ["10.1.0.0"], ["10.1.0.1"], ["10.1.0.2"], ["10.1.0.3"], []]
    assert refusal(result, "ns/s5") is Reason.POOL_EXHAUSTED


def test_the_oldest_claims_are_served_first_and_the_last_finds_the_pool_exhausted():
    claims = [claim(f"ns/{name}", age=age, pool="eip-pool") for name, age in (("a", 3), ("d", 0), ("b", 2), ("c", 1))]
    result = run(claims, [pool()])
    assert [addresses(result, f"ns/{name}") for name in "dcba"] == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], []]
    assert refusal(result, "ns/a") is Reason.POOL_EXHAUSTED


def test_a_younger_holder_keeps_its_address_from_an_older_claim():
    claims = [claim("ns/old", age=0, requested=["10.0.0.1"]), claim("ns/young", age=9, held=["10.0.0.1"])]
    result = run(claims, [pool(is_default=True, used={"10.0.0.1": "ns/young"})])
    assert addresses(result, "ns/young") == ["10.0.0.1"]
    assert refusal(result, "ns/old") is Reason.ADDRESS_IN_USE


def test_an_address_reserved_before_the_controller_died_is_still_its_services():
    claims = [claim("ns/a", age=1, pool="eip-pool"), claim("ns/b", age=0, pool="eip-pool")]
    result = run(claims, [pool(used={"10.0.0.3": "ns/a"})])
    assert (addresses(result, "ns/a"), addresses(result, "ns/b")) == (["10.0.0.3"], ["10.0.0.1"])


def test_an_address_only_the_services_status_shows_is_kept_too():
    result = run([claim(held=["10.0.0.2"], pool="eip-pool")], [pool()])
    assert addresses(result, "ns/svc") == ["10.0.0.2"]


def test_what_eip_status_records_goes_before_what_an_older_services_status_shows():
    claims = [claim("ns/old", held=["10.0.0.2"], pool="eip-pool"), claim("ns/young", age=5, pool="eip-pool")]
    result = run(claims, [pool(used={"10.0.0.2": "ns/young"})])
    assert (addresses(result, "ns/young"), addresses(result, "ns/old")) == (["10.0.0.2"], ["10.0.0.1"])


@pytest.mark.parametrize(
    "change",
    [
        {"disabled": True},
        {"deleting": True},
        {"problems": BROKEN.problems},
        {"auto_assign": False},
        {"enforce_namespaces": True, "namespaces": frozenset({"other"})},
        {"service_selector": Selector((("app", "web"),))},
        {"avoid_buggy_ips": True},
    ],
)
def test_a_holder_keeps_its_address_when_its_pool_would_not_give_it_any_more(change):
    record = {"10.0.0.0": "ns/svc"}
    for held, known in (((), record), (("10.0.0.0",), record), (("10.0.0.0",), {})):
        result = run([claim(held=held)], [pool("eip-pool", "10.0.0.0/30", used=known, **change)])
        assert addresses(result, "ns/svc") == ["10.0.0.0"]
        assert not result.refused


def test_a_holder_whose_request_became_unreadable_keeps_its_address_and_is_told():
    asked = claim(held=["10.0.0.2"], fault=Rejection(Reason.BAD_ADDRESS, "10.0.0.x is no address"))
    result = run([asked], [pool(used={"10.0.0.2": "ns/svc"})])
    assert addresses(result, "ns/svc") == ["10.0.0.2"]
    assert refusal(result) is Reason.BAD_ADDRESS


def test_an_address_whose_pool_is_gone_is_released_and_another_pool_serves():
    result = run([claim(held=["10.0.0.2"])], [DEFAULT])
    assert addresses(result, "ns/svc") == ["10.2.0.0"]


def test_a_service_that_claims_nothing_any_more_owns_nothing():
    result = run([claim("ns/next", pool="eip-pool")], [pool("eip-pool", "10.0.0.1", used={"10.0.0.1": "ns/gone"})])
    assert used(result) == {"10.0.0.1": "ns/next"}


def test_an_address_still_shown_by_a_service_that_is_leaving_is_given_to_nobody_yet():
    shown = {"ns/leaving": (ip_address("10.0.0.1"),)}
    pools = [pool("eip-pool", "10.0.0.1", used={"10.0.0.1": "ns/leaving"})]
    result = run([claim(pool="eip-pool")], pools, leaving=shown)
    assert refusal(result) is Reason.POOL_EXHAUSTED
    assert used(result) == {"10.0.0.1": "ns/leaving"}
    assert refusal(run([claim(requested=["10.0.0.1"])], pools, leaving=shown)) is Reason.ADDRESS_IN_USE


def test_a_fixed_ip_asked_for_later_moves_the_service_and_the_old_one_is_free_once_the_status_is_written():
    pools = [pool(used={"10.0.0.1": "ns/svc"})]
    claims = [claim(held=["10.0.0.1"], requested=["10.0.0.3"])]
    first = run(claims, pools)
    assert addresses(first, "ns/svc") == ["10.0.0.3"]
    assert used(first) == {"10.0.0.1": "ns/svc", "10.0.0.3": "ns/svc"}
    second = run(with_status(claims, first), with_used(pools, first))
    assert used(second) == {"10.0.0.3": "ns/svc"}


def test_a_fixed_ip_that_is_refused_leaves_the_service_where_it_is_and_says_why():
    claims = [claim("ns/svc", held=["10.0.0.1"], requested=["10.0.0.2"]), claim("ns/b", age=1, held=["10.0.0.2"])]
    result = run(claims, [pool(is_default=True, used={"10.0.0.1": "ns/svc", "10.0.0.2": "ns/b"})])
    assert addresses(result, "ns/svc") == ["10.0.0.1"]
    assert refusal(result) is Reason.ADDRESS_IN_USE


def test_a_new_pool_annotation_moves_the_service_between_pools():
    pools = [pool(used={"10.0.0.1": "ns/svc"}), DEFAULT]
    result = run([claim(held=["10.0.0.1"], pool="default")], pools)
    assert addresses(result, "ns/svc") == ["10.2.0.0"]
    stays = run([claim(held=["10.0.0.1"], pool="off")], [*pools, pool("off", "10.7.0.1", disabled=True)])
    assert (addresses(stays, "ns/svc"), refusal(stays)) == (["10.0.0.1"], Reason.POOL_DISABLED)


def test_a_new_protocol_annotation_moves_the_service_to_a_pool_of_that_protocol():
    pools = [pool(used={"10.0.0.1": "ns/svc"}), pool("routed", "10.8.0.1", protocol=Protocol.BGP, is_default=True)]
    result = run([claim(held=["10.0.0.1"], protocol=Protocol.BGP)], pools)
    assert addresses(result, "ns/svc") == ["10.8.0.1"]


def test_a_crash_between_reserving_the_new_address_and_telling_the_service_loses_neither():
    pools = [pool(used={"10.0.0.1": "ns/svc", "10.0.0.3": "ns/svc"})]
    moving = claim(held=["10.0.0.1"], requested=["10.0.0.3"])
    assert addresses(run([moving], pools), "ns/svc") == ["10.0.0.3"]
    changed_its_mind = claim(held=["10.0.0.1"])
    result = run([changed_its_mind], pools)
    assert (addresses(result, "ns/svc"), used(result)) == (["10.0.0.1"], {"10.0.0.1": "ns/svc"})


SHARED = ["10.0.0.2"]


@pytest.mark.parametrize(
    ("reason", "first", "second"),
    [
        (None, {"requested": SHARED}, {"requested": SHARED, "ports": [443]}),
        (None, {"sharing_key": "k", "pool": "eip-pool"}, {"sharing_key": "k", "pool": "eip-pool", "ports": [443]}),
        (None, {"sharing_key": "k", "requested": SHARED}, {"sharing_key": "k", "requested": SHARED, "ports": [443]}),
        (Reason.PORT_COLLISION, {"requested": SHARED}, {"requested": SHARED, "ports": [443, 80]}),
        (Reason.PORT_COLLISION, {"sharing_key": "k", "requested": SHARED}, {"sharing_key": "k", "requested": SHARED}),
        (Reason.SHARING_KEY, {"sharing_key": "k", "requested": SHARED}, {"requested": SHARED, "ports": [443]}),
        (Reason.SHARING_KEY, {"requested": SHARED}, {"sharing_key": "k", "requested": SHARED, "ports": [443]}),
        (
            Reason.SHARING_KEY,
            {"sharing_key": "k", "requested": SHARED},
            {"sharing_key": "other", "requested": SHARED, "ports": [443]},
        ),
        (Reason.ADDRESS_IN_USE, {"pool": "eip-pool"}, {"requested": ["10.0.0.1"], "ports": [443]}),
        (
            None,
            {"requested": SHARED, "local_traffic": True, "selector": (("a", "b"),)},
            {"requested": SHARED, "ports": [443], "local_traffic": True, "selector": (("a", "b"),)},
        ),
        (
            Reason.SHARING_POLICY,
            {"requested": SHARED, "local_traffic": True, "selector": (("a", "b"),)},
            {"requested": SHARED, "ports": [443], "local_traffic": True, "selector": (("a", "c"),)},
        ),
        (
            Reason.SHARING_POLICY,
            {"requested": SHARED, "local_traffic": True, "selector": (("a", "b"),)},
            {"requested": SHARED, "ports": [443], "selector": (("a", "b"),)},
        ),
    ],
)
def test_an_address_is_shared_by_key_or_by_both_naming_it_and_never_on_one_port(reason, first, second):
    result = run([claim("ns/a", **first), claim("ns/b", age=1, **second)], [pool()])
    assert refusal(result, "ns/b") is reason
    if reason is None:
        assert addresses(result, "ns/a") == addresses(result, "ns/b")
        assert list(used(result).values()) == ["ns/a;ns/b"]
    else:
        assert addresses(result, "ns/b") == []


def test_the_same_port_number_of_another_protocol_is_no_collision():
    udp = claim("ns/b", age=1, requested=SHARED, ports=())
    result = run([claim("ns/a", requested=SHARED), udp], [pool()])
    assert addresses(result, "ns/b") == SHARED


def test_a_key_whose_ports_are_taken_gets_an_address_of_its_own_and_later_ones_join_either():
    keyed = {"sharing_key": "k", "pool": "eip-pool"}
    claims = [claim("ns/a", age=0, **keyed), claim("ns/b", age=1, **keyed), claim("ns/c", age=2, ports=[443], **keyed)]
    result = run(claims, [pool()])
    assert [addresses(result, one.key) for one in claims] == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.1"]]


def test_a_key_finds_its_sharers_only_in_the_pool_the_service_names():
    keyed = {"sharing_key": "k"}
    claims = [claim("ns/a", pool="eip-pool", **keyed), claim("ns/b", age=1, ports=[443], pool="default", **keyed)]
    assert addresses(run(claims, [pool(), DEFAULT]), "ns/b") == ["10.2.0.0"]


def test_an_address_a_leaving_service_shared_stays_taken_when_the_other_sharer_moves_on():
    pools = [pool("eip-pool", "10.0.0.1-10.0.0.2", used={"10.0.0.1": "ns/a;ns/leaving"})]
    claims = [claim("ns/a", requested=["10.0.0.2"]), claim("ns/b", age=1, pool="eip-pool")]
    result = run(claims, pools, leaving={"ns/leaving": (ip_address("10.0.0.1"),)})
    assert addresses(result, "ns/a") == ["10.0.0.2"]
    assert refusal(result, "ns/b") is Reason.POOL_EXHAUSTED


def test_sharing_that_openelb_recorded_is_kept_even_when_only_the_second_named_the_address():
    claims = [
        claim("ns/a", held=["10.0.0.1"], pool="eip-pool"),
        claim("ns/b", age=1, ports=[443], held=["10.0.0.1"], requested=["10.0.0.1"]),
    ]
    result = run(claims, [pool(used={"10.0.0.1": "ns/a;ns/b"})])
    assert addresses(result, "ns/a") == addresses(result, "ns/b") == ["10.0.0.1"]


def test_sharing_that_became_unlawful_ends_for_the_younger():
    claims = [
        claim("ns/b", age=1, held=["10.0.0.1"], pool="eip-pool"),
        claim("ns/a", age=0, held=["10.0.0.1"], pool="eip-pool"),
    ]
    result = run(claims, [pool(used={"10.0.0.1": "ns/b;ns/a"})])
    assert (addresses(result, "ns/a"), addresses(result, "ns/b")) == (["10.0.0.1"], ["10.0.0.2"])


DUAL = pool("eip-pool", "10.0.0.1-10.0.0.3", "2001:db8::10-2001:db8::1f")


@pytest.mark.parametrize(
    ("expected", "reason", "asked", "pools"),
    [
        (["10.0.0.1", "2001:db8::10"], None, {"families": (V4, V6)}, [DUAL]),
        (["2001:db8::10", "10.0.0.1"], None, {"families": (V6, V4)}, [DUAL]),
        (["2001:db8::10"], None, {"families": (V6,)}, [DUAL]),
        ([], Reason.WRONG_FAMILY, {"families": (V4, V6)}, [pool()]),
        (["10.0.0.1"], Reason.WRONG_FAMILY, {"families": (V4, V6), "optional_second": True}, [pool()]),
        (
            ["10.0.0.3", "2001:db8::1f"],
            None,
            {"families": (V4, V6), "requested": ["2001:db8::1f", "10.0.0.3"]},
            [DUAL],
        ),
        (["10.0.0.3", "2001:db8::10"], None, {"families": (V4, V6), "requested": ["10.0.0.3"]}, [DUAL]),
        ([], Reason.ADDRESS_OUTSIDE, {"families": (V4, V6), "requested": ["2001:db9::1"]}, [DUAL]),
    ],
)
def test_dual_stack_is_all_or_nothing_unless_the_second_is_optional(expected, reason, asked, pools):
    result = run([claim(pool="eip-pool", **asked)], pools)
    assert addresses(result, "ns/svc") == expected
    assert refusal(result) is reason
    assert len(used(result)) == len(expected)


def test_dual_stack_takes_each_family_from_its_own_pool_when_openelb_style_pools_have_one_each():
    pools = [MINE, pool("mine6", "2001:db8::/64", namespaces=frozenset({"ns"}))]
    result = run([claim(families=(V4, V6))], pools)
    assert addresses(result, "ns/svc") == ["10.1.0.0", "2001:db8::"]


def test_a_service_that_becomes_dual_stack_keeps_the_address_it_has_even_when_the_second_is_refused():
    result = run([claim(families=(V4, V6), held=["10.0.0.2"], pool="eip-pool")], [pool(used={"10.0.0.2": "ns/svc"})])
    assert (addresses(result, "ns/svc"), refusal(result)) == (["10.0.0.2"], Reason.WRONG_FAMILY)


def test_a_service_that_becomes_single_stack_gives_the_second_address_back():
    pools = [pool("eip-pool", "10.0.0.1", "2001:db8::10", used={"10.0.0.1": "ns/svc", "2001:db8::10": "ns/svc"})]
    claims = [claim(held=["10.0.0.1", "2001:db8::10"], pool="eip-pool")]
    first = run(claims, pools)
    assert addresses(first, "ns/svc") == ["10.0.0.1"]
    second = run(with_status(claims, first), with_used(pools, first))
    assert used(second) == {"10.0.0.1": "ns/svc"}


def test_an_address_in_two_overlapping_pools_has_one_owner_and_stays_with_the_pool_that_recorded_it():
    sound = pool("sound", "10.0.0.0/24")
    late = pool("late", "10.0.0.0/30", age=5, problems=BROKEN.problems, used={"10.0.0.1": "ns/a"})
    result = run([claim("ns/a", held=["10.0.0.1"]), claim("ns/b", age=1, requested=["10.0.0.1"])], [late, sound])
    assert result.used["late"] == {ip_address("10.0.0.1"): ("ns/a",)}
    assert refusal(result, "ns/b") is Reason.ADDRESS_IN_USE


def test_an_address_that_two_overlapping_pools_have_recorded_belongs_to_the_sound_one():
    sound = pool("sound", "10.0.0.0/24", used={"10.0.0.1": "ns/a"})
    late = pool("late", "10.0.0.0/30", age=5, problems=BROKEN.problems, used={"10.0.0.1": "ns/a"})
    for order in ([sound, late], [late, sound]):
        assert run([claim("ns/a", held=["10.0.0.1"])], order).assigned["ns/a"].addresses[0][1] == "sound"
