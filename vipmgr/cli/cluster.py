"""The cluster, as the operator's commands use it: connect, read all objects of a kind at once, wait for a change."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Final, TypeVar

from vipmgr.core.overview import Cluster
from vipmgr.errors import FatalError, TemporaryError, UsageError
from vipmgr.kube.auth import sign_in
from vipmgr.kube.client import Client, NotFoundError, UnreachableError
from vipmgr.kube.resources import EIPS, NODES, VIP_NODES, VRRP_INSTANCES

T = TypeVar("T")
LOOK_EVERY: Final = 0.1
"""Seconds between two looks while waiting: a drain takes a few."""


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", help="instead of $KUBECONFIG, ~/.kube/config or the pod's own account")
    parser.add_argument("--context", help="which context of the kubeconfig")


@asynccontextmanager
async def connected(args: argparse.Namespace) -> AsyncIterator[Client]:
    """Raises TemporaryError when the cluster does not answer, with one line that says where it was looked for."""
    access = await sign_in(args.kubeconfig, args.context)
    async with Client(access) as client:
        try:
            yield client
        except UnreachableError as error:
            raise TemporaryError(f"no cluster answers at {access.server}: {error}") from error
        except NotFoundError as error:
            raise FatalError(f"{error} (are vipmgr's resource definitions installed?)") from error


def in_cluster(args: argparse.Namespace, act: Callable[[Client], Awaitable[T]]) -> T:
    """Run `act` with a client; what a command's `run` is made of."""

    async def connect_and_act() -> T:
        async with connected(args) as client:
            return await act(client)

    return asyncio.run(connect_and_act())


async def read_cluster(client: Client) -> Cluster:
    nodes, instances, eips, machines = await asyncio.gather(
        client.list(VIP_NODES), client.list(VRRP_INSTANCES), client.list(EIPS), client.list(NODES)
    )
    return Cluster(
        nodes={one.metadata.name: one for one in nodes},
        instances={one.metadata.name: one for one in instances},
        eips={one.metadata.name: one for one in eips},
        machines={one.metadata.name: one for one in machines},
        now=time.time(),
    )


def check_known(kind: str, name: str, known: list[str]) -> None:
    """Raises UsageError, with the nearest name that exists."""
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known)[:8]) or 'none'}"
    raise UsageError(f"no {kind} {name}{hint}")


async def wait_for(look: Callable[[], Awaitable[T | None]], timeout: float) -> T | None:  # noqa: ASYNC109
    """The first answer of `look` that is not None; None when `timeout` seconds passed without one."""
    until = time.monotonic() + timeout
    while True:
        if (found := await look()) is not None:
            return found
        if time.monotonic() >= until:
            return None
        await asyncio.sleep(LOOK_EVERY)
