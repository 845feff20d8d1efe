"""What `keepalived -t` lets pass and must not go live: an empty file, an instance missing, an address twice."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from vipmgr.core.wire import VipNodeSpec

_WORD: Final = re.compile(r"[^\s/]+")
_INSTANCE: Final = re.compile(r"^\s*vrrp_instance\s+(\S+)", re.MULTILINE)


def complaint(spec: VipNodeSpec) -> str | None:
    """None when the values of the spec and its keepalived.conf can be of one mind."""
    if "global_defs" not in spec.keepalived:
        return "the configuration is empty: it has no global_defs"
    planned = Counter(instance.name for instance in spec.instances)
    printed = Counter(_INSTANCE.findall(spec.keepalived))
    if planned != printed:
        differing = sorted((planned - printed) + (printed - planned))
        return f"the configuration and the plan differ in vrrp_instance {', '.join(differing)}"
    owners = Counter(vip for instance in spec.instances for vip in instance.vips)
    twice = sorted(vip for vip, count in owners.items() if count > 1)
    if twice:
        return f"address {', '.join(twice[:5])} is in more than one place"
    missing = sorted(owners.keys() - set(_WORD.findall(spec.keepalived)))
    if missing:
        return f"address {', '.join(missing[:5])} is planned but not in the configuration"
    return _shared_vrid(spec)


def _shared_vrid(spec: VipNodeSpec) -> str | None:
    used = Counter((one.interface, one.family, one.virtual_router_id) for one in spec.instances)
    twice = [key for key, count in used.items() if count > 1]
    if not twice:
        return None
    interface, family, vrid = twice[0]
    return f"virtual router {vrid} ({family}) is used twice on {interface}"
