"""vip, layer2 and bgp pools on the same nodes: what befalls one protocol costs the addresses of the others nothing."""

from __future__ import annotations

import pytest

from vipmgr.lab.client import Lab
from vipmgr.lab.routers import Bird

pytestmark = pytest.mark.lab
ROUTER = "196.168.223.240"
NODES = {"n1": "196.168.223.1", "n2": "196.168.223.2", "n3": "196.168.223.3"}
QUICK = "connect retry time 1; connect delay time 1; error wait time 1, 2; ipv4 { import all; export none; };"
BIRD = "\n".join(
    f"protocol bgp {name} {{ local {ROUTER} as 65000; neighbor {address} external; {QUICK} }}"
    for name, address in NODES.items()
)
POOLS = {"vip": "196.168.223.100/29", "layer2": "196.168.223.120/29", "bgp": "198.51.100.0/28"}
EIP = """\
---
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: {name}}}
spec: {{address: {span}, protocol: {name}{interface}}}
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  annotations: {{lb.kubesphere.io/v1alpha1: openelb, eip.openelb.kubesphere.io/v1alpha2: {name}}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""
BGP = f"""\
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {{name: default}}
spec: {{as: 65001}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {{name: router}}
spec: {{conf: {{peerAs: 65000, neighborAddress: {ROUTER}}}, timers: {{config: {{connectRetry: "1", holdTime: "9"}}}}}}
"""


@pytest.fixture(scope="module")
def world():
    """(lab, router, protocol -> its VIP)."""
    with Lab(nodes=3, bgp=True) as lab, Bird(lab, BIRD) as router:
        lab.exec("client", "ip", "route", "add", "198.51.100.0/24", "via", ROUTER)
        pools = [
            EIP.format(name=name, span=span, interface="" if name == "bgp" else ", interface: eth0")
            for name, span in POOLS.items()
        ]
        lab.apply(BGP + "".join(pools))
        vips = {
            name: lab.wait(lambda name=name: lab.vips(f"default/{name}"), f"{name} has an address")[0] for name in POOLS
        }
        yield lab, router, vips


def announced(router, vip):
    return router.next_hops(f"{vip}/32") == set(NODES.values())


def test_what_befalls_bgp_costs_the_other_protocols_nothing(world):
    lab, router, vips = world
    lab.wait(lambda: announced(router, vips["bgp"]), "all announce", 40)
    with lab.prober(vips["vip"], vips["layer2"]) as prober:
        lab.wait(prober.steady, "both answer", 30)
        for node in NODES:
            before = router.sessions()[node]
            lab.fault("gobgpd-kill", node)
            lab.wait(
                lambda node=node, before=before: router.sessions().get(node, before) != before, "a new session", 40
            )
        before = router.sessions()
        lab.patch("BgpConf", "default", {"spec": {"as": 65002}})
        lab.wait(lambda: {one.as_path for one in router.paths(f"{vips['bgp']}/32")} == {(65002,)}, "another AS", 40)
        lab.wait(lambda: announced(router, vips["bgp"]), "all announce again", 40)
        assert all(router.sessions()[node] != before[node] for node in NODES)
        lab.delete("BgpPeer", "router")
        lab.wait(lambda: not router.paths(f"{vips['bgp']}/32"), "there is no session any more")
        lab.apply(BGP)
        lab.wait(lambda: announced(router, vips["bgp"]), "all announce once more", 40)
        assert {name: prober.dark_ms(vips[name]) for name in ("vip", "layer2")} == {"vip": 0, "layer2": 0}


def test_what_befalls_keepalived_costs_the_other_protocols_nothing(world):
    lab, router, vips = world
    lab.wait(lambda: announced(router, vips["bgp"]), "all announce", 40)
    with lab.prober(vips["layer2"], vips["bgp"]) as prober:
        lab.wait(prober.steady, "both answer", 30)
        before = router.sessions()
        for node in NODES:
            lab.fault("keepalived-kill", node)
            lab.wait(lambda node=node: lab.log(node, "agent").count('"keepalived.started"') >= 2, "it runs again", 30)
        assert router.sessions() == before
        assert {name: prober.dark_ms(vips[name]) for name in ("layer2", "bgp")} == {"layer2": 0, "bgp": 0}
