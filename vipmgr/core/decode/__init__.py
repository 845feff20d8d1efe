"""Wire -> frozen values. Nothing past this package sees a wire type.

Decoding never fails as a whole: an object its author has to fix becomes a value that carries what is wrong
(`Pool.problems`, `Claim.fault`), so that a typo takes no address away from those who hold one. Fields nobody reads
(usingKnownIPs) and fields we do not know are passed over.
"""

from __future__ import annotations

from vipmgr.core.decode.bgp import decode_conf, decode_peer
from vipmgr.core.decode.eip import decode_pool
from vipmgr.core.decode.node import decode_endpoints, decode_node
from vipmgr.core.decode.service import Opting, decode_claim, shown_addresses
from vipmgr.core.decode.unread import unread_claim, unread_pool
from vipmgr.core.decode.vrrp import decode_instance, decode_report

__all__ = [
    "Opting",
    "decode_claim",
    "decode_conf",
    "decode_endpoints",
    "decode_instance",
    "decode_node",
    "decode_peer",
    "decode_pool",
    "decode_report",
    "shown_addresses",
    "unread_claim",
    "unread_pool",
]
