"""Node and EndpointSlice -> where an address may live."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from vipmgr.core import wire
from vipmgr.core.decode.values import BEGINNING, moment
from vipmgr.core.model import Address, NodeFacts, NodeName, ServiceKey

EXCLUDED: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
SERVICE_NAME: Final = "kubernetes.io/service-name"


def decode_node(node: wire.Node) -> NodeFacts:
    """The exclusion label counts whatever its value, as in Kubernetes. A node that never said Ready is not."""
    metadata = node.metadata
    labels = metadata.labels or {}
    ready = next((one for one in node.status.conditions or () if one.type == "Ready"), None)
    not_ready_since = None
    if ready is None or ready.status != "True":
        since = ready.last_transition_time if ready is not None else metadata.creation_timestamp
        not_ready_since = moment(since) or BEGINNING
    return NodeFacts(
        name=metadata.name,
        uid=metadata.uid,
        labels=labels,
        not_ready_since=not_ready_since,
        cordoned=node.spec.unschedulable,
        addresses=_internal(node.status.addresses or ()),
        excluded=EXCLUDED in labels or any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints or ()),
    )


def _internal(found: Iterable[wire.NodeAddress]) -> tuple[Address, ...]:
    addresses = []
    for one in found:
        if one.type == "InternalIP":
            with suppress(ValueError):
                addresses.append(ip_address(one.address))
    return tuple(addresses)


def decode_endpoints(found: wire.EndpointSlice) -> tuple[ServiceKey, frozenset[NodeName]] | None:
    """The Service and the nodes with ready endpoints of it; None: a slice of no Service. `ready` may be left out."""
    metadata = found.metadata
    service = (metadata.labels or {}).get(SERVICE_NAME)
    if not service:
        return None
    nodes = frozenset(
        sys.intern(endpoint.node_name)
        for endpoint in found.endpoints or ()
        if endpoint.node_name and endpoint.conditions.ready is not False
    )
    return sys.intern(f"{metadata.namespace}/{service}"), _shared(nodes)


@lru_cache(maxsize=1 << 14)
def _shared(nodes: frozenset[NodeName]) -> frozenset[NodeName]:
    """The same object for equal sets: there are many more slices than sets of nodes."""
    return nodes
