"""BgpConf.status and BgpPeer.status as far as they are the controller's, and Events about sessions.

The controller says what is wrong with the settings and clears the entries of nodes that are gone; what the nodes say of
themselves they write themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from vipmgr.controller.changes.writes import Notice, Verb, Write, condition, reference, with_condition
from vipmgr.core.bgp_objects import BgpConf, BgpPeer
from vipmgr.core.bgp_report import ESTABLISHED
from vipmgr.core.model import Problem, Reason
from vipmgr.core.node_bgp import NodeBgpSession
from vipmgr.core.wire import Condition, VipNode
from vipmgr.kube.resources import BGP_CONFS, BGP_PEERS, Resource

READY: Final = "Ready"


def report(
    confs: Mapping[str, BgpConf],
    peers: Mapping[str, BgpPeer],
    problems: Collection[Problem],
    nodes: Collection[str],
    now: datetime,
) -> list[Write]:
    """`nodes`: those of the cluster."""
    writes = []
    for name, conf in confs.items():
        gone = _gone(conf.status.nodes_conf_status or {}, nodes)
        writes.append(_write(BGP_CONFS, conf, _about(problems, f"BgpConf/{name}"), {"nodesConfStatus": gone}, now))
    for name, peer in peers.items():
        gone = _gone(peer.status.nodes_peer_status or {}, nodes)
        writes.append(_write(BGP_PEERS, peer, _about(problems, f"BgpPeer/{name}"), {"nodesPeerStatus": gone}, now))
    return [write for write in writes if write is not None]


def _about(problems: Iterable[Problem], what: str) -> list[Problem]:
    return [one for one in problems if one.about == what]


def _gone(entries: Iterable[str], nodes: Collection[str]) -> dict[str, None]:
    return {node: None for node in entries if node not in nodes}


def _write(
    resource: Resource[Any], thing: BgpConf | BgpPeer, problems: list[Problem], entries: dict[str, Any], now: datetime
) -> Write | None:
    before = thing.status.conditions
    old = next((one for one in before or () if one.type == READY), None)
    wrong = [one for one in problems if one.reason is not Reason.FIELD_IGNORED]
    reason = (wrong or problems)[0].reason if problems else "Accepted"
    message = "; ".join(one.message for one in wrong or problems)
    new = condition(before, READY, not wrong, reason, message, now)
    status = {key: value for key, value in entries.items() if value}
    if new is not old:
        status["conditions"] = msgspec.to_builtins(with_condition(before, new))
    if not status:
        return None
    return Write(
        resource,
        Verb.PATCH,
        thing.metadata.name,
        body={"status": status},
        subresource="status",
        notices=_notices(resource, thing, old, new),
    )


def _notices(
    resource: Resource[Any], thing: BgpConf | BgpPeer, old: Condition | None, new: Condition
) -> tuple[Notice, ...]:
    if new is old or (old is None and new.reason == "Accepted"):
        return ()
    about = reference(resource, thing.metadata)
    if new.reason == "Accepted":
        return (Notice(about, "Normal", "Accepted", "Validate", "the settings may be used"),)
    return (Notice(about, "Warning", new.reason, "Validate", new.message),)


class SessionLedger:
    """Events on the BgpPeer for sessions that came up or were lost; a controller that starts takes what it finds."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], bool] | None = None

    def look(self, vip_nodes: Mapping[str, VipNode], peers: Mapping[str, BgpPeer]) -> list[Notice]:
        found = {
            (node, one.peer): one
            for node, there in vip_nodes.items()
            if there.status.bgp is not None
            for one in there.status.bgp.sessions
        }
        up = {key: one.state == ESTABLISHED for key, one in found.items()}
        before, self._last = self._last, up
        if before is None:
            return []
        return [
            _told(node, found[node, peer], peers[peer])
            for node, peer in found
            if peer in peers and up[node, peer] != before.get((node, peer), False)
        ]


def _told(node: str, session: NodeBgpSession, peer: BgpPeer) -> Notice:
    about = reference(BGP_PEERS, peer.metadata)
    who = f"session of {node} with {session.address}"
    if session.state == ESTABLISHED:
        return Notice(about, "Normal", "SessionUp", "Announce", f"{who} (AS {session.asn}) is established")
    return Notice(about, "Warning", "SessionLost", "Announce", f"{who} is lost: {session.reason or session.state}")
