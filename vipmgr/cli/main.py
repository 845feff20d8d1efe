"""The command line: one table of commands, each in a module of its own that is imported only when it is called.

A command module has `configure(parser)` and `run(args) -> int`. Exit status: 0 done, 1 it failed, 2 the call was wrong;
a command that judges something (audit) documents its further ones in its own help.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from vipmgr import __version__
from vipmgr.errors import FatalError, RejectedError, TemporaryError, UsageError

COMMANDS: Final[dict[str, str]] = {
    "status": "who holds which VIP, and what is wrong",
    "where": "the node that holds a VIP or a Service's VIPs",
    "audit": "failovers: who held which VIP, when, why it moved, how long it was dark",
    "drain": "hand every VIP of a node to others before maintenance",
    "undrain": "let a drained node hold VIPs again",
    "rebalance": "hand VIPs back to the nodes they were planned for",
    "render": "what every node would get, from a folder of manifests, without a cluster",
    "lab": "a cluster of network namespaces on this machine",
    "controller": "run the controller",
    "agent": "run the node agent",
    "completion": "print a completion script for your shell",
}


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser with the options of the command `chosen` filled in (None: of all of them, for completion)."""
    parser = argparse.ArgumentParser(prog="vipmgr", description="Load-balancer addresses for bare-metal Kubernetes.")
    parser.add_argument("--version", action="version", version=f"vipmgr {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        one = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if chosen in (None, name):
            importlib.import_module(f"vipmgr.cli.{name}").configure(one)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        build_parser("").print_help(sys.stderr)
        return 2
    chosen = next((word for word in words if not word.startswith("-")), "")
    if chosen and chosen not in COMMANDS:
        near = get_close_matches(chosen, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else "vipmgr --help lists them"
        print(f"vipmgr: no command {chosen}; {hint}", file=sys.stderr)
        return 2
    args = build_parser(chosen).parse_args(words)
    try:
        return int(importlib.import_module(f"vipmgr.cli.{args.command}").run(args))
    except UsageError as error:
        print(f"vipmgr {args.command}: {error}", file=sys.stderr)
        return 2
    except (RejectedError, TemporaryError, FatalError) as error:
        print(f"vipmgr {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
