"""Everything one decision is made from, and how it is read off the objects the API server sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from vipmgr.core import bgp_objects, wire
from vipmgr.core.bgp import Settings
from vipmgr.core.bgp_policy import ENTRY, PolicyText, read_policy
from vipmgr.core.decode import (
    Opting,
    decode_claim,
    decode_conf,
    decode_instance,
    decode_node,
    decode_peer,
    decode_pool,
    decode_report,
    shown_addresses,
    unread_claim,
    unread_pool,
)
from vipmgr.core.decode.service import POOL
from vipmgr.core.decoded import Decoded
from vipmgr.core.model import (
    Address,
    Claim,
    Instance,
    NodeFacts,
    NodeName,
    NodeReport,
    Pool,
    Problem,
    ServiceKey,
)

_NO_LABELS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Objects:
    """What the reflectors hold. Keys: name, or namespace/name.

    `services`: all that may be ours, also those that only carry our label any more. `namespaces`: name -> labels.
    `endpoints`: Service -> nodes that have ready endpoints of it. `bgp_policies`: ConfigMap -> its entries.
    """

    services: Mapping[ServiceKey, wire.Service] = field(default_factory=dict)
    eips: Mapping[str, wire.Eip] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nodes: Mapping[NodeName, wire.Node] = field(default_factory=dict)
    endpoints: Mapping[ServiceKey, frozenset[NodeName]] = field(default_factory=dict)
    instances: Mapping[str, wire.VrrpInstance] = field(default_factory=dict)
    vip_nodes: Mapping[NodeName, wire.VipNode] = field(default_factory=dict)
    bgp_confs: Mapping[str, bgp_objects.BgpConf] = field(default_factory=dict)
    bgp_peers: Mapping[str, bgp_objects.BgpPeer] = field(default_factory=dict)
    bgp_policies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`Objects`, decoded. `leaving`: Services that carry our label and claim nothing, with what their status shows.

    `cluster`: the cluster's UID. `problems`: objects that cannot be read; what they said last counts, or
    they are left out.
    """

    cluster: str
    claims: Mapping[ServiceKey, Claim] = field(default_factory=dict)
    leaving: Mapping[ServiceKey, tuple[Address, ...]] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nodes: Mapping[NodeName, NodeFacts] = field(default_factory=dict)
    endpoints: Mapping[ServiceKey, frozenset[NodeName]] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    reports: Mapping[NodeName, NodeReport] = field(default_factory=dict)
    bgp: Settings = field(default_factory=Settings)
    problems: tuple[Problem, ...] = ()


class SnapshotReader:
    """Reads snapshots one after the other. Objects are compared by identity: a reflector replaces what changed."""

    def __init__(self, opting: Opting, cluster: str) -> None:
        self._cluster = cluster
        self._services: Decoded[wire.Service, Claim | tuple[Address, ...]] = Decoded(
            "Service",
            lambda service: decode_claim(service, opting) or _leaving(service),
            lambda service, last, problem: unread_claim(service, opting, last, problem) or _leaving(service),
        )
        self._eips = Decoded("Eip", decode_pool, unread_pool)
        self._nodes = Decoded("Node", decode_node)
        self._instances = Decoded("VrrpInstance", decode_instance)
        self._reports = Decoded("VipNode", decode_report)
        self._confs = Decoded("BgpConf", decode_conf)
        self._peers = Decoded("BgpPeer", decode_peer)
        self._policies: Decoded[Mapping[str, str], PolicyText] = Decoded(
            "ConfigMap", lambda data: read_policy(data.get(ENTRY))
        )
        self._all: tuple[Decoded[Any, Any], ...] = (
            self._services, self._eips, self._nodes, self._instances,
            self._reports, self._confs, self._peers, self._policies,
        )  # fmt: skip

    def read(self, objects: Objects) -> Snapshot:
        services = self._services.of(objects.services)
        instances = self._instances.of(objects.instances)
        snapshot = Snapshot(
            cluster=self._cluster,
            claims={key: found for key, found in services.items() if isinstance(found, Claim)},
            leaving={key: found for key, found in services.items() if isinstance(found, tuple)},
            pools=self._eips.of(objects.eips),
            namespaces=objects.namespaces,
            nodes=self._nodes.of(objects.nodes),
            endpoints=objects.endpoints,
            instances={name: found for name, found in instances.items() if isinstance(found, Instance)},
            reports=self._reports.of(objects.vip_nodes),
            bgp=Settings(
                self._confs.of(objects.bgp_confs),
                self._peers.of(objects.bgp_peers),
                self._policies.of(objects.bgp_policies),
            ),
        )
        broken = [found for found in instances.values() if isinstance(found, Problem)]
        return replace(snapshot, problems=(*broken, *(one for read in self._all for one in read.problems)))


def _leaving(service: wire.Service) -> tuple[Address, ...] | None:
    """What a Service shows that we served once and that claims nothing now; None: it was never ours.

    One that is being deleted gives up its address at once, as in OpenELB: nobody rewrites its status any more, and a
    finalizer of somebody else may keep it for long.
    """
    metadata = service.metadata
    if metadata.deletion_timestamp is not None or POOL not in (metadata.labels or _NO_LABELS):
        return None
    return shown_addresses(service)
