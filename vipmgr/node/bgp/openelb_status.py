"""BgpConf.status.nodesConfStatus and BgpPeer.status.nodesPeerStatus: this node's own entry, in OpenELB's shape.

Each node applies its entry under a field manager of its own (server-side apply), so no node can erase another's,
however late it writes. A session that comes or goes is written at once; counters alone every few minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from vipmgr.core.node_bgp import DEFAULT
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client, NotFoundError, Patch
from vipmgr.kube.resources import BGP_CONFS, BGP_PEERS
from vipmgr.log import get_log
from vipmgr.node.bgp import gobgp_pb2 as pb
from vipmgr.node.journal import utc

if TYPE_CHECKING:
    from vipmgr.node.bgp.speaker import Speaker

log = get_log(__name__)

WINDOW: Final = 0.2
COUNTERS_SECONDS: Final = 300.0
_AGAIN_SECONDS: Final = 5.0

Entry = dict[str, Any]


class OpenElbStatus:
    def __init__(self, node: str, speaker: Speaker) -> None:
        self._node = node
        self._speaker = speaker
        self._news = asyncio.Event()
        self._conf: Entry = {}
        self._peers: dict[str, tuple[tuple[str, ...], float]] = {}
        """BgpPeer -> what was written last that counts, and when"""

    def wake(self) -> None:
        self._news.set()

    async def run(self, client: Client) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), COUNTERS_SECONDS)
            await asyncio.sleep(WINDOW)
            self._news.clear()
            try:
                await self._write(client)
            except TemporaryError as error:
                log.warning("bgp_status.not_written", error=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                self._news.set()

    async def _write(self, client: Client) -> None:
        plan = self._speaker.plan
        conf: Entry = {"as": plan.asn, "routerId": plan.router_id} if plan is not None else {}
        if conf != self._conf:
            body = {"status": {"nodesConfStatus": {self._node: conf}} if conf else {}}
            await self._apply(client, BGP_CONFS, DEFAULT, body)
            self._conf = conf
        now = time.monotonic()
        listed = self._speaker.sessions.listed()
        for name, peer in listed.items():
            counts, written = self._peers.get(name, ((), 0.0))
            fresh = _what_counts(peer)
            if fresh != counts or now - written > COUNTERS_SECONDS:
                await self._apply(client, BGP_PEERS, name, {"status": {"nodesPeerStatus": {self._node: entry(peer)}}})
                self._peers[name] = (fresh, now)
        for name in self._peers.keys() - listed.keys():
            await self._apply(client, BGP_PEERS, name, {"status": {}})
            del self._peers[name]

    async def _apply(self, client: Client, resource: Any, name: str, body: Entry) -> None:
        """An object that was deleted meanwhile needs no status."""
        manager = f"vipmgr-agent-{self._node}"
        with contextlib.suppress(NotFoundError):
            named = body | {"metadata": {"name": name}}
            await client.patch(resource, name, named, subresource="status", kind=Patch.APPLY, field_manager=manager)


def _what_counts(peer: pb.Peer) -> tuple[str, ...]:
    state = peer.state
    return (str(state.session_state), str(state.admin_state), str(state.peer_asn), str(state.flops), state.router_id)


def entry(peer: pb.Peer) -> Entry:
    """One node's view of one session, by OpenELB's names and types (64-bit numbers as text). Never the password."""
    state, timers = peer.state, peer.timers.state
    return {
        "peerState": {
            "adminState": pb.PeerState.AdminState.Name(state.admin_state).removeprefix("ADMIN_STATE_"),
            "flops": state.flops,
            "localAs": state.local_asn,
            "messages": {"received": _counts(state.messages.received), "sent": _counts(state.messages.sent)},
            "neighborAddress": state.neighbor_address,
            "outQ": state.out_q,
            "peerAs": state.peer_asn,
            "peerGroup": state.peer_group,
            "peerType": max(0, state.type - 1),
            "queues": {"input": state.queues.input, "output": state.queues.output},
            "removePrivateAs": state.remove_private,
            "routeFlapDamping": state.route_flap_damping,
            "routerId": state.router_id,
            "sendCommunity": state.send_community,
            "sessionState": pb.PeerState.SessionState.Name(state.session_state).removeprefix("SESSION_STATE_"),
        },
        "timersState": {
            "connectRetry": str(timers.connect_retry),
            "downtime": utc(timers.downtime.ToSeconds()) if timers.HasField("downtime") else "",
            "holdTime": str(timers.hold_time),
            "keepaliveInterval": str(timers.keepalive_interval),
            "minimumAdvertisementInterval": str(timers.minimum_advertisement_interval),
            "negotiatedHoldTime": str(timers.negotiated_hold_time),
            "uptime": utc(timers.uptime.ToSeconds()) if timers.HasField("uptime") else "",
        },
    }


def _counts(found: pb.Message) -> Entry:
    return {
        "discarded": str(found.discarded),
        "keepalive": str(found.keepalive),
        "notification": str(found.notification),
        "open": str(found.open),
        "refresh": str(found.refresh),
        "total": str(found.total),
        "update": str(found.update),
        "withdrawPrefix": str(found.withdraw_prefix),
        "withdrawUpdate": str(found.withdraw_update),
    }
