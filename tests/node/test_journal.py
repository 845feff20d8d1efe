"""Audit lines on disk: numbered, rotated, whole."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.rig import sh
from vipmgr.core.audit_line import AuditLine
from vipmgr.node.journal import Journal


def journal(path: Path, *, limit: int = 10_000, keep: int = 2) -> tuple[Journal, io.StringIO]:
    stream = io.StringIO()
    clocks = {"wall": lambda: 1e9 + 0.25, "monotonic": lambda: 50.0}
    return Journal(path, "n1", limit=limit, keep=keep, stream=stream, **clocks), stream


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    sh("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path))
    yield tmp_path
    sh("umount", "-l", str(tmp_path))


def test_lines_are_numbered_and_say_when(tmp_path: Path) -> None:
    book, stream = journal(tmp_path / "audit" / "audit.jsonl")
    book.write(AuditLine(event="one", vips=("10.0.0.1",)), at=49.0)
    book.write(AuditLine(event="two"))
    found = lines(tmp_path / "audit" / "audit.jsonl")
    assert [(one["seq"], one["event"], one["time"]) for one in found] == [
        (1, "one", "2001-09-09T01:46:39.250000Z"),
        (2, "two", "2001-09-09T01:46:40.250000Z"),
    ]
    assert found[0]["vips"] == ["10.0.0.1"]
    assert stream.getvalue() == (tmp_path / "audit" / "audit.jsonl").read_text()


def test_a_full_file_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    book, _ = journal(tmp_path / "audit.jsonl", limit=500, keep=2)
    for _ in range(30):
        book.write(AuditLine(event="event"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    kept = [one["seq"] for name in ("audit.jsonl.2", "audit.jsonl.1", "audit.jsonl") for one in lines(tmp_path / name)]
    assert kept == list(range(kept[0], 31))  # type: ignore[call-overload]


def test_a_full_disk_costs_lines_in_the_file_only_and_leaves_no_half_ones(small_disk: Path) -> None:
    book, stream = journal(small_disk / "audit.jsonl")
    book.write(AuditLine(event="before"))
    sh("sh", "-c", f"cat /dev/zero >{small_disk}/filler 2>/dev/null || true")
    for _ in range(60):
        book.write(AuditLine(event="during"))
    assert book.lost > 0
    assert book.sequence == 61
    assert len(stream.getvalue().splitlines()) == 61
    (small_disk / "filler").unlink()
    book.write(AuditLine(event="after"))
    assert book.lost == 0
    assert lines(small_disk / "audit.jsonl")[-1]["seq"] == 62


def test_half_a_line_left_by_a_power_cut_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text('{"seq":1}\n{"se')
    book, _ = journal(tmp_path / "audit.jsonl")
    book.write(AuditLine(event="next"))
    assert json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1])["event"] == "next"
