"""Every sample is accepted, and so is every manifest that OpenELB 0.6 shows its users."""

from __future__ import annotations

import pytest
import yaml

from tests.manifests.folder import MANIFESTS, documents

SAMPLES = sorted((MANIFESTS / "samples").glob("*.yaml"))

# The objects of OpenELB's config/samples, reduced to their fields.
OPENELB = """
{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpConf, metadata: {name: default},
 spec: {as: 50001, listenPort: 17900, routerId: 172.22.0.10}}
---
{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpPeer, metadata: {name: bgppeer-sample},
 spec: {conf: {peerAs: 50000, neighborAddress: 172.22.0.2}}}
---
{apiVersion: network.kubesphere.io/v1alpha2, kind: BgpPeer, metadata: {name: with-add-paths},
 spec: {conf: {peerAs: 50000, neighborAddress: 172.22.0.2},
 afiSafis: [{config: {family: {afi: AFI_IP, safi: SAFI_UNICAST}, enabled: true},
 addPaths: {config: {sendMax: 10}}}]}}
---
{apiVersion: network.kubesphere.io/v1alpha2, kind: Eip, metadata: {name: eip-sample},
 spec: {address: 139.198.121.228}}
---
{apiVersion: network.kubesphere.io/v1alpha2, kind: Eip, metadata: {name: eip-sample-layer2},
 spec: {address: 172.22.0.188-172.22.0.200, protocol: layer2, interface: eth0}}
"""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_accepted(refusals, crds, path):
    judged = [one for one in documents(path) if one["kind"] in crds]
    assert [refusals(one) for one in judged] == [[] for _ in judged]


def test_the_samples_show_every_protocol_and_every_vrrp_setting(schemas):
    eips = [one for path in SAMPLES for one in documents(path) if one["kind"] == "Eip"]
    assert {one["spec"]["protocol"] for one in eips} == {"vip", "layer2", "bgp"}
    shown = {name for one in eips for name in one["spec"].get("vrrp", {})}
    known = set(schemas["Eip"]["properties"]["spec"]["properties"]["vrrp"]["properties"])
    assert known - shown == {"trafficHealth"}


@pytest.mark.parametrize("candidate", list(yaml.safe_load_all(OPENELB)), ids=lambda one: one["metadata"]["name"])
def test_a_sample_of_openelb_is_accepted(refusals, candidate):
    assert refusals(candidate) == []


def test_the_seed_pool_is_taken_as_it_stands(refusals):
    eip, service = documents(MANIFESTS / "samples" / "seed.yaml")
    assert refusals(eip) == []
    assert eip["spec"] == {
        "address": "196.168.220.10-196.168.220.30",
        "protocol": "layer2",
        "disable": False,
        "interface": "eth0",
    }
    assert service["metadata"]["annotations"] == {
        "lb.kubesphere.io/v1alpha1": "openelb",
        "protocol.openelb.kubesphere.io/v1alpha1": "layer2",
        "eip.openelb.kubesphere.io/v1alpha2": "eip-pool",
    }
