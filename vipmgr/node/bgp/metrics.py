"""What a scrape of the agent shows of BGP."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from vipmgr.core.bgp_report import ESTABLISHED
from vipmgr.node.bgp.part import BgpPart


class BgpMetrics:
    """Names begin with vipmgr_agent_bgp_."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._running = Gauge("vipmgr_agent_bgp_up", "1 while gobgpd answers", registry=registry)
        self._routes = Gauge("vipmgr_agent_bgp_routes", "Prefixes announced", registry=registry)
        self._session = Gauge(
            "vipmgr_agent_bgp_session_up", "1 while the session stands", ["peer", "address"], registry=registry
        )
        self._losses = Gauge(
            "vipmgr_agent_bgp_session_losses", "How often the session was lost", ["peer", "address"], registry=registry
        )

    def show(self, part: BgpPart) -> None:
        status = part.status()
        self._session.clear()
        self._losses.clear()
        self._running.set(status is not None and status.running)
        self._routes.set(status.routes if status is not None else 0)
        for one in status.sessions if status is not None else ():
            self._session.labels(one.peer, one.address).set(one.state == ESTABLISHED)
            self._losses.labels(one.peer, one.address).set(one.losses)
