"""vipmgr render: what every node would get, from a folder of manifests, without a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

import msgspec
import yaml

from vipmgr.cli.manifests import Manifests, read_manifests
from vipmgr.core import wire
from vipmgr.core.decode import Opting
from vipmgr.core.desire import Desired, desire
from vipmgr.core.eipstatus import eip_status, entries
from vipmgr.core.model import InstanceReport, NodeReport
from vipmgr.core.render import Renderer
from vipmgr.core.snapshot import Snapshot, SnapshotReader
from vipmgr.errors import UsageError
from vipmgr.templates import template_text

_STEPS: Final = 8


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as such."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "The files hold Eips, Services and Nodes; Namespaces, EndpointSlices, VrrpInstances and VipNodes are used when "
        "they are there. Exit status: 0 everything is served, 1 something is refused or cannot be placed, 2 wrong call."
    )
    parser.add_argument("places", nargs="+", metavar="FOLDER|FILE", help="manifests; - reads standard input")
    parser.add_argument("--node", metavar="N", help="only this node; as text: its keepalived.conf and nothing else")
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text")
    parser.add_argument("--load-balancer-class", default=Opting().load_balancer_class, metavar="CLASS")
    parser.add_argument("--default-class", action="store_true", help="serve Services without a class as well")


def run(args: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    manifests = read_manifests(args.places)
    objects = manifests.objects(now)
    if args.node is not None and args.node not in objects.nodes:
        raise UsageError(f"--node {args.node}: the nodes are {', '.join(sorted(objects.nodes))}")
    reader = SnapshotReader(Opting(args.load_balancer_class, args.default_class), manifests.cluster)
    desired = _in_the_end(reader.read(objects), now)
    if args.output == "text":
        _print_text(desired, manifests, args.node)
    else:
        whole = _as_data(desired, manifests, args.node)
        as_json = args.output == "json"
        sys.stdout.write(
            json.dumps(whole, indent=2) + "\n" if as_json else yaml.dump(whole, Dumper=_Dumper, sort_keys=False)
        )
    return 1 if desired.allocation.refused or any(desired.problems.values()) else 0


def _in_the_end(snapshot: Snapshot, now: datetime) -> Desired:
    """The decision once every node has confirmed what it was told on the way (`core.stage` goes step by step)."""
    renderer = Renderer(template_text("keepalived.conf.j2"))
    desired = desire(snapshot, renderer.spec, now)
    for _ in range(_STEPS):
        reports = {name: _confirming(report, desired.specs[name]) for name, report in snapshot.reports.items()}
        snapshot = replace(snapshot, instances=desired.placement.instances, reports=reports)
        desired, before = desire(snapshot, renderer.spec, now), desired
        if desired.specs == before.specs:
            break
    return desired


def _confirming(report: NodeReport, spec: wire.VipNodeSpec) -> NodeReport:
    """What the node's agent would say after it has installed `spec`."""
    held = {one.name: frozenset(ip_address(vip) for vip in one.vips) for one in spec.instances}
    states = {one.name: InstanceReport("BACKUP", "", one.priority, "", contested=False) for one in spec.instances}
    return replace(
        report,
        revision=spec.revision,
        published_revision=spec.revision,
        published_instances=held,
        published_wiring={one.name: (one.interface, one.virtual_router_id) for one in spec.instances},
        instances={**states, **{name: said for name, said in report.instances.items() if name in states}},
        unsettled={},
    )


def _print_text(desired: Desired, manifests: Manifests, node: str | None) -> None:
    for note in manifests.notes:
        print(f"note: {note}", file=sys.stderr)
    for line in _refusals(desired):
        print(line, file=sys.stderr)
    if node is not None:
        sys.stdout.write(desired.specs[node].keepalived)
        return
    for key, assignment in sorted(desired.allocation.assigned.items()):
        given = ", ".join(f"{address} ({pool})" for address, pool in assignment.addresses)
        print(f"# Service {key}: {given}")
    for name, spec in desired.specs.items():
        print(f"\n# ---- node {name}, revision {spec.revision}")
        sys.stdout.write(spec.keepalived)


def _refusals(desired: Desired) -> list[str]:
    services = [
        f"refused: Service {key}: {refusal.reason}: {refusal.message}"
        for key, refusal in sorted(desired.allocation.refused.items())
    ]
    pools = [
        f"refused: {problem.about}: {problem.reason}: {problem.message}"
        for _, problems in sorted(desired.problems.items())
        for problem in problems
    ]
    return pools + services


def _as_data(desired: Desired, manifests: Manifests, node: str | None) -> dict[str, Any]:
    allocation = desired.allocation
    keys = sorted(allocation.assigned.keys() | allocation.refused.keys())
    return {
        "services": [_service(desired, key) for key in keys],
        "eips": [
            {
                "name": name,
                "status": msgspec.to_builtins(eip_status(pool, entries(allocation.used[name]))),
                "problems": [{"reason": str(one.reason), "message": one.message} for one in desired.problems[name]],
            }
            for name, pool in sorted(desired.pools.items())
        ],
        "instances": [
            {
                "name": instance.name,
                "eip": instance.eip,
                "interface": instance.interface,
                "family": str(instance.family),
                "virtualRouterID": instance.vrid,
                "members": [{"node": member.node, "priority": member.priority} for member in instance.members],
                "vips": [str(vip) for vip in instance.vips],
            }
            for _, instance in sorted(desired.placement.instances.items())
        ],
        "nodes": [
            {"name": name, "spec": msgspec.to_builtins(spec)}
            for name, spec in desired.specs.items()
            if node in (None, name)
        ],
        "notes": manifests.notes,
    }


def _service(desired: Desired, key: str) -> dict[str, Any]:
    assignment = desired.allocation.assigned.get(key)
    refusal = desired.allocation.refused.get(key)
    return {
        "name": key,
        "addresses": [{"ip": str(ip), "eip": pool} for ip, pool in assignment.addresses] if assignment else [],
        "refused": {"reason": str(refusal.reason), "message": refusal.message} if refusal else None,
    }
