"""The base of all wire structs; apart, so that the files of one protocol's structs need no other."""

from __future__ import annotations

import msgspec


class Wire(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """camelCase on the wire, snake_case here, defaults left out when encoding. Objects as sent are trees, so the
    garbage collector need not look for cycles in them."""


class FrozenWire(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, frozen=True):
    """The same for what is a value as well: it can be compared, hashed and shared."""
