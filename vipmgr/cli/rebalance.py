"""vipmgr rebalance: hand VIPs back to the nodes they were planned for, one short handover each."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NamedTuple
from uuid import uuid4

from vipmgr.cli.cluster import add_cluster_options, check_known, in_cluster, read_cluster, wait_for
from vipmgr.cli.output import shortened, show, table
from vipmgr.cli.times import duration
from vipmgr.core.overview import REBALANCE, Cluster, live_members, masters
from vipmgr.errors import TemporaryError
from vipmgr.kube.client import Client
from vipmgr.kube.resources import VRRP_INSTANCES


class Displaced(NamedTuple):
    """An instance that is not where it was planned. `target`: the first member that could take it now."""

    instance: str
    holder: str
    target: str
    vips: tuple[str, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--eip", default="", metavar="POOL", help="only the instances of this pool")
    parser.add_argument("--dry-run", action="store_true", help="show what would move, and move nothing")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="ask for it, and do not wait")
    parser.add_argument("--timeout", default="60s", metavar="TIME", help="how long to wait [%(default)s]")
    add_cluster_options(parser)


def run(args: argparse.Namespace) -> int:
    return in_cluster(args, lambda client: _rebalance(client, args))


async def _rebalance(client: Client, args: argparse.Namespace) -> int:
    timeout = duration(args.timeout)
    cluster = await read_cluster(client)
    if args.eip:
        check_known("pool", args.eip, list(cluster.eips))
    moving = {one.instance: one for one in displaced(cluster, args.eip)}
    if not moving:
        show(["every instance is held by the node it was planned for, or that node cannot take it"])
        return 0
    if args.dry_run:
        show(_told(moving))
        return 0
    token = uuid4().hex[:12]
    for name in moving:
        await client.patch(VRRP_INSTANCES, name, {"metadata": {"annotations": {REBALANCE: token}}})
    if not args.wait:
        show(_told(moving))
        return 0

    async def look() -> bool | None:
        now = {one.metadata.name: one for one in await client.list(VRRP_INSTANCES)}
        done = (name not in now or masters(now[name]) == (one.target,) for name, one in moving.items())
        return True if all(done) else None

    if await wait_for(look, timeout) is None:
        left = [one.instance for one in displaced(await read_cluster(client), args.eip) if one.instance in moving]
        raise TemporaryError(f"after {args.timeout} not where planned: {shortened(left)}; it is still asked for")
    show(_told(moving))
    return 0


def displaced(cluster: Cluster, eip: str = "") -> list[Displaced]:
    """Instances with one master that is not the first member able to hold them."""
    found = []
    for name, one in sorted(cluster.instances.items()):
        able = [node for node in live_members(cluster, one) if not cluster.nodes[node].status.drained]
        holding = masters(one)
        if (not eip or one.spec.eip == eip) and able and len(holding) == 1 and holding[0] != able[0]:
            found.append(Displaced(name, holding[0], able[0], tuple(one.spec.vips)))
    return found


def _told(moving: Mapping[str, Displaced]) -> list[str]:
    rows = [(one.instance, f"{one.holder} -> {one.target}", shortened(one.vips)) for one in moving.values()]
    return table(("INSTANCE", "MOVES", "VIPS"), rows)
