"""Eip.status and the finalizer that keeps an Eip while its addresses are in use.

`used` is the durable half of the allocation. An entry is added before anybody shows the address, and it goes only when
neither a Service nor a node's published plan shows it any more: whatever write the controller dies after, nobody else
is given an address that is still out there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from vipmgr.controller.changes.writes import Notice, Verb, Write, condition, reference, with_condition
from vipmgr.core.eipstatus import eip_status
from vipmgr.core.model import Pool, Problem
from vipmgr.core.wire import Condition, Eip, EipStatus
from vipmgr.kube.resources import EIPS

FINALIZER: Final = "finalizer.ipam.kubesphere.io/v1alpha1"
READY: Final = "Ready"


def guard(eip: Eip) -> Write | None:
    """Put the finalizer on a new Eip, take it off a deleted one that nobody uses."""
    finalizers = eip.metadata.finalizers or []
    deleting = eip.metadata.deletion_timestamp is not None
    if not deleting and FINALIZER not in finalizers:
        wanted = [*finalizers, FINALIZER]
    elif deleting and FINALIZER in finalizers and not eip.status.used:
        wanted = [one for one in finalizers if one != FINALIZER]
    else:
        return None
    body = {"metadata": {"resourceVersion": eip.metadata.resource_version, "finalizers": wanted}}
    return Write(EIPS, Verb.PATCH, eip.metadata.name, body=body)


def leftovers(eip: Eip, wanted: Mapping[str, str]) -> list[str]:
    """Addresses recorded that nobody wants any more."""
    return [address for address in eip.status.used or {} if address not in wanted]


def kept_entries(eip: Eip, wanted: Mapping[str, str], live: Collection[str]) -> dict[str, str]:
    """Leftovers that may not go yet. `live`: addresses that some Service still shows or some node may still hold."""
    used = eip.status.used or {}
    return {address: used[address] for address in leftovers(eip, wanted) if address in live}


def status_of(eip: Eip, pool: Pool, used: Mapping[str, str], problems: Sequence[Problem], now: datetime) -> EipStatus:
    """The status as it should stand: OpenELB's fields, and a condition that says what is wrong."""
    if problems:
        reason, message = problems[0].reason, "; ".join(problem.message for problem in problems)
        stands = condition(eip.status.conditions, READY, False, reason, message, now)
    else:
        stands = condition(eip.status.conditions, READY, True, "Accepted", "", now)
    return eip_status(pool, used, with_condition(eip.status.conditions, stands))


def update(eip: Eip, wanted: EipStatus) -> Write | None:
    """One patch with what differs."""
    before = eip.status
    if before == wanted:
        return None
    status: dict[str, Any] = {
        field.encode_name: getattr(wanted, field.name)
        for field in msgspec.structs.fields(EipStatus)
        if field.name not in ("used", "conditions") and _differs(before, wanted, field.name)
    }
    used, now_used = before.used or {}, wanted.used or {}
    changed: dict[str, str | None] = {key: value for key, value in now_used.items() if used.get(key) != value}
    changed.update(dict.fromkeys(used.keys() - now_used.keys()))
    if changed:
        status["used"] = changed
    if before.conditions != wanted.conditions:
        status["conditions"] = msgspec.to_builtins(wanted.conditions)
    body = {"metadata": {"resourceVersion": eip.metadata.resource_version}, "status": status}
    return Write(EIPS, Verb.PATCH, eip.metadata.name, body=body, subresource="status", notices=_notices(eip, wanted))


def _differs(before: EipStatus, wanted: EipStatus, name: str) -> bool:
    """A new Eip shows all its figures, zeros too."""
    return not before.first_ip or getattr(before, name) != getattr(wanted, name)


def _notices(eip: Eip, wanted: EipStatus) -> tuple[Notice, ...]:
    old, new = _ready(eip.status.conditions), _ready(wanted.conditions)
    if new is None or new is old or (old is None and new.status == "True"):
        return ()
    about = reference(EIPS, eip.metadata)
    if new.status == "True":
        return (Notice(about, "Normal", "Accepted", "Validate", "the pool may be used again"),)
    return (Notice(about, "Warning", new.reason, "Validate", new.message),)


def _ready(conditions: list[Condition] | None) -> Condition | None:
    return next((one for one in conditions or () if one.type == READY), None)
