"""What the controller is told when it starts."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass, field

LOAD_BALANCER_CLASS = "vipmgr.io/vip"


def default_identity(name: str = "") -> str:
    """Unique to this process: two processes with one name would both believe they hold the Lease."""
    return f"{name or os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class Settings:
    """`listen` and `webhook_listen` are (host, port); port 0 takes a free one. `cluster_id` "": uid of kube-system.

    Lease timings in seconds: others wait `lease_duration` for a silent leader, a leader stops `lease_renew` after its
    last renewal, and looks every `lease_retry`.
    """

    load_balancer_class: str = LOAD_BALANCER_CLASS
    default_class: bool = False
    namespace: str = "vipmgr-system"
    identity: str = field(default_factory=default_identity)
    kubeconfig: str | None = None
    listen: tuple[str, int] = ("", 8080)
    webhook: bool = True
    webhook_listen: tuple[str, int] = ("", 9443)
    webhook_name: str = "vipmgr-webhook"
    """of the Service, the Secret and the ValidatingWebhookConfiguration"""
    webhook_hosts: tuple[str, ...] = ()
    """further names and addresses its certificate is good for"""
    cordon_drains: bool = False
    cluster_id: str = ""
    lease_duration: float = 15.0
    lease_renew: float = 10.0
    lease_retry: float = 2.0
