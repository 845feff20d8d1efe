from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from vipmgr.cli.main import main

EIP = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: eip-pool, creationTimestamp: 2026-01-01T00:00:00Z}
spec: {address: 196.168.220.10-196.168.220.30, protocol: vip, disable: false, interface: eth0}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: nginx
  annotations:
    lb.kubesphere.io/v1alpha1: openelb
    eip.openelb.kubesphere.io/v1alpha2: eip-pool
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
NODES = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: n1}}
- {apiVersion: v1, kind: Node, metadata: {name: n2}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: nginx}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "eip.yaml").write_text(EIP)
    (tmp_path / "deep" / "service.yml").write_text(SERVICE)
    (tmp_path / "nodes.yaml").write_text(NODES)
    (tmp_path / "README.md").write_text("no manifest: {")
    return tmp_path


def render(capsys, *words):
    status = main(["render", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_folder_is_rendered_for_every_node(folder, capsys):
    status, out, err = render(capsys, folder)
    assert status == 0
    assert "# Service default/nginx: 196.168.220.10 (eip-pool)" in out
    assert [line.split()[3] for line in out.splitlines() if line.startswith("# ---- node")] == ["n1,", "n2,"]
    assert out.count("196.168.220.10/32 dev eth0") == 2
    assert "no VipNode tells of the interfaces of node n1: assumed eth0" in err


def test_one_node_as_text_is_its_keepalived_conf_and_keepalived_takes_it(folder, capsys, tmp_path):
    (folder / "eip.yaml").write_text(EIP.replace("interface: eth0", "interface: veth-render"))
    status, out, _ = render(capsys, folder, "--node", "n2")
    assert status == 0
    assert out.startswith("# Written by vipmgr for node n2")
    conf = tmp_path / "keepalived.conf"
    conf.write_text(out)
    script = (
        "mount -t tmpfs none /run && mkdir -p /run/vipmgr/track && mkfifo /run/vipmgr/notify.fifo"
        " && ip link add veth-render type veth peer name veth-peer && ip link set veth-render up"
        f" && keepalived -t -f {conf}"
    )
    tested = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_machines_get_services_eips_instances_and_specs(folder, capsys, output):
    status, out, _ = render(capsys, folder, "-o", output, "--node", "n1")
    whole = json.loads(out) if output == "json" else yaml.safe_load(out)
    assert status == 0
    assert whole["services"] == [
        {"name": "default/nginx", "addresses": [{"ip": "196.168.220.10", "eip": "eip-pool"}], "refused": None}
    ]
    assert whole["eips"][0]["status"] == {
        "usage": 1,
        "poolSize": 21,
        "used": {"196.168.220.10": "default/nginx"},
        "firstIP": "196.168.220.10",
        "lastIP": "196.168.220.30",
        "ready": True,
        "v4": True,
    }
    assert [node["name"] for node in whole["nodes"]] == ["n1"]
    assert "196.168.220.10/32" in whole["nodes"][0]["spec"]["keepalived"]
    assert {member["node"] for one in whole["instances"] for member in one["members"]} == {"n1", "n2"}


def test_what_is_refused_is_said_and_makes_the_exit_status_1(folder, capsys):
    (folder / "late.yaml").write_text(EIP.replace("eip-pool", "late").replace("2026-01", "2026-02"))
    (folder / "deep" / "service.yml").write_text(SERVICE.replace("v1alpha2: eip-pool", "v1alpha2: late"))
    status, _, err = render(capsys, folder)
    assert status == 1
    assert "refused: Eip/late: AddressOverlap" in err
    assert "refused: Service default/nginx: PoolRefused" in err


def test_a_vip_node_tells_which_interfaces_a_node_has(folder, capsys):
    (folder / "vipnode.yaml").write_text(
        """
apiVersion: vipmgr.io/v1alpha1
kind: VipNode
metadata: {name: n1}
status:
  interfaces: [{name: ens3, up: true, addresses: [196.168.220.2/24]}]
"""
    )
    status, out, err = render(capsys, folder, "-o", "json")
    assert status == 0
    specs = {node["name"]: node["spec"] for node in json.loads(out)["nodes"]}
    assert not specs["n1"].get("instances")
    assert specs["n2"]["instances"]
    assert "node n1" not in err


def test_can_reach_is_assumed_to_lead_to_eth0(folder, capsys):
    (folder / "eip.yaml").write_text(EIP.replace("interface: eth0", "interface: 'can_reach:10.0.0.1'"))
    status, out, err = render(capsys, folder, "--node", "n1")
    assert status == 0
    assert "196.168.220.10/32 dev eth0" in out
    assert "assumed eth0" in err


def test_services_are_served_in_the_order_they_are_read(tmp_path, capsys):
    second = SERVICE.replace("name: nginx", "name: a-second")
    (tmp_path / "all.yaml").write_text(f"{EIP}---{NODES}---{SERVICE}---{second}")
    _, out, _ = render(capsys, tmp_path / "all.yaml")
    assert "# Service default/nginx: 196.168.220.10" in out
    assert "# Service default/a-second: 196.168.220.11" in out


@pytest.mark.parametrize(
    ("status", "words", "text"),
    [
        (2, "no such file or folder", None),
        (2, "no Node in the files", EIP),
        (1, "Eip/eip-pool: Expected `bool`", EIP.replace("disable: false", "disable: no-idea")),
        (1, "has no metadata.name", EIP.replace("name: eip-pool, ", "")),
        (1, "x.yaml: line 1: expected", "a: [b"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path, capsys, status, words, text):
    if text is not None:
        (tmp_path / "x.yaml").write_text(text)
    place = tmp_path if text is not None else tmp_path / "nowhere"
    got, out, err = render(capsys, place)
    assert (got, out) == (status, "")
    assert words in err


def test_an_unknown_node_is_a_wrong_call(folder, capsys):
    status, _, err = render(capsys, folder, "--node", "n9")
    assert (status, "the nodes are n1, n2" in err) == (2, True)


def test_a_service_of_another_class_is_not_served_unless_asked_for(folder, capsys):
    (folder / "deep" / "service.yml").write_text(
        SERVICE.replace("type: LoadBalancer", "type: LoadBalancer, loadBalancerClass: my/class")
    )
    assert "default/nginx" not in render(capsys, folder)[1]
    assert "default/nginx: 196.168.220.10" in render(capsys, folder, "--load-balancer-class", "my/class")[1]


def test_standard_input_is_read(folder):
    text = f"{EIP}---{NODES}---{SERVICE}"
    done = subprocess.run(
        [sys.executable, "-m", "vipmgr", "render", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "196.168.220.10 (eip-pool)" in done.stdout) == (0, True)
