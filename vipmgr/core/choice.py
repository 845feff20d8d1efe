"""Which pools may serve a claim that names none, best first.

As in OpenELB: pools bound to the Service's namespace (by name or label), then the default pool; with --default-class
any pool that is bound to nobody. A pool that selects Services and binds no namespace counts as bound to those it
selects. The first of these groups that has a pool for the claim decides: a full pool of one's own is no reason to take
from the default one. Within a group a lower `priority` comes first, then the name; full pools are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vipmgr.core.admit import Ask, admit, binds_namespaces, is_bound
from vipmgr.core.model import Claim, Family, Pool, Reason, Rejection

_Signature = tuple[str, Family, str | None, bool, tuple[str | None, ...]]


@dataclass(slots=True)
class Candidates:
    """Pools to try in order; `at` moves past those found full. `refusal`: what to say when there is nothing left."""

    pools: list[Pool]
    refusal: Rejection
    at: int = 0


class PoolChoice:
    """Chooses among pools for one run of the allocator, remembering what it found for claims that look the same."""

    def __init__(self, pools: Iterable[Pool], namespaces: Mapping[str, Mapping[str, str]]) -> None:
        self._pools = sorted((pool for pool in pools if pool.auto_assign), key=lambda pool: (pool.priority, pool.name))
        self._namespaces = namespaces
        self._label_keys = sorted(
            {
                key
                for pool in self._pools
                if pool.service_selector is not None
                for key in (
                    *(key for key, _ in pool.service_selector.match_labels),
                    *(requirement.key for requirement in pool.service_selector.expressions),
                )
            }
        )
        self._found: dict[_Signature, Candidates] = {}

    def candidates(self, claim: Claim, family: Family) -> Candidates:
        labels = tuple(claim.labels.get(key) for key in self._label_keys)
        signature = (claim.namespace, family, claim.protocol, claim.default_class, labels)
        found = self._found.get(signature)
        if found is None:
            found = self._found[signature] = self._choose(claim, family)
        return found

    def _choose(self, claim: Claim, family: Family) -> Candidates:
        labels = self._namespaces.get(claim.namespace, {})
        refusal = Rejection(
            Reason.NO_POOL,
            f"no Eip with {family} addresses is bound to namespace {claim.namespace} and none is the default; "
            "name one with the annotation eip.openelb.kubesphere.io/v1alpha2",
        )
        first_refusal: Rejection | None = None
        for group in self._groups(claim, labels):
            fitting = []
            for pool in group:
                no = admit(Ask(claim, pool, family, labels))
                if no is None:
                    fitting.append(pool)
                first_refusal = first_refusal or no
            if fitting:
                names = ", ".join(pool.name for pool in fitting)
                return Candidates(fitting, Rejection(Reason.POOL_EXHAUSTED, f"no free {family} address in Eip {names}"))
        return Candidates([], first_refusal or refusal)

    def _groups(self, claim: Claim, labels: Mapping[str, str]) -> Iterable[list[Pool]]:
        yield [pool for pool in self._pools if self._is_own(pool, claim, labels)]
        yield [pool for pool in self._pools if pool.is_default]
        if claim.default_class:
            yield [pool for pool in self._pools if not binds_namespaces(pool) and pool.service_selector is None]

    @staticmethod
    def _is_own(pool: Pool, claim: Claim, labels: Mapping[str, str]) -> bool:
        if binds_namespaces(pool):
            return is_bound(pool, claim.namespace, labels)
        return pool.service_selector is not None and pool.service_selector.matches(claim.labels)
