"""One HTTP session to the API server: sockets that notice a dead peer, credentials, retries when it is busy.

A half-open connection (a power cut, a firewall that forgot) is noticed by TCP_USER_TIMEOUT while we send and by
keepalives while we only listen, both within about half a minute; a proxy that keeps acknowledging is caught by the idle
timeout of the watch.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from vipmgr import __version__
from vipmgr.kube.auth import Access
from vipmgr.kube.errors import FencedError, UnreachableError, api_error

CONNECT_SECONDS: Final = 5.0
ATTEMPTS: Final = 5
_BUSY: Final = frozenset({429, 503})
_LONGEST_WAIT: Final = 10.0


class Connection:
    """Sends requests. Use as an async context manager."""

    def __init__(self, access: Access, *, request_seconds: float = 15.0) -> None:
        self._access = access
        self._request_seconds = request_seconds
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        access = self._access
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.tls or True, socket_factory=_socket),
            headers={"User-Agent": f"vipmgr/{__version__}", "Accept": "application/json"},
            read_bufsize=1 << 20,
            proxy=access.proxy,
        )

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        allowed: Callable[[], bool] | None = None,
    ) -> bytes:
        """One request and its whole answer, tried again while the server says it is busy.

        `allowed` is asked before every attempt: a write that waited for the server may have lost its right meanwhile.

        Raises:
            ApiError: as the server's Status says, or UnreachableError.
            FencedError: `allowed` said no; nothing was sent.
        """
        for attempt in range(1, ATTEMPTS + 1):
            if allowed is not None and not allowed():
                raise FencedError(0, "Fenced", f"{method} {path}: not sent, another replica may lead")
            headers = {"Content-Type": content_type} if body is not None else {}
            timeout = aiohttp.ClientTimeout(total=self._request_seconds, sock_connect=CONNECT_SECONDS)
            async with self._request(method, path, parameters, timeout, data=body, headers=headers) as answer:
                content = await answer.read()
                if answer.status < 300:
                    return content
                if answer.status == 401 and attempt == 1:
                    self._access.expire()
                    continue
                if answer.status not in _BUSY or attempt == ATTEMPTS:
                    raise api_error(answer.status, content, f"{method} {path}")
                wait = _retry_after(answer, attempt)
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def stream(
        self, path: str, parameters: Mapping[str, str], idle_seconds: float
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """An answer that is read while it arrives (watch, log); nothing for `idle_seconds` raises TimeoutError."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=idle_seconds)
        async with self._request("GET", path, parameters, timeout) as answer:
            if answer.status != 200:
                if answer.status == 401:
                    self._access.expire()
                raise api_error(answer.status, await answer.read(), f"GET {path}")
            yield answer.content

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own, per socket operation
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._http is None:
            raise RuntimeError("the client is not open: use `async with Client(access) as client`")
        headers = dict(options.pop("headers", {}))
        if authorization := await self._access.authorization():
            headers["Authorization"] = authorization
        try:
            async with self._http.request(
                method,
                self._access.server + path,
                params=parameters,
                headers=headers,
                timeout=timeout,
                server_hostname=self._access.tls_server_name,
                **options,
            ) as answer:
                yield answer
        except aiohttp.SocketTimeoutError as error:
            raise UnreachableError(0, "Idle", f"{method} {path}: {error or 'no answer in time'}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnreachableError(0, "Unreachable", f"{method} {path}: {error or type(error).__name__}") from error


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The complete lines of a stream, without their ends; a line may be of any length. A last half line is dropped."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    one = socket.socket(family, kind, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def _retry_after(answer: aiohttp.ClientResponse, attempt: int) -> float:
    """Seconds: as the server asks, else doubling from 0.2; a little random so that many clients spread."""
    asked = answer.headers.get("Retry-After", "")
    wait = float(asked) if asked.isdigit() else 0.1 * 2.0**attempt
    return min(wait, _LONGEST_WAIT) * random.uniform(1.0, 1.2)  # noqa: S311 - spreading, not secrecy
