"""vipmgr audit: failovers, dark times and split brain, from the agents' lines or from bare keepalived logs."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable
from ipaddress import ip_address

from vipmgr.cli.cluster import add_cluster_options, connected, in_cluster
from vipmgr.cli.follow import Follower
from vipmgr.cli.news import news
from vipmgr.cli.output import add_output_option, dump, shortened, show
from vipmgr.cli.pods import Agent, agents, follow_agents, written
from vipmgr.cli.records import Source, follow_files, read_all, sources
from vipmgr.cli.times import duration, moment
from vipmgr.cli.verdict import narrowed, plain, status_of, told
from vipmgr.core.audit import judge
from vipmgr.core.audit_line import AuditLine
from vipmgr.core.findings import Limits, Report
from vipmgr.core.ledger import Ledger
from vipmgr.core.news import Finding
from vipmgr.errors import UsageError
from vipmgr.kube.client import Client

_EPILOG = """
Without FILE the agents' logs are read through the cluster. FILE may be an audit file (audit.jsonl, audit.jsonl.1, .gz),
the output of `kubectl logs`, or the log of a keepalived that never saw vipmgr: keepalived's own, syslog or journald
(plain or -o json). Whose log that is says --node NODE=FILE, or else the host name in its lines, or the file's name up
to the first dot.

exit status:
  0  every address has had one owner, and no line is missing; failovers alone are no fault
  3  split brain: two masters of one instance overlapped, or one heard another time and again
  5  an address had no owner for longer than a failover takes
  4  neither, as far as the lines go, but lines are missing
  1, 2  it could not be done; the call was wrong
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("files", nargs="*", metavar="FILE", help="- for standard input")
    parser.add_argument("--since", metavar="TIME", help="only what happened since: 90s, 10m, 1h, 2d ago, or RFC 3339")
    parser.add_argument("--vip", default="", metavar="ADDRESS", help="only this address")
    parser.add_argument("--instance", default="", metavar="NAME", help="only this VRRP instance")
    parser.add_argument(
        "--node", action="append", default=[], metavar="NODE[=FILE]", help="only this node; or FILE is this node's log"
    )
    parser.add_argument("--follow", action="store_true", help="go on, and print what is new as it is found")
    parser.add_argument(
        "--clock-error", default="100ms", metavar="TIME", help="how far two nodes' clocks may differ [%(default)s]"
    )
    parser.add_argument(
        "--advert", default="", metavar="TIME", help="advertisement interval behind bare logs, which do not tell it"
    )
    add_cluster_options(parser)
    add_output_option(parser, "table", "json", "yaml")


def run(args: argparse.Namespace) -> int:
    origin = sources(args.files, (word for word in args.node if "=" in word))
    names = [word for word in args.node if "=" not in word]
    if len(names) > 1:
        raise UsageError("--node: one node at a time")
    auditor = _Auditor(args, names[0] if names else "")
    if args.follow:
        if any(str(one.path) == "-" for one in origin):
            raise UsageError("--follow: standard input is followed anyway; leave it out")
        if packed := [str(one.path) for one in origin if one.path.suffix == ".gz"]:
            raise UsageError(f"--follow: {packed[0]} is compressed and grows no more; leave it out")
        asyncio.run(auditor.follow(origin))
        return 0
    if origin:
        auditor.take_all(read_all(origin, auditor.advert_ms))
    else:
        in_cluster(args, auditor.read_agents)
    return auditor.conclude(live=not origin)


class _Auditor:
    """The record so far, and what the operator wants to see of it."""

    def __init__(self, args: argparse.Namespace, node: str) -> None:
        self.advert_ms = round(duration(args.advert) * 1000) if args.advert else 0
        self._args = args
        self._node = node
        self._ledger = Ledger()
        self._since = moment(args.since) if args.since else None
        if args.vip:
            args.vip = _address(args.vip)
        self._clock_error = duration(args.clock_error)

    def take_all(self, lines: Iterable[AuditLine]) -> None:
        for line in lines:
            self._ledger.add(line)

    async def read_agents(self, client: Client) -> None:
        if not await self._read(client):
            raise UsageError("no agent runs in this cluster; name the audit files to read instead")

    async def _read(self, client: Client) -> list[Agent]:
        """What the agents that there are have written so far."""
        found = await agents(client)
        for agent in found:
            async for line in written(client, agent, self._since):
                self._ledger.add(line)
        return found

    def report(self, *, live: bool) -> Report:
        limits = Limits(clock_error=self._clock_error, until=time.time() if live else None)
        report = judge(self._ledger, limits)
        args = self._args
        return narrowed(report, since=self._since, vip=args.vip, node=self._node, instance=args.instance)

    def unmet(self) -> str:
        """What was asked for and the record does not know at all, with what it knows; "": nothing."""
        args, ledger = self._args, self._ledger
        asked = (
            ("node", self._node, {boot.node for boot in ledger.boots.values()}),
            ("instance", args.instance, {row.instance for row in ledger.rows() if row.instance}),
            ("address", args.vip, {vip for row in ledger.rows() for vip in row.vips} | ledger.bgp_vips()),
        )
        for kind, name, known in asked:
            if name and ledger.lines and name not in known:
                there = shortened(sorted(known), 8) or "none"
                return f"nothing in the record is about {kind} {name}; it knows {there}"
        return ""

    def conclude(self, *, live: bool) -> int:
        report = self.report(live=live)
        if unmet := self.unmet():
            print(f"vipmgr audit: {unmet}", file=sys.stderr)
        if self._args.output == "table":
            show(told(report, time.time()))
        else:
            show([dump(plain(report), self._args.output)])
        return status_of(report)

    async def follow(self, origin: list[Source]) -> None:
        follower = Follower(self._ledger, lambda: self.report(live=not origin), self._tell)
        if origin:
            await asyncio.gather(follow_files(origin, self.advert_ms, follower.take), follower.look_again())
            return
        async with connected(self._args) as client:
            begun = time.time()
            read = await self._read(client)
            await asyncio.gather(follow_agents(client, read, begun, follower.take), follower.look_again())

    def _tell(self, findings: Iterable[Finding]) -> Iterable[str]:
        return news(findings, self._args.output, time.time())


def _address(text: str) -> str:
    """In its one spelling. Raises UsageError."""
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise UsageError(f"--vip: {text} is no address") from error
