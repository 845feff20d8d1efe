"""What one agent leaves for the next on the same boot: how far it read, and what it knew of the instances."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vipmgr.log import get_log
from vipmgr.node.logfile import Cursor
from vipmgr.node.observer import Memory

log = get_log(__name__)


class Saved(msgspec.Struct):
    log: Cursor = Cursor()
    instances: dict[str, Memory] = msgspec.field(default_factory=dict)
    keepalived: str = ""
    held: dict[str, int] = msgspec.field(default_factory=dict)
    boot: str = ""
    sequence: int = 0


def load_cursor(path: Path) -> Saved:
    """An empty one when there is none to read: the first agent since the node booted."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Saved)
    except FileNotFoundError:
        return Saved()
    except (OSError, msgspec.DecodeError) as error:
        log.warning("cursor.unreadable", path=str(path), error=str(error))
        return Saved()


def save_cursor(path: Path, saved: Saved) -> None:
    """In a file system that lives in memory: by rename, without waiting for a disk. A failure costs one gap line."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(msgspec.json.encode(saved))
        draft.replace(path)
    except OSError as error:
        log.warning("cursor.not_saved", path=str(path), error=str(error))
