"""A cluster for placement: nodes with agents that apply and report when told, and a controller that takes one step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_interface
from typing import Any

from tests.core.cluster import EPOCH, pool
from vipmgr.core.model import (
    Address,
    Instance,
    InstanceReport,
    LocalInterface,
    NodeFacts,
    NodePlan,
    NodeReport,
    Pool,
    Vip,
)
from vipmgr.core.place import place
from vipmgr.core.placement import Placement
from vipmgr.core.stage import stage

CLUSTER = "3f0c9d9e-8c1e-4c5e-9a52-7c8b5a0d1f11"
NOW = EPOCH + timedelta(hours=1)


def link(name: str = "eth0", *addresses: str, up: bool = True) -> LocalInterface:
    return LocalInterface(name=name, up=up, addresses=tuple(ip_interface(text) for text in addresses))


def report(name: str, *links: LocalInterface, **fields: Any) -> NodeReport:
    """An agent that has been listening for an hour."""
    fields.setdefault("listening_since", EPOCH)
    return NodeReport(name=name, interfaces=links, **fields)


def vip(address: str, pool_name: str = "p", **fields: Any) -> Vip:
    fields.setdefault("services", (f"ns/svc-{address}",))
    return Vip(address=ip_address(address), pool=pool_name, **fields)


@dataclass
class Fleet:
    """The world. `live`: the plan each keepalived really runs. `register`: the VrrpInstances."""

    pools: dict[str, Pool] = field(default_factory=dict)
    nodes: dict[str, NodeFacts] = field(default_factory=dict)
    reports: dict[str, NodeReport] = field(default_factory=dict)
    vips: dict[Address, Vip] = field(default_factory=dict)
    register: dict[str, Instance] = field(default_factory=dict)
    published: dict[str, NodePlan] = field(default_factory=dict)
    live: dict[str, NodePlan] = field(default_factory=dict)
    now: datetime = NOW

    def join(self, name: str, *links: LocalInterface, **facts: Any) -> None:
        number = len(self.nodes) + 1
        self.nodes[name] = NodeFacts(name=name, **facts)
        self.reports[name] = report(name, *(links or (link("eth0", f"10.0.{number // 250}.{number % 250 + 1}/16"),)))

    def leave(self, name: str) -> None:
        for what in (self.nodes, self.reports, self.published, self.live):
            what.pop(name, None)

    def want(self, *addresses: str, pool_name: str = "p", **fields: Any) -> None:
        for address in addresses:
            self.vips[ip_address(address)] = vip(address, pool_name, **fields)

    def unwant(self, *addresses: str) -> None:
        for address in addresses:
            del self.vips[ip_address(address)]

    def fact(self, name: str, **changes: Any) -> None:
        self.nodes[name] = replace(self.nodes[name], **changes)

    def tell(self, name: str, **changes: Any) -> None:
        self.reports[name] = replace(self.reports[name], **changes)

    def place(self) -> Placement:
        return place(
            self.vips.values(), self.pools, self.nodes, self.reports, self.register, cluster=CLUSTER, now=self.now
        )

    def step(self) -> Placement:
        """The controller, once: VrrpInstances and VipNode.specs written where they differ."""
        placement = self.place()
        self.register = {**placement.instances, **placement.leaving}
        for name, plan in stage(placement, self.reports).items():
            revision = revision_of(plan)
            if revision != self.reports[name].published_revision:
                self.published[name] = plan
                self.tell(
                    name,
                    published_revision=revision,
                    published_drain=plan.drain,
                    published_at=self.now,
                    published_instances={one.name: frozenset(one.vips) for one in plan.instances},
                    published_wiring={one.name: (one.interface, one.vrid) for one in plan.instances},
                    unsettled={instance: frozenset(vips) for instance, vips in plan.unsettled},
                )
        return placement

    def apply(self, name: str) -> None:
        """keepalived on that node takes what is published; its agent has not said so yet."""
        if name in self.published:
            self.live[name] = self.published[name]

    def answer(self, name: str) -> None:
        """The agent reports what is live and its instances' states."""
        if name in self.live:
            states = {one.name: self._state(name, one.name) for one in self.live[name].instances}
            self.tell(name, revision=revision_of(self.live[name]), instances=states)

    def _state(self, name: str, instance: str) -> InstanceReport:
        state = "MASTER" if self.master(instance) == name else "BACKUP"
        return InstanceReport(state=state, since="", priority=0, reason="", contested=False)

    def holders(self, instance: str) -> dict[str, int]:
        """Live nodes that run it -> priority."""
        return {
            name: one.priority
            for name, plan in self.live.items()
            for one in plan.instances
            if one.name == instance and name in self.nodes and self.nodes[name].not_ready_since is None
        }

    def master(self, instance: str) -> str | None:
        """Who VRRP elects, once settled: who was MASTER stays, else the highest priority."""
        holders = self.holders(instance)
        for name in sorted(holders):
            state = self.reports[name].instances.get(instance)
            if state is not None and state.state == "MASTER":
                return name
        return max(holders, key=lambda name: holders[name], default=None)

    def rest(self, rounds: int = 12) -> Placement:
        """Steps and confirmations until nothing moves."""
        for _ in range(rounds):
            placement = self.step()
            for name in list(self.reports):
                self.apply(name)
            for name in list(self.reports):
                self.answer(name)
        return placement

    def homes(self) -> dict[Address, str]:
        return {vip: name for name, instance in self.register.items() for vip in instance.vips}


def revision_of(plan: NodePlan) -> str:
    return f"{hash((plan.instances, plan.pools, plan.reach, plan.drain)):x}"


def fleet(nodes: int = 4, *addresses: str, pools: Iterable[Pool] = (), **fields: Any) -> Fleet:
    """`nodes` nodes n1.. on one /16, pool p of 10.0.9.0/24, settled."""
    chosen = tuple(pools) or (pool("p", "10.0.9.0-10.0.9.255", **fields),)
    world = Fleet(pools={one.name: one for one in chosen})
    for number in range(1, nodes + 1):
        world.join(f"n{number}")
    world.want(*addresses)
    return world
