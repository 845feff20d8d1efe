"""What is remembered never shows: decisions that remember the ones before are those made from nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.cluster import claim, pool
from tests.core.fleet import CLUSTER, NOW, link, report
from vipmgr.core.desire import Steps, desire
from vipmgr.core.memo import Memo
from vipmgr.core.model import NodeFacts, Protocol
from vipmgr.core.render import Renderer
from vipmgr.core.snapshot import Snapshot
from vipmgr.templates import template_text

NODES = ("n1", "n2", "n3")
KEYS = [f"ns/s{number}" for number in range(4)]
HELD = st.sampled_from([[], [], ["10.0.0.100"], ["10.0.0.101"]])
RENDER = Renderer(template_text("keepalived.conf.j2")).spec


@st.composite
def snapshots(draw):
    """Moments of one small cluster: Services come, go and become Local, nodes and endpoints too, pools fill."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    some_nodes = st.frozensets(st.sampled_from(NODES))
    last = draw(st.integers(0, 3))
    pools = [pool("eip-pool", f"10.0.0.100-10.0.0.10{last}", is_default=True, protocol=draw(st.sampled_from(Protocol)))]
    nodes = draw(some_nodes)
    return Snapshot(
        cluster=CLUSTER,
        claims={key: claim(key, local_traffic=draw(st.booleans()), held=draw(HELD)) for key in keys},
        leaving={key: () for key in draw(st.sets(st.sampled_from(KEYS))) if key not in keys},
        pools={one.name: one for one in pools},
        namespaces={"ns": draw(st.sampled_from([{}, {"team": "blue"}]))},
        nodes={name: NodeFacts(name) for name in nodes},
        endpoints={key: draw(some_nodes) for key in keys},
        reports={name: report(name, link("eth0", f"10.0.0.{name[1:]}/24")) for name in nodes},
    )


PARTS = ("claims", "pools", "namespaces", "endpoints", "nodes", "reports", "leaving")


@st.composite
def histories(draw):
    """Moment after moment, of which each differs from the one before in one part, or in none."""
    moments = [draw(snapshots())]
    for part in draw(st.lists(st.sampled_from(PARTS), max_size=6)):
        moments.append(replace(moments[-1], **{part: getattr(draw(snapshots()), part)}))
    return moments


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_decision_that_remembers_is_the_one_made_from_nothing(moments):
    steps = Steps()
    for moment in moments:
        one, other = desire(moment, RENDER, NOW, steps), desire(moment, RENDER, NOW)
        assert one.allocation == other.allocation
        assert (one.vips, one.problems, one.specs) == (other.vips, other.problems, other.specs)
        assert one.placement.instances == other.placement.instances


def test_a_step_whose_input_is_equal_is_not_made_again():
    asked = []

    def total(numbers: dict[str, int], *, more: int = 0) -> int:
        asked.append(dict(numbers))
        return sum(numbers.values()) + more

    memo = Memo(total)
    assert [memo({"a": 1}), memo({"a": 1}), memo({"a": 2}), memo({"a": 2}, more=1), memo({"a": 1})] == [1, 1, 2, 3, 1]
    assert asked == [{"a": 1}, {"a": 2}, {"a": 2}, {"a": 1}]
