"""What is told while a record grows: each finding once, its end once, and not before other nodes had time to speak."""

from math import inf

from tests.diary import EPOCH, Diary, ledger_of
from vipmgr.core.audit import judge
from vipmgr.core.findings import Failover, Heard, Limits, NoOwner, SplitBrain
from vipmgr.core.ledger import Hole, Ledger
from vipmgr.core.news import News


def pair():
    """n1 is MASTER since 1.0, n2 its BACKUP."""
    n1, n2 = Diary("n1"), Diary("n2", priority=252)
    n1.go(0.0, "BACKUP", "started")
    n2.go(0.0, "BACKUP", "started")
    n1.go(1.0, "MASTER", "advertisement-timeout")
    return n1, n2


def told(news, *diaries, before=inf, until=None):
    report = judge(ledger_of(*diaries), Limits(until=until))
    return news.of(report, before=before, since=-inf)


def test_a_failover_is_told_once_although_its_cause_and_time_are_sharpened_later():
    news, (n1, n2) = News(), pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    [move] = told(news, n1, n2)
    assert (type(move), move.cause) == (Failover, "node-lost")
    n1.go(10.05, "FAULT", "interface-down")
    assert told(news, n1, n2) == []


def test_what_is_younger_than_asked_waits_for_the_lines_of_other_nodes():
    news, (n1, n2) = News(), pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    assert told(news, n1, n2, before=EPOCH + 9.5) == []
    n1.go(9.998, "FAULT", "drained")
    assert [one.cause for one in told(news, n1, n2, before=EPOCH + 11)] == ["drained"]


def test_a_split_brain_is_told_when_it_begins_and_when_it_ends():
    news, (n1, n2) = News(), pair()
    n2.go(10.0, "MASTER", "advertisement-timeout")
    n1.write(11.0, "config.applied")
    assert [(type(one), one.until) for one in told(news, n1, n2) if isinstance(one, SplitBrain)] == [(SplitBrain, None)]
    n1.go(17.0, "BACKUP", "higher-priority-heard")
    [end] = told(news, n1, n2)
    assert end.until - EPOCH - 17.0 < 0.001
    assert told(news, n1, n2) == []


def test_an_address_that_nobody_took_is_told_by_time_alone():
    news, (n1, n2) = News(), pair()
    n1.go(10.0, "FAULT", "interface-down")
    assert told(news, n1, n2) == []
    [empty] = told(news, n1, n2, until=EPOCH + 12)
    assert (type(empty), empty.until, empty.last) == (NoOwner, None, "n1")


def test_another_speaker_is_news_again_after_a_long_silence_only():
    news, n1 = News(), Diary("n1")
    counts = []
    for at in (1.0, 60.0, 500.0, 1200.0):
        n1.write(at, "stranger.heard", interface="eth0", vrid=7, source="10.0.0.9")
        counts.append([type(one) for one in told(news, n1)])
    assert counts == [[Heard], [], [], [Heard]]


def test_lost_lines_are_told_once():
    news, n1 = News(), Diary("n1")
    n1.write(1.0, "config.applied")
    n1.seq += 2
    n1.write(2.0, "config.applied")
    assert told(news, n1) == [Hole("n1", "n1-1", 2, 3, 2)]
    n1.write(3.0, "config.applied")
    assert told(news, n1) == []


def test_a_reader_that_never_ends_keeps_the_present_and_little_else():
    n1, n2 = pair()
    quiet = Diary("n3")
    quiet.go(0.5, "MASTER", "advertisement-timeout", instance="j")
    ledger = Ledger()
    for number in range(200):
        old, new = ((n1, n2), (n2, n1))[number % 2]
        old.go(10.0 + number, "BACKUP", "drained")
        new.go(10.003 + number, "MASTER", "advertisement-timeout")
    ledger = ledger_of(n1, n2, quiet)
    ledger.forget(20)
    assert sum(1 for _ in ledger.rows()) <= 26
    report = judge(ledger, Limits())
    assert [(one.instance, one.nodes) for one in report.holders] == [("i", ("n1",)), ("j", ("n3",))]
    assert report.split_brain == report.no_owner == ()
    recent = [one for one in report.failovers if one.at >= ledger.whole_since]
    assert 9 <= len(recent) <= 10
