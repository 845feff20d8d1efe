"""Times as an operator types them."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

from vipmgr.errors import UsageError

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """`90s`, `100ms`, `1h`, `1h30m` -> seconds. Raises UsageError."""
    parts: list[tuple[str, str]] = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text}: expected a duration such as 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def moment(text: str) -> float:
    """A duration ago, or an RFC 3339 time -> seconds since the epoch. Raises UsageError."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return time.time() - duration(text)
