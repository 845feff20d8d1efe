"""keepalived's log, followed through rotation, truncation and half lines.

watchdog only says "look again"; what is read is decided by the file itself: its inode, its size, and where we are in
it. So a notification that is late, doubled or lost (a slow poll backs it up) costs nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from vipmgr.log import get_log
from vipmgr.node.fifo import Lines

log = get_log(__name__)

_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02
_PAGE: Final = 4096
POLL_SECONDS: Final = 1.0


class Cursor(NamedTuple):
    """Where we are: which file, and how much of it was read."""

    inode: int = 0
    offset: int = 0


class LogTail:
    """Reads `path` by `look()`, which returns the new whole lines. A missing file is an empty one."""

    def __init__(self, path: Path, cursor: Cursor | None = None) -> None:
        self._path = path
        self._lines = Lines()
        self._descriptor: int | None = None
        self._cursor = Cursor()
        self._start = cursor

    @property
    def cursor(self) -> Cursor:
        """Where the next reader is to begin: at the half line we hold, if there is one."""
        inode, offset = self._cursor
        return Cursor(inode, offset - self._lines.held_back)

    @property
    def lag(self) -> int:
        """Bytes in the file that were not read yet."""
        if self._descriptor is None:
            return 0
        return max(0, os.fstat(self._descriptor).st_size - self._cursor.offset)

    def look(self) -> list[str]:
        """New lines of the file we hold, to its end; then of the file that now has its name, from its beginning."""
        lines = self._read() if self._descriptor is not None else []
        try:
            inode = self._path.stat().st_ino
        except OSError:
            return lines
        if self._descriptor is None or inode != self._cursor.inode:
            lines += self._finish()
            self._open()
            lines += self._read()
        return lines

    def shrink(self, limit: int) -> None:
        """Give the disk what was read back once it is more than `limit` bytes.

        keepalived appends and is never told to reopen its log, so moving or truncating it could lose a line written
        at that moment. A hole at the front (fallocate(2)) cannot.
        """
        if self._descriptor is None:
            return
        done = self.cursor.offset // _PAGE * _PAGE
        if os.fstat(self._descriptor).st_blocks * 512 <= limit or done == 0:
            return
        mode = _PUNCH_HOLE | _KEEP_SIZE
        if _fallocate(self._descriptor, mode, 0, done) != 0:
            log.warning("log.not_shrunk", path=str(self._path), error=os.strerror(ctypes.get_errno()))

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        self.close()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        status = os.fstat(self._descriptor)
        start, self._start = self._start, None
        known = start is not None and start.inode == status.st_ino and start.offset <= status.st_size
        self._cursor = Cursor(status.st_ino, start.offset if start is not None and known else 0)

    def _read(self) -> list[str]:
        assert self._descriptor is not None  # noqa: S101 - opened before
        inode, offset = self._cursor
        if os.fstat(self._descriptor).st_size < offset:  # truncated: it starts again
            self._lines.forget()
            offset = 0
        lines: list[str] = []
        while data := os.pread(self._descriptor, 65536, offset):
            offset += len(data)
            lines += self._lines.feed(data.replace(b"\0", b""))
        self._cursor = Cursor(inode, offset)
        return lines

    def _finish(self) -> list[str]:
        rest = self._lines.forget()
        return [rest] if rest else []


_libc = ctypes.CDLL(None, use_errno=True)


def _fallocate(descriptor: int, mode: int, offset: int, length: int) -> int:
    return int(_libc.fallocate(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))


class _Wake(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved", "deleted"):
            self._wake()


class FolderWatch:
    """Sets `changed` whenever something in a folder was written, made, moved or removed."""

    def __init__(self, folder: Path) -> None:
        self.changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        logging.getLogger("watchdog.observers.inotify").setLevel(logging.CRITICAL)  # being stopped is an error to it
        self._observer: BaseObserver = Observer()
        self._observer.schedule(_Wake(lambda: loop.call_soon_threadsafe(self.changed.set)), str(folder))
        self._observer.start()

    async def wait(self) -> None:
        """Until something changed, or for POLL_SECONDS."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self.changed.wait()
        except TimeoutError:
            pass
        self.changed.clear()

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()
