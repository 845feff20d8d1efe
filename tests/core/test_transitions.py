"""FIFO lines and log lines of one node become transitions: exact by the FIFO, explained by the log."""

import itertools

import pytest

from vipmgr.core.explain import EXPLAINS, INFERRED
from vipmgr.core.keepalived_words import State, read_fifo, read_log
from vipmgr.core.model import MoveReason
from vipmgr.core.transitions import Contested, Merger, Transition


def moves(outputs):
    return [(one.was.value, one.now.value, one.reason) for one in outputs if isinstance(one, Transition)]


def test_a_takeover_without_a_log_line_is_a_timeout_after_a_bounded_wait():
    merger = Merger(wait=0.25)
    merger.feed_fifo('INSTANCE "V1" BACKUP 200\n', 0.0)
    assert moves(merger.tick(1.0)) == [("INIT", "BACKUP", MoveReason.STARTED)]
    assert merger.feed_fifo('INSTANCE "V1" MASTER 200\n', 2.0) == []
    assert merger.states == {"V1": State.MASTER}
    assert merger.deadline() == pytest.approx(2.25)
    assert merger.tick(2.2) == []
    [move] = merger.tick(2.25)
    assert move == Transition(
        2.0, "V1", State.BACKUP, State.MASTER, 200, MoveReason.ADVERT_TIMEOUT, 'INSTANCE "V1" MASTER 200', True
    )
    assert merger.deadline() is None


@pytest.mark.parametrize("log_first", [True, False])
def test_the_reason_is_found_whether_the_log_comes_before_or_after_the_fifo(log_first):
    merger = Merger()
    merger.seed("V1", State.MASTER, 190)
    log = [
        "(V1) Master received advert from 10.77.0.11 with higher priority 200, ours 190",
        "(V1) Entering BACKUP STATE",
    ]
    out = []
    if log_first:
        for line in log:
            out += merger.feed_log(line, 1.0)
        assert out == []
        out += merger.feed_fifo('INSTANCE "V1" BACKUP 190', 1.001)
    else:
        out += merger.feed_fifo('INSTANCE "V1" BACKUP 190', 1.0)
        for line in log:
            out += merger.feed_log(line, 1.1)
    [move] = out
    assert (move.reason, move.evidence, move.inferred) == (MoveReason.HIGHER_PRIORITY, log[0], False)


def test_the_logs_own_word_ends_the_wait_for_a_reason():
    merger = Merger()
    merger.seed("V1", State.BACKUP, 200)
    assert merger.feed_fifo('INSTANCE "V1" MASTER 200', 5.0) == []
    [move] = merger.feed_log("(V1) Entering MASTER STATE", 5.01)
    assert (move.reason, move.at, move.evidence) == (MoveReason.ADVERT_TIMEOUT, 5.0, "(V1) Entering MASTER STATE")


def test_outputs_keep_the_order_of_the_fifo_over_all_instances():
    merger = Merger()
    for name in ("A", "B"):
        merger.seed(name, State.BACKUP, 250)
    merger.feed_fifo('INSTANCE "A" MASTER 250', 1.0)
    merger.feed_fifo('INSTANCE "B" MASTER 250', 1.001)
    assert merger.feed_log("(B) Entering MASTER STATE", 1.01) == []
    assert [one.instance for one in merger.feed_log("(A) Entering MASTER STATE", 1.02)] == ["A", "B"]


def test_priority_zero_outranks_the_timeout_that_follows_from_it():
    merger = Merger()
    merger.seed("V1", State.BACKUP, 200)
    merger.feed_log("(V1) Backup received priority 0 advertisement", 1.0)
    merger.feed_log("(V1) Receive advertisement timeout", 1.02)
    merger.feed_log("(V1) Entering MASTER STATE", 1.02)
    assert moves(merger.feed_fifo('INSTANCE "V1" MASTER 200', 1.02)) == [("BACKUP", "MASTER", MoveReason.PRIORITY_ZERO)]


def test_an_old_clue_does_not_explain_a_new_transition():
    merger = Merger(near=3.0)
    merger.seed("V1", State.BACKUP, 200)
    merger.feed_log("(V1) Backup received priority 0 advertisement", 1.0)
    merger.feed_fifo('INSTANCE "V1" MASTER 200', 60.0)
    assert moves(merger.tick(61.0)) == [("BACKUP", "MASTER", MoveReason.ADVERT_TIMEOUT)]


