"""What keepalived 2.2 says, line by line: notify FIFO lines and log messages -> values. Nothing here raises on garbage.

The FIFO's grammar is in keepalived.conf(5), "vrrp_notify_fifo": `INSTANCE "V1" MASTER 200`. The log has no grammar;
the messages below are those of 2.2.7, seen from the running daemon (tests/daemon/test_keepalived_words.py). Lines that
keepalived writes only under `-D` are marked D: without it a takeover after a priority 0 advert and one after a
timeout look alike on the node that takes over, and only the old master's own lines tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

from vipmgr.core.model import MoveReason


class State(StrEnum):
    """State of one vrrp_instance on one node. INIT: nothing heard of it yet. STOP: keepalived ended, or deleted it."""

    INIT = "INIT"
    BACKUP = "BACKUP"
    MASTER = "MASTER"
    FAULT = "FAULT"
    STOP = "STOP"


class FifoLine(NamedTuple):
    """`word` is a State, DELETED, MASTER_RX_LOWER_PRI, MASTER_PRIORITY or BACKUP_PRIORITY."""

    kind: str
    name: str
    word: str
    priority: int


class Entered(NamedTuple):
    """The log's own word for a transition; everything that explains it was logged before. `init`: of a new process."""

    instance: str
    state: State
    init: bool


class Clue(NamedTuple):
    """A line that explains a transition next to it. None: any instance, any interface."""

    reason: MoveReason
    instance: str | None = None
    interface: str | None = None


class LinkUp(NamedTuple):
    interface: str


class Heard(NamedTuple):
    """A MASTER heard another MASTER of lower priority, and forces it to step down."""

    instance: str
    source: str
    priority: int


class Priority(NamedTuple):
    instance: str
    priority: int


class Began(NamedTuple):
    """A VRRP process starts: whatever was known of the one before is over. Its first words may come before this."""


class Ended(NamedTuple):
    """The VRRP process is gone: told to stop, or killed."""

    reason: MoveReason


Word = Entered | Clue | LinkUp | Heard | Priority | Began | Ended

_FIFO: Final = re.compile(r'(INSTANCE|GROUP) "(.+)" (\w+) (\d{1,3})')
_FIFO_WORDS: Final = frozenset(
    {"MASTER", "BACKUP", "FAULT", "STOP", "DELETED", "MASTER_RX_LOWER_PRI", "MASTER_PRIORITY", "BACKUP_PRIORITY"}
)
_ABOUT: Final = re.compile(r"\(([^()]+)\):? (.*)")
_IMPOSED: Final = MoveReason.TRACK_FAULT


def read_fifo(line: str) -> FifoLine | None:
    """One line of the notify FIFO; None when it is not one (half a line, garbage, a word of a later keepalived)."""
    match = _FIFO.fullmatch(line.strip())
    if match is None or match[3] not in _FIFO_WORDS:
        return None
    return FifoLine(match[1], match[2], match[3], int(match[4]))


def _of_instance(pattern: str, make: Callable[[str, re.Match[str]], Word]) -> Callable[[str, str], Word | None]:
    compiled = re.compile(pattern)

    def read(instance: str, rest: str) -> Word | None:
        match = compiled.match(rest)
        return make(instance, match) if match else None

    return read


_INSTANCE_WORDS: Final = (
    _of_instance(
        r"Entering (MASTER|BACKUP|FAULT) STATE( \(init\))?",
        lambda name, found: Entered(name, State(found[1]), found[2] is not None),
    ),
    _of_instance(r"Receive advertisement timeout", lambda name, _: Clue(MoveReason.ADVERT_TIMEOUT, name)),  # D
    _of_instance(r"Backup received priority 0 advert", lambda name, _: Clue(MoveReason.PRIORITY_ZERO, name)),  # D
    _of_instance(
        r"Master received advert from \S+ with (?:higher|same) priority",
        lambda name, _: Clue(MoveReason.HIGHER_PRIORITY, name),
    ),
    _of_instance(
        r"Received advert from (\S+) with lower priority (\d+)",
        lambda name, found: Heard(name, found[1], int(found[2])),
    ),
    _of_instance(
        r"received lower priority \(\d+\) advert from \S+ - discarding",
        lambda name, _: Clue(MoveReason.LOWER_PRIORITY, name),
    ),
    _of_instance(
        r"(?:entering FAULT state \()?interface (\S+) (?:is )?down",
        lambda name, found: Clue(MoveReason.INTERFACE_DOWN, name, found[1]),
    ),
    _of_instance(r"entering FAULT state \((?:no IPv|src address)", lambda name, _: Clue(MoveReason.ADDRESS_LOST, name)),
    _of_instance(r"tracked file \S+ now FAULT state", lambda name, _: Clue(_IMPOSED, name)),
    _of_instance(r"entering FAULT state(?: \(tracked | due to script)", lambda name, _: Clue(_IMPOSED, name)),
    _of_instance(r"Changing effective priority from \d+ to (\d+)", lambda name, found: Priority(name, int(found[1]))),
)
_LINK_DOWN: Final = re.compile(r"Netlink reports (\S+) down|Interface (\S+) deleted")
_LINK_UP: Final = re.compile(r"Netlink reports (\S+) up")
_ADDRESS_GONE: Final = re.compile(r"Deassigned address \S+ from interface (\S+)")
_CHILD_DIED: Final = re.compile(r"VRRP child process\(\d+\) died")
_BEGAN: Final = re.compile(r"Starting VRRP child process")
_STOPPED: Final = re.compile(r"Stopping$|Stopped Keepalived|Stopped$")


def read_log(message: str) -> Word | None:
    """One log message without its prefix (`core.keepalived_log` takes that off); None when it tells nothing."""
    about = _ABOUT.match(message)
    if about is not None:
        for read in _INSTANCE_WORDS:
            word = read(about[1], about[2])
            if word is not None:
                return word
        return None
    return _of_process(message)


def _of_process(message: str) -> Word | None:
    if down := _LINK_DOWN.match(message):
        return Clue(MoveReason.INTERFACE_DOWN, None, down[1] or down[2])
    if up := _LINK_UP.match(message):
        return LinkUp(up[1])
    if gone := _ADDRESS_GONE.match(message):
        return Clue(MoveReason.ADDRESS_LOST, None, gone[1])
    if _CHILD_DIED.match(message):
        return Ended(MoveReason.DIED)
    if _BEGAN.match(message):
        return Began()
    if _STOPPED.match(message):
        return Ended(MoveReason.STOPPED)
    return None
