"""Lays a topology with ip(8), cuts and mends its cables. Runs as PID 1's own network namespace: the control one."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from vipmgr.errors import FatalError
from vipmgr.lab.namespaces import inside
from vipmgr.lab.topology import SHADOW, Host, Segment, Topology, configure, lay_bridges, plug_in

NAMESPACES = Path("/run/netns")


def ip(lines: Sequence[str], namespace: str = "") -> None:
    """Run lines of `ip -batch`. FatalError with ip's own words."""
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(
        ["ip", *where, "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise FatalError(f"ip {' '.join(where)}: {done.stderr.strip()}")


def lay(topology: Topology) -> None:
    """Bridges and every host."""
    ip(lay_bridges(topology))
    for host in topology.hosts:
        add_host(host, topology)


def add_host(host: Host, topology: Topology) -> None:
    ip([f"netns add {host.name}"])
    inside(NAMESPACES / host.name, _set_defaults)
    ip(plug_in(host, topology))
    ip(configure(host, topology), namespace=host.name)


def _set_defaults() -> None:
    """Link-local addresses usable at once: no duplicate address detection, for which IPv6 waits a second or two."""
    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
    Path("/proc/sys/net/ipv6/conf/all/accept_dad").write_text("0")


def remove_host(host: Host) -> None:
    """Its interfaces go with it: at once for those outside, not whenever the kernel gets to it."""
    ports = subprocess.run(["ip", "-br", "link", "show", "type", "veth"], capture_output=True, text=True, check=True)
    own = [line.split("@")[0].split()[0] for line in ports.stdout.splitlines() if line.startswith(f"{host.name}-")]
    ip([*(f"link del {port}" for port in own), f"netns del {host.name}"])


def unplug(host: Host, segments: Sequence[Segment]) -> None:
    """The far end of the cable goes down: the host sees its carrier go, as when a plug is pulled."""
    ip([f"link set {host.port(segment)} down" for segment in segments])


def silence(host: Host, segments: Sequence[Segment], *, management: bool = False) -> None:
    """Frames go nowhere, carrier stays: a dead switch in between."""
    ports = [host.port(segment) for segment in segments] + ([host.management_port] if management else [])
    ip([f"link set {port} nomaster" for port in ports])


def move_away(hosts: Sequence[Host], segments: Sequence[Segment]) -> None:
    """Partition: these hosts hear each other on a bridge of their own, and nobody else."""
    ip([f"link set {one.port(segment)} master {segment.bridge}{SHADOW}" for one in hosts for segment in segments])


def mend(hosts: Sequence[Host], topology: Topology) -> None:
    """Every cable of these hosts back where it was."""
    lines = []
    for host in hosts:
        for segment in topology.segments:
            lines += [f"link set {host.port(segment)} master {segment.bridge}", f"link set {host.port(segment)} up"]
    ip(lines)
