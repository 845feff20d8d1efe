"""The agent's state machines under every order of events: configuration, track files, endpoint health."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vipmgr.core import reload, tracks
from vipmgr.core.endpoint_health import FALL, RISE, Answer, Verdict, read_answer
from vipmgr.core.keepalived_words import State
from vipmgr.core.merge_diff import merge_diff
from vipmgr.core.reload import ConfigState, Phase
from vipmgr.core.tracks import FAULT, LAST, Drain, TrackState, Wish
from vipmgr.core.wire import VipNodeSpec


def spec(number: int) -> VipNodeSpec:
    return VipNodeSpec(revision=f"r{number}", keepalived=f"global_defs {{}} # {number // 2}")


EVENTS = st.one_of(
    st.integers(1, 8).map(lambda number: reload.Wanted(spec(number))),
    st.sampled_from(
        [
            reload.Checked(None),
            reload.Checked("bad"),
            reload.Checked("disk full", temporary=True),
            reload.Installed(None),
            reload.Installed("disk full"),
            reload.Reloaded(),
            reload.ReloadRefused("no"),
            reload.Inspected(()),
            reload.Inspected(("differs",)),
            reload.Up(),
            reload.Down(),
            reload.Stale(),
            reload.Tick(),
        ]
    ),
)
TIMED = st.lists(st.tuples(st.floats(0, 20), EVENTS), max_size=60)
ANSWERS = {
    Phase.CHECKING: reload.Checked(None),
    Phase.INSTALLING: reload.Installed(None),
    Phase.WAITING: reload.Up(),
    Phase.RELOADING: reload.Reloaded(),
    Phase.INSPECTING: reload.Inspected(()),
    Phase.RESTORING: reload.Installed(None),
}


def play(steps, state=None):
    state, now, effects = state or ConfigState(), 0.0, []
    for pause, event in steps:
        now += pause
        state, more = reload.step(state, event, now)
        effects += more
    return state, now, effects


def good_end(state: ConfigState, now: float):
    """From here on everything goes well."""
    effects = []
    for _ in range(40):
        if state.phase is Phase.IDLE and state.queued is None:
            return state, effects
        now = max(now, state.at or now)
        state, more = reload.step(state, ANSWERS.get(state.phase, reload.Tick()), now)
        effects += more
    raise AssertionError(f"does not come to rest: {state}")


@settings(max_examples=400)
@given(TIMED, st.integers(1, 8))
def test_whatever_happened_the_newest_plan_is_confirmed_when_all_goes_well_again(steps, number):
    state, now, _ = play([*steps, (1.0, reload.Wanted(spec(number)))])
    if state.refused == f"r{number}":
        return
    state, _ = good_end(state, now)
    assert state.confirmed is not None
    assert state.confirmed.revision == f"r{number}"


@settings(max_examples=400)
@given(TIMED)
def test_nothing_is_installed_unchecked_and_nothing_confirmed_uninspected(steps):
    checked, inspected = set(), set()
    state, now = ConfigState(), 0.0
    for pause, event in steps:
        now += pause
        before = state
        state, effects = reload.step(state, event, now)
        for effect in effects:
            if isinstance(effect, reload.Install):
                assert isinstance(event, reload.Checked)
                assert event.complaint is None
                checked.add(effect.spec.keepalived)
            if isinstance(effect, reload.Inspect):
                inspected.add(effect.spec.keepalived)
            if isinstance(effect, reload.Confirm):
                known = before.confirmed.keepalived if before.confirmed else None
                assert effect.spec.keepalived in checked & inspected or effect.spec.keepalived == known
                if isinstance(event, reload.Inspected):
                    assert not event.disagreements


@settings(max_examples=400)
@given(TIMED)
def test_a_confirmed_plan_is_lost_by_no_refusal(steps):
    state, now = ConfigState(confirmed=spec(1)), 0.0
    for pause, event in steps:
        now += pause
        before = state.confirmed
        state, effects = reload.step(state, event, now)
        assert state.confirmed is not None
        if state.confirmed is not before:
            assert any(isinstance(effect, reload.Confirm) for effect in effects)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_a_burst_while_one_reload_is_under_way_costs_one_more(numbers):
    state, now, _ = play([(0, reload.Up()), (0, reload.Wanted(spec(100))), (0, reload.Checked(None))])
    state, now, effects = play([(0, reload.Installed(None)), *((0, reload.Wanted(spec(n))) for n in numbers)], state)
    state, more = good_end(state, now)
    assert sum(isinstance(effect, reload.Reload) for effect in [*effects, *more]) <= 2
    assert state.confirmed == spec(numbers[-1])


def test_a_reload_that_is_not_heard_of_is_asked_for_twice_and_then_reported():
    start = [(0, reload.Up()), (0, reload.Wanted(spec(1))), (0, reload.Checked(None)), (0, reload.Installed(None))]
    _, _, effects = play([*start, *[(reload.RELOAD_TIMEOUT, reload.Tick())] * 2])
    kinds = [type(effect).__name__ for effect in effects]
    assert kinds == ["Check", "Install", "Reload", "Reload", "Complain", "Inspect"]


def test_a_refusal_at_the_reload_restores_the_file():
    start = ConfigState(confirmed=spec(1), running=True)
    steps = [(0, reload.Wanted(spec(9))), (0, reload.Checked(None)), (0, reload.Installed(None))]
    state, _, effects = play([*steps, (0, reload.ReloadRefused("line 3"))], start)
    assert effects[-2:] == [reload.Restore(spec(1)), reload.Refuse(spec(9), "line 3")]
    assert state.confirmed == spec(1)
    waiting, now, effects = play([(0, reload.Installed("disk full")), (reload.RETRY_INSTALL, reload.Tick())], state)
    assert effects == [reload.Restore(spec(1))]
    assert good_end(waiting, now)[0].confirmed == spec(1)


def test_a_new_plan_is_not_checked_before_the_old_file_is_back():
    start = ConfigState(confirmed=spec(1), running=True)
    steps = [(0, reload.Wanted(spec(9))), (0, reload.Checked(None)), (0, reload.Installed(None))]
    state, _, effects = play([*steps, (0, reload.Wanted(spec(4))), (0, reload.ReloadRefused("line 3"))], start)
    assert reload.Check(spec(4)) not in effects
    for answer in (reload.Installed(None), reload.Installed("disk full")):
        assert reload.step(state, answer, 0)[1] == (reload.Check(spec(4)),)


def test_a_refusal_is_over_when_what_is_in_force_is_asked_for_again():
    for answer in (reload.Checked("bad"), reload.Checked("disk full", temporary=True)):
        start = ConfigState(confirmed=spec(1), running=True)
        state, now, _ = play([(0, reload.Wanted(spec(9))), (0, answer)], start)
        state, effects = reload.step(state, reload.Wanted(spec(1)), now)
        assert effects == (reload.Confirm(spec(1), spec(1), None),)
        assert (state.phase, state.queued, state.at) == (Phase.IDLE, None, None)
        assert reload.step(state, reload.Wanted(spec(1)), now)[1] == ()


def test_a_new_plan_does_not_wait_for_an_old_file_that_cannot_be_written():
    start = ConfigState(confirmed=spec(1), running=True)
    steps = [(0, reload.Wanted(spec(9))), (0, reload.Checked(None)), (0, reload.Installed(None))]
    _, _, effects = play(
        [*steps, (0, reload.ReloadRefused("line 3")), (0, reload.Installed("disk full")), (0, reload.Wanted(spec(4)))],
        start,
    )
    assert effects[-1] == reload.Check(spec(4))


@settings(max_examples=400)
@given(TIMED)
def test_a_keepalived_that_lost_an_interface_is_reloaded_whatever_is_under_way(steps):
    state, now, _ = play([*steps, (0, reload.Up())], ConfigState(confirmed=spec(1)))
    state, effects = reload.step(state, reload.Stale(), now)
    state, more = good_end(state, now)
    assert reload.Reload() in [*effects, *more]
    assert not state.stale


def test_a_keepalived_that_lost_an_interface_before_it_took_signals_is_reloaded_then():
    for start in (ConfigState(confirmed=spec(1)), reload.resume(spec(1))):
        state, now, effects = play([(0, reload.Stale())], start)
        assert effects == []
        _, effects = reload.step(state, reload.Up(), now)
        assert reload.Reload() in effects
        _, _, effects = play([(0, reload.Down()), (0, reload.Up())], state)
        assert reload.Reload() not in effects


def test_a_full_disk_is_tried_again_by_itself():
    state, now, _ = play([(0, reload.Wanted(spec(1))), (0, reload.Checked("disk full", temporary=True))])
    _, effects = reload.step(state, reload.Tick(), now + reload.RETRY_INSTALL)
    assert effects == (reload.Check(spec(1)),)


STATES = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(list(State)))
MOMENTS = st.lists(st.tuples(st.floats(0, 3), st.booleans(), STATES, st.sampled_from(["", "t1", "t2"])), max_size=30)


@settings(max_examples=300)
@given(MOMENTS)
def test_a_node_that_is_asked_to_drain_never_claims_priority_and_one_that_is_not_always_does(moments):
    state, now = TrackState(), 0.0
    for pause, drain, states, token in moments:
        now += pause
        wish = Wish(drain=drain, yields={"a": token}, instances=frozenset("ab"))
        state = tracks.step(state, wish, states, now)
        values = tracks.contents(state, wish)
        assert (values["drain"] in (FAULT, LAST)) == drain
        assert set(values) == {"drain", "a", "b"}
        due = tracks.deadline(state)
        assert due is None or due > now or due + tracks.FAULT_TIMEOUT > now


@settings(max_examples=300)
@given(MOMENTS)
def test_no_instance_stays_in_a_yield(moments):
    state, now = TrackState(), 0.0
    for pause, drain, states, token in moments:
        now += pause
        state = tracks.step(state, Wish(drain=drain, yields={"a": token}, instances=frozenset("ab")), states, now)
    wish = Wish(yields={"a": moments[-1][3] if moments else ""}, instances=frozenset("ab"))
    state = tracks.step(state, wish, {"a": State.MASTER, "b": State.BACKUP}, now + tracks.FAULT_TIMEOUT)
    state = tracks.step(state, wish, {"a": State.FAULT, "b": State.BACKUP}, now + 2 * tracks.FAULT_TIMEOUT)
    assert tracks.contents(state, wish) == {"a": 0, "b": 0, "drain": 0}


def test_a_drain_takes_two_steps_and_is_done_only_while_nothing_is_master_here():
    wish = Wish(drain=True, instances=frozenset("a"))
    state = tracks.step(TrackState(), wish, {"a": State.MASTER}, 0.0)
    assert tracks.contents(state, wish)["drain"] == FAULT
    state = tracks.step(state, wish, {"a": State.FAULT}, 0.001)
    assert tracks.contents(state, wish)["drain"] == LAST
    assert state.drain is Drain.LOWERED
    state = tracks.step(state, wish, {"a": State.BACKUP}, 0.001 + tracks.SETTLE)
    assert state.drain is Drain.DONE
    assert tracks.step(state, wish, {"a": State.MASTER}, 9.0).drain is Drain.LOWERED


@given(st.lists(st.sampled_from(list(Answer)), max_size=50))
def test_health_turns_only_after_enough_answers_in_a_row_and_silence_changes_nothing(answers):
    verdict, row = Verdict(), []
    for answer in answers:
        after = verdict.after(answer)
        if answer is Answer.NONE:
            assert after == verdict
            continue
        row.append(answer)
        if after.healthy != verdict.healthy:
            needed = FALL if verdict.healthy else RISE
            assert len(set(row[-needed:])) == 1
            assert len(row) >= needed
        verdict = after


def test_kube_proxy_s_answers_are_read_by_their_count_and_else_by_their_status():
    assert read_answer(503, b'{"localEndpoints": 0}') is Answer.NO
    assert read_answer(200, b'{"service": {}, "localEndpoints": 2}') is Answer.YES
    assert read_answer(503, b"no") is Answer.NO
    assert read_answer(200, b"") is Answer.YES
    assert read_answer(404, b"what?") is Answer.NONE


JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def merged(target, patch):
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_the_patch_turns_one_object_into_the_other_and_is_empty_when_they_are_equal(before, after):
    patch = merge_diff(before, after)
    assert merged(before, patch) == after
    assert merge_diff(after, after) == {}