def test_a_link_that_goes_down_explains_only_the_instances_on_it():
    merger = Merger()
    merger.learn({"A": "eth0", "B": "eth1"})
    for name in ("A", "B"):
        merger.seed(name, State.MASTER, 254)
    merger.feed_log("Netlink reports eth0 down", 1.0)
    merger.feed_fifo('INSTANCE "A" FAULT 254', 1.0)
    merger.feed_fifo('INSTANCE "B" FAULT 254', 1.0)
    assert moves(merger.tick(2.0)) == [
        ("MASTER", "FAULT", MoveReason.INTERFACE_DOWN),
        ("MASTER", "FAULT", MoveReason.UNKNOWN),
    ]


@pytest.mark.parametrize("fifo", [True, False])
def test_a_cable_pulled_and_put_back_does_not_explain_the_drain_that_follows(fifo):
    merger = Merger(fifo=fifo)
    merger.seed("A", State.MASTER, 254)
    out = merger.feed_log("Netlink reports eth0 down", 1.0)
    out += merger.feed_fifo('INSTANCE "A" FAULT 254', 1.0) if fifo else []
    out += merger.feed_log("(A) Entering FAULT STATE", 1.0)
    out += merger.feed_fifo('INSTANCE "A" BACKUP 254', 1.5) if fifo else []
    out += merger.feed_log("(A) Entering BACKUP STATE", 1.5)
    merger.hint(MoveReason.DRAINED, 2.0)
    out += merger.feed_fifo('INSTANCE "A" FAULT 254', 2.0) if fifo else []
    out += merger.feed_log("(A) Entering FAULT STATE", 2.0)
    assert moves(out) == [
        ("MASTER", "FAULT", MoveReason.INTERFACE_DOWN),
        ("FAULT", "BACKUP", MoveReason.RECOVERED),
        ("BACKUP", "FAULT", MoveReason.DRAINED),
    ]


def test_a_link_that_is_up_again_explains_nothing_to_an_instance_it_left_in_peace():
    merger = Merger()
    merger.learn({"A": "eth0", "B": "eth1"})
    for name in ("A", "B"):
        merger.seed(name, State.MASTER, 254)
    merger.feed_log("Netlink reports eth0 down", 1.0)
    merger.feed_log("Netlink reports eth1 down", 1.0)
    merger.feed_log("Netlink reports eth0 up", 1.1)
    merger.hint(MoveReason.DRAINED, 2.0)
    for name in ("A", "B"):
        merger.feed_fifo(f'INSTANCE "{name}" FAULT 254', 2.0)
    assert [reason for _, _, reason in moves(merger.tick(3.0))] == [MoveReason.DRAINED, MoveReason.INTERFACE_DOWN]


def test_one_link_that_goes_down_explains_every_instance_on_it():
    merger = Merger()
    for name in ("A", "B"):
        merger.seed(name, State.MASTER, 254)
    merger.feed_log("Netlink reports eth0 down", 1.0)
    for name in ("A", "B"):
        merger.feed_fifo(f'INSTANCE "{name}" FAULT 254', 1.0)
    out = merger.feed_log("(A) Entering FAULT STATE", 1.0) + merger.feed_log("(B) Entering FAULT STATE", 1.0)
    assert [reason for _, _, reason in moves(out)] == [MoveReason.INTERFACE_DOWN] * 2


def test_a_drain_is_told_by_the_agents_hint_not_by_the_track_file():
    merger = Merger()
    merger.seed("V1", State.MASTER, 254)
    merger.hint(MoveReason.DRAINED, 1.0)
    merger.feed_fifo('INSTANCE "V1" FAULT 254', 1.001)
    merger.feed_log("(V1): entering FAULT state (tracked file drain has status -254)", 1.002)
    [move] = merger.feed_log("(V1) Entering FAULT STATE", 1.003)
    assert (move.reason, move.evidence) == (MoveReason.DRAINED, "agent: drained")


