"""vipmgr agent: the program of every node, next to keepalived."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from vipmgr.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--node", default=os.environ.get("NODE_NAME", ""), help="this Node's name [$NODE_NAME]")
    parser.add_argument("--kubeconfig", help="instead of $KUBECONFIG or the pod's own account")
    parser.add_argument(
        "--namespace",
        default=os.environ.get("POD_NAMESPACE", "vipmgr-system"),
        help="of the agents' Leases, the pod's own [%(default)s]",
    )
    parser.add_argument(
        "--state-dir", type=Path, default=Path("/var/lib/vipmgr"), help="survives a reboot [%(default)s]"
    )
    parser.add_argument(
        "--run-dir", type=Path, default=Path("/run/vipmgr"), help="shared with keepalived [%(default)s]"
    )
    parser.add_argument(
        "--listen", default="", metavar="ADDRESS:PORT", help="serve /healthz, /readyz and /metrics there"
    )
    parser.add_argument("--audit-megabytes", type=int, default=16, help="size of one audit file [%(default)s]")
    parser.add_argument("--audit-files", type=int, default=4, help="audit files kept besides the newest [%(default)s]")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])


def run(args: argparse.Namespace) -> int:
    from vipmgr import log  # noqa: PLC0415 - `vipmgr --help` and completion do not pay for the agent's imports
    from vipmgr.node.program import run as run_agent  # noqa: PLC0415
    from vipmgr.node.settings import Paths, Settings  # noqa: PLC0415

    if not args.node:
        raise UsageError("--node is needed, or $NODE_NAME")
    address, port = _listen(args.listen)
    log.set_up(args.log_level)
    settings = Settings(
        node=args.node,
        paths=Paths(state=args.state_dir, run=args.run_dir),
        address=address,
        port=port,
        audit_bytes=args.audit_megabytes * 1024 * 1024,
        audit_files=args.audit_files,
        kubeconfig=args.kubeconfig,
        namespace=args.namespace,
    )
    asyncio.run(run_agent(settings))
    return 0


def _listen(text: str) -> tuple[str, int]:
    """`ADDRESS:PORT`, `[ADDRESS]:PORT` or `:PORT` (every address); empty: nothing is served."""
    if not text:
        return "", 0
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"--listen {text}: expected ADDRESS:PORT")
    return address.strip("[]"), int(port)
