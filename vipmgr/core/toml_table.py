"""Tables of a TOML text whose keys are taken out one by one: what is of another type is said by its place, and so is
what nobody took. Keys in any case, numbers also as text, as viper reads them (which GoBGP and OpenELB use)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TOP: Final = 0xFFFF_FFFF


@dataclass(slots=True)
class Said:
    """Everything to be said about a text, and its tables, to ask at the end what nobody took out of them."""

    source: str
    problems: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def wrong(self, path: str, what: str) -> None:
        self.problems.append(f"{self.source}: {path}: {what}")

    def close(self) -> None:
        for table in self.tables:
            for key in table.left():
                self.wrong(f"{table.path}{key}", "is not known")


class Table:
    """One table of the text; its keys are taken out one by one."""

    def __init__(self, found: dict[str, Any], path: str, said: Said) -> None:
        self._left = dict(found)
        self.path = path
        self.said = said
        said.tables.append(self)

    def left(self) -> Iterable[str]:
        return self._left

    def at(self, key: str) -> str:
        return f"{self.path}{key}"

    def wrong(self, key: str, what: str) -> None:
        self.said.wrong(self.at(key), what)

    def ignore(self, key: str) -> None:
        if self._left.pop(key, None) not in (None, "", [], {}):
            self.said.ignored.append(f"{self.said.source}: {self.at(key)}")

    def text(self, key: str) -> str:
        found = self._left.pop(key, "")
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
        self.wrong(key, "is no text")
        return ""

    def one_of(self, key: str, words: Iterable[str], usual: str = "") -> str:
        found = self.text(key).lower() or usual
        if found in ("", *words):
            return found
        self.wrong(key, f"{found!r} is none of {', '.join(words)}")
        return usual

    def number(self, key: str, most: int = TOP) -> int:
        text = self.text(key) or "0"
        if text.isdecimal() and int(text) <= most:
            return int(text)
        self.wrong(key, f"{text!r} is no number from 0 to {most}")
        return 0

    def texts(self, key: str, check: Callable[[str], object] | None = None) -> tuple[str, ...]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str | int) for one in found):
            self.wrong(key, "is no list of texts")
            return ()
        texts = tuple(str(one) for one in found)
        for index, one in enumerate(texts if check is not None else ()):
            try:
                check(one)  # type: ignore[misc]
            except (ValueError, re.error) as error:
                self.wrong(f"{key}[{index}]", f"{one!r}: {error}")
        return texts

    def table(self, key: str) -> Table:
        found = self._left.pop(key, {})
        if not isinstance(found, dict):
            self.wrong(key, "is no table")
            found = {}
        return Table(found, f"{self.at(key)}.", self.said)

    def tables(self, key: str) -> Sequence[Table]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.wrong(key, "is no list of tables")
            return ()
        return [Table(one, f"{self.at(key)}[{index}].", self.said) for index, one in enumerate(found)]


def lowered(found: Any) -> Any:
    match found:
        case dict():
            return {key.lower(): lowered(value) for key, value in found.items()}
        case list():
            return [lowered(one) for one in found]
    return found
