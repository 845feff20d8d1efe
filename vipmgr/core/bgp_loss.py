"""Why a session was lost, by what gobgpd counts: its events do not say. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Loss(StrEnum):
    """All there are, in audit lines, VipNode.status and Events. docs/bgp.md says what each means."""

    BFD = "bfd"
    HOLD_TIMER = "hold-timer-expired"
    RECEIVED = "notification-received"
    SENT = "notification-sent"
    CONNECTION = "connection-lost"
    ADMIN_DOWN = "admin-down"
    RECONFIGURED = "reconfigured"
    DECONFIGURED = "deconfigured"
    ENDED = "gobgpd-ended"


class Tally(NamedTuple):
    """What gobgpd counted of a session. `received`: messages of all kinds. `bfd_up`: BFD is on, and up; `bfd_heard`:
    its packets that came."""

    admin_down: bool = False
    received: int = 0
    received_keepalives: int = 0
    received_notifications: int = 0
    sent_notifications: int = 0
    bfd_up: bool = False
    bfd_heard: int = 0


def why(before: Tally, after: Tally) -> Loss:
    """`before`: while it stood; `after`: right after its loss.

    BFD ends a session by a notification as well (which a dead router never sees), so it is asked first; but a router
    that ends a session ends BFD with it, so what it said counts more. A message that makes no sense counts as received,
    and the silence that the hold timer ends does not.
    """
    if after.received < before.received or after.sent_notifications < before.sent_notifications:
        before = Tally(bfd_up=before.bfd_up)  # made anew meanwhile
    if after.admin_down:
        return Loss.ADMIN_DOWN
    if after.received_notifications > before.received_notifications:
        return Loss.RECEIVED
    if not after.bfd_up and (before.bfd_up or after.bfd_heard):
        return Loss.BFD
    if after.sent_notifications > before.sent_notifications:
        others = (after.received - after.received_keepalives) - (before.received - before.received_keepalives)
        return Loss.SENT if others else Loss.HOLD_TIMER
    return Loss.CONNECTION
