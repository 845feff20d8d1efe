"""Whose agents have just spoken on the wire: one answer of a station stands for all its addresses on an interface."""

from __future__ import annotations

from collections.abc import Mapping

from vipmgr.core.layer2_view import Peer
from vipmgr.core.model import NodeName
from vipmgr.core.respond import Standing
from vipmgr.node.layer2_watch import Watch


class Vouchers:
    """When each station (interface index, MAC) spoke last, on the clock of the machine."""

    def __init__(self) -> None:
        self._spoke: dict[tuple[int, bytes], float] = {}

    def heard(self, index: int, mac: bytes, now: float, pause: float) -> bool:
        """That station's agent lives. False: that was known, for less than `pause` seconds."""
        if now - self._spoke.get((index, mac), -pause) < pause:
            return False
        self._spoke[index, mac] = now
        return True

    def spoke(self, index: int, mac: bytes, now: float, pause: float) -> float | None:
        """When it spoke, if that is less than `pause` seconds ago."""
        at = self._spoke.get((index, mac))
        return at if at is not None and now - at < pause else None


def epoch_vouched_for(one: Watch, mac: bytes, peers: Mapping[NodeName, Peer]) -> int | None:
    """The claim that the word of the station at `mac` stands for: it is the one believed to have this address, heard
    under that claim before, or its Lease says so. What it lost meanwhile its Lease tells."""
    state = one.state
    if state.rival is None or state.standing is Standing.OWNER:
        return None
    epoch, node = state.rival
    if not any(known.node == node and known.mac == mac for known in one.vip.candidates):
        return None
    peer = peers.get(node)
    trusted = state.contact >= epoch or (peer is not None and peer.claims.get(one.vip.address) == epoch)
    return epoch if trusted else None
