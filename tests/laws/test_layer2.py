"""layer2 ownership, model-checked: agents on a simulated wire and API server with delay, loss, cuts and sleeps."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipmgr.core.layer2 import Announce, Cause, Moved, Probe, State, claims, heard, slept, step
from vipmgr.core.layer2_view import Candidate, Layer2Vip, Obstacle, Peer, Timings, View
from vipmgr.core.respond import Standing

VIP = IPv4Address("10.0.0.100")
TICK = 0.05
WIRE_DELAY = 0.002
BY_DEFAULT = Timings()
BY_LEASES_ALONE = Timings(watch=False)


@dataclass
class Agent:
    """One node's shell: the machine, what it last saw of the others' Leases, and its links."""

    name: str
    mac: bytes
    state: State = field(default_factory=State)
    seen: dict[str, tuple[float, Peer]] = field(default_factory=dict)
    obstacle: Obstacle | None = None
    on_wire: bool = True
    on_api: bool = True
    alive: bool = True
    asleep_until: float = 0.0
    last_tick: float = 0.0
    frames: int = 0
    lease: Peer | None = None


class World:
    """A LAN, an API server and some agents; time is simulated, so a run is exact and repeatable."""

    def __init__(self, nodes: int, seed: int, timings: Timings = BY_DEFAULT) -> None:
        self.timings = timings
        self.random = random.Random(seed)
        self.now = 0.0
        self.agents = {f"n{i}": Agent(f"n{i}", bytes((2, 0, 0, 0, 0, i))) for i in range(nodes)}
        self.vip = Layer2Vip(VIP, "pool", "eth0", tuple(Candidate(a.name, a.mac) for a in self.agents.values()))
        self.groups: dict[str, int] = dict.fromkeys(self.agents, 0)
        self.queue: list[tuple[float, int, object]] = []
        self.order = itertools.count()
        self.loss = 0.0
        self.next_renew = dict.fromkeys(self.agents, 0.0)
        self.two_owners_since: float | None = None
        self.longest_two_owners = 0.0
        self.no_owner_since: float | None = None
        self.longest_no_owner = 0.0
        self.moves: list[tuple[float, str, Moved]] = []
        self.probes = 0

    def view(self, agent: Agent) -> View:
        peers = {
            name: replace(peer, fresh=not agent.on_api or self.now - at < self.timings.lease_expiry, renewed_at=at)
            for name, (at, peer) in agent.seen.items()
        }
        return View(agent.name, self.vip, peers, agent.obstacle, synced=True, timings=self.timings, frames=agent.frames)

    def write_lease(self, agent: Agent) -> None:
        if not (agent.on_api and agent.alive):
            return
        offers = {VIP: agent.state.offered} if agent.state.offered else {}
        unable = frozenset({VIP}) if agent.obstacle else frozenset()
        agent.lease = Peer(agent.name, True, claims({VIP: agent.state}), offers, unable)
        for other in self.agents.values():
            if other is not agent:
                self.later(0.005 + self.random.random() * 0.02, ("lease", other.name, agent.lease))

    def later(self, delay: float, event: object) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.order), event))

    def hear_each_other(self, one: Agent, other: Agent) -> bool:
        return one.on_wire and other.on_wire and self.groups[one.name] == self.groups[other.name]

    def send(self, agent: Agent, kind: str, epoch: int | None, to: bytes | None) -> None:
        for other in self.agents.values():
            if other is agent or not self.hear_each_other(agent, other) or (to and other.mac != to):
                continue
            if self.random.random() >= self.loss:
                self.later(WIRE_DELAY, (kind, other.name, agent.name, epoch))

    def act(self, agent: Agent, effects: tuple[object, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Probe):
                self.probes += 1
                self.send(agent, "probe", None, effect.destination)
            elif isinstance(effect, Announce):
                self.send(agent, "claim", effect.epoch, None)
            elif isinstance(effect, Moved):
                self.moves.append((self.now, agent.name, effect))

    def step(self, agent: Agent) -> None:
        before = (agent.state.standing, agent.state.offered, agent.state.epoch)
        view = self.view(agent)
        if self.now - agent.last_tick > self.timings.sleep and agent.last_tick:
            agent.state, effects = slept(view, agent.state, agent.last_tick, self.now)
            self.act(agent, effects)
        agent.last_tick = self.now
        agent.state, effects = step(view, agent.state, self.now)
        self.act(agent, effects)
        if (agent.state.standing, agent.state.offered, agent.state.epoch) != before:
            self.write_lease(agent)

    def deliver(self, event: tuple[str, ...]) -> None:
        kind, to = event[0], self.agents[event[1]]
        if not to.alive:
            return
        if self.now < to.asleep_until:  # the packet waits in the socket's buffer
            self.later(to.asleep_until - self.now, event)
            return
        if kind == "lease":
            if to.on_api:
                to.seen[event[2].node] = (self.now, event[2])
                self.step(to)
            return
        to.frames += 1
        sender = self.agents[event[2]]
        if kind == "probe":
            awake = self.now - to.last_tick <= self.timings.sleep
            if awake and to.on_wire and to.state.standing is Standing.OWNER:
                self.send(to, "claim", to.state.epoch, sender.mac)
            return
        to.state = heard(self.view(to), to.state, sender.mac, event[3], self.now)
        self.step(to)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = round(self.now + TICK, 6)
            while self.queue and self.queue[0][0] <= self.now:
                self.deliver(heapq.heappop(self.queue)[2])
            for agent in self.agents.values():
                if agent.alive and self.now >= agent.asleep_until:
                    self.step(agent)
                    if self.now >= self.next_renew[agent.name]:
                        self.next_renew[agent.name] = self.now + 1.0
                        self.write_lease(agent)
            self.watch()

    def answering(self) -> list[Agent]:
        """Who would answer a client's ARP request now."""
        return [
            a
            for a in self.agents.values()
            if a.alive
            and a.on_wire
            and self.now - a.last_tick <= self.timings.sleep
            and a.state.standing is Standing.OWNER
        ]

    def watch(self) -> None:
        owners = self.answering()
        meet = any(self.hear_each_other(a, b) for a, b in itertools.combinations(owners, 2))
        self.two_owners_since = (self.two_owners_since or self.now) if meet else None
        if self.two_owners_since:
            self.longest_two_owners = max(self.longest_two_owners, self.now - self.two_owners_since)
        self.no_owner_since = None if owners else (self.no_owner_since or self.now)
        if self.no_owner_since:
            self.longest_no_owner = max(self.longest_no_owner, self.now - self.no_owner_since)

    def settle(self, seconds: float = 2.0) -> Agent:
        self.run(seconds)
        (owner,) = self.answering()
        self.longest_two_owners = self.longest_no_owner = 0.0
        return owner


