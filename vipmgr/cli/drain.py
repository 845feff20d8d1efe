"""vipmgr drain: hand every VIP of a node to others, and wait until they have them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from vipmgr.cli.cluster import add_cluster_options, check_known, in_cluster, read_cluster, wait_for
from vipmgr.cli.output import shortened, show, table
from vipmgr.cli.times import duration
from vipmgr.core.overview import DRAIN, Cluster, live_members, masters, seconds
from vipmgr.errors import RejectedError, TemporaryError
from vipmgr.kube.client import Client
from vipmgr.kube.resources import VIP_NODES


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE")
    parser.add_argument("--force", action="store_true", help="even when a VIP is left with nobody to take it")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="ask for it, and do not wait")
    parser.add_argument("--timeout", default="60s", metavar="TIME", help="how long to wait [%(default)s]")
    add_cluster_options(parser)


def run(args: argparse.Namespace) -> int:
    return in_cluster(args, lambda client: _drain(client, args))


async def _drain(client: Client, args: argparse.Namespace) -> int:
    timeout = duration(args.timeout)
    before = await read_cluster(client)
    check_known("node", args.node, list(before.nodes))
    stuck = _stuck(before, args.node)
    if stuck and not args.force:
        raise RejectedError(
            f"nobody else stands by for {shortened(stuck)}, held by {args.node}: their VIPs would be dark; "
            "--force does it all the same"
        )
    if stuck:
        show([f"warning: nobody else stands by for {shortened(stuck)}"])
    asked = time.time()
    await client.patch(VIP_NODES, args.node, {"metadata": {"annotations": {DRAIN: "true"}}})
    if not args.wait:
        return 0
    held = {name: one for name, one in before.instances.items() if args.node in masters(one)}

    async def look() -> Cluster | None:
        now = await read_cluster(client)
        node = now.nodes.get(args.node)
        gone = all(_handed_over(now, name, args.node) for name in held if name not in stuck)
        return now if node is not None and node.status.drained and gone else None

    after = await wait_for(look, timeout)
    if after is None:
        raise TemporaryError(
            f"{args.node} is not drained after {args.timeout}; it is still asked to (vipmgr undrain takes that back)"
        )
    show(_told(args.node, held, after, asked))
    return 0


def _stuck(cluster: Cluster, node: str) -> list[str]:
    """Instances the node holds, that no other node could take."""
    return sorted(
        name
        for name, one in cluster.instances.items()
        if node in masters(one) and not _others(cluster, live_members(cluster, one), node)
    )


def _others(cluster: Cluster, members: list[str], node: str) -> list[str]:
    """Those that are not drained themselves."""
    return [one for one in members if one != node and not cluster.nodes[one].status.drained]


def _handed_over(cluster: Cluster, instance: str, node: str) -> bool:
    one = cluster.instances.get(instance)
    return one is None or (bool(masters(one)) and node not in masters(one))


def _told(node: str, held: Mapping[str, object], after: Cluster, asked: float) -> list[str]:
    """What moved where, and when its new master took it, counted from the request."""
    rows = []
    for name in sorted(held):
        one = after.instances.get(name)
        if one is None:
            continue
        since = seconds(one.status.since)
        took = f"after {max(0.0, since - asked) * 1000:.0f}ms" if since else "-"
        rows.append((name, f"{node} -> {' + '.join(masters(one)) or 'nobody'}", took, shortened(one.spec.vips)))
    moved = f"{node} is drained"
    return [moved, *table(("INSTANCE", "MOVED", "TAKEN", "VIPS"), rows)] if rows else [f"{moved}; it held nothing"]
