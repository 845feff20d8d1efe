"""A VipNode.spec on its way to keepalived: real files, real keepalived, real signals."""

from __future__ import annotations

import os
import signal
import time

import msgspec

from tests.node.rig import Node, Segment, instance, sh, spec_of, until


def test_a_vip_is_added_by_one_reload_and_the_master_stays_master(node: Node) -> None:
    pid, since = node.pid(), node.status()["instances"][0]["since"]
    status = node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.201"])))
    assert node.has("10.77.0.201")
    assert node.pid() == pid
    assert status["instances"][0]["since"] == since
    assert node.metric("reloads_total") == 1
    assert node.audit("config.applied")[-1]["vipsAdded"] == 1
    assert status["keepalived"]["reloadMs"] > 0


def test_a_burst_of_plans_costs_few_reloads_and_ends_with_the_newest(node: Node) -> None:
    for last in range(201, 231):
        spec = node.plan(instance(vips=[f"10.77.0.{host}" for host in range(200, last + 1)]))
    node.settled(spec)
    assert node.has("10.77.0.230")
    reloads = node.metric("reloads_total")
    assert 1 <= reloads <= 8
    assert node.log().count("Reload complete") == reloads


def test_a_change_that_keepalived_need_not_know_costs_no_reload(node: Node) -> None:
    node.settled(node.plan(instance(), reach=("10.77.0.1",)))
    assert node.metric("reloads_total") == 0
    until(lambda: node.status()["reach"] == {"10.77.0.1": "eth0"})


def test_a_refused_plan_keeps_the_old_one_and_shows_keepalived_s_words(node: Node) -> None:
    good = (node.state / "keepalived.conf").read_bytes()
    bad = spec_of(node.name, instance(vips=["10.77.0.200", "10.77.0.201"]))
    bad.keepalived = bad.keepalived.replace("nopreempt", "nopreemptt")
    node.want(bad)
    refused = until(lambda: node.status()["refused"])
    assert refused["revision"] == bad.revision
    assert "Unknown keyword 'nopreemptt'" in refused["message"]
    assert (node.state / "keepalived.conf").read_bytes() == good
    assert node.has("10.77.0.200")
    assert "Reloading" not in node.log()
    assert node.audit("config.refused")[-1]["revision"] == bad.revision
    applied = next(one for one in node.status()["conditions"] if one["type"] == "Applied")
    assert applied["status"] == "False"
    status = node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.202"])))
    assert "refused" not in status


def test_an_empty_configuration_is_refused_though_keepalived_would_take_it(node: Node) -> None:
    empty = spec_of(node.name)
    empty.keepalived = ""
    node.want(empty)
    assert "empty" in until(lambda: node.status()["refused"])["message"]
    assert node.has("10.77.0.200")


def test_a_plan_that_keepalived_itself_refuses_at_the_reload_is_taken_back(wire: Segment) -> None:
    node = wire.node()
    (node.folder / "mnt-keeper").mkdir()
    extra = node.folder / "mnt-keeper" / "extra.conf"
    extra.write_text("this is no keyword\n")
    node.start()
    node.settled(node.plan(instance()))
    until(lambda: node.has("10.77.0.200"))
    good = (node.state / "keepalived.conf").read_bytes()
    # The agent's own keepalived -t does not see the file that the running keepalived includes.
    bad = spec_of(node.name, instance(vips=["10.77.0.200", "10.77.0.201"]))
    bad.keepalived += "include /mnt/extra*.conf\n"
    node.want(bad)
    refused = until(lambda: node.status()["refused"])
    assert refused["revision"] == bad.revision
    assert "Unknown keyword 'this'" in refused["message"]
    until(lambda: (node.state / "keepalived.conf").read_bytes() == good)
    assert node.has("10.77.0.200")
    assert not node.has("10.77.0.201")


