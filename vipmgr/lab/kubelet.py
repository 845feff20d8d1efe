"""Plays the kubelet of one node: PID 1 of the node's namespaces, keeps its containers running, answers for its pods.

    python -m vipmgr.lab.kubelet NODE --state DIR

Reads JSON objects, one a line, on standard input and answers each on standard output; also says there what happened by
itself. When this process dies the kernel kills every other of the node.

    {"id": 1, "do": "start", "name": "agent", "argv": [...], "env": {...}}
    {"id": 2, "do": "stop", "name": "agent", "grace": 5}
    {"id": 3, "do": "signal", "name": "keepalived", "signal": 19}
    {"id": 4, "do": "serve", "ports": [["TCP", 80]], "health": {"30123": 0}, "taken": ["10.0.0.5"]}
                                                                    what kube-proxy and the pods would do
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vipmgr.errors import FatalError
from vipmgr.lab.containers import LINE_LIMIT, Containers
from vipmgr.lab.namespaces import bind, keep_mounts_private, mount
from vipmgr.lab.redirects import redirect
from vipmgr.lab.workload import Workload


class Kubelet:
    def __init__(self, node: str, logs: Path) -> None:
        self._containers = Containers(logs, tell)
        self._workload = Workload(node)
        self._taken: frozenset[str] = frozenset()

    async def obey(self, order: Mapping[str, Any]) -> None:
        """Do one order. KeyError for an unknown container, ValueError for an unknown order."""
        match order["do"]:
            case "start":
                self._containers.start(order["name"], order["argv"], order["env"])
            case "stop":
                await self._containers.stop(order["name"], order["grace"])
            case "signal":
                self._containers.signal(order["name"], signal.Signals(order["signal"]))
            case "serve":
                await self._take(frozenset(order["taken"]))
                await self._workload.serve({(kind, port) for kind, port in order["ports"]}, order["health"])
            case other:
                raise ValueError(f"unknown order {other!r}")

    async def _take(self, addresses: frozenset[str]) -> None:
        if addresses != self._taken:
            await asyncio.to_thread(redirect, addresses)
            self._taken = addresses


def tell(fact: Mapping[str, Any]) -> None:
    print(json.dumps(fact, separators=(",", ":")), flush=True)


async def _serve(node: str, state: Path) -> None:
    kubelet = Kubelet(node, state / "logs")
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell({"event": "ready"})
    running: set[asyncio.Task[None]] = set()
    async for line in reader:
        task = asyncio.create_task(_answer(kubelet, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


async def _answer(kubelet: Kubelet, order: Mapping[str, Any]) -> None:
    try:
        await kubelet.obey(order)
    except (KeyError, ValueError, OSError, FatalError) as error:
        tell({"id": order["id"], "error": str(error) or type(error).__name__})
    else:
        tell({"id": order["id"]})


def furnish(state: Path) -> None:
    """The node's own view of the machine: its folders at the paths of production, its processes, its interfaces."""
    keep_mounts_private()
    bind(state / "run", Path("/run/vipmgr"))
    bind(state / "lib", Path("/var/lib/vipmgr"))
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="kubelet")
    parser.add_argument("node")
    parser.add_argument("--state", type=Path, required=True)
    args = parser.parse_args(argv)
    furnish(args.state)
    asyncio.run(_serve(args.node, args.state))
    return 0


if __name__ == "__main__":
    sys.exit(main())
