"""What each node may be told now, so that no step on the way to a placement makes two masters.

- A VIP that changes its instance is taken from the old one everywhere first, and given to the new one only when every
  node that is alive has confirmed that.
- An instance that is no longer wanted leaves its backups first and its MASTER last: the other way round a backup would
  take over for a while.
- A new instance goes to its first member alone, and to the others once that runs it: they all start as BACKUP, and
  whoever starts first becomes MASTER, however the ranks are. A first member that does not answer promptly is joined by
  the next: the VIPs then live there, and it is a BACKUP when it comes.
- An instance that goes to another interface or VRID leaves its backups first; its MASTER then takes it there alone, and
  the others follow: they cannot hear each other across.
- A node is drained when another member is ready to take over, if there is to be one.

Pure. Called after every change; each call goes as far as the confirmations seen allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vipmgr.core.confirm import turning
from vipmgr.core.eligible import best_member, interface_name, is_live
from vipmgr.core.model import Address, Instance, InstancePlan, Member, NodeName, NodePlan, NodeReport
from vipmgr.core.nodeplan import PoolPlans, instance_plan
from vipmgr.core.placement import Placement

Places = set[tuple[str, NodeName]]
"""(instance, node)"""


def stage(placement: Placement, reports: Mapping[NodeName, NodeReport]) -> dict[NodeName, NodePlan]:
    """A plan for every node that has a VipNode. `reports`: those the placement was made from."""
    stager = _Stager(placement, reports)
    for instance in placement.instances.values():
        stager.serve(instance)
    for instance in placement.leaving.values():
        stager.dismiss(instance)
    pools = PoolPlans(placement.pools)
    return {
        node: NodePlan(
            node=node,
            instances=tuple(sorted(stager.plans.get(node, ()), key=lambda plan: plan.name)),
            pools=pools.of(report),
            reach=pools.reach,
            drain=stager.drains(node, report),
            unsettled=stager.unsettled(node),
        )
        for node, report in sorted(reports.items())
    }


class _Stager:
    """The plans made so far, and who may hold what that is wanted elsewhere."""

    def __init__(self, placement: Placement, reports: Mapping[NodeName, NodeReport]) -> None:
        self.placement = placement
        self.scene = placement.scene
        self.reports = reports
        self.plans: dict[NodeName, list[InstancePlan]] = {}
        self.wanted = {name: frozenset(instance.vips) for name, instance in placement.instances.items()}
        self.strays: dict[Address, Places] = {}
        self.extras: dict[NodeName, dict[str, frozenset[Address]]] = {}
        """node -> instance -> VIPs it may hold that are not to be there"""
        for node, holding in self.scene.holding.items():
            for name, vips in holding.items():
                extra = vips - self.wanted[name] if name in self.wanted else vips
                if extra:
                    self.extras.setdefault(node, {})[name] = extra
                for vip in extra:
                    self.strays.setdefault(vip, set()).add((name, node))

    def serve(self, instance: Instance) -> None:
        """Puts a wanted instance on its members, with the VIPs that are not still elsewhere."""
        moving = self.strays.keys() & self.wanted[instance.name] if self.strays else ()
        told = self._rewiring(instance)
        if told is None:
            told = self._starting(instance)
        for member in instance.members:
            if told is not None and member.node not in told:
                continue
            vips = instance.vips
            late = {vip for vip in moving if self._must_wait(vip, instance.name, member.node)}
            if late:
                vips = tuple(vip for vip in vips if vip not in late)
            self._put(instance, member, vips)

    def _rewiring(self, instance: Instance) -> set[NodeName] | None:
        """The members that may be told of an instance on its way to another interface or VRID. None: it is not."""
        name = instance.name
        holders = self.scene.holders.get(name, ())
        wiring = {node: self.reports[node].published_wiring.get(name) for node in holders}
        if not holders or any(wiring[node] == self._wanted_wiring(instance, node) for node in holders):
            return {node for node in holders if turning(self.reports[node], name)} or None
        members = [member for member in instance.members if wiring.get(member.node) is not None]
        last = next((one for one in members if self.scene.is_master(name, one.node)), members[0] if members else None)
        if last is None:
            return set()
        if len(holders) == 1:
            return {last.node}
        report = self.reports[last.node]
        interface, vrid = report.published_wiring[name]
        vips = tuple(vip for vip in instance.vips if vip in report.published_instances[name])
        self._put(replace(instance, interface=interface, vrid=vrid), last, vips)
        return set()

    def _wanted_wiring(self, instance: Instance, node: NodeName) -> tuple[str, int]:
        return interface_name(instance.interface, self.reports[node]), instance.vrid

    def _starting(self, instance: Instance) -> set[NodeName] | None:
        """The members that must start a new instance before the others: the first in rank, and the next as well when
        that does not answer promptly. None: nobody is waited for."""
        sites = self.placement.sites
        members = [node for node, _ in instance.members if is_live(node, instance.interface, self.scene, sites)]
        rank = next((rank for rank, node in enumerate(members) if node not in self.scene.late), None)
        if rank is None:
            return None
        last, starting = self.reports.get(members[rank]), set(members[: rank + 1])
        others = {member.node for member in instance.members} - starting
        if last is None or instance.name in last.instances or any(self._may_run(instance, node) for node in others):
            return None
        waits = last.name in self.scene.waiting or instance.name not in last.published_instances
        return starting if waits else None

    def _may_run(self, instance: Instance, node: NodeName) -> bool:
        return instance.name in self.scene.holding.get(node, ())

    def _must_wait(self, vip: Address, name: str, node: NodeName) -> bool:
        report = self.reports.get(node)
        if report is not None and vip in report.published_instances.get(name, ()):
            return False
        return any(
            other != name and (holder == node or holder in self.scene.holders.get(other, ()))
            for other, holder in self.strays[vip]
        )

    def dismiss(self, instance: Instance) -> None:
        """Leaves an unwanted instance, without VIPs, on its MASTER until the others have let go of it."""
        masters = self.scene.masters.get(instance.name, ())
        last = next((member for member in instance.members if member.node in masters), None)
        if last is None:
            return
        others = [node for node in self.scene.holders.get(instance.name, ()) if node != last.node]
        if others and instance.name in self.reports[last.node].published_instances:
            self._put(instance, last, ())

    def _put(self, instance: Instance, member: Member, vips: tuple[Address, ...]) -> None:
        report = self.reports.get(member.node)
        if report is None:
            return
        plan = instance_plan(
            instance,
            member,
            report,
            self.placement,
            vips=vips,
            yield_token=self._yield_token(instance, member.node),
        )
        if plan is not None:
            self.plans.setdefault(member.node, []).append(plan)

    def _yield_token(self, instance: Instance, node: NodeName) -> str:
        """Asks the MASTER to hand over once the best member is ready."""
        if not instance.rebalance or not self.scene.is_master(instance.name, node):
            return ""
        best = best_member(instance, self.scene, self.placement.sites)
        ready = best is not None and best != node and self.scene.serves(instance, best)
        return instance.rebalance if ready else ""

    def drains(self, node: NodeName, report: NodeReport) -> bool:
        """Wished for, and no instance would lose its only owner while a replacement is on its way.

        Once told, a node is not called back while the wish stands: the plans of the others change with the drain, and
        until they confirm them they do not count as ready.
        """
        if not report.drain or report.drained or report.published_drain:
            return report.drain
        mine = (instance for instance in self.placement.instances.values() if self.scene.is_master(instance.name, node))
        return not any(self._replacement_coming(instance, node) for instance in mine)

    def _replacement_coming(self, instance: Instance, node: NodeName) -> bool:
        others = [
            member.node
            for member in instance.members
            if member.node != node and is_live(member.node, instance.interface, self.scene, self.placement.sites)
        ]
        if any(self.scene.serves(instance, other) for other in others):
            return False
        return any(other in self.scene.waiting or self._unpublished(instance, other) for other in others)

    def _unpublished(self, instance: Instance, node: NodeName) -> bool:
        report = self.reports.get(node)
        return report is not None and instance.name not in report.published_instances

    def unsettled(self, node: NodeName) -> tuple[tuple[str, tuple[Address, ...]], ...]:
        """What may be live on the node until it confirms, and is not in its plan."""
        report, plans = self.reports[node], self.plans.get(node, ())
        planned = {plan.name: plan.vips for plan in plans}
        rewired = {
            plan.name
            for plan in plans
            if report.published_wiring.get(plan.name, (plan.interface, plan.vrid)) != (plan.interface, plan.vrid)
            or turning(report, plan.name)
        }
        left: dict[str, frozenset[Address]] = {}
        for name, vips in self.scene.holding.get(node, {}).items():
            if name not in planned or name in rewired:
                left[name] = vips
            elif name in self.wanted and planned[name] is self.placement.instances[name].vips:
                extra = self.extras.get(node, {}).get(name)
                if extra:
                    left[name] = extra
            elif extra := vips.difference(planned[name]):
                left[name] = extra
        return tuple((name, tuple(sorted(left[name], key=lambda a: (a.version, int(a))))) for name in sorted(left))
