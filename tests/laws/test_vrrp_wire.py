"""Adverts as bytes, and the kernel program that chooses among them, run by a small interpreter of classic BPF."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from vipmgr.core.model import Family
from vipmgr.core.stranger_filter import LONGEST, WHOLE, Instruction, Voice, assemble
from vipmgr.core.strangers import FORGET, MUTE, Strangers
from vipmgr.core.vrrp_packet import Advert, parse_packet

VRIDS = st.integers(1, 255)
V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)


def advert(version: int, vrid: int, priority: int, addresses: list[bytes], interval: int = 10) -> bytes:
    timing = struct.pack("!H", interval) if version == 3 else struct.pack("!BB", 0, interval)
    return (
        struct.pack("!BBBB", version << 4 | 1, vrid, priority, len(addresses)) + timing + b"\0\0" + b"".join(addresses)
    )


def ipv4(payload: bytes, source: IPv4Address, *, protocol: int = 112, options: int = 0, fragment: int = 0) -> bytes:
    words = 5 + options
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(payload), 0, fragment, 255, protocol, 0)
    return head + source.packed + IPv4Address("224.0.0.18").packed + bytes(options * 4) + payload


def ipv6(payload: bytes, source: IPv6Address, *, protocol: int = 112) -> bytes:
    head = struct.pack("!IHBB", 0x60000000, len(payload), protocol, 255)
    return head + source.packed + IPv6Address("ff02::12").packed + payload


def run(program: tuple[Instruction, ...], packet: bytes) -> int:  # noqa: C901, PLR0912 - a machine
    """linux/Documentation/networking/filter.rst: what the kernel would do. A load behind the end drops the packet."""
    a = x = pc = 0
    while True:
        code, yes, no, value = program[pc]
        pc += 1
        match code:
            case 0x80:
                a = len(packet)
            case 0x30 | 0x28 | 0x50 | 0x40:
                width = {0x30: 1, 0x28: 2, 0x50: 1, 0x40: 4}[code]
                at = value + (x if code in (0x50, 0x40) else 0)
                if at + width > len(packet):
                    return 0
                a = int.from_bytes(packet[at : at + width], "big")
            case 0xB1:
                if value >= len(packet):
                    return 0
                x = (packet[value] & 15) * 4
            case 0x01:
                x = value
            case 0x1C:
                a = (a - x) & 0xFFFFFFFF
            case 0x15:
                pc += yes if a == value else no
            case 0x35:
                pc += yes if a >= value else no
            case 0x45:
                pc += yes if a & value else no
            case 0x06:
                return value
            case other:
                raise AssertionError(f"unknown instruction {other:#x}")


@given(VRIDS, st.integers(0, 255), st.lists(V4, max_size=20), st.integers(1, 4095), V4, st.integers(0, 10))
def test_a_version_3_advert_is_read_as_it_was_sent(vrid, priority, addresses, interval, source, options):
    packet = ipv4(advert(3, vrid, priority, [one.packed for one in addresses], interval), source, options=options)
    assert parse_packet(packet) == Advert(3, Family.IPV4, source, vrid, priority, interval * 10, tuple(addresses))


@given(VRIDS, st.integers(0, 255), st.lists(V6, max_size=20), V6)
def test_an_ipv6_advert_is_read_as_it_was_sent(vrid, priority, addresses, source):
    packet = ipv6(advert(3, vrid, priority, [one.packed for one in addresses]), source)
    assert parse_packet(packet) == Advert(3, Family.IPV6, source, vrid, priority, 100, tuple(addresses))


@given(VRIDS, V4, st.integers(1, 255))
def test_a_version_2_advert_counts_seconds(vrid, source, seconds):
    found = parse_packet(ipv4(advert(2, vrid, 100, [b"\x0a\0\0\1"], seconds) + bytes(8), source))
    assert found is not None
    assert (found.version, found.interval_ms) == (2, seconds * 1000)
    assert found.addresses == (IPv4Address("10.0.0.1"),)


@given(st.binary(max_size=200))
def test_garbage_is_no_advert_and_no_error(packet):
    found = parse_packet(packet)
    assert found is None or found.vrid in range(1, 256)


@given(st.binary(max_size=80), st.integers(0, 2))
def test_the_filter_takes_any_bytes(packet, size):
    muted = [Voice(Family.IPV4, vrid, IPv4Address(vrid)) for vrid in range(1, size + 1)]
    for family in Family:
        assert run(assemble(family, muted), packet) in (0, WHOLE)


@given(st.sets(st.tuples(VRIDS, V4), max_size=40), VRIDS, V4, st.integers(0, 255), st.integers(0, 10), st.booleans())
def test_ipv4_passes_exactly_what_is_not_muted_or_says_goodbye(muted, vrid, first, priority, options, known):
    if known and muted:
        vrid, first = sorted(muted, key=str)[0]
    program = assemble(Family.IPV4, [Voice(Family.IPV4, *one) for one in muted])
    packet = ipv4(advert(3, vrid, priority, [first.packed, b"\1\2\3\4"]), IPv4Address(1), options=options)
    assert bool(run(program, packet)) == (priority == 0 or (vrid, first) not in muted)


@given(st.sets(st.tuples(VRIDS, V6), max_size=40), VRIDS, V6, st.integers(0, 255), st.booleans())
def test_ipv6_passes_exactly_what_is_not_muted_or_says_goodbye(muted, vrid, first, priority, known):
    if known and muted:
        vrid, first = sorted(muted, key=str)[0]
    program = assemble(Family.IPV6, [Voice(Family.IPV6, *one) for one in muted])
    packet = ipv6(advert(3, vrid, priority, [first.packed]), IPv6Address(1))
    assert bool(run(program, packet)) == (priority == 0 or (vrid, first) not in muted)


@given(st.integers(0, 255).filter(lambda number: number != 112), V4)
def test_other_protocols_never_pass(protocol, source):
    payload = advert(3, 1, 100, [b"\1\2\3\4"])
    assert run(assemble(Family.IPV4, ()), ipv4(payload, source, protocol=protocol)) == 0
    assert run(assemble(Family.IPV6, ()), ipv6(payload, IPv6Address(1), protocol=protocol)) == 0


def test_a_later_fragment_and_a_neighbour_s_family_do_not_pass_or_mute():
    payload = advert(3, 9, 100, [b"\1\2\3\4"])
    assert run(assemble(Family.IPV4, ()), ipv4(payload, IPv4Address(1), fragment=7)) == 0
    assert run(assemble(Family.IPV4, [Voice(Family.IPV6, 9, IPv6Address(1))]), ipv4(payload, IPv4Address(1))) == WHOLE


def test_every_virtual_router_a_segment_can_have_fits_the_kernel_s_limit():
    for family, make in ((Family.IPV4, IPv4Address), (Family.IPV6, IPv6Address)):
        program = assemble(family, [Voice(family, vrid, make(vrid)) for vrid in range(1, 256)])
        assert len(program) < LONGEST
        assert all(jump < 256 for one in program for jump in (one.yes, one.no))
    crowd = [Voice(Family.IPV6, vrid, IPv6Address(host)) for vrid in range(1, 256) for host in range(4)]
    assert len(assemble(Family.IPV6, crowd)) <= LONGEST


def heard(source: str, vrid: int = 7, first: str = "192.0.2.1") -> Advert:
    return Advert(3, Family.IPV4, IPv4Address(source), vrid, 100, 100, (IPv4Address(first),))


VOICE = Voice(Family.IPV4, 7, IPv4Address("192.0.2.1"))


def test_a_stranger_is_new_once_muted_for_a_while_and_forgotten_when_silent():
    known = Strangers()
    known.hear("eth0", heard("10.0.0.9"), 0.0)
    known.hear("eth1", heard("10.0.0.9"), 0.5)
    assert [one.interface for one in known.judge((), asked=1.0)] == ["eth0", "eth1"]
    known.hear("eth0", heard("10.0.0.9"), 1.0)
    assert not known.unknown
    assert not known.judge((), asked=2.0)
    assert VOICE in known.muted
    known.expire(1.0 + MUTE)
    assert not known.muted
    assert len(known.heard) == 2
    known.expire(1.0 + FORGET)
    assert not known.heard


def test_a_peer_heard_before_its_instance_was_ours_too_is_no_stranger():
    known = Strangers()
    known.hear("eth0", heard("10.0.0.9"), 0.0)
    known.own(frozenset({VOICE}))
    known.hear("eth0", heard("10.0.0.9"), 1.0)
    assert not known.unknown
    assert not known.judge((), asked=2.0)
    assert not known.heard


def test_an_instance_on_other_nodes_alone_is_no_stranger_and_is_muted_for_good():
    known = Strangers()
    known.hear("eth0", heard("10.0.0.9"), 0.0)
    known.hear("eth0", heard("10.0.0.9", vrid=8), 0.0)
    assert known.unknown
    assert not known.heard
    assert [one.advert.vrid for one in known.judge((VOICE,), asked=0.0)] == [8]
    assert [one.vrid for one in known.heard] == [8]
    known.expire(MUTE)
    assert known.muted == {VOICE}


def test_who_was_first_heard_after_the_question_waits_for_the_next_answer():
    known = Strangers()
    known.hear("eth0", heard("10.0.0.9"), 1.1)
    assert not known.judge((), asked=1.0)
    assert known.unknown
    assert known.judge((), asked=1.2)


def test_an_instance_that_is_gone_from_the_cluster_is_a_stranger_when_it_goes_on():
    known = Strangers()
    known.judge((VOICE,), asked=0.0)
    known.judge((), asked=1.0)
    known.hear("eth0", heard("10.0.0.9"), 1.5)
    assert known.judge((), asked=2.0)
