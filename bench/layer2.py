"""How long a client sees a layer2 address dark, fault by fault: by probes, by Leases alone, with two nodes.

    .venv/bin/python bench/layer2.py [--trials 10] [--nodes 3 2] [--probes 150ms 0s] [--faults kill drain ...]

Method: as bench/failover.py, with a layer2 pool: a lab, real agents and controller; a client sends an ICMP echo every
5 ms. Where it also asks by broadcast who has the address (every 50 ms, IPv4), a lone standby knows by that that its own
wire lives; where it does not (IPv6), the Lease decides. All nodes have been at rest for two seconds before a fault.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from vipmgr.lab.client import Lab
from vipmgr.lab.trial import measure
from vipmgr.lab.verdicts import Seen, Verdict, audit, compare

FAULTS = {  # what is measured -> what undoes it
    "kill": "start",
    "silent-cut": "heal",
    "cut": "heal",
    "agent-term": "",
    "drain": "undrain",
    "agent-stop": "agent-cont",
    "agent-kill": "",
}
TOLD_LATER = {"agent-stop", "agent-kill"}
"""the node's own lines say what it was only when its agent is back"""
KINDS = {  # nodes, how long between two questions, does a client ask for the address? -> what cannot be found out so
    (3, "150ms", True): (),
    (3, "0s", True): ("silent-cut",),
    (2, "150ms", True): (),
    (2, "150ms", False): ("silent-cut",),
}
SPANS = {True: ("196.168.220.40-196.168.220.49", "IPv4"), False: ("fd00:220::40-fd00:220::49", "IPv6")}
REST_SECONDS = 2.0
KILLED_WATCH_SECONDS = 4.0
MANIFESTS = """\
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: pool}}
spec:
  address: {span}
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
spec: {{type: LoadBalancer, ports: [{{port: 80}}], ipFamilyPolicy: SingleStack, ipFamilies: [{family}]}}
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--probes", nargs="+", choices=sorted({probe for _, probe, _ in KINDS}))
    parser.add_argument("--nodes", nargs="+", type=int, choices=sorted({nodes for nodes, _, _ in KINDS}))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    args = parser.parse_args(argv)
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs; client's dark time in ms\n")
    print(
        f"{'NODES':5} {'PROBE':7} {'CLIENT':7} {'FAULT':12} {'MIN':>8} {'MEDIAN':>8} {'MAX':>8}  {'N':>3}  AUDIT AGREES"
    )
    for (nodes, probe, asks), hidden in KINDS.items():
        if probe not in (args.probes or [probe]) or nodes not in (args.nodes or [nodes]):
            continue
        faults = [fault for fault in args.faults if fault not in hidden]
        for fault, trials in run(nodes, probe, asks, faults, args.trials):
            dark = [seen.dark_ms for seen, _ in trials]
            figures = f"{min(dark):8.0f} {statistics.median(dark):8.0f} {max(dark):8.0f}"
            objections = [verdict.objection for _, verdict in trials if verdict.objection]
            agreed = f"{len(trials) - len(objections)}/{len(trials)}"
            what = f"{nodes:5} {probe:7} {'asks' if asks else 'is mute':7} {fault:12}"
            print(f"{what} {figures}  {len(dark):3}  {agreed}", *objections, sep="  ", flush=True)
    return 0


def run(
    nodes: int, probe: str, asks: bool, faults: Sequence[str], trials: int
) -> Iterator[tuple[str, list[tuple[Seen, Verdict]]]]:
    with Lab(nodes=nodes) as lab:
        span, family = SPANS[asks]
        lab.apply(MANIFESTS.format(probe=probe, span=span, family=family))
        vip = lab.wait(lambda: next(iter(lab.vips("default/web")), ""), "an address")
        for fault in faults:
            yield fault, [trial(lab, vip, fault) for _ in range(trials)]


def trial(lab: Lab, vip: str, fault: str) -> tuple[Seen, Verdict]:
    rest(lab)
    time.sleep(REST_SECONDS)
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, "it answers")
        holder = prober.holder(vip, lab.macs())
        moves = None if fault == "agent-kill" else True
        seen = measure(lab, prober, vip, [(fault, holder)], moves=moves, watch=KILLED_WATCH_SECONDS)
    verdict = judged(lab, seen) if fault not in TOLD_LATER else None
    if FAULTS[fault]:
        lab.fault(FAULTS[fault], holder)
    rest(lab)
    return seen, verdict or judged(lab, seen)


def rest(lab: Lab) -> None:
    began = time.time()
    lab.wait(lambda: at_rest(lab, began + 1), "every agent is at work", 30)


def at_rest(lab: Lab, since: float) -> bool:
    """Every agent has renewed its Lease after that, and has the plan in force."""
    leases = {one["metadata"]["name"]: one["spec"] for one in lab.objects("Lease", "vipmgr-system")}
    young = {
        name.removeprefix("vipmgr-agent-")
        for name, spec in leases.items()
        if name.startswith("vipmgr-agent-") and datetime.fromisoformat(spec["renewTime"]).timestamp() > since
    }
    alive = lab.ask("describe")["nodes"]
    return all(
        one["metadata"]["name"] in young
        and "agent" in alive[one["metadata"]["name"]]["alive"]
        and one["spec"].get("revision") == one.get("status", {}).get("revision")
        for one in lab.objects("VipNode")
    )


def judged(lab: Lab, seen: Seen) -> Verdict:
    """The audit's word. Agents write a moment after the fact: it is given a second."""
    deadline = time.monotonic() + 1
    while (verdict := compare(seen, audit(lab.audit_text()))).objection and time.monotonic() < deadline:
        time.sleep(0.1)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
