"""Server-side apply."""

from __future__ import annotations

from typing import Any

from vipmgr.lab.apiserver.objects import Objects, Target, Write
from vipmgr.lab.apiserver.patch import merged
from vipmgr.lab.apiserver.store import Record


async def apply(objects: Objects, target: Target, config: Any, write: Write, *, force: bool) -> tuple[Record, bool]:
    if objects.store.get(target.kind.storage, target.key) is None:
        return await objects.create(target, config, write), True
    return await objects.change(target, lambda held: merged(held, config), write), False
