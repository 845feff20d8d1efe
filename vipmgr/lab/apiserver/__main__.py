"""The API server as a program of its own: python -m vipmgr.lab.apiserver --listen HOST:PORT --kubeconfig FILE."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from vipmgr.lab.apiserver.server import ApiServer, read_definitions, run_until


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vipmgr.lab.apiserver", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0: a free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="written when the server is ready")
    parser.add_argument("--crds", type=Path, metavar="DIR", help="CustomResourceDefinitions to begin with")
    parser.add_argument("--token", action="append", default=[], metavar="TOKEN=USER", help="a bearer token; repeatable")
    parser.add_argument("--http", action="store_true", help="plain HTTP: no certificate, and kubectl sends no token")
    return parser


async def _serve(args: argparse.Namespace) -> None:
    host, _, port = args.listen.rpartition(":")
    server = ApiServer(
        listen=(host.strip("[]"), int(port)),
        tls=not args.http,
        tokens=dict(text.split("=", 1) for text in args.token),
        definitions=read_definitions(args.crds) if args.crds else (),
        kubeconfig=args.kubeconfig,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await run_until(server, stopped)


if __name__ == "__main__":
    asyncio.run(_serve(_parser().parse_args()))
