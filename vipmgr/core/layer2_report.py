"""What an operator should know of layer2 pools, from what the agents report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final

from vipmgr.core.keepalived_words import State
from vipmgr.core.model import Protocol
from vipmgr.core.wire import Eip, VipNode

CONDITION: Final = "Layer2Sound"
"""of a VipNode: nobody else answers for its layer2 addresses"""


def unsound(node: VipNode) -> Iterator[str]:
    """Strangers that use an address, a kernel that answers for all."""
    for one in node.status.conditions or ():
        if one.type == CONDITION and one.status == "False":
            yield one.message or one.reason


def unanswered(eips: Mapping[str, Eip], living: Iterable[VipNode]) -> Iterator[tuple[str, str]]:
    """(pool, address) of what is allocated and nobody alive says that it answers for."""
    answered = {
        ip_address(state.address)
        for node in living
        for state in (node.status.layer2.addresses if node.status.layer2 is not None else ())
        if state.state == State.MASTER
    }
    for name, eip in sorted(eips.items()):
        if eip.spec.protocol == Protocol.LAYER2:
            for address in eip.status.used or ():
                if ip_address(address) not in answered:
                    yield name, address
