"""A lab on somebody else's API server, out in the host's namespace: the cluster that KUBECONFIG names."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from vipmgr.lab.client import Lab
from vipmgr.lab.demo import MANIFESTS, SERVICE
from vipmgr.lab.trial import measure

pytestmark = pytest.mark.lab


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    path = tmp_path / "kubeconfig"
    argv = [sys.executable, "-m", "vipmgr.lab.apiserver", "--kubeconfig", str(path)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        while not path.exists() or not path.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield path
        server.terminate()


def test_a_vip_comes_up_there_and_fails_over_while_that_server_is_away(kubeconfig):
    with Lab(nodes=2, api="kubeconfig") as lab:
        assert (lab.state / "kubeconfig").read_text().count("127.0.0.1") == kubeconfig.read_text().count("127.0.0.1")
        lab.apply(MANIFESTS)
        vip = lab.wait_for_vip(SERVICE)
        with lab.prober(vip) as prober:
            lab.wait(prober.steady, f"{vip} answers")
            lab.fault("api-down")
            master = lab.holder(vip)
            seen = measure(lab, prober, vip, [("cut", master)], moves=True)
            lab.fault("heal")
            lab.fault("api-up")
        assert 150 <= seen.dark_ms <= 1000
        lab.wait(lambda: lab.converged(vip), "everything is in order", 30)
