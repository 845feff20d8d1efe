"""Kubernetes objects only the programs at the edge read: leases, secrets, pods, and what is passed on untyped."""

from __future__ import annotations

from typing import Any

import msgspec

from vipmgr.core.wire import Metadata, Wire


class LeaseSpec(Wire):
    """coordination.k8s.io/v1. Times are RFC 3339 with microseconds, as sent."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Wire):
    metadata: Metadata
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


class ContainerStatus(Wire):
    name: str = ""
    ready: bool = False
    restart_count: int = 0


class PodSpec(Wire):
    node_name: str = ""


class PodStatus(Wire):
    phase: str = ""
    container_statuses: list[ContainerStatus] | None = None


class Pod(Wire):
    metadata: Metadata
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class ConfigMap(Wire):
    metadata: Metadata
    data: dict[str, str] | None = None


class Secret(Wire):
    """`data` values are base64, as sent."""

    metadata: Metadata
    type: str = "Opaque"
    data: dict[str, str] | None = None


class ObjectReference(Wire):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class EventSeries(Wire):
    count: int = 0
    last_observed_time: str | None = None


class Event(Wire):
    """events.k8s.io/v1. `event_time` must carry six digits of a second; `note` at most 1024 bytes."""

    metadata: Metadata
    event_time: str | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    action: str = ""
    reason: str = ""
    type: str = ""
    note: str = ""
    regarding: ObjectReference = msgspec.field(default_factory=ObjectReference)
    series: EventSeries | None = None


class Webhook(Wire):
    name: str = ""
    client_config: dict[str, Any] = msgspec.field(default_factory=dict)


class WebhookConfiguration(Wire):
    """admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration."""

    metadata: Metadata
    webhooks: list[Webhook] | None = None


class Untyped(Wire):
    """A resource whose spec and status are handed on as they are (BgpConf, BgpPeer: GoBGP's own messages)."""

    metadata: Metadata
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
    status: dict[str, Any] = msgspec.field(default_factory=dict)
