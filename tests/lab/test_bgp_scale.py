"""5,000 VIPs of one node at a real router: the agent's speaker, gobgpd, BIRD. Figures are bench/bgp.py's."""

from __future__ import annotations

import asyncio
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from vipmgr.core.node_bgp import NodeBfd, NodeBgp, NodeBgpFamily, NodeBgpPeer, NodeBgpRoutes
from vipmgr.lab.client import Lab
from vipmgr.lab.routers import Bird
from vipmgr.node.bgp.passwords import Passwords
from vipmgr.node.bgp.speaker import Speaker
from vipmgr.node.journal import Journal
from vipmgr.node.settings import Paths

pytestmark = pytest.mark.lab
VIPS = 5000
NODE, ROUTER = "196.168.223.1", "196.168.223.240"
BIRD = f"""\
protocol bfd {{ interface "eth0" {{ interval 300 ms; multiplier 3; }}; }}
protocol bgp n1 {{
    local {ROUTER} as 65000; neighbor {NODE} as 65001; bfd on;
    connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 {{ import all; export none; }};
}}
"""  # BFD as slow as a busy machine needs it
PEER = NodeBgpPeer(
    name="router", address=ROUTER, asn=65000, remote_port=179, connect_retry=1, hold_time=9, keepalive=3,
    families=(NodeBgpFamily(family="IPv4"),), bfd=NodeBfd(transmit_ms=300, receive_ms=300, multiplier=3),
)  # fmt: skip


def vip(index):
    return f"{IPv4Address('198.18.0.0') + index}/32"


def plan(count, community="65001:1"):
    prefixes = tuple(vip(index) for index in range(count))
    routes = (NodeBgpRoutes(eip="many", prefixes=prefixes, communities=(community,)),)
    return NodeBgp(asn=65001, router_id=NODE, listen_port=179, peers=(PEER,), routes=routes)


class Node:
    """The speaker of n1, told one plan after the other."""

    def __init__(self, lab, router, tmp_path):
        folder = lab.state / "nodes" / "n1"
        paths = Paths(state=tmp_path, run=folder / "run")
        self.silent = Path("/dev/null").open("w")  # noqa: SIM115 - closed by the test
        journal = Journal(paths.audit, "n1", limit=1 << 20, keep=1, stream=self.silent)
        self.speaker = Speaker(paths, journal, Passwords(""), lambda: None)
        self.router = router

    async def tell(self, wanted, true, what):
        """Until `true` of the router."""
        self.speaker.plan = wanted
        began = time.monotonic()
        self.speaker.wake()
        while not await asyncio.to_thread(true):
            assert time.monotonic() - began < 20, what


async def changes(node, router):
    speaking = asyncio.create_task(node.speaker.run())
    try:
        await node.tell(plan(1), lambda: router.count() == 1 and router.bfd_up() == 1, "the session stands")
        before = router.sessions()
        await node.tell(plan(VIPS), lambda: router.count() == VIPS, "all are announced")
        await node.tell(plan(VIPS + 1), lambda: router.paths(vip(VIPS)), "one more is announced")
        await node.tell(plan(VIPS), lambda: not router.paths(vip(VIPS)), "one less is announced")
        last = vip(VIPS - 1)
        await node.tell(
            plan(VIPS, "65001:2"), lambda: {"65001:2"} in [one.communities for one in router.paths(last)], "all change"
        )
        assert router.count() == VIPS
        await node.tell(plan(1), lambda: router.count() == 1, "all but one are withdrawn")
        return before
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)


def test_five_thousand_vips_come_change_and_go_and_no_session_is_lost(tmp_path):
    with Lab(nodes=1, bare=True) as lab, Bird(lab, BIRD) as router:
        argv = ["gobgpd", "--api-hosts", "unix:///run/vipmgr/gobgpd.sock", "--pprof-disable", "-l", "warn"]
        lab.ask("run", node="n1", name="gobgpd", argv=argv)
        node = Node(lab, router, tmp_path)
        with node.silent:
            before = asyncio.run(changes(node, router))
        assert len(before) == 1
        assert router.sessions() == before
        assert node.speaker.sessions.changes == 1
