"""What the client saw, judged while its record grows."""

from __future__ import annotations

import time

from vipmgr.lab.sight import Prober

VIP = "10.0.0.5"
STEP_NS = 5_000_000


def watching(dark_ms: float = 0.0, takes: float = 0.0) -> Prober:
    """A prober that asked every 5 ms in the last second, in vain for the last `dark_ms`; its record takes its time."""

    def ask(do: str, **_) -> object:
        if do == "probe":
            return 1
        now = time.time_ns()
        sent = range(now - 1_000_000_000, now, STEP_NS)
        time.sleep(takes)
        probes = [[at, at + 100_000 if at < now - dark_ms * 1e6 else 0, "02:00:00:00:00:01"] for at in sent]
        return {VIP: {"probes": probes, "answers": []}}

    return Prober(ask, [VIP], 5, "eth0")


def test_an_address_is_steady_however_long_the_record_takes_to_arrive():
    assert watching(takes=0.3).steady()


def test_an_address_that_did_not_answer_a_moment_ago_is_not_steady():
    assert not watching(dark_ms=60).steady()
    assert not watching(dark_ms=60, takes=0.1).steady()
