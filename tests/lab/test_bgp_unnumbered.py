"""BgpPeers that name an interface alone: the node finds the router by its link-local address, and again when it has
another. IPv4 goes over the same session, with an IPv6 next hop (RFC 8950)."""

from __future__ import annotations

import json

import pytest

from vipmgr.core.bgp_loss import Loss
from vipmgr.lab.client import Lab
from vipmgr.lab.routers import Bird, Frr

pytestmark = pytest.mark.lab
TIMERS = '{config: {connectRetry: "1", holdTime: "9"}}'
MANIFESTS = f"""\
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {{name: default}}
spec: {{as: 65001}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {{name: uplink}}
spec: {{conf: {{peerAs: 65000, neighborInterface: eth0}}, timers: {TIMERS}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: public}}
spec: {{address: 198.51.100.0/24, addresses: ["2001:db8:100::/64"], protocol: bgp}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: {{lb.kubesphere.io/v1alpha1: openelb, eip.openelb.kubesphere.io/v1alpha2: public}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}], ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6]}}
"""
BIRD = """\
protocol radv { interface "eth0" { min ra interval 3; max ra interval 4; default lifetime 0; }; }
protocol bgp uplink {
  local as 65000; neighbor range fe80::/64 as 65001; interface "eth0"; dynamic name "n";
  connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export none; extended next hop on; }; ipv6 { import all; export none; };
}
"""
FRR = """\
router bgp 65000
 bgp router-id 196.168.223.240
 no bgp ebgp-requires-policy
 neighbor eth0 interface remote-as 65001
 neighbor eth0 timers connect 1
 address-family ipv6 unicast
  neighbor eth0 activate
 exit-address-family
"""


def link_local(lab, where):
    [found] = json.loads(lab.exec(where, "ip", "-6", "-j", "address", "show", "dev", "eth0", "scope", "link"))
    return next(one["local"] for one in found["addr_info"] if one)


@pytest.mark.parametrize(("maker", "config"), [(Frr, FRR), (Bird, BIRD)], ids=["frr", "bird"])
def test_a_session_by_interface_carries_both_families_and_is_made_again_with_a_router_of_another_address(maker, config):
    with Lab(nodes=1, bgp=True) as lab:
        own = link_local(lab, "n1")

        def entry():
            return lab.get("BgpPeer", "uplink")["status"]["nodesPeerStatus"]["n1"]["peerState"]

        def both_arrive():
            return all(router.next_hops(f"{vip}/{128 if ':' in vip else 32}") == {own} for vip in vips)

        with maker(lab, config) as router:
            first = link_local(lab, "router")
            lab.apply(MANIFESTS)
            vips = lab.wait(lambda: lab.vips("default/web"), "web has its addresses")
            lab.wait(both_arrive, "routes of both families arrive", 40)
            lab.wait(lambda: {own} == router.kernel(next(one for one in vips if "." in one)), "IPv4 via IPv6 is usable")
            lab.wait(lambda: entry()["neighborAddress"] == f"{first}%eth0", "the status tells the address")
        lab.exec("router", "ip", "address", "del", f"{first}/64", "dev", "eth0")
        lab.exec("router", "ip", "address", "add", "fe80::beef/64", "dev", "eth0")
        with maker(lab, config) as router:
            lab.wait(both_arrive, "the router with another address has them too", 25)
            lab.wait(lambda: entry()["neighborAddress"] == "fe80::beef%eth0", "the status tells the new address")
        lines = [json.loads(one) for one in lab.audit_text() if '"event":"bgp.session"' in one]
        assert {(one["peer"], one["address"]) for one in lines} == {("uplink", "eth0")}
        assert [one["to"] for one in lines[:3]] == ["ESTABLISHED", "IDLE", "ESTABLISHED"]
        assert lines[1]["reason"] in (Loss.CONNECTION, Loss.RECEIVED)
