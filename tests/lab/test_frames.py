"""The prober's packets, against the kernel's own."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from vipmgr.lab.frames import Echo, arp_request, checksum, echo_request, parse_arp_reply, parse_echo_reply

MAC = bytes.fromhex("0200000000aa")


def test_the_checksum_is_that_of_rfc_1071():
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    packet = echo_request(0x1234, 7, 4)
    assert checksum(packet) == 0


def test_the_kernel_answers_our_request_and_the_answer_is_read_back():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(5)
        raw.sendto(echo_request(0x7A7A, 9, 4), ("127.0.0.1", 0))
        replies = (parse_echo_reply(raw.recv(256)) for _ in range(100))
        assert next(one for one in replies if one and one.identifier == 0x7A7A) == Echo(
            IPv4Address("127.0.0.1"), 0x7A7A, 9
        )


def test_an_icmpv6_reply_is_read():
    packet = bytes([0x60, 0, 0, 0, 0, 8, 58, 64]) + IPv6Address("fd00::1").packed + IPv6Address("fd00::2").packed
    reply = packet + struct.pack("!BBHHH", 129, 0, 0, 5, 6)
    assert parse_echo_reply(reply) == Echo(IPv6Address("fd00::1"), 5, 6)


def test_anything_else_is_no_reply():
    request = echo_request(1, 2, 4)
    header = bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    assert parse_echo_reply(header + request) is None
    assert parse_echo_reply(header) is None
    assert parse_echo_reply(b"") is None


def test_an_arp_answer_to_us_names_who_claims_the_address():
    ours, theirs = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.5")
    request = arp_request(MAC, ours, theirs)
    assert request[:6] == b"\xff" * 6
    assert request[-4:] == theirs.packed
    them = bytes.fromhex("0200000000bb")
    reply = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, them, theirs.packed, MAC, ours.packed)
    assert parse_arp_reply(reply, MAC) == (theirs, "02:00:00:00:00:bb")
    assert parse_arp_reply(reply, them) is None
    assert parse_arp_reply(request[14:], MAC) is None
    assert parse_arp_reply(reply[:20], MAC) is None
