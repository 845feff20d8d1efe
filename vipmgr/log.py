"""Log lines are events with facts, one JSON object per line: log.info("vip.assigned", vip=..., service=...).

Event names are noun.verb, dotted and stable. Operators filter on them, and the audit uses the same names.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

_STDLIB = ("exc_info", "stack_info", "stacklevel")


class EventLog(logging.LoggerAdapter[logging.Logger]):
    """log.info("vip.assigned", vip=vip): an event name, then facts, never a sentence."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        keep = {name: kwargs.pop(name) for name in _STDLIB if name in kwargs}
        return msg, keep | {"extra": {"facts": {**(self.extra or {}), **kwargs}}}

    def bind(self, **facts: object) -> EventLog:
        return EventLog(self.logger, {**(self.extra or {}), **facts})


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "source": record.name,
        }
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, separators=(",", ":"))


def get_log(name: str) -> EventLog:
    """The log of one module: get_log(__name__)."""
    return EventLog(logging.getLogger(name), {})


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (standard error) as JSON. Called once, by the command line."""
    out = logging.StreamHandler(stream or sys.stderr)
    out.setFormatter(_JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[out], force=True)
