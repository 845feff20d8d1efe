"""Logs of keepalived in every coat they come in: the same message, the same time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from vipmgr.core.audit_line import read_line
from vipmgr.core.keepalived_log import BareLog, read_log_line

NEWEST = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
AT = datetime(2026, 11, 22, 18, 45, 5, tzinfo=UTC)
MESSAGE = "(V1) Entering MASTER STATE"
JOURNAL = (
    '{"__REALTIME_TIMESTAMP":"1795373105250000","_HOSTNAME":"n1","SYSLOG_IDENTIFIER":"Keepalived_vrrp",'
    '"MESSAGE":"(V1) Entering MASTER STATE"}'
)


@pytest.mark.parametrize(
    ("line", "host", "fraction", "precision"),
    [
        (f"Sun Nov 22 18:45:05 2026: {MESSAGE}", "", 0, 1.0),
        (f"Sun Nov 22 18:45:05.25 2026: {MESSAGE}", "", 0.25, 0.0),
        (f"Nov 22 18:45:05 n1 Keepalived_vrrp[77]: {MESSAGE}", "n1", 0, 1.0),
        (f"<30>Nov 22 18:45:05 n1 Keepalived_vrrp[77]: {MESSAGE}", "n1", 0, 1.0),
        (f"Nov 22 18:45:05.250000 n1 Keepalived_vrrp[77]: {MESSAGE}", "n1", 0.25, 0.0),
        (f"2026-11-22T18:45:05.250000+00:00 n1 Keepalived_vrrp[77]: {MESSAGE}", "n1", 0.25, 0.0),
        (f"2026-11-22T19:45:05+0100 n1 Keepalived_vrrp[77]: {MESSAGE}", "n1", 0, 1.0),
        (f"2026-11-22T18:45:05.250000001Z stderr F Sun Nov 22 18:45:05 2026: {MESSAGE}", "", 0.25, 0.0),
        (JOURNAL, "n1", 0.25, 0.0),
    ],
)
def test_the_prefix_comes_off_and_gives_the_time(line, host, fraction, precision):
    said = read_log_line(line, newest=NEWEST)
    assert said == (AT + timedelta(seconds=fraction), host, MESSAGE, precision)


def test_a_bare_time_is_read_in_the_zone_given():
    zone = timezone(timedelta(hours=1))
    assert read_log_line(f"Sun Nov 22 19:45:05 2026: {MESSAGE}", newest=NEWEST, zone=zone).at == AT


def test_a_syslog_line_of_december_read_in_january_is_last_years():
    newest = datetime(2027, 1, 3, tzinfo=UTC)
    assert read_log_line(f"Dec 31 23:59:59 n1 keepalived[1]: {MESSAGE}", newest=newest).at.year == 2026
    assert read_log_line(f"Jan  2 23:59:59 n1 keepalived[1]: {MESSAGE}", newest=newest).at.year == 2027


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        '{"MESSAGE": 3}',
        "Sun Feb 31 18:45:05 2026: x",
        "Nov 99 18:45:05 n1 k: x",
        "2026-99-22T18:45:05 x",
        "\x00",
    ],
)
def test_what_has_no_time_has_none(line):
    assert read_log_line(line, newest=NEWEST).at is None


def test_a_line_without_a_time_takes_the_one_before_and_the_host_names_the_node():
    log = BareLog("", newest=NEWEST, advert_ms=1000)
    assert list(log.feed(MESSAGE)) == []
    [first] = log.feed(f"Nov 22 18:45:05 n7 Keepalived_vrrp[77]: {MESSAGE}")
    assert (first.node, first.to, first.advert_ms, first.precision) == ("n7", "MASTER", 1000, 1.0)
    [second] = log.feed("(V1) Entering FAULT STATE")
    assert (second.time, second.from_, second.to) == (AT, "MASTER", "FAULT")


def test_audit_lines_are_told_from_other_json_and_from_halves():
    whole = b'{"time":"2026-11-22T18:45:05.25Z","node":"n1","seq":1,"event":"vrrp.transition","from":"BACKUP"}'
    for prefix in (b"", b"2026-11-22T18:45:05.250000001Z stdout F "):
        line = read_line(prefix + whole)
        assert (line.node, line.from_, line.time) == ("n1", "BACKUP", AT + timedelta(seconds=0.25))
    for other in (whole[:-9], b'{"event":"agent.ready","time":"2026-11-22T18:45:05Z"}', b"", b"\xff{", b"[]", b"{}"):
        assert read_line(other) is None
    assert read_line(whole.replace(b"Z", b"")) is None
