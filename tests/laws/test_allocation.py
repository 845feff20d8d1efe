"""The laws of allocation, over clusters nobody would think of writing down."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from ipaddress import ip_address
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.cluster import V4, V6, claim, pool, with_status, with_used
from vipmgr.core.allocate import allocate
from vipmgr.core.model import Problem, Reason, Selector

law = settings(max_examples=50, deadline=None)
NAMESPACES = {"a": {"team": "blue"}, "b": {}}
V4_ADDRESSES = [f"10.0.{third}.{last}" for third in (0, 1) for last in range(5)]
V6_ADDRESSES = ["2001:db8::1", "2001:db8::2"]
ANY_ADDRESS = st.sampled_from([*V4_ADDRESSES, *V6_ADDRESSES, "10.9.9.9"])
POOL_NAMES = ("one", "two", "three")
RANGES = {
    "one": ("10.0.0.0/30",),
    "two": ("10.0.1.1-10.0.1.3", "2001:db8::1-2001:db8::2"),
    "three": ("10.0.0.4", "10.0.1.0"),
}
KEYS = [f"{namespace}/s{number}" for namespace in ("a", "b") for number in range(4)]


@st.composite
def claims_(draw, key):
    families = draw(st.sampled_from([(V4,), (V4,), (V6,), (V4, V6), (V6, V4)]))
    requested = draw(st.lists(ANY_ADDRESS, max_size=2, unique_by=lambda text: ":" in text))
    return claim(
        key,
        age=draw(st.integers(0, 3)),
        ports=draw(st.sets(st.sampled_from([80, 443, 53]), min_size=1)),
        pool=draw(st.sampled_from([None, None, *POOL_NAMES, "nowhere"])),
        requested=draw(st.sampled_from([[], [], requested])),
        families=families,
        optional_second=draw(st.booleans()),
        sharing_key=draw(st.sampled_from([None, None, "k", "l"])),
        default_class=draw(st.booleans()),
        local_traffic=draw(st.booleans()),
        selector=draw(st.sampled_from([(), (("app", "x"),)])),
        held=draw(st.lists(ANY_ADDRESS, max_size=2, unique=True)) if draw(st.booleans()) else (),
    )


@st.composite
def pools_(draw, name):
    owners = st.lists(st.sampled_from([*KEYS, "gone/gone"]), min_size=1, max_size=2, unique=True).map(";".join)
    return pool(
        name,
        *RANGES[name],
        disabled=draw(st.booleans()) and draw(st.booleans()),
        deleting=draw(st.booleans()) and draw(st.booleans()),
        priority=draw(st.integers(0, 1)),
        is_default=name == "three",
        auto_assign=draw(st.booleans()),
        avoid_buggy_ips=draw(st.booleans()),
        enforce_namespaces=draw(st.booleans()),
        namespaces=draw(st.sampled_from([frozenset(), frozenset({"a"})])),
        namespace_selector=draw(st.sampled_from([None, Selector((("team", "blue"),))])),
        problems=draw(st.sampled_from([(), (), (Problem("Eip", Reason.OVERLAP, "overlaps"),)])),
        used=draw(st.dictionaries(ANY_ADDRESS, owners, max_size=4)),
    )


@st.composite
def clusters(draw):
    """Any state a cluster might be found in, also ones no controller would have written."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    names = draw(st.lists(st.sampled_from(POOL_NAMES), unique=True, min_size=1))
    return [draw(claims_(key)) for key in keys], [draw(pools_(name)) for name in names]


def run(claims, pools):
    return allocate(claims, pools, NAMESPACES)


def settled(claims, pools):
    """The cluster after a controller worked on it until nothing changed."""
    for _ in range(4):
        result = run(claims, pools)
        claims, pools = with_status(claims, result), with_used(pools, result)
    return claims, pools


@law
@given(clusters())
def test_no_address_has_two_owners_unless_they_share_it_lawfully(cluster):
    claims, pools = cluster
    by_key = {one.key: one for one in claims}
    owners = defaultdict(list)
    for name, addresses in run(claims, pools).used.items():
        for address, keys in addresses.items():
            owners[address] += [(name, key) for key in keys]
    for sharers in owners.values():
        assert len({name for name, _ in sharers}) == 1
        for (_, one), (_, other) in combinations(sharers, 2):
            a, b = by_key[one], by_key[other]
            assert a.sharing_key == b.sharing_key
            assert not a.ports & b.ports
            assert a.local_traffic == b.local_traffic
            assert not a.local_traffic or a.selector == b.selector


@law
@given(clusters())
def test_what_is_assigned_is_recorded_in_the_pool_it_is_from_and_lies_in_it(cluster):
    claims, pools = cluster
    result = run(claims, pools)
    by_name = {one.name: one for one in pools}
    for key, assignment in result.assigned.items():
        for address, name in assignment.addresses:
            assert key in result.used[name][address]
            assert address in by_name[name]


