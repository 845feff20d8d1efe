"""Never two leaders, under any interleaving of looks, writes, delays, losses and clocks that disagree."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipmgr.core.election import Candidate, Record, holds, may_write, next_record, observe, released, written


@dataclass
class Process:
    candidate: Candidate
    offset: float
    rate: float
    waiting: int | None = None
    sent_at: float = 0.0


class World:
    """A server with compare-and-swap, processes with clocks of their own, and messages that may take for ever."""

    def __init__(self, clocks: list[tuple[float, float]]) -> None:
        self.now = 0.0
        self.record: Record | None = None
        self.versions = 0
        self.processes = [Process(Candidate(f"p{i}"), offset, rate) for i, (offset, rate) in enumerate(clocks)]
        self.requests: dict[int, tuple[int, Record | None]] = {}
        self.answers: dict[int, tuple[int, bool, Record | None]] = {}
        self.sent = 0
        self.leads: list[int] = []

    def clock(self, who: int) -> float:
        process = self.processes[who]
        return process.offset + process.rate * self.now

    def send(self, who: int, *, write: bool) -> None:
        process = self.processes[who]
        now = self.clock(who)
        if write and not may_write(process.candidate, now):
            return
        self.sent += 1
        process.waiting, process.sent_at = self.sent, now
        self.requests[self.sent] = (who, next_record(process.candidate) if write else None)

    def serve(self, number: int) -> None:
        who, wanted = self.requests.pop(number)
        if wanted is None:
            self.answers[number] = (who, False, self.record)
        elif wanted.version == (self.record.version if self.record else ""):
            self.versions += 1
            self.record = wanted._replace(version=str(self.versions))
            self.answers[number] = (who, True, self.record)

    def deliver(self, number: int) -> None:
        who, wrote, record = self.answers.pop(number)
        process = self.processes[who]
        if process.waiting != number:
            return
        now = self.clock(who)
        if wrote and record is not None:
            process.candidate = written(process.candidate, record, process.sent_at, now)
        else:
            process.candidate = observe(process.candidate, record, now)
        process.waiting = None

    def leaders(self) -> list[int]:
        return [i for i, process in enumerate(self.processes) if holds(process.candidate, self.clock(i))]


def play(world: World, step: tuple[str, int, float]) -> None:
    kind, number, seconds = step
    who = number % len(world.processes)
    match kind:
        case "wait":
            world.now += seconds
        case "look":
            world.send(who, write=False)
        case "write":
            world.send(who, write=True)
        case "serve" if world.requests:
            world.serve(sorted(world.requests)[number % len(world.requests)])
        case "deliver" if world.answers:
            world.deliver(sorted(world.answers)[number % len(world.answers)])
        case "looked" | "wrote":
            before = world.sent
            world.send(who, write=kind == "wrote")
            if world.sent > before:
                world.serve(world.sent)
            if world.sent > before and world.sent in world.answers:
                world.deliver(world.sent)
        case "restart":  # with nothing but the server's record to go by
            world.processes[who].candidate = Candidate(f"p{who}-{world.versions}-{world.sent}")
            world.processes[who].waiting = None


KINDS = ["wait"] * 4 + ["looked"] * 3 + ["wrote"] * 4 + ["look", "write", "serve", "deliver", "restart"]
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.sampled_from([0.1, 2.0, 4.0, 8.0, 9.5, 14.0])),
    min_size=15,
    max_size=60,
)
CLOCKS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.85, 1.2)), min_size=2, max_size=3)


@settings(max_examples=400, deadline=None)
@given(clocks=CLOCKS, steps=STEPS)
def test_there_are_never_two_leaders(clocks: list[tuple[float, float]], steps: list[tuple[str, int, float]]) -> None:
    world = World(clocks)
    for step in steps:
        play(world, step)
        assert len(world.leaders()) <= 1


def test_a_silent_leader_stops_before_anybody_else_may_take_over() -> None:
    world = World([(0.0, 1.0), (5000.0, 1.0)])
    play(world, ("wrote", 0, 0.0))
    play(world, ("looked", 1, 0.0))
    assert world.leaders() == [0]
    gap = 0
    for _ in range(200):
        world.now += 0.1
        play(world, ("wrote", 1, 0.0))
        gap += not world.leaders()
        if world.leaders() == [1]:
            break
    assert world.leaders() == [1]
    assert gap == pytest.approx(50, abs=2)


def test_a_released_lease_is_free_at_once() -> None:
    mine = written(Candidate("a"), Record("a", 15.0, 0, "1"), 0.0, 0.1)
    assert not holds(released(mine), 0.2)
    other = observe(Candidate("b"), Record("", 1.0, 0, "2"), 0.3)
    assert may_write(other, 0.3)
    assert next_record(other).transitions == 1


def test_a_renewal_whose_answer_was_lost_is_recognised_as_ones_own() -> None:
    mine = written(Candidate("a"), Record("a", 15.0, 0, "1"), 0.0, 0.1)
    seen = observe(mine, Record("a", 15.0, 0, "2"), 3.0)
    assert holds(seen, 3.0)
    assert not holds(seen, 10.0)


def test_seeing_another_holder_ends_the_lead_at_once() -> None:
    mine = written(Candidate("a"), Record("a", 15.0, 0, "1"), 0.0, 0.1)
    assert not holds(observe(mine, Record("b", 15.0, 1, "2"), 1.0), 1.0)


def test_a_deadline_that_reaches_the_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="must lie between"):
        Candidate("a", duration=10.0, deadline=10.0)


def test_a_renewal_counts_from_when_it_was_sent() -> None:
    world = World([(0.0, 1.0), (0.0, 1.0)])
    for step in (("write", 0, 0.0), ("serve", 0, 0.0), ("looked", 1, 0.0), ("wait", 0, 8.0), ("deliver", 0, 0.0)):
        play(world, step)
    assert world.leaders() == [0]
    world.now = 15.1
    play(world, ("wrote", 1, 0.0))
    assert world.leaders() == [1]
