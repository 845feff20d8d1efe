"""Names of VrrpInstances: EIP-0, EIP-1 ... shared by a pool's VIPs; EIP-l-HASH for one Service with Local traffic."""

from __future__ import annotations

from hashlib import sha256

from vipmgr.core.model import ServiceKey

LONGEST = 200
"""an object's name has at most 253 characters; the rest is for what is appended"""


def shared_name(eip: str, number: int) -> str:
    return f"{_stem(eip)}-{number}"


def local_name(eip: str, service: ServiceKey) -> str:
    return f"{_stem(eip)}-l-{_digest(service)}"


def number_of(eip: str, name: str) -> int | None:
    """The number of a shared instance; None for any other name."""
    tail = name.removeprefix(f"{_stem(eip)}-")
    return int(tail) if tail != name and tail.isascii() and tail.isdigit() else None


def _stem(eip: str) -> str:
    return eip if len(eip) <= LONGEST else f"{eip[:LONGEST]}.{_digest(eip)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:10]
