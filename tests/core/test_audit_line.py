"""One struct reads and writes audit lines, and the page that documents them is what agents write."""

import json
import re

import pytest

from tests.documented import PAGE, documented_lines, undocumented
from vipmgr.core.audit_line import LINES_LOST, AuditLine, Event, read_line, write_line
from vipmgr.core.findings import NODE_LOST, NODE_REBOOTED, PARTITION
from vipmgr.core.model import MoveReason


@pytest.mark.parametrize("line", documented_lines(), ids=lambda line: json.loads(line)["event"])
def test_a_documented_line_is_written_as_it_was_read(line):
    said = read_line(line)
    assert said is not None
    assert write_line(said) == line


def test_every_kind_of_line_is_documented_and_no_other():
    assert {json.loads(line)["event"] for line in documented_lines()} == set(Event)


def test_every_reason_and_cause_is_explained_to_operators():
    rows = re.findall(r"^\| (`[a-z].*?`) \|", (PAGE.parent / "operations.md").read_text(), re.MULTILINE)
    explained = {word for row in rows for word in re.findall(r"`([a-z-]+)`", row)}
    assert {*MoveReason, NODE_LOST, NODE_REBOOTED, PARTITION, LINES_LOST} <= explained


def test_a_field_that_the_page_does_not_show_is_noticed():
    line = json.loads(documented_lines()[0])
    assert undocumented([line]) == set()
    assert undocumented([{**line, "colour": "red"}]) == {("vrrp.transition", "colour")}


def test_what_a_line_does_not_say_is_left_out():
    line = AuditLine(event=Event.AGENT_STOPPED)
    line.stamp(seconds=1e9 + 0.5, monotonic=7.12345678, node="n1", boot="b", seq=3)
    assert write_line(line) == (
        b'{"time":"2001-09-09T01:46:40.500000Z","monotonic":7.123457,"node":"n1","boot":"b","seq":3,"event":"agent.stopped"}'
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"event":"agent.ready"}',
        b'{"event":"x","node":"n1","seq":1}',
        b'{"event":"x","seq":1,"time":"2026-11-22T21:00:00Z"}',
        b'{"event":"x","node":"n1","seq":1,"time":"2026-11-22T21:00:00"}',
        b'{"event":"vipnode.made","node":"n1","level":"info","time":"2026-11-22T21:00:00Z"}',
    ],
)
def test_what_has_no_time_node_or_number_is_no_audit_line(text):
    assert read_line(text) is None
