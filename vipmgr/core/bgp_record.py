"""Of all nodes' audit lines, those of BGP: sessions that rise and fall, addresses announced and withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.bgp_report import ESTABLISHED

_EVENTS: Final = frozenset({Event.BGP_SESSION, Event.BGP_ANNOUNCED, Event.BGP_WITHDRAWN, Event.GOBGPD_FOUND})


class BgpRow(NamedTuple):
    """One line. `up`: of a session. `fresh`: a gobgpd was found that had no session. `kept`: AuditLine.kept_seconds."""

    at: float
    seq: int
    node: str
    boot: str
    event: str
    peer: str
    address: str
    up: bool
    fresh: bool
    vips: tuple[str, ...]
    peers: tuple[str, ...]
    families: tuple[str, ...]
    kept: int
    reason: str
    evidence: str


class BgpRecord:
    def __init__(self) -> None:
        self._rows: list[tuple[BgpRow, float]] = []

    def add(self, line: AuditLine, at: float) -> bool:
        """False: it is not about BGP."""
        if line.event not in _EVENTS:
            return False
        row = BgpRow(
            at,
            line.seq,
            line.node,
            line.boot,
            line.event,
            line.peer,
            line.address,
            line.to == ESTABLISHED,
            line.event == Event.GOBGPD_FOUND and not line.sessions,
            line.vips,
            line.peers,
            line.families,
            line.kept_seconds,
            line.reason,
            line.evidence,
        )
        self._rows.append((row, line.monotonic))
        return True

    def rows(self, offsets: Mapping[tuple[str, str], float]) -> Iterator[BgpRow]:
        """`offsets`: (node, boot) -> wall clock minus monotonic clock, of runs in which the clock was set."""
        for row, monotonic in self._rows:
            offset = offsets.get((row.node, row.boot))
            yield row if offset is None or not monotonic else row._replace(at=monotonic + offset)

    def forget(self, before: float) -> None:
        """Of what is older, keep what tells the present: each session's newest line, the addresses still announced."""
        older = [pair for pair in self._rows if pair[0].at < before]
        self._rows = [*_present(older), *(pair for pair in self._rows if pair[0].at >= before)]


def _present(older: Iterable[tuple[BgpRow, float]]) -> Iterator[tuple[BgpRow, float]]:
    sessions: dict[tuple[str, str], tuple[BgpRow, float]] = {}
    announced: dict[tuple[str, str], tuple[BgpRow, float]] = {}
    for pair in older:
        row = pair[0]
        if row.event == Event.BGP_SESSION:
            sessions[row.node, row.address] = pair
        elif row.event == Event.BGP_ANNOUNCED:
            announced |= {(row.node, vip): pair for vip in row.vips}
        else:
            for vip in row.vips:
                announced.pop((row.node, vip), None)
    yield from sessions.values()
    vips: dict[tuple[str, str, int], tuple[BgpRow, float, list[str]]] = {}
    for (_, vip), (row, monotonic) in announced.items():
        vips.setdefault((row.node, row.boot, row.seq), (row, monotonic, []))[2].append(vip)
    for row, monotonic, still in vips.values():
        yield row._replace(vips=tuple(still)), monotonic
