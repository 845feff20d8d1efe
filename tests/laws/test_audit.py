"""A simulated cluster's true history, written down by agents whose clocks are off, is found again in the report."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.diary import EPOCH, Diary, ledger_of
from vipmgr.core.audit import judge
from vipmgr.core.audit_line import read_line
from vipmgr.core.findings import NODE_LOST, NODE_REBOOTED, PARTITION, Flap, Limits
from vipmgr.core.ledger import Ledger
from vipmgr.core.news import News

A = 0.1
CLOCK_ERROR = 0.1


@dataclass
class Move:
    at: float
    source: str
    target: str
    cause: str
    dark: float | None


@dataclass
class Cluster:
    """Three nodes and VRRP's arithmetic: who takes over, and when. Something happens every 5 s."""

    random: Random
    now: float = 1.0
    nodes: dict = field(default_factory=dict)
    down: set = field(default_factory=set)
    master: str = ""
    moves: list = field(default_factory=list)
    splits: list = field(default_factory=list)
    empty: list = field(default_factory=list)
    silently_dead: dict = field(default_factory=dict)

    def start(self):
        for rank in range(3):
            name = f"n{rank}"
            diary = Diary(name, priority=254 - 2 * rank, offset=self.random.uniform(-0.045, 0.045))
            diary.go(0.1 * rank, "BACKUP", "started")
            self.nodes[name] = diary
        self.master = "n0"
        self.nodes["n0"].go(self.now, "MASTER", "advertisement-timeout")

    def heir(self):
        names = [name for name in self.nodes if name not in self.down and name != self.master]
        return max(names, key=lambda name: self.nodes[name].priority, default=None)

    def timeout(self, heir):
        """When `heir` gives up on a master that falls silent now."""
        last_advert = self.now - self.random.uniform(0, A)
        return last_advert + 3 * A + self.skew(heir)

    def skew(self, name):
        return (256 - self.nodes[name].priority) / 256 * A

    def hand_over(self, at, cause, dark_from):
        heir = self.heir()
        old = self.master
        self.nodes[heir].go(at, "MASTER", "advertisement-timeout")
        self.moves.append(Move(at, old, heir, cause, None if dark_from is None else at - dark_from))
        self.master = heir

    def lose(self, cause):
        """The master goes, with a heir or without one."""
        heir, old = self.heir(), self.master
        quiet = cause in ("interface-down", "keepalived-died", NODE_LOST)
        if heir is None and cause == NODE_LOST:
            return
        if cause != NODE_LOST:
            state = "STOP" if cause in ("stopped", "keepalived-died") else "FAULT"
            self.nodes[old].go(self.now, state, cause)
        else:
            self.silently_dead[old] = len(self.moves)
        if heir is None:
            self.empty.append([old, self.now, None])
            self.down.add(old)
            self.master = ""
            return
        at = self.timeout(heir) if quiet else self.now + self.skew(heir) + self.random.uniform(0, 0.004)
        self.hand_over(at, cause, None if cause == "keepalived-died" else self.now)
        self.down.add(old)

    def come_back(self):
        if not self.down:
            return
        name = self.random.choice(sorted(self.down))
        self.down.discard(name)
        if name in self.silently_dead:
            self.moves[self.silently_dead.pop(name)].cause = NODE_REBOOTED
            self.nodes[name].reboot(self.now - 99)
        self.nodes[name].go(self.now, "BACKUP", "started")
        if not self.master:
            last, since, _ = self.empty[-1]
            at = self.now + 3 * A + self.skew(name)
            self.nodes[name].go(at, "MASTER", "advertisement-timeout")
            self.moves.append(Move(at, last, name, "", at - since))
            self.empty[-1][2] = at
            self.master = name

    def split(self):
        """The master is cut off with its agent alive; after the heal the higher priority stays."""
        heir, old = self.heir(), self.master
        if heir is None:
            return
        at, dark_from = self.timeout(heir), self.now
        self.hand_over(at, PARTITION, dark_from)
        self.now += 3
        winner, loser = sorted((old, heir), key=lambda name: -self.nodes[name].priority)
        end = self.now + self.random.uniform(0, A)
        self.nodes[loser].go(end, "BACKUP", "higher-priority-heard")
        if winner == old:
            self.nodes[old].write(end + 1, "config.applied")
        self.splits.append((at, end, {old, heir}))
        self.master = winner

    def live(self, steps):
        self.start()
        for _ in range(steps):
            self.now += 5
            if self.master and self.random.random() < 0.75:
                if self.random.random() < 0.25:
                    self.split()
                else:
                    causes = ["stopped", "drained", "interface-down", "keepalived-died", NODE_LOST]
                    self.lose(self.random.choice(causes))
            else:
                self.come_back()
            for name in self.nodes.keys() - self.down:
                if self.random.random() < 0.3:
                    self.nodes[name].write(self.now + 1, "config.applied")

    def lines(self):
        """As they reach the reader: in no order, some twice."""
        lines = [line for diary in self.nodes.values() for line in diary.lines]
        lines += self.random.sample(lines, len(lines) // 4)
        self.random.shuffle(lines)
        return lines


def told(seed, steps):
    cluster = Cluster(Random(seed))
    cluster.live(steps)
    return cluster, judge(ledger_of(cluster.lines()), Limits(clock_error=CLOCK_ERROR))


history = given(st.integers(0, 2**32), st.integers(1, 25))


@history
def test_every_failover_is_found_with_its_cause_and_its_dark_time_within_the_bounds(seed, steps):
    cluster, report = told(seed, steps)
    assert [(one.source, one.target) for one in report.failovers] == [(m.source, m.target) for m in cluster.moves]
    for found, true in zip(report.failovers, cluster.moves, strict=True):
        assert abs(found.at - EPOCH - true.at) < CLOCK_ERROR
        assert true.cause in ("", found.cause)
        if true.dark is not None:
            assert found.dark.low - 0.2 <= true.dark * 1000 <= found.dark.high + 0.2, (found, true)


@history
def test_every_split_brain_is_found_and_no_other(seed, steps):
    cluster, report = told(seed, steps)
    assert [set(one.nodes) for one in report.split_brain] == [nodes for _, _, nodes in cluster.splits]
    for found, (since, until, _) in zip(report.split_brain, cluster.splits, strict=True):
        assert abs(found.since - EPOCH - since) < CLOCK_ERROR
        assert abs(found.until - EPOCH - until) < CLOCK_ERROR


@history
def test_every_time_without_an_owner_is_found_and_no_other(seed, steps):
    cluster, report = told(seed, steps)
    long_enough = [one for one in cluster.empty if (one[2] or cluster.now + 99) - one[1] > 1]
    found = [one for one in report.no_owner if one.until is not None]
    true = [one for one in long_enough if one[2] is not None]
    assert [one.last for one in found] == [one[0] for one in true]
    for gap, (_, since, until) in zip(found, true, strict=True):
        assert abs(gap.since - EPOCH - since) < CLOCK_ERROR
        assert abs(gap.until - EPOCH - until) < CLOCK_ERROR


@history
def test_order_and_repetition_of_lines_do_not_matter(seed, steps):
    cluster, report = told(seed, steps)
    straight = judge(ledger_of(*cluster.nodes.values()), Limits(clock_error=CLOCK_ERROR))
    assert report.failovers == straight.failovers
    assert report.split_brain == straight.split_brain
    assert report.holes == ()
    assert report.lines == straight.lines


@history
def test_a_lost_line_is_always_noticed_unless_it_was_the_last(seed, steps):
    cluster = Cluster(Random(seed))
    cluster.live(steps)
    diary = cluster.nodes["n1"]
    first_boot = [line for line in diary.lines if b'"boot":"n1-1"' in line]
    if len(first_boot) < 3:
        return
    victim = cluster.random.choice(first_boot[1:-1])
    report = judge(ledger_of([line for line in diary.lines if line is not victim]), Limits())
    assert [one.lines for one in report.holes] == [1]


@history
def test_a_reader_that_forgets_finds_what_one_that_does_not_finds(seed, steps):
    cluster = Cluster(Random(seed))
    cluster.live(steps)
    lines = sorted(
        (line for diary in cluster.nodes.values() for line in map(read_line, diary.lines)), key=lambda line: line.time
    )
    whole, short = (Ledger(), News(), []), (Ledger(), News(), [])
    for line in lines:
        for ledger, news, findings in (short, whole):
            ledger.add(line)
            report = judge(ledger, Limits(clock_error=CLOCK_ERROR))
            found = news.of(report, before=line.time.timestamp(), since=short[0].whole_since)
            # of flapping, the one that forgets knows no longer when it began
            findings += [(Flap, one.instance, one.until) if isinstance(one, Flap) else one for one in found]
        short[0].forget(6)
    assert short[2] == whole[2]
