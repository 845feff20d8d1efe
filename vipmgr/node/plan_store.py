"""The last confirmed VipNode.spec on this node's disk: what a cold start without an API server goes by."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vipmgr.core.spec_check import complaint
from vipmgr.core.wire import VipNodeSpec, Wire
from vipmgr.log import get_log
from vipmgr.node.files import replace_file

log = get_log(__name__)


class StoredPlan(Wire):
    """`own_addresses`: the node's addresses as its Node object had them; never taken for strays."""

    spec: VipNodeSpec
    own_addresses: list[str] = msgspec.field(default_factory=list)


def load_plan(path: Path) -> StoredPlan | None:
    """None when there is none that can be read; a damaged one is reported and ignored."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=StoredPlan)
        error = complaint(stored.spec)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as unreadable:
        error = str(unreadable)
    if error is not None:
        log.warning("plan.unreadable", path=str(path), error=error)
        return None
    return stored


def save_plan(path: Path, plan: StoredPlan) -> None:
    """Raises OSError when it cannot be written; the one before stays."""
    replace_file(path, msgspec.json.encode(plan))
