"""What the real keepalived writes to its FIFO and its log is understood: every kind of move, with and without -D."""

import subprocess
import time
from datetime import UTC, datetime

import psutil
import pytest

from tests.daemon.wire import KEEPALIVED, START, Node, ip, until, wire
from vipmgr.cli.main import main
from vipmgr.core.audit import judge
from vipmgr.core.findings import Limits
from vipmgr.core.keepalived_log import BareLog, read_log_line
from vipmgr.core.ledger import Ledger
from vipmgr.core.model import MoveReason
from vipmgr.core.transitions import Contested, Merger, Transition

pytestmark = pytest.mark.lab

CONF = """
global_defs {{
    vrrp_version 3
    script_user root
    enable_script_security
    vrrp_notify_fifo /run/vipmgr/notify.fifo
    vrrp_higher_prio_send_advert true
}}
track_file drain {{
    file /run/vipmgr/track/drain
    weight 1
    init_file 0
}}
vrrp_instance V1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 0.1
    notify_deleted
    virtual_ipaddress {{
        169.254.77.51/32 dev lo
    }}
    virtual_ipaddress_excluded {{
        10.77.0.200/32 dev eth0
    }}
    track_file {{
        drain weight 1
    }}
}}
"""
LINKS = {"n1": [("eth0", ["10.77.0.11/24"])], "n2": [("eth0", ["10.77.0.12/24"])]}


class Watched:
    """A node, its two sources read as an agent would, and what the merger makes of them."""

    def __init__(self, node: Node, priority: int, detail: str) -> None:
        self.node, self.priority, self.merger = node, priority, Merger()
        self.outputs: list = []
        self._log, self._fifo, self._detail = 0, 0, detail

    def start(self) -> None:
        (self.node.folder / "keepalived.conf").write_text(CONF.format(priority=self.priority))
        script = START.format(folder=self.node.folder, keepalived=f"{KEEPALIVED} {self._detail}")
        with (self.node.folder / "log").open("ab") as log:
            self.node.process = subprocess.Popen(
                ["ip", "netns", "exec", self.node.namespace, "sh", "-c", script], stdout=log, stderr=log
            )

    def read(self) -> None:
        now = time.monotonic()
        self.node.state("V1")
        for line in self.node.events[self._fifo :]:
            self.outputs += self.merger.feed_fifo(line, now)
        self._fifo = len(self.node.events)
        *whole, _ = self.node.log()[self._log :].split("\n")
        for line in whole:
            self._log += len(line) + 1
            said = read_log_line(line, newest=datetime.now(UTC))
            self.outputs += self.merger.feed_log(said.message, now)
        self.outputs += self.merger.tick(now)

    def drain(self) -> None:
        """By rename: a plain write is two events, and keepalived has been seen to miss the second."""
        fresh = self.node.folder / "track" / ".drain"
        fresh.write_text("-254\n")
        fresh.replace(self.node.folder / "track" / "drain")

    @property
    def moves(self) -> list[tuple[str, str]]:
        self.read()
        return [(one.now.value, one.reason.value) for one in self.outputs if isinstance(one, Transition)]

    def wait(self, *move: str) -> None:
        until(lambda: self.moves[-1:] == [move], f"{self.node.namespace}: {move}, not {self.moves}")


@pytest.fixture(params=["", "-D"], ids=["plain", "detail"])
def pair(request, tmp_path):
    """n1 is MASTER, n2 stands by."""
    with wire(LINKS, tmp_path) as nodes:
        n1, n2 = Watched(nodes["n1"], 254, request.param), Watched(nodes["n2"], 252, request.param)
        n1.start()
        n1.wait("MASTER", "advertisement-timeout")
        n2.start()
        n2.wait("BACKUP", "started")
        yield n1, n2


def plug(watched: Watched, state: str) -> None:
    switch = watched.node.namespace.rpartition("-")[0] + "-sw"
    ip("-n", switch, "link", "set", f"to-{watched.node.namespace.rpartition('-')[2]}", state)