def fresh_world(seed: int, nodes: int = 3, timings: Timings = BY_DEFAULT) -> tuple[World, Agent]:
    world = World(nodes, seed, timings)
    return world, world.settle()


SEEDS = st.integers(0, 10_000)
ONE_TICK = 2 * TICK + 1e-9


@given(SEEDS)
@settings(max_examples=3, deadline=None)
def test_the_first_in_rank_becomes_the_only_owner(seed: int) -> None:
    world, owner = fresh_world(seed)
    assert owner.name == "n0"
    assert world.longest_two_owners == 0.0


@given(SEEDS)
@settings(max_examples=3, deadline=None)
def test_a_dead_owner_is_replaced_within_a_second_and_its_return_moves_nothing(seed: int) -> None:
    world, owner = fresh_world(seed)
    owner.alive = False
    world.run(2.0)
    assert world.longest_no_owner < 1.0
    (heir,) = world.answering()
    world.agents[owner.name] = Agent(owner.name, owner.mac, last_tick=0.0)
    world.run(6.0)
    assert world.answering() == [heir]
    assert world.longest_two_owners == 0.0


@given(SEEDS)
@settings(max_examples=3, deadline=None)
def test_an_owner_without_the_api_server_keeps_the_address(seed: int) -> None:
    world, owner = fresh_world(seed)
    owner.on_api = False
    world.run(10.0)
    assert world.answering() == [owner]
    owner.on_api = True
    world.run(5.0)
    assert world.answering() == [owner]
    assert world.longest_no_owner == 0.0


