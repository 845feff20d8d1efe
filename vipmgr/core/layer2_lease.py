"""What an agent says in its Lease about layer2 addresses: claims, offers, and those it cannot serve.

In one annotation, as JSON; who cannot read it (another version) takes its writer for one that claims nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

import msgspec

from vipmgr.core.layer2_view import Peer
from vipmgr.core.model import Address, NodeName

ANNOTATION: Final = "vipmgr.io/layer2"


class Said(msgspec.Struct, omit_defaults=True):
    """`claims`: address -> epoch. `offers`: address -> the node that is to take it."""

    claims: dict[str, int] = msgspec.field(default_factory=dict)
    offers: dict[str, str] = msgspec.field(default_factory=dict)
    unable: list[str] = msgspec.field(default_factory=list)


def lease_name(node: NodeName) -> str:
    return f"vipmgr-agent-{node}"


def written(claims: Mapping[Address, int], offers: Mapping[Address, NodeName], unable: frozenset[Address]) -> str:
    """The annotation's text; equal for equal content."""
    said = Said(
        {str(one): epoch for one, epoch in claims.items()},
        {str(one): node for one, node in offers.items()},
        sorted(str(one) for one in unable),
    )
    return msgspec.json.encode(said, order="deterministic").decode()


def read(node: NodeName, annotations: Mapping[str, str] | None, *, fresh: bool = True) -> Peer:
    try:
        said = msgspec.json.decode((annotations or {}).get(ANNOTATION, "{}"), type=Said)
        return Peer(
            node,
            fresh,
            {ip_address(one): epoch for one, epoch in said.claims.items()},
            {ip_address(one): to for one, to in said.offers.items()},
            frozenset(ip_address(one) for one in said.unable),
        )
    except (msgspec.DecodeError, ValueError):
        return Peer(node, fresh)
