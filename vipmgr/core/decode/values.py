"""The small grammars inside fields: durations, sets of VRIDs, times, selectors."""

from __future__ import annotations

import re
from datetime import MAXYEAR, UTC, datetime
from typing import Final

from vipmgr.core import wire
from vipmgr.core.model import Requirement, Selector

_UNITS: Final = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST: Final = 2.0**63 / 1e6
"""milliseconds: Go counts nanoseconds in 63 bits"""
_OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""stands for a creation time nobody sent, as in manifests that no server has seen"""


def natural(text: str, limit: int) -> int | None:
    """The number that ASCII digits write, up to `limit`; None otherwise."""
    if not (text.isascii() and text.isdecimal() and len(text.lstrip("0")) <= len(str(limit))):
        return None
    number = int(text.lstrip("0") or "0")
    return number if number <= limit else None


def milliseconds(text: str) -> float:
    """A Go-style duration: 100ms, 1.5s, 1m30s, 0. ValueError otherwise, or when it is longer than Go's longest."""
    text = text.strip()
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; expected something like 100ms, 1s or 1m30s")
    found = sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    if found > _LONGEST:
        raise ValueError(f"{text[:20]!r} is too long a duration")
    return found


def vrid_set(text: str) -> frozenset[int]:
    """ "1-50,60" -> those virtual router IDs. ValueError names the part outside 1-255 or out of order."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        low, high = natural(first, 0xFFFF), natural(last if dash else first, 0xFFFF)
        if low is None or high is None:
            raise ValueError(f"{part.strip()!r} is no virtual router ID and no range of them; expected e.g. 1-50,60")
        if not 1 <= low <= high <= 255:
            raise ValueError(f"{part.strip()!r} does not lie within 1-255 from low to high")
        found.update(range(low, high + 1))
    return frozenset(found)


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 time in UTC; None when there is none, it is none, or it is too far off to count on from there."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year < MAXYEAR else None


def created(metadata: wire.Metadata) -> datetime:
    return moment(metadata.creation_timestamp) or BEGINNING


def selector(found: wire.LabelSelector) -> Selector:
    """ValueError: an operator nobody knows, or In/NotIn without values."""
    expressions = []
    for one in found.match_expressions or ():
        if one.operator not in _OPERATORS:
            raise ValueError(f"operator {one.operator!r} of key {one.key!r} is not In, NotIn, Exists or DoesNotExist")
        if one.operator in ("In", "NotIn") and not one.values:
            raise ValueError(f"operator {one.operator} of key {one.key!r} has no values")
        expressions.append(Requirement(one.key, one.operator, frozenset(one.values or ())))
    return Selector(tuple(sorted((found.match_labels or {}).items())), tuple(expressions))
