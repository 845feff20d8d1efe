"""Do the pools agree with each other? One judgement, used by the controller and by the admission webhook.

Among Eips that are in each other's way the oldest is right (by creation, then by name), whatever else may be wrong with
it: which one gives way must not depend on how a third is edited. The younger one gives out nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from vipmgr.core.addresses import number
from vipmgr.core.model import AddressRange, Pool, Problem, Reason


def judge(pools: Iterable[Pool]) -> dict[str, list[Problem]]:
    """Pool -> everything wrong with it: what decoding found, and older pools in its way. Each pool has an entry."""
    oldest_first = sorted(pools, key=_age)
    problems = {pool.name: list(pool.problems) for pool in oldest_first}
    for one, other, shared in _overlaps(oldest_first):
        older, younger = sorted((one, other), key=_age)
        problems[younger.name].append(_overlap(younger, older, shared))
    defaults = [pool for pool in oldest_first if pool.is_default]
    for pool in defaults[1:]:
        problems[pool.name].append(_second_default(pool, defaults[0]))
    return problems


def judged(pools: Iterable[Pool]) -> dict[str, Pool]:
    """The pools by name, each with everything `judge` found in its `problems`."""
    by_name = {pool.name: pool for pool in pools}
    for name, problems in judge(by_name.values()).items():
        if len(problems) != len(by_name[name].problems):
            by_name[name] = replace(by_name[name], problems=tuple(problems))
    return by_name


def review_create(pool: Pool, others: Iterable[Pool]) -> Problem | None:
    """Why this pool may not come into being beside the others, or None. Every other pool is older."""
    return next(iter(_all_problems(pool, others)), None)


def review_update(old: Pool, new: Pool, others: Iterable[Pool]) -> Problem | None:
    """Why the edit is refused, or None. An edit that leaves old problems as they were may pass: it can still be a
    step out of them, and finalizers must come off whatever is wrong."""
    kept = set(new.ranges)
    for span in old.ranges:
        if span not in kept:
            return Problem(
                f"Eip/{new.name}",
                Reason.IMMUTABLE,
                f"spec.address: {span} cannot be changed or taken away; make another Eip, or add to spec.addresses",
            )
    others = tuple(others)
    before = set(_all_problems(old, others))
    return next((problem for problem in _all_problems(new, others) if problem not in before), None)


def review_delete(pool: Pool) -> Problem | None:
    """Why the pool may not go, or None: its addresses are in use."""
    if not pool.used:
        return None
    address, owners = min(pool.used.items(), key=lambda item: number(item[0]))
    more = f" and {len(pool.used) - 1} more" if len(pool.used) > 1 else ""
    message = f"{address}{more} of Eip {pool.name} is in use by Service {owners[0]}; set spec.disable and move it first"
    return Problem(f"Eip/{pool.name}", Reason.POOL_IN_USE, message)


def _age(pool: Pool) -> tuple[datetime, str]:
    return pool.created, pool.name


def _all_problems(pool: Pool, others: Iterable[Pool]) -> Iterator[Problem]:
    yield from pool.problems
    for other in sorted((other for other in others if other.name != pool.name), key=_age):
        for mine in pool.ranges:
            if any(mine.overlaps(theirs) for theirs in other.ranges):
                yield _overlap(pool, other, mine)
        if pool.is_default and other.is_default:
            yield _second_default(pool, other)


def _overlaps(pools: Iterable[Pool]) -> Iterator[tuple[Pool, Pool, AddressRange]]:
    """Pairs of pools with a range in common, by one sweep: cheap while few do. The range is the younger pool's."""
    ordered = sorted(((span, pool) for pool in pools for span in pool.ranges), key=lambda item: number(item[0].first))
    active: list[tuple[AddressRange, Pool]] = []
    for span, pool in ordered:
        active = [(earlier, owner) for earlier, owner in active if earlier.overlaps(span)]
        for earlier, owner in active:
            if owner.name != pool.name:
                yield owner, pool, span if _age(owner) < _age(pool) else earlier
        active.append((span, pool))


def _overlap(pool: Pool, older: Pool, mine: AddressRange) -> Problem:
    return Problem(f"Eip/{pool.name}", Reason.OVERLAP, f"spec.address: {mine} overlaps the older Eip {older.name}")


def _second_default(pool: Pool, older: Pool) -> Problem:
    message = f"annotation eip.openelb.kubesphere.io/is-default-eip: Eip {older.name} is the default already"
    return Problem(f"Eip/{pool.name}", Reason.SECOND_DEFAULT, message)
