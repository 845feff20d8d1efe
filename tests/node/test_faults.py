"""A node broken on purpose: interfaces that are other ones now, files and folders taken away, orders without sense, two
things at once. Afterwards it does what it is told again, by itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest

from tests.node.rig import Node, Segment, instance, sh, spec_of, until
from vipmgr.core.node_layer2 import NodeLayer2, NodeLayer2Address, NodeLayer2Pool
from vipmgr.core.wire import VipNodeSpec

SECOND = instance("p-1", ["10.77.0.210"], vrid=52, interface="eth1")


def plug(node: Node) -> None:
    """eth1, with a link."""
    node.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth1-peer")
    for name in ("eth1-peer", "eth1"):
        node.ip("link", "set", name, "up")
    node.ip("addr", "add", "10.78.0.1/24", "dev", "eth1")


def rename(node: Node, old: str, new: str) -> None:
    node.ip("link", "set", old, "down")
    node.ip("link", "set", old, "name", new)
    node.ip("link", "set", new, "up")


def stop(node: Node) -> None:
    """Agent and keepalived, in order."""
    node.stop_agent()
    assert node.keeper is not None
    node.keeper.terminate()
    node.keeper.wait(5)


def test_a_backup_whose_interface_was_made_anew_hears_the_master_and_replaces_it(pair: tuple[Node, Node]) -> None:
    first, second = pair
    pid = second.pid()
    second.ip("link", "del", "eth0")
    until(lambda: second.instance_state() == "FAULT")
    second.add_interface()
    until(lambda: second.instance_state() == "BACKUP" and second.metric("reloads_total") >= 1)
    until(lambda: "Reload complete" in second.log())
    assert second.instance_state() == "BACKUP"
    first.kill()
    until(lambda: second.instance_state() == "MASTER" and second.has("10.77.0.200"), 3)
    assert second.pid() == pid


def test_an_interface_renamed_and_renamed_back_serves_again(node: Node) -> None:
    rename(node, "eth0", "lan0")
    until(lambda: node.instance_state() == "FAULT")
    rename(node, "lan0", "eth0")
    until(lambda: node.instance_state() == "MASTER", 5)
    assert node.has("10.77.0.200")


def test_a_renamed_interface_is_reported_and_served_once_the_plan_names_it(node: Node) -> None:
    pid = node.pid()
    rename(node, "eth0", "lan0")
    until(lambda: [one["name"] for one in node.status()["interfaces"]] == ["lan0"])
    node.settled(node.plan(instance(interface="lan0")))
    until(lambda: node.instance_state() == "MASTER")
    assert "10.77.0.200/32 scope global lan0" in node.ip("addr", "show", "dev", "lan0")
    assert node.pid() == pid


def test_a_cold_start_without_one_interface_serves_on_the_others_and_on_it_when_it_comes(wire: Segment) -> None:
    node = wire.node()
    plug(node)
    node.start()
    node.settled(node.plan(instance(), SECOND))
    until(lambda: node.has("10.77.0.200") and node.has("10.77.0.210"))
    stop(node)
    node.ip("link", "del", "eth1")
    node.start()
    until(lambda: node.instance_state() == "MASTER" and node.has("10.77.0.200"))
    until(lambda: node.instance_state("p-1") == "FAULT")
    plug(node)
    until(lambda: node.instance_state("p-1") == "MASTER" and node.has("10.77.0.210"), 5)
    assert node.instance_state() == "MASTER"


def test_an_interface_made_anew_while_no_agent_ran_is_opened_again_by_the_next(node: Node) -> None:
    until(lambda: node.metric("keepalived_up") == 1)
    node.stop_agent()
    node.ip("link", "del", "eth0")
    until(lambda: "Interface eth0 deleted" in node.log())
    node.add_interface()
    until(lambda: node.log().count("Entering BACKUP STATE") == 2)
    node.start_agent()
    until(lambda: node.has("10.77.0.200"), 5)
    assert node.log().count("Entering MASTER STATE") == 2


def test_a_change_while_one_interface_is_missing_is_taken(wire: Segment) -> None:
    node = wire.node()
    plug(node)
    node.start()
    node.settled(node.plan(instance(), SECOND))
    node.ip("link", "del", "eth1")
    node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.201"]), SECOND))
    until(lambda: node.has("10.77.0.201"))
    assert node.has("10.77.0.200")


def test_lines_are_heard_though_somebody_removed_the_fifo(pair: tuple[Node, Node]) -> None:
    first, second = pair
    (first.run / "notify.fifo").unlink()
    until((first.run / "notify.fifo").is_fifo)
    first.plan(instance(priority=254), drain=True)  # no reload: keepalived still writes to the one that is gone
    until(lambda: first.instance_state() == "BACKUP" and second.instance_state() == "MASTER")
    first.settled(first.plan(instance(priority=254, vips=["10.77.0.200", "10.77.0.201"])))  # now it opens the new one
    second.plan(instance(priority=252), drain=True)
    until(lambda: first.instance_state() == "MASTER")
    assert not first.audit("audit.gap")


def test_track_and_audit_folders_that_were_removed_are_made_again(pair: tuple[Node, Node]) -> None:
    first, second = pair
    sh("rm", "-r", str(first.run / "track"), str(first.state / "audit"))
    first.settled(first.plan(instance(priority=254, vips=["10.77.0.200", "10.77.0.201"])))
    first.settled(first.plan(instance(priority=254, vips=["10.77.0.200", "10.77.0.201"]), drain=True))
    until(lambda: second.instance_state() == "MASTER" and first.status().get("drained"))
    assert first.audit("drain.done")


def test_a_read_only_disk_refuses_the_plan_and_keeps_what_runs(wire: Segment) -> None:
    node = wire.node()
    sh("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(node.state))
    try:
        node.start()
        node.settled(node.plan(instance()))
        until(lambda: node.has("10.77.0.200"))
        sh("nsenter", f"--mount=/proc/{node.agent.pid}/ns/mnt", "mount", "-o", "remount,ro", "/var/lib/vipmgr")
        wanted = node.plan(instance(vips=["10.77.0.200", "10.77.0.201"]))
        assert "Read-only file system" in until(lambda: node.status()["refused"])["message"]
        assert node.has("10.77.0.200")
        node.stop_agent()
        node.start_agent()  # cannot write there; reads what is there, and does the rest of its work
        until(lambda: node.instance_state() == "MASTER")
        sh("mount", "-o", "remount,rw", str(node.state))
        node.settled(node.want(wanted))
        until(lambda: node.has("10.77.0.201"))
    finally:
        node.kill()
        sh("umount", "-l", str(node.state))


def hung_up(pid: int) -> bool:
    """Whether SIGHUP waits for the process."""
    (pending,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd")]
    return bool(int(pending.split()[1], 16) & 1 << signal.SIGHUP - 1)


def nonsense(node: Node) -> list[tuple[str, VipNodeSpec]]:
    """What somebody may have written into VipNode.spec by hand, and the field to blame. All pass the CRD's schema."""
    good = spec_of(node.name, instance())

    def changed(field: str, value: object) -> VipNodeSpec:
        spec = msgspec.json.decode(msgspec.json.encode(good), type=VipNodeSpec)
        *way, last = field.split(".")
        target = spec
        for step in way:
            target = target[0] if step == "0" else getattr(target, step)
        setattr(target, last, value)
        spec.revision = f"hand-{field}"
        return spec

    layer2 = NodeLayer2(pools=(NodeLayer2Pool(eip="p", interface="eth0", addresses=(NodeLayer2Address(address="x"),)),))
    return [
        ("instances.vips", changed("instances.0.vips", ["rubbish"])),
        ("instances.anchor", changed("instances.0.anchor", "rubbish")),
        ("instances.family", changed("instances.0.family", "IPv5")),
        ("instances.name", changed("instances.0.name", "../../../tmp/x")),
        ("pools.ranges", changed("pools.0.ranges", ["10.77.0.9-10.77.0.1"])),
        ("reach", changed("reach", ["gateway"])),
        ("layer2.addresses", changed("layer2", layer2)),
        ("global_defs", changed("keepalived", "")),
    ]


