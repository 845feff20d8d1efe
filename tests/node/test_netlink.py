"""The copy of the kernel's links and addresses, in a namespace of its own (unshare -n)."""

from __future__ import annotations

import subprocess
import sys

from tests.node.rig import ROOT

OVERRUN = """
import asyncio, subprocess
from vipmgr.node import netlink
netlink._RECEIVE_BYTES = 4096

async def main():
    copy = netlink.Netlink(lambda: None, lambda: None)
    task = asyncio.create_task(copy.run())
    await copy.synced.wait()
    batch = "\\n".join(f"addr add 10.1.{n // 250}.{n % 250 + 1}/32 dev lo" for n in range(2000))
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)  # the loop stands still: nothing is read
    async with asyncio.timeout(20):
        while sum(map(len, copy.kernel.addresses.values())) < 2002:
            await asyncio.sleep(0.01)
    assert copy.resyncs >= 1
    task.cancel()

asyncio.run(main())
"""
RENAMED = """
import asyncio, subprocess
from vipmgr.node import grip, netlink

async def main():
    changes = []
    copy = netlink.Netlink(lambda: changes.append(1), lambda: None)
    hold = grip.Grip(copy)
    task = asyncio.create_task(copy.run())
    await copy.synced.wait()
    assert hold.slipped(["lo"]) == ["lo"]  # nobody saw keepalived start
    hold.take()
    assert hold.slipped(["lo"]) == []
    batch = "link set lo down\\nlink set lo name lan0\\nlink set lan0 name lo\\nlink set lo up\\n"
    before = len(changes)
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)  # the loop stands still: all in one piece
    async with asyncio.timeout(10):
        while len(changes) == before:
            await asyncio.sleep(0.01)
    assert hold.slipped(["lo"]) == ["lo"]
    assert hold.slipped(["lo"]) == ["lo"]  # until keepalived opens it anew
    hold.take()
    assert hold.slipped(["lo"]) == []
    task.cancel()

asyncio.run(main())
"""
ROUTES = """
import asyncio
from ipaddress import ip_interface
from vipmgr.core.kernel_view import Placed
from vipmgr.node import netlink

async def main():
    copy = netlink.Netlink(lambda: None, lambda: None)
    task = asyncio.create_task(copy.run())
    await copy.synced.wait()
    links = copy.kernel.links
    assert await netlink.resolve(["10.9.0.7", "192.0.2.1", "127.0.0.5"], links) == {"10.9.0.7": "eth0"}
    there = Placed("eth0", ip_interface("10.9.0.1/24"))
    assert there in copy.kernel.placed()
    gone = Placed("none", ip_interface("10.9.0.1/24"))
    assert await netlink.remove_addresses([there, there, gone], lambda: True) == [there]
    async with asyncio.timeout(5):
        while there in copy.kernel.placed():
            await asyncio.sleep(0.01)
    assert await netlink.remove_addresses([there], lambda: False) == []
    task.cancel()

asyncio.run(main())
"""
LINKS = """ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth0 up && ip link set eth1 up && ip addr add 10.9.0.1/24 dev eth0
exec "$@"
"""


def inside(code: str) -> str:
    """What it says when it fails; nothing else."""
    words = ["unshare", "-n", "sh", "-c", LINKS, "sh", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stderr if done.returncode else ""


def test_events_that_the_kernel_had_to_drop_lead_to_a_new_dump() -> None:
    assert inside(OVERRUN) == ""


def test_routes_are_looked_up_and_addresses_removed() -> None:
    assert inside(ROUTES) == ""


def test_an_interface_renamed_and_renamed_back_at_once_is_known_to_have_been_away() -> None:
    assert inside(RENAMED) == ""
