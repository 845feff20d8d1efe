"""VIPs -> VRRP instances: VRID, members, priorities. What the VrrpInstances record stays; what is missing is decided.

Pure: the same snapshot and time give the same Placement, in whatever order things come. `stage` then says what each
node may already be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from vipmgr.core import vrid
from vipmgr.core.anchors import anchor
from vipmgr.core.confirm import PROMPT, SILENCE, Scene, scene
from vipmgr.core.eligible import BLIP, Sites, Stay, Survey, best_member, is_live, stay, survey
from vipmgr.core.homes import Homes, LocalGroup, find_homes
from vipmgr.core.members import INSTANCES_PER_NODE, Load, Wish, rank_again, recruit
from vipmgr.core.model import (
    Address,
    Instance,
    NodeFacts,
    NodeName,
    NodeReport,
    Pool,
    Problem,
    Protocol,
    Reason,
    Vip,
)
from vipmgr.core.names import number_of, shared_name
from vipmgr.core.placement import Placement

INSTANCES = 8
LOCAL_MEMBERS = 16


def place(
    vips: Iterable[Vip],
    pools: Mapping[str, Pool],
    nodes: Mapping[NodeName, NodeFacts],
    reports: Mapping[NodeName, NodeReport],
    instances: Mapping[str, Instance],
    *,
    cluster: str,
    now: datetime,
) -> Placement:
    """`instances`: the VrrpInstances as recorded. `cluster`: its UID; seeds VRIDs and anchors."""
    placer = _Placer(pools, nodes, reports, instances, cluster, now)
    wanted: dict[str, list[Vip]] = {}
    for vip in vips:
        wanted.setdefault(vip.pool, []).append(vip)
    for name in sorted(placer.pools):
        placer.pool(placer.pools[name], wanted.get(name, []))
    return placer.placement(pools)


class _Placer:
    """One run of `place`: what is decided so far."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        nodes: Mapping[NodeName, NodeFacts],
        reports: Mapping[NodeName, NodeReport],
        instances: Mapping[str, Instance],
        cluster: str,
        now: datetime,
    ) -> None:
        self.cluster = cluster
        self.now = now
        self.nodes = nodes
        self.reports = reports
        self.recorded = dict(sorted(instances.items()))
        self.pools = {name: pool for name, pool in pools.items() if pool.protocol is Protocol.VIP}
        self.scene: Scene = scene(nodes, reports, now)
        self.sites = Sites(reports)
        self.load = Load()
        self.anchors: set[Address] = {instance.anchor for instance in instances.values()}
        self.desired: dict[str, Instance] = {}
        self.problems: dict[tuple[str, Reason, str], Problem] = {}
        self.unplaced: dict[Address, Problem] = {}
        self.ineligible: dict[str, Mapping[NodeName, str]] = {}
        self.health_ports: dict[str, tuple[int, ...]] = {}
        self.times: list[datetime] = []
        self.by_pool: dict[str, list[Instance]] = {}
        for instance in self.recorded.values():
            self.by_pool.setdefault(instance.eip, []).append(instance)
            self.load.add(instance)
        self.segments = vrid.map_segments(self.pools.values(), nodes, self.recorded.values(), self.sites)
        placed = [
            (vrid.segment_of(instance, self.pools, self.segments), instance) for instance in self.recorded.values()
        ]
        self.register = vrid.Register(self.segments, vrid.strangers(self.scene, self.segments, placed))
        for segment, instance in placed:
            if not self._moved(instance):
                self.register.enter(segment, instance.family, instance.vrid)

    # --- one pool -----------------------------------------------------------------------------------------------

    def pool(self, pool: Pool, vips: list[Vip]) -> None:
        """Decides the instances of one pool."""
        if not pool.interface:
            self._problem(pool, Reason.MISSING_INTERFACE, "spec.interface is required for protocol vip")
        recorded = self.by_pool.get(pool.name, [])
        family = recorded[0].family if recorded else None
        found = survey(pool, self.nodes, self.reports, self.sites, self.now, family)
        self.ineligible[pool.name] = found.why_not
        if found.recheck is not None:
            self.times.append(found.recheck)
        if pool.deleting and not vips:
            return
        shared = self._shared(pool, recorded, found)
        ready = found.settled and bool(found.choosable)
        homes = find_homes(pool, vips, shared, recorded, lambda group: self._local(pool, group, found), ready=ready)
        for name, instance in [*shared.items(), *homes.locals.items()]:
            if name in homes.surplus:
                continue
            self._settle(pool, replace_vips(instance, homes.vips.get(name, ())), found, homes)
        self._complain(pool, found, homes)

    def _shared(self, pool: Pool, recorded: list[Instance], found: Survey) -> dict[str, Instance]:
        """The pool's shared instances, those it lacks made up; highest number first."""
        numbered = {
            number: instance
            for instance in recorded
            if instance.service is None and (number := number_of(pool.name, instance.name)) is not None
        }
        count = pool.vrrp.instances or (max(numbered) + 1 if numbered else max(1, min(INSTANCES, found.selected)))
        shared = {}
        for number in sorted({*range(count), *numbered}):
            instance = numbered.get(number) or self._new(pool, shared_name(pool.name, number), found)
            if instance is not None:
                shared[instance.name] = self._readdressed(pool, instance)
        return dict(reversed(shared.items()))

    def _local(self, pool: Pool, group: LocalGroup, found: Survey) -> Instance | None:
        """The instance of one Local Service: the recorded one, or a new one, or None (VRIDs are exhausted)."""
        recorded = self.recorded.get(group.name)
        if recorded is not None and recorded.eip == pool.name:
            instance: Instance | None = self._readdressed(pool, recorded)
        else:
            instance = self._new(pool, group.name, found, group)
        if instance is not None:
            self.health_ports[group.name] = group.ports if pool.vrrp.traffic_health else ()
        return instance

    def _new(self, pool: Pool, name: str, found: Survey, group: LocalGroup | None = None) -> Instance | None:
        """A new instance with VRID, anchor and members. None: no node yet, or no VRID left."""
        if not found.settled or not found.choosable or not pool.interface:
            return None
        segment = self.segments.of(pool.name)
        number = self.register.choose(segment, found.family, pool.vrrp.vrids, f"{self.cluster}/{name}")
        if number is None:
            self._problem(
                pool,
                Reason.VRID_EXHAUSTED,
                f"no virtual router ID is left on the segment of interface {pool.interface}",
            )
            return None
        instance = Instance(
            name=name,
            eip=pool.name,
            interface=pool.interface,
            family=found.family,
            vrid=number,
            anchor=anchor(self.cluster, name, found.family, self.anchors),
            service=group.service if group is not None else None,
        )
        wish = self._wish(pool, instance, found, group.endpoints if group is not None else frozenset())
        instance = replace(instance, members=recruit(instance, wish, self.load))
        if not instance.members:
            self._problem(
                pool,
                Reason.INSTANCE_FULL,
                f"every node carries {INSTANCES_PER_NODE} instances, and {name} finds no place",
            )
            return None
        self.register.enter(segment, found.family, number)
        self.anchors.add(instance.anchor)
        self.load.add(instance)
        return instance

    def _moved(self, instance: Instance) -> bool:
        pool = self.pools.get(instance.eip)
        return pool is not None and pool.interface not in ("", instance.interface)

    def _readdressed(self, pool: Pool, instance: Instance) -> Instance:
        """After an edit of the Eip's interface: the instance on the new one, its VRID kept if it is free there."""
        if not self._moved(instance):
            return instance
        segment = self.segments.of(pool.name)
        number: int | None = instance.vrid
        if not self.register.free(segment, instance.family, instance.vrid):
            seed = f"{self.cluster}/{instance.name}"
            number = self.register.choose(segment, instance.family, pool.vrrp.vrids, seed)
        if number is None:
            self._problem(pool, Reason.VRID_EXHAUSTED, f"{instance.name} cannot move to interface {pool.interface}")
            return instance
        self.register.enter(segment, instance.family, number)
        return replace(instance, interface=pool.interface, vrid=number)

    # --- members ------------------------------------------------------------------------------------------------

    def _settle(self, pool: Pool, instance: Instance, found: Survey, homes: Homes) -> None:
        """Fixes the members of an instance that is wanted."""
        wish = self._wish(pool, instance, found, homes.endpoints.get(instance.name, frozenset()))
        members = recruit(instance, wish, self.load)
        if pool.vrrp.preempt and pool.vrrp.preferred:
            members = rank_again(members, wish.weight)
        if members != instance.members:
            self.load.remove(instance)
            instance = replace(instance, members=members)
            self.load.add(instance)
        self.desired[instance.name] = instance

    def _wish(self, pool: Pool, instance: Instance, found: Survey, endpoints: frozenset[NodeName]) -> Wish:
        def verdict(node: NodeName) -> Stay:
            report = self.reports.get(node)
            return stay(pool, self.nodes.get(node), report, self.sites.of(node, pool.interface), self.now)

        def live(node: NodeName) -> bool:
            return is_live(node, pool.interface, self.scene, self.sites)

        size = pool.vrrp.members
        if endpoints:
            usable = endpoints.intersection(found.choosable) | {
                member.node for member in instance.members if member.node in endpoints
            }
            size = min(LOCAL_MEMBERS, max(size, len(usable)))
        return Wish(
            size=size,
            choosable=found.choosable,
            weight=lambda node: weight_of(pool, self.nodes.get(node)),
            keep=lambda node: verdict(node) is Stay.KEEP,
            replace=lambda node: verdict(node) is Stay.REPLACE,
            live=live,
            master=lambda node: live(node) and self.scene.is_master(instance.name, node),
            serves=lambda node: self.scene.serves(instance, node),
            endpoints=endpoints,
        )

    # --- words --------------------------------------------------------------------------------------------------

    def _problem(self, pool: Pool, reason: Reason, message: str) -> Problem:
        problem = Problem(f"Eip/{pool.name}", reason, message)
        self.problems.setdefault((pool.name, reason, message), problem)
        return problem

    def _complain(self, pool: Pool, found: Survey, homes: Homes) -> None:
        mine = [instance for instance in self.desired.values() if instance.eip == pool.name]
        if not found.choosable and not any(instance.members for instance in mine):
            self._problem(pool, Reason.NO_ELIGIBLE_NODE, no_node(pool, found))
        heard = self.register.strangers.get((self.segments.of(pool.name), found.family), {})
        for instance in mine:
            if instance.vrid in heard:
                self._problem(
                    pool,
                    Reason.VRID_STRANGER,
                    f"{instance.name} uses virtual router ID {instance.vrid}, and so does {heard[instance.vrid]}",
                )
        if homes.homeless:
            problem = self._homeless(pool, found, bool(mine and found.choosable), len(homes.homeless))
            self.unplaced.update(dict.fromkeys(homes.homeless, problem))

    def _homeless(self, pool: Pool, found: Survey, full: bool, count: int) -> Problem:
        if full:
            message = f"the instances hold as many addresses as they may, {count} have none: raise spec.vrrp.instances"
            return self._problem(pool, Reason.INSTANCE_FULL, message)
        for (name, reason, _), problem in self.problems.items():
            if name == pool.name and reason is Reason.VRID_EXHAUSTED:
                return problem
        return self._problem(pool, Reason.NO_ELIGIBLE_NODE, no_node(pool, found))

    # --- the result ---------------------------------------------------------------------------------------------

    def placement(self, pools: Mapping[str, Pool]) -> Placement:
        unwanted = {name: instance for name, instance in self.recorded.items() if name not in self.desired}
        leaving = {name: instance for name, instance in unwanted.items() if self.scene.holders.get(name)}
        return Placement(
            instances=self.desired,
            leaving=leaving,
            delete=tuple(name for name in unwanted if name not in leaving),
            problems=tuple(self.problems.values()),
            unplaced=self.unplaced,
            ineligible=self.ineligible,
            rebalanced=tuple(name for name, instance in self.desired.items() if self._rebalanced(instance)),
            recheck=self._recheck(),
            pools=pools,
            health_ports=self.health_ports,
            scene=self.scene,
            sites=self.sites,
        )

    def _rebalanced(self, instance: Instance) -> bool:
        if not instance.rebalance:
            return False
        return self.scene.masters.get(instance.name) == (best_member(instance, self.scene, self.sites),)

    def _recheck(self) -> datetime | None:
        """The next moment at which time alone changes a judgement: an agent has listened, is silent, a node is gone."""
        times = list(self.times)
        for node in self.scene.waiting:
            published = self.reports[node].published_at
            if published is not None:
                times += [published + PROMPT, published + SILENCE]
        times += [facts.not_ready_since + BLIP for facts in self.nodes.values() if facts.not_ready_since is not None]
        tick = timedelta(milliseconds=1)
        return min((time + tick for time in times if time + tick > self.now), default=None)


def replace_vips(instance: Instance, vips: tuple[Address, ...]) -> Instance:
    """The very same instance when nothing changes: equality further on is then free."""
    return instance if instance.vips is vips or instance.vips == vips else replace(instance, vips=vips)


def weight_of(pool: Pool, facts: NodeFacts | None) -> int:
    """The sum of the weights of spec.vrrp.preferredNodes that match."""
    if facts is None:
        return 0
    return sum(weight for weight, selector in pool.vrrp.preferred if selector.matches(facts.labels))


def no_node(pool: Pool, found: Survey) -> str:
    """Names a few nodes and why they may not serve the pool."""
    if found.choosable:
        return f"the instances of {pool.name} wait for the agents of other nodes to report"
    reasons = [f"{node}: {why}" for node, why in sorted(found.why_not.items())]
    rest = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return f"no node can serve {pool.name}: {'; '.join(reasons[:3]) or 'there are no nodes'}{rest}"
