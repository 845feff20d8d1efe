"""Audit lines: numbered, to the agent's standard output and to a rotated file on the node.

A full disk loses the file's line, never the number nor the line on standard output; it is reported once, and again
when the file can be written again.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from vipmgr.core.audit_line import AuditLine, write_line
from vipmgr.log import get_log

log = get_log(__name__)


def utc(seconds: float) -> str:
    """RFC 3339 with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Journal:
    """`write(line)` never raises. `sequence` counts the lines of this `boot` of the agent."""

    def __init__(
        self,
        path: Path,
        node: str,
        *,
        limit: int,
        keep: int,
        stream: TextIO | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._node = node
        self._limit = limit
        self._keep = keep
        self._stream = stream if stream is not None else sys.stdout
        self._wall = wall
        self._monotonic = monotonic
        self.boot = uuid4().hex[:12]
        self.sequence = 0
        self.lost = 0
        self._begun = False

    def write(self, line: AuditLine, *, at: float | None = None) -> None:
        """Stamps `line`. `at`: when it happened on the monotonic clock, if that was not now."""
        self.sequence += 1
        now = self._monotonic()
        moment = now if at is None else at
        line.stamp(
            seconds=self._wall() - (now - moment),
            monotonic=moment,
            node=self._node,
            boot=self.boot,
            seq=self.sequence,
        )
        text = write_line(line)
        self._print(text.decode())
        self._append(text)

    def _print(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except (OSError, ValueError):  # nobody reads our standard output any more
            self.lost += 1

    def _append(self, text: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._rotate()
            self._append_whole(text + b"\n")
        except OSError as error:
            if self.lost == 0:
                log.error("audit.file_failed", path=str(self._path), error=str(error))
            self.lost += 1
            return
        if self.lost:
            log.info("audit.file_works_again", path=str(self._path), lost=self.lost)
            self.lost = 0

    def _append_whole(self, data: bytes) -> None:
        """All of it or nothing: a disk may be full in the middle of a line."""
        with self._path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if not self._begun and size and _last_byte(file, size) != b"\n":  # a power cut in the middle of a line
                data = b"\n" + data
            if file.write(data) != len(data):
                file.truncate(size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._begun = True

    def _rotate(self) -> None:
        """audit.jsonl -> audit.jsonl.1 -> … ; the oldest goes."""
        try:
            if self._path.stat().st_size < self._limit:
                return
        except FileNotFoundError:
            return
        for number in range(self._keep - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _last_byte(file: FileIO, size: int) -> bytes:
    file.seek(size - 1)
    return file.read(1) or b""
