"""Laws of placement and of the way to it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.cluster import pool
from tests.core.fleet import Fleet, fleet, link
from vipmgr.core.model import Family, Instance, NodePlan, Selector, VrrpPolicy

POOLS = st.lists(
    st.builds(
        VrrpPolicy,
        instances=st.one_of(st.none(), st.integers(1, 12)),
        members=st.integers(1, 4),
        vrids=st.just(frozenset(range(1, 256))) | st.sets(st.integers(1, 255), min_size=20, max_size=60).map(frozenset),
    ),
    min_size=1,
    max_size=4,
)


def world_of(policies: list[VrrpPolicy], nodes: int, addresses: int) -> Fleet:
    """Pools p0, p1 ... on one link of `nodes` nodes."""
    pools = [pool(f"p{i}", f"10.0.{i + 9}.0-10.0.{i + 9}.255", vrrp=policy) for i, policy in enumerate(policies)]
    world = fleet(nodes, pools=pools)
    for number in range(addresses):
        i = number % len(policies)
        world.want(f"10.0.{i + 9}.{number}", pool_name=f"p{i}")
    return world


def check_vrids(world: Fleet) -> None:
    for one, other in combinations(world.register.values(), 2):
        assert (one.vrid, one.family) != (other.vrid, other.family), (one.name, other.name)
        assert one.anchor != other.anchor
    for instance in world.register.values():
        assert instance.vrid in world.pools[instance.eip].vrrp.vrids


def check_members(world: Fleet) -> None:
    for instance in world.register.values():
        priorities = [member.priority for member in instance.members]
        assert len(set(priorities)) == len(priorities)
        assert priorities == sorted(priorities, reverse=True)
        assert all(0 < priority < 255 for priority in priorities)
        assert len({member.node for member in instance.members}) == len(instance.members)


@given(POOLS, st.integers(1, 12), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_vrids_and_anchors_are_unique_on_a_segment(policies, nodes, addresses):
    world = world_of(policies, nodes, addresses)
    world.rest(3)
    assert {instance.eip for instance in world.register.values()} == set(world.pools)
    check_vrids(world)
    check_members(world)


@given(st.integers(2, 5), st.integers(1, 40), st.data())
@settings(max_examples=40, deadline=None)
def test_separate_segments_may_share_vrids_but_neighbours_never(segments, count, data):
    """Pools on links of their own get VRIDs of their own range; a node with two links keeps them apart."""
    pools = []
    few = frozenset(range(1, 17))
    world = Fleet()
    for number in range(segments):
        rack = Selector(match_labels=(("rack", str(number)),))
        policy = VrrpPolicy(instances=8, vrids=few)
        pools.append(pool(f"p{number}", f"10.{number}.9.0/24", vrrp=policy, node_selector=rack))
        for host in range(2):
            world.join(f"n{number}-{host}", link("eth0", f"10.{number}.0.{host + 1}/16"), labels={"rack": str(number)})
    world.pools = {one.name: one for one in pools}
    bridge = data.draw(st.integers(0, segments - 1))
    joined = (bridge + 1) % segments
    world.join("both", link("eth0", f"10.{bridge}.0.9/16", f"10.{joined}.0.9/16"), labels={"rack": str(bridge)})
    world.rest(3)
    assert len(world.register) == 8 * segments
    together = {f"p{bridge}", f"p{joined}"}
    used = [instance.vrid for instance in world.register.values() if instance.eip in together]
    assert len(used) == len(set(used)) == 16
    assert {instance.vrid for instance in world.register.values()} <= few


@given(POOLS, st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_first_members_are_balanced_within_one(policies, nodes):
    world = world_of(policies, nodes, 0)
    world.rest(2)
    firsts = Counter(dict.fromkeys(world.nodes, 0))
    firsts.update(instance.members[0].node for instance in world.register.values())
    assert max(firsts.values()) - min(firsts.values()) <= 1


@given(POOLS, st.integers(3, 12))
@settings(max_examples=60, deadline=None)
def test_the_load_of_a_dead_first_member_spreads(policies, nodes):
    """Second members of instances that share a first differ as far as there are nodes."""
    world = world_of([replace(policy, members=3, vrids=VrrpPolicy().vrids) for policy in policies], nodes, 0)
    world.rest(2)
    pairs = Counter((i.members[0].node, i.members[1].node) for i in world.register.values())
    for first in world.nodes:
        seconds = [count for (one, _), count in pairs.items() if one == first]
        assert max(seconds, default=0) <= -(-sum(seconds) // (nodes - 1))


CALM = st.lists(
    st.tuples(
        st.sampled_from(["join", "not_ready", "ready", "drain", "undrain", "shuffle", "forget"]), st.integers(0, 99)
    ),
    max_size=8,
)


def disturb(world: Fleet, what: str, number: int) -> None:
    """Something that must not move a VIP nor touch a VRID or a member that stays."""
    name = sorted(world.nodes)[number % len(world.nodes)]
    if what == "join":
        world.join(f"late{number}-{len(world.nodes)}")
    elif what == "not_ready":
        world.fact(name, not_ready_since=world.now - timedelta(minutes=4))
    elif what == "ready":
        world.fact(name, not_ready_since=None)
    elif what in ("drain", "undrain"):
        world.tell(name, drain=what == "drain")
    elif what == "forget":
        world.tell(name, interfaces=(), listening_since=None)
    else:
        shuffle = random.Random(number)
        for field in ("pools", "nodes", "reports", "vips", "register"):
            pairs = list(getattr(world, field).items())
            shuffle.shuffle(pairs)
            setattr(world, field, dict(pairs))


@given(POOLS, st.integers(3, 8), CALM)
@settings(max_examples=80, deadline=None)
def test_what_is_placed_stays(policies, nodes, events):
    """Joining, drained, unready, reordered, silent nodes: no VIP moves, no VRID changes, no priority changes."""
    world = world_of(policies, nodes, 30)
    world.rest(3)
    before = dict(world.register)
    for what, number in events:
        earlier = dict(world.register)
        disturb(world, what, number)
        world.rest(2)
        check_nobody_left(world, earlier)
    assert world.register.keys() == before.keys()
    for name, instance in before.items():
        now = world.register[name]
        assert (now.vips, now.vrid, now.anchor) == (instance.vips, instance.vrid, instance.anchor)
    check_members(world)


def check_nobody_left(world: Fleet, earlier: dict[str, Instance]) -> None:
    """Members and their priorities are as before. Only one taken on while no other was live makes it too many."""
    for name, instance in earlier.items():
        now = world.register[name]
        if len(instance.members) <= world.pools[instance.eip].vrrp.members:
            assert set(instance.members) <= set(now.members)
        assert {*now.members} & {*instance.members} == {m for m in now.members if m.node in dict(instance.members)}


@given(POOLS, st.integers(4, 8), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_a_joining_node_changes_no_other_file(policies, nodes, joining):
    world = world_of(policies, nodes, 20)
    world.rest(3)
    before = dict(world.published)
    for number in range(joining):
        world.join(f"late{number}")
        world.rest(2)
    assert {name: world.published[name] for name in before} == before


@given(POOLS, st.integers(5, 8), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_deleted_node_is_replaced_and_nothing_else_changes(policies, nodes, number):
    world = world_of(policies, nodes, 20)
    world.rest(3)
    gone = sorted(world.nodes)[number % nodes]
    before = dict(world.register)
    world.leave(gone)
    world.rest(3)
    for name, instance in before.items():
        now = world.register[name]
        left = [member for member in instance.members if member.node != gone]
        assert set(left) <= set(now.members)
        assert len(now.members) == len(instance.members)
        assert (now.vrid, now.vips) == (instance.vrid, instance.vips)
    check_members(world)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "step",
                "apply",
                "answer",
                "apply",
                "answer",
                "local",
                "cluster",
                "gone",
                "pool",
                "wider",
                "exclude",
                "drain",
            ]
        ),
        st.integers(0, 99),
    ),
    min_size=20,
    max_size=120,
)
ADDRESSES = [f"10.0.9.{number}" for number in range(1, 7)]


class Witness:
    """Watches every reload: no VIP in two instances, and no MASTER dismissed before its backups."""

    def __init__(self, world: Fleet) -> None:
        self.world = world
        self.dismissed: set[tuple[str, str]] = set()

    def step(self) -> None:
        before = {name: names(plan) for name, plan in self.world.published.items()}
        placement = self.world.step()
        for name, plan in self.world.published.items():
            for instance in before.get(name, set()) - names(plan):
                state = self.world.reports[name].instances.get(instance)
                if state is not None and state.state == "MASTER" and instance not in placement.instances:
                    self.dismissed.add((name, instance))
        self.dismissed = {pair for pair in self.dismissed if pair[1] not in placement.instances}

    def apply(self, name: str) -> None:
        before = names(self.world.live[name]) if name in self.world.live else set()
        self.world.apply(name)
        after = names(self.world.live[name]) if name in self.world.live else set()
        for instance in before - after:
            if (name, instance) in self.dismissed:
                assert not self.world.holders(instance), f"MASTER {name} dismissed from {instance} before its backups"
        homes: dict[object, str] = {}
        for plan in self.world.live.values():
            for one in plan.instances:
                for address in one.vips:
                    assert homes.setdefault(address, one.name) == one.name, f"{address} in two instances"


def names(plan: NodePlan) -> set[str]:
    return {one.name for one in plan.instances}


def act(world: Fleet, witness: Witness, what: str, number: int) -> None:
    name = sorted(world.nodes)[number % len(world.nodes)]
    address = ADDRESSES[number % len(ADDRESSES)]
    if what == "step":
        witness.step()
    elif what == "apply":
        witness.apply(name)
    elif what == "answer":
        world.answer(name)
    elif what == "local":
        world.want(address, local=True, endpoint_nodes=frozenset({name}))
    elif what == "cluster":
        world.want(address)
    elif what == "gone":
        world.vips = {key: one for key, one in world.vips.items() if str(key) != address}
    elif what == "pool":
        world.pools = {} if world.pools and number % 2 else {"p": pool("p", "10.0.9.0/24")}
    elif what == "wider":
        policy = VrrpPolicy(instances=1 + number % 6)
        world.pools = {name: replace(one, vrrp=policy) for name, one in world.pools.items()}
    elif what == "exclude":
        world.fact(name, excluded=number % 2 == 0)
    else:
        world.tell(name, drain=number % 2 == 0)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_no_order_of_confirmations_puts_a_vip_in_two_instances(actions):
    world = fleet(4, *ADDRESSES, vrrp=VrrpPolicy(members=2))
    world.rest(3)
    witness = Witness(world)
    for what, number in actions:
        act(world, witness, what, number)
    for name in world.nodes:
        world.fact(name, excluded=False)
        world.tell(name, drain=False)
    world.pools = world.pools or {"p": pool("p", "10.0.9.0/24")}
    for _ in range(10):
        witness.step()
        for name in world.nodes:
            witness.apply(name)
            world.answer(name)
    served = {address for plan in world.live.values() for one in plan.instances for address in one.vips}
    assert served == set(world.vips)
    assert all(instance.family is Family.IPV4 for instance in world.register.values())
