"""The lab from Python: what tests, benchmarks and the demo use.

    with Lab(nodes=3) as lab:
        lab.apply(MANIFEST)
        vip = lab.wait_for_vip("default/nginx")
        with lab.prober(vip) as prober:
            began = lab.fault("kill", lab.holder(vip))
            ...
        print(prober.dark_ms(vip))

The lab is gone when the block ends, and also when this process does, however it does.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from vipmgr.lab import manifests, reaper
from vipmgr.lab.control import LabError, Line
from vipmgr.lab.sight import Prober

T = TypeVar("T")

ROOT: Final = Path("/run/vipmgr-lab")
UP_SECONDS: Final = 15.0
"""until a lab answers; how long it may take to be up is its own affair"""
DOWN_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.02
VRRP_PID: Final = "/run/vipmgr/vrrp.pid"


def running() -> list[str]:
    """The names of the labs that are up."""
    return sorted(state.name for state in ROOT.glob("*") if reaper.in_use(state)) if ROOT.exists() else []


class Lab:
    """Options are those of vipmgr.lab.cluster. A lab without an owner (`start(keep=True)`) stays until `down`."""

    def __init__(self, nodes: int = 3, *, name: str = "", **options: float | str) -> None:
        self.name = name or f"t{secrets.token_hex(3)}"
        self.state = ROOT / self.name
        self._options = {"nodes": nodes} | options
        self._line: Line | None = None
        self._owner: int | None = None
        self._reaper: subprocess.Popen[bytes] | None = None
        self._last_words = ""

    @classmethod
    def attach(cls, name: str) -> Lab:
        """A lab that is up. LabError when it is not."""
        lab = cls(name=name)
        if not reaper.in_use(lab.state):
            up = ", ".join(running()) or "none"
            raise LabError(f"there is no lab {name!r} (up: {up})")
        lab._line = Line(lab.state)
        return lab

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, keep: bool = False) -> None:
        """Returns when every node's agent has reported. LabError with the lab's own last words."""
        reading, self._owner = os.pipe()
        argv = [sys.executable, "-m", "vipmgr.lab.reaper", "--state", str(self.state), "--owner-fd", str(reading)]
        try:
            options = [_option(name, value) for name, value in self._options.items() if value is not False]
            self._reaper = subprocess.Popen(
                [*argv, "--", *options],
                pass_fds=(reading,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        finally:
            os.close(reading)
        try:
            self._line = self._connect()
            self.ask("wait-up")
        except LabError as error:
            self.stop()
            raise LabError(f"{error}\n{self._last_words}".strip()) from error
        except BaseException:
            self.stop()
            raise
        if keep:
            owner, self._owner = self._owner, None
            os.write(owner, reaper.STAY)
            os.close(owner)

    def _connect(self) -> Line:
        deadline = time.monotonic() + UP_SECONDS
        while time.monotonic() < deadline:
            if self._reaper is not None and self._reaper.poll() is not None:
                break
            with contextlib.suppress(LabError):
                if self._is_ours():
                    return Line(self.state)
            time.sleep(POLL_SECONDS)
        raise LabError(f"lab {self.name} did not start")

    def _is_ours(self) -> bool:
        """Not another lab's of the same name."""
        pid = self._reaper.pid if self._reaper is not None else 0
        return reaper.in_use(self.state) and reaper.reaper_of(self.state) == pid

    def stop(self) -> None:
        """Take the lab down and wait until nothing is left of it."""
        self.detach()
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None
        elif reaper.in_use(self.state):
            os.kill(reaper.reaper_of(self.state), 15)
        if self._reaper is not None:
            _, said = self._reaper.communicate(timeout=DOWN_SECONDS)
            self._last_words = said.decode(errors="replace").strip()
            self._reaper = None
        else:
            self.wait(lambda: not self.state.exists(), "the lab is gone", DOWN_SECONDS)

    def detach(self) -> None:
        """Hang up; the lab itself goes on."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def ask(self, do: str, **parameters: Any) -> Any:
        """A request of vipmgr.lab.desk. LabError when it is refused."""
        if self._line is None:
            raise LabError(f"lab {self.name} is not up")
        return self._line.ask(do, **parameters)

    # --- the cluster -------------------------------------------------------------------------------------------------

    def apply(self, text: str) -> None:
        """Server-side apply of a YAML stream."""
        self.ask("apply", objects=json.loads(json.dumps(manifests.read(text), default=str)))

    def get(self, kind: str, name: str, namespace: str = "") -> manifests.Object:
        answer: manifests.Object = self.ask("get", kind=kind, name=name, namespace=namespace)
        return answer

    def objects(self, kind: str, namespace: str = "") -> list[manifests.Object]:
        answer: list[manifests.Object] = self.ask("list", kind=kind, namespace=namespace)
        return answer

    def patch(self, kind: str, name: str, body: Any, namespace: str = "", subresource: str = "") -> None:
        """A JSON merge patch."""
        self.ask("patch", kind=kind, name=name, body=body, namespace=namespace, subresource=subresource)

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        self.ask("delete", kind=kind, name=name, namespace=namespace)

    def nodes(self) -> list[str]:
        return list(self.ask("describe")["nodes"])

    def fault(self, name: str, *nodes: str) -> int:
        """Do it (vipmgr.lab.faults). Returns when it began, in nanoseconds since the epoch."""
        began: int = self.ask("fault", name=name, nodes=nodes)
        return began

    # --- inside ------------------------------------------------------------------------------------------------------

    def command(self, where: str, argv: Sequence[str]) -> list[str]:
        """The words that run `argv` in a node (or `client`, `router`, `ctl`) of the lab, from outside."""
        enter = ["nsenter", "-t", (self.state / reaper.PID).read_text(), "-m", "-p", "-n", "--"]
        nodes = self.ask("describe")["nodes"]
        if where in nodes:
            if (pid := nodes[where]["pid"]) is None:
                raise LabError(f"{where} is not running")
            return [*enter, "nsenter", "-t", str(pid), "-m", "-p", "-n", "-u", "--", *argv]
        if where in ("client", "router"):
            return [*enter, "nsenter", f"--net=/run/netns/{where}", "--", *argv]
        if where != "ctl":
            raise LabError(f"there is no {where!r}; there are {', '.join([*nodes, 'client', 'router', 'ctl'])}")
        return [*enter, *argv]

    def exec(self, where: str, *argv: str, timeout: float = 30) -> str:
        """What the command writes to its standard output. CalledProcessError when it fails."""
        done = subprocess.run(
            self.command(where, argv),
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout

    def log(self, where: str, container: str) -> str:
        """Everything a container has written so far, "" before its start; `where` is a node or "ctl"."""
        folder = self.state / "logs" if where == "ctl" else self.state / "nodes" / where / "logs"
        path = folder / f"{container}.log"
        return path.read_text() if path.exists() else ""

    def audit_text(self) -> list[str]:
        """The audit lines of all nodes, node by node, from what their agents wrote to standard output."""
        found = []
        for path in sorted(self.state.glob("nodes/*/logs/agent.log")):
            found += path.read_text().splitlines()
        return found

    def macs(self, interface: str = "eth0") -> dict[str, str]:
        """MAC -> node, of the living nodes."""
        found = {}
        for name, node in self.ask("describe")["nodes"].items():
            if node["running"]:
                link = json.loads(self.exec(name, "ip", "-j", "link", "show", "dev", interface))[0]
                found[link["address"]] = name
        return found

    def share_segment(self, other: Lab, bridge: str = "lan0") -> None:
        """Join this lab's segment with another's: two clusters on one network."""
        name = f"to-{other.name}"[:15]
        pids = [(one.state / reaper.PID).read_text() for one in (self, other)]
        ends = ["link", "add", name, "netns", pids[0], "type", "veth", "peer", "name", name, "netns", pids[1]]
        subprocess.run(["ip", *ends], check=True, capture_output=True)
        for one in (self, other):
            one.exec("ctl", "ip", "link", "set", name, "master", bridge, "up")

    # --- addresses ---------------------------------------------------------------------------------------------------

    def holders(self, vip: str) -> list[str]:
        """The living nodes that have the address on an interface, as their kernels say."""
        found = []
        for name, node in self.ask("describe")["nodes"].items():
            if node["running"] and vip in addresses(self.exec(name, "ip", "-j", "addr")):
                found.append(name)
        return found

    def holder(self, vip: str, timeout: float = 10) -> str:
        """The one node that has it; waits until there is exactly one."""
        return self.wait(lambda: _only(self.holders(vip)), f"one node holds {vip}", timeout)

    def converged(self, vip: str) -> bool:
        """One node holds it, and every living node's keepalived and agent are at work on the newest plan.

        What an agent reported of an earlier keepalived does not count: the report must be younger than the process.
        """
        plans = {one["metadata"]["name"]: one for one in self.objects("VipNode")}
        running = {name: node for name, node in self.ask("describe")["nodes"].items() if node["running"]}
        return (
            len(self.holders(vip)) == 1
            and all({"agent", "keepalived"} <= set(node["alive"]) for node in running.values())
            and all(self._at_work(name, plans.get(name, {})) for name in running)
        )

    def _at_work(self, node: str, plan: manifests.Object) -> bool:
        status = plan.get("status", {})
        states = status.get("instances") or []
        started = self.exec(node, "sh", "-c", f"p={VRRP_PID}; kill -0 $(cat $p) && stat -c %Y $p || true").strip()
        return (
            plan.get("spec", {}).get("revision") == status.get("revision")
            and len(states) == len(plan.get("spec", {}).get("instances") or [])
            and (bool(started) or not states)
            and all(
                one["state"] in ("BACKUP", "MASTER") and "since" in one and _seconds(one["since"]) >= int(started) - 1
                for one in states
            )
        )

    def vips(self, service: str) -> list[str]:
        """What Service.status says, for "namespace/name"."""
        namespace, _, name = service.partition("/")
        ingress = self.get("Service", name, namespace).get("status", {}).get("loadBalancer", {}).get("ingress") or []
        return [entry["ip"] for entry in ingress]

    def wait_for_address(self, service: str, timeout: float = 15) -> str:
        """Its first address, as soon as it has one."""
        return self.wait(lambda: next(iter(self.vips(service)), ""), f"{service} has an address", timeout)

    def wait_for_vip(self, service: str, timeout: float = 15) -> str:
        """Its first address, as soon as one node holds it."""
        vip = self.wait_for_address(service, timeout)
        self.holder(vip, timeout)
        return vip

    def wait(self, condition: Callable[[], T], what: str, timeout: float = 15) -> T:
        """What `condition` returns, once that is true. LabError names `what` did not happen.

        A condition that is costly to look at is looked at less often, so that looking does not delay it.
        """
        deadline = time.monotonic() + timeout
        while True:
            began = time.monotonic()
            if result := condition():
                return result
            if time.monotonic() > deadline:
                raise LabError(f"not within {timeout:g} s: {what}")
            time.sleep(max(POLL_SECONDS, 2 * (time.monotonic() - began)))

    def prober(self, *vips: str, interval_ms: float = 5, interface: str = "eth0") -> Prober:
        return Prober(self.ask, vips, interval_ms, interface)


def addresses(ip_json: str) -> set[str]:
    """The addresses in `ip -j addr`."""
    return {info["local"] for link in json.loads(ip_json) for info in link.get("addr_info", ()) if "local" in info}


def _seconds(time_text: str) -> float:
    """RFC 3339 to seconds since the epoch."""
    return datetime.fromisoformat(time_text).timestamp()


def _option(name: str, value: float | str) -> str:
    flag = f"--{name.replace('_', '-')}"
    return flag if value is True else f"{flag}={value}"


def _only(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ""
