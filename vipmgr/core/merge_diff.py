"""The JSON merge patch (RFC 7386) that turns one object into another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Empty when they are equal. Lists are replaced whole; a member that is gone becomes null."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name in before and old == value:
            continue
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            patch[name] = merge_diff(old, value)
        else:
            patch[name] = value
    return patch
