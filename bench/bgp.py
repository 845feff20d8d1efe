"""BGP: the agent's own speaker and a real gobgpd on one node, a router (BIRD, FRR) beside it. Two times of each change:
until the router was told (the last UPDATE is on its wire; its BFD says that the neighbour is down), and until its
kernel has, or no longer has, the route. What lies between is the router's own: FRR's bgpd collects changes for 50 ms
before it looks at them (bgp_process_queue, no setting), and zebra for another 10 ms (`zebra work-queue`).

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
from typing import Final, NamedTuple

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
_SETTLE: Final = 0.1
"""seconds until tcpdump has written what it saw"""
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


class Wire:
    """What the node tells the router, and what the router's BFD says, as seen at the router's interface."""

    FILTER = f"(src {NODE} and tcp port 179) or (src {ROUTER} and udp dst port 3784 and udp[9] & 0xc0 = 0x40)"
    KEEPALIVE = 19
    """the length of a message that is no news"""

    def __init__(self, lab: Lab) -> None:
        argv = ["tcpdump", "-Z", "root", "-tt", "-l", "-n", "-q", "--immediate-mode", "-i", "eth0", self.FILTER]
        self._command = lab.command("router", [*LEASHED, *argv])
        self._told: list[float] = []
        self._down: list[float] = []

    async def follow(self) -> None:
        quiet = asyncio.subprocess.DEVNULL
        watching = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE, stderr=quiet)
        assert watching.stdout is not None  # noqa: S101 - asked for
        try:
            async for line in watching.stdout:
                words = line.decode().split()
                if "UDP," in words:
                    self._down.append(float(words[0]))
                elif int(words[-1]) > self.KEEPALIVE:
                    self._told.append(float(words[0]))
        finally:
            watching.kill()
            await watching.wait()

    async def told(self, began: float, known: float) -> float:
        """The last news between the two, on the wall clock."""
        await asyncio.sleep(_SETTLE)
        return max((moment for moment in self._told if began <= moment <= known), default=float("nan"))

    async def down(self, began: float) -> float:
        await asyncio.sleep(_SETTLE)
        return min((moment for moment in self._down if moment >= began), default=float("nan"))


class Took(NamedTuple):
    """Milliseconds."""

    told: float
    known: float


class Bench:
    def __init__(self, lab: Lab, router: Router, vips: int) -> None:
        self.lab = lab
        self.router = router
        self.vips = vips
        self.kernel = Kernel(lab)
        self.wire = Wire(lab)
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

    async def change(self, count: int, true: Callable[[set[str]], bool]) -> Took:
        wanted = plan(count)
        offset = time.time() - time.monotonic()
        began = self.tell(wanted)
        known = await self.kernel.until(true)
        told = await self.wire.told(began + offset, known + offset)
        return Took(1000 * (told - began - offset), 1000 * (known - began))

    async def all_at_once(self) -> Took:
        self.tell(plan(0))
        await self.kernel.until(lambda routes: not routes)
        return await self.change(self.vips, lambda routes: len(routes) == self.vips)

    async def silent_cut(self) -> Took:
        """Until the router's BFD says so, and until the first route is gone."""
        while not await asyncio.to_thread(self.router.bfd_up):  # noqa: ASYNC110 - the router has to be asked
            await asyncio.sleep(0.1)
        began = await asyncio.to_thread(self.lab.fault, "silent-cut", "n1") / 1e9
        offset = time.time() - time.monotonic()
        known = await self.kernel.until(lambda routes: len(routes) < self.vips)
        down = await self.wire.down(began)
        await asyncio.to_thread(self.lab.fault, "heal", "n1")
        await self.kernel.until(lambda routes: len(routes) == self.vips)
        return Took(1000 * (down - began), 1000 * (known + offset - began))

    async def run(self, runs: int) -> dict[str, list[Took]]:
        following = asyncio.create_task(self.kernel.follow())
        looking = asyncio.create_task(self.wire.follow())
        speaking = asyncio.create_task(self.speaker.run())
        self.tell(plan(1))
        await self.kernel.until(lambda routes: len(routes) == 1)
        extra = str(IPv4Address(FIRST + self.vips))
        found = {f"{self.vips} VIPs announced": [await self.all_at_once() for _ in range(runs)]}
        found["one VIP more"], found["one VIP less"] = [], []
        for _ in range(4 * runs):
            found["one VIP more"].append(await self.change(self.vips + 1, lambda routes: extra in routes))
            found["one VIP less"].append(await self.change(self.vips, lambda routes: extra not in routes))
        found["silent cut, BFD 50 ms x 3"] = [await self.silent_cut() for _ in range(runs)]
        for task in (speaking, following, looking):
            task.cancel()
        await asyncio.gather(speaking, following, looking, return_exceptions=True)
        return found


def measure(maker: type[Router], config: str, vips: int, runs: int) -> dict[str, list[Took]]:
    with Lab(nodes=1, bare=True) as lab, maker(lab, config) as router:
        argv = ["gobgpd", "--api-hosts", "unix:///run/vipmgr/gobgpd.sock", "--pprof-disable", "-l", "warn"]
        lab.ask("run", node="n1", name="gobgpd", argv=argv)
        return asyncio.run(Bench(lab, router, vips).run(runs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vips", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print("| ms (median, worst) | BIRD 2 is told | BIRD 2 routes | FRR is told | FRR routes |\n|---|---|---|---|---|")
    found = [measure(maker, text, options.vips, options.runs) for maker, text in ((Bird, BIRD), (Frr, FRR))]
    for what in found[0]:
        columns = [times for one in found for times in zip(*one[what], strict=True)]
        cells = [f"{statistics.median(times):.0f}, {max(times):.0f}" for times in columns]
        print(f"| {what} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
