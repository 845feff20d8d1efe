"""How long a full allocation takes: python bench/allocate.py [CLAIMS ...]

Three states of a cluster are timed, since a controller meets all of them: everybody already holds (a restart, or any
event in a settled cluster), nobody does (a restored backup), and one in a hundred is new. CPU time, best and median of
15 runs, collector off during a run; the machine is named because the figure is its.
"""

from __future__ import annotations

import dataclasses
import gc
import platform
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta

from vipmgr.core.addresses import parse_range
from vipmgr.core.allocate import allocate
from vipmgr.core.model import Claim, Pool, Protocol

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NAMESPACES = {f"team-{number}": {"kubernetes.io/metadata.name": f"team-{number}"} for number in range(100)}


def pool(name, text, **fields):
    return Pool(name, name, EPOCH, Protocol.VIP, (parse_range(text),), "eth0", **fields)


def make(count):
    claims = [
        Claim(
            key=f"team-{number % 100}/service-{number}",
            uid=str(number),
            namespace=f"team-{number % 100}",
            created=EPOCH + timedelta(seconds=number * 7919 % count),
            ports=frozenset({("TCP", 80), ("TCP", 443)}),
        )
        for number in range(count)
    ]
    bound = [
        pool(f"team-{number}", f"10.{100 + number}.0.0/20", namespaces=frozenset({f"team-{number}"}))
        for number in range(50)
    ]
    return claims, [*bound, pool("default", "10.0.0.0/14", is_default=True)]


def hold(claims, pools, result, every=0):
    """The state after `result` was written, with every `every`-th Service new."""
    held = [
        claim
        if every and index % every == 0
        else dataclasses.replace(claim, held=tuple(address for address, _ in result.assigned[claim.key].addresses))
        for index, claim in enumerate(claims)
    ]
    known = {claim.key for claim in held if claim.held}
    used = {
        one.name: {address: owners for address, owners in result.used[one.name].items() if set(owners) <= known}
        for one in pools
    }
    return held, [dataclasses.replace(one, used=used[one.name]) for one in pools]


def timed(claims, pools, runs=15):
    took = []
    for _ in range(runs):
        gc.collect()
        gc.disable()
        start = time.process_time()
        result = allocate(claims, pools, NAMESPACES)
        took.append((time.process_time() - start) * 1000)
        gc.enable()
    if len(result.assigned) != len(claims):
        raise SystemExit("the bench must serve everybody")
    return min(took), statistics.median(took)


def main(counts):
    print(f"{platform.platform()}, Python {platform.python_version()}")
    print(f"{'claims':>8} {'state':<14} {'best ms':>9} {'median ms':>10}")
    for count in counts:
        claims, pools = make(count)
        result = allocate(claims, pools, NAMESPACES)
        for name, state in (
            ("all hold", hold(claims, pools, result)),
            ("1 % are new", hold(claims, pools, result, every=100)),
            ("all are new", (claims, pools)),
        ):
            best, median = timed(*state)
            print(f"{count:>8} {name:<14} {best:>9.1f} {median:>10.1f}")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1_000, 10_000])
