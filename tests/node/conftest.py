from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.rig import Node, Segment, instance, segment, until


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Segment]:
    with segment(tmp_path) as made:
        yield made


@pytest.fixture
def node(wire: Segment) -> Node:
    """A node that is MASTER of p-0 with 10.77.0.200."""
    made = wire.node()
    made.start()
    made.settled(made.plan(instance()))
    until(lambda: made.instance_state() == "MASTER" and made.has("10.77.0.200"))
    return made


@pytest.fixture
def pair(wire: Segment) -> tuple[Node, Node]:
    """Two nodes of p-0: the first is its MASTER, the second its BACKUP."""
    first, second = wire.node(), wire.node()
    for one, priority in ((first, 254), (second, 252)):
        one.start()
        one.settled(one.plan(instance(priority=priority)))
        until(lambda one=one: one.instance_state() in ("MASTER", "BACKUP"))
    until(lambda: first.instance_state() == "MASTER" and second.instance_state() == "BACKUP")
    return first, second
