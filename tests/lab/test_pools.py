"""Pools on a real wire: many VIPs, both families, taken away, changed under load, refused."""

from __future__ import annotations

import json

import pytest
import yaml

from vipmgr.lab.client import Lab, addresses
from vipmgr.lab.verdicts import audit

pytestmark = pytest.mark.lab


def pool(name: str, span: str, **spec) -> dict:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name},
        "spec": {"address": span, "protocol": "vip", "interface": "eth0", **spec},
    }


def service(name: str, eip: str, **spec) -> dict:
    annotations = {"lb.kubesphere.io/v1alpha1": "openelb", "eip.openelb.kubesphere.io/v1alpha2": eip}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }


def apply(lab, *objects: dict) -> None:
    lab.apply(yaml.safe_dump_all(objects))


def held(lab, vips: set[str]) -> bool:
    """Every one of them on exactly one node."""
    found = [vip for node in lab.nodes() for vip in addresses(lab.exec(node, "ip", "-j", "addr")) if vip in vips]
    return sorted(found) == sorted(vips)


@pytest.fixture(scope="module")
def lab():
    with Lab(nodes=3) as lab:
        yield lab


def test_three_hundred_vips_on_one_interface_are_held_once_each_and_fail_over_together(lab):
    names = [f"many-{index}" for index in range(300)]
    apply(lab, pool("many", "196.168.221.1-196.168.222.44"), *(service(name, "many") for name in names))
    vips: set[str] = lab.wait(lambda: served(lab, names), "300 Services have an address", 60)
    assert len(vips) == 300
    lab.wait(lambda: held(lab, vips), "every VIP is on one node", 60)
    watched = sorted(vips)[:3]
    victim = lab.holder(watched[0])
    with lab.prober(*watched, interval_ms=10) as prober:
        lab.wait(prober.steady, "they answer")
        lab.fault("cut", victim)
        others = [node for node in lab.nodes() if node != victim]
        lab.wait(
            lambda: vips <= {vip for node in others for vip in addresses(lab.exec(node, "ip", "-j", "addr"))},
            "the others hold every VIP",
            10,
        )
        lab.wait(prober.steady, "they answer")
        lab.fault("heal", victim)
        lab.wait(lambda: held(lab, vips), "every VIP is on one node", 20)
        for _ in range(8):  # a cable with a loose contact, under the node that holds most
            lab.fault("cut", others[0])
            lab.fault("heal", others[0])
        lab.wait(lambda: held(lab, vips), "every VIP is on one node", 20)
        lab.wait(prober.steady, "they answer")
    assert max(prober.dark_ms(vip) for vip in watched) <= 1500
    for name in names:
        lab.delete("Service", name, "default")
    lab.wait(lambda: not any(lab.holders(vip) for vip in watched), "they are gone", 30)


def served(lab, names: list[str]) -> set[str]:
    """Their addresses, once every one has one."""
    found = {one["metadata"]["name"]: one["status"]["loadBalancer"] for one in lab.objects("Service", "default")}
    vips = {entry["ip"] for name in names for entry in found.get(name, {}).get("ingress") or ()}
    return vips if len(vips) == len(names) else set()


def test_a_v4_and_a_v6_pool_share_an_interface_and_both_answer(lab):
    six = {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"}
    apply(
        lab,
        pool("four", "196.168.220.40-196.168.220.49"),
        pool("six", "fd00:220::40-fd00:220::49"),
        service("web4", "four"),
        service("web6", "six", **six),
    )
    v4, v6 = lab.wait_for_vip("default/web4"), lab.wait_for_vip("default/web6")
    assert (":" in v4, ":" in v6) == (False, True)
    with lab.prober(v4, v6) as prober:
        lab.wait(prober.steady, "both answer")
        assert prober.dark_ms(v4) == prober.dark_ms(v6) == 0
    for vip in (v4, v6):
        said = lab.exec("client", "python3", "-c", CONNECT, vip)
        assert said.strip() == lab.holder(vip)


CONNECT = "import socket,sys; print(socket.create_connection((sys.argv[1], 80), 5).makefile().readline())"


def test_a_pool_is_served_on_the_interface_by_which_an_address_is_reached(lab):
    apply(lab, pool("far", "196.168.220.50-196.168.220.51", interface="can_reach:196.168.223.1"), service("far", "far"))
    vip = lab.wait_for_vip("default/far")
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, "it answers")
    spec = lab.get("VipNode", lab.holder(vip))["spec"]
    assert {one["interface"] for one in spec["instances"] if one["eip"] == "far"} == {"eth0"}


