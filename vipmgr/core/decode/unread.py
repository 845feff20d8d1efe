"""What stands for an object its decoder stumbled over: it keeps what it has, asks for nothing new, and says why."""

from __future__ import annotations

from dataclasses import replace

from vipmgr.core import wire
from vipmgr.core.decode.service import Opting, is_ours, shown_addresses
from vipmgr.core.decode.values import BEGINNING
from vipmgr.core.model import Address, Claim, Family, Pool, Problem, Protocol, Rejection, family_of


def unread_claim(
    service: wire.Service, opting: Opting, last: Claim | tuple[Address, ...] | None, problem: Problem
) -> Claim | None:
    """None: the Service wants nothing from us (any more)."""
    if not is_ours(service, opting):
        return None
    fault, held = Rejection(problem.reason, problem.message), shown_addresses(service)
    if isinstance(last, Claim):
        return replace(last, held=held, fault=fault)
    metadata = service.metadata
    families = tuple(dict.fromkeys(family_of(address) for address in held)) or (Family.IPV4,)
    key = f"{metadata.namespace}/{metadata.name}"
    return Claim(key, metadata.uid, metadata.namespace, BEGINNING, families=families, held=held, fault=fault)


def unread_pool(eip: wire.Eip, last: Pool | None, problem: Problem) -> Pool:
    """Without ranges when it was never read."""
    pool = last or Pool(eip.metadata.name, eip.metadata.uid, BEGINNING, Protocol.BGP, ())
    others = tuple(one for one in pool.problems if one.reason is not problem.reason)
    return replace(pool, deleting=eip.metadata.deletion_timestamp is not None, problems=(*others, problem))
