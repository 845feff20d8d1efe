"""However a lab ends, nothing of it is left: no process, namespace, mount, file or link."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from vipmgr.lab import reaper
from vipmgr.lab.client import ROOT, Lab, running
from vipmgr.lab.control import LabError

pytestmark = pytest.mark.lab

OWNER = """\
import sys, time
from vipmgr.lab.client import Lab
with Lab(nodes=2, name=sys.argv[1], bare=True) as lab:
    lab.ask("run", node="n1", name="sleeper", argv=["sleep", "3600"])
    print("up", flush=True)
    time.sleep(3600)
"""


def processes(name: str) -> list[str]:
    """The command lines of every process that has to do with the lab, seen from the host."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"vipmgr-lab/{name}" in words:
                found.append(words)
    return found


class Process(NamedTuple):
    """`began` tells it from a later one with the same number, as the kernel gives numbers (of namespaces too) again."""

    pid: int
    began: int


def members(name: str) -> set[Process]:
    """Every process in the lab's namespaces, the nodes' own too, also of a lab that is half up."""
    named, by_namespace = set(), {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                namespace = (entry / "ns" / "pid").stat().st_ino
                one = Process(int(entry.name), int(stat(int(entry.name))[19]))
                by_namespace.setdefault(namespace, set()).add(one)
                if f"vipmgr-lab/{name}".encode() in (entry / "cmdline").read_bytes():
                    named.add(namespace)
    named.discard(Path("/proc/self/ns/pid").stat().st_ino)
    return {one for namespace in named for one in by_namespace[namespace]}


def stat(pid: int) -> list[str]:
    """proc(5): from the state on, which is field 3."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def alive(one: Process) -> bool:
    try:
        return int(stat(one.pid)[19]) == one.began
    except OSError:
        return False


def assert_gone(name: str, once: set[Process]) -> None:
    """With the last process of a namespace, and no mount of it on the host, the kernel removes it and all in it."""
    deadline = time.monotonic() + 10
    while left := [*ROOT.glob(f"{name}*"), *processes(name), *filter(alive, once)]:
        assert time.monotonic() < deadline, f"left: {left}"
        time.sleep(0.02)
    assert name not in Path("/proc/mounts").read_text()
    netns = Path("/run/netns")
    assert not netns.exists() or not {"n1", "client", "router"} & {one.name for one in netns.iterdir()}


@pytest.fixture
def name(request) -> str:
    return f"left{os.getpid()}x{abs(hash(request.node.name)) % 10000}"


@pytest.fixture
def owner(name):
    process = subprocess.Popen([sys.executable, "-c", OWNER, name], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_owner_is_ended(owner, name, how):
    lab = Lab.attach(name)
    once = members(name)
    assert len(once) >= 4
    owner.send_signal(how)
    owner.wait(10)
    lab.detach()
    assert_gone(name, once)


def test_nothing_is_left_when_reaper_and_first_process_are_killed_at_once(owner, name):
    lab = Lab.attach(name)
    once = members(name)
    os.kill(reaper.reaper_of(lab.state), signal.SIGKILL)
    lab.detach()
    deadline = time.monotonic() + 10
    while any(map(alive, once)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert name not in running()
    with Lab(nodes=1, name=name, bare=True) as again:
        assert again.nodes() == ["n1"]
    assert_gone(name, once)


@pytest.mark.parametrize(
    ("moment", "how"),
    [
        ("lock", signal.SIGKILL),
        ("pid", signal.SIGINT),
        ("kubeconfig", signal.SIGKILL),
        ("nodes/n1/logs/agent.log", signal.SIGINT),
    ],
)
def test_nothing_is_left_of_a_lab_whose_maker_is_ended_on_the_way_up(name, moment, how):
    maker = subprocess.Popen(
        [sys.executable, "-m", "vipmgr", "lab", "up", "--nodes", "1", "--name", name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    reach((ROOT / name / moment).exists)
    once = members(name)
    maker.send_signal(how)
    assert maker.wait(20) != 0
    assert_gone(name, once)


def test_nothing_is_left_of_a_demo_that_is_killed_with_its_router_at_work():
    before = set(running())
    demo = subprocess.Popen(
        [sys.executable, "-m", "vipmgr", "lab", "demo"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def own() -> list[str]:
        """By the reaper, a child of the demo."""
        found = set(running()) - before
        return [one for one in found if parent(reaper.reaper_of(ROOT / one)) == demo.pid]

    (name,) = reach(own)
    reach(lambda: list(ROOT.glob(f"{name}.open/*/bird.ctl")))
    once = members(name)
    demo.kill()
    demo.wait(20)
    assert_gone(name, once)
    assert own() == []


def test_what_a_lab_killed_with_its_reaper_left_is_removed_by_any_other(owner, name):
    lab = Lab.attach(name)
    reaper.open_folder(lab.state).mkdir()
    os.kill(reaper.reaper_of(lab.state), signal.SIGKILL)
    lab.detach()
    assert lab.state.exists()
    with Lab(nodes=1, name=f"o{name}", bare=True):
        assert_gone(name, set())


def parent(pid: int) -> int:
    return int(stat(pid)[1])


def reach(condition):
    """What it returns, as soon as that is true."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_block_that_raises_takes_its_lab_down(name):
    with pytest.raises(ZeroDivisionError), Lab(nodes=1, name=name, bare=True):
        raise ZeroDivisionError
    assert_gone(name, set())


def test_a_second_lab_of_the_same_name_is_refused_and_the_first_lives_on(name):
    with Lab(nodes=1, name=name, bare=True) as first:
        with pytest.raises(LabError, match="already up"), Lab(nodes=1, name=name, bare=True):
            pass
        assert first.nodes() == ["n1"]
        assert name in running()
    assert_gone(name, set())


def test_two_labs_live_side_by_side(name):
    with Lab(nodes=1, name=name, bare=True) as one, Lab(nodes=1, name=f"b{name}", bare=True) as other:
        assert members(name).isdisjoint(members(other.name))
        one.exec("client", "ping", "-c1", "-W2", "196.168.223.1")
        other.exec("client", "ping", "-c1", "-W2", "196.168.223.1")


def test_a_lab_that_cannot_start_says_why_and_leaves_nothing(name):
    with pytest.raises(LabError, match="1 to 200 nodes"), Lab(nodes=999, name=name, bare=True):
        pass
    assert_gone(name, set())


def test_a_kept_lab_outlives_its_maker_and_ends_with_down(name):
    maker = "import sys; from vipmgr.lab.client import Lab; Lab(1, name=sys.argv[1], bare=True).start(keep=True)"
    subprocess.run([sys.executable, "-c", maker, name], check=True, timeout=60)
    lab = Lab.attach(name)
    once = members(name)
    lab.stop()
    assert_gone(name, once)
    with pytest.raises(LabError, match="there is no lab"):
        Lab.attach(name)
