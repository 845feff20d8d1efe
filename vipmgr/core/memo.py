"""A pure function that remembers its last call: equal arguments give the very same result again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Memo(Generic[P, R]):
    """Calls `function` unless all arguments equal those of the last call.

    Compares with `==`, so it cannot give a result that is out of date, provided that `function` is pure and nobody
    writes into arguments or results. A map whose values are the same objects as last time compares in about 10 ns per
    value; one that differs costs no more than up to its first difference.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        self._last: tuple[tuple[object, ...], dict[str, object], R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        last = self._last
        if last is not None and last[0] == args and last[1] == kwargs:
            return last[2]
        result = self._function(*args, **kwargs)
        self._last = (args, kwargs, result)
        return result
