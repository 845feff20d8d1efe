"""keepalived's notify FIFO: made by us, read by us, and never without a reader.

It is opened for reading and writing, so that keepalived's opening never blocks or fails and we never see an end of
file. While no agent runs the lines wait in the pipe (keepalived holds it open): 1 MiB of them, some 25,000. When it is
full keepalived drops lines and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

_SET_PIPE_SIZE: Final = 1031
_PIPE_BYTES: Final = 1024 * 1024


def ensure_fifo(path: Path) -> bool:
    """Make `path` a FIFO; True when it was not one."""
    try:
        if stat.S_ISFIFO(path.lstat().st_mode):
            return False
        path.unlink()
    except FileNotFoundError:
        pass
    os.mkfifo(path, 0o600)
    return True


class Lines:
    """Bytes in pieces -> whole lines. What is no text is replaced, not lost."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    @property
    def held_back(self) -> int:
        """Bytes of the half line at the end."""
        return len(self._rest)

    def forget(self) -> str:
        """The half line held back, when its other half will never come."""
        rest, self._rest = self._rest, b""
        return rest.decode(errors="replace")


class FifoReader:
    """Calls `heard(line)` from the running loop for every line, in order."""

    def __init__(self, path: Path, heard: Callable[[str], None]) -> None:
        self._path = path
        self._heard = heard
        self._open: dict[int, Lines] = {}
        self.look()

    def look(self) -> None:
        """Somebody may have removed the FIFO, and keepalived made another. One before it is read on: keepalived writes
        to that until it reloads. Raises OSError when there can be none."""
        ensure_fifo(self._path)
        if self._open and os.path.samestat(self._path.stat(), os.fstat(next(reversed(self._open)))):
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE_BYTES)
        self._open[descriptor] = Lines()
        asyncio.get_running_loop().add_reader(descriptor, self.drain)
        for older in list(self._open)[:-2]:
            self._close(older)

    def drain(self) -> None:
        """Read all there is now."""
        for descriptor, lines in list(self._open.items()):
            with contextlib.suppress(BlockingIOError):
                while data := os.read(descriptor, 65536):
                    for line in lines.feed(data):
                        self._heard(line)

    def close(self) -> None:
        for descriptor in list(self._open):
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        del self._open[descriptor]