@given(SEEDS)
@settings(max_examples=3, deadline=None)
def test_without_any_api_server_the_wire_alone_fails_over(seed: int) -> None:
    world, owner = fresh_world(seed)
    for agent in world.agents.values():
        agent.on_api = False
    owner.alive = False
    world.run(3.0)
    assert world.longest_no_owner < 1.0
    assert len(world.answering()) == 1


@given(SEEDS, st.sampled_from([Obstacle.DRAINING, Obstacle.STOPPING]))
@settings(max_examples=3, deadline=None)
def test_a_planned_handover_has_no_instant_without_an_answer(seed: int, why: Obstacle) -> None:
    world, owner = fresh_world(seed)
    owner.obstacle = why
    world.write_lease(owner)
    world.run(3.0)
    (heir,) = world.answering()
    assert heir is not owner
    assert world.longest_no_owner == 0.0
    assert world.longest_two_owners <= ONE_TICK


@given(SEEDS, st.sampled_from([Obstacle.LINK_DOWN, Obstacle.DRAINING, Obstacle.STOPPING, None]))
@settings(max_examples=12, deadline=None)
def test_one_fault_is_one_move(seed: int, why: Obstacle | None) -> None:
    world, owner = fresh_world(seed)
    moves = len(world.moves)
    owner.obstacle, owner.alive, owner.on_wire = why, why is not None, why is not Obstacle.LINK_DOWN
    world.write_lease(owner)
    world.run(4.0)
    took = [name for _, name, moved in world.moves[moves:] if moved.standing is Standing.OWNER]
    assert len(took) == 1
    assert world.longest_no_owner < (0.2 if why else 1.0)


@given(SEEDS)
@settings(max_examples=3, deadline=None)
def test_the_last_node_serves_on_while_it_drains(seed: int) -> None:
    world, owner = fresh_world(seed, nodes=1)
    owner.obstacle = Obstacle.DRAINING
    world.run(5.0)
    assert world.answering() == [owner]


@given(SEEDS, st.booleans())
@settings(max_examples=3, deadline=None)
def test_after_a_partition_the_newer_claim_wins_and_the_other_is_silent_at_once(seed: int, api_too: bool) -> None:
    world, owner = fresh_world(seed)
    moves = len(world.moves)
    world.groups[owner.name] = 1
    owner.on_api = not api_too
    world.run(5.0)
    assert len(world.answering()) == (2 if api_too else 1)
    assert len(world.moves) <= moves + 3
    world.groups[owner.name] = 0
    owner.on_api = True
    world.longest_two_owners = 0.0
    world.run(35.0)  # the refresh of either side lets them meet at the latest
    assert len(world.answering()) == 1
    assert owner not in world.answering()


@given(SEEDS, st.sampled_from(["n1", "n2"]))
@settings(max_examples=6, deadline=None)
def test_a_node_that_hears_nobody_takes_nothing_from_an_owner_that_lives(seed: int, deaf: str) -> None:
    world, owner = fresh_world(seed)
    world.agents[deaf].on_wire = False  # a dead switch port: the carrier stays, the API server is reached elsewhere
    world.run(8.0)
    assert world.answering() == [owner]
    world.agents[deaf].on_wire = True
    world.run(3.0)
    assert world.answering() == [owner]
    assert world.longest_no_owner == world.longest_two_owners == 0.0


@given(SEEDS)
@settings(max_examples=3, deadline=None)
def test_where_nobody_asks_for_the_address_the_lease_of_a_dead_owner_decides(seed: int) -> None:
    world, owner = fresh_world(seed, nodes=2)
    owner.alive = False
    world.run(6.0)
    assert world.longest_no_owner < 3.9
    assert len(world.answering()) == 1


@pytest.mark.parametrize("later", [0.05, 0.35, 0.65, 0.95])
@pytest.mark.parametrize("nodes", [2, 3])
def test_by_leases_alone_nobody_is_asked_while_they_are_renewed_and_a_dead_owner_is_replaced_in_time(
    nodes: int, later: float
) -> None:
    world, owner = fresh_world(0, nodes, BY_LEASES_ALONE)
    asked = world.probes
    world.run(5.0 + later)
    assert world.probes == asked
    owner.alive = False
    world.run(6.0)
    assert 1.9 < world.longest_no_owner <= 3.11
    assert len(world.answering()) == 1


