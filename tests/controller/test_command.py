"""`vipmgr controller` as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from tests.controller.conftest import Cluster
from vipmgr.cli.main import main
from vipmgr.controller.program import LEASE
from vipmgr.kube.auth import SERVER_VARIABLE
from vipmgr.kube.client import Client
from vipmgr.kube.resources import LEASES
from vipmgr.lab.apiserver import ApiServer


async def test_it_serves_and_on_sigterm_releases_the_lease_and_ends_well(
    server: ApiServer, client: Client, cluster: Cluster
) -> None:
    await cluster.eip("pool", "10.0.0.1-10.0.0.9")
    await cluster.service("a", "pool")
    command = [sys.executable, "-m", "vipmgr", "controller", "--no-webhook", "--listen", "127.0.0.1:0"]
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | {SERVER_VARIABLE: server.url}, stderr=asyncio.subprocess.PIPE
    )
    try:
        await cluster.has("a", "10.0.0.1")
        assert (await client.get(LEASES, LEASE, "vipmgr-system")).spec.holder_identity
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        assert (await client.get(LEASES, LEASE, "vipmgr-system")).spec.holder_identity == ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--listen", "nowhere"], "--listen"),
        (["--lease-renew", "20"], "--lease-renew"),
        (["--lease-retry", "30"], "--lease-retry"),
    ],
)
def test_a_wrong_call_names_the_option(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", *words]) == 2
    assert said in capsys.readouterr().err


def test_no_way_into_a_cluster_is_one_line(
    tmp_path: os.PathLike[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    assert main(["controller", "--kubeconfig", f"{tmp_path}/none"]) == 1
    assert "kubeconfig" in capsys.readouterr().err
