"""What a scrape of the agent shows."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """Names begin with vipmgr_agent_."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.transitions = Counter(
            "vipmgr_agent_vrrp_transitions", "VRRP transitions seen", ["to", "reason"], registry=self.registry
        )
        self.refused = Counter("vipmgr_agent_config_refused", "Configurations not taken", registry=self.registry)
        self.strays = Counter("vipmgr_agent_strays_removed", "Stray VIPs taken off", registry=self.registry)
        self.reloads = Counter("vipmgr_agent_reloads", "SIGHUPs sent to keepalived", registry=self.registry)
        self.deaths = Counter("vipmgr_agent_keepalived_deaths", "Deaths of keepalived seen", registry=self.registry)
        self.gaps = Counter("vipmgr_agent_audit_gaps", "States that no line told of", registry=self.registry)
        self.masters = self._gauge("masters", "Instances this node is MASTER of")
        self.instances = self._gauge("instances", "Instances keepalived runs")
        self.reload_ms = self._gauge("reload_milliseconds", "SIGHUP to Reload complete, last time")
        self.silent_ms = self._gauge("reload_silent_milliseconds", "Without adverts, in the last reload")
        self.strangers = self._gauge("strangers", "VRRP speakers heard that are not ours")
        self.packets = self._gauge("wire_packets", "VRRP packets that the kernel's filter let through")
        self.sequence = self._gauge("audit_sequence", "Number of the last audit line")
        self.audit_lost = self._gauge("audit_lines_not_on_disk", "Audit lines that a full disk kept out of the file")
        self.log_lag = self._gauge("log_lag_bytes", "Bytes of keepalived's log not read yet")
        self.running = self._gauge("keepalived_up", "1 while keepalived runs")
        self.drained = self._gauge("drained", "1 while this node is drained")

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"vipmgr_agent_{name}", text, registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)
