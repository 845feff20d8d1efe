"""vipmgr where: the node that answers for an address, or for every address of a Service."""

from __future__ import annotations

import argparse
from ipaddress import ip_address

from vipmgr.cli.cluster import add_cluster_options, check_known, in_cluster, read_cluster
from vipmgr.cli.output import RED, add_output_option, ago, dump, iso, paint, show, table
from vipmgr.core.overview import Cluster, Place, where
from vipmgr.errors import UsageError
from vipmgr.kube.client import Client

NOBODY = 3
_EPILOG = """
exit status:
  0  found, and one node answers for each address (bgp: one or more)
  3  an address is answered for by nobody
  1, 2  it could not be done; the call was wrong or names nothing known
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("what", metavar="ADDRESS|NAMESPACE/SERVICE")
    add_cluster_options(parser)
    add_output_option(parser, "table", "json", "yaml")


def run(args: argparse.Namespace) -> int:
    question = _question(args.what)

    async def look(client: Client) -> Cluster:
        return await read_cluster(client)

    cluster = in_cluster(args, look)
    places = where(cluster, question)
    if not places:
        owners = (one for eip in cluster.eips.values() for one in (eip.status.used or {}).values())
        known = [name for one in owners for name in one.split(";")]
        known += [address for eip in cluster.eips.values() for address in eip.status.used or {}]
        check_known("Service or address with a VIP is called", question, known)
    if args.output == "table":
        show(_told(places, cluster.now))
    else:
        show([dump([_plain(one) for one in places], args.output)])
    return 0 if all(one.nodes for one in places) else NOBODY


def _question(text: str) -> str:
    """An address in its shortest form, or namespace/name. Raises UsageError."""
    if "/" in text:
        return text
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise UsageError(f"{text}: expected an address or NAMESPACE/SERVICE") from error


def _told(places: list[Place], now: float) -> list[str]:
    rows = [
        (
            one.address,
            " + ".join(one.nodes) or "nobody",
            one.interface or "-",
            one.mac or "-",
            ago(now - one.since) if one.since else "-",
            one.following or "-",
            one.instance or one.protocol,
            one.eip,
            ", ".join(one.services),
        )
        for one in places
    ]
    headers = ("ADDRESS", "NODE", "INTERFACE", "MAC", "FOR", "NEXT", "INSTANCE", "POOL", "SERVICES")
    title, *lines = table(headers, rows)
    return [title, *(line if one.nodes else paint(line, RED) for line, one in zip(lines, places, strict=True))]


def _plain(one: Place) -> dict[str, object]:
    return {
        "address": one.address,
        "eip": one.eip,
        "protocol": one.protocol,
        "nodes": one.nodes,
        "interface": one.interface,
        "mac": one.mac,
        "instance": one.instance,
        "since": iso(one.since) if one.since else None,
        "next": one.following,
        "services": one.services,
    }
