"""AS numbers by rack and BgpPeers for some nodes only, as a router sees them."""

from __future__ import annotations

import pytest

from vipmgr.core.bgp_loss import Loss
from vipmgr.lab.client import Lab
from vipmgr.lab.routers import Bird

pytestmark = pytest.mark.lab
ROUTER = "196.168.223.240"
NODES = {"n1": "196.168.223.1", "n2": "196.168.223.2"}
RACK = "openelb.kubesphere.io/rack"
QUICK = "connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 { import all; export none; };"
BIRD = "\n".join(
    f"protocol bgp {name} {{ local {ROUTER} as 65000; neighbor {address} external; {QUICK} }}"
    for name, address in NODES.items()
)
MANIFESTS = f"""\
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {{name: default}}
spec: {{as: 65001, asPerRack: {{left: 65101}}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {{name: router}}
spec: {{conf: {{peerAs: 65000, neighborAddress: {ROUTER}}}, timers: {{config: {{connectRetry: "1", holdTime: "9"}}}}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: public}}
spec: {{address: 198.51.100.0/28, protocol: bgp}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: {{lb.kubesphere.io/v1alpha1: openelb, eip.openelb.kubesphere.io/v1alpha2: public}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""


def label(lab, node, rack):
    lab.patch("Node", node, {"metadata": {"labels": {RACK: rack}}})


def test_a_rack_has_its_as_number_and_a_peer_its_nodes_and_both_follow_the_labels():
    with Lab(nodes=2, bgp=True) as lab, Bird(lab, BIRD) as router:
        label(lab, "n1", "left")
        lab.apply(MANIFESTS)
        vip = lab.wait(lambda: lab.vips("default/web"), "web has an address")[0]

        def heard(**paths):
            wanted = {(NODES[name], (asn,)) for name, asn in paths.items()}
            return lambda: {(one.next_hop, one.as_path) for one in router.paths(f"{vip}/32")} == wanted

        lab.wait(heard(n1=65101, n2=65001), "each rack has its AS number", 40)
        kept = router.sessions()["n1"]
        label(lab, "n2", "left")
        lab.wait(heard(n1=65101, n2=65101), "a node that moved to the rack takes its AS number", 40)
        lab.patch("BgpPeer", "router", {"spec": {"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": "n1"}}}})
        lab.wait(heard(n1=65101), "the other node ends its session")
        lab.wait(lambda: f'"reason":"{Loss.DECONFIGURED}"' in lab.log("n2", "agent"), "and says why")
        assert router.sessions() == {"n1": kept}
