"""The kernel's half of layer2: classic BPF that passes ARP and Neighbor Discovery about our addresses, and no more.

For AF_PACKET sockets (SOCK_RAW: the frame begins with its Ethernet header), one bound to ARP, one to IPv6, so that
other traffic does not even reach the program. Addresses are compared as ranges; when there are too many for the
kernel, neighbouring ranges are merged: a frame too many is passed, never one too few. Of IPv6 addresses the last 32
bits are compared. The language: linux/Documentation/networking/filter.rst.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from vipmgr.core.model import Address, Family
from vipmgr.core.stranger_filter import JUMP_AT_LEAST, JUMP_EQUAL, LD_BYTE, RETURN, WHOLE, Instruction

LD_WORD: Final = 0x20
JUMP_ABOVE: Final = 0x25
RANGES: Final = 500
"""three instructions each, twice for ARP, of the 4096 the kernel takes"""
_ARP_SENDER, _ARP_TARGET = 28, 38
_NEXT_HEADER, _ICMP_TYPE, _ND_TARGET_END = 20, 54, 74
_ICMPV6: Final = 58
_SOLICITATION, _ADVERTISEMENT = 135, 136


def assemble(family: Family, addresses: Iterable[Address]) -> tuple[Instruction, ...]:
    """The program for the socket of one family; no address of that family: it passes nothing."""
    version = 4 if family is Family.IPV4 else 6
    ranges = merged({int(one) & 0xFFFFFFFF for one in addresses if one.version == version}, RANGES)
    if not ranges:
        return (Instruction(RETURN),)
    if family is Family.IPV4:
        return (*_match(_ARP_SENDER, ranges), *_match(_ARP_TARGET, ranges), Instruction(RETURN))
    return (
        Instruction(LD_BYTE, value=_NEXT_HEADER),
        Instruction(JUMP_EQUAL, yes=1, value=_ICMPV6),
        Instruction(RETURN),
        Instruction(LD_BYTE, value=_ICMP_TYPE),
        Instruction(JUMP_EQUAL, yes=2, value=_SOLICITATION),
        Instruction(JUMP_EQUAL, yes=1, value=_ADVERTISEMENT),
        Instruction(RETURN),
        *_match(_ND_TARGET_END, ranges),
        Instruction(RETURN),
    )


def merged(values: Iterable[int], limit: int) -> list[tuple[int, int]]:
    """At most `limit` ranges that cover the values: the smallest gaps are closed first."""
    ordered = sorted(values)
    if not ordered:
        return []
    gaps = sorted((after - before, index) for index, (before, after) in enumerate(itertools.pairwise(ordered)))
    kept = {index for gap, index in gaps[max(0, len(gaps) - limit + 1) :] if gap > 1}
    found, first = [], ordered[0]
    for index, value in enumerate(ordered):
        if index in kept or index == len(ordered) - 1:
            found.append((first, value))
            first = ordered[index + 1] if index + 1 < len(ordered) else value
    return found


def _match(offset: int, ranges: list[tuple[int, int]]) -> list[Instruction]:
    """Pass the frame when the word at `offset` lies in one of the ranges; go on behind otherwise."""
    program = [Instruction(LD_WORD, value=offset)]
    for low, high in ranges:
        program += [
            Instruction(JUMP_AT_LEAST, no=2, value=low),
            Instruction(JUMP_ABOVE, yes=1, value=high),
            Instruction(RETURN, value=WHOLE),
        ]
    return program