def test_a_cut_cable_and_its_return_are_told_with_their_reasons(pair):
    n1, n2 = pair
    plug(n1, "down")
    n1.wait("FAULT", "interface-down")
    n2.wait("MASTER", "advertisement-timeout")
    plug(n1, "up")
    until(lambda: len(n1.moves) == 5, "n1 is back")
    assert n1.moves[3:] == [("BACKUP", "recovered"), ("MASTER", "lower-priority-heard")]
    n2.wait("BACKUP", "higher-priority-heard")


def test_a_track_file_and_a_stop_are_told_with_their_reasons(pair):
    n1, n2 = pair
    n1.drain()
    n1.wait("FAULT", "track-fault")
    detail = "-D" in n2._detail
    n2.wait("MASTER", "priority-zero-received" if detail else "advertisement-timeout")
    n2.node.stop()
    n2.wait("STOP", "stopped")
    assert [state for state, _ in n2.moves[-2:]] == ["MASTER", "STOP"]


def test_a_killed_child_is_told_as_a_death(pair):
    n1, _ = pair
    parent = psutil.Process(n1.node.process.pid)
    parent.children()[0].kill()
    until(lambda: ("STOP", "keepalived-died") in n1.moves or ("BACKUP", "keepalived-died") in n1.moves, "the death")
    until(lambda: n1.moves[-1][0] in ("MASTER", "BACKUP"), "its successor")
    assert [reason for _, reason in n1.moves].count("keepalived-died") == 1


def test_two_masters_that_meet_again_hear_each_other(pair):
    n1, n2 = pair
    switch = n1.node.namespace.rpartition("-")[0] + "-sw"
    ip("-n", switch, "link", "set", "to-n1", "nomaster")
    n2.wait("MASTER", "advertisement-timeout")
    ip("-n", switch, "link", "set", "to-n1", "master", "sw")
    n2.wait("BACKUP", "higher-priority-heard")
    until(lambda: n1.read() is None and any(isinstance(one, Contested) for one in n1.outputs), "n1 heard n2")
    [heard, *_] = [one for one in n1.outputs if isinstance(one, Contested)]
    assert (heard.source, heard.priority) == ("10.77.0.12", 252)


def test_the_bare_logs_of_both_machines_tell_the_same_story_as_their_fifos(pair, capsys):
    n1, n2 = pair
    n1.drain()
    n2.wait("MASTER", "priority-zero-received" if "-D" in n2._detail else "advertisement-timeout")
    n1.wait("FAULT", "track-fault")
    n2.node.stop()
    n2.wait("STOP", "stopped")
    ledger = Ledger()
    for name, watched in (("n1", n1), ("n2", n2)):
        bare = BareLog(name, newest=datetime.now(UTC), advert_ms=100)
        lines = [one for line in watched.node.log().splitlines() for one in bare.feed(line)]
        assert [(one.to, one.reason) for one in lines if one.to] == watched.moves
        for one in lines:
            ledger.add(one)
    [move] = judge(ledger, Limits(clock_error=0.1)).failovers
    assert (move.source, move.target, move.cause) == ("n1", "n2", MoveReason.TRACK_FAULT)
    assert move.dark.low <= 3.0 <= move.dark.high <= 1200

    files = [f"--node={name}={watched.node.folder / 'log'}" for name, watched in (("n1", n1), ("n2", n2))]
    assert main(["audit", *files]) == 0
    printed = capsys.readouterr().out
    assert "n1 -> n2" in printed
    assert "track-fault" in printed


def test_syslog_and_journal_prefixes_are_taken_off_the_same_messages(pair):
    n1, _ = pair
    messages = [read_log_line(line, newest=datetime.now(UTC)).message for line in n1.node.log().splitlines()]
    assert "(V1) Entering MASTER STATE" in messages
    now = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    for prefix in (
        "Nov 22 18:45:05 host Keepalived_vrrp[77]: ",
        "2026-11-22T18:45:05.5+00:00 host Keepalived_vrrp[77]: ",
        "2026-11-22T18:45:05.123456789Z stderr F Sun Nov 22 18:45:05 2026: ",
        "Sun Nov 22 18:45:05 2026: ",
    ):
        for message in messages:
            said = read_log_line(prefix + message, newest=now)
            assert said.message == message
            assert said.at.replace(microsecond=0) == datetime(2026, 11, 22, 18, 45, 5, tzinfo=UTC)
