"""Has this node endpoints of a Service? The answers of kube-proxy's healthCheckNodePort, steadied.

Losing the last endpoint drops every packet (externalTrafficPolicy: Local), so NO is believed when it is heard twice in
quick succession; gaining one is believed after `RISE` answers in a row, so that a flapping pod does not carry a VIP
around. No answer at all is not a no: kube-proxy may be restarting while its rules still work.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

FALL: Final = 2
RISE: Final = 3
PERIOD: Final = 1.0
HURRY: Final = 0.1


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    NONE = "none"


class _Body(msgspec.Struct):
    local_endpoints: int | None = msgspec.field(name="localEndpoints", default=None)


def read_answer(status: int, body: bytes) -> Answer:
    """kube-proxy: 200 with local endpoints, 503 without; JSON with `localEndpoints` either way."""
    try:
        count = msgspec.json.decode(body, type=_Body).local_endpoints
    except msgspec.DecodeError:
        count = None
    if count is not None:
        return Answer.YES if count > 0 else Answer.NO
    return {200: Answer.YES, 503: Answer.NO}.get(status, Answer.NONE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`healthy` is acted on; `streak` counts answers in a row against it."""

    healthy: bool = True
    streak: int = 0

    def after(self, answer: Answer) -> Verdict:
        if answer is Answer.NONE or (answer is Answer.YES) == self.healthy:
            return Verdict(self.healthy) if answer is not Answer.NONE else self
        streak = self.streak + 1
        if streak >= (FALL if self.healthy else RISE):
            return Verdict(not self.healthy)
        return Verdict(self.healthy, streak)

    @property
    def pause(self) -> float:
        """Seconds until the next question: soon while the answer is in doubt."""
        return HURRY if self.streak else PERIOD
