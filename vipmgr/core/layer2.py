"""Who answers for a layer2 address: ownership among the candidate nodes of a plan.

Each agent runs this machine for every layer2 address it is a candidate for. What it knows of the others comes from
their Leases (claims, offers, what they cannot serve) and from the wire (probes answered, announcements heard). An
owner's claim has an *epoch*, one higher than the claim it took over; it stands in the Lease and rides on every ARP and
ND message of the owner. Of two claims the higher (epoch, rank) wins, wherever they meet. From that follow

- at most one owner among agents that hear each other: whoever hears a higher claim falls silent at once;
- nobody takes over from an owner that still answers: a takeover needs `misses` unanswered probes, Lease or no Lease.
  So an owner that lost the API server keeps its addresses, and a dead one is replaced in misses x probe_interval;
- silence proves nothing to a node that hears nobody at all: it may itself be the one that is cut off. While the owner's
  Lease lives, or others could serve, it takes over only if frames reached it meanwhile;
- no move when a node returns: it finds a claim and stands by (non-revertive).

Pure: `step` is a function of what is known and the time; the shell (node/layer2.py) carries out the effects.
docs/decisions/0010-layer2-ownership.md has the argument in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor
from typing import Final, NamedTuple

from vipmgr.core.layer2_view import Obstacle, Peer, View
from vipmgr.core.model import Address, NodeName
from vipmgr.core.neighbour import Mac
from vipmgr.core.respond import Standing


class Cause(StrEnum):
    """Why the standing changed; `evidence` of the audit line."""

    FIRST_CLAIM = "nobody owned it"
    RELEASED = "the owner released it"
    OFFERED = "the owner handed it over"
    SILENT = "the owner answered no probe"
    HANDED_OVER = "the next node has it"
    OUTBID = "a newer claim was heard"
    OBSTACLE = "this node may not serve it"
    SLEPT = "this agent was not scheduled"
    CONFIRMED = "nobody else answered"


@dataclass(frozen=True, slots=True)
class State:
    """What this node remembers of one address.

    `epoch`: of our own claim while owner or in doubt, else the highest heard. `rival`: (epoch, node) of the highest
    claim known of another node. `contact`: the epoch under which its owner was last heard on the wire, `told`: the
    highest that a Lease showed. `alive_at`: when the owner, whoever it is, surely still answered; None: nobody knows.
    `unanswered`: probes in a row, the first at `asked_at`; `frames`: how many frames the interface had received before
    that. `stranger`: a station that is none of ours and uses the address.
    """

    standing: Standing = Standing.STANDBY
    epoch: int = 0
    rival: tuple[int, NodeName] | None = None
    contact: int = 0
    told: int = 0
    alive_at: float | None = None
    unanswered: int = 0
    asked_at: float = 0.0
    frames: int = 0
    probe_due: float = 0.0
    doubt_until: float = 0.0
    offered: NodeName | None = None
    offered_until: float = 0.0
    announced: int = 0
    announce_due: float = 0.0
    stranger: Mac | None = None
    stranger_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask on the wire who has the address; to one station, or (None) to all."""

    address: Address
    interface: str
    destination: Mac | None


@dataclass(frozen=True, slots=True)
class Announce:
    address: Address
    interface: str
    epoch: int


class Unanswered(NamedTuple):
    """For how many seconds nobody had answered: at least and at most (None: nobody knows)."""

    least: float
    most: float | None


@dataclass(frozen=True, slots=True)
class Moved:
    """The standing changed: an audit line, and a reason to write the Lease.

    `since`: when it really did, if that was before now. `dark`: how long nobody answered before this node did.
    """

    address: Address
    standing: Standing
    cause: Cause
    other: NodeName | None
    since: float | None = None
    dark: Unanswered | None = None


Effect = Probe | Announce | Moved

_ALOUD: Final = 2
_LEASE_NEWS: Final = 0.1
"""seconds in which a renewal reaches the other agents"""


def step(view: View, state: State, now: float) -> tuple[State, tuple[Effect, ...]]:
    """One look at one address: the new state and what to do. Calling it again at the same time does nothing more."""
    rival = _rival(view, state)
    if state.standing is Standing.STANDBY:
        told = max((peer.claims.get(view.vip.address, 0) for peer in view.peers.values()), default=0)
        epoch = max(state.epoch, rival[0] if rival else 0)
        known = replace(state, epoch=epoch, rival=rival, told=max(state.told, told))
        return _stand_by(view, known, rival, now)
    if rival is not None and _beats(view, rival, state.epoch):
        lost = State(epoch=rival[0], rival=rival, contact=state.contact)
        cause = Cause.OUTBID if state.offered is None else Cause.HANDED_OVER  # whoever it is: its MAC may be a new one
        return lost, (_moved(view, lost, cause, rival[1]),)
    if state.standing is Standing.DOUBT:
        return _doubt(view, state, now)
    return _own(view, state, now)


