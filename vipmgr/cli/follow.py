"""vipmgr audit --follow: the record grows, and what it newly shows is told, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from vipmgr.cli.output import show
from vipmgr.core.audit_line import AuditLine
from vipmgr.core.findings import Report
from vipmgr.core.ledger import Ledger
from vipmgr.core.news import Finding, News

LOOK_EVERY: Final = 0.5
SETTLE: Final = 1.0
"""Seconds that a finding waits for lines of other nodes about the same moment."""
STILL: Final = 10.0
"""Seconds after the last line in which time alone may show something: an address that nobody took."""
KEEP: Final = 1000
"""Transitions that are judged again at each look, besides where each node stands (python -m bench.audit: the cost)."""


class Follower:
    """`judge()` makes the report of the ledger as it is; `tell(findings)` makes lines for the reader."""

    def __init__(
        self,
        ledger: Ledger,
        judge: Callable[[], Report],
        tell: Callable[[Iterable[Finding]], Iterable[str]],
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._tell = tell
        self._news = News()
        self._until = time.time() + STILL

    def take(self, line: AuditLine) -> None:
        if self._ledger.add(line):
            self._until = time.time() + STILL

    def look(self) -> None:
        """Tell what is new. A look at a record that has long been still costs nothing."""
        now = time.time()
        if now > self._until:
            return
        report = self._judge()
        show(self._tell(self._news.of(report, before=now - SETTLE, since=self._ledger.whole_since)))
        self._ledger.forget(KEEP)

    async def look_again(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY)
