"""The real kubectl against the server as a program of its own."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from vipmgr.lab.apiserver import ApiServer, read_definitions

ROOT = Path(__file__).parents[2]
KUBECTL = shutil.which("kubectl") or str(ROOT / "bin" / "kubectl")
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{name: http, port: 80}, {name: https, port: 443}]
"""
EIP = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: pool}
spec: {address: 10.0.0.0/24, protocol: vip, interface: eth0}
"""


class Kubectl:
    def __init__(self, kubeconfig, home):
        self._environment = os.environ | {"KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    async def start(self, *words, stdin=None):
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            KUBECTL, *words, env=self._environment, stdin=pipe, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *words, stdin="", status=0):
        process = await self.start(*words)
        out, errors = await process.communicate(stdin.encode())
        assert process.returncode == status, (words, out, errors)
        return (out + errors).decode()


@pytest.fixture
async def kubectl(tmp_path):
    definitions = read_definitions(ROOT / "manifests" / "crds")
    async with ApiServer(tls=True, definitions=definitions) as server:
        yield Kubectl(server.kubeconfig, tmp_path)


async def test_apply_creates_then_configures_then_changes_nothing(kubectl):
    assert "service/web created" in await kubectl("apply", "-f", "-", stdin=SERVICE)
    assert "service/web unchanged" in await kubectl("apply", "-f", "-", stdin=SERVICE)
    less = SERVICE.replace(", {name: https, port: 443}", ", {name: alt, port: 8080}")
    assert "service/web configured" in await kubectl("apply", "-f", "-", stdin=less)
    ports = (await kubectl("get", "svc", "web", "-o", "jsonpath={.spec.ports[*].port}")).split()
    assert sorted(ports) == ["80", "8080"]


async def test_apply_on_the_server_works_for_custom_resources_and_reports_conflicts(kubectl):
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", stdin=EIP)
    await kubectl("patch", "eip", "pool", "--type=merge", "-p", '{"spec":{"interface":"eth1"}}')
    refused = await kubectl("apply", "--server-side", "-f", "-", stdin=EIP, status=1)
    assert ".spec.interface" in refused
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=EIP)
    assert await kubectl("get", "eip", "pool", "-o", "jsonpath={.spec.interface}") == "eth0"


async def test_apply_refuses_unknown_fields(kubectl):
    wrong = SERVICE.replace("type: LoadBalancer", "type: LoadBalancer\n  bogus: 1")
    assert 'unknown field "spec.bogus"' in await kubectl("apply", "-f", "-", stdin=wrong, status=1)
    wrong = EIP.replace("protocol: vip", "protocol: vip, bogus: 1")
    assert 'unknown field "spec.bogus"' in await kubectl("apply", "-f", "-", stdin=wrong, status=1)


async def test_all_manifests_of_the_project_apply(kubectl):
    out = await kubectl("apply", "-k", str(ROOT / "manifests"))
    listed = yaml.safe_load((ROOT / "manifests" / "kustomization.yaml").read_text())["resources"]
    documents = [one for name in listed for one in yaml.safe_load_all((ROOT / "manifests" / name).read_text()) if one]
    assert len(documents) > 10
    for one in documents:
        assert f"/{one['metadata']['name']} " in out


async def test_get_describe_and_explain_read_well(kubectl):
    await kubectl("apply", "-f", "-", stdin=f"{EIP}---{SERVICE}")
    table = (await kubectl("get", "svc")).splitlines()
    assert table[0].split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert table[1].split()[:2] == ["web", "LoadBalancer"]
    assert "<pending>" in table[1]
    assert "10.0.0.0/24" in await kubectl("get", "eips")
    assert "10.0.0.0/24" in await kubectl("describe", "eip", "pool")
    assert "IP Families:              IPv4" in await kubectl("describe", "svc", "web")
    assert "advertInterval" in await kubectl("explain", "eip.spec.vrrp")
    assert "nodePort" in await kubectl("explain", "service.spec.ports")
    assert "eips" in await kubectl("api-resources", "--api-group=network.kubesphere.io")


async def test_label_annotate_taint_and_patch(kubectl):
    node = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}"
    await kubectl("apply", "-f", "-", stdin=node)
    await kubectl("label", "node", "n1", "a=b")
    await kubectl("annotate", "node", "n1", "c=d")
    await kubectl("taint", "node", "n1", "x=y:NoSchedule")
    await kubectl("cordon", "n1")
    body = yaml.safe_load(await kubectl("get", "node", "n1", "-o", "yaml"))
    assert (body["metadata"]["labels"], body["metadata"]["annotations"]["c"]) == ({"a": "b"}, "d")
    assert {taint["key"] for taint in body["spec"]["taints"]} >= {"x"}
    assert body["spec"]["unschedulable"] is True
    await kubectl("patch", "node", "n1", "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/a"}]')
    assert await kubectl("get", "node", "-l", "a=b", "-o", "name") == ""


async def test_watch_and_wait_see_what_happens(kubectl):
    await kubectl("apply", "-f", "-", stdin=SERVICE)
    watching = await kubectl.start("get", "svc", "-w", "-o", "name")
    assert await asyncio.wait_for(watching.stdout.readline(), 20) == b"service/web\n"
    waiting = asyncio.create_task(kubectl("wait", "svc/web", "--for=jsonpath={.metadata.labels.a}=b", "--timeout=20s"))
    await kubectl("label", "svc", "web", "a=b")
    assert await asyncio.wait_for(watching.stdout.readline(), 20) == b"service/web\n"
    assert "condition met" in await waiting
    watching.terminate()
    await watching.communicate()
    crd = "crd/eips.network.kubesphere.io"
    assert "condition met" in await kubectl("wait", crd, "--for=condition=Established", "--timeout=20s")


async def test_delete_waits_until_it_is_gone(kubectl):
    await kubectl("apply", "-f", "-", stdin=SERVICE)
    assert "deleted" in await kubectl("delete", "svc", "web", "--timeout=20s")
    assert "NotFound" in await kubectl("get", "svc", "web", status=1)
    await kubectl("apply", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata: {name: gone}")
    await kubectl("apply", "-n", "gone", "-f", "-", stdin=SERVICE)
    assert "deleted" in await kubectl("delete", "ns", "gone", "--timeout=20s")


async def test_diff_shows_what_an_apply_would_change(kubectl):
    await kubectl("apply", "-f", "-", stdin=SERVICE)
    assert "8443" in await kubectl("diff", "-f", "-", stdin=SERVICE.replace("443", "8443"), status=1)


async def test_logs_come_from_the_file_on_the_pod(kubectl, tmp_path):
    log = tmp_path / "pod.log"
    log.write_text("one\ntwo\n")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "annotations": {"lab.vipmgr.io/log-file": str(log)}},
        "spec": {"containers": [{"name": "c", "image": "none"}]},
    }
    await kubectl("apply", "-f", "-", stdin=yaml.safe_dump(pod))
    assert await kubectl("logs", "p") == "one\ntwo\n"
    assert await kubectl("logs", "p", "--tail=1") == "two\n"


async def test_the_program_serves_until_it_is_told_to_stop(tmp_path):
    config = tmp_path / "kubeconfig"
    words = ["--kubeconfig", str(config), "--crds", str(ROOT / "manifests" / "crds"), "--token", "abc=someone"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vipmgr.lab.apiserver", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        url = await asyncio.wait_for(process.stdout.readline(), 30)
        assert url.startswith(b"https://127.0.0.1:")
        kubectl = Kubectl(config, tmp_path)
        assert "vipnodes" in await kubectl("api-resources", "--api-group=vipmgr.io")
        assert "default" in await kubectl("get", "ns", "--token=abc")
        refused = await kubectl("get", "ns", "--token=wrong", status=1)
        assert "Unauthorized" in refused or "logged in" in refused
    finally:
        process.terminate()
        assert await process.wait() == 0
