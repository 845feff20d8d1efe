"""May this Service have an address of this pool? Ordered lists of named checks; the order is part of the contract.

`admit` judges a claim against a pool that would have to give something new; `seat` judges one address against those who
own it already. Neither is asked about what a Service holds: holders keep theirs (`core.allocate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from vipmgr.core.addresses import is_buggy, number
from vipmgr.core.model import Address, Claim, Family, Pool, Reason, Rejection


class Ask(NamedTuple):
    """A claim before a pool: may it have a new address of this family? `namespace_labels`: of the claim's namespace."""

    claim: Claim
    pool: Pool
    family: Family
    namespace_labels: Mapping[str, str]


class Seat(NamedTuple):
    """A claim before one address. `owners`: the other Services that own it now. `leaving`: those giving it back.

    `recorded`: Eip.status.used names this claim as an owner already. `shown`: its own status shows the address.
    """

    claim: Claim
    pool: Pool
    address: Address
    owners: Sequence[Claim]
    leaving: Sequence[str] = ()
    recorded: bool = False
    shown: bool = False


def binds_namespaces(pool: Pool) -> bool:
    return bool(pool.namespaces) or pool.namespace_selector is not None


def is_bound(pool: Pool, namespace: str, labels: Mapping[str, str]) -> bool:
    """Listed by name, or selected by label: either will do, as in OpenELB."""
    return namespace in pool.namespaces or (
        pool.namespace_selector is not None and pool.namespace_selector.matches(labels)
    )


def pool_is_sound(ask: Ask) -> Rejection | None:
    if not ask.pool.problems:
        return None
    return Rejection(Reason.POOL_REFUSED, f"Eip {ask.pool.name} is refused: {ask.pool.problems[0].message}")


def pool_is_staying(ask: Ask) -> Rejection | None:
    if not ask.pool.deleting:
        return None
    return Rejection(Reason.POOL_DELETING, f"Eip {ask.pool.name} is being deleted and gives out no addresses")


def pool_is_enabled(ask: Ask) -> Rejection | None:
    if not ask.pool.disabled:
        return None
    return Rejection(Reason.POOL_DISABLED, f"Eip {ask.pool.name} has spec.disable: true and gives out no addresses")


def protocol_fits(ask: Ask) -> Rejection | None:
    if ask.claim.protocol in (None, ask.pool.protocol):
        return None
    message = f"the Service asks for protocol {ask.claim.protocol}, Eip {ask.pool.name} is {ask.pool.protocol}"
    return Rejection(Reason.WRONG_PROTOCOL, message)


def service_is_selected(ask: Ask) -> Rejection | None:
    selector = ask.pool.service_selector
    if selector is None or selector.matches(ask.claim.labels):
        return None
    message = f"spec.serviceSelector of Eip {ask.pool.name} does not match the labels of the Service"
    return Rejection(Reason.SERVICE_NOT_SELECTED, message)


def namespace_is_allowed(ask: Ask) -> Rejection | None:
    pool, namespace = ask.pool, ask.claim.namespace
    if not pool.enforce_namespaces or not binds_namespaces(pool) or is_bound(pool, namespace, ask.namespace_labels):
        return None
    message = f"Eip {pool.name} is kept for other namespaces than {namespace} (spec.enforceNamespaces)"
    return Rejection(Reason.NAMESPACE_NOT_ALLOWED, message)


def family_is_served(ask: Ask) -> Rejection | None:
    if any(span.family is ask.family for span in ask.pool.ranges):
        return None
    return Rejection(Reason.WRONG_FAMILY, f"Eip {ask.pool.name} has no {ask.family} addresses")


ADMISSION: Final[tuple[Callable[[Ask], Rejection | None], ...]] = (
    pool_is_sound,  # a pool nobody can read, or in another's way, serves nobody new: later checks may trust its fields
    pool_is_staying,
    pool_is_enabled,
    protocol_fits,
    service_is_selected,
    namespace_is_allowed,
    family_is_served,
)


def admit(ask: Ask) -> Rejection | None:
    """The first reason why the pool gives this claim no new address of that family, or None."""
    for check in ADMISSION:
        refusal = check(ask)
        if refusal is not None:
            return refusal
    return None


def address_is_inside(seat: Seat) -> Rejection | None:
    if seat.address in seat.pool:
        return None
    ranges = ", ".join(map(str, seat.pool.ranges))
    message = f"{seat.address} is not in Eip {seat.pool.name} ({ranges})"
    return Rejection(Reason.ADDRESS_OUTSIDE, message)


def address_is_not_avoided(seat: Seat) -> Rejection | None:
    if seat.recorded or seat.shown or not seat.pool.avoid_buggy_ips or not is_buggy(number(seat.address)):
        return None
    message = f"{seat.address} ends in .0 or .255, which Eip {seat.pool.name} avoids (spec.avoidBuggyIPs)"
    return Rejection(Reason.ADDRESS_AVOIDED, message)


def nobody_is_leaving_it(seat: Seat) -> Rejection | None:
    others = [key for key in seat.leaving if key != seat.claim.key]
    if not others or seat.recorded or seat.shown:
        return None
    return Rejection(Reason.ADDRESS_IN_USE, f"{seat.address} is being given back by Service {others[0]}")


def owners_consent(seat: Seat) -> Rejection | None:
    """Sharing needs the same key on both sides; without keys, that both name the address, which is OpenELB's way.

    Without keys a sharing that Eip.status.used records stays: OpenELB let the second Service name what the first got
    without naming it, and a Service must not lose its address because its neighbour edits its own manifest.
    """
    key = seat.claim.sharing_key
    for owner in seat.owners:
        if owner.sharing_key != key:
            have, want = owner.sharing_key or "no key", key or "no key"
            message = f"{seat.address} is held by Service {owner.key} with {have}, this Service has {want}"
            return Rejection(Reason.SHARING_KEY, message)
        if key is None and not seat.recorded and not _both_name(seat, owner):
            return Rejection(Reason.ADDRESS_IN_USE, f"{seat.address} is held by Service {owner.key}")
    return None


def _both_name(seat: Seat, owner: Claim) -> bool:
    return seat.address in seat.claim.requested and seat.address in owner.requested


def ports_differ(seat: Seat) -> Rejection | None:
    for owner in seat.owners:
        for protocol, port in sorted(seat.claim.ports & owner.ports):
            message = f"{seat.address} already serves {protocol} port {port} for Service {owner.key}"
            return Rejection(Reason.PORT_COLLISION, message)
    return None


def traffic_policies_agree(seat: Seat) -> Rejection | None:
    """externalTrafficPolicy Local narrows the nodes that may answer, so all who share must mean the same endpoints."""
    claim = seat.claim
    for owner in seat.owners:
        if not claim.local_traffic and not owner.local_traffic:
            continue
        if claim.local_traffic != owner.local_traffic or claim.selector != owner.selector:
            message = (
                f"{seat.address} is held by Service {owner.key}; with externalTrafficPolicy: Local an address is "
                "shared only by Services that all have it and the same selector"
            )
            return Rejection(Reason.SHARING_POLICY, message)
    return None


SEATING: Final[tuple[Callable[[Seat], Rejection | None], ...]] = (
    address_is_inside,
    address_is_not_avoided,
    nobody_is_leaving_it,
    owners_consent,
    ports_differ,
    traffic_policies_agree,
)


def seat(asked: Seat) -> Rejection | None:
    """The first reason why the claim may not own this address beside its owners, or None."""
    for check in SEATING:
        refusal = check(asked)
        if refusal is not None:
            return refusal
    return None
