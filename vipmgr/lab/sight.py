"""What the client saw: a running prober, and its record judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from vipmgr.lab import outages
from vipmgr.lab.outages import Answer, Contest, Outage, Probe

PATIENCE_NS: Final = 20_000_000
"""an echo reply later than this is none: the request sat in a queue while nobody held the address"""


class Prober:
    """Watches VIPs from the client for as long as its block lasts; judges them then, or while it runs (`refresh`)."""

    def __init__(self, ask: Callable[..., Any], vips: Sequence[str], interval_ms: float, interface: str) -> None:
        self._ask = ask
        self._vips = vips
        self._interval_ms = interval_ms
        self._interface = interface
        self._number = 0
        self._record: dict[str, dict[str, list[list[Any]]]] = {}

    def __enter__(self) -> Self:
        self._number = self._ask(
            "probe", addresses=self._vips, interval_ms=self._interval_ms, interface=self._interface
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._record = self._ask("probed", number=self._number, stop=True)

    def refresh(self) -> None:
        """Take over what was seen so far."""
        self._record = self._ask("probed", number=self._number, stop=False)

    def probes(self, vip: str) -> list[Probe]:
        return [Probe(sent, answered, mac) for sent, answered, mac in self._record[vip]["probes"]]

    def outages(self, vip: str, since: int = 0) -> list[Outage]:
        """Those that ended after `since`, or have not ended (outages.outages)."""
        found = outages.outages(self.probes(vip), int(self._interval_ms * 1e6), PATIENCE_NS)
        return [outage for outage in found if not outage.ended or outage.ended > since]

    def dark_ms(self, vip: str, since: int = 0) -> float:
        """The longest outage that ended after `since`; infinite when it has not ended, or the VIP never answered."""
        found = self.outages(vip, since)
        if any(not outage.ended for outage in found) or not any(probe.answered for probe in self.probes(vip)):
            return float("inf")
        return max((outage.dark_ms for outage in found), default=0.0)

    def contests(self, vip: str, window_ms: float = 500) -> list[Contest]:
        """When two MACs answered ARP for it at once."""
        answers = [Answer(at, mac) for at, mac in self._record[vip]["answers"]]
        return outages.contests(answers, int(window_ms * 1e6))

    def holder(self, vip: str, macs: Mapping[str, str]) -> str:
        """The node whose MAC sent the newest answer; "" when none of these did. Takes over what was seen so far."""
        self.refresh()
        mac = next((probe.mac for probe in reversed(self.probes(vip)) if probe.answered), "")
        return macs.get(mac, "")

    def steady(self, quiet_ms: float = 200) -> bool:
        """Whether every VIP has answered everything for this long. Takes over what was seen so far, however long that
        takes: a long record on a busy machine takes longer than `quiet_ms`."""
        now = time.time_ns()
        self.refresh()
        for vip in self._vips:
            recent = [one for one in self.probes(vip) if now - quiet_ms * 1e6 < one.sent < now - PATIENCE_NS]
            if not recent or not all(probe.answered for probe in recent):
                return False
        return True
