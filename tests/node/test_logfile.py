"""keepalived's log, followed through everything that can happen to a file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from vipmgr.node.fifo import FifoReader, ensure_fifo
from vipmgr.node.logfile import Cursor, FolderWatch, LogTail


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_missing_file_is_an_empty_one_and_is_read_once_it_is_there(tmp_path: Path) -> None:
    tail = LogTail(tmp_path / "log")
    assert tail.look() == []
    append(tmp_path / "log", "one\n")
    assert tail.look() == ["one"]


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    tail = LogTail(tmp_path / "log")
    append(tmp_path / "log", "one\ntw")
    assert tail.look() == ["one"]
    append(tmp_path / "log", "o\n")
    assert tail.look() == ["two"]


def test_rotation_loses_neither_the_old_file_s_last_lines_nor_the_new_one_s_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "one\n")
    tail = LogTail(log)
    assert tail.look() == ["one"]
    append(log, "two\nhal")
    log.rename(tmp_path / "log.1")
    append(tmp_path / "log.1", "f\nlast, without an end")
    append(log, "three\n")
    assert tail.look() == ["two", "half", "last, without an end", "three"]


def test_a_truncated_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "one\ntwo\n")
    tail = LogTail(log)
    assert tail.look() == ["one", "two"]
    log.write_text("new\n")
    assert tail.look() == ["new"]


def test_the_next_reader_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "one\n")
    first = LogTail(log)
    first.look()
    append(log, "two\n")
    assert LogTail(log, first.cursor).look() == ["two"]
    assert LogTail(log, Cursor(inode=1, offset=3)).look() == ["one", "two"]


def test_half_a_line_is_not_skipped_by_the_next_reader(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "one\nhal")
    first = LogTail(log)
    assert first.look() == ["one"]
    append(log, "f\n")
    assert LogTail(log, first.cursor).look() == ["half"]


def test_shrinking_gives_disk_back_and_loses_no_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = LogTail(log)
    append(log, "x" * 99 + "\n")
    for _ in range(100):
        append(log, ("y" * 99 + "\n") * 100)
        tail.look()
    append(log, "not read yet\n")
    before = log.stat().st_blocks
    tail.shrink(64 * 1024)
    assert log.stat().st_blocks < before / 10
    assert tail.look() == ["not read yet"]
    append(log, "after\n")
    assert tail.look() == ["after"]
    assert [line for line in LogTail(log).look() if line.strip("y")][-2:] == ["not read yet", "after"]


def test_lag_is_what_was_not_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "one\n")
    tail = LogTail(log)
    tail.look()
    append(log, "seven..")
    assert tail.lag == 7


async def test_a_write_wakes_the_watch(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    try:
        waiting = asyncio.create_task(watch.changed.wait())
        await asyncio.sleep(0)
        append(tmp_path / "log", "one\n")
        assert await asyncio.wait_for(waiting, 5)
    finally:
        watch.close()


async def test_the_fifo_gives_lines_whole_also_those_written_while_nobody_read(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    assert ensure_fifo(path)
    assert not ensure_fifo(path)
    writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(writer, b"one\ntw")
    heard: list[str] = []
    first = FifoReader(path, heard.append)
    first.drain()
    os.write(writer, b"o\n")
    first.drain()
    assert heard == ["one", "two"]
    first.close()
    os.write(writer, b"three\n")
    second = FifoReader(path, heard.append)
    second.drain()
    assert heard == ["one", "two", "three"]
    second.close()
    os.close(writer)
