"""The kernel's half of hearing strangers: a classic BPF program that lets VRRP of others through, and nothing else.

It runs on packets that begin with the IP header (AF_PACKET, SOCK_DGRAM) of one family. Traffic that is not VRRP is
dropped after three instructions; an advert whose VRID and first address are in `muted` (our own instances, and
strangers heard a moment ago) is dropped too, unless its priority is 0: that says why a backup is about to take over.
The language: linux/Documentation/networking/filter.rst.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from vipmgr.core.model import Address, Family
from vipmgr.core.vrrp_packet import PROTOCOL

LD_WORD_LENGTH: Final = 0x80
LD_BYTE: Final = 0x30
LD_HALF: Final = 0x28
LD_BYTE_X: Final = 0x50
LD_WORD_X: Final = 0x40
LDX_HEADER: Final = 0xB1
"""X = 4 * (packet[k] & 15): the length of an IPv4 header"""
LDX_CONSTANT: Final = 0x01
SUB_X: Final = 0x1C
JUMP_EQUAL: Final = 0x15
JUMP_AT_LEAST: Final = 0x35
JUMP_BITS: Final = 0x45
RETURN: Final = 0x06

WHOLE: Final = 0x40000
LONGEST: Final = 4096
"""BPF_MAXINSNS: the kernel takes no longer program"""


class Instruction(NamedTuple):
    """struct sock_filter: jump offsets count from the next instruction."""

    code: int
    yes: int = 0
    no: int = 0
    value: int = 0


class Voice(NamedTuple):
    """One VRRP speaker's signature: its VRID and the first address of its adverts (our anchor)."""

    family: Family
    vrid: int
    anchor: Address


def assemble(family: Family, muted: Iterable[Voice]) -> tuple[Instruction, ...]:
    """The program for packets of `family`; `muted` beyond what the kernel can hold is let through, not lost."""
    words = 1 if family is Family.IPV4 else 4
    program = [*_head_v4(), *_common(words)] if family is Family.IPV4 else [*_head_v6(), *_common(words)]
    accept = Instruction(RETURN, value=WHOLE)
    for voice in sorted({voice for voice in muted if voice.family is family}, key=_rank):
        block = _mute(voice, words)
        if len(program) + len(block) + 1 > LONGEST:
            break
        program += block
    return (*program, accept)


def _rank(voice: Voice) -> tuple[int, int]:
    return voice.vrid, int(voice.anchor)


def _head_v4() -> list[Instruction]:
    return [
        Instruction(LD_BYTE, value=9),
        Instruction(JUMP_EQUAL, yes=1, value=PROTOCOL),
        Instruction(RETURN),
        Instruction(LD_HALF, value=6),
        Instruction(JUMP_BITS, no=1, value=0x1FFF),  # a later fragment has no VRRP header
        Instruction(RETURN),
        Instruction(LDX_HEADER, value=0),
    ]


def _head_v6() -> list[Instruction]:
    return [
        Instruction(LD_BYTE, value=6),
        Instruction(JUMP_EQUAL, yes=1, value=PROTOCOL),
        Instruction(RETURN),
        Instruction(LDX_CONSTANT, value=40),
    ]


def _common(words: int) -> list[Instruction]:
    """Too short to hold an address: nobody of ours sends that. Else A is the VRID for what follows."""
    return [
        Instruction(LD_WORD_LENGTH),
        Instruction(SUB_X),
        Instruction(JUMP_AT_LEAST, yes=1, value=8 + 4 * words),
        Instruction(RETURN, value=WHOLE),
        Instruction(LD_BYTE_X, value=2),
        Instruction(JUMP_EQUAL, no=1, value=0),
        Instruction(RETURN, value=WHOLE),
        Instruction(LD_BYTE_X, value=1),
    ]


def _mute(voice: Voice, words: int) -> list[Instruction]:
    """VRID and all `words` of the address equal: drop. Otherwise go on behind, with the VRID in A again."""
    raw = voice.anchor.packed
    body: list[Instruction] = []
    for index in range(words):
        left = 2 * (words - 1 - index) + 1  # instructions up to and with the `ret` after a comparison
        body.append(Instruction(LD_WORD_X, value=8 + 4 * index))
        body.append(Instruction(JUMP_EQUAL, no=left, value=int.from_bytes(raw[4 * index : 4 * index + 4], "big")))
    body.append(Instruction(RETURN))
    body.append(Instruction(LD_BYTE_X, value=1))
    return [Instruction(JUMP_EQUAL, no=len(body), value=voice.vrid), *body]
