from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.cluster import pool
from vipmgr.core.addresses import parse_range
from vipmgr.core.model import Problem, Protocol, Reason
from vipmgr.core.pools import judge, judged, review_create, review_delete, review_update

OLD = pool("old", "10.0.0.0/24", "2001:db8::/64", age=0)
BROKEN = Problem("Eip/broken", Reason.BAD_VALUE, "spec.vrrp.members: 0 is not 1 to 64")


def reasons(problems):
    return {name: [problem.reason for problem in found] for name, found in problems.items() if found}


@pytest.mark.parametrize("text", ["10.0.0.255-10.0.1.9", "10.0.0.7", "10.0.0.0/8", "2001:db8::5", "2001:db8::/32"])
def test_the_younger_of_two_overlapping_pools_is_refused_whatever_order_they_come_in(text):
    young = pool("a-young", text, age=5)
    for order in ([OLD, young], [young, OLD]):
        problems = judge(order)
        assert reasons(problems) == {"a-young": [Reason.OVERLAP]}
        assert problems["a-young"][0].about == "Eip/a-young"
        assert "old" in problems["a-young"][0].message


def test_of_two_pools_of_one_second_the_name_decides():
    assert reasons(judge([pool("b", "10.1.0.1"), pool("a", "10.1.0.1")])) == {"b": [Reason.OVERLAP]}


@pytest.mark.parametrize("text", ["10.0.1.0/24", "9.255.255.255", "::10.0.0.1", "2001:db8:0:1::/64"])
def test_neighbouring_ranges_do_not_overlap(text):
    assert reasons(judge([OLD, pool("young", text, age=5)])) == {}


def test_an_older_pool_is_in_the_way_even_when_something_else_is_wrong_with_it():
    broken = replace(pool("broken", "10.3.0.0/24"), problems=(BROKEN,))
    problems = judge([broken, pool("young", "10.3.0.9", age=5)])
    assert reasons(problems) == {"broken": [Reason.BAD_VALUE], "young": [Reason.OVERLAP]}


def test_a_second_default_pool_is_refused():
    pools = [pool("one", "10.1.0.1", is_default=True, age=3), pool("two", "10.2.0.1", is_default=True, age=1)]
    assert reasons(judge(pools)) == {"one": [Reason.SECOND_DEFAULT]}


def test_judged_pools_carry_the_problems_and_the_others_are_untouched():
    young = pool("young", "10.0.0.9", age=5)
    pools = judged([OLD, young])
    assert pools["old"] is OLD
    assert [problem.reason for problem in pools["young"].problems] == [Reason.OVERLAP]


SPANS = st.tuples(st.integers(0, 30), st.integers(0, 6)).map(lambda at: f"10.0.0.{at[0]}-10.0.0.{at[0] + at[1]}")


@settings(deadline=None)
@given(st.lists(SPANS, max_size=8))
def test_the_sweep_finds_exactly_the_pairs_that_comparing_all_finds(spans):
    pools = [pool(f"p{age}", text, age=age) for age, text in enumerate(spans)]
    expected = {
        younger.name: [older.name for older in pools[:at] if older.ranges[0].overlaps(younger.ranges[0])]
        for at, younger in enumerate(pools)
    }
    found = {
        name: sorted(problem.message.rpartition(" ")[2] for problem in problems)
        for name, problems in judge(pools).items()
    }
    assert found == {name: sorted(names) for name, names in expected.items()}


@settings(deadline=None)
@given(st.lists(SPANS, max_size=6))
def test_the_controller_refuses_whatever_admission_would_have_refused(spans):
    """As they were created, one by one: a pool is sound for the controller iff admission would have let it in."""
    pools = [pool(f"p{age}", text, age=age) for age, text in enumerate(spans)]
    problems = judge(pools)
    for at, one in enumerate(pools):
        assert (review_create(one, pools[:at]) is None) == (not problems[one.name])


def test_admission_names_the_first_problem_of_a_new_pool():
    assert review_create(pool("new", "10.9.0.1"), [OLD]) is None
    assert review_create(pool("new", "10.0.0.1"), [OLD]).reason is Reason.OVERLAP
    assert review_create(replace(pool("new", "10.9.0.1"), problems=(BROKEN,)), [OLD]) == BROKEN
    default = pool("new", "10.9.0.1", is_default=True)
    assert review_create(default, [replace(OLD, is_default=True)]).reason is Reason.SECOND_DEFAULT


def test_a_pool_is_not_in_its_own_way_when_it_is_created_again():
    assert review_create(OLD, [OLD]) is None


def test_the_address_of_a_pool_cannot_be_changed_but_ranges_may_be_added():
    smaller = replace(OLD, ranges=OLD.ranges[:1])
    assert review_update(OLD, smaller, [OLD]).reason is Reason.IMMUTABLE
    other = replace(OLD, ranges=(parse_range("10.5.0.0/24"), OLD.ranges[1]))
    assert "spec.address" in review_update(OLD, other, [OLD]).message
    larger = replace(OLD, ranges=(*OLD.ranges, parse_range("10.5.0.0/24")))
    assert review_update(OLD, larger, [OLD]) is None
    taken = review_update(OLD, larger, [OLD, pool("young", "10.5.0.9", age=9)])
    assert taken.reason is Reason.OVERLAP


def test_an_address_that_could_not_be_read_may_be_put_right():
    unread = replace(OLD, ranges=(), problems=(Problem("Eip/old", Reason.BAD_ADDRESS, "spec.address: is empty"),))
    assert review_update(unread, OLD, [unread]) is None


def test_an_edit_is_refused_for_what_it_makes_worse_and_not_for_what_was_wrong_before():
    young = pool("young", "10.0.0.9", age=5)
    assert review_update(young, replace(young, disabled=True), [OLD, young]) is None
    assert review_update(young, replace(young, problems=(BROKEN,)), [OLD, young]) == BROKEN
    second = review_update(young, replace(young, is_default=True), [replace(OLD, is_default=True), young])
    assert second.reason is Reason.SECOND_DEFAULT
    assert review_update(young, replace(young, protocol=Protocol.BGP), [OLD, young]) is None


def test_a_pool_in_use_cannot_be_deleted_and_an_unused_one_can():
    assert review_delete(OLD) is None
    used = replace(OLD, used={ip_address("10.0.0.9"): ("a/b",), ip_address("10.0.0.7"): ("a/c",)})
    refused = review_delete(used)
    assert (refused.about, refused.reason) == ("Eip/old", Reason.POOL_IN_USE)
    assert "10.0.0.7 and 1 more" in refused.message
    assert "a/c" in refused.message
