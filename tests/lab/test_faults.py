"""What a hand, a driver and bad luck do to a cluster: two things at once, objects deleted or overwritten."""

from __future__ import annotations

import time

import pytest

from vipmgr.lab.trial import measure

pytestmark = pytest.mark.lab


@pytest.fixture
def prober(lab, vip):
    lab.wait(lambda: lab.converged(vip), f"{vip} is held by one node, and every agent is back", 30)
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, f"{vip} answers")
        yield prober


def plan(lab, node) -> dict:
    return next((one for one in lab.objects("VipNode") if one["metadata"]["name"] == node), {})


def test_a_vipnode_that_is_deleted_comes_back_and_no_client_notices(lab, vip, prober):
    master, began = lab.holder(vip), time.time_ns()
    uid = plan(lab, master)["metadata"]["uid"]
    lab.delete("VipNode", master)
    lab.wait(lambda: plan(lab, master).get("metadata", {}).get("uid", uid) != uid, "the agent makes it anew")
    lab.wait(lambda: plan(lab, master)["spec"].get("revision") and lab.converged(vip), "it has its plan again", 20)
    assert (lab.holders(vip), prober.dark_ms(vip, began)) == ([master], 0)


def test_orders_overwritten_by_hand_are_refused_and_put_right(lab, vip, prober):
    master, began = lab.holder(vip), time.time_ns()
    spec = plan(lab, master)["spec"]
    rubbish = [{**one, "vips": ["rubbish"]} for one in spec["instances"]]
    lab.patch("VipNode", master, {"spec": {"revision": "by-hand", "instances": rubbish}})
    refused = '"event":"config.refused","evidence":"instances.vips: '
    lab.wait(lambda: refused in lab.log(master, "agent"), "the agent refuses it by field")
    lab.wait(lambda: plan(lab, master)["spec"] | {"publishedAt": ""} == spec | {"publishedAt": ""}, "it is put right")
    lab.wait(lambda: "refused" not in plan(lab, master)["status"], "and nothing is refused any more")
    lab.patch("VipNode", master, {"status": {"revision": "by-hand"}}, subresource="status")
    lab.wait(lambda: lab.converged(vip), "the agent puts its status right")
    assert (lab.holders(vip), prober.dark_ms(vip, began)) == ([master], 0)


def test_backups_whose_interface_was_another_for_a_while_still_replace_the_master_without_an_api_server(
    lab, vip, prober
):
    master = lab.holder(vip)
    backups = [node for node in lab.nodes() if node != master]
    lab.fault("api-down")
    try:
        for node in backups:
            before = lab.exec(node, "cat", "/run/vipmgr/keepalived.log").count("Reload complete")
            for old, new in (("eth0", "lan0"), ("lan0", "eth0")):
                words = f"ip link set {old} down && ip link set {old} name {new} && ip link set {new} up"
                lab.exec(node, "sh", "-c", words)
            lab.wait(
                lambda node=node, before=before: (
                    lab.exec(node, "cat", "/run/vipmgr/keepalived.log").count("Reload complete") > before
                ),
                f"keepalived of {node} has opened it again",
            )
        seen = measure(lab, prober, vip, [("kill", master)], moves=True)
        assert seen.target in backups
        assert seen.dark_ms <= 1000
    finally:
        lab.fault("api-up")
        lab.fault("start", master)


def test_after_a_power_cut_the_nodes_serve_again_before_there_is_an_api_server(lab, vip, prober):
    lab.fault("api-down")
    try:
        lab.fault("kill", *lab.nodes())
        assert lab.holders(vip) == []
        lab.fault("start", *lab.nodes())
        lab.holder(vip, 20)
        lab.wait(prober.steady, f"{vip} answers", 20)
    finally:
        lab.fault("api-up")
    lab.wait(lambda: lab.converged(vip), "and with one all is well", 30)
