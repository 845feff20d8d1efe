"""The lab's own parts with a hand-written keepalived: topology, faults, prober. No controller, no agent."""

from __future__ import annotations

import subprocess

import pytest

from vipmgr.lab.control import LabError

pytestmark = pytest.mark.lab
V4, V6 = "196.168.220.10", "fd00:220::10"


def test_a_node_sees_itself_alone_and_the_paths_of_production(bare):
    assert bare.exec("n1", "cat", "/proc/1/cmdline").split("\0")[2] == "vipmgr.lab.kubelet"
    assert bare.exec("n1", "ls", "/var/lib/vipmgr").split() == ["hand.conf"]
    links = bare.exec("n1", "ls", "/sys/class/net").split()
    assert links == ["eth0", "lo", "mgmt0"]
    bare.exec("n2", "touch", "/run/vipmgr/only-n2")
    assert "only-n2" not in bare.exec("n1", "ls", "/run/vipmgr")


def test_client_and_nodes_reach_each_other_in_both_families(bare):
    for address in ("196.168.223.1", "196.168.223.3", "fd00:220::1:2"):
        assert "1 received" in bare.exec("client", "ping", "-c1", "-W2", address)
    assert "1 received" in bare.exec("ctl", "ping", "-c1", "-W2", "172.31.254.3")


def test_the_management_network_is_not_the_nodes_lan(bare):
    with pytest.raises(subprocess.CalledProcessError):
        bare.exec("client", "ping", "-c1", "-W1", "172.31.254.1")


def test_a_pulled_cable_moves_both_families_and_the_client_measures_it(bare):
    with bare.prober(V4, V6) as prober:
        bare.wait(prober.steady, "both answer")
        before = bare.holder(V4)
        began = bare.fault("cut", before)
        bare.wait(lambda: prober.steady() and prober.outages(V4, began), "the VIP moved")
        after = bare.holder(V4)
        bare.fault("heal", before)
    assert after != before
    for vip in (V4, V6):
        (outage,) = prober.outages(vip, began)
        assert 150 <= outage.dark_ms <= 1000
        assert prober.contests(vip) == []
    assert bare.holder(V6) == after


def test_a_partition_makes_two_masters_and_its_end_one(bare):
    with bare.prober(V4) as prober:
        bare.wait(prober.steady, "it answers")
        before = bare.holder(V4)
        bare.fault("split", before)
        bare.wait(lambda: len(bare.holders(V4)) == 2, "both sides have a master")
        bare.wait(prober.steady, "the client's side answers")
        bare.fault("heal")
        bare.holder(V4)
        bare.wait(prober.steady, "it answers")
    assert prober.dark_ms(V4) <= 1000


def test_a_hung_keepalived_leaves_two_macs_that_answer_and_the_prober_sees_both(bare):
    with bare.prober(V4) as prober:
        before = bare.holder(V4)
        bare.fault("stop", before)
        bare.wait(lambda: len(bare.holders(V4)) == 2, "another node took over")
        macs = bare.macs()
        bare.wait(lambda: prober.steady() and bool(prober.contests(V4)), "two MACs answer")
        bare.fault("cont", before)
        bare.holder(V4)
    assert {macs[mac] for contest in prober.contests(V4) for mac in contest.macs} >= {before}


def test_a_killed_node_is_dead_until_it_starts_with_its_disk_and_an_empty_run(bare):
    before = bare.holder(V4)
    bare.exec(before, "touch", "/run/vipmgr/volatile")
    bare.fault("kill", before)
    with pytest.raises(LabError, match="not running"):
        bare.exec(before, "true")
    assert bare.holder(V4) != before
    bare.fault("start", before)
    assert bare.exec(before, "ls", "/run/vipmgr") == ""
    assert bare.exec(before, "ls", "/var/lib/vipmgr").split() == ["hand.conf"]
    assert V4 not in bare.exec(before, "ip", "addr")


def test_a_container_that_ends_is_started_again_and_its_words_are_kept(bare):
    bare.ask("run", node="n2", name="brief", argv=["/bin/sh", "-c", "echo said once more"])
    bare.wait(lambda: bare.log("n2", "brief").count("said once more") >= 2, "it ran twice")
    assert bare.ask("describe")["nodes"]["n2"]["alive"] == ["keepalived"]


@pytest.mark.parametrize(
    ("fault", "nodes", "words"),
    [
        ("explode", ["n1"], "there is no fault 'explode'"),
        ("kill", ["n9"], "there is no node 'n9'"),
        ("kill", [], "name the node"),
        ("api-down", ["n1"], "not done to a node"),
        ("cont", ["n3"], "keepalived"),
    ],
)
def test_a_fault_that_cannot_be_done_says_why(bare, fault, nodes, words):
    if fault == "cont":
        bare.fault("kill", "n3")
        words = "n3 is not running"
    with pytest.raises(LabError, match=words):
        bare.fault(fault, *nodes)
