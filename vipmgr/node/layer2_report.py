"""layer2 for those who look from outside: metrics, and conditions on the VipNode."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from vipmgr.core.kernel_view import Link
from vipmgr.core.layer2_report import CONDITION
from vipmgr.core.respond import Silence
from vipmgr.node.journal import utc
from vipmgr.node.layer2 import Layer2
from vipmgr.node.report import Facts

IPVS: Final = "kube-ipvs0"
_SYSCTLS: Final = Path("/proc/sys/net/ipv4/conf")


def tell_layer2(facts: Facts, layer2: Layer2, links: Iterable[Link]) -> None:
    """The condition, while there are layer2 addresses: strangers that use one, kube-proxy that answers for all."""
    if not layer2.needed:
        facts.conditions.pop(CONDITION, None)
        return
    now = utc(time.time())
    strangers = layer2.strangers()
    if strangers:
        text = ", ".join(f"{address} by {mac}" for address, mac in strangers[:5])
        facts.tell(CONDITION, False, "AddressInUse", f"stations that are none of ours use our addresses: {text}", now)
    elif kernel_answers({link.name for link in links}, layer2.interfaces()):
        text = "kube-proxy runs in IPVS mode without strictARP: every node answers ARP for every Service's address"
        facts.tell(CONDITION, False, "StrictARP", text, now)
    else:
        facts.tell(CONDITION, True, "Sound", "", now)


def kernel_answers(links: set[str], interfaces: Iterable[str], sysctls: Path = _SYSCTLS) -> bool:
    """kube-ipvs0 holds the addresses, and the kernel answers for them on other interfaces (arp_ignore is 0)."""
    if IPVS not in links:
        return False
    return any(max(_setting(sysctls, "all"), _setting(sysctls, name)) < 1 for name in interfaces)


def _setting(sysctls: Path, interface: str) -> int:
    """The kernel takes the greater of an interface's own and `all` (ip-sysctl.rst)."""
    try:
        return int((sysctls / interface / "arp_ignore").read_text())
    except (OSError, ValueError):
        return 0


class Layer2Metrics(Collector):
    """Names begin with vipmgr_agent_layer2_."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.owned = Gauge("vipmgr_agent_layer2_owned", "Addresses this node answers for", registry=registry)
        self.standby = Gauge("vipmgr_agent_layer2_standby", "Addresses it stands by for", registry=registry)
        self.strangers = Gauge("vipmgr_agent_layer2_strangers", "Addresses used by others", registry=registry)
        self._layer2: Layer2 | None = None
        registry.register(self)

    def show(self, layer2: Layer2) -> None:
        self._layer2 = layer2
        status = layer2.status()
        self.owned.set(sum(one.state == "MASTER" for one in status.addresses) if status is not None else 0)
        self.standby.set(status.standby if status is not None else 0)
        self.strangers.set(len(layer2.strangers()))

    def collect(self) -> Iterable[Metric]:
        if self._layer2 is None:
            return
        counters = self._layer2.counters
        for name, text, value in (
            ("frames", "Frames that the kernel's filter let through", self._layer2.packets),
            ("answers", "ARP requests and neighbour solicitations answered", counters.answers),
            ("probes", "Questions to other owners", counters.probes),
            ("announcements", "Gratuitous ARP and unsolicited advertisements", counters.announcements),
        ):
            yield CounterMetricFamily(f"vipmgr_agent_layer2_{name}", text, value=value)
        silences = CounterMetricFamily("vipmgr_agent_layer2_silences", "Frames without an answer", labels=["reason"])
        for silence in Silence:
            silences.add_metric([silence], counters.silences[silence])
        yield silences
        moves = CounterMetricFamily("vipmgr_agent_layer2_transitions", "Changes of standing", labels=["to", "reason"])
        for labels, count in counters.transitions.items():
            moves.add_metric(list(labels), count)
        yield moves
