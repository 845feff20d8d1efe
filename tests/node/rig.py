"""Nodes as network namespaces on a bridge, each with real keepalived under its real entry script and a real agent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from tests.documented import undocumented
from vipmgr.core.addresses import parse_range
from vipmgr.core.model import Family, InstancePlan, NodePlan, Protocol
from vipmgr.core.render import node_spec
from vipmgr.core.wire import VipNodeSpec

ROOT = Path(__file__).parents[2]
TEMPLATE = (ROOT / "templates" / "keepalived.conf.j2").read_text()
RUN_SCRIPT = ROOT / "vipmgr" / "node" / "keepalived-run.sh"
DRIVER = Path(__file__).with_name("driver.py")
PRIVATE = """
mount --make-rprivate / && mount --bind "$1/run" /run/vipmgr && mount --bind "$1/state" /var/lib/vipmgr || exit 9
[ ! -d "$1/$2" ] || mount --bind "$1/$2" /mnt || exit 9
shift 2
exec "$@"
"""


def sh(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{words}: {done.stderr}")
    return done.stdout


def until(true: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """Wait for a condition; its value. The condition may raise OSError or KeyError while it is not there yet."""
    limit = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, KeyError, IndexError, ValueError):
            if value := true():
                return value
        if time.monotonic() > limit:
            raise AssertionError(f"not within {seconds} s: {what or true}")
        time.sleep(0.01)


def instance(name: str = "p-0", vips: list[str] | None = None, **changes: Any) -> InstancePlan:
    plan = {
        "name": name,
        "eip": "p",
        "interface": "eth0",
        "family": Family.IPV4,
        "vrid": 51,
        "priority": 254,
        "anchor": ip_address("169.254.77.51"),
        "advert_interval_ms": 100,
        "vips": tuple(ip_address(vip) for vip in (["10.77.0.200"] if vips is None else vips)),
    }
    return InstancePlan(**(plan | changes))


def spec_of(node: str, *instances: InstancePlan, pool: str = "10.77.0.200-10.77.0.250", **changes: Any) -> VipNodeSpec:
    pools = (("p", Protocol.VIP, "eth0", (parse_range(pool),)),)
    return node_spec(NodePlan(node=node, instances=instances, pools=pools, **changes), TEMPLATE)


class Node:
    """One node: `run` and `state` are what /run/vipmgr and /var/lib/vipmgr are for it."""

    def __init__(self, segment: Segment, number: int, folder: Path) -> None:
        self.name = f"n{number}"
        self.netns = f"{segment.prefix}{number}"
        self.port = f"p{number}"
        self.folder = folder
        self.run = folder / "run"
        self.state = folder / "state"
        self.address = f"10.77.0.{10 + number}"
        self._segment = segment
        self._processes: list[subprocess.Popen[str]] = []
        self.agent: subprocess.Popen[str] | None = None
        self.keeper: subprocess.Popen[str] | None = None
        self.run.mkdir(parents=True)
        self.state.mkdir()
        sh("ip", "netns", "add", self.netns)
        self.ip("link", "set", "lo", "up")
        self.add_interface()

    def add_interface(self) -> None:
        bridge = self._segment.netns
        sh("ip", "-n", self.netns, "link", "add", "eth0", "type", "veth", "peer", "name", self.port, "netns", bridge)
        sh("ip", "-n", bridge, "link", "set", self.port, "master", "br0", "up")
        self.ip("link", "set", "eth0", "up")
        self.ip("addr", "add", f"{self.address}/24", "dev", "eth0")

    def ip(self, *words: str, check: bool = True) -> str:
        return sh("ip", "-n", self.netns, *words, check=check)

    def _start(self, name: str, *words: str, **options: Any) -> subprocess.Popen[str]:
        """In the node's namespaces; `mnt-NAME` is /mnt for this process alone, when there is such a folder."""
        inside = ["ip", "netns", "exec", self.netns, "unshare", "-m", "sh", "-c", PRIVATE, "sh", str(self.folder)]
        with (self.folder / f"{name}.out").open("a") as out:
            process = subprocess.Popen(
                [*inside, f"mnt-{name}", *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                **options,
            )
        self._processes.append(process)
        return process

    def start_keeper(self) -> None:
        self.keeper = self._start("keeper", str(RUN_SCRIPT))

    def start_agent(self, **environment: str) -> None:
        (self.folder / "status.json").unlink(missing_ok=True)
        self.agent = self._start(
            "agent",
            sys.executable,
            str(DRIVER),
            self.name,
            str(self.folder / "status.json"),
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )

    def start(self) -> None:
        self.start_keeper()
        self.start_agent()

    def python(self, code: str, *words: str) -> subprocess.Popen[str]:
        """A small program in the node's network namespace."""
        return self._start("helper", sys.executable, "-c", code, *words)

    def stop_agent(self, number: int = signal.SIGTERM) -> None:
        assert self.agent is not None
        self.agent.send_signal(number)
        self.agent.wait(10)

    def track(self, name: str, value: int) -> None:
        """What an agent would write, as it does: by rename."""
        new = self.run / f"{name}.new"
        new.write_text(f"{value}\n")
        new.rename(self.run / "track" / name)

    def want(self, spec: VipNodeSpec) -> VipNodeSpec:
        assert self.agent is not None
        assert self.agent.stdin is not None
        self.agent.stdin.write(msgspec.json.encode(spec).decode() + "\n")
        self.agent.stdin.flush()
        return spec

    def plan(self, *instances: InstancePlan, **changes: Any) -> VipNodeSpec:
        return self.want(spec_of(self.name, *instances, **changes))

    def status(self) -> dict[str, Any]:
        return json.loads((self.folder / "status.json").read_text())

    def settled(self, spec: VipNodeSpec, seconds: float = 10.0) -> dict[str, Any]:
        return until(
            lambda: self.status() if self.status().get("revision") == spec.revision else None, seconds, "confirmed"
        )

    def instance_state(self, name: str = "p-0") -> str:
        return next((one["state"] for one in self.status().get("instances", []) if one["name"] == name), "")

    def has(self, vip: str) -> bool:
        return f" {vip}/" in self.ip("-o", "addr", "show")

    def pid(self, file: str = "keepalived.pid") -> int:
        return int((self.run / file).read_text())

    def audit(self, event: str = "") -> list[dict[str, Any]]:
        try:
            lines = (self.state / "audit" / "audit.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        found = [json.loads(line) for line in lines]
        return [one for one in found if one["event"] == event] if event else found

    def metric(self, name: str) -> float:
        lines = (self.folder / "status.metrics").read_text().splitlines()
        values = [float(line.split()[-1]) for line in lines if line.startswith(f"vipmgr_agent_{name} ")]
        return values[-1]

    def log(self) -> str:
        return (self.run / "keepalived.log").read_text(errors="replace").replace("\0", "")

    def kill(self) -> None:
        """Whatever runs in the node, orphans too: an orderly end takes keepalived over a second."""
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        while left := sh("ip", "netns", "pids", self.netns).split():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.005)

    def close(self) -> None:
        self.kill()
        sh("ip", "netns", "del", self.netns)


class Segment:
    """A bridge in a namespace of its own."""

    def __init__(self, folder: Path) -> None:
        Path("/run/vipmgr").mkdir(exist_ok=True)
        Path("/var/lib/vipmgr").mkdir(parents=True, exist_ok=True)
        self.prefix = f"vnode{uuid4().hex[:6]}-"
        self.netns = f"{self.prefix}br"
        self.folder = folder
        self.nodes: list[Node] = []
        sh("ip", "netns", "add", self.netns)
        sh("ip", "-n", self.netns, "link", "add", "br0", "type", "bridge")
        sh("ip", "-n", self.netns, "link", "set", "br0", "up")

    def node(self) -> Node:
        number = len(self.nodes) + 1
        self.nodes.append(Node(self, number, self.folder / f"n{number}"))
        return self.nodes[-1]

    def close(self) -> None:
        for node in self.nodes:
            node.close()
        sh("ip", "netns", "del", self.netns, check=False)
        for node in self.nodes:
            assert undocumented(node.audit()) == set()


@contextlib.contextmanager
def segment(folder: Path) -> Iterator[Segment]:
    made = Segment(folder)
    try:
        yield made
    finally:
        made.close()
