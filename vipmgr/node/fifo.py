"""keepalived's notify FIFO: made by us, read by us, and never without a reader.

It is opened for reading and writing, so that keepalived's opening never blocks or fails and we never see an end of
file. While no agent runs the lines wait in the pipe (keepalived holds it open): 64 KiB of them, some 1,500.
"""

from __future__ import annotations

import asyncio
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
        self._heard = heard
        self._lines = Lines()
        ensure_fifo(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self._descriptor, _SET_PIPE_SIZE, _PIPE_BYTES)
        asyncio.get_running_loop().add_reader(self._descriptor, self.drain)

    def drain(self) -> None:
        """Read all there is now."""
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return
            for line in self._lines.feed(data):
                self._heard(line)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
