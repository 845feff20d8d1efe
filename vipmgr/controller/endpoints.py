"""/healthz, /readyz and /metrics over plain HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from aiohttp import web

from vipmgr.controller.metrics import Metrics


class Listener:
    """An aiohttp application on one port, from `start` to `stop`. `port` is the one taken when 0 was asked for."""

    def __init__(self, app: web.Application, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        self._address = address
        self._tls = tls
        self.port = 0

    async def start(self) -> None:
        await self._runner.setup()
        host, port = self._address
        await web.TCPSite(self._runner, host or None, port, ssl_context=self._tls).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()


def health_app(metrics: Metrics, why_not_ready: Callable[[], str]) -> web.Application:
    """`why_not_ready` returns "" when all is well, else a sentence. Alive is who answers: a standby, and a leader cut
    off from the API server, are; restarting would not help them."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = why_not_ready()
        return web.Response(text=f"{why or 'ok'}\n", status=503 if why else 200)

    async def page(_: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=metrics.page(), headers=headers)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", page)])
    return app