def test_a_cable_pulled_during_a_drain_is_a_cable_pulled():
    merger = Merger()
    merger.seed("V1", State.MASTER, 254)
    merger.hint(MoveReason.DRAINED, 1.0)
    merger.feed_log("Netlink reports eth0 down", 1.0)
    merger.feed_log("(V1) Entering FAULT STATE", 1.0)
    assert moves(merger.feed_fifo('INSTANCE "V1" FAULT 254', 1.0)) == [("MASTER", "FAULT", MoveReason.INTERFACE_DOWN)]


def test_a_hint_for_one_instance_leaves_the_others_alone():
    merger = Merger()
    for name in ("A", "B"):
        merger.seed(name, State.MASTER, 254)
    merger.hint(MoveReason.NO_ENDPOINTS, 1.0, "A", "healthCheckNodePort 31000: 0 endpoints")
    merger.feed_fifo('INSTANCE "A" FAULT 254', 1.0)
    merger.feed_fifo('INSTANCE "B" FAULT 254', 1.0)
    a, b = merger.tick(2.0)
    assert (a.reason, a.evidence) == (MoveReason.NO_ENDPOINTS, "healthCheckNodePort 31000: 0 endpoints")
    assert b.reason is MoveReason.UNKNOWN


def test_stopping_and_deleting_need_no_wait():
    merger = Merger()
    for name in ("A", "B"):
        merger.seed(name, State.MASTER, 254)
    assert moves(merger.feed_fifo('INSTANCE "A" STOP 254', 1.0)) == [("MASTER", "STOP", MoveReason.STOPPED)]
    assert moves(merger.feed_fifo('INSTANCE "B" DELETED 254', 1.0)) == [("MASTER", "STOP", MoveReason.DELETED)]
    assert merger.states == {"A": State.STOP}


def test_a_killed_keepalived_stops_every_instance_that_was_alive():
    merger = Merger()
    merger.seed("A", State.MASTER, 254)
    merger.seed("B", State.STOP, 252)
    assert moves(merger.died(3.0)) == [("MASTER", "STOP", MoveReason.DIED)]
    merger.feed_fifo('INSTANCE "A" BACKUP 254', 3.1)
    assert moves(merger.tick(4.0)) == [("STOP", "BACKUP", MoveReason.STARTED)]


@pytest.mark.parametrize("obituary_first", [True, False])
def test_a_respawned_child_is_a_death_in_whichever_order_its_lines_come(obituary_first):
    merger = Merger()
    merger.seed("V1", State.MASTER, 254)
    obituary, birth = "VRRP child process(22359) died: Respawning", 'INSTANCE "V1" BACKUP 254'
    if obituary_first:
        out = merger.feed_log(obituary, 1.0) + merger.feed_fifo(birth, 1.03)
    else:
        out = merger.feed_fifo(birth, 1.03) + merger.feed_log(obituary, 1.04)
    out += merger.feed_log("(V1) Entering BACKUP STATE (init)", 1.05)
    assert moves(out)[0][2] is MoveReason.DIED
    assert moves(out)[-1][1] == "BACKUP"


def test_states_repeated_on_reload_are_no_transitions():
    merger = Merger()
    merger.seed("V1", State.BACKUP, 200)
    assert merger.feed_fifo('INSTANCE "V1" BACKUP 201', 1.0) == []
    assert merger.deadline() is None
    merger.feed_fifo('INSTANCE "V1" BACKUP_PRIORITY 180', 1.0)
    merger.feed_fifo('INSTANCE "V1" MASTER 180', 2.0)
    assert [one.priority for one in merger.tick(3.0)] == [180]


def test_another_master_heard_is_reported_once_in_a_while_with_its_address():
    merger = Merger(quiet=1.0)
    merger.seed("V1", State.MASTER, 200)
    merger.feed_fifo('INSTANCE "V1" MASTER_RX_LOWER_PRI 200', 1.0)
    line = "(V1) Received advert from 10.77.0.12 with lower priority 190, ours 200, forcing new election"
    assert merger.feed_log(line, 1.01) == [Contested(1.01, "V1", "10.77.0.12", 190, line)]
    assert merger.feed_log(line, 1.11) == []
    assert merger.feed_fifo('INSTANCE "V1" MASTER_RX_LOWER_PRI 200', 1.12) == []
    assert [one.at for one in merger.feed_log(line, 2.5)] == [2.5]


