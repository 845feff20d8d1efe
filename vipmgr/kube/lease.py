"""Leader election by a Lease: the shell around core.election.

The work of the leader runs as a task that is cancelled before the lease can expire for anybody else, and every write
of that work asks its Fence. On SIGTERM (cancellation) the work is stopped first, then the Lease is released, so that
the other replica takes over at once.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from vipmgr.core import election
from vipmgr.core.election import Candidate, Record
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client
from vipmgr.kube.errors import ConflictError, NotFoundError, UnreachableError
from vipmgr.kube.objects import Lease
from vipmgr.kube.resources import LEASES
from vipmgr.log import get_log

log = get_log(__name__)

_RELEASE_SECONDS: Final = 2.0
_STOP_SECONDS: Final = 2.0


def boot_time() -> float:
    """Seconds since boot, suspension included: a lease runs out while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence:
    """Asked before every write of the leader. Once lost it stays lost; the next lead has a Fence of its own."""

    def __init__(self, held: Callable[[], bool]) -> None:
        self._held = held
        self._lost = False

    def held(self) -> bool:
        self._lost = self._lost or not self._held()
        return not self._lost

    def drop(self) -> None:
        self._lost = True


class LeaseElection:
    """`duration`: how long others wait for a silent leader; `renew`: how long a leader goes on without a renewal;
    `retry`: seconds between two looks. `leading` tells for metrics."""

    def __init__(  # noqa: PLR0913 - the timings have defaults
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 15.0,
        renew: float = 10.0,
        retry: float = 2.0,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._retry = retry
        self._clock = clock
        self._candidate = Candidate(identity, duration, renew)

    @property
    def leading(self) -> bool:
        return election.holds(self._candidate, self._clock())

    @property
    def holder(self) -> str:
        """Who leads, as far as was seen."""
        return self._candidate.record.holder if self._candidate.record else ""

    async def run(self, lead: Callable[[Fence], Awaitable[None]]) -> None:
        """Compete for ever; call `lead` each time this process wins, cancel it when it must stop. Releases the Lease
        when cancelled. An error of `lead` ends the lead and comes out of here."""
        try:
            while True:
                await self._attempt()
                if self.leading:
                    await self._lead(lead)
                else:
                    await asyncio.sleep(self._pause())
        finally:
            await self._release()

    async def _lead(self, lead: Callable[[Fence], Awaitable[None]]) -> None:
        log.info("lease.won", identity=self._candidate.identity)
        fence = Fence(lambda: self.leading)
        work = asyncio.ensure_future(lead(fence))
        renewal = asyncio.create_task(self._renew())
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            fence.drop()
            await _stop(renewal)
            await _stop(work)
            log.info("lease.lost", identity=self._candidate.identity, holder=self.holder)

    async def _renew(self) -> None:
        """Return when the lead is over."""
        while self.leading:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._left()):
                    await asyncio.sleep(self._pause())
                    await self._attempt()

    def _left(self) -> float:
        sent = self._candidate.renewed_at
        return 0.0 if sent is None else max(0.0, sent + self._candidate.deadline - self._clock())

    async def _attempt(self) -> None:
        """One look, and a write if it is our turn. Failures change nothing: time decides."""
        try:
            async with asyncio.timeout(self._candidate.deadline / 2):
                if not self.leading:
                    await self._look()
                if election.may_write(self._candidate, self._clock()):
                    await self._write()
        except ConflictError:
            with suppress(TemporaryError, TimeoutError):
                async with asyncio.timeout(self._candidate.deadline / 2):
                    await self._look()
        except (TemporaryError, TimeoutError) as error:
            level = log.warning if self.leading else log.info
            level("lease.attempt_failed", error=str(error) or "timed out", leading=self.leading)

    async def _look(self) -> None:
        try:
            lease = await self._client.get(LEASES, self._name, self._namespace)
        except NotFoundError:
            self._candidate = election.observe(self._candidate, None, self._clock())
            return
        self._candidate = election.observe(self._candidate, _record(lease), self._clock())

    async def _write(self) -> None:
        wanted = election.next_record(self._candidate)
        sent_at = self._clock()
        try:
            lease = await self._store(wanted, _now())
        except NotFoundError as error:  # the Lease was deleted under us: others see it as free, so it is not ours
            self._candidate = election.observe(self._candidate, None, self._clock())
            raise UnreachableError(404, "Deleted", "the Lease is gone") from error
        self._candidate = election.written(self._candidate, _record(lease), sent_at, self._clock())

    async def _store(self, wanted: Record, now: str) -> Lease:
        taking = not self.leading
        spec: dict[str, Any] = {
            "holderIdentity": wanted.holder,
            "leaseDurationSeconds": max(1, math.ceil(wanted.duration)),
            "renewTime": now,
            "leaseTransitions": wanted.transitions,
        }
        if taking:
            spec["acquireTime"] = now
        if not wanted.version:
            body = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": spec}
            return await self._client.create(LEASES, body, namespace=self._namespace)
        body = {"metadata": {"resourceVersion": wanted.version}, "spec": spec}
        return await self._client.patch(LEASES, self._name, body, namespace=self._namespace)

    async def _release(self) -> None:
        """Give it back, so that nobody has to wait; when that fails it expires by itself."""
        candidate, self._candidate = self._candidate, election.released(self._candidate)
        if candidate.renewed_at is None or candidate.record is None:
            return
        body = {
            "metadata": {"resourceVersion": candidate.record.version},
            "spec": {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()},
        }
        with suppress(TemporaryError, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._client.patch(LEASES, self._name, body, namespace=self._namespace)
                log.info("lease.released", identity=candidate.identity)

    def _pause(self) -> float:
        return self._retry * random.uniform(0.8, 1.2)  # noqa: S311 - keeps replicas out of step


async def _stop(task: asyncio.Future[None]) -> None:
    """Cancel and wait, but not for ever: its writes are fenced anyway."""
    task.cancel()
    await asyncio.wait({task}, timeout=_STOP_SECONDS)


def _record(lease: Lease) -> Record:
    spec = lease.spec
    return Record(
        spec.holder_identity or "",
        float(spec.lease_duration_seconds or 1),
        spec.lease_transitions or 0,
        lease.metadata.resource_version,
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
