"""Reads the fields of an object one by one: what cannot be read becomes a problem that names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from vipmgr.core.model import Problem, Reason

T = TypeVar("T")


class Reader:
    """Collects what is wrong with the fields of one object, "Kind/name"."""

    def __init__(self, about: str) -> None:
        self._about = about
        self.problems: list[Problem] = []

    def wrong(self, field: str, reason: Reason, what: str) -> None:
        self.problems.append(Problem(self._about, reason, f"{field}: {what}"))

    def read(self, field: str, parse: Callable[[], T], instead: T, reason: Reason = Reason.BAD_VALUE) -> T:
        """What `parse` gives, or `instead` and a problem with its words."""
        try:
            return parse()
        except ValueError as error:
            self.wrong(field, reason, str(error))
            return instead

    def within(self, field: str, value: T, *, ok: bool, expected: str, instead: T) -> T:
        if ok:
            return value
        self.wrong(field, Reason.BAD_VALUE, f"{value} is not {expected}")
        return instead
