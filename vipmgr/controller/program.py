"""The controller as a program: copies on every replica, decisions and writes on the one that leads."""

from __future__ import annotations

import asyncio
import gc
from typing import Final

from vipmgr.controller.admission import Judgement
from vipmgr.controller.endpoints import Listener, health_app
from vipmgr.controller.gather import Cluster
from vipmgr.controller.metrics import Metrics
from vipmgr.controller.publish import Publisher
from vipmgr.controller.reconcile import Reconciler
from vipmgr.controller.settings import Settings
from vipmgr.controller.webhook import Webhook
from vipmgr.core.decode import Opting, decode_pool
from vipmgr.core.decoded import Decoded
from vipmgr.core.model import Pool
from vipmgr.core.render import Renderer
from vipmgr.core.snapshot import SnapshotReader
from vipmgr.errors import TemporaryError
from vipmgr.kube.auth import Access, sign_in
from vipmgr.kube.client import Client
from vipmgr.kube.errors import FencedError
from vipmgr.kube.events import Recorder
from vipmgr.kube.lease import Fence, LeaseElection, boot_time
from vipmgr.kube.resources import NAMESPACES
from vipmgr.log import get_log
from vipmgr.templates import template_text

log = get_log(__name__)

LEASE = "vipmgr-controller"
_GARBAGE: Final = (100_000, 50, 100)
"""A pass makes and drops tens of thousands of values, none in cycles: at Python's usual thresholds half of its time
went into looking for garbage among the copies of the cluster."""


class Controller:
    """`run` until cancelled; cancelling stops the work and releases the Lease."""

    def __init__(self, settings: Settings, access: Access) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._client = Client(access)
        self._cluster = Cluster(self._client, self._changed, settings.namespace)
        self._reconciler: Reconciler | None = None
        self._election = LeaseElection(
            self._client,
            namespace=settings.namespace,
            name=LEASE,
            identity=settings.identity,
            duration=settings.lease_duration,
            renew=settings.lease_renew,
            retry=settings.lease_retry,
        )
        self._read_pools = Decoded("Eip", decode_pool)
        self.webhook = Webhook(self._client, settings, Judgement(self._pools)) if settings.webhook else None
        self.listener = Listener(health_app(self.metrics, self._why_not_ready), settings.listen)

    @property
    def leading(self) -> bool:
        return self._election.leading

    @property
    def passes(self) -> int:
        """Decisions made so far."""
        return self._reconciler.passes if self._reconciler else 0

    async def run(self) -> None:
        async with self._client:
            await self.listener.start()
            log.info("controller.started", identity=self.settings.identity, port=self.listener.port)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._cluster.run())
                    group.create_task(self._watch_copies())
                    if self.webhook is not None:
                        group.create_task(self.webhook.serve())
                    self._reconciler = await self._prepare()
                    await self._cluster.synced()
                    group.create_task(self._election.run(self._lead))
            finally:
                await self.listener.stop()
                log.info("controller.stopped", identity=self.settings.identity)

    async def _prepare(self) -> Reconciler:
        settings = self.settings
        opting = Opting(settings.load_balancer_class, settings.default_class)
        reader = SnapshotReader(opting, settings.cluster_id or await self._cluster_uid())
        renderer = Renderer(template_text("keepalived.conf.j2"))
        return Reconciler(self._cluster, reader, renderer, self.metrics, cordon_drains=settings.cordon_drains)

    async def _cluster_uid(self) -> str:
        """The uid of kube-system: it stays as long as the cluster does."""
        while True:
            try:
                return (await self._client.get(NAMESPACES, "kube-system")).metadata.uid
            except TemporaryError as error:
                log.warning("cluster.unidentified", error=str(error))
                await asyncio.sleep(2.0)

    async def _lead(self, fence: Fence) -> None:
        if self._reconciler is None:
            raise RuntimeError("leading before the copies were made")
        client = self._client.fenced(fence)
        recorder = Recorder(client, component="vipmgr-controller", instance=self.settings.identity)
        publisher = Publisher(client, recorder, self.metrics, self._cluster.adopt, boot_time)
        self.metrics.leader.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._reconciler.run(publisher))
                group.create_task(publisher.record())
                if self.webhook is not None:
                    group.create_task(self.webhook.maintain(client))
        except* FencedError as fenced:
            log.warning("lead.fenced", error=str(fenced.exceptions[0]))
        finally:
            self.metrics.leader.set(0)

    async def _watch_copies(self) -> None:
        while True:
            for name, reflector in self._cluster.reflectors():
                self.metrics.watching.labels(name).set(reflector.connected)
            await asyncio.sleep(1.0)

    def _changed(self) -> None:
        if self._reconciler is not None:
            self._reconciler.changed()

    def _pools(self) -> list[Pool]:
        return list(self._read_pools.of(self._cluster.eips.items).values())

    def _why_not_ready(self) -> str:
        missing = [name for name, reflector in self._cluster.reflectors() if not reflector.synced.is_set()]
        return f"not read yet: {', '.join(missing)}" if missing else ""


async def run_controller(settings: Settings) -> None:
    """Sign in and run. Raises FatalError when there is no way in."""
    gc.set_threshold(*_GARBAGE)
    await Controller(settings, await sign_in(settings.kubeconfig)).run()
