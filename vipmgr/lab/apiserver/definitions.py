"""CustomResourceDefinition (apiextensions.k8s.io/v1) to kinds, and what the server writes into one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vipmgr.lab.apiserver.errors import Object, cause
from vipmgr.lab.apiserver.kinds import Column, Kind
from vipmgr.lab.apiserver.schema import Structural

STORAGE: Final = "customresourcedefinitions.apiextensions.k8s.io"
_AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")


def kinds_of(definition: Object) -> tuple[Kind, ...]:
    """The kinds of the served versions, the newest listed first. ValueError: a rule that is not CEL."""
    spec = definition["spec"]
    names = spec["names"]
    return tuple(_kind(spec, names, version) for version in spec["versions"] if version.get("served"))


def _kind(spec: Object, names: Object, version: Object) -> Kind:
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    columns = version.get("additionalPrinterColumns") or []
    selectable = (field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ())
    return Kind(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular", ""),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset({"status"} & (version.get("subresources") or {}).keys()),
        columns=tuple(_column(column) for column in columns) or (_AGE,),
        schema=Structural(schema),
        generation=True,
        fields=frozenset(selectable),
        unconditional=False,
    )


def _column(column: Object) -> Column:
    return Column(
        column["name"], column["type"], column["jsonPath"], column.get("priority", 0), column.get("description", "")
    )


def complete_definition(body: Object) -> Object:
    """Defaults of the names, and the status that says the kind is served."""
    spec = dict(body.get("spec") or {})
    names = dict(spec.get("names") or {})
    kind = str(names.get("kind", ""))
    names = {**names, "singular": names.get("singular") or kind.lower()}
    names["listKind"] = names.get("listKind") or f"{kind}List"
    spec |= {"names": names, "conversion": spec.get("conversion") or {"strategy": "None"}}
    stamp = body["metadata"].get("creationTimestamp")
    conditions = [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found", stamp),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", stamp),
    ]
    stored = [version["name"] for version in spec.get("versions") or () if version.get("storage")]
    status = {"conditions": conditions, "acceptedNames": names, "storedVersions": stored}
    return {**body, "spec": spec, "status": status}


def _condition(name: str, reason: str, message: str, stamp: Any) -> Object:
    return {"type": name, "status": "True", "lastTransitionTime": stamp, "reason": reason, "message": message}


def definition_problems(body: Object) -> Iterator[Object]:
    spec = body["spec"]
    wanted = f"{spec['names'].get('plural')}.{spec.get('group')}"
    if body["metadata"]["name"] != wanted:
        text = f'Invalid value: "{body["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
        yield cause("metadata.name", text)
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield cause("spec.scope", "Required value", "FieldValueRequired")
    if sum(bool(version.get("storage")) for version in spec.get("versions") or ()) != 1:
        yield cause("spec.versions", "Invalid value: must have exactly one version marked as storage version")
        return
    if any(not (version.get("schema") or {}).get("openAPIV3Schema") for version in spec["versions"]):
        yield cause(
            "spec.versions[0].schema.openAPIV3Schema", "Required value: schemas are required", "FieldValueRequired"
        )
        return
    try:
        kinds_of(body)
    except ValueError as error:
        yield cause("spec.versions[0].schema.openAPIV3Schema", f"Invalid value: {error}")