def slept(view: View, state: State, since: float, now: float) -> tuple[State, tuple[Effect, ...]]:
    """This agent was not scheduled for longer than `Timings.sleep`, or starts with a claim of its own in its Lease.

    `since`: when it was last at work.
    """
    if state.standing is not Standing.OWNER:
        return state, ()
    doubting = replace(state, standing=Standing.DOUBT, alive_at=since, doubt_until=now + view.timings.doubt)
    vip = view.vip
    fell_silent = Moved(vip.address, Standing.DOUBT, Cause.SLEPT, None, since=since)
    return doubting, (fell_silent, Probe(vip.address, vip.interface, None))


def heard(view: View, state: State, mac: Mac, epoch: int | None, now: float) -> State:
    """Another station spoke for the address, on the wire. An owner whose claim is the newer one says so once more."""
    node = next((one.node for one in view.vip.candidates if one.mac == mac), None)
    if node is None and epoch is None:
        return replace(state, stranger=mac, stranger_until=now + view.timings.refresh)
    known = state.rival[0] if state.rival else 0
    rival = state.rival if epoch is None or epoch < known else (epoch, node or mac.hex(":"))
    asked = state.asked_at if state.unanswered else now  # it may have answered then already
    known_now = replace(
        state, unanswered=0, rival=rival, contact=max(state.contact, epoch or 0), alive_at=min(asked, now)
    )
    if state.standing is Standing.OWNER and state.announced and (rival is None or not _beats(view, rival, state.epoch)):
        return replace(known_now, announced=0, announce_due=now)
    return known_now


def claims(states: Mapping[Address, State]) -> dict[Address, int]:
    """What the Lease says this node owns. A doubted claim still stands: it is ours until somebody outbids it."""
    return {one: state.epoch for one, state in states.items() if state.standing is not Standing.STANDBY}


def _rival(view: View, state: State) -> tuple[int, NodeName] | None:
    """The highest claim of another node, by Lease or by wire."""
    address = view.vip.address
    told = [(peer.claims[address], peer.node) for peer in view.peers.values() if address in peer.claims]
    if state.rival is not None:
        told.append(state.rival)
    return max(told, key=lambda one: (one[0], -view.vip.rank(one[1])), default=None)


def _beats(view: View, rival: tuple[int, NodeName], epoch: int) -> bool:
    return (rival[0], -view.vip.rank(rival[1])) > (epoch, -view.vip.rank(view.node))


def _stand_by(
    view: View, state: State, rival: tuple[int, NodeName] | None, now: float
) -> tuple[State, tuple[Effect, ...]]:
    if state.unanswered == 0:
        state = replace(state, frames=view.frames)
    if view.obstacle is not None or not view.synced:
        return replace(state, unanswered=0), ()
    if state.stranger is not None and now < state.stranger_until:
        return state, ()  # RFC 5227 2.1: never claim an address that somebody uses
    address = view.vip.address
    holder = view.peers.get(rival[1]) if rival else None
    claimed = holder is not None and address in holder.claims
    if holder is not None and claimed and holder.offers.get(address) == view.node:
        return _take(view, state, Cause.OFFERED, holder.node, now)
    place = _place(view, exclude=rival[1] if rival and claimed else None)
    fresh = holder is not None and holder.fresh
    if holder is not None and fresh and not claimed and place == 0 and rival is not None and state.told >= rival[0]:
        return _take(view, state, Cause.RELEASED, holder.node, now)
    leased = claimed and fresh
    if place > 1 or (leased and holder is not None and not _to_be_asked(view, holder, now)):
        return replace(state, unanswered=0), ()  # others are nearer; when they die too, their Leases say so
    never_met = leased and rival is not None and state.contact < rival[0]
    if never_met or _may_be_deaf(view, state, rival, fresh=fresh):
        # Never heard under this claim, yet its Lease is renewed: the segment may be split, and this node on the wrong
        # side. Silence proves nothing then; keep asking until there was contact once, or the Lease runs out.
        state = replace(state, unanswered=min(state.unanswered, view.timings.misses - 1))
    return _probe(view, state, rival[1] if rival else None, place, now)


def _to_be_asked(view: View, holder: Peer, now: float) -> bool:
    """Always; with Leases alone so late that the questions stay unanswered just when the Lease has run out."""
    timings = view.timings
    return timings.watch or now - holder.renewed_at >= timings.lease_expiry - timings.misses * timings.probe_interval


def _may_be_deaf(view: View, state: State, rival: tuple[int, NodeName] | None, *, fresh: bool) -> bool:
    """Nothing at all has come in since the silence began, and there is somebody who should be heard or could serve."""
    holder = rival[1] if rival else None
    others = any(_able(view, one.node) for one in view.vip.candidates if one.node not in (view.node, holder))
    return view.frames <= state.frames and (fresh or others)


