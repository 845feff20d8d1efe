"""A VIP of a Service, from the client's side, while things go wrong: everything real but the cables.

Bounds are generous (the machine is shared with other tests); exact figures are bench/failover.py's. In every test the
audit, made from the agents' lines alone, must name the same move and bounds that hold what the client measured.
"""

from __future__ import annotations

import time

import pytest

from vipmgr.core.audit_line import Event, read_line
from vipmgr.core.findings import NODE_LOST, PARTITION
from vipmgr.core.model import MoveReason
from vipmgr.lab.demo import MANIFESTS
from vipmgr.lab.trial import measure
from vipmgr.lab.verdicts import audit, compare

pytestmark = pytest.mark.lab
SLOW_MS = 1000
"""what 3.004 adverts of 100 ms (301 ms) may become on a busy machine"""


@pytest.fixture
def prober(lab, vip):
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, f"{vip} answers")
        yield prober
    mend(lab)
    lab.wait(lambda: lab.converged(vip), f"{vip} is held by one node, and every agent is back", 30)


def mend(lab):
    """Whatever a test that failed half-way has left broken."""
    for name, node in lab.ask("describe")["nodes"].items():
        if not node["running"]:
            lab.fault("start", name)
        lab.fault("cont", name)
        if lab.get("VipNode", name)["metadata"].get("annotations", {}).get("vipmgr.io/drain"):
            lab.fault("undrain", name)
    lab.fault("heal")


def drains(lab, node, since) -> list[str]:
    """What the agent of that node said of drains, in order."""
    lines = [line for text in lab.audit_text() if (line := read_line(text.encode())) is not None]
    said = {Event.DRAIN_STARTED, Event.DRAIN_DONE, Event.DRAIN_UNDONE}
    return [one.event for one in lines if one.node == node and one.event in said and one.time.timestamp() >= since]


def overlap(prober, vip) -> float:
    """Seconds for which two MACs have answered."""
    return max(((one.ended - one.began) / 1e9 for one in prober.contests(vip)), default=0)


def judged(lab, seen):
    """The audit's verdict; fails when client and audit disagree. Agents write a moment after the fact: wait for it."""
    deadline = time.monotonic() + 3
    while (verdict := compare(seen, audit(lab.audit_text()))).objection and time.monotonic() < deadline:
        time.sleep(0.1)
    assert verdict.objection == "", (seen, verdict)
    return verdict


def test_a_dead_node_loses_its_vip_within_three_adverts(lab, vip, prober):
    master = lab.holder(vip)
    seen = measure(lab, prober, vip, [("kill", master)], moves=True)
    assert judged(lab, seen).cause == NODE_LOST
    assert 150 <= seen.dark_ms <= SLOW_MS
    back = measure(lab, prober, vip, [("start", master)], moves=False)
    assert (back.target, back.dark_ms) == (seen.target, 0)


def test_a_cut_cable_moves_the_vip_and_mending_it_moves_nothing(lab, vip, prober):
    master = lab.holder(vip)
    seen = measure(lab, prober, vip, [("cut", master)], moves=True)
    assert judged(lab, seen).cause == MoveReason.INTERFACE_DOWN
    assert 150 <= seen.dark_ms <= SLOW_MS
    back = measure(lab, prober, vip, [("heal", master)], moves=False)
    assert (back.target, back.dark_ms) == (seen.target, 0)


def test_sigterm_hands_the_vip_over_before_the_process_is_gone(lab, vip, prober):
    seen = measure(lab, prober, vip, [("keepalived-term", lab.holder(vip))], moves=True)
    assert judged(lab, seen).cause == MoveReason.STOPPED
    assert seen.dark_ms <= 100


def test_a_hung_master_is_replaced_and_steps_back_when_it_wakes(lab, vip, prober):
    master = lab.holder(vip)
    seen = measure(lab, prober, vip, [("stop", master)], moves=True)
    assert seen.dark_ms <= SLOW_MS
    lab.wait(lambda: prober.steady() and overlap(prober, vip) > 0.5, "two MACs answered for a while")
    woken = measure(lab, prober, vip, [("cont", master)], moves=None)
    assert judged(lab, seen).cause == PARTITION
    judged(lab, woken)
    assert len(lab.holders(vip)) == 1
    assert woken.dark_ms <= SLOW_MS


