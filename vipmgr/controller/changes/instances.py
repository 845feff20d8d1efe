"""VrrpInstances: the register of VRIDs (spec) and who holds them (status)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from vipmgr.controller.changes.writes import Verb, Write
from vipmgr.core.model import Instance
from vipmgr.core.ownership import Ownership
from vipmgr.core.wire import InstanceMember, VrrpInstance, VrrpInstanceSpec, VrrpInstanceStatus
from vipmgr.kube.client import Patch
from vipmgr.kube.resources import VRRP_INSTANCES

REBALANCE: Final = "vipmgr.io/rebalance"


def spec_of(instance: Instance) -> VrrpInstanceSpec:
    return VrrpInstanceSpec(
        eip=instance.eip,
        interface=instance.interface,
        family=instance.family,
        virtual_router_id=instance.vrid,
        anchor=str(instance.anchor),
        members=[InstanceMember(node=member.node, priority=member.priority) for member in instance.members],
        vips=[str(vip) for vip in instance.vips],
        service=instance.service,
    )


def register(stored: Mapping[str, VrrpInstance], wanted: Mapping[str, Instance]) -> list[Write]:
    """Creations and changed specs, in the order of `wanted`."""
    writes = []
    for name, instance in wanted.items():
        spec = spec_of(instance)
        there = stored.get(name)
        if there is None:
            body = {"metadata": {"name": name}, "spec": msgspec.to_builtins(spec)}
            writes.append(Write(VRRP_INSTANCES, Verb.CREATE, name, body=body))
        elif there.spec != spec:
            version = there.metadata.resource_version
            operations = [
                {"op": "test", "path": "/metadata/uid", "value": there.metadata.uid},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/spec", "value": msgspec.to_builtins(spec)},
            ]
            writes.append(Write(VRRP_INSTANCES, Verb.PATCH, name, body=operations, kind=Patch.JSON))
    return writes


def remove(stored: Mapping[str, VrrpInstance], names: Iterable[str]) -> list[Write]:
    return [Write(VRRP_INSTANCES, Verb.DELETE, name, uid=stored[name].metadata.uid) for name in names if name in stored]


def rebalanced(stored: Mapping[str, VrrpInstance], names: Iterable[str]) -> list[Write]:
    """The wish is fulfilled: take its annotation off, unless it is a newer one by now."""
    return [
        Write(
            VRRP_INSTANCES,
            Verb.PATCH,
            name,
            body={
                "metadata": {
                    "resourceVersion": stored[name].metadata.resource_version,
                    "annotations": {REBALANCE: None},
                }
            },
        )
        for name in names
        if name in stored and REBALANCE in (stored[name].metadata.annotations or {})
    ]


def report(stored: Mapping[str, VrrpInstance], owners: Mapping[str, Ownership]) -> list[Write]:
    """Statuses that differ; instances that do not exist yet have none."""
    writes = []
    for name, owner in owners.items():
        there = stored.get(name)
        if there is None:
            continue
        wanted = VrrpInstanceStatus(
            master=owner.master,
            masters=list(owner.masters),
            since=owner.since or None,
            transitions=owner.transitions,
            contested=owner.contested,
            vip_count=len(there.spec.vips),
            conditions=there.status.conditions,
        )
        if wanted == there.status:
            continue
        status: dict[str, Any] = {
            "master": owner.master,
            "masters": list(owner.masters),
            "since": owner.since or None,
            "transitions": owner.transitions,
            "contested": owner.contested,
            "vipCount": wanted.vip_count,
        }
        writes.append(Write(VRRP_INSTANCES, Verb.PATCH, name, body={"status": status}, subresource="status"))
    return writes