def test_another_master_heard_is_reported_from_the_fifo_alone_too():
    merger = Merger()
    merger.seed("V1", State.MASTER, 200)
    merger.feed_fifo('INSTANCE "V1" MASTER_RX_LOWER_PRI 200', 1.0)
    assert merger.tick(2.0) == [Contested(1.0, "V1", "", 0, 'INSTANCE "V1" MASTER_RX_LOWER_PRI 200')]


def test_a_bare_log_alone_gives_transitions_with_reasons():
    merger = Merger(fifo=False)
    out = []
    for at, line in enumerate(
        [
            "Starting VRRP child process, pid=77",
            "(V1) Entering BACKUP STATE (init)",
            "(V1) Entering MASTER STATE",
            "Netlink reports eth0 down",
            "(V1) Entering FAULT STATE",
            "Netlink reports eth0 up",
            "(V1) Entering BACKUP STATE",
            "(V1) Entering MASTER STATE",
            "Stopping",
            "Stopped",
        ]
    ):
        out += merger.feed_log(line, float(at))
    assert moves(out) == [
        ("INIT", "BACKUP", MoveReason.STARTED),
        ("BACKUP", "MASTER", MoveReason.ADVERT_TIMEOUT),
        ("MASTER", "FAULT", MoveReason.INTERFACE_DOWN),
        ("FAULT", "BACKUP", MoveReason.RECOVERED),
        ("BACKUP", "MASTER", MoveReason.ADVERT_TIMEOUT),
        ("MASTER", "STOP", MoveReason.STOPPED),
    ]
    assert [one.at for one in out] == [1.0, 2.0, 4.0, 6.0, 7.0, 8.0]


def test_a_bare_log_that_starts_again_without_an_end_was_killed():
    merger = Merger(fifo=False)
    merger.feed_log("(V1) Entering MASTER STATE", 0.0)
    assert moves(merger.feed_log("Starting VRRP child process, pid=78", 9.0)) == [("MASTER", "STOP", MoveReason.DIED)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "INST",
        'INSTANCE "V1" MAST',
        'INSTANCE "V1" MASTER',
        'E "V1" MASTER 200',
        "\x00\xff",
        'INSTANCE "V1" DANCING 3',
        'INSTANCE "" MASTER 200',
        'INSTANCE "V1" MASTER 99999',
    ],
)
def test_half_lines_and_garbage_are_counted_and_change_nothing(line):
    merger = Merger()
    merger.seed("V1", State.BACKUP, 200)
    assert merger.feed_fifo(line, 1.0) == []
    assert merger.states == {"V1": State.BACKUP}
    assert merger.ignored == bool(line.strip())
    assert merger.feed_log(line, 1.0) == []


def test_every_pair_of_states_has_a_reason_of_its_own():
    assert set(INFERRED) == {(a, b) for a, b in itertools.product(State, State) if a is not b}


def test_every_reason_of_keepalived_but_unknown_explains_some_state():
    others = {MoveReason.UNKNOWN, MoveReason.AGENT_DIED, MoveReason.AGENT_HUNG}
    assert set(EXPLAINS) == set(MoveReason) - others
    assert all(EXPLAINS.values())


def test_names_with_spaces_and_groups_are_read():
    assert read_fifo('INSTANCE "V 1" MASTER 200').name == "V 1"
    assert read_fifo('GROUP "G1" BACKUP 0').kind == "GROUP"
    assert read_log("(V1) sent 0 priority") is None


def test_a_fault_that_the_log_tells_without_a_cause_is_a_track_file():
    merger = Merger()
    merger.seed("V1", State.MASTER, 254)
    merger.feed_fifo('INSTANCE "V1" FAULT 254', 1.0)
    [move] = merger.feed_log("(V1) Entering FAULT STATE", 1.001)
    assert (move.reason, move.inferred) == (MoveReason.TRACK_FAULT, True)


def test_a_new_process_may_speak_before_its_start_is_logged():
    merger = Merger(fifo=False)
    merger.feed_log("(V1) Entering BACKUP STATE (init)", 0.0)
    assert merger.feed_log("Starting VRRP child process, pid=77", 0.0) == []
    merger.feed_log("(V1) Entering MASTER STATE", 60.0)
    assert moves(merger.feed_log("(V1) Entering BACKUP STATE (init)", 90.0)) == [("MASTER", "BACKUP", MoveReason.DIED)]
    assert merger.feed_log("Starting VRRP child process, pid=78", 90.0) == []
