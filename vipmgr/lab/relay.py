"""Carries TCP connections across the border of the lab's network namespace, one way each relay.

Out: the kubectl of the person who runs the lab reaches the API server inside. In: the lab's programs reach a cluster
that KUBECONFIG names. A socket belongs to the namespace it was made in, so both ends live in this one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

CHUNK = 1 << 16

Connect = Callable[[], socket.socket]
"""makes an unconnected, non-blocking TCP socket in the right namespace"""


def listener(address: str, port: int = 0) -> socket.socket:
    """Listening, in the network namespace of the calling thread."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ear.bind((address, port))
    ear.listen(64)
    ear.setblocking(False)
    return ear


def tcp_socket() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setblocking(False)
    return one


async def relay(ear: socket.socket, connect: Connect, target: tuple[str, int], gate: asyncio.Event) -> asyncio.Server:
    """Everything that comes in at `ear` goes on to `target` while `gate` is set; while it is not, nothing moves."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        far = connect()
        try:
            await asyncio.get_running_loop().sock_connect(far, target)
        except OSError:
            far.close()
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=far)
        await asyncio.gather(_pump(reader, far_writer, gate), _pump(far_reader, writer, gate))

    return await asyncio.start_server(carry, sock=ear)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            await gate.wait()
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
