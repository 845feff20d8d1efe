"""A real client against the embedded API server, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Self

import pytest

from vipmgr.kube.auth import Access
from vipmgr.kube.client import Client
from vipmgr.lab.apiserver import ApiServer, read_definitions

CRDS = Path(__file__).parents[2] / "manifests" / "crds"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(definitions=read_definitions(CRDS), bookmark_interval=0.2) as one:
        yield one


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Client]:
    async with Client(Access(server.url), request_seconds=2.0) as one:
        yield one


async def until(fact: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a fact; a test that waits in vain fails."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - facts of several tasks, no single event
            await asyncio.sleep(0.005)


class Wire:
    """A TCP proxy that can go silent without closing anything: what a lost route looks like."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flowing.set()
        for writer in self._writers:
            writer.transport.abort()
        if self._server is not None:
            self._server.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def silence(self) -> None:
        self._flowing.clear()

    def restore(self) -> None:
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            sink.transport.abort()
        sink.transport.abort()
