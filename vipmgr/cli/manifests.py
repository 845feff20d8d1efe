"""A folder of manifests as the objects of a cluster that has just applied them, in the order they were read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from vipmgr.core import wire
from vipmgr.core.decode import decode_endpoints
from vipmgr.core.decode.eip import REACH
from vipmgr.core.snapshot import Objects
from vipmgr.errors import RejectedError, UsageError

SUFFIXES: Final = (".yaml", ".yml", ".json")
ASSUMED_INTERFACE: Final = "eth0"
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KINDS: Final[dict[tuple[str, str], tuple[type[wire.Wire], bool]]] = {
    ("", "Service"): (wire.Service, True),
    ("", "Node"): (wire.Node, False),
    ("", "Namespace"): (wire.Namespace, False),
    ("discovery.k8s.io", "EndpointSlice"): (wire.EndpointSlice, True),
    ("network.kubesphere.io", "Eip"): (wire.Eip, False),
    ("vipmgr.io", "VrrpInstance"): (wire.VrrpInstance, False),
    ("vipmgr.io", "VipNode"): (wire.VipNode, False),
}

T = TypeVar("T", bound=wire.Wire)


class _Loader(yaml.SafeLoader):
    """Times stay text, as on the wire."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(slots=True)
class Manifests:
    """Objects by (kind, namespace/name), and what had to be assumed."""

    found: dict[tuple[str, str], wire.Wire] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of(self, kind: str, type_: type[T]) -> dict[str, T]:
        return {key: one for (which, key), one in self.found.items() if which == kind and isinstance(one, type_)}

    @property
    def cluster(self) -> str:
        """The cluster's UID, which VRIDs and anchors are derived from."""
        system = self.of("Namespace", wire.Namespace).get("kube-system")
        if system is not None and system.metadata.uid:
            return system.metadata.uid
        self.notes.append("the uid of namespace kube-system is not in the files: VRIDs and anchors will differ")
        return "render"

    def objects(self, now: datetime) -> Objects:
        """As the controller would see them, with nodes that are Ready and agents that have reported for long."""
        nodes = self.of("Node", wire.Node)
        if not nodes:
            raise UsageError("there is no Node in the files: add one object of kind Node per node")
        eips = self.of("Eip", wire.Eip)
        reports = self.of("VipNode", wire.VipNode)
        for name in reports.keys() - nodes.keys():
            self.notes.append(f"VipNode {name} has no Node and is left out")
        named = {name: one.metadata.labels or {} for name, one in self.of("Namespace", wire.Namespace).items()}
        services = self.of("Service", wire.Service)
        for key in services:
            namespace = key.partition("/")[0]
            named[namespace] = {"kubernetes.io/metadata.name": namespace, **named.get(namespace, {})}
        return Objects(
            services=services,
            eips=eips,
            namespaces=named,
            nodes={name: _ready(node) for name, node in nodes.items()},
            endpoints=_endpoints(self.of("EndpointSlice", wire.EndpointSlice).values()),
            instances=self.of("VrrpInstance", wire.VrrpInstance),
            vip_nodes={
                name: self._reporting(node, reports.get(name), number, eips.values(), now)
                for number, (name, node) in enumerate(nodes.items(), start=1)
            },
        )

    def _reporting(
        self, node: wire.Node, known: wire.VipNode | None, number: int, eips: Iterable[wire.Eip], now: datetime
    ) -> wire.VipNode:
        """The node's VipNode, completed by what every Eip expects of it when no agent has said better."""
        found = known or wire.VipNode(metadata=wire.Metadata(name=node.metadata.name))
        status = found.status
        listening = status.listening_since or (now - timedelta(hours=1)).isoformat()
        if status.interfaces:
            return msgspec.structs.replace(found, status=msgspec.structs.replace(status, listening_since=listening))
        addresses = [one.address for one in node.status.addresses or () if one.type == "InternalIP"]
        addresses = addresses or [f"192.0.2.{number % 256}"]  # RFC 5737: documentation
        wanted = sorted({eip.spec.interface for eip in eips if eip.spec.interface})
        names = sorted({ASSUMED_INTERFACE if name.startswith(REACH) else name for name in wanted})
        self.notes.append(
            f"no VipNode tells of the interfaces of node {node.metadata.name}: "
            f"assumed {', '.join(names) or 'none'} with {', '.join(addresses)}"
        )
        interfaces = [wire.NodeInterface(name=name, up=True, addresses=addresses) for name in names]
        reach = {name.removeprefix(REACH): ASSUMED_INTERFACE for name in wanted if name.startswith(REACH)}
        assumed = msgspec.structs.replace(status, listening_since=listening, interfaces=interfaces, reach=reach)
        return msgspec.structs.replace(found, status=assumed)


