"""Deaths, starts and restarts, of keepalived and of the agent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

from tests.node.rig import Node, Segment, instance, spec_of, until


def kill(node: Node, *files: str) -> None:
    """All at one moment: stopped first, a survivor cannot tidy up after the first to die."""
    pids = [node.pid(file) for file in files]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)


def test_vips_of_a_killed_keepalived_are_taken_off_at_once_and_it_is_back_soon(pair: tuple[Node, Node]) -> None:
    first, second = pair
    old = first.pid()
    kill(first, "keepalived.pid", "vrrp.pid")
    until(lambda: not first.has("10.77.0.200"), 2)
    until(lambda: second.instance_state() == "MASTER", 3)
    until(lambda: first.pid() != old and first.instance_state() == "BACKUP")
    assert first.address in first.ip("addr")
    assert first.audit("keepalived.died")
    assert len(first.audit("keepalived.started")) == 2

    def moves() -> list[tuple[str, str, str]]:
        return [(one["from"], one["to"], one["reason"]) for one in first.audit("vrrp.transition")]

    until(lambda: ("MASTER", "STOP", "keepalived-died") in moves())


def test_vips_of_a_killed_keepalived_that_nobody_starts_again_are_removed(node: Node) -> None:
    assert node.keeper is not None
    assert readiness(node) == ("True", "Confirmed")
    os.kill(node.keeper.pid, signal.SIGKILL)
    kill(node, "keepalived.pid", "vrrp.pid")
    until(lambda: not node.has("10.77.0.200"), 2)
    removed = until(lambda: node.audit("vip.stray_removed"))
    assert removed[0]["vips"] == ["10.77.0.200"]
    assert removed[0]["instance"] == "p-0"
    until(lambda: not node.status()["keepalived"].get("running"))
    assert node.address in node.ip("addr")
    assert readiness(node) == ("False", "NotRunning")


def readiness(node: Node) -> tuple[str, str]:
    (ready,) = [one for one in node.status()["conditions"] if one["type"] == "Ready"]
    return ready["status"], ready["reason"]


def test_the_death_of_the_vrrp_process_alone_is_seen(node: Node) -> None:
    parent, child = node.pid(), node.pid("vrrp.pid")
    kill(node, "vrrp.pid")
    until(lambda: node.pid("vrrp.pid") != child and node.instance_state() == "MASTER" and node.has("10.77.0.200"))
    assert node.pid() == parent
    until(lambda: "keepalived-died" in [one["reason"] for one in node.audit("vrrp.transition")])


def test_strays_are_removed_at_the_start_and_nothing_else_is_touched(wire: Segment) -> None:
    node = wire.node()
    for address in ("10.77.0.240/32", "10.77.0.241/24", "10.77.0.99/32", "10.77.0.200/32"):
        node.ip("addr", "add", address, "dev", "eth0")
    node.ip("addr", "add", "10.77.0.242/32", "dev", "lo")
    node.start()
    node.settled(node.plan(instance()))
    until(lambda: not node.has("10.77.0.240"))
    until(lambda: node.instance_state() == "MASTER" and node.has("10.77.0.200"))
    # Not a host route; not of a pool; not on an interface of ours.
    assert node.has("10.77.0.241")
    assert node.has("10.77.0.99")
    assert node.has("10.77.0.242")
    # 10.77.0.200 is removed too if the agent sees it before keepalived runs.
    removed = {one["vips"][0] for one in node.audit("vip.stray_removed")}
    assert {"10.77.0.240"} <= removed <= {"10.77.0.240", "10.77.0.200"}


def test_a_cold_start_needs_no_api_server(wire: Segment) -> None:
    node = wire.node()
    node.start()
    spec = node.settled(node.plan(instance()))
    until(lambda: node.has("10.77.0.200"))
    node.stop_agent()
    assert node.keeper is not None
    node.keeper.terminate()
    node.keeper.wait(5)
    assert not node.has("10.77.0.200")
    for path in (*node.run.glob("*"), *node.run.glob("track/*")):  # a reboot empties /run
        if not path.is_dir():
            path.unlink()
    node.start()
    until(lambda: node.instance_state() == "MASTER" and node.has("10.77.0.200"))
    assert node.status()["revision"] == spec["revision"]


def test_a_lost_configuration_file_is_made_again_from_the_stored_plan(wire: Segment) -> None:
    node = wire.node()
    node.start_agent()
    until(node.status)
    spec = node.plan(instance())
    until((node.state / "keepalived.conf").read_text)
    node.start_keeper()
    node.settled(spec)
    node.stop_agent()
    assert node.keeper is not None
    node.keeper.terminate()
    node.keeper.wait(5)
    (node.state / "keepalived.conf").unlink()
    node.start()
    until(lambda: node.instance_state() == "MASTER" and node.has("10.77.0.200"))
    assert (node.state / "keepalived.conf").read_text() == spec.keepalived


def test_an_agent_that_restarts_disturbs_nothing_and_misses_nothing(pair: tuple[Node, Node]) -> None:
    first, second = pair
    pids = first.pid(), first.pid("vrrp.pid")
    moves = len(first.audit("vrrp.transition"))
    first.stop_agent()
    assert first.has("10.77.0.200")
    # While no agent runs the VIP moves and comes back: the FIFO keeps the lines.
    first.track("drain", -254)
    until(lambda: second.instance_state() == "MASTER")
    first.track("drain", 0)
    until(lambda: first.log().count("Entering BACKUP STATE") == 2)
    first.start_agent()
    until(lambda: first.instance_state() == "BACKUP")
    until(lambda: len(first.audit("vrrp.transition")) == moves + 2)
    assert [(one["from"], one["to"]) for one in first.audit("vrrp.transition")[moves:]] == [
        ("MASTER", "FAULT"),
        ("FAULT", "BACKUP"),
    ]
    assert (first.pid(), first.pid("vrrp.pid")) == pids
    until(lambda: readiness(first) == ("True", "Confirmed"))
    assert "Reloading" not in first.log()
    assert not first.audit("audit.gap")
    assert len(first.audit("keepalived.started")) == 1
    boots = [one["boot"] for one in first.audit("agent.started")]
    assert first.audit("agent.started")[1]["previousBoot"] == boots[0]


def test_lines_that_were_lost_become_a_gap(pair: tuple[Node, Node]) -> None:
    first, second = pair
    until(lambda: json.loads((first.run / "agent.json").read_text())["instances"]["p-0"]["state"] == "MASTER")
    first.stop_agent(signal.SIGKILL)
    log = (first.run / "keepalived.log").read_text()
    first.track("drain", -254)
    until(lambda: second.instance_state() == "MASTER")
    first.track("drain", 0)
    until(lambda: first.log().count("Entering BACKUP STATE") == 2)
    descriptor = os.open(first.run / "notify.fifo", os.O_RDWR | os.O_NONBLOCK)
    assert b"FAULT" in os.read(descriptor, 65536)
    os.close(descriptor)
    (first.run / "keepalived.log").write_text(log)
    first.start_agent()
    gap = until(lambda: first.audit("audit.gap"))
    assert [(one["instance"], one["from"], one["to"]) for one in gap] == [("p-0", "MASTER", "BACKUP")]
    until(lambda: first.instance_state() == "BACKUP")


def test_sigterm_of_the_entry_script_hands_the_vip_over(pair: tuple[Node, Node]) -> None:
    first, second = pair
    assert first.keeper is not None
    first.keeper.terminate()
    assert first.keeper.wait(5) == 0
    until(lambda: second.instance_state() == "MASTER")
    until(lambda: second.audit("vrrp.transition")[-1]["reason"] == "priority-zero-received")
    until(lambda: first.audit("vrrp.transition")[-1]["reason"] == "stopped")


def test_a_plan_that_comes_while_keepalived_is_down_is_live_with_its_next_start(wire: Segment) -> None:
    node = wire.node()
    node.start_agent()
    until(node.status)
    node.plan(instance())
    spec = node.plan(instance(vips=["10.77.0.200", "10.77.0.205"]))
    until(lambda: (node.state / "keepalived.conf").read_text() == spec.keepalived)
    assert node.status().get("revision", "") == ""
    node.start_keeper()
    node.settled(spec)
    until(lambda: node.has("10.77.0.205"))
    assert node.metric("reloads_total") == 0


def test_an_interface_that_vanishes_and_returns_and_one_that_is_renamed(node: Node) -> None:
    node.ip("link", "del", "eth0")
    until(lambda: node.instance_state() == "FAULT")
    until(lambda: not any(one.get("up") for one in node.status().get("interfaces", [])))
    node.add_interface()
    until(lambda: node.status()["interfaces"][0]["addresses"] == [f"{node.address}/24"])
    until(lambda: node.status()["interfaces"][0]["up"])
    node.ip("link", "set", "eth0", "down")
    node.ip("link", "set", "eth0", "name", "lan0")
    node.ip("link", "set", "lan0", "up")
    until(lambda: node.status()["interfaces"][0]["name"] != "eth0")
    assert [one["name"] for one in node.status()["interfaces"]] == ["lan0"]


def test_a_cut_cable_is_reported_and_explained(pair: tuple[Node, Node]) -> None:
    first, second = pair
    subprocess.run(["ip", "-n", first._segment.netns, "link", "set", first.port, "down"], check=True)
    began = time.monotonic()
    until(lambda: second.instance_state() == "MASTER")
    assert time.monotonic() - began < 1.5
    until(lambda: not first.status()["interfaces"][0].get("up"))
    until(lambda: first.audit("vrrp.transition")[-1]["reason"] == "interface-down")
    until(lambda: second.audit("vrrp.transition")[-1]["reason"] == "advertisement-timeout")


def test_the_entry_script_starts_with_stale_pid_files(wire: Segment) -> None:
    node = wire.node()
    (node.run / "keepalived.pid").write_text("1\n")
    (node.run / "vrrp.pid").write_text("1\n")
    node.start()
    node.settled(node.want(spec_of(node.name, instance())))
    until(lambda: node.instance_state() == "MASTER")
    assert int((node.run / "keepalived.pid").read_text()) > 1
