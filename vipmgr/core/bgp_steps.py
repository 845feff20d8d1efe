"""What gobgpd holds and what it should -> the calls in between, in an order that loses no packet.

Routes that are not to be go first; then sessions that are not to be; then policies, before any route or session that
needs them, and what stands is looked at through the new ones; routes before new sessions, so that a router hears all of
them at once (and a restart with graceful restart has no gap); policies nobody needs last. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, assert_never

from msgspec import structs

from vipmgr.core.bgp_policy import digest
from vipmgr.core.bgp_routes import Route
from vipmgr.core.node_bgp import NodeBgp, NodeBgpPeer, NodeBgpPolicy

POLICY: Final = "policy"
"""what a refused step of Rules or Chain is about, where others have the address of a session"""


class Session(NamedTuple):
    """A session as gobgpd is told of it. `settings`: without the BgpPeer's name and where the password is."""

    settings: NodeBgpPeer
    password: str

    def __repr__(self) -> str:
        """Without the password: values end up in logs."""
        return f"Session({self.settings!r})"


class Gate(NamedTuple):
    """The export policy of one session: what carries neither `tag` nor the tag of all is stopped, the rest goes on
    without tags. `next_hop_v6`: of IPv6 routes, when the session is over IPv4."""

    address: str
    tag: str
    next_hop_v6: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's own policies, by their digest ("": there are none): gobgpd tells no more of them."""

    digest: str = ""
    policy: NodeBgpPolicy | None = field(default=None, compare=False)


class Chain(NamedTuple):
    """What is in force: every route to a router passes the gates, then the rules."""

    gates: frozenset[Gate] = frozenset()
    rules: Rules = Rules()


@dataclass(frozen=True, slots=True)
class Speaker:
    """All that gobgpd knows. `head`: the plan as far as a session cannot outlive a change; None: it was not started.
    `gates`, `rules`: that are there; `chain`: what is in force of them, None: not even that nothing is let in.
    `graceful`: routers that know of it keep the routes while it restarts. Neither of the last two is ever wanted."""

    head: NodeBgp | None = None
    gates: frozenset[Gate] = frozenset()
    rules: Rules = Rules()
    chain: Chain | None = None
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


class LoadRules(NamedTuple):
    rules: Rules


class DropRules(NamedTuple):
    rules: Rules


class Enforce(NamedTuple):
    chain: Chain


class Resend(NamedTuple):
    """All routes of one session through its policies; what these stop now is withdrawn."""

    address: str


class AddSession(NamedTuple):
    session: Session


class ChangeSession(NamedTuple):
    session: Session


class DropSession(NamedTuple):
    address: str


Step = (
    Stop | Start | Routes | OpenGate | CloseGate | LoadRules | DropRules | Enforce | Resend | AddSession | ChangeSession
    | DropSession
)  # fmt: skip


def steps(held: Speaker, wanted: Speaker) -> list[Step]:
    """Empty when nothing differs. What cannot be changed while it speaks (AS, identifier, port) costs every session."""
    found: list[Step] = []
    if held.head != wanted.head:
        if held.head is not None:
            found.append(Stop(graceful=wanted.head is not None and wanted.graceful))
        held = Speaker()
        if wanted.head is not None:
            found.append(Start(wanted.head))
    if wanted.head is None:
        return found
    gone = [route for prefix, route in held.routes.items() if prefix not in wanted.routes]
    if gone:
        found.append(Routes(gone, ()))
    found += [DropSession(address) for address in held.sessions if address not in wanted.sessions]
    found += _filters(held, wanted)
    found += _contents(held, wanted)
    found += [CloseGate(gate) for gate in sorted(held.gates - wanted.gates)]
    if held.rules != wanted.rules and held.rules.digest:
        found.append(DropRules(held.rules))
    return found


def _contents(held: Speaker, wanted: Speaker) -> Iterator[Step]:
    """Routes and sessions. Other rules for incoming routes may have changed routes or kept them out: all are told."""
    others = held.rules != wanted.rules
    new = [route for prefix, route in wanted.routes.items() if others or held.routes.get(prefix) != route]
    if new:
        yield Routes((), new)
    for address, session in wanted.sessions.items():
        there = held.sessions.get(address)
        if there is None:
            yield AddSession(session)
        elif there != session:
            yield ChangeSession(session)


def _filters(held: Speaker, wanted: Speaker) -> Iterator[Step]:
    """New policies, their place, and every session that stays through them once more."""
    chain = Chain(wanted.gates, wanted.rules)
    if held.chain == chain:
        return
    for gate in sorted(wanted.gates - held.gates):
        yield OpenGate(gate)
    if wanted.rules != held.rules and wanted.rules.digest:
        yield LoadRules(wanted.rules)
    yield Enforce(chain)
    for address in sorted(held.sessions.keys() & wanted.sessions.keys()):
        if wanted.rules != held.rules or _of(address, wanted.gates) != _of(address, held.gates):
            yield Resend(address)


def _of(address: str, gates: Iterable[Gate]) -> set[Gate]:
    return {gate for gate in gates if gate.address == address}


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
        case AddSession(session) | ChangeSession(session):
            return replace(held, sessions={**held.sessions, session.settings.address: session})
        case DropSession(address):
            return replace(held, sessions={key: one for key, one in held.sessions.items() if key != address})
    return _after_filter(held, step)


def _after_filter(held: Speaker, step: OpenGate | CloseGate | LoadRules | DropRules | Enforce | Resend) -> Speaker:
    match step:
        case OpenGate(gate):
            return replace(held, gates=held.gates | {gate})
        case CloseGate(gate):
            return replace(held, gates=held.gates - {gate})
        case LoadRules(rules):
            return replace(held, rules=rules)
        case Enforce(chain):
            return replace(held, chain=chain, rules=chain.rules)
        case Resend() | DropRules():
            return held
    assert_never(step)


def head_of(plan: NodeBgp) -> NodeBgp:
    return structs.replace(
        plan, peers=(), routes=(), next_hop_v6="", graceful_restart=None, policy=None, policy_unreadable=False
    )


def rules_of(plan: NodeBgp) -> Rules:
    return Rules(digest(plan.policy), plan.policy) if plan.policy is not None else Rules()


def settings_of(peer: NodeBgpPeer, asn: int) -> NodeBgpPeer:
    """`asn`: the node's own, which gobgpd shows where a session has none."""
    own = peer.local_asn or asn
    return structs.replace(peer, name="", interface="", password="", password_generation=0, local_asn=own)
