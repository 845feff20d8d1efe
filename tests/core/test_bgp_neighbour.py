"""The router at the other end of an interface, by the kernel's neighbour table."""

from __future__ import annotations

from ipaddress import IPv6Address

from vipmgr.core.bgp_neighbour import Choice, Seen, choose

REACHABLE, STALE, FAILED, INCOMPLETE = 0x02, 0x04, 0x20, 0x01
ROUTER = 0x80


def seen(address, state=REACHABLE, flags=0):
    return Seen(IPv6Address(address), state, flags)


def found(*table, kept=""):
    return choose("eth0", table, kept)


def test_the_one_link_local_neighbour_is_the_router():
    assert found(seen("fe80::1"), seen("2001:db8::1"), seen("ff02::1", 0x40)) == Choice("fe80::1%eth0")


def test_among_several_it_is_the_one_that_advertises_itself_as_a_router():
    assert found(seen("fe80::1"), seen("fe80::2", STALE, ROUTER)) == Choice("fe80::2%eth0")


def test_one_that_does_not_answer_is_not_there():
    [none] = {found(), found(seen("fe80::1", FAILED)), found(seen("fe80::1", INCOMPLETE, ROUTER))}
    assert none.address == ""
    assert "no router is seen on eth0" in none.problem


def test_two_routers_are_not_guessed_about():
    choice = found(seen("fe80::1", flags=ROUTER), seen("fe80::2", flags=ROUTER))
    assert choice.address == ""
    assert "(fe80::1, fe80::2)" in choice.problem


def test_the_router_stays_until_it_is_gone_and_another_is_there():
    new = seen("fe80::2", flags=ROUTER)
    assert found(seen("fe80::1", STALE), new, kept="fe80::1%eth0") == Choice("fe80::1%eth0")
    assert found(seen("fe80::1", FAILED), kept="fe80::1%eth0") == Choice("fe80::1%eth0")
    assert found(seen("fe80::1", FAILED), new, kept="fe80::1%eth0") == Choice("fe80::2%eth0")
