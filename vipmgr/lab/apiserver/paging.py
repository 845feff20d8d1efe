"""Lists in pages: all pages of one list show the same moment, as they do when etcd serves them."""

from __future__ import annotations

import base64
import itertools
from collections import OrderedDict
from typing import Final

from vipmgr.lab.apiserver.errors import bad_request, expired
from vipmgr.lab.apiserver.store import Record

_KEPT: Final = 64


class Snapshots:
    """What is left of lists being read. The oldest is forgotten first; its reader gets 410 and starts again."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[list[Record], int]] = OrderedDict()
        self._ids = itertools.count(1)

    def page(self, records: list[Record], revision: int, limit: int) -> tuple[list[Record], str, int]:
        """(first page, continue token, number of items left)."""
        if not limit or len(records) <= limit:
            return records, "", 0
        name = str(next(self._ids))
        self._left[name] = (records, revision)
        if len(self._left) > _KEPT:
            self._left.popitem(last=False)
        return records[:limit], _token(name, limit), len(records) - limit

    def following(self, token: str, limit: int) -> tuple[list[Record], str, int, int]:
        """(page, continue token, number of items left, revision of the list). 410 when it is forgotten."""
        name, start = _parsed(token)
        if name not in self._left:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter."
            )
        records, revision = self._left[name]
        end = start + limit if limit else len(records)
        if end >= len(records):
            return records[start:], "", 0, revision
        return records[start:end], _token(name, end), len(records) - end, revision

    def forget(self) -> None:
        self._left.clear()


def _token(name: str, start: int) -> str:
    return base64.urlsafe_b64encode(f"{name}:{start}".encode()).decode()


def _parsed(token: str) -> tuple[str, int]:
    try:
        name, start = base64.urlsafe_b64decode(token).decode().split(":")
        return name, int(start)
    except ValueError as error:
        raise bad_request(f"continue key is not valid: {error}") from error
