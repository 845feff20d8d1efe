from __future__ import annotations

from ipaddress import ip_address

import pytest

from vipmgr.core.addresses import (
    FreeAddresses,
    RangeIndex,
    address_of,
    buggy_in,
    is_buggy,
    number,
    parse_address,
    parse_range,
)


@pytest.mark.parametrize(
    ("text", "first", "last", "size"),
    [
        ("196.168.220.10-196.168.220.30", "196.168.220.10", "196.168.220.30", 21),
        ("192.168.0.0/24", "192.168.0.0", "192.168.0.255", 256),
        ("192.168.0.77/24", "192.168.0.0", "192.168.0.255", 256),
        ("10.0.0.5", "10.0.0.5", "10.0.0.5", 1),
        ("10.0.0.5/32", "10.0.0.5", "10.0.0.5", 1),
        ("10.0.0.4/31", "10.0.0.4", "10.0.0.5", 2),
        ("10.0.0.1 - 10.0.0.3", "10.0.0.1", "10.0.0.3", 3),
        ("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", 1 << 64),
        ("2001:DB8::10-2001:db8::1f", "2001:db8::10", "2001:db8::1f", 16),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1", 1),
    ],
)
def test_a_range_is_read_as_openelb_reads_it(text, first, last, size):
    span = parse_range(text)
    assert (str(span.first), str(span.last), span.size) == (first, last, size)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "eip",
        "10.0.0.256",
        "10.0.0.9-10.0.0.1",
        "10.0.0.1-2001:db8::1",
        "10.0.0.0/33",
        "10.0.0.0/255.255.255.0",
        "10.0.0.1-",
        "10.0.0.1-10.0.0.2-10.0.0.3",
        "010.0.0.1",
        "fe80::1%eth0",
        "10.0.0.1,10.0.0.2",
    ],
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_range(text)


def test_numbers_of_the_two_families_never_meet():
    v4, v6 = parse_address("0.0.0.1"), parse_address("::1")
    assert number(v4) != number(v6)
    assert [address_of(number(v4)), address_of(number(v6))] == [v4, v6]


def test_buggy_addresses_end_in_0_or_255_and_are_ipv4():
    assert is_buggy(number(ip_address("10.0.0.0")))
    assert is_buggy(number(ip_address("10.0.0.255")))
    assert not is_buggy(number(ip_address("10.0.0.1")))
    assert not is_buggy(number(ip_address("2001:db8::ff")))


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/24",
        "10.0.0.0/22",
        "10.0.0.255",
        "10.0.0.0",
        "10.0.0.1-10.0.0.254",
        "10.0.0.200-10.0.2.3",
        "0.0.0.0/23",
    ],
)
def test_buggy_addresses_are_counted_without_walking_the_range(text):
    span = parse_range(text)
    walked = sum(is_buggy(value) for value in range(number(span.first), number(span.last) + 1))
    assert buggy_in(span) == walked


def test_free_addresses_come_lowest_first_over_several_ranges():
    taken: set[int] = {number(ip_address("10.0.0.1"))}
    free = FreeAddresses([parse_range("10.0.1.0/31"), parse_range("10.0.0.0-10.0.0.2")], taken)
    got = []
    while (value := free.peek()) is not None:
        got.append(str(address_of(value)))
        taken.add(value)
    assert got == ["10.0.0.0", "10.0.0.2", "10.0.1.0", "10.0.1.1"]


def test_peek_takes_nothing():
    free = FreeAddresses([parse_range("10.0.0.8/30")], set())
    assert free.peek() == free.peek() == number(ip_address("10.0.0.8"))


def test_avoiding_buggy_addresses_skips_0_and_255():
    taken: set[int] = set()
    free = FreeAddresses([parse_range("10.0.0.254-10.0.1.1")], taken, avoid_buggy=True)
    got = []
    while (value := free.peek()) is not None:
        got.append(str(address_of(value)))
        taken.add(value)
    assert got == ["10.0.0.254", "10.0.1.1"]


class CountingSet(set[int]):
    """A set that counts how often it is asked: the cost of a search, without a clock."""

    asked = 0

    def __contains__(self, value: object) -> bool:
        self.asked += 1
        return super().__contains__(value)


@pytest.mark.parametrize("text", ["10.0.0.0/16", "2001:db8::/64"])
def test_serving_n_addresses_looks_at_about_n_candidates_however_large_the_range(text):
    taken = CountingSet(number(parse_range(text).first) + offset for offset in range(5000))
    free = FreeAddresses([parse_range(text)], taken)
    for _ in range(1000):
        value = free.peek()
        assert value is not None
        taken.add(value)
    assert taken.asked < 7100


def test_the_index_finds_the_owner_of_a_number_and_nothing_between_ranges():
    index = RangeIndex(
        [(parse_range("10.0.0.0/30"), "a"), (parse_range("2001:db8::/64"), "c"), (parse_range("10.0.0.8"), "b")]
    )
    asked = ["10.0.0.0", "10.0.0.3", "10.0.0.4", "10.0.0.8", "9.255.255.255", "2001:db8::77", "2001:db9::"]
    assert [index.find(number(ip_address(text))) for text in asked] == ["a", "a", None, "b", None, "c", None]
