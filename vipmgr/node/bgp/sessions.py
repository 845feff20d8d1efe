"""The sessions as gobgpd tells of them: their states, the audit lines of coming up and going down, what is reported."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vipmgr.core.audit_line import AuditLine, Event
from vipmgr.core.bgp_loss import Loss, Tally, why
from vipmgr.core.bgp_report import ESTABLISHED
from vipmgr.core.node_bgp import NodeBgpPeer, NodeBgpSession
from vipmgr.node.bgp import gobgp_pb2 as pb
from vipmgr.node.journal import Journal, utc

_RESET_SECONDS: Final = 2.0
"""a loss so soon after a change of settings is of it"""
_UNDER_WAY: Final = ("OPENSENT", "OPENCONFIRM", ESTABLISHED)


@dataclass(slots=True)
class _Session:
    state: str
    since: float
    reason: str = ""
    losses: int = 0
    last: pb.Peer | None = None


class Sessions:
    """Events alone move a session: a list may be ahead of those under way, which would seem to go back then. Lists have
    the counters. A watch begins with an event for every session."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, _Session] = {}
        self._planned: dict[str, NodeBgpPeer] = {}
        self._places: dict[str, str] = {}
        """address, as gobgpd has it -> NodeBgpPeer.place, the key of the others"""
        self._told: dict[str, float] = {}
        self.changes = 0
        self.fallen: set[str] = set()
        """addresses of sessions that went down while they stood or came up; whoever reads it clears it"""

    def expect(self, peers: Sequence[NodeBgpPeer]) -> None:
        """The sessions of the plan; others are forgotten. Without an address: the router is not found yet."""
        planned = {peer.place: peer for peer in peers}
        for place in self._known.keys() - planned.keys():
            self._leave(place, Loss.DECONFIGURED)
            del self._known[place]
        for place in self._known:
            if self._planned[place].address != planned[place].address:
                self._leave(place, Loss.RECONFIGURED)
        self._planned = planned
        self._places = {peer.address: place for place, peer in planned.items() if peer.address}

    def place(self, address: str) -> str:
        """What the session with that address is called; the same where there is none."""
        return self._places.get(address, address)

    def stands(self, place: str) -> bool:
        return place in self._known and self._known[place].state == ESTABLISHED

    def falls(self, event: pb.Peer) -> bool:
        """Whether a session that stood does not any more: its counters say why, as long as it is not made anew."""
        return self.stands(self.place(_address(event))) and _state(event) != ESTABLISHED

    def reconfigured(self, address: str) -> None:
        """It was told other settings just now."""
        self._told[address] = time.monotonic()

    def heard(self, event: pb.Peer, counted: pb.Peer | None = None) -> bool:
        """`counted`: as listed right after the event. True: the session changed its state."""
        place = self._places.get(_address(event))
        if place is None:
            return False
        state = _state(event)
        known = self._known.setdefault(place, _Session("IDLE", time.time()))
        if state == known.state:
            return False
        told = time.monotonic() - self._told.get(_address(event), -_RESET_SECONDS) < _RESET_SECONDS
        reason = Loss.RECONFIGURED if told else why(_tally(known.last), _tally(counted))
        self._moved(place, known, state, event, reason)
        return True

    def count(self, peer: pb.Peer) -> None:
        """As listed."""
        place = self._places.get(_address(peer))
        if place is not None:
            self._known.setdefault(place, _Session("IDLE", time.time())).last = peer

    def lost_all(self) -> None:
        """gobgpd is gone, and every session with it."""
        for place in self._known:
            self._leave(place, Loss.ENDED)

    def up(self) -> int:
        return sum(one.state == ESTABLISHED for one in self._known.values())

    def report(self) -> list[NodeBgpSession]:
        found = []
        for place, peer in sorted(self._planned.items(), key=lambda item: item[1].name):
            one = self._known.get(place)
            if one is None:
                found.append(NodeBgpSession(peer=peer.name, address=place, state="IDLE"))
                continue
            found.append(
                NodeBgpSession(
                    peer=peer.name,
                    address=place,
                    state=one.state,
                    asn=one.last.state.peer_asn if one.last is not None else 0,
                    since=utc(one.since),
                    reason=one.reason,
                    bfd=_bfd(one.last),
                    losses=one.losses,
                )
            )
        return found

    def listed(self) -> Mapping[str, pb.Peer]:
        """BgpPeer -> what gobgpd last said of it, for OpenELB's status."""
        return {self._planned[place].name: one.last for place, one in self._known.items() if one.last is not None}

    def _moved(self, place: str, known: _Session, state: str, peer: pb.Peer, reason: Loss) -> None:
        planned = self._planned[place]
        before, known.state = known.state, state
        if state == "IDLE" and before in _UNDER_WAY:
            self.fallen.add(planned.address)
        known.since = time.time()
        if ESTABLISHED not in (before, state):
            return
        self.changes += 1
        line = AuditLine(event=Event.BGP_SESSION, peer=planned.name, address=place, from_=before, to=state)
        if state == ESTABLISHED:
            line.asn, line.kept_seconds = peer.state.peer_asn, _kept_seconds(planned)
            line.families = tuple(one.family for one in planned.families)
        else:
            known.losses += 1
            known.reason = line.reason = reason
        self._journal.write(line)

    def _leave(self, place: str, reason: Loss) -> None:
        known = self._known[place]
        if known.state == ESTABLISHED:
            known.losses += 1
            self.changes += 1
            line = AuditLine(event=Event.BGP_SESSION, peer=self._planned[place].name, address=place)
            line.from_, line.to, line.reason = known.state, "IDLE", reason
            self._journal.write(line)
        known.state, known.since, known.reason = "IDLE", time.time(), reason


def _kept_seconds(peer: NodeBgpPeer) -> int:
    """How long the router is asked to keep our routes while gobgpd restarts (RFC 4724); 0: not at all.

    BFD falls with gobgpd, and takes the routes with it whatever was agreed.
    """
    graceful = peer.graceful_restart
    if graceful is None or graceful.helper_only or peer.bfd is not None:
        return 0
    return graceful.restart_time or peer.hold_time


def _address(peer: pb.Peer) -> str:
    return peer.state.neighbor_address or peer.conf.neighbor_address


def _state(peer: pb.Peer) -> str:
    name: str = pb.PeerState.SessionState.Name(peer.state.session_state)
    return name.removeprefix("SESSION_STATE_")


def _tally(peer: pb.Peer | None) -> Tally:
    if peer is None:
        return Tally()
    state = peer.state
    received, sent = state.messages.received, state.messages.sent
    return Tally(
        admin_down=state.admin_state == pb.PeerState.ADMIN_STATE_DOWN,
        received=received.total,
        received_keepalives=received.keepalive,
        received_notifications=received.notification,
        sent_notifications=sent.notification,
        bfd_up=_bfd(peer) == "UP",
        bfd_heard=state.bfd_state.bfd_async.received_packets,
    )


def _bfd(peer: pb.Peer | None) -> str:
    if peer is None or not peer.state.HasField("bfd_state"):
        return ""
    full: str = pb.BfdSessionState.Name(peer.state.bfd_state.session_state)
    name = full.removeprefix("BFD_SESSION_STATE_")
    return "" if name == "UNSPECIFIED" else name
