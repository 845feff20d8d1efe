"""vipmgr status: what is wrong, who holds which VIP, what the nodes and pools are like."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from vipmgr.cli.cluster import add_cluster_options, in_cluster, read_cluster
from vipmgr.cli.output import BOLD, GREEN, RED, YELLOW, add_output_option, ago, dump, iso, paint, shortened, show, table
from vipmgr.core.overview import Overview, overview
from vipmgr.kube.client import Client

URGENT: Final = 3
REFRESH: Final = 1.0
_CLEAR: Final = "\x1b[H\x1b[2J"
_EPILOG = """
exit status:
  0  every address is held by one node
  3  one is held by nobody or by two, another master is heard, or a keepalived is not running
  1, 2  it could not be done; the call was wrong
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("-w", "--watch", action="store_true", help="show it again whenever it changes, until Ctrl-C")
    add_cluster_options(parser)
    add_output_option(parser, "table", "wide", "json", "yaml")


def run(args: argparse.Namespace) -> int:
    return in_cluster(args, lambda client: _show(client, args))


async def _show(client: Client, args: argparse.Namespace) -> int:
    shown = ""
    while True:
        cluster = await read_cluster(client)
        view = overview(cluster)
        text = "\n".join(told(view, cluster.now, wide=args.output == "wide"))
        if args.output in ("json", "yaml"):
            text = dump(plain(view), args.output)
        if text != shown:
            show([(_CLEAR if args.watch and sys.stdout.isatty() else "") + text])
            shown = text
        if not args.watch:
            return URGENT if any(one.urgent for one in view.problems) else 0
        await asyncio.sleep(REFRESH)


def plain(view: Overview) -> dict[str, Any]:
    """For machines: camelCase, times RFC 3339."""
    return {
        "problems": [one._asdict() for one in view.problems],
        "instances": [
            {
                "name": one.name,
                "eip": one.eip,
                "masters": one.masters,
                "since": iso(one.since) if one.since else None,
                "transitions": one.transitions,
                "contested": one.contested,
                "planned": one.planned,
                "next": one.following,
                "interface": one.interface,
                "virtualRouterID": one.vrid,
                "family": one.family,
                "vips": one.vips,
            }
            for one in view.instances
        ],
        "nodes": [one._asdict() for one in view.nodes],
        "pools": [one._asdict() for one in view.pools],
        "sessions": [{**one._asdict(), "since": iso(one.since) if one.since else None} for one in view.sessions],
    }


def told(view: Overview, now: float, *, wide: bool) -> Iterator[str]:
    if view.problems:
        for one in view.problems:
            yield paint(f"{one.about}: {one.text}", RED if one.urgent else YELLOW)
    else:
        used = sum(one.used for one in view.pools)
        yield paint(f"All well: {used} addresses in use, {len(view.nodes)} nodes at work.", GREEN)
    yield from _instances(view, now, wide=wide)
    yield from _nodes(view, wide=wide)
    yield from _sessions(view, now)
    rows = [
        (one.name, one.protocol, f"{one.used} of {one.total}", "" if one.ready else "not ready") for one in view.pools
    ]
    if rows:
        yield from ("", *_titled("POOL", "PROTOCOL", "IN USE", "", rows=rows))


def _instances(view: Overview, now: float, *, wide: bool) -> Iterator[str]:
    rows = []
    for one in view.instances:
        holder = " + ".join(one.masters) or "nobody"
        if one.contested:
            holder += " (contested)"
        row = [one.name, holder, ago(now - one.since) if one.since else "?", one.following or "-", str(one.transitions)]
        if wide:
            row += [one.planned, one.interface, str(one.vrid), one.family]
        rows.append((*row, ", ".join(one.vips) if wide else shortened(one.vips)))
    headers = ["INSTANCE", "HELD BY", "FOR", "NEXT", "MOVES"]
    if wide:
        headers += ["PLANNED", "INTERFACE", "VRID", "FAMILY"]
    if rows:
        yield from ("", *_titled(*headers, "VIPS", rows=rows))


def _nodes(view: Overview, *, wide: bool) -> Iterator[str]:
    rows = []
    for one in view.nodes:
        row = [
            one.name,
            "yes" if one.ready else "no",
            one.keepalived,
            f"{one.masters} of {one.instances}",
            one.plan,
            one.drain or "-",
            " ".join(one.interfaces) or "-",
        ]
        rows.append((*row, one.version) if wide else tuple(row))
    headers = ["NODE", "READY", "KEEPALIVED", "HOLDS", "PLAN", "DRAIN", "INTERFACES"]
    if rows:
        yield from ("", *_titled(*headers, *(["AGENT"] if wide else []), rows=rows))


def _sessions(view: Overview, now: float) -> Iterator[str]:
    rows = [
        (
            one.node,
            f"{one.peer} ({one.address}, AS {one.asn})",
            one.state,
            ago(now - one.since) if one.since else "?",
            one.bfd or "-",
            str(one.losses),
            str(one.routes),
        )
        for one in view.sessions
    ]
    if rows:
        yield from ("", *_titled("NODE", "BGP SESSION WITH", "STATE", "FOR", "BFD", "LOST", "ROUTES", rows=rows))


def _titled(*headers: str, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    title, *lines = table(headers, rows)
    yield paint(title, BOLD)
    yield from lines
