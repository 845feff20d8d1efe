"""The numbers keepalived tracks, one file each in /run/vipmgr/track."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vipmgr.log import get_log

log = get_log(__name__)


def read_track(folder: Path, name: str) -> int:
    """0 when there is none, as keepalived sees it."""
    try:
        return int((folder / name).read_text())
    except (OSError, ValueError):
        return 0


def write_tracks(folder: Path, contents: Mapping[str, int]) -> list[str]:
    """Write those that differ, each by rename so that keepalived never reads an empty file; the names written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, value in contents.items():
        path = folder / name
        if path.exists() and read_track(folder, name) == value:
            continue
        draft = folder.parent / f".track.{name}"
        draft.write_text(f"{value}\n")
        draft.replace(path)
        written.append(name)
    return written


def drop_tracks(folder: Path, keep: frozenset[str]) -> None:
    """Remove the files of instances that are gone."""
    for path in folder.iterdir():
        if path.name not in keep and path.name != "drain":
            path.unlink(missing_ok=True)
