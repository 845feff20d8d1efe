"""How long a reload takes that adds one VIP to many, and whether it disturbs the VIPs that are there.

    .venv/bin/python bench/reload.py [--counts 1 100 300] [--trials 10]

Method: a lab of three nodes (network namespaces, real keepalived, real agents and controller) with one VRRP instance;
so many Services first, then one at a time. Times are the agents' own, from the audit line of each applied
configuration: from SIGHUP to keepalived's `Reload complete`, and for how long it was silent meanwhile (adverts). A
client asks the first VIP every 5 ms all the time; dark is what it saw.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from bench.failover import machine
from bench.service_to_answer import NEW
from vipmgr.lab.client import Lab
from vipmgr.lab.control import LabError
from vipmgr.lab.demo import MANIFESTS, SERVICE

POOL = MANIFESTS.replace("196.168.220.30", "196.168.221.250").replace(
    "  interface: eth0\n", "  interface: eth0\n  vrrp: {instances: 1}\n"
)
FIRST = ip_address("196.168.220.10")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 100, 300])
    parser.add_argument("--trials", type=int, default=10)
    args = parser.parse_args(argv)
    print(f"{machine()}; one VIP more, {args.trials} times, on 3 nodes; ms\n")
    print(
        f"{'VIPS':>5} {'RELOAD MEDIAN':>14} {'MAX':>6} {'SILENT MEDIAN':>14} {'MAX':>6} {'FIRST VIP DARK':>15} {'N':>4}"
    )
    with Lab(nodes=3) as lab:
        lab.apply(POOL)
        vip = lab.wait_for_vip(SERVICE, 30)
        there = 1
        with lab.prober(vip) as prober:
            lab.wait(prober.steady, f"{vip} answers")
            for count in args.counts:
                there = grow(lab, there, count)
                seen = max(line["time"] for line in applied(lab))
                for _ in range(args.trials):
                    there = grow(lab, there, there + 1)
                lines = [line for line in applied(lab) if line["time"] > seen]
                prober.refresh()
                print(row(count, lines, prober.dark_ms(vip)), flush=True)
    return 0


def grow(lab: Lab, there: int, count: int) -> int:
    """More Services, until there are `count`; returns when the newest is held and every node is done."""
    lab.apply("---\n".join(NEW.format(number=number) for number in range(there, count)) or NEW.format(number=1))
    newest = str(FIRST + count - 1)
    lab.wait(lambda: lab.converged(newest), f"{newest} is held", 60)
    return count


def applied(lab: Lab) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, lab.audit_text()) if line["event"] == "config.applied"]


def row(count: int, lines: Sequence[dict[str, Any]], dark: float) -> str:
    reload = sorted(line["reloadMs"] for line in lines if line.get("reloadMs") is not None)
    silent = sorted(line["silentMs"] for line in lines if line.get("silentMs") is not None) or [0.0]
    return (
        f"{count:5} {statistics.median(reload):14.0f} {reload[-1]:6.0f} "
        f"{statistics.median(silent):14.0f} {silent[-1]:6.0f} {dark:15.1f} {len(reload):4}"
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench/reload: {error}")