def read_manifests(places: Iterable[str]) -> Manifests:
    """Files, folders with everything below them, and - for standard input.

    Raises:
        UsageError: a place that does not exist.
        RejectedError: a document that cannot be read, named by file and object.
    """
    manifests = Manifests()
    for place in places:
        for name, text in _texts(place):
            try:
                documents = list(yaml.load_all(text, Loader=_Loader))
            except yaml.MarkedYAMLError as error:
                line = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
                raise RejectedError(f"{name}: {line}{error.problem}") from None
            except yaml.YAMLError as error:
                raise RejectedError(f"{name}: {error}") from None
            for document in documents:
                for one in _flat(document):
                    _add(manifests, name, one)
    return manifests


def _texts(place: str) -> Iterator[tuple[str, str]]:
    if place == "-":
        yield "standard input", sys.stdin.read()
        return
    path = Path(place)
    if not path.exists():
        raise UsageError(f"{place}: no such file or folder")
    files = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES) if path.is_dir() else [path]
    for file in files:
        try:
            yield str(file), file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RejectedError(f"{file}: {error}") from None


def _flat(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        return
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _flat(item)
    else:
        yield document


def _add(manifests: Manifests, file: str, document: dict[str, Any]) -> None:
    """Keep the object if it is of a kind that matters. The last of two with one name counts, as when applied."""
    group = str(document.get("apiVersion", "")).rpartition("/")[0]
    kind = str(document.get("kind", ""))
    if (group, kind) not in _KINDS:
        return
    type_, namespaced = _KINDS[group, kind]
    metadata = document.get("metadata") or {}
    name = f"{kind}/{metadata.get('name', '')}" if isinstance(metadata, dict) else kind
    try:
        one: Any = msgspec.convert(document, type_)
    except msgspec.ValidationError as error:
        raise RejectedError(f"{file}: {name}: {error}") from None
    if not one.metadata.name:
        raise RejectedError(f"{file}: a {kind} has no metadata.name")
    if namespaced and not one.metadata.namespace:
        one.metadata.namespace = "default"
    if not one.metadata.creation_timestamp:
        one.metadata.creation_timestamp = (_FIRST + timedelta(seconds=len(manifests.found))).isoformat()
    key = f"{one.metadata.namespace}/{one.metadata.name}" if namespaced else one.metadata.name
    manifests.found.pop((kind, key), None)
    manifests.found[kind, key] = one


def _ready(node: wire.Node) -> wire.Node:
    """A Node without status, as people write them, counts as Ready."""
    if node.status.conditions:
        return node
    status = msgspec.structs.replace(node.status, conditions=[wire.Condition(type="Ready", status="True")])
    return msgspec.structs.replace(node, status=status)


def _endpoints(slices: Iterable[wire.EndpointSlice]) -> dict[str, frozenset[str]]:
    nodes: dict[str, frozenset[str]] = {}
    for one in slices:
        found = decode_endpoints(one)
        if found is not None:
            nodes[found[0]] = nodes.get(found[0], frozenset()) | found[1]
    return nodes
