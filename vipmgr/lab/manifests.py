"""YAML and the kinds a lab knows: what a manifest says, sent to the API server by server-side apply."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from vipmgr.errors import UsageError
from vipmgr.kube import resources
from vipmgr.kube.client import Client, Patch
from vipmgr.kube.resources import Resource

Object = dict[str, Any]
FIELD_MANAGER: Final = "vipmgr-lab"
AT_ONCE: Final = 16

_TYPED: Final = (
    resources.SERVICES, resources.NODES, resources.NAMESPACES, resources.PODS, resources.SECRETS, resources.CONFIG_MAPS,
    resources.ENDPOINT_SLICES, resources.LEASES, resources.EVENTS, resources.EIPS, resources.BGP_CONFS,
    resources.BGP_PEERS, resources.VRRP_INSTANCES, resources.VIP_NODES,
)  # fmt: skip
_CLUSTER_WIDE: Final = (
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
)
KINDS: Final[dict[str, Resource[Any]]] = {
    one.kind: Resource(one.group, one.version, one.plural, one.kind, one.namespaced, dict) for one in _TYPED
} | {kind: Resource(group, version, plural, kind, False, dict) for group, version, plural, kind in _CLUSTER_WIDE}


def kind_of(kind: str) -> Resource[Any]:
    """Of `Eip`, `eip` or `eips`. UsageError for a kind the lab does not know."""
    for one in KINDS.values():
        if kind.lower() in (one.kind.lower(), one.plural):
            return one
    raise UsageError(f"the lab does not know the kind {kind!r}; it knows {', '.join(sorted(KINDS))}")


def read(text: str) -> list[Object]:
    """The objects of a YAML stream; empty documents are skipped."""
    return [document for document in yaml.safe_load_all(text) if document]


def read_folder(folder: Path) -> Iterator[Object]:
    for path in sorted(folder.glob("*.yaml")):
        yield from read(path.read_text())


async def apply(client: Client, objects: Iterable[Mapping[str, Any]]) -> None:
    """Create or change, in this order but those of one kind together.

    A status in a manifest is sent to the status subresource: no kubelet does it here.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(thing: Mapping[str, Any]) -> None:
        async with turn:
            await _apply_one(client, thing)

    for _, group in itertools.groupby(objects, key=lambda thing: thing["kind"]):
        await asyncio.gather(*(one(thing) for thing in group))


async def _apply_one(client: Client, thing: Mapping[str, Any]) -> None:
    resource = kind_of(thing["kind"])
    metadata = thing["metadata"]
    where = metadata.get("namespace", "default") if resource.namespaced else ""
    body = {name: value for name, value in thing.items() if name != "status"}
    if resource.namespaced:
        body = body | {"metadata": {**metadata, "namespace": where}}
    await client.patch(resource, metadata["name"], body, namespace=where, kind=Patch.APPLY, field_manager=FIELD_MANAGER)
    if status := thing.get("status"):
        await client.patch(resource, metadata["name"], {"status": status}, namespace=where, subresource="status")
