"""Where audit lines come from: files and standard input (cli.pods: the cluster); bare keepalived logs as well."""

from __future__ import annotations

import asyncio
import gzip
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO, Final, NamedTuple

from vipmgr.core.audit_line import AuditLine, read_line
from vipmgr.core.keepalived_log import BareLog
from vipmgr.errors import RejectedError, UsageError

POLL: Final = 0.2
"""Seconds between two looks at a file that is followed."""


class Source(NamedTuple):
    """A file to read, and the node it is of; "" lets the lines say, or else the file's name."""

    path: Path
    node: str


class Reader:
    """Raw lines of one source -> audit lines: our own JSON, or what keepalived logged by itself.

    `node` wrote them; "": whom the lines name, or else `fallback`.
    """

    def __init__(self, node: str, advert_ms: int, fallback: str = "") -> None:
        self._bare = BareLog(node, fallback=fallback, newest=datetime.now(UTC), zone=_local_zone(), advert_ms=advert_ms)

    def read(self, raw: bytes) -> Iterable[AuditLine]:
        line = read_line(raw)
        if line is not None:
            return (line,)
        return self._bare.feed(raw.decode(errors="replace").rstrip("\r\n"))


def _local_zone() -> tzinfo:
    return datetime.now().astimezone().tzinfo or UTC


def sources(files: Sequence[str], named: Iterable[str]) -> list[Source]:
    """`files`: paths, "-" for standard input. `named`: NODE=FILE. Raises UsageError for one that is not there."""
    found = [Source(Path(name), "") for name in files]
    for word in named:
        node, _, path = word.partition("=")
        found.append(Source(Path(path), node))
    for one in found:
        if one.path.is_dir():
            raise UsageError(f"{one.path} is a folder; name the files in it")
        if str(one.path) != "-" and not one.path.exists():
            raise UsageError(f"{one.path}: no such file")
    return found


def read_all(origin: Sequence[Source], advert_ms: int) -> Iterator[AuditLine]:
    """Raises RejectedError for a file that cannot be read, and when there is nothing in any: silence must not pass for
    all being well. One of several without a line is a note: a node may have been quiet."""
    silent = []
    for one in origin:
        reader, empty = Reader(one.node, advert_ms, _node_of(one.path)), True
        try:
            with _opened(one.path) as file:
                for raw in file:
                    for line in reader.read(raw):
                        empty = False
                        yield line
        except (OSError, EOFError, zlib.error) as error:
            raise RejectedError(f"{one.path}: {getattr(error, 'strerror', None) or error}") from error
        if empty:
            silent.append(f"{one.path}: no audit line in it, and no transition that a keepalived logged")
    if len(silent) == len(origin):
        raise RejectedError("; ".join(silent))
    for note in silent:
        print(f"vipmgr audit: {note}", file=sys.stderr)


def _node_of(path: Path) -> str:
    """n1.log, n1.log.2, n1.jsonl.gz -> n1; standard input has no name."""
    return "" if str(path) == "-" else path.name.partition(".")[0]


def _opened(path: Path) -> IO[bytes]:
    if str(path) == "-":
        return sys.stdin.buffer
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


async def follow_files(origin: Iterable[Source], advert_ms: int, take: Callable[[AuditLine], None]) -> None:
    """Everything there is, before anything is waited for; then what is appended, through rotation and truncation, for
    ever."""
    tails = [_Tail(one, advert_ms) for one in origin]
    while True:
        for tail in tails:
            for line in tail.read():
                take(line)
        await asyncio.sleep(POLL)


class _Tail:
    def __init__(self, source: Source, advert_ms: int) -> None:
        self._path = source.path
        self._reader = Reader(source.node, advert_ms, _node_of(source.path))
        self._file: IO[bytes] | None = None
        self._inode = 0
        self._half = b""

    def read(self) -> Iterator[AuditLine]:
        if self._file is not None:
            yield from self._lines()
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return
        if self._file is None or there.st_ino != self._inode or there.st_size < self._file.tell():
            if self._file is not None:
                self._file.close()
            self._file, self._inode, self._half = self._path.open("rb"), there.st_ino, b""
            yield from self._lines()

    def _lines(self) -> Iterator[AuditLine]:
        assert self._file is not None  # noqa: S101 - the callers' condition
        *whole, self._half = (self._half + self._file.read()).split(b"\n")
        for raw in whole:
            yield from self._reader.read(raw)
