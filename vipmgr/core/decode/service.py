"""Service -> Claim: does it want an address of ours, and which?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from vipmgr.core import wire
from vipmgr.core.addresses import ip_of, parse_address
from vipmgr.core.decode.values import created
from vipmgr.core.model import Address, Claim, Family, Protocol, Reason, Rejection, family_of

OURS: Final = "lb.kubesphere.io/v1alpha1"
POOL: Final = "eip.openelb.kubesphere.io/v1alpha2"
ADDRESS: Final = "eip.openelb.kubesphere.io/v1alpha1"
ADDRESSES: Final = "vipmgr.io/loadbalancer-ips"
PROTOCOL: Final = "protocol.openelb.kubesphere.io/v1alpha1"
SHARING: Final = "vipmgr.io/allow-shared-ip"
NODE_PROXY: Final = "node-proxy.openelb.kubesphere.io/type"
"""OpenELB's other kind of load balancer: such a Service asks for no address of a pool"""
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Opting:
    """Which Services are ours besides those that carry the annotation."""

    load_balancer_class: str = "vipmgr.io/vip"
    default_class: bool = False


def decode_claim(service: wire.Service, opting: Opting) -> Claim | None:
    """None: the Service wants nothing from us (any more). What its author must fix is in `fault`."""
    if not is_ours(service, opting):
        return None
    annotations = service.metadata.annotations or _NOTHING
    metadata, spec = service.metadata, service.spec
    fault: Rejection | None = None
    requested: tuple[Address, ...] = ()
    protocol = None
    try:
        requested = _requested(spec, annotations)
        protocol = _protocol(annotations)
    except _FaultError as error:
        fault = error.rejection
    families, optional_second = _families(spec)
    return Claim(
        key=sys.intern(f"{metadata.namespace}/{metadata.name}"),
        uid=metadata.uid,
        namespace=metadata.namespace,
        created=created(metadata),
        pool=annotations.get(POOL) or None,
        requested=requested,
        families=families,
        optional_second=optional_second,
        protocol=protocol,
        sharing_key=annotations.get(SHARING) or None,
        ports=_shared(frozenset((sys.intern(port.protocol), port.port) for port in spec.ports or ())),
        labels=metadata.labels or _NOTHING,
        selector=tuple(sorted((spec.selector or _NOTHING).items())),
        default_class=opting.default_class,
        local_traffic=spec.external_traffic_policy == "Local",
        health_check_node_port=spec.health_check_node_port,
        held=shown_addresses(service),
        fault=fault,
    )


@lru_cache(maxsize=1 << 12)
def _shared(ports: frozenset[tuple[str, int]]) -> frozenset[tuple[str, int]]:
    """The same object for equal sets: most Services have the same few ports."""
    return ports


def shown_addresses(service: wire.Service) -> tuple[Address, ...]:
    """The addresses in its status, whoever wrote them."""
    found = []
    for ingress in service.status.load_balancer.ingress or ():
        try:
            found.append(ip_of(ingress.ip))
        except ValueError:
            continue
    return tuple(found)


class _FaultError(ValueError):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(reason, message)


def is_ours(service: wire.Service, opting: Opting) -> bool:
    """Does it ask us for an address?"""
    spec, annotations = service.spec, service.metadata.annotations or _NOTHING
    if spec.type != "LoadBalancer" or service.metadata.deletion_timestamp is not None or NODE_PROXY in annotations:
        return False
    if spec.load_balancer_class is not None:
        return spec.load_balancer_class == opting.load_balancer_class
    return opting.default_class or annotations.get(OURS) == "openelb"


def _requested(spec: wire.ServiceSpec, annotations: Mapping[str, str]) -> tuple[Address, ...]:
    """The list annotation goes before OpenELB's, and that before the field; an empty annotation asks for none."""
    if ADDRESSES in annotations:
        field, texts = f"annotation {ADDRESSES}", annotations[ADDRESSES].split(",")
    elif ADDRESS in annotations:
        field, texts = f"annotation {ADDRESS}", [annotations[ADDRESS]]
    else:
        field, texts = "spec.loadBalancerIP", [spec.load_balancer_ip]
    found: list[Address] = []
    for text in filter(None, (text.strip() for text in texts)):
        try:
            address = parse_address(text)
        except ValueError:
            raise _FaultError(Reason.BAD_ADDRESS, f"{field}: {text!r} is no IP address") from None
        if any(family_of(other) is family_of(address) for other in found):
            raise _FaultError(Reason.BAD_ADDRESS, f"{field}: names two {family_of(address)} addresses; one is possible")
        found.append(address)
    return tuple(found)


def _protocol(annotations: Mapping[str, str]) -> Protocol | None:
    text = annotations.get(PROTOCOL)
    if not text:
        return None
    if text not in tuple(Protocol):
        raise _FaultError(Reason.BAD_VALUE, f"annotation {PROTOCOL}: {text!r} is not bgp, layer2 or vip")
    return Protocol(text)


def _families(spec: wire.ServiceSpec) -> tuple[tuple[Family, ...], bool]:
    """The families in order, and whether one of two is enough. Without ipFamilies those of the cluster IPs count."""
    names = [name for name in spec.ip_families or () if name in tuple(Family)]
    families = [Family(name) for name in names]
    if not families:
        families = [
            Family.IPV6 if ":" in ip else Family.IPV4 for ip in spec.cluster_ips or () if ip not in ("", "None")
        ]
    if spec.ip_family_policy == "SingleStack":
        families = families[:1]
    families = list(dict.fromkeys(families)) or [Family.IPV4]
    return tuple(families), len(families) > 1 and spec.ip_family_policy == "PreferDualStack"
