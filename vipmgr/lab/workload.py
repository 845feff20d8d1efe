"""What would answer on a node in a real cluster: pods behind kube-proxy on a Service's ports, and its health check.

Every port of every Service is open on all addresses of the node, so the node that holds the VIP answers: a TCP client
reads `NODE\\n` and gets its bytes back; a UDP datagram comes back with `NODE ` before it. The health check answers as
kube-proxy does: 200 with local endpoints, 503 without.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping

Port = tuple[str, int]
"""("TCP" or "UDP", number)"""


class Workload:
    def __init__(self, node: str) -> None:
        self._greeting = node.encode()
        self._open: dict[Port, asyncio.Server | _Datagrams] = {}
        self._checks: dict[int, asyncio.Server] = {}
        self._local_endpoints: dict[int, int] = {}
        self._lock = asyncio.Lock()

    async def serve(self, ports: set[Port], health: Mapping[str, int]) -> None:
        """Open exactly these ports. `health`: health check port -> number of ready endpoints on this node."""
        async with self._lock:
            self._local_endpoints = {int(port): count for port, count in health.items()}
            for gone in self._open.keys() - ports:
                self._open.pop(gone).close()
            for new in ports - self._open.keys():
                self._open[new] = await self._answer_on(*new)
            for stale in self._checks.keys() - self._local_endpoints.keys():
                self._checks.pop(stale).close()
            for fresh in self._local_endpoints.keys() - self._checks.keys():
                self._checks[fresh] = await asyncio.start_server(self._check, sock=_listen("TCP", fresh))

    async def _answer_on(self, kind: str, port: int) -> asyncio.Server | _Datagrams:
        if kind == "TCP":
            return await asyncio.start_server(self._echo, sock=_listen(kind, port))
        return _Datagrams(self._greeting, _listen(kind, port))

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(self._greeting + b"\n")
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _check(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            count = self._local_endpoints.get(writer.get_extra_info("sockname")[1], 0)
            body = json.dumps({"localEndpoints": count}).encode()
            status = "200 OK" if count else "503 Service Unavailable"
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()


class _Datagrams:
    """Answers from the address that was asked (IPV6_PKTINFO, RFC 3542 section 6), which a plain UDP socket on all
    addresses would not."""

    def __init__(self, greeting: bytes, ear: socket.socket) -> None:
        self._greeting = greeting
        self._ear = ear
        ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        asyncio.get_running_loop().add_reader(ear, self._answer)

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            data, control, _, client = self._ear.recvmsg(65535, 64)
            self._ear.sendmsg([self._greeting, b" ", data], control, 0, client)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ear)
        self._ear.close()


def _listen(kind: str, port: int) -> socket.socket:
    """Both families in one socket."""
    ear = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if kind == "TCP" else socket.SOCK_DGRAM)
    ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ear.bind(("::", port))
    ear.setblocking(False)
    if kind == "TCP":
        ear.listen(64)
    return ear
