"""Where audit lines come from: files, standard input, agents' logs in the cluster; and bare keepalived logs as well."""

from __future__ import annotations

import asyncio
import gzip
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO, Final, NamedTuple

from vipmgr.core.audit_line import AuditLine, read_line
from vipmgr.core.keepalived_log import BareLog
from vipmgr.errors import UsageError
from vipmgr.kube.client import ApiError, Client
from vipmgr.kube.objects import Pod
from vipmgr.kube.resources import PODS

AGENTS: Final = "app.kubernetes.io/name=vipmgr,app.kubernetes.io/component=agent"
CONTAINER: Final = "agent"
POLL: Final = 0.2
"""Seconds between two looks at a file that is followed."""


class Source(NamedTuple):
    """A file to read, and the node it is of; "" lets the lines say, or else the file's name."""

    path: Path
    node: str


class Reader:
    """Raw lines of one source -> audit lines: our own JSON, or what keepalived logged by itself."""

    def __init__(self, node: str, advert_ms: int) -> None:
        self._bare = BareLog(node, newest=datetime.now(UTC), zone=_local_zone(), advert_ms=advert_ms)

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
        if str(one.path) != "-" and not one.path.is_file():
            raise UsageError(f"{one.path}: no such file")
    return found


def read_all(origin: Iterable[Source], advert_ms: int) -> Iterator[AuditLine]:
    for one in origin:
        reader = Reader(one.node or _node_of(one.path), advert_ms)
        with _opened(one.path) as file:
            for raw in file:
                yield from reader.read(raw)


def _node_of(path: Path) -> str:
    """n1.log, n1.log.2, n1.jsonl.gz -> n1; standard input has no name."""
    return "" if str(path) == "-" else path.name.partition(".")[0]


def _opened(path: Path) -> IO[bytes]:
    if str(path) == "-":
        return sys.stdin.buffer
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


async def follow_files(
    origin: Iterable[Source], advert_ms: int, take: Callable[[AuditLine], None], done: Callable[[], None]
) -> None:
    """Everything there is, then what is appended, through rotation and truncation, for ever."""
    tails = [_Tail(one, advert_ms) for one in origin]
    while True:
        for tail in tails:
            for line in tail.read():
                take(line)
        done()
        await asyncio.sleep(POLL)


class _Tail:
    def __init__(self, source: Source, advert_ms: int) -> None:
        self._path = source.path
        self._reader = Reader(source.node or _node_of(source.path), advert_ms)
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


async def agent_pods(client: Client) -> list[Pod]:
    return await client.list(PODS, label_selector=AGENTS)


async def pod_lines(client: Client, pod: Pod, since: float | None) -> AsyncIterator[AuditLine]:
    """What the agent's container wrote, and the one before it when it was restarted."""
    seconds = None if since is None else max(1, int(time.time() - since) + 1)
    reader = Reader(pod.spec.node_name, 0)
    restarted = any(one.restart_count for one in pod.status.container_statuses or () if one.name == CONTAINER)
    for previous in (True, False) if restarted else (False,):
        try:
            log = client.read_log(
                pod.metadata.name,
                pod.metadata.namespace,
                container=CONTAINER,
                since_seconds=seconds,
                previous=previous,
            )
            async for raw in log:
                for line in reader.read(raw):
                    yield line
        except ApiError as error:
            if not previous:
                raise
            print(f"vipmgr audit: {pod.metadata.name}, before its restart: {error}", file=sys.stderr)


async def follow_pod(client: Client, pod: Pod, since: float | None, take: Callable[[AuditLine], None]) -> None:
    """Until the pod is gone. Lines that come twice after a broken connection are told apart by their numbers."""
    reader = Reader(pod.spec.node_name, 0)
    while True:
        seconds = None if since is None else max(1, int(time.time() - since) + 1)
        try:
            log = client.read_log(
                pod.metadata.name, pod.metadata.namespace, container=CONTAINER, since_seconds=seconds, follow=True
            )
            async for raw in log:
                for line in reader.read(raw):
                    take(line)
        except ApiError as error:
            if error.status == 404:
                return
            print(f"vipmgr audit: {pod.metadata.name}: {error}", file=sys.stderr)
        await asyncio.sleep(1.0)
