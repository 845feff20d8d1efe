"""How lists merge: the list types of the built-in kinds, and those that a CRD's schema declares.

A `Shape` answers, for the place it stands at: what is below a field, and is a list here a map (by keys), a set, or
atomic? Built-in shapes are those of the Go types' `listType`, `listMapKey`, `patchStrategy` and `patchMergeKey` tags.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vipmgr.lab.apiserver.kinds import Kind

_KEPT: Final = 200
"""Places kept below one place: more than any object has fields, fewer than a ConfigMap may have keys."""


@dataclass(frozen=True)
class Lists:
    """`keys`: the fields that identify an item of a map list, the first being the strategic merge key."""

    kind: str
    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] | None = None


ATOMIC: Final = Lists("atomic")
SET: Final = Lists("set")
_BY_TYPE: Final = Lists("map", ("type",))
_BY_NAME: Final = Lists("map", ("name",))
_PORTS: Final = Lists("map", ("port", "protocol"), {"protocol": "TCP"})
_CONTAINER_PORTS: Final = Lists("map", ("containerPort", "protocol"), {"protocol": "TCP"})

_METADATA: Final[Mapping[str, Lists]] = {
    "metadata.finalizers": SET,
    "metadata.ownerReferences": Lists("map", ("uid",)),
    "metadata.managedFields": ATOMIC,
}


def _containers(at: str) -> dict[str, Lists]:
    inner = {
        "": _BY_NAME, "[].env": _BY_NAME, "[].ports": _CONTAINER_PORTS, "[].volumeMounts": Lists("map", ("mountPath",)),
        "[].volumeDevices": Lists("map", ("devicePath",)),
    }  # fmt: skip
    return {f"{at}{name}{tail}": lists for name in ("containers", "initContainers") for tail, lists in inner.items()}


def _pod(at: str) -> dict[str, Lists]:
    return _containers(at) | {
        f"{at}volumes": _BY_NAME,
        f"{at}imagePullSecrets": _BY_NAME,
        f"{at}hostAliases": Lists("map", ("ip",)),
        f"{at}topologySpreadConstraints": Lists("map", ("topologyKey", "whenUnsatisfiable")),
    }


_TEMPLATE: Final = _pod("spec.template.spec.") | {"status.conditions": _BY_TYPE}

_BUILTIN: Final[Mapping[str, Mapping[str, Lists]]] = {
    "services": {"spec.ports": _PORTS, "status.conditions": _BY_TYPE},
    "nodes": {
        "spec.taints": Lists("atomic", ("key",)),
        "spec.podCIDRs": SET,
        "status.conditions": _BY_TYPE,
        "status.addresses": Lists("atomic", ("type",)),
    },
    "namespaces": {"status.conditions": _BY_TYPE},
    "pods": _pod("spec.") | {"status.conditions": _BY_TYPE, "status.podIPs": Lists("map", ("ip",))},
    "serviceaccounts": {"secrets": _BY_NAME},
    "endpointslices.discovery.k8s.io": {},
    "deployments.apps": _TEMPLATE,
    "daemonsets.apps": _TEMPLATE,
    "statefulsets.apps": _TEMPLATE,
    "replicasets.apps": _TEMPLATE,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks": _BY_NAME},
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks": _BY_NAME},
    "customresourcedefinitions.apiextensions.k8s.io": {"status.conditions": _BY_TYPE},
    "poddisruptionbudgets.policy": {"status.conditions": _BY_TYPE},
}
_ATOMIC_MAPS: Final[Mapping[str, frozenset[str]]] = {
    "services": frozenset({"spec.selector"}),
    "deployments.apps": frozenset({"spec.selector"}),
    "daemonsets.apps": frozenset({"spec.selector"}),
    "poddisruptionbudgets.policy": frozenset({"spec.selector"}),
}


class Shape:
    """A place in an object of one kind. `path` is dotted, with `[]` for the items of a list.

    `lists`: how a list at this place merges. `atomic_map`: whether an object at this place is one single value.
    Places are made once and kept: every write of every object walks over them.
    """

    __slots__ = ("_below", "_kind", "_schema", "atomic_map", "lists", "path")

    def __init__(self, kind: Kind, path: str = "", schema: Mapping[str, Any] | None = None) -> None:
        self._kind = kind
        self._schema = schema
        self._below: dict[str, Shape] = {}
        self.path = path
        if schema is not None:
            self.lists = _METADATA.get(path) or _declared(schema)
            self.atomic_map = schema.get("x-kubernetes-map-type") == "atomic"
        else:
            self.lists = _METADATA.get(path) or _BUILTIN.get(kind.qualified, {}).get(path, ATOMIC)
            self.atomic_map = path in _ATOMIC_MAPS.get(kind.qualified, frozenset())

    def child(self, name: str) -> Shape:
        """The place of a field. Fields that no schema names (keys of maps) share one."""
        if self._schema is None:
            return self._at(name, name, None)
        if schema := self._schema.get("properties", {}).get(name):
            return self._at(name, name, schema)
        others = self._schema.get("additionalProperties")
        return self._at(
            name if self.path in ("", "metadata") else "*", name, others if isinstance(others, dict) else {}
        )

    def item(self) -> Shape:
        """The place of the items of a list."""
        return self._at("[]", "[]", None if self._schema is None else self._schema.get("items", {}))

    def _at(self, key: str, name: str, schema: Mapping[str, Any] | None) -> Shape:
        if key not in self._below:
            path = f"{self.path}{name}" if name == "[]" else f"{self.path}.{name}".removeprefix(".")
            below = Shape(self._kind, path, schema)
            if len(self._below) >= _KEPT:
                return below
            self._below[key] = below
        return self._below[key]


def _declared(schema: Mapping[str, Any]) -> Lists:
    match schema.get("x-kubernetes-list-type"):
        case "map":
            keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
            properties = schema.get("items", {}).get("properties", {})
            defaults = {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
            return Lists("map", keys, defaults)
        case "set":
            return SET
        case _:
            return ATOMIC


@functools.lru_cache(maxsize=256)
def shape_of(kind: Kind) -> Shape:
    return Shape(kind, schema=kind.schema.schema if kind.schema else None)


def builtin_lists(kind: Kind) -> Mapping[str, Lists]:
    """Every list of a built-in kind that is not plainly atomic, by path."""
    return {**_METADATA, **_BUILTIN.get(kind.qualified, {})}
