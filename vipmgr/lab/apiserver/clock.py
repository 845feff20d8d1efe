"""The time as it stands in objects."""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime


def now() -> str:
    """RFC 3339, in whole seconds."""
    return _written(int(time.time()))


@functools.lru_cache(maxsize=4)
def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
