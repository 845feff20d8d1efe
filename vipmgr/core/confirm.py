"""What is live on the nodes, judged from what was published to them and what they confirmed.

A node that is asked to change something may run the old or the new for a while. `may_hold` is the union of both; a
step that would make two masters waits until that union has shrunk. A node that is not Ready, or has not answered for
`SILENCE`, holds nobody up: then availability goes before certainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vipmgr.core.model import Address, Instance, NodeFacts, NodeName, NodeReport

SILENCE = timedelta(seconds=10)
PROMPT = timedelta(seconds=1.5)
"""an agent that is alive confirms within this time, as a rule"""
Holding = Mapping[str, frozenset[Address]]
"""instance -> its VIPs"""


def confirmed(report: NodeReport) -> bool:
    """The node runs exactly what was last published to it."""
    return report.revision == report.published_revision


def may_hold(report: NodeReport) -> Holding:
    """Every instance, with every VIP of it, that may be live on the node now."""
    if confirmed(report) or not report.unsettled:
        return report.published_instances
    union = dict(report.published_instances)
    for name, vips in report.unsettled.items():
        union[name] = union.get(name, frozenset()) | vips
    return union


def turning(report: NodeReport, instance: str) -> bool:
    """The node was told to run the instance on another interface or VRID, and may still do so where it was."""
    old = report.unsettled.get(instance, frozenset())
    return not confirmed(report) and not old.isdisjoint(report.published_instances.get(instance, ()))


def holds_up(facts: NodeFacts | None, report: NodeReport, now: datetime) -> bool:
    """Whether others must wait for this node: it is alive, and was not yet silent for long."""
    if facts is None or facts.not_ready_since is not None:
        return False
    return confirmed(report) or report.published_at is None or now - report.published_at <= SILENCE


@dataclass(frozen=True, slots=True)
class Scene:
    """The reports of all nodes, turned around: by instance."""

    nodes: Mapping[NodeName, NodeFacts]
    reports: Mapping[NodeName, NodeReport]
    holding: Mapping[NodeName, Holding]
    holders: Mapping[str, tuple[NodeName, ...]]
    """instance -> nodes that may run it and for whom others wait"""
    masters: Mapping[str, tuple[NodeName, ...]] = field(default_factory=dict)
    """instance -> Ready nodes that say they are its MASTER"""
    waiting: frozenset[NodeName] = frozenset()
    """nodes for which others wait, as they have not confirmed yet"""
    late: frozenset[NodeName] = frozenset()
    """those of them that had `PROMPT` to do so: their agents may be dead"""

    def is_master(self, instance: str, node: NodeName) -> bool:
        return node in self.masters.get(instance, ())

    def serves(self, instance: Instance, node: NodeName) -> bool:
        """`node` is Ready and confirmed to run `instance` with all its VIPs: it can take over at once."""
        report = self.reports.get(node)
        facts = self.nodes.get(node)
        if report is None or facts is None or facts.not_ready_since is not None or not confirmed(report):
            return False
        live = report.published_instances.get(instance.name)
        state = report.instances.get(instance.name)
        return live is not None and live.issuperset(instance.vips) and state is not None and state.state != "FAULT"


def scene(nodes: Mapping[NodeName, NodeFacts], reports: Mapping[NodeName, NodeReport], now: datetime) -> Scene:
    holding: dict[NodeName, Holding] = {}
    holders: dict[str, list[NodeName]] = {}
    masters: dict[str, list[NodeName]] = {}
    waiting: set[NodeName] = set()
    late: set[NodeName] = set()
    for name, report in reports.items():
        held = may_hold(report)
        if held:
            holding[name] = held
        facts = nodes.get(name)
        if holds_up(facts, report, now):
            for instance in held:
                holders.setdefault(instance, []).append(name)
            if not confirmed(report):
                waiting.add(name)
                if report.published_at is not None and now - report.published_at > PROMPT:
                    late.add(name)
        if facts is not None and facts.not_ready_since is None:
            for instance, state in report.instances.items():
                if state.state == "MASTER":
                    masters.setdefault(instance, []).append(name)
    return Scene(
        nodes,
        reports,
        holding,
        {instance: tuple(names) for instance, names in holders.items()},
        {instance: tuple(names) for instance, names in masters.items()},
        frozenset(waiting),
        frozenset(late),
    )
