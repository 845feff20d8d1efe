"""What can go wrong, or be done on purpose: one table, name -> what happens to the nodes named.

Every entry says in its own words what it does; `vipmgr lab fault --help` and the demo print those.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from vipmgr.errors import UsageError
from vipmgr.lab import wiring

if TYPE_CHECKING:
    from vipmgr.lab.cluster import Cluster

Act = Callable[["Cluster", Sequence[str]], Awaitable[None]]


class Fault(NamedTuple):
    summary: str
    act: Act
    nodes: bool = True
    """whether it is done to nodes; the others take no argument"""


async def _wires(act: Callable[..., None], *arguments: object, **options: object) -> None:
    await asyncio.to_thread(act, *arguments, **options)


async def _kill(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        # First nothing comes out any more, then the processes: what a machine without power does at once.
        await _wires(wiring.silence, cluster.topology.node(name), cluster.topology.segments, management=True)
        await cluster.machine(name).die()


async def _start(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        await cluster.reboot(name)


async def _cut(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        await _wires(wiring.unplug, cluster.topology.node(name), cluster.topology.segments)


async def _silent_cut(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        await _wires(wiring.silence, cluster.topology.node(name), cluster.topology.segments)


async def _split(cluster: Cluster, nodes: Sequence[str]) -> None:
    hosts = [cluster.topology.node(name) for name in nodes]
    await _wires(wiring.move_away, hosts, cluster.topology.segments)


async def _heal(cluster: Cluster, nodes: Sequence[str]) -> None:
    named = [cluster.topology.node(name) for name in nodes]
    living = [host for host in cluster.topology.nodes if cluster.machine(host.name).running]
    await _wires(wiring.mend, named or living, cluster.topology)


async def _drain(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        await cluster.annotate_node(name, drain=True)


async def _undrain(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        await cluster.annotate_node(name, drain=False)


async def _leave(cluster: Cluster, nodes: Sequence[str]) -> None:
    for name in nodes:
        await cluster.leave(name)


async def _api_down(cluster: Cluster, _: Sequence[str]) -> None:
    await cluster.plane.hold(True)


async def _api_up(cluster: Cluster, _: Sequence[str]) -> None:
    await cluster.plane.hold(False)


def _controllers(number: signal.Signals) -> Act:
    async def act(cluster: Cluster, _: Sequence[str]) -> None:
        cluster.plane.signal_controllers(number)

    return act


async def _join(cluster: Cluster, _: Sequence[str]) -> None:
    await cluster.join()


def _signals(container: str, number: signal.Signals) -> Act:
    async def act(cluster: Cluster, nodes: Sequence[str]) -> None:
        for name in nodes:
            await cluster.machine(name).ask("signal", name=container, signal=int(number))

    return act


FAULTS: Final[dict[str, Fault]] = {
    "kill": Fault("the node dies: its links go, its processes with them, nothing is cleaned up", _kill),
    "start": Fault("a dead node boots again", _start),
    "cut": Fault("its network cable is pulled (the node sees the carrier go)", _cut),
    "silent-cut": Fault("frames to and from it are lost (the carrier stays)", _silent_cut),
    "split": Fault("the nodes named are on one side of a partition, all others and the client on the other", _split),
    "heal": Fault("cut, silent-cut and split are undone, for these nodes or all", _heal),
    "stop": Fault("SIGSTOP for its keepalived: a hung node", _signals("keepalived", signal.SIGSTOP)),
    "cont": Fault("SIGCONT after stop", _signals("keepalived", signal.SIGCONT)),
    "keepalived-term": Fault("SIGTERM for its keepalived, as in a rolling update",
                             _signals("keepalived", signal.SIGTERM)),
    "keepalived-kill": Fault("SIGKILL for its keepalived", _signals("keepalived", signal.SIGKILL)),
    "gobgpd-term": Fault("SIGTERM for its gobgpd, as in a rolling update", _signals("gobgpd", signal.SIGTERM)),
    "gobgpd-kill": Fault("SIGKILL for its gobgpd", _signals("gobgpd", signal.SIGKILL)),
    "agent-kill": Fault("SIGKILL for its agent", _signals("agent", signal.SIGKILL)),
    "agent-term": Fault("SIGTERM for its agent, as in a rolling update", _signals("agent", signal.SIGTERM)),
    "agent-stop": Fault("SIGSTOP for its agent: a hung one", _signals("agent", signal.SIGSTOP)),
    "agent-cont": Fault("SIGCONT after agent-stop", _signals("agent", signal.SIGCONT)),
    "drain": Fault("its VIPs are handed to others, as by vipmgr drain", _drain),
    "undrain": Fault("it may hold VIPs again", _undrain),
    "leave": Fault("it is taken out of the cluster: stopped, and its Node deleted", _leave),
    "join": Fault("a new node joins", _join, nodes=False),
    "api-down": Fault("the API server answers nobody", _api_down, nodes=False),
    "api-up": Fault("the API server is back", _api_up, nodes=False),
    "controller-kill": Fault("SIGKILL for the controllers", _controllers(signal.SIGKILL), nodes=False),
    "controller-stop": Fault("SIGSTOP for the controllers", _controllers(signal.SIGSTOP), nodes=False),
    "controller-cont": Fault("SIGCONT after controller-stop", _controllers(signal.SIGCONT), nodes=False),
}  # fmt: skip


def check(name: str, nodes: Sequence[str], known: Sequence[str]) -> None:
    """UsageError when there is no such fault, or it cannot be done to these nodes."""
    if name not in FAULTS:
        raise UsageError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    if unknown := [node for node in nodes if node not in known]:
        raise UsageError(f"there is no node {unknown[0]!r}; there are {', '.join(known)}")
    if FAULTS[name].nodes and not nodes and name != "heal":
        raise UsageError(f"{name}: name the node")
    if nodes and not FAULTS[name].nodes:
        raise UsageError(f"{name} is not done to a node")
