"""Whatever two pipes deliver, halves and garbage included: nothing raises, nothing is lost, order and states hold."""

from hypothesis import given
from hypothesis import strategies as st

from vipmgr.core.keepalived_words import State
from vipmgr.core.model import MoveReason
from vipmgr.core.transitions import Merger, Transition

NAMES = ("A", "B")
FIFO = [
    f'INSTANCE "{name}" {word} 200'
    for name in NAMES
    for word in ("MASTER", "BACKUP", "FAULT", "STOP", "DELETED", "MASTER_RX_LOWER_PRI", "BACKUP_PRIORITY")
]
LOG = [
    *(f"({name}) Entering {state} STATE" for name in NAMES for state in ("MASTER", "BACKUP", "FAULT")),
    *(f"({name}) Backup received priority 0 advertisement" for name in NAMES),
    *(f"({name}) Received advert from 10.0.0.1 with lower priority 3, ours 4" for name in NAMES),
    "Netlink reports eth0 down",
    "VRRP child process(7) died: Respawning",
    "Starting VRRP child process, pid=8",
    "Stopping",
]
STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(st.just("fifo"), st.sampled_from(FIFO) | st.text()),
            st.tuples(st.just("log"), st.sampled_from(LOG) | st.text()),
            st.tuples(st.just("hint"), st.sampled_from(list(MoveReason))),
            st.tuples(st.just("tick"), st.none()),
            st.tuples(st.just("died"), st.none()),
        ),
        st.floats(0, 2),
    ),
    max_size=60,
)


def run(steps, *, fifo):
    """(merger, outputs, when the last step was)"""
    merger, outputs, now = Merger(fifo=fifo), [], 0.0
    for (kind, word), pause in steps:
        now += pause
        match kind:
            case "fifo":
                outputs += merger.feed_fifo(word, now)
            case "log":
                outputs += merger.feed_log(word, now)
            case "hint":
                merger.hint(word, now)
            case "died":
                outputs += merger.died(now)
            case _:
                outputs += merger.tick(now)
    return merger, outputs, now


@given(STEPS, st.booleans())
def test_each_instances_transitions_are_a_chain_that_ends_in_its_state(steps, fifo):
    merger, outputs, now = run(steps, fifo=fifo)
    outputs += merger.tick(now + 10)
    known = {}
    for one in outputs:
        if isinstance(one, Transition):
            before = known.get(one.instance, State.INIT)
            # an instance that was deleted begins anew
            assert one.was is before or (before is State.STOP and one.was is State.INIT)
            assert one.was is not one.now
            known[one.instance] = one.now
    for name, state in merger.states.items():
        assert known.get(name, State.INIT) is state or (state is State.INIT and known[name] is State.STOP)


@given(STEPS)
def test_nothing_waits_longer_than_its_time_and_everything_comes_in_order(steps):
    merger, outputs, now = run(steps, fifo=True)
    outputs += merger.tick(now)
    waiting = merger.deadline()
    assert waiting is None or waiting > now
    outputs += merger.tick(now + 10)
    assert merger.deadline() is None
    assert [one.at for one in outputs] == sorted(one.at for one in outputs)


@given(st.lists(st.sampled_from([*FIFO, *LOG]), max_size=30), st.integers(0, 40))
def test_a_line_cut_anywhere_changes_no_state(lines, cut):
    merger = Merger()
    for number, line in enumerate(lines):
        states = merger.states
        merger.feed_fifo(line[:cut] if len(line[:cut]) < len(line) - 3 else "", float(number))
        assert merger.states == states
