"""The log of a keepalived that vipmgr never saw: prefix off, time read, transitions out as audit lines.

Prefixes understood: keepalived's own (`Sun Nov 22 18:45:05 2026: `, what -l prints), syslog (`Nov 22 18:45:05 host
Keepalived_vrrp[77]: `, no year, no zone), RFC 3339 (`2026-11-22T18:45:05.123456+00:00 host Keepalived_vrrp[77]: `, also
`journalctl -o short-iso`), `journalctl -o json`, and a container runtime's in front of any of these. A message without
a time takes the time of the line before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.transitions import Contested, Merger, Transition

_MONTHS: Final[Mapping[str, int]] = MappingProxyType(
    {
        name: number
        for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)  # noqa: SIM905
    }
)
_CTIME: Final = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d+))? (\d{4}): ")
_SYSLOG: Final = re.compile(r"(?:<\d+>)?([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d+))? (\S+) ")
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) ")
_STREAM: Final = re.compile(r"std(?:out|err) [FP] ")
_HOST: Final = re.compile(r"(\S+) (?=\S*[Kk]eepalived)")
_PROGRAM: Final = re.compile(r"\S*[Kk]eepalived\S*?(?:\[\d+\])?: ")


class LogLine(NamedTuple):
    """`at`: None when the line has no time. `host`: "" when it has none. `precision`: seconds `at` may be early."""

    at: datetime | None
    host: str
    message: str
    precision: float


def read_log_line(line: str, *, newest: datetime, zone: tzinfo = UTC) -> LogLine:
    """Take the prefix off. `newest`: no line is younger, which gives syslog lines their year. `zone`: of bare times."""
    if line.startswith("{"):
        return _journal(line)
    at, host, precision, rest = None, "", 1.0, line.strip()
    if iso := _ISO.match(rest):
        at, precision, rest = _iso_time(iso[1], zone), 0.0 if "." in iso[1] else 1.0, rest[iso.end() :]
        if stream := _STREAM.match(rest):
            rest = rest[stream.end() :]
    if ctime := _CTIME.match(rest):
        # keepalived's own clock, unless a finer one stood before it
        own = _time(ctime[7], ctime[1], ctime.group(2, 3, 4, 5, 6), zone)
        at, rest = at or own, rest[ctime.end() :]
        precision = precision if iso or not ctime[6] else 0.0
    elif syslog := _SYSLOG.match(rest):
        at = at or _latest(syslog[1], syslog.group(2, 3, 4, 5, 6), newest, zone)
        host, rest = syslog[7], rest[syslog.end() :]
        precision = 0.0 if syslog[6] else precision
    elif named := _HOST.match(rest):
        host, rest = named[1], rest[named.end() :]
    if program := _PROGRAM.match(rest):
        rest = rest[program.end() :]
    return LogLine(at, host, rest, precision)


def _journal(line: str) -> LogLine:
    try:
        entry = msgspec.json.decode(line, type=dict[str, object])
        at = datetime.fromtimestamp(int(str(entry["__REALTIME_TIMESTAMP"])) / 1e6, UTC)
    except (msgspec.DecodeError, KeyError, ValueError, OverflowError):
        return LogLine(None, "", "", 1.0)
    return LogLine(at, str(entry.get("_HOSTNAME", "")), str(entry.get("MESSAGE", "")), 0.0)


def _iso_time(text: str, zone: tzinfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(re.sub(r"([.]\d{6})\d+", r"\1", text.replace(",", ".")))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _time(year: str | int, month: str, rest: tuple[str, ...], zone: tzinfo) -> datetime | None:
    day, hour, minute, second, fraction = rest
    try:
        return datetime(
            int(year),
            _MONTHS[month],
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=zone,
        )
    except (ValueError, KeyError):
        return None


def _latest(month: str, rest: tuple[str, ...], newest: datetime, zone: tzinfo) -> datetime | None:
    """The last such day not after `newest` (a day of grace for clocks and zones)."""
    this_year = _time(newest.year, month, rest, zone)
    if this_year is not None and this_year <= newest + timedelta(days=1):
        return this_year
    return _time(newest.year - 1, month, rest, zone)


class BareLog:
    """The log of one machine, line by line -> audit lines. `node`: "" takes the host name in the lines, or `fallback`.

    A bare log knows neither priorities nor VIPs nor advert intervals; `advert_ms` is the operator's word for it.
    """

    def __init__(
        self, node: str, *, newest: datetime, zone: tzinfo = UTC, advert_ms: int = 0, fallback: str = ""
    ) -> None:
        self.node = node
        self._fallback = fallback
        self._newest = newest
        self._zone = zone
        self._advert_ms = advert_ms
        self._merger = Merger(fifo=False)
        self._at: datetime | None = None

    def feed(self, line: str) -> Iterator[AuditLine]:
        said = read_log_line(line, newest=self._newest, zone=self._zone)
        self._at = said.at or self._at
        self.node = self.node or said.host
        if self._at is None or not said.message:
            return
        for output in self._merger.feed_log(said.message, self._at.timestamp()):
            yield self._line(output, said.precision)

    def _line(self, output: Transition | Contested, precision: float) -> AuditLine:
        assert self._at is not None  # noqa: S101 - no output without a time
        line = AuditLine(
            time=self._at,
            node=self.node or self._fallback or "unknown",
            event=Event.CONTESTED,
            instance=output.instance,
            priority=output.priority,
            advert_ms=self._advert_ms,
            evidence=output.evidence,
            precision=precision,
        )
        if isinstance(output, Contested):
            line.source = output.source
        else:
            line.event, line.from_, line.to = Event.TRANSITION, output.was.value, output.now.value
            line.reason = output.reason.value
        return line
