"""Asks kube-proxy on loopback whether this node has endpoints (healthCheckNodePort)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import ClientError, ClientSession, ClientTimeout

from vipmgr.core.endpoint_health import Answer, Verdict, read_answer

_TIMEOUT = ClientTimeout(total=1.0)


class EndpointPoll:
    """One question per port and second; `changed()` whenever a verdict turns. Ports come and go with `watch`."""

    def __init__(self, changed: Callable[[], None], host: str = "127.0.0.1") -> None:
        self._changed = changed
        self._host = host
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._verdicts: dict[int, Verdict] = {}

    def watch(self, ports: Iterable[int]) -> None:
        wanted = set(ports)
        for port in self._tasks.keys() - wanted:
            self._tasks.pop(port).cancel()
            self._verdicts.pop(port, None)
        for port in wanted - self._tasks.keys():
            self._tasks[port] = asyncio.create_task(self._ask_for_ever(port), name=f"endpoints-{port}")

    def healthy(self, port: int) -> bool:
        return self._verdicts.get(port, Verdict()).healthy

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self.watch(())
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_for_ever(self, port: int) -> None:
        async with ClientSession(timeout=_TIMEOUT) as session:
            while True:
                before = self._verdicts.get(port, Verdict())
                after = before.after(await self._ask(session, port))
                self._verdicts[port] = after
                if after.healthy != before.healthy:
                    self._changed()
                await asyncio.sleep(after.pause)

    async def _ask(self, session: ClientSession, port: int) -> Answer:
        try:
            async with session.get(f"http://{self._host}:{port}/healthz") as response:
                return read_answer(response.status, await response.read())
        except (ClientError, TimeoutError, OSError):
            return Answer.NONE