def _probe(
    view: View, state: State, holder: NodeName | None, place: int, now: float
) -> tuple[State, tuple[Effect, ...]]:
    """The next probe when it is due; the address itself when enough stayed unanswered.

    The first goes to the holder alone: the shell sends one for all the addresses that it asks the same station about.
    From the second unanswered on everybody is asked for this very address: a holder whose network card was changed must
    be found, too, and the others in the ranking hear that this node's wire is alive.
    """
    if now < state.probe_due:
        return state, ()
    timings = view.timings
    if state.unanswered >= timings.misses + timings.patience * place:
        return _take(view, state, Cause.SILENT if holder else Cause.FIRST_CLAIM, holder, now)
    first = state.asked_at if state.unanswered else now
    due = _next_round(now, timings.probe_interval)
    asked = replace(state, unanswered=state.unanswered + 1, asked_at=first, probe_due=due)
    mac = next((one.mac for one in view.vip.candidates if one.node == holder), None)
    to = mac if asked.unanswered < _ALOUD else None
    return asked, (Probe(view.vip.address, view.vip.interface, to),)


def _next_round(now: float, interval: float) -> float:
    """All addresses are asked about in the same rounds, so that one question to a holder can stand for them all."""
    return (floor(now / interval + 1e-6) + 1) * interval


def _place(view: View, exclude: NodeName | None) -> int:
    """How many candidates stand before this node: alive, able, and not the holder in question."""
    ahead = view.vip.candidates[: view.vip.rank(view.node)]
    return sum(one.node != exclude and _able(view, one.node) for one in ahead)


def _able(view: View, node: NodeName) -> bool:
    peer = view.peers.get(node)
    return peer is not None and peer.fresh and view.vip.address not in peer.unable


def _take(
    view: View, state: State, cause: Cause, other: NodeName | None, now: float
) -> tuple[State, tuple[Effect, ...]]:
    owner = State(standing=Standing.OWNER, epoch=state.epoch + 1, announce_due=now)
    owner, effects = _announce(view, owner, now)
    dark = _unanswered(view, state, other, now) if cause is Cause.SILENT else None
    return owner, (Moved(view.vip.address, owner.standing, cause, other, dark=dark), *effects)


def _unanswered(view: View, state: State, holder: NodeName | None, now: float) -> Unanswered:
    """It was silent from before our first question in vain, at the earliest from its last answer on.

    With Leases alone it was not asked before; but it lived when it last renewed, and no more when that was due again.
    """
    peer = view.peers.get(holder) if holder is not None else None
    met = state.alive_at is not None and (state.rival is None or state.contact >= state.rival[0])
    asked, heard_of = now - state.asked_at, now - state.alive_at if met and state.alive_at is not None else None
    if view.timings.watch or peer is None:
        return Unanswered(asked, heard_of)
    leased = now - peer.renewed_at
    return Unanswered(max(asked, leased - view.timings.renewal), leased + _LEASE_NEWS)


def _doubt(view: View, state: State, now: float) -> tuple[State, tuple[Effect, ...]]:
    if now < state.doubt_until:
        return state, ()
    if view.obstacle is not None:
        return _own(view, replace(state, standing=Standing.OWNER), now)
    owner = replace(state, standing=Standing.OWNER, announced=0, announce_due=now)
    owner, effects = _announce(view, owner, now)
    dark = Unanswered(0.0, now - state.alive_at if state.alive_at is not None else None)
    return owner, (Moved(view.vip.address, owner.standing, Cause.CONFIRMED, None, dark=dark), *effects)


def _own(view: View, state: State, now: float) -> tuple[State, tuple[Effect, ...]]:
    """Keep it; or, when this node may not, offer it to the next in rank and answer on until that one has it."""
    if view.obstacle is None:
        return _announce(view, replace(state, offered=None), now)
    heir = None if view.obstacle.silences_at_once else _heir(view)
    if heir is not None and state.offered != heir:
        until = state.offered_until if state.offered is not None else now + view.timings.handover
        state = replace(state, offered=heir, offered_until=until)
    if view.obstacle is Obstacle.DRAINING:  # the last one standing serves on
        return _announce(view, state if heir is not None else replace(state, offered=None), now)
    if heir is not None and now < state.offered_until:
        return _announce(view, state, now)
    released = State(epoch=state.epoch, contact=state.contact)
    return released, (_moved(view, released, Cause.OBSTACLE, heir),)


def _heir(view: View) -> NodeName | None:
    return next((one.node for one in view.vip.candidates if one.node != view.node and _able(view, one.node)), None)


def _announce(view: View, state: State, now: float) -> tuple[State, tuple[Effect, ...]]:
    if now < state.announce_due:
        return state, ()
    burst = view.timings.burst
    later = state.announced + 1
    wait = burst[later] - burst[later - 1] if later < len(burst) else view.timings.refresh
    done = replace(state, announced=later, announce_due=now + wait)
    return done, (Announce(view.vip.address, view.vip.interface, state.epoch),)


def _moved(view: View, state: State, cause: Cause, other: NodeName | None) -> Moved:
    return Moved(view.vip.address, state.standing, cause, other)