def test_a_reload_that_does_not_come_is_asked_for_twice_reported_and_confirmed_late(node: Node) -> None:
    keepalived, child = node.pid(), node.pid("vrrp.pid")
    for pid in (keepalived, child):
        os.kill(pid, signal.SIGSTOP)
    try:
        spec = node.plan(instance(vips=["10.77.0.200", "10.77.0.201"]))
        until(lambda: any(one["reason"] == "Unconfirmed" for one in node.status()["conditions"]), 20)
        assert node.metric("reloads_total") == 2
    finally:
        for pid in (keepalived, child):
            os.kill(pid, signal.SIGCONT)
    node.settled(spec)
    assert node.pid() == keepalived


def test_a_full_disk_refuses_the_plan_and_keeps_the_old_one(wire: Segment) -> None:
    node = wire.node()
    sh("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(node.state))
    try:
        node.start()
        node.settled(node.plan(instance()))
        until(lambda: node.has("10.77.0.200"))
        good = (node.state / "keepalived.conf").read_bytes()
        filler = node.state / "filler"
        sh("sh", "-c", f"cat /dev/zero >{filler} 2>/dev/null || true")
        node.plan(instance(vips=[f"10.77.0.{host}" for host in range(200, 250)]))
        refused = until(lambda: node.status()["refused"])
        assert "No space left on device" in refused["message"]
        assert (node.state / "keepalived.conf").read_bytes() == good
        assert not (node.state / "keepalived.conf.draft").exists()
        for host in range(2, 50):  # until the file needs a block more
            if node.metric("audit_lines_not_on_disk") >= 1:
                break
            spec = node.plan(instance(vips=["10.77.0.200", f"10.77.0.{host}"]), pool=f"10.77.0.1-10.77.0.{host}")
            until(lambda spec=spec: node.status()["refused"]["revision"] == spec.revision)
        assert node.metric("audit_lines_not_on_disk") >= 1
        filler.unlink()
        status = node.settled(node.plan(instance(vips=["10.77.0.200", "10.77.0.202"])))
        assert "refused" not in status
        assert status["auditSequence"] == node.audit()[-1]["seq"]
        saved = msgspec.json.decode((node.state / "plan.json").read_bytes())
        assert saved["spec"]["revision"] == status["revision"]
    finally:
        node.kill()
        sh("umount", "-l", str(node.state))


def test_the_first_and_the_last_instance_may_come_and_go(wire: Segment) -> None:
    node = wire.node()
    node.start()
    node.settled(node.plan())
    until(lambda: node.status()["keepalived"]["running"])
    pid = node.pid()
    node.settled(node.plan(instance()))
    until(lambda: node.instance_state() == "MASTER")
    status = node.settled(node.plan())
    assert "instances" not in status or until(lambda: "instances" not in node.status())
    assert not node.has("10.77.0.200")
    assert node.pid() == pid
    assert not (node.run / "track" / "p-0").exists()
    node.settled(node.plan(instance("p-1", ["10.77.0.210"], vrid=52)))
    until(lambda: node.has("10.77.0.210"))
    assert node.pid() == pid


def test_reloads_under_load_move_nothing_between_two_nodes(pair: tuple[Node, Node]) -> None:
    first, second = pair
    for one, priority in ((first, 254), (second, 252)):
        one.settled(one.plan(instance(vips=[f"10.77.0.{host}" for host in range(200, 240)], priority=priority)))
    before = len(first.audit("vrrp.transition")) + len(second.audit("vrrp.transition"))
    until_time = time.monotonic() + 3
    turn = 0
    while time.monotonic() < until_time:
        turn += 1
        vips = [f"10.77.0.{host}" for host in range(200, 240 + turn % 5)]
        wanted = [
            (one, one.plan(instance(vips=vips, priority=priority))) for one, priority in ((second, 252), (first, 254))
        ]
        for one, spec in wanted:
            one.settled(spec)
    assert len(first.audit("vrrp.transition")) + len(second.audit("vrrp.transition")) == before
    assert turn >= 5
    assert not first.audit("audit.gap")
    assert not second.audit("audit.gap")
