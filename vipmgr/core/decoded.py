"""Decoded objects, remembered; one that cannot be read is nobody else's trouble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from vipmgr.core.model import Problem, Reason

W = TypeVar("W")
V = TypeVar("V")


class _Entry(NamedTuple, Generic[W, V]):
    found: W
    value: V | None
    problem: Problem | None


class Decoded(Generic[W, V]):
    """The decoded form of each object, decoded anew only when the object is another one than last time.

    No decoder should raise. Where one does all the same, `instead(object, what it said last, problem)` counts: by
    default what it said last, and one that was never read is left out. `decode` may leave out objects, too (None).
    """

    def __init__(
        self,
        kind: str,
        decode: Callable[[W], V | None],
        instead: Callable[[W, V | None, Problem], V | None] = lambda _, last, __: last,
    ) -> None:
        self._kind = kind
        self._decode = decode
        self._instead = instead
        self._last: dict[str, _Entry[W, V]] = {}

    def of(self, found: Mapping[str, W]) -> dict[str, V]:
        last, fresh = self._last, {}
        for key, one in found.items():
            known = last.get(key)
            fresh[key] = known if known is not None and known.found is one else self._read(key, one, known)
        self._last = fresh
        return {key: entry.value for key, entry in fresh.items() if entry.value is not None}

    @property
    def problems(self) -> list[Problem]:
        """About "Kind/key": the objects of the last call that cannot be read."""
        return [entry.problem for entry in self._last.values() if entry.problem is not None]

    def _read(self, key: str, one: W, known: _Entry[W, V] | None) -> _Entry[W, V]:
        try:
            return _Entry(one, self._decode(one), None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other objects go on
            why = f"{type(error).__name__}: {error}"
            problem = Problem(f"{self._kind}/{key}", Reason.UNREADABLE, f"cannot be read, {why}")
            return _Entry(one, self._instead(one, known.value if known is not None else None, problem), problem)
