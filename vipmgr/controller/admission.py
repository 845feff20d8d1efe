"""What the admission webhook says to an Eip, a BgpConf or a BgpPeer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Address, ip_address
from typing import Any

import msgspec

from vipmgr.controller.webhook import Request
from vipmgr.core.decode import decode_pool
from vipmgr.core.model import Pool, Problem
from vipmgr.core.pools import review_create, review_delete, review_update
from vipmgr.core.wire import Eip
from vipmgr.kube.objects import Untyped


class Judgement:
    """`pools` gives the Eips there are now. An object that cannot even be read is the schema's business: it passes."""

    def __init__(self, pools: Callable[[], Collection[Pool]]) -> None:
        self._pools = pools

    def __call__(self, request: Request) -> list[str]:
        try:
            match request.kind.kind:
                case "Eip":
                    problem = self._eip(request)
                    return [problem.message] if problem else []
                case "BgpConf" | "BgpPeer" if request.operation != "DELETE":
                    spec = msgspec.json.decode(request.object, type=Untyped).spec
                    return list(_conf(spec) if request.kind.kind == "BgpConf" else _peer(spec))
        except msgspec.ValidationError:
            return []
        return []

    def _eip(self, request: Request) -> Problem | None:
        others = [pool for pool in self._pools() if pool.name != request.name]
        match request.operation:
            case "CREATE":
                return review_create(_pool(request.object), others)
            case "UPDATE":
                return review_update(_pool(request.old_object), _pool(request.object), others)
            case "DELETE":
                return review_delete(_pool(request.old_object))
        return None


def _pool(raw: msgspec.Raw) -> Pool:
    return decode_pool(msgspec.json.decode(raw, type=Eip))


def _conf(spec: dict[str, Any]) -> Iterator[str]:
    """GoBGP's Global message, as OpenELB has it."""
    router = spec.get("routerId")
    if router and not _is_address(router, IPv4Address):
        yield f"spec.routerId: {router!r} is not an IPv4 address"
    for address in spec.get("listenAddresses") or ():
        if not _is_address(address, ip_address):
            yield f"spec.listenAddresses: {address!r} is not an address"
    yield from _number(spec, "spec.as", "as", 2**32 - 1)
    if spec.get("listenPort") != -1:  # GoBGP: listen nowhere
        yield from _number(spec, "spec.listenPort", "listenPort", 65535)


def _peer(spec: dict[str, Any]) -> Iterator[str]:
    conf = spec.get("conf") or {}
    neighbor = conf.get("neighborAddress")
    if neighbor and not _is_address(neighbor, ip_address):
        yield f"spec.conf.neighborAddress: {neighbor!r} is not an address"
    yield from _number(conf, "spec.conf.peerAs", "peerAs", 2**32 - 1)
    yield from _number(spec.get("transport") or {}, "spec.transport.remotePort", "remotePort", 65535)


def _number(part: dict[str, Any], field: str, key: str, largest: int) -> Iterator[str]:
    value = part.get(key)
    if isinstance(value, int) and not 0 <= value <= largest:
        yield f"{field}: {value} is not within 0-{largest}"


def _is_address(text: Any, read: Callable[[str], Any]) -> bool:
    try:
        read(str(text))
    except ValueError:
        return False
    return True
