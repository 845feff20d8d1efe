"""VipNode.status out of what the parts of the agent know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from vipmgr import __version__
from vipmgr.core.kernel_view import Kernel, Link, own_addresses
from vipmgr.core.node_bgp import NodeBgpStatus
from vipmgr.core.node_layer2 import NodeLayer2Status
from vipmgr.core.strangers import Heard
from vipmgr.core.wire import (
    Condition,
    InstanceState,
    KeepalivedStatus,
    NodeInterface,
    Refusal,
    Stranger,
    VipNodeSpec,
    VipNodeStatus,
)
from vipmgr.node.journal import utc

_HEARD_STEP = 60.0
READY: Final = "Ready"
APPLIED: Final = "Applied"
RUNNING: Final = "KeepalivedRunning"


@dataclass(slots=True)
class Facts:
    """What is reported besides the live views; the agent changes these in place. Times are RFC 3339."""

    revision: str = ""
    applied_at: str = ""
    listening_since: str = ""
    refused: Refusal | None = None
    keepalived: KeepalivedStatus = field(default_factory=KeepalivedStatus)
    reach: dict[str, str] = field(default_factory=dict)
    drained: bool = False
    conditions: dict[str, Condition] = field(default_factory=dict)
    stored: VipNodeSpec | None = None
    """the plan last confirmed, this time or before the agent started"""

    def tell(self, type_: str, status: bool, reason: str, message: str, now: str) -> None:
        """Set a condition, and Ready by all of them; a transition time moves only when its status does."""
        self._set(type_, status, reason, message, now)
        wrong = [one for one in self.conditions.values() if one.type != READY and one.status == "False"]
        if wrong:
            self._set(READY, False, wrong[0].reason, wrong[0].message, now)
        elif APPLIED in self.conditions:
            self._set(READY, True, "Confirmed", "", now)
        else:
            self._set(READY, False, "NothingApplied", "no orders of a controller are in force yet", now)

    def _set(self, type_: str, status: bool, reason: str, message: str, now: str) -> None:
        text = "True" if status else "False"
        before = self.conditions.get(type_)
        since = before.last_transition_time if before is not None and before.status == text else now
        self.conditions[type_] = Condition(
            type=type_, status=text, reason=reason, message=message[:1024], last_transition_time=since
        )


def compose(
    facts: Facts,
    interfaces: list[NodeInterface],
    instances: list[InstanceState],
    strangers: list[Stranger],
    audit_sequence: int,
    layer2: NodeLayer2Status | None = None,
    bgp: NodeBgpStatus | None = None,
) -> VipNodeStatus:
    return VipNodeStatus(
        revision=facts.revision,
        applied_at=facts.applied_at,
        agent_version=__version__,
        listening_since=facts.listening_since,
        refused=facts.refused,
        keepalived=facts.keepalived,
        interfaces=interfaces,
        reach=facts.reach or None,
        instances=instances,
        strangers=strangers,
        drained=facts.drained,
        audit_sequence=audit_sequence,
        layer2=layer2,
        bgp=bgp,
        conditions=[facts.conditions[name] for name in sorted(facts.conditions)] or None,
    )


def interfaces_of(kernel: Kernel, plans: Sequence[VipNodeSpec]) -> list[NodeInterface]:
    """Those a VIP could live on: with an address of the node's own, or named by the plan.

    A node has hundreds of interfaces to its pods; those have none, and neither have kube-proxy's dummies any ARP.
    """
    named = {one.interface for plan in plans for one in plan.instances}
    found = []
    for link in sorted(kernel.links.values(), key=lambda link: link.name):
        addresses = own_addresses(kernel, link, plans)
        if link.loopback or not link.arp or not (addresses or link.name in named):
            continue
        found.append(
            NodeInterface(
                name=link.name,
                index=link.index,
                mac=link.mac,
                mtu=link.mtu,
                up=link.up,
                addresses=[str(one) for one in addresses],
            )
        )
    return found


def strangers_of(heard: Iterable[Heard], wall_minus_monotonic: float) -> list[Stranger]:
    """`last_seen` counts in whole minutes, so that a stranger who talks all day is no change."""
    return [
        Stranger(
            interface=one.interface,
            family=str(one.family),
            virtual_router_id=one.vrid,
            source=one.source,
            last_seen=utc((one.at + wall_minus_monotonic) // _HEARD_STEP * _HEARD_STEP),
        )
        for one in heard
    ]


def arp_links(links: Mapping[int, Link]) -> list[Link]:
    return [link for link in links.values() if link.arp and not link.loopback]
