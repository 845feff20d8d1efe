"""How commands and tests talk to a lab: JSON objects, one a line, over a unix socket in the lab's folder.

{"do": "fault", ...}  ->  {"done": RESULT}  or  {"error": "what, in a sentence"}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from vipmgr.errors import FatalError, RejectedError, TemporaryError, UsageError

SOCKET: Final = "control.sock"
LINE_LIMIT: Final = 1 << 28
"""bytes: a prober's whole record comes back as one line"""

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]
EXPECTED = (TemporaryError, RejectedError, FatalError, UsageError, KeyError, ValueError, OSError)


class LabError(FatalError):
    """The lab refused, or it is gone."""


class Line:
    """A connection to a running lab, for one caller at a time."""

    def __init__(self, state: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(state / SOCKET))
        except OSError as error:
            self._socket.close()
            raise LabError(f"lab {state.name} does not answer: {error.strerror}") from error
        self._lines = self._socket.makefile("r")

    def ask(self, do: str, **parameters: Any) -> Any:
        """What the lab returns. LabError with its own words when it refuses."""
        try:
            self._socket.sendall(json.dumps({"do": do} | parameters).encode() + b"\n")
            answer = self._lines.readline()
        except OSError as error:
            raise LabError(f"the lab went away: {error.strerror}") from error
        if not answer:
            raise LabError("the lab went away")
        heard = json.loads(answer)
        if "error" in heard:
            raise LabError(heard["error"])
        return heard["done"]

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


async def serve(state: Path, handler: Handler) -> asyncio.Server:
    """Answer callers until the server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            async for line in reader:
                writer.write(json.dumps(await _outcome(handler, line), separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, state / SOCKET, limit=LINE_LIMIT)


async def _outcome(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        return {"done": await handler(json.loads(line))}
    except EXPECTED as error:
        return {"error": str(error) or type(error).__name__}
