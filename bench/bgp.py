"""BGP: the agent's own speaker and a real gobgpd on one node, a router (BIRD, FRR) beside it; times until the
router's kernel has (or no longer has) the route.

python bench/bgp.py [--vips 5000] [--runs 5]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from vipmgr.core.node_bgp import NodeBfd, NodeBgp, NodeBgpFamily, NodeBgpPeer, NodeBgpRoutes
from vipmgr.lab.client import Lab
from vipmgr.lab.routers import LEASHED, Bird, Frr, Router
from vipmgr.node.bgp.passwords import Passwords
from vipmgr.node.bgp.speaker import Speaker
from vipmgr.node.journal import Journal
from vipmgr.node.settings import Paths

NODE, ROUTER = "196.168.223.1", "196.168.223.240"
BIRD = f"""\
protocol bfd {{ interface "eth0" {{ interval 50 ms; multiplier 3; }}; }}
protocol bgp n1 {{ local {ROUTER} as 65000; neighbor {NODE} as 65001; bfd on;
    connect retry time 1; connect delay time 1; error wait time 1, 2;
    ipv4 {{ import all; export none; }}; }}
"""
FRR = f"""\
router bgp 65000
 bgp router-id {ROUTER}
 no bgp ebgp-requires-policy
 neighbor {NODE} remote-as 65001
 neighbor {NODE} bfd 3 50 50
"""
PEER = NodeBgpPeer(
    name="router", address=ROUTER, asn=65000, remote_port=179, connect_retry=1, hold_time=9, keepalive=3,
    families=(NodeBgpFamily(family="IPv4"),), bfd=NodeBfd(transmit_ms=50, receive_ms=50, multiplier=3),
)  # fmt: skip
FIRST = int(IPv4Address("198.18.0.0"))


def plan(count: int) -> NodeBgp:
    prefixes = tuple(f"{IPv4Address(FIRST + index)}/32" for index in range(count))
    routes = (NodeBgpRoutes(eip="bench", prefixes=prefixes),)
    return NodeBgp(asn=65001, router_id=NODE, listen_port=179, peers=(PEER,), routes=routes)


class Kernel:
    """The router's kernel as it tells of itself (`ip monitor`): the VIPs it has routes to. Events, no polling."""

    def __init__(self, lab: Lab) -> None:
        self._command = lab.command("router", [*LEASHED, "ip", "-4", "-o", "-rcvbuf", str(1 << 26), "monitor", "route"])
        self._changed = asyncio.Event()
        self.routes: set[str] = set()

    async def follow(self) -> None:
        watching = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE, limit=1 << 20)
        assert watching.stdout is not None  # noqa: S101 - asked for
        try:
            async for line in watching.stdout:
                words = line.decode().split()
                gone = words[0] == "Deleted"
                (self.routes.discard if gone else self.routes.add)(words[1 if gone else 0])
                self._changed.set()
        finally:
            watching.kill()
            await watching.wait()

    async def until(self, what: Callable[[set[str]], bool]) -> float:
        """When it became true, on the monotonic clock."""
        while not what(self.routes):
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 60)
        return time.monotonic()


class Bench:
    def __init__(self, lab: Lab, router: Router, vips: int) -> None:
        self.lab = lab
        self.router = router
        self.vips = vips
        self.kernel = Kernel(lab)
        folder = lab.state / "nodes" / "n1"
        paths = Paths(state=folder / "lib", run=folder / "run")
        silent = Path("/dev/null").open("w")  # noqa: SIM115 - as long as the process
        journal = Journal(paths.audit, "n1", limit=1 << 20, keep=1, stream=silent)
        self.speaker = Speaker(paths, journal, Passwords(""), lambda: None)

    def tell(self, wanted: NodeBgp) -> float:
        """The agent has the plan from here on."""
        self.speaker.plan = wanted
        began = time.monotonic()
        self.speaker.wake()
        return began

    async def more(self, extra: str) -> float:
        wanted = plan(self.vips + 1)
        began = self.tell(wanted)
        return 1000 * (await self.kernel.until(lambda routes: extra in routes) - began)

    async def less(self, extra: str) -> float:
        wanted = plan(self.vips)
        began = self.tell(wanted)
        return 1000 * (await self.kernel.until(lambda routes: extra not in routes) - began)

    async def all_at_once(self) -> float:
        self.tell(plan(0))
        await self.kernel.until(lambda routes: not routes)
        wanted = plan(self.vips)
        began = self.tell(wanted)
        return 1000 * (await self.kernel.until(lambda routes: len(routes) == self.vips) - began)

    async def silent_cut(self) -> float:
        """Until the first route is gone: the moment the router knows."""
        while not await asyncio.to_thread(self.router.bfd_up):  # noqa: ASYNC110 - the router has to be asked
            await asyncio.sleep(0.1)
        began = await asyncio.to_thread(self.lab.fault, "silent-cut", "n1")
        offset = time.time() - time.monotonic()
        known = await self.kernel.until(lambda routes: len(routes) < self.vips)
        await asyncio.to_thread(self.lab.fault, "heal", "n1")
        await self.kernel.until(lambda routes: len(routes) == self.vips)
        return 1000 * (known + offset - began / 1e9)

    async def run(self, runs: int) -> dict[str, list[float]]:
        following = asyncio.create_task(self.kernel.follow())
        speaking = asyncio.create_task(self.speaker.run())
        self.tell(plan(1))
        await self.kernel.until(lambda routes: len(routes) == 1)
        extra = str(IPv4Address(FIRST + self.vips))
        found = {f"{self.vips} VIPs announced": [await self.all_at_once() for _ in range(runs)]}
        pairs = [(await self.more(extra), await self.less(extra)) for _ in range(4 * runs)]
        found["one VIP more"] = [more for more, _ in pairs]
        found["one VIP less"] = [less for _, less in pairs]
        found["silent cut, BFD 50 ms x 3"] = [await self.silent_cut() for _ in range(runs)]
        for task in (speaking, following):
            task.cancel()
        await asyncio.gather(speaking, following, return_exceptions=True)
        return found


def measure(maker: type[Router], config: str, vips: int, runs: int) -> dict[str, list[float]]:
    with Lab(nodes=1, bare=True) as lab, maker(lab, config) as router:
        argv = ["gobgpd", "--api-hosts", "unix:///run/vipmgr/gobgpd.sock", "--pprof-disable", "-l", "warn"]
        lab.ask("run", node="n1", name="gobgpd", argv=argv)
        return asyncio.run(Bench(lab, router, vips).run(runs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vips", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print("| what the router sees, ms (median, worst) | BIRD 2 | FRR |\n|---|---|---|")
    found = [measure(maker, text, options.vips, options.runs) for maker, text in ((Bird, BIRD), (Frr, FRR))]
    for what in found[0]:
        cells = [f"{statistics.median(one[what]):.0f}, {max(one[what]):.0f}" for one in found]
        print(f"| {what} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
