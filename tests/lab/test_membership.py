"""Nodes that join and leave, and clusters that share a network."""

from __future__ import annotations

import time

import pytest

from vipmgr.lab.client import Lab
from vipmgr.lab.demo import MANIFESTS, SERVICE
from vipmgr.lab.trial import measure

pytestmark = pytest.mark.lab


def register(lab) -> dict[str, dict]:
    """VrrpInstance name -> spec."""
    return {one["metadata"]["name"]: one["spec"] for one in lab.objects("VrrpInstance")}


def test_a_joining_node_takes_no_vip_and_changes_no_other_nodes_plan_and_a_leaving_one_gives_up_its_own():
    with Lab(nodes=3) as lab:
        lab.apply(MANIFESTS)
        vip = lab.wait_for_vip(SERVICE)
        master = lab.holder(vip)
        before = register(lab)
        with lab.prober(vip) as prober:
            lab.wait(prober.steady, f"{vip} answers")
            seen = measure(lab, prober, vip, [("join",)], moves=False, watch=2)
            assert (seen.source, seen.target, seen.dark_ms) == (master, master, 0)
            assert lab.nodes() == ["n1", "n2", "n3", "n4"]
            after = register(lab)
            assert {name: spec["virtualRouterID"] for name, spec in after.items() if name in before} == {
                name: spec["virtualRouterID"] for name, spec in before.items()
            }
            assert lab.holders(vip) == [master]
            assert prober.contests(vip) == []
            lab.wait(lambda: lab.get("VipNode", "n4")["status"].get("listeningSince"), "n4 hears the other three")
            assert not [line for line in lab.audit_text() if "stranger.heard" in line]
            bystander = next(node for node in ("n1", "n2", "n3") if node != master)
            seen = measure(lab, prober, vip, [("leave", bystander)], moves=False, watch=2)
            assert (seen.source, seen.target, seen.dark_ms) == (master, master, 0)
            seen = measure(lab, prober, vip, [("leave", master)], moves=True)
            assert seen.dark_ms <= 200
            assert lab.holder(vip) == seen.target
            lab.wait(
                lambda: all(
                    member["node"] not in (master, bystander)
                    for spec in register(lab).values()
                    for member in spec["members"]
                ),
                "nobody who left is a member of anything",
            )


def test_two_clusters_on_one_network_share_no_virtual_router_id():
    """Four each out of eight that are allowed: not by luck."""
    narrow = MANIFESTS.replace("interface: eth0", 'interface: eth0\n  vrrp: {instances: 4, virtualRouterIDs: "51-58"}')
    with Lab(nodes=2, cluster=1) as one, Lab(nodes=2, cluster=2) as other:
        one.share_segment(other)
        one.apply(narrow)
        first = one.wait_for_vip(SERVICE)
        strangers = {spec["virtualRouterID"] for spec in register(one).values()}
        other.wait(
            lambda: all(
                strangers <= {heard["virtualRouterID"] for heard in node.get("status", {}).get("strangers") or ()}
                for node in other.objects("VipNode")
            ),
            "the second cluster's agents hear the first one's adverts",
            30,
        )
        other.apply(narrow.replace("196.168.220.10-196.168.220.30", "196.168.221.10-196.168.221.30"))
        second = other.wait_for_vip(SERVICE)
        assert first != second
        assert strangers.isdisjoint({spec["virtualRouterID"] for spec in register(other).values()})
        for lab, vip in ((one, first), (other, second)):
            assert len(lab.holders(vip)) == 1


def states(lab, node) -> list[str]:
    return [one["state"] for one in lab.get("VipNode", node)["status"].get("instances", ())]


def test_a_new_pool_is_served_at_once_though_the_agent_and_keepalived_of_a_first_member_are_dead():
    with Lab(nodes=3) as lab:
        lab.fault("agent-stop", "n1")
        lab.fault("keepalived-kill", "n1")
        names = [f"svc-{number}" for number in range(9)]
        vips: dict[str, str] = {}
        pool = MANIFESTS.split("---")[0] + "  vrrp: {instances: 3}\n"
        began = time.monotonic()
        lab.apply(
            "---\n".join([pool, *(MANIFESTS.split("---")[1].replace("name: nginx", f"name: {name}") for name in names)])
        )
        for name in names:
            vips[name] = lab.wait_for_vip(f"default/{name}", 8)
        took = time.monotonic() - began
        firsts = sorted(one["members"][0]["node"] for one in register(lab).values())
        assert firsts == ["n1", "n2", "n3"]
        assert all(lab.holder(vip) in ("n2", "n3") for vip in vips.values())
        assert took <= 6
        with lab.prober(*vips.values()) as prober:
            lab.wait(prober.steady, "they answer")
            lab.fault("agent-cont", "n1")
            lab.wait(lambda: states(lab, "n1") == ["BACKUP"] * 3, "n1 is a BACKUP of all three")
            assert all(prober.dark_ms(vip) == 0 and prober.contests(vip) == [] for vip in vips.values())
