"""Who holds an instance, from what the nodes last said, and which moves that makes.

A node that died keeps its last word, MASTER, in its report for ever. So among several masters the latest to become one
is believed; a node that is not Ready counts only while another member still says BACKUP, for then somebody does
advertise. Two Ready masters are called contested at once when an agent heard the other one, else only when they lasted
longer than a dead node keeps looking Ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from vipmgr.core.model import (
    Instance,
    InstanceReport,
    MoveReason,
    NodeFacts,
    NodeName,
    NodeReport,
)

DEAD_NODE_LOOKS_READY: Final = timedelta(seconds=60)
"""node-monitor-grace-period is 40 to 50 s by default"""


@dataclass(frozen=True, slots=True)
class Ownership:
    """VrrpInstance.status as a value. `last`: the last master there was, kept while there is none."""

    master: NodeName = ""
    masters: tuple[NodeName, ...] = ()
    since: str = ""
    transitions: int = 0
    contested: bool = False
    last: NodeName = ""


class Move(NamedTuple):
    """An instance changed hands. `dark_ms`: how long nobody answered, by the timers of RFC 9568; None: not known."""

    instance: Instance
    from_node: NodeName
    to_node: NodeName
    since: str
    reason: str
    dark_ms: float | None


def judge(
    instance: Instance,
    previous: Ownership,
    reports: Mapping[NodeName, NodeReport],
    nodes: Mapping[NodeName, NodeFacts],
    now: datetime,
    advert_ms: int = 100,
) -> tuple[Ownership, Move | None]:
    """The status of one instance now, and the move since `previous` if its master is another one.

    `nodes` are those of the API; a reporting node that is not among them counts as dead.
    """
    said = {
        node: report.instances[instance.name] for node, report in reports.items() if instance.name in report.instances
    }
    masters = _masters(said, nodes)
    master = masters[0] if masters else ""
    changed = bool(master) and master != previous.last
    ownership = Ownership(
        master=master,
        masters=tuple(sorted(masters)),
        since=said[master].since if master else "",
        transitions=previous.transitions + changed,
        contested=_contested(masters, said, nodes, now),
        last=master or previous.last,
    )
    if not changed or not previous.last:
        return ownership, None
    state = said[master]
    dark = dark_time(state.reason, state.priority, advert_ms)
    return ownership, Move(instance, previous.last, master, state.since, state.reason, dark)


def _masters(said: Mapping[NodeName, InstanceReport], nodes: Mapping[NodeName, NodeFacts]) -> list[NodeName]:
    """Believed masters, the latest first."""
    claiming = [node for node, state in said.items() if state.state == "MASTER"]
    ready = [node for node in claiming if _ready(node, nodes)]
    heard = any(state.state == "BACKUP" and _ready(node, nodes) for node, state in said.items())
    believed = ready or (claiming if heard else [])
    return sorted(believed, key=lambda node: (said[node].since, node), reverse=True)


def _ready(node: NodeName, nodes: Mapping[NodeName, NodeFacts]) -> bool:
    return node in nodes and nodes[node].not_ready_since is None


def _contested(
    masters: list[NodeName],
    said: Mapping[NodeName, InstanceReport],
    nodes: Mapping[NodeName, NodeFacts],
    now: datetime,
) -> bool:
    if any(state.contested and _ready(node, nodes) for node, state in said.items()):
        return True
    if len(masters) < 2:
        return False
    latest = _time(said[masters[0]].since)
    return latest is not None and now - latest > DEAD_NODE_LOOKS_READY


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def dark_time(reason: str, priority: int, advert_ms: int) -> float | None:
    """Milliseconds in which nobody was master, RFC 9568 section 6.1: the skew time after a priority of zero, three
    adverts more when the master fell silent. None when the timers do not tell."""
    skew = (256 - priority) * advert_ms / 256
    match reason:
        case MoveReason.ADVERT_TIMEOUT:
            return 3 * advert_ms + skew
        case MoveReason.PRIORITY_ZERO:
            return skew
        case MoveReason.HIGHER_PRIORITY | MoveReason.LOWER_PRIORITY:
            return 0.0
        case _:
            return None


def sentence(move: Move, what: str) -> str:
    """VIP 10.0.0.5 moved n1 -> n2 in about 301 ms: advertisement timeout"""
    dark = "" if move.dark_ms is None else f" in about {move.dark_ms:.0f} ms"
    reason = move.reason.replace("-", " ")
    return f"{what} moved {move.from_node} -> {move.to_node}{dark}" + (f": {reason}" if reason else "")
