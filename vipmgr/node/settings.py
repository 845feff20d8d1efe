"""Where things are on a node, and what an operator may set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """docs/architecture.md, "Paths on a node". `state` survives a reboot, `run` does not."""

    state: Path = Path("/var/lib/vipmgr")
    run: Path = Path("/run/vipmgr")

    @property
    def config(self) -> Path:
        return self.state / "keepalived.conf"

    @property
    def draft(self) -> Path:
        return self.state / "keepalived.conf.draft"

    @property
    def plan(self) -> Path:
        return self.state / "plan.json"

    @property
    def audit(self) -> Path:
        return self.state / "audit" / "audit.jsonl"

    @property
    def fifo(self) -> Path:
        return self.run / "notify.fifo"

    @property
    def log(self) -> Path:
        return self.run / "keepalived.log"

    @property
    def pid(self) -> Path:
        return self.run / "keepalived.pid"

    @property
    def vrrp_pid(self) -> Path:
        return self.run / "vrrp.pid"

    @property
    def dump(self) -> Path:
        """Where keepalived (TMPDIR is `run`) writes its state on signal 36."""
        return self.run / "keepalived.json"

    @property
    def reload_check(self) -> Path:
        """What keepalived's own check of a reload had to say."""
        return self.run / "reload-check.log"

    @property
    def cursor(self) -> Path:
        return self.run / "agent.json"

    @property
    def gobgpd(self) -> Path:
        """gobgpd's API."""
        return self.run / "gobgpd.sock"

    @property
    def gobgpd_restart(self) -> Path:
        """There while a gobgpd that starts is one that restarts gracefully."""
        return self.run / "gobgpd.restart"

    @property
    def tracks(self) -> Path:
        return self.run / "track"


@dataclass(frozen=True, slots=True)
class Settings:
    """`namespace`: of the agents' Leases.

    `address`, `port`: of /healthz, /readyz, /metrics; port 0: none, address "": every one. Sizes in bytes."""

    node: str
    paths: Paths = field(default_factory=Paths)
    address: str = "127.0.0.1"
    port: int = 0
    audit_bytes: int = 16 * 1024 * 1024
    audit_files: int = 4
    log_bytes: int = 4 * 1024 * 1024
    kubeconfig: str | None = None
    namespace: str = "vipmgr-system"
