"""When to compute again: at once while it is cheap, less often the dearer it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHARE: Final = 0.25
"""of one core, at most, goes into computing while changes keep coming"""
GATHER: Final = 0.004
"""seconds after a change in which others may join it"""
LONGEST_REST: Final = 3.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 30.0


def failed_pause(failures: int) -> float:
    """Seconds to wait after a pass that failed, with so many that failed just before: 0.2, 0.4 … 30."""
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 16), _LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class Pace:
    """`cost`: seconds of CPU of the last pass; `ended`: when it ended. Times are of one clock."""

    cost: float = 0.0
    ended: float = float("-inf")

    def next_start(self, changed_at: float) -> float:
        """When the pass for a change seen at `changed_at` should begin."""
        rest = min(self.cost * (1 / SHARE - 1), LONGEST_REST)
        return max(changed_at + GATHER, self.ended + rest)