def test_an_order_that_makes_no_sense_is_refused_by_field_and_the_agent_lives_on(node: Node) -> None:
    assert node.agent is not None
    for field, spec in nonsense(node):
        node.want(spec)
        refused = until(lambda spec=spec: node.status()["refused"]["revision"] == spec.revision and node.status())
        assert field in refused["refused"]["message"]
        assert node.has("10.77.0.200")
    status = node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.202"])))
    assert "refused" not in status
    assert node.agent.poll() is None


def test_a_stored_plan_that_makes_no_sense_is_ignored(node: Node) -> None:
    node.stop_agent()
    stored = node.state / "plan.json"
    stored.write_text(stored.read_text().replace("169.254.77.51", "rubbish"))
    node.start_agent()
    until(node.status)
    node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.202"])))
    assert "rubbish" not in stored.read_text()


def test_an_order_from_a_newer_controller_is_obeyed_as_far_as_it_is_known(node: Node) -> None:
    spec = spec_of(node.name, instance(vips=["10.77.0.200", "10.77.0.201"]))
    newer = msgspec.json.decode(msgspec.json.encode(spec))
    newer["flavour"] = {"of": "tomorrow"}
    newer["instances"][0]["shade"] = 7
    assert node.agent is not None
    assert node.agent.stdin is not None
    node.agent.stdin.write(msgspec.json.encode(newer).decode() + "\n")
    node.agent.stdin.flush()
    node.settled(spec)
    until(lambda: node.has("10.77.0.201"))


