"""vipmgr undrain: let a drained node hold VIPs again. Nothing moves back by itself: `vipmgr rebalance` does that."""

from __future__ import annotations

import argparse

from vipmgr.cli.cluster import add_cluster_options, check_known, in_cluster, wait_for
from vipmgr.cli.output import show
from vipmgr.cli.times import duration
from vipmgr.core.overview import DRAIN
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client
from vipmgr.kube.resources import VIP_NODES


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="ask for it, and do not wait")
    parser.add_argument("--timeout", default="60s", metavar="TIME", help="how long to wait [%(default)s]")
    add_cluster_options(parser)


def run(args: argparse.Namespace) -> int:
    return in_cluster(args, lambda client: _undrain(client, args))


async def _undrain(client: Client, args: argparse.Namespace) -> int:
    timeout = duration(args.timeout)
    nodes = {one.metadata.name: one for one in await client.list(VIP_NODES)}
    check_known("node", args.node, list(nodes))
    if DRAIN not in (nodes[args.node].metadata.annotations or {}) and not nodes[args.node].status.drained:
        show([f"{args.node} is not drained"])
        return 0
    await client.patch(VIP_NODES, args.node, {"metadata": {"annotations": {DRAIN: None}}})
    if not args.wait:
        return 0

    async def look() -> bool | None:
        return None if (await client.get(VIP_NODES, args.node)).status.drained else True

    if await wait_for(look, timeout) is None:
        raise TemporaryError(f"{args.node} still says that it is drained, after {args.timeout}")
    show([f"{args.node} may hold VIPs again"])
    return 0
