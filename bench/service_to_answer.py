"""From the creation of a Service of type LoadBalancer to the first answer of its VIP on the wire.

    .venv/bin/python bench/service_to_answer.py [--trials 20]

Method: a lab of three nodes (network namespaces, real keepalived, real agents and controller) with a pool in place; the
client asks for the next free address every 5 ms, by ARP and ICMP echo, from before the Service is created; counted is
the time from the create request to the first answer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from ipaddress import ip_address

from bench.failover import machine
from vipmgr.lab.client import Lab
from vipmgr.lab.control import LabError
from vipmgr.lab.demo import MANIFESTS, SERVICE

FIRST = ip_address("196.168.220.11")
NEW = """\
apiVersion: v1
kind: Service
metadata:
  name: s{number}
  annotations: {{lb.kubesphere.io/v1alpha1: openelb, eip.openelb.kubesphere.io/v1alpha2: eip-pool}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args(argv).trials
    print(f"{machine()}; Service created -> VIP answers, {trials} Services one after another; ms\n")
    with Lab(nodes=3) as lab:
        lab.apply(MANIFESTS)
        lab.wait_for_vip(SERVICE, 30)
        took = sorted(trial(lab, number) for number in range(trials))
    print(f"min {took[0]:.0f}  median {statistics.median(took):.0f}  max {took[-1]:.0f}")
    return 0


def trial(lab: Lab, number: int) -> float:
    vip = str(FIRST + number)
    with lab.prober(vip) as prober:
        time.sleep(0.2)
        created = time.time_ns()
        lab.apply(NEW.format(number=number))
        lab.wait(prober.steady, f"{vip} answers", 30)
        first = min(one.answered for one in prober.probes(vip) if one.answered)
    return (first - created) / 1e6


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"bench/service_to_answer: {error}")
