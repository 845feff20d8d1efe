"""Claims and pools -> one owner per address. Whoever holds an address keeps it.

Two passes. First everybody keeps what is recorded as theirs, in Eip.status.used or in their own status: `used` is
written before the Service's status, so an address reserved by a controller that died in between is still that
Service's. Then the rest is served, oldest first. A Service that wants something else than it holds (a fixed address,
another pool) moves only when the new address is certain; until then the old one stays, and so does the reservation of
the old one for as long as the Service's status shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from vipmgr.core.addresses import number, numbers_family
from vipmgr.core.admit import Ask, admit
from vipmgr.core.choice import PoolChoice
from vipmgr.core.holdings import Holdings
from vipmgr.core.model import (
    Address,
    Allocation,
    Assignment,
    Claim,
    Family,
    Pool,
    Reason,
    Rejection,
    ServiceKey,
    family_of,
)

_NONE_LEAVING: Final[Mapping[ServiceKey, Sequence[Address]]] = MappingProxyType({})

_Offer = tuple[int, Pool]


@dataclass(slots=True)
class _Standing:
    """Where a claim stands after the first pass: `settled` is what it wants, `moving` is kept until that is found."""

    settled: dict[Family, int] = field(default_factory=dict)
    moving: dict[Family, int] = field(default_factory=dict)


def allocate(
    claims: Iterable[Claim],
    pools: Iterable[Pool],
    namespaces: Mapping[str, Mapping[str, str]],
    leaving: Mapping[ServiceKey, Sequence[Address]] = _NONE_LEAVING,
) -> Allocation:
    """One owner per address, unless shared lawfully; the same inputs in any order give the same result.

    `namespaces`: name -> labels. `leaving`: Services that claim nothing any more, and the addresses their status still
    shows; nobody else gets those before that status is rewritten. Fed back as recorded, the result gives itself.
    """
    pools = tuple(pools)
    ordered = sorted(claims, key=attrgetter("created", "key"))
    holdings = Holdings(pools, leaving)
    standings = _keep_held(ordered, holdings)
    server = _Server(pools, namespaces, holdings)
    assigned: dict[ServiceKey, Assignment] = {}
    refused: dict[ServiceKey, Rejection] = {}
    for claim in ordered:
        standing = standings[claim.key]
        refusal = server.serve(claim, standing)
        if refusal is not None:
            refused[claim.key] = refusal
        got = standing.settled | standing.moving if standing.moving else standing.settled
        if got:
            values = [got[family] for family in claim.families if family in got]
            assigned[claim.key] = Assignment(
                tuple([(holdings.address(value), holdings.pool_of(value).name) for value in values])
            )
    return Allocation(assigned, refused, holdings.used())


def _keep_held(ordered: Sequence[Claim], holdings: Holdings) -> dict[ServiceKey, _Standing]:
    """The first pass. What `used` records goes before what only a status shows; within each, older before younger."""
    held: dict[ServiceKey, list[int]] = {}
    only_shown: list[tuple[Claim, int]] = []
    for claim in ordered:
        shown = held[claim.key] = holdings.numbers(claim.held)
        recorded = holdings.recorded.get(claim.key, ())
        if shown != recorded:
            only_shown += [(claim, value) for value in shown if value not in recorded]
        for value in recorded:
            pool = holdings.pool_of(value)
            if holdings.objection(claim, value, pool, recorded=True, shown=value in shown) is None:
                holdings.take(claim, value, pool)
    for claim, value in only_shown:
        pool = holdings.pool_of(value)
        if holdings.objection(claim, value, pool, shown=True) is None:
            holdings.take(claim, value, pool)
    return {claim.key: _settle(claim, held[claim.key], holdings) for claim in ordered}


def _settle(claim: Claim, shown: Sequence[int], holdings: Holdings) -> _Standing:
    """Pick one address per family out of what the claim kept, and give back what neither serves nor shows."""
    if not shown and claim.key not in holdings.recorded:
        return _Standing()
    recorded = holdings.recorded.get(claim.key, ())
    mine = shown if shown == recorded else sorted({*recorded, *shown}, key=lambda value: (value not in shown, value))
    kept = [value for value in mine if holdings.owns(claim, value)]
    standing = _Standing()
    for family in claim.families:
        for value in kept:
            if numbers_family(value) is not family:
                continue
            if _fits(claim, value, family, holdings):
                standing.settled[family] = value
                standing.moving.pop(family, None)
                break
            standing.moving.setdefault(family, value)
    if mine is not shown:
        used = {*standing.settled.values(), *standing.moving.values(), *shown}
        for value in kept:
            if value not in used:
                holdings.release(claim, value)
    return standing


def _fits(claim: Claim, value: int, family: Family, holdings: Holdings) -> bool:
    """Is this address what the claim wants now?"""
    wanted = _requested(claim, family)
    pool = holdings.pool_of(value)
    return (
        (wanted is None or number(wanted) == value)
        and claim.pool in (None, pool.name)
        and claim.protocol in (None, pool.protocol)
    )


def _requested(claim: Claim, family: Family) -> Address | None:
    for address in claim.requested:
        if family_of(address) is family:
            return address
    return None


class _Server:
    """The second pass: finds an address for what the first left open."""

    def __init__(self, pools: Sequence[Pool], namespaces: Mapping[str, Mapping[str, str]], holdings: Holdings) -> None:
        self._by_name = {pool.name: pool for pool in pools}
        self._namespaces = namespaces
        self._holdings = holdings
        self._choice = PoolChoice(pools, namespaces)
        self._sharing_from: dict[object, int] = {}

    def serve(self, claim: Claim, standing: _Standing) -> Rejection | None:
        """Complete `standing` as far as possible. Returns why something the claim asked for is not given."""
        refusal = claim.fault or _wrong_family(claim)
        if refusal is not None:
            return refusal
        offers: dict[Family, _Offer] = {}
        for family in claim.families:
            if family in standing.settled:
                continue
            offer = self._find(claim, family)
            if isinstance(offer, Rejection):
                refusal = refusal or offer
            else:
                offers[family] = offer
        if refusal is not None and not claim.optional_second:
            return refusal  # all families or nothing new
        for family, (value, pool) in offers.items():
            self._holdings.take(claim, value, pool)
            standing.settled[family] = value
            old = standing.moving.pop(family, None)
            if old is not None and self._holdings.address(old) not in claim.held:
                self._holdings.release(claim, old)
        return refusal

    def _find(self, claim: Claim, family: Family) -> _Offer | Rejection:
        pool = None
        if claim.pool is not None:
            pool = self._by_name.get(claim.pool)
            if pool is None:
                return Rejection(Reason.UNKNOWN_POOL, f"there is no Eip {claim.pool}")
        wanted = _requested(claim, family)
        if wanted is not None:
            return self._exactly(claim, wanted, pool)
        if pool is None:
            return self._anywhere(claim, family)
        refusal = self._admit(claim, pool, family)
        if refusal is not None:
            return refusal
        shared = self._shared(claim, family, (pool,))
        if shared is not None:
            return shared
        value = self._holdings.peek(pool, family)
        if value is None:
            return Rejection(Reason.POOL_EXHAUSTED, f"no free {family} address in Eip {pool.name}")
        return value, pool

    def _exactly(self, claim: Claim, wanted: Address, named: Pool | None) -> _Offer | Rejection:
        value = number(wanted)
        pool = named or self._holdings.pool_with(value)
        if pool is None:
            return Rejection(Reason.ADDRESS_OUTSIDE, f"{wanted} is in no Eip")
        refusal = self._admit(claim, pool, family_of(wanted)) or self._holdings.objection(claim, value, pool)
        return refusal or (value, pool)

    def _anywhere(self, claim: Claim, family: Family) -> _Offer | Rejection:
        candidates = self._choice.candidates(claim, family)
        shared = self._shared(claim, family, candidates.pools)
        if shared is not None:
            return shared
        while candidates.at < len(candidates.pools):
            pool = candidates.pools[candidates.at]
            value = self._holdings.peek(pool, family)
            if value is not None:
                return value, pool
            candidates.at += 1
        return candidates.refusal

    def _shared(self, claim: Claim, family: Family, pools: Sequence[Pool]) -> _Offer | None:
        """An address of these pools that others with the same sharing key own, and the claim may own with them.

        Owners only ever join, so an address that refused these ports once is not asked again for the same ports.
        """
        if claim.sharing_key is None:
            return None
        values = self._holdings.sharing(claim.sharing_key)
        looks = (claim.sharing_key, family, claim.ports, claim.local_traffic, claim.selector)
        start = at = self._sharing_from.get(looks, 0)
        for at in range(start, len(values)):
            value = values[at]
            pool = self._holdings.pool_of(value)
            refused = numbers_family(value) is not family or self._holdings.objection(claim, value, pool)
            if refused and self._sharing_from.get(looks, 0) == at:
                self._sharing_from[looks] = at + 1
            if not refused and pool in pools:
                return value, pool
        return None

    def _admit(self, claim: Claim, pool: Pool, family: Family) -> Rejection | None:
        return admit(Ask(claim, pool, family, self._namespaces.get(claim.namespace, {})))


def _wrong_family(claim: Claim) -> Rejection | None:
    for address in claim.requested:
        if family_of(address) not in claim.families:
            families = " and ".join(claim.families)
            return Rejection(
                Reason.WRONG_FAMILY, f"{address} is not {families}, which the Service's ipFamilies ask for"
            )
    return None
