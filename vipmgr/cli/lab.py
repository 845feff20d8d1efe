"""vipmgr lab: a cluster of network namespaces on this machine."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import textwrap
from typing import Final

from vipmgr.errors import FatalError, UsageError
from vipmgr.lab.client import Lab, running
from vipmgr.lab.control import LabError
from vipmgr.lab.faults import FAULTS
from vipmgr.lab.plane import APIS

PROGRAMS: Final = {"keepalived": "keepalived", "ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux"}


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    up = actions.add_parser("up", help="start a lab and leave it running")
    up.add_argument("--nodes", type=int, default=3, help="how many nodes (default 3)")
    up.add_argument("--segments", type=int, default=1, help="how many networks every node is on (default 1)")
    up.add_argument("--controllers", type=int, default=1, help="how many controller replicas (default 1)")
    up.add_argument("--grace", type=float, default=3.0, help="seconds until a silent node is NotReady (default 3)")
    up.add_argument(
        "--api",
        choices=APIS,
        help="embedded (default), real: etcd and kube-apiserver from $KUBEBUILDER_ASSETS (default when that is set), "
        "kubeconfig: the cluster of $KUBECONFIG, to which the lab then adds its Nodes",
    )
    down = actions.add_parser("down", help="stop a lab; nothing of it is left")
    status = actions.add_parser("status", help="what is up, and how to reach it")
    inside = actions.add_parser("exec", help="run a command in a node, or in client, router, ctl")
    inside.add_argument("where", metavar="NODE")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    demo = actions.add_parser("demo", help="two minutes: faults one after another, measured and audited")
    demo.add_argument("--nodes", type=int, default=3)
    summaries = "\n".join(f"  {name:16} {fault.summary}" for name, fault in FAULTS.items())
    fault = actions.add_parser(
        "fault",
        help="break something, or mend it",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Faults:\n{summaries}",
    )
    fault.add_argument("fault", metavar="FAULT", choices=tuple(FAULTS))
    fault.add_argument("nodes", nargs="*", metavar="NODE")
    for one in (up, down, status, inside, fault):
        one.add_argument("--name", default="lab", help="the lab's name (default: lab)")


def run(args: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        raise UsageError("a lab needs root: it makes network namespaces")
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        raise UsageError(f"not installed: {', '.join(missing)} (apt-get install {' '.join(missing)})")
    match args.action:
        case "up":
            return _up(args)
        case "down":
            Lab.attach(args.name).stop()
            return 0
        case "status":
            return _status(args.name)
        case "exec":
            return _exec(args)
        case "fault":
            Lab.attach(args.name).fault(args.fault, *args.nodes)
            return 0
    from vipmgr.lab.demo import demo  # noqa: PLC0415 - the one action that needs it

    return demo(args.nodes, sys.stdout)


def _up(args: argparse.Namespace) -> int:
    if args.name in running():
        raise FatalError(f"lab {args.name} is already up: vipmgr lab down --name {args.name}")
    chosen = {"api": args.api} if args.api else {}
    options = {"segments": args.segments, "controllers": args.controllers, "grace": args.grace}
    lab = Lab(args.nodes, name=args.name, **options, **chosen)
    lab.start(keep=True)
    option = "" if args.name == "lab" else f" --name {args.name}"
    print(textwrap.dedent(f"""\
        lab {args.name} is up: {", ".join(lab.nodes())}

          export KUBECONFIG={lab.state}/kubeconfig
          vipmgr lab exec{option} n1 -- ip addr
          vipmgr lab exec{option} client -- ping 196.168.220.10
          vipmgr lab fault{option} cut n1
          vipmgr lab down{option}
        """), end="")  # fmt: skip
    return 0


def _status(name: str) -> int:
    """All labs, whoever started them; one that comes or goes while it is asked is no failure of ours."""
    for one in running():
        try:
            facts = Lab.attach(one).ask("describe")
        except LabError as error:
            print(f"lab {one}: {error}")
            continue
        print(f"lab {one}  {'up' if facts['up'] else 'starting'}  KUBECONFIG={facts['kubeconfig']}")
        for node, state in facts["nodes"].items():
            legs = "  ".join(f"{name} {', '.join(addresses)}" for name, addresses in state["addresses"].items())
            print(f"  {node:6} {'running' if state['running'] else 'dead':8} {legs}")
    if name not in running():
        print(f"lab {name} is not up")
        return 1
    return 0


def _exec(args: argparse.Namespace) -> int:
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        raise UsageError("exec: name the command, as in: vipmgr lab exec n1 -- ip addr")
    lab = Lab.attach(args.name)
    env = {**os.environ, "KUBECONFIG": str(lab.state / "kubeconfig-inside")}
    return subprocess.run(lab.command(args.where, words), check=False, env=env).returncode
