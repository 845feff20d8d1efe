"""Builders of claims and pools for tables and laws: only what a case is about is written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from vipmgr.core.addresses import parse_range
from vipmgr.core.model import Allocation, Claim, Family, Pool, Protocol

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
V4, V6 = Family.IPV4, Family.IPV6


def pool(name: str = "eip-pool", *ranges: str, age: int = 0, **fields: Any) -> Pool:
    """`used`: {"10.0.0.1": "ns/svc;ns/other"}."""
    spans = tuple(parse_range(text) for text in ranges or ("10.0.0.1-10.0.0.3",))
    used = {ip_address(ip): tuple(keys.split(";")) for ip, keys in fields.pop("used", {}).items()}
    fields.setdefault("interface", "eth0")
    fields.setdefault("protocol", Protocol.VIP)
    return Pool(name=name, uid=name, created=EPOCH + timedelta(seconds=age), ranges=spans, used=used, **fields)


def claim(key: str = "ns/svc", *, age: int = 0, ports: Iterable[int] = (80,), **fields: Any) -> Claim:
    """`requested` and `held` as strings; `age` orders creation, lower is older."""
    namespace = key.partition("/")[0]
    for name in ("requested", "held"):
        fields[name] = tuple(ip_address(text) for text in fields.get(name, ()))
    return Claim(
        key=key,
        uid=key,
        namespace=namespace,
        created=EPOCH + timedelta(seconds=age),
        ports=frozenset(("TCP", port) for port in ports),
        **fields,
    )


def addresses(result: Allocation, key: str) -> list[str]:
    return [str(address) for address, _ in result.assigned[key].addresses] if key in result.assigned else []


def used(result: Allocation, name: str = "eip-pool") -> dict[str, str]:
    return {str(address): ";".join(keys) for address, keys in result.used[name].items()}


def with_used(pools: Iterable[Pool], result: Allocation) -> list[Pool]:
    """The pools once Eip.status was written."""
    return [replace(one, used=result.used[one.name]) for one in pools]


def with_status(claims: Iterable[Claim], result: Allocation, written: Mapping[str, bool] | None = None) -> list[Claim]:
    """The claims once Service.status was written, of all or only of those `written` says."""
    return [
        replace(
            one,
            held=tuple(address for address, _ in result.assigned[one.key].addresses)
            if one.key in result.assigned
            else (),
        )
        if written is None or written.get(one.key)
        else one
        for one in claims
    ]
