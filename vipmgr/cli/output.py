"""What a command prints: aligned tables for people, JSON and YAML for machines. Colour only on a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec

RED: Final = "31"
YELLOW: Final = "33"
GREEN: Final = "32"
BOLD: Final = "1"


def add_output_option(parser: argparse.ArgumentParser, *formats: str) -> None:
    parser.add_argument("-o", "--output", choices=formats, default=formats[0], help="how to print [%(default)s]")


def coloured(stream: TextIO) -> bool:
    """https://no-color.org: any value of NO_COLOR but the empty one turns colour off."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if text and coloured(stream or sys.stdout) else text


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines with every column as wide as its widest cell; the last one is not padded."""
    cells = [tuple(headers), *(tuple(row) for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headers))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def dump(value: Any, output: str) -> str:
    """`value` (plain, or dataclasses and structs) as json or yaml, keys in their own order."""
    plain = msgspec.to_builtins(value)
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
    import yaml  # noqa: PLC0415 - only -o yaml pays for it

    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)).rstrip("\n")


def show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()


def ago(seconds: float) -> str:
    """A duration in the two largest units that matter: 4s, 3m12s, 5h02m, 12d04h."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d{hours:02}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{whole % 60:02}s" if minutes else f"{whole}s"


def clock_time(seconds: float, now: float) -> str:
    """In the reader's own time zone, to the millisecond; the date only when it is another day."""
    at, today = datetime.fromtimestamp(seconds).astimezone(), datetime.fromtimestamp(now).astimezone().date()
    text = at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03}"
    return text if at.date() == today else f"{at:%Y-%m-%d} {text}"


def iso(seconds: float | None) -> str | None:
    """RFC 3339 in UTC with microseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shortened(items: Sequence[str], limit: int = 3) -> str:
    """The first few, and how many more."""
    more = len(items) - limit
    return ", ".join(items[:limit]) + (f" +{more}" if more > 0 else "")
