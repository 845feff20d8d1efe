"""Service.status and the label of its pool: one patch of the status subresource carries both."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from vipmgr.controller.changes.writes import Notice, Verb, Write, condition, reference, with_condition
from vipmgr.core.model import Assignment, Rejection
from vipmgr.core.wire import Condition, Ingress, Service
from vipmgr.kube.client import Patch
from vipmgr.kube.resources import SERVICES

POOL_LABEL: Final = "eip.openelb.kubesphere.io/v1alpha2"
ASSIGNED: Final = "vipmgr.io/AddressAssigned"
OPENELB_FINALIZER: Final = "finalizer.lb.kubesphere.io/v1alpha1"


def is_ours(service: Service) -> bool:
    """Does it carry traces of ours that must go once it claims nothing?"""
    labels = service.metadata.labels or {}
    return POOL_LABEL in labels or _ours(service.status.conditions) is not None


def serve(service: Service, assignment: Assignment | None, rejection: Rejection | None, now: datetime) -> Write | None:
    """Bring the status of a claiming Service to what was allocated; None when it says that already."""
    addresses = assignment.addresses if assignment else ()
    wanted = [Ingress(ip=str(address), ip_mode="VIP") for address, _ in addresses]
    label = addresses[0][1] if addresses else None
    if rejection is not None:
        stands = condition(service.status.conditions, ASSIGNED, False, rejection.reason, rejection.message, now)
    else:
        shown = " and ".join(f"{address} from Eip {pool}" for address, pool in addresses)
        stands = condition(service.status.conditions, ASSIGNED, bool(addresses), "Assigned", shown, now)
    pools = frozenset(f"Eip/{pool}" for _, pool in addresses)
    return _write(service, wanted, label, stands, pools, _notices(service, assignment, rejection))


def release(service: Service) -> Write | None:
    """Take every trace of ours off a Service that claims nothing any more."""
    if not is_ours(service):
        return None
    about = reference(SERVICES, service.metadata)
    gone = ", ".join(one.ip for one in service.status.load_balancer.ingress or ())
    note = Notice(about, "Normal", "AddressReleased", "Release", f"{gone or 'the address'} is not assigned any more")
    return _write(service, [], None, None, frozenset(), (note,))


def unfinalize(service: Service) -> Write | None:
    """OpenELB's finalizer would keep a deleted Service for ever once OpenELB is gone."""
    finalizers = service.metadata.finalizers or []
    if OPENELB_FINALIZER not in finalizers:
        return None
    body = {
        "metadata": {
            "resourceVersion": service.metadata.resource_version,
            "finalizers": [one for one in finalizers if one != OPENELB_FINALIZER],
        }
    }
    return Write(SERVICES, Verb.PATCH, service.metadata.name, service.metadata.namespace, body)


def _write(
    service: Service,
    ingress: list[Ingress],
    label: str | None,
    stands: Condition | None,
    needs: frozenset[str],
    notices: tuple[Notice, ...],
) -> Write | None:
    before = service.status
    metadata: dict[str, Any] = {"resourceVersion": service.metadata.resource_version}
    status: dict[str, Any] = {}
    if (service.metadata.labels or {}).get(POOL_LABEL) != label:
        metadata["labels"] = {POOL_LABEL: label}
    if not _same(before.load_balancer.ingress or [], ingress):
        status["loadBalancer"] = {"ingress": msgspec.to_builtins(ingress) if ingress else None}
    if _ours(before.conditions) is not stands:
        others = [one for one in before.conditions or () if one.type != ASSIGNED]
        status["conditions"] = msgspec.to_builtins(with_condition(others, stands) if stands else others)
    if not status and len(metadata) == 1:
        return None
    silent = "conditions" not in status and "loadBalancer" not in status
    return Write(
        SERVICES,
        Verb.PATCH,
        service.metadata.name,
        service.metadata.namespace,
        {"metadata": metadata, "status": status},
        Patch.MERGE,
        "status",
        needs=needs,
        notices=() if silent else notices,
    )


def _notices(service: Service, assignment: Assignment | None, rejection: Rejection | None) -> tuple[Notice, ...]:
    about = reference(SERVICES, service.metadata)
    notices = []
    held = {one.ip for one in service.status.load_balancer.ingress or ()}
    for address, pool in assignment.addresses if assignment else ():
        if str(address) not in held:
            said = f"{address} from Eip {pool}"
            notices.append(Notice(about, "Normal", "AddressAssigned", "Allocate", said))
    before = _ours(service.status.conditions)
    if rejection is not None and (before is None or before.message != rejection.message):
        notices.append(Notice(about, "Warning", rejection.reason, "Allocate", rejection.message))
    return tuple(notices)


def _ours(conditions: list[Condition] | None) -> Condition | None:
    return next((one for one in conditions or () if one.type == ASSIGNED), None)


def _same(shown: list[Ingress], wanted: list[Ingress]) -> bool:
    """Ports are filled in by nobody we know of; the mode may be missing on servers before 1.30."""
    return [one.ip for one in shown] == [one.ip for one in wanted] and not any(one.hostname for one in shown)