@pytest.mark.parametrize("moment", ["keepalived.conf.draft", "keepalived.conf", "Reloading"])
def test_an_agent_killed_in_the_middle_of_a_change_completes_it_the_next_time(node: Node, moment: str) -> None:
    """The change is told it again by the API server, as a watch does; VRRP has noticed nothing."""
    vips = ["10.77.0.200", *(f"10.77.1.{host}" for host in range(1, 200))]
    spec = node.plan(instance(vips=vips), pool="10.77.0.200-10.77.1.250")
    seen = {
        "keepalived.conf.draft": (node.state / "keepalived.conf.draft").exists,
        "keepalived.conf": lambda: "10.77.1.7/" in (node.state / "keepalived.conf").read_text(),
        "Reloading": lambda: "Reloading" in node.log(),
    }[moment]
    assert node.agent is not None
    until(seen)
    node.stop_agent(signal.SIGKILL)
    node.start_agent()
    node.want(spec)
    node.settled(spec)
    until(lambda: node.has("10.77.1.199"))
    assert node.log().count("Entering") == 2


def test_what_keepalived_left_is_removed_though_the_agent_was_killed_with_it(pair: tuple[Node, Node]) -> None:
    first, second = pair
    assert first.agent is not None
    assert first.keeper is not None
    pids = [first.agent.pid, first.keeper.pid, first.pid(), first.pid("vrrp.pid")]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    first.agent.wait(5)
    until(lambda: second.instance_state() == "MASTER")
    assert first.has("10.77.0.200")
    first.start_agent()
    until(lambda: not first.has("10.77.0.200"), 5)
    first.start_keeper()
    until(lambda: first.instance_state() == "BACKUP")
    assert second.instance_state() == "MASTER"


def test_a_refused_reload_is_taken_back_though_the_disk_is_full_just_then(wire: Segment) -> None:
    node = wire.node()
    (node.folder / "mnt-keeper").mkdir()
    sh("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(node.state))
    try:
        node.start()
        node.settled(node.plan(instance()))
        until(lambda: node.has("10.77.0.200"))
        good = (node.state / "keepalived.conf").read_bytes()
        (node.folder / "mnt-keeper" / "extra.conf").write_text("this is no keyword\n")
        bad = spec_of(node.name, instance(vips=["10.77.0.200", "10.77.0.201"]))
        bad.keepalived += "include /mnt/extra*.conf\n"
        for pid in (node.pid(), node.pid("vrrp.pid")):
            os.kill(pid, signal.SIGSTOP)
        node.want(bad)
        until(lambda: (node.state / "keepalived.conf").read_bytes() != good)
        until(lambda: hung_up(node.pid()))
        filler = node.state / "filler"
        sh("sh", "-c", f"cat /dev/zero >{filler} 2>/dev/null || true")
        for pid in (node.pid(), node.pid("vrrp.pid")):
            os.kill(pid, signal.SIGCONT)
        until(lambda: node.status()["refused"]["revision"] == bad.revision)
        filler.unlink()
        status = node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.202"])))
        assert "refused" not in status
        assert node.agent is not None
        assert node.agent.poll() is None
    finally:
        node.kill()
        sh("umount", "-l", str(node.state))
