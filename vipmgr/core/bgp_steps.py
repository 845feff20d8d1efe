"""What gobgpd holds and what it should -> the calls in between, in an order that loses no packet.

Routes that are not to be go first; then sessions that are not to be; then policies, before any route or session that
needs them; routes before new sessions, so that a router hears all of them at once (and a restart with graceful restart
has no gap); policies nobody needs last. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from msgspec import structs

from vipmgr.core.bgp_routes import Route
from vipmgr.core.node_bgp import NodeBgp, NodeBgpPeer


class Session(NamedTuple):
    """A session as gobgpd is told of it. `settings`: without the BgpPeer's name and where the password is."""

    settings: NodeBgpPeer
    password: str

    def __repr__(self) -> str:
        """Without the password: values end up in logs."""
        return f"Session({self.settings!r})"


class Gate(NamedTuple):
    """The export policy of one session: what carries `tag`, or the tag of all, may pass. `next_hop_v6`: of IPv6 routes,
    when the session is over IPv4."""

    address: str
    tag: str
    next_hop_v6: str = ""


@dataclass(frozen=True, slots=True)
class Speaker:
    """All that gobgpd knows. `head`: the plan as far as a session cannot outlive a change; None: it was not started.
    `graceful`: routers that know of it keep the routes while it restarts; not part of any comparison."""

    head: NodeBgp | None = None
    gates: frozenset[Gate] = frozenset()
    routes: Mapping[str, Route] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    graceful: bool = False


class Stop(NamedTuple):
    graceful: bool


class Start(NamedTuple):
    head: NodeBgp


class Routes(NamedTuple):
    withdrawn: Sequence[Route]
    announced: Sequence[Route]


class OpenGate(NamedTuple):
    gate: Gate


class CloseGate(NamedTuple):
    gate: Gate


class AddSession(NamedTuple):
    session: Session


class ChangeSession(NamedTuple):
    session: Session


class DropSession(NamedTuple):
    address: str


Step = Stop | Start | Routes | OpenGate | CloseGate | AddSession | ChangeSession | DropSession


def steps(held: Speaker, wanted: Speaker) -> list[Step]:
    """Empty when nothing differs. What cannot be changed while it speaks (AS, identifier, port) costs every session."""
    found: list[Step] = []
    if held.head != wanted.head:
        if held.head is not None:
            found.append(Stop(graceful=wanted.head is not None and wanted.graceful))
        held = Speaker()
        if wanted.head is None:
            return found
        found.append(Start(wanted.head))
    gone = [route for prefix, route in held.routes.items() if prefix not in wanted.routes]
    if gone:
        found.append(Routes(gone, ()))
    found += [DropSession(address) for address in held.sessions if address not in wanted.sessions]
    found += [OpenGate(gate) for gate in sorted(wanted.gates - held.gates)]
    new = [route for prefix, route in wanted.routes.items() if held.routes.get(prefix) != route]
    if new:
        found.append(Routes((), new))
    for address, session in wanted.sessions.items():
        there = held.sessions.get(address)
        if there is None:
            found.append(AddSession(session))
        elif there != session:
            found.append(ChangeSession(session))
    return found + [CloseGate(gate) for gate in sorted(held.gates - wanted.gates)]


def after(held: Speaker, step: Step) -> Speaker:
    """What gobgpd holds once a step is done."""
    match step:
        case Stop():
            return Speaker()
        case Start(head):
            return Speaker(head=head)
        case Routes(withdrawn, announced):
            routes = dict(held.routes)
            for route in withdrawn:
                routes.pop(route.prefix, None)
            routes |= {route.prefix: route for route in announced}
            return replace(held, routes=routes)
        case OpenGate(gate):
            return replace(held, gates=held.gates | {gate})
        case CloseGate(gate):
            return replace(held, gates=held.gates - {gate})
        case AddSession(session) | ChangeSession(session):
            return replace(held, sessions={**held.sessions, session.settings.address: session})
        case DropSession(address):
            return replace(held, sessions={key: one for key, one in held.sessions.items() if key != address})
    assert_never(step)


def head_of(plan: NodeBgp) -> NodeBgp:
    return structs.replace(plan, peers=(), routes=(), next_hop_v6="", graceful_restart=None)


def settings_of(peer: NodeBgpPeer, asn: int) -> NodeBgpPeer:
    """`asn`: the node's own, which gobgpd shows where a session has none."""
    return structs.replace(peer, name="", password="", password_generation=0, local_asn=peer.local_asn or asn)