@law
@given(clusters())
def test_everybody_is_served_or_told_why_and_families_never_exceed_what_was_asked(cluster):
    claims, pools = cluster
    result = run(claims, pools)
    for one in claims:
        got = [V6 if address.version == 6 else V4 for address, _ in result.assigned.get(one.key, ((),))[0]]
        assert got == [family for family in one.families if family in got]
        assert got == list(one.families) or one.key in result.refused


@law
@given(clusters())
def test_the_sole_holder_of_an_address_keeps_an_address(cluster):
    """Sole: no other status shows it and no pool records it for another. It asks for none in particular."""
    claims, pools = cluster
    holders = defaultdict(set)
    for one in claims:
        for address in one.held:
            holders[address].add(one.key)
    for one in pools:
        for address, keys in one.used.items():
            if address in one:
                holders[address] |= set(keys) & {other.key for other in claims}
    result = run(claims, pools)
    for one in claims:
        if (one.pool, one.requested, one.protocol) != (None, (), None):
            continue
        for version in {4 if family is V4 else 6 for family in one.families}:
            mine = {
                address
                for address, keys in holders.items()
                if keys == {one.key} and address.version == version and any(address in other for other in pools)
            }
            got = {address for address, _ in result.assigned[one.key].addresses} if mine else set()
            assert not mine or any(one.key in holders[address] for address in got if address.version == version)


@law
@given(clusters(), st.randoms(use_true_random=False))
def test_the_order_of_the_inputs_changes_nothing(cluster, rng):
    claims, pools = cluster
    first = run(claims, pools)
    shuffled = list(claims), list(pools)
    for part in shuffled:
        rng.shuffle(part)
    again = run(*shuffled)
    assert (again.assigned, again.refused, again.used) == (first.assigned, first.refused, first.used)


@law
@given(clusters())
def test_a_settled_cluster_stays_as_it_is(cluster):
    claims, pools = settled(*cluster)
    result = run(claims, pools)
    assert result.used == {one.name: one.used for one in pools}
    for one in claims:
        got = result.assigned.get(one.key, ((),))[0]
        assert tuple(address for address, _ in got) == one.held


@law
@given(clusters(), st.data())
def test_a_controller_killed_between_any_two_writes_takes_no_address_from_anybody(cluster, data):
    """Eip.status of some pools is written, then of all, then Service.status of some: whoever had an address has it."""
    claims, pools = settled(*cluster)
    newcomer = data.draw(claims_("a/new"))
    asked = [*claims, replace(newcomer, held=())]
    result = run(asked, pools)
    pools_written = data.draw(st.sets(st.sampled_from([one.name for one in pools])))
    all_pools = pools_written == {one.name for one in pools}
    told = {one.key: all_pools and data.draw(st.booleans()) for one in asked}
    found = [with_used([one], result)[0] if one.name in pools_written else one for one in pools]
    again = run(with_status(asked, result, told), found)
    for one in claims:
        assert again.assigned.get(one.key) == result.assigned.get(one.key)
    if all_pools:
        assert again.assigned.get("a/new") == result.assigned.get("a/new")


@law
@given(clusters(), st.data())
def test_an_address_is_released_exactly_when_its_service_stops_claiming_it(cluster, data):
    claims, pools = settled(*cluster)
    before = run(claims, pools)
    gone = data.draw(st.sets(st.sampled_from(KEYS)))
    after = run([one for one in claims if one.key not in gone], pools)
    owners = {key for addresses in after.used.values() for keys in addresses.values() for key in keys}
    assert not owners & gone
    for one in claims:
        if one.key in gone or one.key not in before.assigned:
            continue
        if one.key not in before.refused:
            assert after.assigned[one.key] == before.assigned[one.key]


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_random_events_never_move_a_service_that_asked_for_nothing(seed):
    """Services come and go, the controller restarts and forgets what it wrote in Service.status or in Eip.status."""
    rng = random.Random(seed)
    pools, living = [pool("one", "10.0.0.0/26", is_default=True)], {}
    addresses = {}
    for step in range(200):
        if living and rng.random() < 0.4:
            key = rng.choice(sorted(living))
            del living[key]
            addresses.pop(key, None)
        else:
            living[f"a/s{step}"] = claim(f"a/s{step}", age=step)
        result = run(living.values(), pools)
        for key, address in addresses.items():
            assert result.assigned[key].addresses == address
        addresses = {key: got.addresses for key, got in result.assigned.items()}
        forget_status = rng.random() < 0.3
        forget_used = not forget_status and rng.random() < 0.3
        if not forget_status:
            living = {one.key: one for one in with_status(living.values(), result)}
        if not forget_used:
            pools = with_used(pools, result)


@law
@given(st.integers(1, 40), st.integers(0, 60))
def test_a_pool_serves_exactly_as_many_as_it_has_addresses(size, count):
    pools = [pool("one", f"10.0.0.1-10.0.0.{size}", is_default=True)]
    result = run([claim(f"a/s{number}") for number in range(count)], pools)
    assert len(result.assigned) == min(size, count)
    assert len({address for got in result.assigned.values() for address, _ in got.addresses}) == min(size, count)
    assert all(ip_address("10.0.0.1") <= address for address in result.used["one"])