def test_a_pool_in_use_stays_until_its_last_service_is_gone_and_then_leaves_nothing(lab):
    apply(lab, pool("brief", "196.168.220.60-196.168.220.61"), service("guest", "brief"))
    vip = lab.wait_for_vip("default/guest")
    lab.delete("Eip", "brief")
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, "it answers on")
    assert lab.get("Eip", "brief")["metadata"]["deletionTimestamp"]
    lab.delete("Service", "guest", "default")
    lab.wait(lambda: "brief" not in [one["metadata"]["name"] for one in lab.objects("Eip")], "the pool is gone", 20)
    lab.wait(lambda: not lab.holders(vip), "the address is off every interface", 20)
    lab.wait(lambda: all(one["spec"]["eip"] != "brief" for one in lab.objects("VrrpInstance")), "so is its instance")


def test_vips_that_come_and_go_cost_another_vip_of_the_instance_nothing(lab):
    apply(lab, pool("busy", "196.168.220.70-196.168.220.99", vrrp={"instances": 1}), service("steady", "busy"))
    vip = lab.wait_for_vip("default/steady")
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, "it answers")
        for index in range(12):
            apply(lab, service(f"churn-{index}", "busy"))
            lab.wait_for_vip(f"default/churn-{index}", 20)
            if index % 2:
                lab.delete("Service", f"churn-{index}", "default")
        lab.wait(lambda: lab.converged(vip), "every agent is on the newest plan", 20)
        lab.wait(prober.steady, "it answers")
    assert prober.dark_ms(vip) == 0
    assert prober.contests(vip) == []


def test_a_configuration_keepalived_refuses_is_not_installed_and_the_refusal_is_told(lab):
    apply(lab, pool("sound", "196.168.220.100-196.168.220.109"), service("sound", "sound"))
    vip = lab.wait_for_vip("default/sound")
    node = lab.holder(vip)
    lab.wait(lambda: lab.converged(vip), "every agent is on the newest plan", 20)
    before = lab.exec(node, "cat", "/var/lib/vipmgr/keepalived.conf")
    lab.fault("controller-stop")
    try:
        with lab.prober(vip) as prober:
            lab.wait(prober.steady, "it answers")
            plan = lab.get("VipNode", node)["spec"]
            lab.patch(
                "VipNode", node, {"spec": {"revision": "bad-1", "keepalived": plan["keepalived"] + "\nnonsense {\n"}}
            )
            lab.wait(
                lambda: lab.get("VipNode", node)["status"].get("refused", {}).get("revision") == "bad-1",
                "the agent says that it refused",
                20,
            )
            lab.wait(prober.steady, "it answers on")
        assert prober.dark_ms(vip) == 0
        assert lab.exec(node, "cat", "/var/lib/vipmgr/keepalived.conf") == before
        assert "nonsense" in lab.get("VipNode", node)["status"]["refused"]["message"]
    finally:
        lab.fault("controller-cont")
    lab.wait(lambda: lab.converged(vip), "the controller sets it right", 40)


def wired(lab, vip: str) -> dict[str, tuple[str, bool]]:
    """Node -> the interface its keepalived was last told of, confirmed, and whether the VIP is on it."""
    found = {}
    for node in lab.nodes():
        there = lab.get("VipNode", node)
        if there["spec"].get("instances") and there["status"]["revision"] == there["spec"]["revision"]:
            (one,) = there["spec"]["instances"]
            shown = addresses(lab.exec(node, "ip", "-j", "addr", "show", "dev", one["interface"]))
            found[node] = (one["interface"], vip in shown)
    return found


def test_a_pool_that_is_given_another_interface_takes_its_vips_there_without_two_masters():
    with Lab(nodes=3, segments=2) as lab:
        apply(lab, pool("moving", "196.168.220.50-196.168.220.59", vrrp={"instances": 1}), service("mover", "moving"))
        vip = lab.wait_for_vip("default/mover")
        master = lab.holder(vip)
        for interface in ("eth1", "eth0"):
            lab.patch("Eip", "moving", {"spec": {"interface": interface}})
            settled = {node: (interface, node == master) for node in lab.nodes()}
            lab.wait(lambda settled=settled: wired(lab, vip) == settled, f"the master has it on {interface}", 20)
        report = audit(lab.audit_text())
        assert report.split_brain == ()
        masters = [one["node"] for line in lab.audit_text() if (one := json.loads(line)).get("to") == "MASTER"]
        assert masters == [master] * 3
