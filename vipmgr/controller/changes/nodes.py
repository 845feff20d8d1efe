"""VipNode.spec, only where the revision or the controller's notes in it differ; VipNodes of Nodes that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from vipmgr.controller.changes.writes import Verb, Write
from vipmgr.core.wire import VipNode, VipNodeSpec
from vipmgr.kube.client import Patch
from vipmgr.kube.resources import VIP_NODES


def publish(stored: Mapping[str, VipNode], wanted: Mapping[str, VipNodeSpec], now: str) -> list[Write]:
    """Whole specs: a merge patch would keep what the new one no longer has. An object that does not exist yet is made
    by its agent. `now` is stored as publishedAt."""
    writes = []
    for name, spec in wanted.items():
        there = stored.get(name)
        if there is None or (there.spec.revision, there.spec.unsettled) == (spec.revision, spec.unsettled):
            continue
        value = msgspec.to_builtins(msgspec.structs.replace(spec, published_at=now))
        operations = [{"op": "add", "path": "/spec", "value": value}]
        writes.append(Write(VIP_NODES, Verb.PATCH, name, body=operations, kind=Patch.JSON))
    return writes


def forget(stored: Mapping[str, VipNode], nodes: Iterable[str]) -> list[Write]:
    """Delete the VipNode of a Node that was deleted."""
    known = set(nodes)
    return [
        Write(VIP_NODES, Verb.DELETE, name, uid=there.metadata.uid)
        for name, there in stored.items()
        if name not in known and there.metadata.deletion_timestamp is None
    ]