def test_a_drain_hands_every_vip_over_and_undrain_takes_none_back(lab, vip, prober):
    master = lab.holder(vip)
    seen = measure(lab, prober, vip, [("drain", master)], moves=True)
    assert judged(lab, seen).cause == MoveReason.DRAINED
    assert seen.dark_ms <= 100
    lab.wait(lambda: lab.get("VipNode", master)["status"].get("drained"), "the agent reports it drained")
    assert drains(lab, master, seen.began) == [Event.DRAIN_STARTED, Event.DRAIN_DONE]
    back = measure(lab, prober, vip, [("undrain", master)], moves=False)
    assert (back.target, back.dark_ms) == (seen.target, 0)


def test_keepalived_restarted_node_after_node_is_hardly_noticed(lab, vip, prober):
    began = time.time_ns()
    for node in lab.nodes():
        starts = lab.ask("describe")["nodes"][node]["starts"]["keepalived"]
        lab.fault("keepalived-term", node)
        lab.wait(
            lambda node=node, starts=starts: (
                lab.ask("describe")["nodes"][node]["starts"]["keepalived"] > starts and lab.converged(vip)
            ),
            f"{node} is back",
            20,
        )
    lab.wait(prober.steady, f"{vip} answers")
    assert prober.dark_ms(vip, began) <= 100


def test_a_partition_has_a_master_on_either_side_and_heals_within_one(lab, vip, prober):
    master = lab.holder(vip)
    seen = measure(lab, prober, vip, [("split", master)], moves=True)
    assert 150 <= seen.dark_ms <= SLOW_MS
    assert sorted(lab.holders(vip)) == sorted([master, seen.target])
    time.sleep(0.5)  # the split itself: shorter ones are a handover to the audit
    healed = measure(lab, prober, vip, [("heal", master)], moves=None)
    assert judged(lab, seen).cause == PARTITION
    judged(lab, healed)
    assert len(lab.holders(vip)) == 1
    assert healed.dark_ms <= 500
    report = audit(lab.audit_text())
    assert any(set(one.nodes) == {master, seen.target} and vip in one.vips for one in report.split_brain)


@pytest.mark.parametrize("fault", ["agent-term", "agent-kill"])
def test_an_agent_that_restarts_costs_nothing(lab, vip, prober, fault):
    seen = measure(lab, prober, vip, [(fault, lab.holder(vip))], moves=False, watch=3)
    judged(lab, seen)
    assert (seen.source, seen.dark_ms) == (seen.target, 0)


def test_a_controller_that_is_killed_costs_nothing_and_comes_back(lab, vip, prober):
    seen = measure(lab, prober, vip, [("controller-kill",)], moves=False, watch=3)
    judged(lab, seen)
    assert (seen.source, seen.dark_ms) == (seen.target, 0)
    lab.apply(MANIFESTS.split("---")[1].replace("name: nginx", "name: after-the-kill"))
    assert lab.wait_for_vip("default/after-the-kill", 40) != vip
    lab.delete("Service", "after-the-kill", "default")


def test_without_an_api_server_the_vip_fails_over_all_the_same(lab, vip, prober):
    master = lab.holder(vip)
    lab.fault("api-down")
    try:
        seen = measure(lab, prober, vip, [("cut", master)], moves=True)
        lab.fault("heal", master)
    finally:
        lab.fault("api-up")
    assert judged(lab, seen).cause == MoveReason.INTERFACE_DOWN
    assert 150 <= seen.dark_ms <= SLOW_MS
    lab.wait(lambda: lab.get("VrrpInstance", _instance(lab, vip))["status"]["master"] == seen.target, "the API knows")


def test_what_a_killed_keepalived_leaves_on_the_interface_is_removed(lab, vip, prober):
    master = lab.holder(vip)
    lab.fault("keepalived-kill", master)
    lab.wait(lambda: lab.converged(vip), "one node holds it", 20)
    lab.wait(prober.steady, f"{vip} answers")
    assert len(lab.holders(vip)) == 1
    assert prober.dark_ms(vip) <= SLOW_MS


def _instance(lab, vip) -> str:
    (name,) = [one["metadata"]["name"] for one in lab.objects("VrrpInstance") if vip in one["spec"].get("vips", ())]
    return name
