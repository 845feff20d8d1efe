"""How fast an audit reads: `python -m bench.audit [LINES]` makes that many audit lines of 20 nodes and judges them.

Prints lines per second (median of 3 runs and their spread), peak memory, and what was found: a fast wrong answer shows.
Then, as `vipmgr audit --follow` would when the record is that long, 20 looks after one more line each.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from vipmgr.cli.follow import Follower
from vipmgr.cli.records import Source, read_all
from vipmgr.core.audit import judge
from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.findings import Limits
from vipmgr.core.ledger import Ledger

NODES, INSTANCES, RUNS, LOOKS = 20, 200, 3, 21
EPOCH = 1_795_000_000.0


def write(folder: Path, lines: int) -> int:
    """Every instance wanders between three nodes, stopped and started by turns; returns the number of failovers."""
    random = Random(1)
    files = [(folder / f"n{number}.jsonl").open("w") for number in range(NODES)]
    seqs = [0] * NODES
    failovers, at, written = 0, 0.0, 0
    master = [number % NODES for number in range(INSTANCES)]
    states: dict[tuple[int, int], str] = {}

    def put(node: int, instance: int, state: str, reason: str) -> None:
        seqs[node] += 1
        line = {
            "time": datetime.fromtimestamp(EPOCH + at, UTC).isoformat(timespec="microseconds"),
            "monotonic": 100 + at,
            "node": f"n{node}",
            "boot": f"b{node}",
            "seq": seqs[node],
            "event": "vrrp.transition",
            "instance": f"eip-pool-{instance}",
            "eip": "eip-pool",
            "interface": "eth0",
            "vrid": instance % 255,
            "from": states.get((node, instance), "INIT"),
            "to": state,
            "priority": 254,
            "advertMs": 100,
            "vips": [f"10.0.{instance}.{n}" for n in range(5)],
            "reason": reason,
            "evidence": f"(eip-pool-{instance}) Entering {state} STATE",
        }
        states[node, instance] = state
        files[node].write(json.dumps(line, separators=(",", ":")) + "\n")

    for instance in range(INSTANCES):
        put(master[instance], instance, "MASTER", "advertisement-timeout")
        written += 1
    while written + 3 <= lines:
        instance = random.randrange(INSTANCES)
        old = master[instance]
        new = (old + 1) % NODES
        at += 0.5
        put(old, instance, "FAULT", "drained")
        at += 0.002
        put(new, instance, "MASTER", "advertisement-timeout")
        put(old, instance, "BACKUP", "drained")
        master[instance] = new
        failovers += 1
        written += 3
    for file in files:
        file.close()
    return failovers


def follow(ledger: Ledger) -> list[float]:
    """How long each look of one that follows takes, in ms."""
    found = []
    follower = Follower(ledger, lambda: judge(ledger, Limits(clock_error=0.001)), lambda _: ())
    for number in range(LOOKS):
        line = AuditLine(event=Event.TRANSITION, instance="eip-pool-0", from_="BACKUP", to="MASTER", advert_ms=100)
        line.stamp(seconds=time.time(), monotonic=1e9 + number, node="n0", boot="b", seq=number + 1)
        begin = time.perf_counter()
        follower.take(line)
        follower.look()
        found.append((time.perf_counter() - begin) * 1000)
    return found


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        true = write(folder, lines)
        sources = [Source(path, "") for path in sorted(folder.iterdir())]
        reading, judging = [], []
        for _ in range(RUNS):
            ledger, begin = Ledger(), time.perf_counter()
            for line in read_all(sources, 0):
                ledger.add(line)
            read = time.perf_counter()
            report = judge(ledger, Limits(clock_error=0.001))
            reading.append(ledger.lines / (read - begin))
            judging.append(ledger.lines / (time.perf_counter() - read))
    whole = [1 / (1 / fast + 1 / slow) for fast, slow in zip(reading, judging, strict=True)]
    print(f"machine         {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"lines           {ledger.lines} of {NODES} nodes, {INSTANCES} instances")
    for title, rates in (("read", reading), ("judge", judging), ("both", whole)):
        median = statistics.median(rates)
        print(f"{title:<15} {median:>9,.0f} lines/s (of {RUNS} runs: {min(rates):,.0f} to {max(rates):,.0f})")
    looks = follow(ledger)
    rows = sum(1 for _ in ledger.rows())
    print(f"looks           {looks[0]:>9.0f} ms the first, then {statistics.median(looks[1:]):.0f}, with {rows} rows")
    print(f"peak memory     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")
    print(f"failovers       {len(report.failovers)} found, {true} made")
    print(f"split brain     {len(report.split_brain)} found, 0 made")


if __name__ == "__main__":
    main()
