"""What the server offers: /api, /apis, resource lists, the aggregated form, /version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from vipmgr.lab.apiserver.errors import Object
from vipmgr.lab.apiserver.kinds import Catalog, Kind

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_STATUS_VERBS: Final = ("get", "patch", "update")
VERSION: Final = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+vipmgr-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}


def _versions(kinds: Iterable[Kind]) -> dict[str, list[str]]:
    """group -> its versions, in the order known."""
    found: dict[str, list[str]] = {}
    for kind in kinds:
        versions = found.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)
    return found


def core_versions(address: str) -> Object:
    hosts = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": hosts}


def group_list(catalog: Catalog) -> Object:
    groups = [_group(name, versions) for name, versions in _versions(catalog).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Object:
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, _versions(catalog)[name])}


def _group(name: str, versions: list[str]) -> Object:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def resource_list(catalog: Catalog, name: str, version: str) -> Object:
    kinds = [kind for kind in catalog if (kind.group, kind.version) == (name, version)]
    resources = [entry for kind in kinds for entry in _resources(kind)]
    full = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": full, "resources": resources}


def _resources(kind: Kind) -> list[Object]:
    base: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(VERBS),
    }
    if kind.short_names:
        base["shortNames"] = list(kind.short_names)
    if kind.categories:
        base["categories"] = list(kind.categories)
    below = [
        {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["get"] if name == "log" else list(_STATUS_VERBS),
        }
        for name in sorted(kind.subresources)
    ]
    return [base, *below]


def aggregated(catalog: Catalog, *, core: bool) -> Object:
    """apidiscovery.k8s.io/v2, for the core group or for all others."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [_aggregated_version(catalog, name, version) for version in versions],
        }
        for name, versions in _versions(catalog).items()
        if (name == "") == core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(catalog: Catalog, name: str, version: str) -> Object:
    kinds = [kind for kind in catalog if (kind.group, kind.version) == (name, version)]
    return {"version": version, "resources": [_aggregated_resource(kind) for kind in kinds], "freshness": "Current"}


def _aggregated_resource(kind: Kind) -> Object:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    entry: Object = {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(VERBS),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
    }
    if kind.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": response,
                "verbs": ["get"] if name == "log" else list(_STATUS_VERBS),
            }
            for name in sorted(kind.subresources)
        ]
    return entry
