"""How long a client sees a VIP dark, fault by fault and advert interval by advert interval.

    .venv/bin/python bench/failover.py [--trials 20] [--adverts 1s 100ms 10ms] [--faults cut kill ...]

Method: a lab of three nodes (network namespaces, real keepalived, real agents and controller); a client sends an ICMP
echo to the VIP every 5 ms (2 ms at 10 ms adverts), in real-time scheduling; dark is from the last answered probe to the
first answered one after the lost ones, less one interval; nodes are put back in order before the next trial.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vipmgr.lab.client import Lab
from vipmgr.lab.control import LabError
from vipmgr.lab.demo import MANIFESTS, SERVICE
from vipmgr.lab.sight import Prober
from vipmgr.lab.trial import measure
from vipmgr.lab.verdicts import Seen, audit, compare

FAULTS = {  # what is measured -> (faults, what undoes them, whether the VIP must move)
    "kill": (("kill",), ("start",), True),
    "cut": (("cut",), ("heal",), True),
    "silent-cut": (("silent-cut",), ("heal",), True),
    "keepalived-term": (("keepalived-term",), (), True),
    "drain": (("drain",), ("undrain",), True),
    "stop": (("stop",), ("cont",), True),
    "heal after split": (("heal",), (), None),
    "agent-term": (("agent-term",), (), False),
}
ADVERTS = {"1s": 1.0, "100ms": 0.1, "10ms": 0.01}
BEFORE = {"heal after split": "split"}


class Row(NamedTuple):
    advert: str
    fault: str
    seen: list[Seen]
    agreed: int


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--adverts", nargs="+", choices=ADVERTS, default=list(ADVERTS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    args = parser.parse_args(argv)
    print(f"{machine()}; {args.trials} trials each; client's dark time in ms\n")
    print(f"{'ADVERT':7} {'FAULT':18} {'MIN':>8} {'MEDIAN':>8} {'P90':>8} {'MAX':>8}  {'N':>3}  AUDIT AGREES")
    for advert in args.adverts:
        for row in run(advert, args.faults, args.trials):
            print(line(row), flush=True)
    return 0


def run(advert: str, faults: Sequence[str], trials: int) -> Iterator[Row]:
    manifests = MANIFESTS.replace("  interface: eth0\n", f"  interface: eth0\n  vrrp: {{advertInterval: {advert}}}\n")
    watch = 4.0 if advert == "1s" else 1.5
    with Lab(nodes=3) as lab:
        lab.apply(manifests)
        vip = lab.wait_for_vip(SERVICE, 30)
        for fault in faults:
            seen = [trial(lab, vip, fault, watch, advert) for _ in range(trials)]
            report = audit(lab.audit_text())
            objections = [verdict.objection for one in seen for verdict in [compare(one, report)] if verdict.objection]
            yield Row(advert, fault, seen, len(seen) - len(objections))
            print(f"{advert} {fault} done", *objections, sep="\n  ", file=sys.stderr)


def trial(lab: Lab, vip: str, fault: str, watch: float, advert: str) -> Seen:
    happens, mended, moves = FAULTS[fault]
    lab.wait(lambda: lab.converged(vip), "everything is in order", 60)
    with lab.prober(vip, interval_ms=2 if advert == "10ms" else 5) as prober:
        lab.wait(prober.steady, f"{vip} answers", 30)
        victim = lab.holder(vip)
        if fault in BEFORE:
            lab.fault(BEFORE[fault], victim)
            _split(lab, prober, vip)
        seen = measure(lab, prober, vip, [(one, victim) for one in happens], moves=moves, watch=watch)
    if fault == "stop":
        time.sleep(10 * ADVERTS[advert])  # two masters for a while; a shorter time is a handover to the audit
    for one in mended:
        lab.fault(one, victim)
    return seen


def _split(lab: Lab, prober: Prober, vip: str) -> None:
    """Both sides have a master, and the client's side answers."""
    lab.wait(lambda: len(lab.holders(vip)) == 2, "both sides have a master", 30)
    lab.wait(prober.steady, f"{vip} answers", 30)
    time.sleep(0.5)


def line(row: Row) -> str:
    dark = sorted(one.dark_ms for one in row.seen)
    p90 = dark[max(0, -(-len(dark) * 9 // 10) - 1)]
    figures = f"{dark[0]:8.1f} {statistics.median(dark):8.1f} {p90:8.1f} {dark[-1]:8.1f}"
    return f"{row.advert:7} {row.fault:18} {figures}  {len(dark):3}  {row.agreed}/{len(dark)}"


def machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, load {load:.1f}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench/failover: {error}")
