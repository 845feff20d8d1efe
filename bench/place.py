"""How long a full recompute of the placement takes: 10,000 VIPs, 1,000 nodes, 10 pools; fresh, and with all sticky.

python -m bench.place
"""

from __future__ import annotations

import gc
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

from tests.core.cluster import pool
from tests.core.fleet import Fleet
from vipmgr.core.render import Renderer
from vipmgr.core.stage import stage
from vipmgr.templates import template_text

NODES, POOLS, VIPS, TRIALS = 1000, 10, 10_000, 20


def world() -> Fleet:
    pools = [pool(f"p{i}", f"10.{i + 1}.0.0-10.{i + 1}.255.255") for i in range(POOLS)]
    fleet = Fleet(pools={one.name: one for one in pools})
    for number in range(NODES):
        fleet.join(f"n{number:04}")
    for number in range(VIPS):
        i = number % POOLS
        fleet.want(f"10.{i + 1}.{number // POOLS // 250}.{number // POOLS % 250}", pool_name=f"p{i}")
    return fleet


def timed(work: Callable[[], Any], trials: int) -> str:
    spent, used = [], []
    for _ in range(trials):
        gc.collect()
        begin, cpu = time.perf_counter(), time.process_time()
        work()
        used.append((time.process_time() - cpu) * 1000)
        spent.append((time.perf_counter() - begin) * 1000)
    return (
        f"median {statistics.median(spent):7.1f} ms   max {max(spent):7.1f} ms   "
        f"CPU median {statistics.median(used):7.1f} ms   n={trials}"
    )


def main() -> None:
    fleet = world()
    print(f"{VIPS} VIPs, {NODES} nodes, {POOLS} pools; Python {platform.python_version()}, {platform.machine()}")
    print("place, fresh             ", timed(fleet.place, 3))
    fleet.rest(2)
    print("place, all sticky        ", timed(fleet.place, TRIALS))
    print("place + stage, all sticky", timed(lambda: stage(fleet.place(), fleet.reports), TRIALS))
    renderer = Renderer(template_text("keepalived.conf.j2"))

    def everything() -> None:
        for plan in stage(fleet.place(), fleet.reports).values():
            renderer.spec(plan)

    print("with rendering, first    ", timed(everything, 1))
    print("with rendering, unchanged", timed(everything, TRIALS))


if __name__ == "__main__":
    main()
