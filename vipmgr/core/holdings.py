"""Who owns which address while one allocation is worked out.

The only state of `core.allocate`: made for one run and dropped with it. Addresses are numbers here (`core.addresses`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vipmgr.core.addresses import FreeAddresses, RangeIndex, address_of, number, of_family
from vipmgr.core.admit import Seat, seat
from vipmgr.core.model import Address, Claim, Family, Pool, Rejection, ServiceKey


class Holdings:
    """Owners of addresses, the pool each is from, and what is still free.

    `recorded`: Service -> the addresses Eip.status.used says are its own. Pools that have problems may overlap others:
    they come after the sound ones, so an address in both belongs to the sound pool unless only the other recorded it.
    """

    def __init__(self, pools: Iterable[Pool], leaving: Mapping[ServiceKey, Sequence[Address]]) -> None:
        self._pools = sorted(pools, key=lambda pool: (bool(pool.problems), pool.name))
        self._index = RangeIndex((span, pool) for pool in self._pools if not pool.problems for span in pool.ranges)
        self._owners: dict[int, list[Claim]] = {}
        self._pool_of: dict[int, Pool] = {}
        self._leaving: dict[int, list[ServiceKey]] = {}
        self._free: dict[tuple[str, Family], FreeAddresses] = {}
        self._by_key: dict[str, list[int]] = {}
        self._values: dict[int, Address] = {}
        self.recorded: dict[ServiceKey, list[int]] = {}
        self._read_records()
        for key, addresses in leaving.items():
            for value in self.numbers(addresses):
                self._owners.setdefault(value, [])
                self._leaving.setdefault(value, []).append(key)

    def _read_records(self) -> None:
        for pool in self._pools:
            for address, keys in pool.used.items():
                value = number(address)
                if self._index.find(value) is not pool and address not in pool:
                    continue
                self._pool_of.setdefault(value, pool)
                self._values[value] = address
                for key in keys:
                    self.recorded.setdefault(key, []).append(value)

    def numbers(self, addresses: Iterable[Address]) -> list[int]:
        """Those of the addresses that lie in some pool."""
        found = []
        for address in addresses:
            value = number(address)
            pool = self._pool_of.get(value) or self.pool_with(value)
            if pool is not None:
                self._pool_of[value] = pool
                self._values[value] = address
                found.append(value)
        return found

    def pool_with(self, value: int) -> Pool | None:
        """The pool whose range holds the number: a sound one if there is one."""
        sound = self._index.find(value)
        if sound is not None:
            return sound
        address = address_of(value)
        return next((pool for pool in self._pools if pool.problems and address in pool), None)

    def pool_of(self, value: int) -> Pool:
        return self._pool_of[value]

    def address(self, value: int) -> Address:
        return self._values.get(value) or address_of(value)

    def objection(
        self, claim: Claim, value: int, pool: Pool, *, recorded: bool = False, shown: bool = False
    ) -> Rejection | None:
        """Why the claim may not own this address, or None."""
        owners = self._owners.get(value)
        if owners is None and (recorded or shown):
            return None
        others = [owner for owner in owners or () if owner is not claim]
        return seat(Seat(claim, pool, self.address(value), others, self._leaving.get(value, ()), recorded, shown))

    def take(self, claim: Claim, value: int, pool: Pool) -> None:
        owners = self._owners.get(value)
        if owners is None:
            owners = self._owners[value] = [claim]
        elif claim not in owners:
            owners.append(claim)
        else:
            return
        self._pool_of[value] = pool
        if claim.sharing_key and len(owners) == 1:
            self._by_key.setdefault(claim.sharing_key, []).append(value)

    def owns(self, claim: Claim, value: int) -> bool:
        return claim in self._owners.get(value, ())

    def release(self, claim: Claim, value: int) -> None:
        left = [owner for owner in self._owners[value] if owner is not claim]
        if left or value in self._leaving:
            self._owners[value] = left
        else:
            del self._owners[value]

    def peek(self, pool: Pool, family: Family) -> int | None:
        """The lowest free number of the pool, not taken yet; None: the pool is full."""
        free = self._free.get((pool.name, family))
        if free is None:
            ranges = of_family(pool.ranges, family)
            free = FreeAddresses(ranges, self._owners, avoid_buggy=pool.avoid_buggy_ips)
            self._free[pool.name, family] = free
        return free.peek()

    def sharing(self, key: str) -> Sequence[int]:
        """Addresses owned under this sharing key, in the order they were taken; some may have been released since."""
        return self._by_key.get(key, ())

    def used(self) -> dict[str, dict[Address, tuple[ServiceKey, ...]]]:
        """As Allocation.used."""
        result: dict[str, dict[Address, tuple[ServiceKey, ...]]] = {pool.name: {} for pool in self._pools}
        for value, owners in self._owners.items():
            if len(owners) == 1:
                keys: tuple[ServiceKey, ...] = (owners[0].key,)
            else:
                keys = tuple(owner.key for owner in sorted(owners, key=lambda owner: (owner.created, owner.key)))
            if value in self._leaving:
                keys += tuple(sorted(self._leaving[value]))
            result[self._pool_of[value].name][self.address(value)] = keys
        return result
