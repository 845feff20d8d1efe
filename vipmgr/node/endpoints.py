"""/healthz, /readyz, /metrics of the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from vipmgr.errors import FatalError


@asynccontextmanager
async def serve(
    address: str, port: int, ready: Callable[[], list[str]], metrics: Callable[[], bytes]
) -> AsyncIterator[None]:
    """While inside. An empty `address` is every one. `ready`: what is still missing (empty: ready)."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        missing = ready()
        return web.Response(status=503 if missing else 200, text="\n".join(missing or ["ok"]) + "\n")

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address or None, port, reuse_address=True).start()
        except OSError as error:
            raise FatalError(f"cannot listen on {address}:{port}: {error.strerror}") from error
        yield
    finally:
        await runner.cleanup()
