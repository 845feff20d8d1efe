"""Layer2 pools in a lab, for the tests: what to apply, who answers, when all are back at work, what the audit says."""

from __future__ import annotations

import time
from datetime import datetime
from ipaddress import ip_address

import yaml

from vipmgr.lab.verdicts import audit, compare


def pool(name: str, span: str, **spec) -> dict:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name},
        "spec": {"address": span, "protocol": "layer2", "interface": "eth0", **spec},
    }


def service(name: str, eip: str, annotations: dict | None = None, **spec) -> dict:
    own = {"lb.kubesphere.io/v1alpha1": "openelb", "eip.openelb.kubesphere.io/v1alpha2": eip}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": own | (annotations or {})},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }


def apply(lab, *objects: dict) -> None:
    lab.apply(yaml.safe_dump_all(objects))


def owners(lab, vip: str) -> list[str]:
    """Nodes whose agents say that they answer for it."""
    return [
        one["metadata"]["name"]
        for one in lab.objects("VipNode")
        for state in one.get("status", {}).get("layer2", {}).get("addresses", [])
        if ip_address(state["address"]) == ip_address(vip) and state["state"] == "MASTER"
    ]


def settle(lab, name: str) -> str:
    """The address of a Service, once one agent answers for it."""
    vip = lab.wait(lambda: next(iter(lab.vips(f"default/{name}")), ""), f"{name} has an address")
    lab.wait(lambda: len(owners(lab, vip)) == 1, f"one node answers for {vip}")
    return vip


def at_rest(lab, since: float = 0.0) -> bool:
    """Every agent has renewed its Lease in the last second and a half, or after `since`, and has a plan."""
    leases = [
        one for one in lab.objects("Lease", "vipmgr-system") if one["metadata"]["name"].startswith("vipmgr-agent")
    ]
    oldest = since or time.time() - 1.5
    young = [one for one in leases if _seconds(one["spec"]["renewTime"]) > oldest]
    planned = [one for one in lab.objects("VipNode") if (one["spec"].get("layer2") or {}).get("pools")]
    return len(young) == len(planned) == 3


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def judged(lab, seen):
    """The audit's verdict; fails when client and audit disagree. Agents write a moment after the fact: wait for it."""
    deadline = time.monotonic() + 3
    while (verdict := compare(seen, audit(lab.audit_text()))).objection and time.monotonic() < deadline:
        time.sleep(0.1)
    assert verdict.objection == "", (seen, verdict)
    return verdict


def only(nodes: list[str], but: str) -> str:
    return nodes[0] if len(nodes) == 1 and nodes[0] != but else ""


def holder(lab, prober, vip) -> str:
    return prober.holder(vip, lab.macs())
