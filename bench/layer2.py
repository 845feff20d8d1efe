"""How long a client sees a layer2 address dark, fault by fault, by probes and by Leases alone.

    .venv/bin/python bench/layer2.py [--trials 10] [--probes 150ms 0s] [--faults kill drain ...]

Method: as bench/failover.py, with a layer2 pool: a lab of three nodes, real agents and controller; a client sends an
ICMP echo every 5 ms. All nodes have been at rest for two seconds before a fault.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence

from vipmgr.lab.client import Lab
from vipmgr.lab.trial import measure
from vipmgr.lab.verdicts import Seen, audit, compare

FAULTS = {  # what is measured -> what undoes it
    "kill": "start",
    "silent-cut": "heal",
    "cut": "heal",
    "agent-term": "",
    "drain": "undrain",
    "agent-kill": "",
}
PROBES = ("150ms", "0s")
REST_SECONDS = 2.0
MANIFESTS = """\
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: pool}}
spec:
  address: 196.168.220.40-196.168.220.49
  protocol: layer2
  interface: eth0
  layer2: {{probeInterval: {probe}}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
  annotations: {{lb.kubesphere.io/v1alpha1: openelb, eip.openelb.kubesphere.io/v1alpha2: pool}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--probes", nargs="+", choices=PROBES, default=list(PROBES))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    args = parser.parse_args(argv)
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs; client's dark time in ms\n")
    print(f"{'PROBE':7} {'FAULT':12} {'MIN':>8} {'MEDIAN':>8} {'MAX':>8}  {'N':>3}  AUDIT AGREES")
    for probe in args.probes:
        for fault, seen, agreed in run(probe, args.faults, args.trials):
            dark = [one.dark_ms for one in seen]
            figures = f"{min(dark):8.0f} {statistics.median(dark):8.0f} {max(dark):8.0f}"
            print(f"{probe:7} {fault:12} {figures}  {len(dark):3}  {agreed}/{len(seen)}", flush=True)
    return 0


def run(probe: str, faults: Sequence[str], trials: int) -> Iterator[tuple[str, list[Seen], int]]:
    with Lab(nodes=3) as lab:
        lab.apply(MANIFESTS.format(probe=probe))
        vip = lab.wait(lambda: next(iter(lab.vips("default/web")), ""), "an address")
        with lab.prober(vip) as prober:
            lab.wait(prober.steady, "it answers")
            for fault in faults:
                seen = []
                for _ in range(trials):
                    time.sleep(REST_SECONDS)
                    holder = prober.holder(vip, lab.macs())
                    moves = None if fault == "agent-kill" else True
                    seen.append(measure(lab, prober, vip, [(fault, holder)], moves=moves))
                    if FAULTS[fault]:
                        lab.fault(FAULTS[fault], holder)
                report = audit(lab.audit_text())
                yield fault, seen, sum(not compare(one, report).objection for one in seen)


if __name__ == "__main__":
    sys.exit(main())
