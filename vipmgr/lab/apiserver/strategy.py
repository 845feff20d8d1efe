"""What a kind does beyond storing: defaults, what a write may not touch, what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from vipmgr.lab.apiserver.definitions import complete_definition, definition_problems
from vipmgr.lab.apiserver.errors import Object, bad_request, cause
from vipmgr.lab.apiserver.events import check_micro_time, complete_event, event_problems
from vipmgr.lab.apiserver.kinds import Kind
from vipmgr.lab.apiserver.service import ServiceNumbers, complete_service, service_problems

_KEEPS_STATUS: Final = frozenset({"nodes", "events", "endpoints"})
_LIFECYCLE: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


class Strategy:
    """`numbers`: the cluster IPs and node ports the Services hold."""

    def __init__(self) -> None:
        self.numbers = ServiceNumbers()

    def for_create(self, kind: Kind, body: Object) -> Object:
        """The new object: no status that a writer may not set, defaults filled in."""
        if "status" in kind.subresources and kind.storage not in _KEEPS_STATUS:
            body = {name: value for name, value in body.items() if name != "status"}
        return self.complete(kind, body, None)

    def for_update(self, kind: Kind, new: Object, old: Object, subresource: str) -> Object:
        """`new` with everything put back that this write cannot change."""
        if subresource == "status":
            new = _status_only(kind, new, old)
        elif "status" in kind.subresources:
            new = {name: value for name, value in new.items() if name != "status"}
            new |= {"status": old["status"]} if "status" in old else {}
        metadata = dict(new["metadata"])
        for name in _LIFECYCLE:
            metadata.pop(name, None)
            if name in old["metadata"]:
                metadata[name] = old["metadata"][name]
        new = self.complete(kind, {**new, "metadata": metadata}, old)
        if kind.generation and _spec_changed(kind, new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        return new

    def complete(self, kind: Kind, body: Object, old: Object | None) -> Object:
        match kind.storage:
            case "services":
                return complete_service(self.numbers, body, old)
            case "namespaces":
                return {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}, **body}
            case "events":
                check_micro_time("eventTime", body.get("eventTime"))
                return complete_event(body)
            case "leases.coordination.k8s.io":
                for name in ("acquireTime", "renewTime"):
                    check_micro_time(f"spec.{name}", (body.get("spec") or {}).get(name))
            case "secrets":
                return {"type": "Opaque", **body}
            case "pods":
                return {"status": {"phase": "Pending", "qosClass": "BestEffort"}, **body}
            case "customresourcedefinitions.apiextensions.k8s.io":
                return complete_definition(body)
        return body

    def problems(self, kind: Kind, body: Object, old: Object | None) -> Iterator[Object]:
        match kind.storage:
            case "services":
                yield from service_problems(self.numbers, body, old)
            case "events":
                yield from event_problems(body)
            case "leases.coordination.k8s.io":
                yield from _lease_problems(body.get("spec") or {})
            case "endpointslices.discovery.k8s.io":
                yield from _slice_problems(body, old)
            case "customresourcedefinitions.apiextensions.k8s.io":
                yield from definition_problems(body)
        if kind.schema is not None:
            yield from kind.schema.problems(body, old)


def _status_only(kind: Kind, new: Object, old: Object) -> Object:
    """Built-in kinds take metadata (labels, annotations) along with the status, custom resources nothing else."""
    metadata = new["metadata"]
    if kind.custom:
        metadata = {**old["metadata"], "resourceVersion": metadata.get("resourceVersion", "")}
    result = {name: value for name, value in old.items() if name != "status"} | {"metadata": metadata}
    return result | ({"status": new["status"]} if "status" in new else {})


def _spec_changed(kind: Kind, new: Object, old: Object) -> bool:
    apart = {"apiVersion", "kind", "metadata"} | ({"status"} if "status" in kind.subresources else set())
    return any(new.get(name) != old.get(name) for name in (new.keys() | old.keys()) - apart)


def _lease_problems(spec: Mapping[str, object]) -> Iterator[Object]:
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if isinstance(duration, int) and duration <= 0:
        yield cause("spec.leaseDurationSeconds", f"Invalid value: {duration}: must be greater than 0")
    if isinstance(transitions, int) and transitions < 0:
        yield cause("spec.leaseTransitions", f"Invalid value: {transitions}: must be greater than or equal to 0")


def _slice_problems(body: Object, old: Object | None) -> Iterator[Object]:
    family = body.get("addressType")
    if family not in ("IPv4", "IPv6", "FQDN"):
        yield cause("addressType", "Required value", "FieldValueRequired")
    if old is not None and family != old.get("addressType"):
        yield cause("addressType", f'Invalid value: "{family}": field is immutable')


def check_strings(kind: Kind, metadata: Object) -> None:
    """Labels and annotations are strings; anything else cannot be decoded: 400."""
    for name in ("labels", "annotations"):
        for key, value in (metadata.get(name) or {}).items():
            if not isinstance(value, str):
                raise bad_request(
                    f"{kind.kind} in version {kind.version!r} cannot be handled as a {kind.kind}: json: cannot "
                    f"unmarshal {type(value).__name__} into Go struct field ObjectMeta.metadata.{name} of type string "
                    f"(key {key})"
                )