@given(
    SEEDS,
    st.sampled_from([(2, BY_DEFAULT), (3, BY_DEFAULT), (2, BY_LEASES_ALONE), (3, BY_LEASES_ALONE)]),
    st.floats(0.0, 1.1),
)
@settings(max_examples=16, deadline=None)
def test_who_takes_over_from_a_silent_owner_knows_for_how_long_nobody_answered(
    seed: int, kind: tuple[int, Timings], later: float
) -> None:
    world, owner = fresh_world(seed, *kind)
    world.run(later)
    owner.alive = False
    died, moves = world.now, len(world.moves)
    world.run(6.0)
    at, moved = next((at, moved) for at, _, moved in world.moves[moves:] if moved.standing is Standing.OWNER)
    assert moved.cause is Cause.SILENT
    assert moved.dark is not None
    assert moved.dark.most is not None
    assert moved.dark.least - TICK <= at - died <= moved.dark.most + TICK
    assert moved.dark.most - moved.dark.least <= (0.2 if kind[1].watch else 1.5)


@given(SEEDS, st.floats(0.1, 2.0))
@settings(max_examples=3, deadline=None)
def test_nodes_that_come_up_on_the_wrong_side_of_a_split_take_nothing(seed: int, later: float) -> None:
    world, owner = fresh_world(seed)
    others = [agent for agent in world.agents.values() if agent is not owner]
    for agent in others:
        world.groups[agent.name] = 1
        agent.alive = False
    world.run(later)
    for agent in others:
        world.agents[agent.name] = Agent(agent.name, agent.mac, seen=agent.seen)
    world.run(8.0)
    assert world.answering() == [owner]


@given(SEEDS, st.floats(0.5, 8.0))
@settings(max_examples=3, deadline=None)
def test_an_owner_that_slept_does_not_answer_before_it_knows(seed: int, seconds: float) -> None:
    world, owner = fresh_world(seed)
    owner.asleep_until = world.now + seconds
    world.run(seconds + 3.0)
    assert len(world.answering()) == 1
    assert world.longest_two_owners <= ONE_TICK


FAULTS = ("api", "wire", "sleep", "drain", "link", "kill", "all-api")


def disturb(world: World, agent: Agent, fault: str, data: st.DataObject) -> None:
    match fault:
        case "api":
            agent.on_api = not agent.on_api
        case "all-api":
            for one in world.agents.values():
                one.on_api = not one.on_api
        case "wire":
            world.groups[agent.name] ^= 1
        case "sleep":
            agent.asleep_until = world.now + data.draw(st.floats(0.1, 4.0))
        case "drain":
            agent.obstacle = None if agent.obstacle else Obstacle.DRAINING
            world.write_lease(agent)
        case "link":
            agent.on_wire = not agent.on_wire
            agent.obstacle = None if agent.on_wire else Obstacle.LINK_DOWN
            world.write_lease(agent)
        case "kill":
            agent.alive = not agent.alive
            agent.state = State()


@given(SEEDS, st.data())
@settings(max_examples=12, deadline=None)
def test_whatever_happened_once_it_is_quiet_there_is_exactly_one_owner(seed: int, data: st.DataObject) -> None:
    world, _ = fresh_world(seed, nodes=data.draw(st.integers(2, 4)))
    world.loss = data.draw(st.sampled_from([0.0, 0.05, 0.2]))
    for _ in range(data.draw(st.integers(1, 8))):
        agent = world.agents[data.draw(st.sampled_from(sorted(world.agents)))]
        disturb(world, agent, data.draw(st.sampled_from(FAULTS)), data)
        world.run(data.draw(st.floats(0.1, 4.0)))
    world.loss = 0.0
    for agent in world.agents.values():
        agent.on_api = agent.on_wire = agent.alive = True
        agent.obstacle = None
        world.groups[agent.name] = 0
    world.run(40.0)
    assert len(world.answering()) == 1
    world.longest_no_owner = world.longest_two_owners = 0.0
    moves = len(world.moves)
    world.run(20.0)
    assert world.longest_no_owner == world.longest_two_owners == 0.0
    assert len(world.moves) == moves
