"""Making the API server misbehave on purpose.

From Python: `server.faults`; from other processes: `control`.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from vipmgr.lab.apiserver.errors import StatusError

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class DropError(Exception):
    """Close the connection without an answer."""


@dataclass
class Faults:
    """`refuse`: cut every connection. `hang`: accept requests and never answer, until healed.

    `latency`: seconds before every answer. `error_rate`: share of requests answered 500. `throttle`: how many further
    requests are answered 429 with `Retry-After: retry_after`. `drop_after_writes`: after so many writes, the next one's
    connection is cut, `drop_applied` saying whether that write happens; one shot. `only`: restrict all of these to
    requests whose path contains this text.
    """

    refuse: bool = False
    hang: bool = False
    latency: float = 0.0
    error_rate: float = 0.0
    throttle: int = 0
    retry_after: int = 1
    drop_after_writes: int | None = None
    drop_applied: bool = False
    only: str = ""
    _healed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _dice: random.Random = field(default_factory=lambda: random.Random(0), repr=False)  # noqa: S311 - not a secret

    def heal(self) -> None:
        """Everything works again; requests that hang are answered."""
        for name, value in vars(Faults()).items():
            if not name.startswith("_"):
                setattr(self, name, value)
        self._healed.set()
        self._healed = asyncio.Event()

    def set(self, **wanted: object) -> None:
        """Set fields by name; TypeError for one there is not."""
        known = {name for name in vars(self) if not name.startswith("_")}
        if unknown := wanted.keys() - known:
            raise TypeError(f"no such fault: {', '.join(sorted(unknown))}")
        for name, value in wanted.items():
            setattr(self, name, value)

    async def before(self, method: str, path: str) -> bool:
        """Called before a request is served. True: serve it, then drop the connection (`dropped` says when)."""
        if self.only not in path:
            return False
        if self.refuse:
            raise DropError
        if self.hang:
            await self._healed.wait()
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.throttle > 0:
            self.throttle -= 1
            raise _too_many(self.retry_after)
        if self.error_rate and self._dice.random() < self.error_rate:
            raise StatusError(500, "InternalError", "Internal error occurred: injected fault")
        return self._drops(method)

    def _drops(self, method: str) -> bool:
        if method not in WRITES or self.drop_after_writes is None:
            return False
        if self.drop_after_writes > 0:
            self.drop_after_writes -= 1
            return False
        self.drop_after_writes = None
        if not self.drop_applied:
            raise DropError
        return True


def _too_many(retry_after: int) -> StatusError:
    message = "Too many requests, please try again later."
    error = StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})
    error.headers["Retry-After"] = str(retry_after)
    return error
