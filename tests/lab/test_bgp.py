"""VIPs announced in BGP to routers of two makers, both families, with traffic through the router: everything real.

The sessions over IPv4 have MD5 and BFD, those over IPv6 graceful restart alone (BFD and a killed gobgpd exclude that:
docs/bgp.md). Bounds are generous, the machine is shared; exact figures are bench/bgp.py's.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest

from vipmgr.core.bgp_loss import Loss
from vipmgr.lab.client import Lab
from vipmgr.lab.control import LabError
from vipmgr.lab.routers import Bird, Frr, Heard
from vipmgr.lab.verdicts import audit

pytestmark = pytest.mark.lab
PASSWORD = "open-sesame"  # noqa: S105 - made up
ROUTER4, ROUTER6 = "196.168.223.240", "fd00:220::1:f0"
NODES = ("n1", "n2", "n3")
V4 = {name: f"196.168.223.{index}" for index, name in enumerate(NODES, start=1)}
V6 = {name: f"fd00:220::1:{index}" for index, name in enumerate(NODES, start=1)}
MARKED = {"communities": frozenset({"65001:100"}), "large": frozenset({"65001:1:2"})}

MANIFESTS = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: vipmgr-bgp, namespace: vipmgr-system}}
data: {{router: {base64.b64encode(PASSWORD.encode()).decode()}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpConf
metadata: {{name: default}}
spec: {{as: 65001}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {{name: over4}}
spec:
  conf: {{peerAs: 65000, neighborAddress: {ROUTER4}}}
  passwordSecret: {{name: vipmgr-bgp, key: router}}
  bfd: {{transmitInterval: 50ms, receiveInterval: 50ms}}
  timers: {{config: {{connectRetry: "1", holdTime: "9"}}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: BgpPeer
metadata: {{name: over6}}
spec:
  conf: {{peerAs: 65000, neighborAddress: "{ROUTER6}"}}
  gracefulRestart: {{enabled: true, restartTime: 30}}
  timers: {{config: {{connectRetry: "1", holdTime: "9"}}}}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {{name: public}}
spec:
  address: 198.51.100.0/24
  addresses: ["2001:db8:100::/64"]
  protocol: bgp
  bgp: {{communities: ["65001:100"], largeCommunities: ["65001:1:2"], localPref: 200}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  annotations: {{lb.kubesphere.io/v1alpha1: openelb, eip.openelb.kubesphere.io/v1alpha2: {pool}{more}}}
spec: {{type: LoadBalancer, ports: [{{port: {port}}}]{spec}}}
"""
QUICK = "connect retry time 1; connect delay time 1; error wait time 1, 2;"
DUAL = ", ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6]"


def service(name, port, pool="public", more="", spec=""):
    return SERVICE.format(name=name, port=port, pool=pool, more=more, spec=spec)


def bird_config():
    lines = ['protocol bfd { interface "eth0" { interval 50 ms; multiplier 3; }; }']
    for name in NODES:
        lines += [
            f"protocol bgp {name}v4 {{ local {ROUTER4} as 65000; neighbor {V4[name]} as 65001; {QUICK}",
            f'password "{PASSWORD}"; bfd on; ipv4 {{ import all; export none; }}; }}',
            f"protocol bgp {name}v6 {{ local {ROUTER6} as 65000; neighbor {V6[name]} as 65001; {QUICK}",
            "graceful restart on; ipv6 { import all; export none; }; }",
        ]
    return "\n".join(lines)


def frr_config():
    lines = ["router bgp 65000", "bgp router-id 196.168.223.240", "no bgp ebgp-requires-policy"]
    lines += ["no bgp default ipv4-unicast", "bgp graceful-restart", "bgp bestpath as-path multipath-relax"]
    for name in NODES:
        lines += [f" neighbor {V4[name]} remote-as 65001", f" neighbor {V4[name]} password {PASSWORD}",
                  f" neighbor {V4[name]} bfd 3 50 50", f" neighbor {V4[name]} timers connect 1",
                  f" neighbor {V6[name]} remote-as 65001", f" neighbor {V6[name]} timers connect 1"]  # fmt: skip
    for kind, addresses in (("ipv4", V4), ("ipv6", V6)):
        lines += [f" address-family {kind} unicast"]
        lines += [f"  neighbor {one} activate" for one in addresses.values()]
        lines += ["  maximum-paths 8", " exit-address-family"]
    return "\n".join(lines) + "\n"


ROUTERS = {"bird": (Bird, bird_config), "frr": (Frr, frr_config)}


@pytest.fixture(scope="module", params=ROUTERS)
def world(request):
    """(lab, router, the VIP of each family)."""
    maker, config = ROUTERS[request.param]
    with Lab(nodes=3, bgp=True) as lab, maker(lab, config()) as router:
        lab.exec("client", "ip", "route", "add", "198.51.100.0/24", "via", ROUTER4)
        lab.exec("client", "ip", "-6", "route", "add", "2001:db8:100::/64", "via", ROUTER6)
        lab.apply(MANIFESTS + "---\n" + service("web", 80, spec=DUAL))
        lab.wait(lambda: len(lab.vips("default/web")) == 2, "web has an address of each family")
        yield lab, router, lab.vips("default/web")


@pytest.fixture
def lab(world):
    return world[0]


@pytest.fixture
def router(world):
    return world[1]


@pytest.fixture
def vips(world):
    """Both VIPs, once every node announces them; the lab is mended afterwards."""
    lab, router, vips = world
    lab.wait(lambda: announced(router, vips), f"all nodes announce {vips}", 40)
    yield vips
    lab.wait(lambda: announced(router, vips), f"all nodes announce {vips} again", 40)


def announced(router, vips, nodes=NODES):
    v4, v6 = vips
    return router.next_hops(f"{v4}/32") == {V4[one] for one in nodes} and hops6(router, v6) == {
        V6[one] for one in nodes
    }


def hops6(router, vip):
    return {hop for hop in router.next_hops(f"{vip}/128") if not hop.startswith("fe80")}


def sessions(lab):
    return {
        (name, one["peer"]): one
        for name in NODES
        for one in lab.get("VipNode", name)["status"].get("bgp", {}).get("sessions", ())
    }


def standing(lab):
    """(node, peer) -> since when, of the sessions that stand."""
    return {key: one["since"] for key, one in sessions(lab).items() if one["state"] == "ESTABLISHED"}


def all_standing(lab):
    return lab.wait(lambda: len(found := standing(lab)) == 6 and found, "six sessions stand", 40)


def greeting(lab, vip):
    """Which node serves one TCP connection of the client."""
    said = lab.exec("client", "bash", "-c", f"exec 3<>/dev/tcp/{vip}/80; head -1 <&3", timeout=5)
    return said.strip()


def test_every_node_announces_both_families_with_the_communities_of_the_pool_and_no_tag(router, vips):
    for vip, length in zip(vips, (32, 128), strict=True):
        for path in router.paths(f"{vip}/{length}"):
            assert path == Heard(path.next_hop, as_path=(65001,), **MARKED)


def test_a_client_behind_the_router_is_served_by_several_nodes(lab, router, vips):
    for vip in vips:
        assert len(lab.wait(lambda vip=vip: router.kernel(vip), f"{vip} is in the kernel")) == 3
        assert len({greeting(lab, vip) for _ in range(24)} & set(NODES)) >= 2


def test_the_nodes_tell_of_their_sessions_in_openelbs_words_and_never_of_a_password(lab, vips):
    all_standing(lab)

    def entries():
        found = lab.get("BgpPeer", "over4").get("status", {}).get("nodesPeerStatus", {})
        return (
            len(found) == 3
            and all(one["peerState"]["sessionState"] == "ESTABLISHED" for one in found.values())
            and found
        )

    entry = lab.wait(entries, "every node has written its entry")["n2"]
    assert (entry["peerState"]["peerAs"], entry["peerState"]["neighborAddress"]) == (65000, ROUTER4)
    assert int(entry["peerState"]["messages"]["sent"]["open"]) >= 1
    conf = lab.get("BgpConf", "default")["status"]
    assert conf["nodesConfStatus"] == {name: {"as": 65001, "routerId": V4[name]} for name in NODES}
    kinds = ("VipNode", "BgpPeer", "BgpConf", "Event")
    spoken = json.dumps([lab.objects(kind) for kind in kinds])
    spoken += "".join(path.read_text() for path in lab.state.glob("nodes/*/logs/*.log"))
    files = [path for part in ("lib", "run") for path in lab.state.glob(f"nodes/*/{part}/**/*") if path.is_file()]
    spoken += "".join(path.read_text(errors="replace") for path in files)
    spoken += "".join(_arguments(process) for process in Path("/proc").glob("[0-9]*"))
    assert PASSWORD not in spoken
    assert {"keepalived.conf", "plan.json", "audit.jsonl"} <= {path.name for path in files}
    assert "gobgpd.sock" in spoken
    assert "ESTABLISHED" in spoken


def test_a_password_in_the_peer_itself_works_and_goes_nowhere_else(lab, vips):
    all_standing(lab)
    lab.patch("BgpPeer", "over4", {"spec": {"passwordSecret": None, "conf": {"authPassword": PASSWORD}}})
    generation = lab.get("BgpPeer", "over4")["metadata"]["generation"]

    def told():
        specs = [lab.get("VipNode", name)["spec"]["bgp"]["peers"] for name in NODES]
        return all(
            peer.get("passwordGeneration") == generation for spec in specs for peer in spec if peer["name"] == "over4"
        )

    lab.wait(told, "the nodes are told")
    all_standing(lab)
    assert PASSWORD not in json.dumps(lab.objects("VipNode"))
    lab.patch(
        "BgpPeer", "over4",
        {"spec": {"passwordSecret": {"name": "vipmgr-bgp", "key": "router"}, "conf": {"authPassword": None}}},
    )  # fmt: skip
    lab.wait(lambda: not told(), "the nodes are told otherwise")
    all_standing(lab)


def test_a_password_that_cannot_be_read_is_named_and_leaves_the_session_as_it_was(lab, router, vips):
    all_standing(lab)
    before = router.sessions()
    lab.patch("BgpPeer", "over4", {"spec": {"passwordSecret": {"name": "vipmgr-bgp", "key": "absent"}}})
    said = "spec.passwordSecret: Secret vipmgr-system/vipmgr-bgp has no entry absent (says n1, n2, n3)"
    lab.wait(lambda: _said(lab, "BgpPeer", "over4") == ("False", "NotApplied", said), "the BgpPeer says so")
    lab.wait(lambda: any(said in one for one in _warnings(lab, "over4", "NotApplied")), "an Event says so")
    lab.patch("BgpPeer", "over4", {"spec": {"passwordSecret": {"name": "elsewhere"}}})
    lab.wait(lambda: "spec.passwordSecret: " in (text := _said(lab, "BgpPeer", "over4")[2]) and "elsewhere" in text,
             "a Secret that is not there is named too")  # fmt: skip
    lab.patch("BgpPeer", "over4", {"spec": {"passwordSecret": {"name": "vipmgr-bgp", "key": "router"}}})
    lab.wait(lambda: _said(lab, "BgpPeer", "over4")[0] == "True", "all is well again")
    assert router.sessions() == before


def test_other_vips_and_peers_flap_no_session(lab, router, vips):
    all_standing(lab)
    before = router.sessions()
    other = "apiVersion: network.kubesphere.io/v1alpha2\nkind: BgpPeer\nmetadata: {name: nobody}\n"
    lab.apply(
        service("more", 81) + "---\n" + other + f"spec: {{conf: {{peerAs: 65009, neighborAddress: {ROUTER4[:-3]}250}}}}"
    )
    extra = lab.wait(lambda: next(iter(lab.vips("default/more")), ""), "more has an address")
    lab.wait(lambda: len(router.next_hops(f"{extra}/32")) == 3, "it is announced")
    lab.patch("Eip", "public", {"spec": {"bgp": {"communities": ["65001:200"]}}})
    lab.wait(
        lambda: {frozenset({"65001:200"})} == {one.communities for one in router.paths(f"{extra}/32")}, "its community"
    )
    lab.patch("Eip", "public", {"spec": {"bgp": {"communities": ["65001:100"]}}})
    lab.wait(lambda: ("n1", "nobody") in sessions(lab), "the new session is tried")
    lab.delete("BgpPeer", "nobody")
    lab.delete("Service", "more", "default")
    lab.wait(lambda: not router.paths(f"{extra}/32"), "it is withdrawn")
    lab.wait(lambda: ("n1", "nobody") not in sessions(lab), "the new session is gone")
    assert len(before) == 6
    assert router.sessions() == before


def test_a_pool_is_announced_to_the_peers_it_names_alone(lab, router, vips):
    pool = {"address": "203.0.113.0/28", "protocol": "bgp", "bgp": {"peers": ["over6"]}}
    eip = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Eip", "metadata": {"name": "apart"}, "spec": pool}
    lab.apply(json.dumps(eip))
    lab.apply(service("apart", 82, pool="apart"))
    vip = lab.wait(lambda: next(iter(lab.vips("default/apart")), ""), "apart has an address")
    lab.wait(lambda: all(lab.get("VipNode", name)["status"]["bgp"]["routes"] == 3 for name in NODES), "all announce it")
    assert router.paths(f"{vip}/32") == []
    lab.patch("Eip", "apart", {"spec": {"bgp": {"peers": ["over4"]}}})
    lab.wait(lambda: router.next_hops(f"{vip}/32") == set(V4.values()), "the session over IPv4 carries it")
    lab.patch("Eip", "apart", {"spec": {"bgp": {"peers": ["absent"]}}})
    lab.wait(lambda: not router.paths(f"{vip}/32"), "nobody is told")
    ready = lab.wait(lambda: _ready(lab, "Eip", "apart", "False"), "the Eip says why")
    assert "spec.bgp.peers[0]: there is no BgpPeer absent" in ready["message"]
    lab.delete("Service", "apart", "default")


def test_a_local_service_is_announced_where_its_endpoints_are(lab, router, vips):
    local = service("near", 83, more=", lab.vipmgr.io/endpoints: n2", spec=", externalTrafficPolicy: Local")
    lab.apply(local)
    vip = lab.wait(lambda: next(iter(lab.vips("default/near")), ""), "near has an address")
    lab.wait(lambda: router.next_hops(f"{vip}/32") == {V4["n2"]}, "n2 alone announces it")
    lab.apply(local.replace("endpoints: n2", "endpoints: 'n1,n3'"))
    lab.wait(lambda: len(router.next_hops(f"{vip}/32")) == 2, "two others announce it")
    assert router.next_hops(f"{vip}/32") == {V4["n1"], V4["n3"]}
    lab.delete("Service", "near", "default")


def test_a_drained_node_withdraws_before_anybody_loses_a_packet(lab, router, vips):
    with lab.prober(*vips) as prober:
        lab.wait(prober.steady, "both answer")
        all_standing(lab)
        before = router.sessions()
        for node in NODES:
            others = [one for one in NODES if one != node]
            lab.fault("drain", node)
            lab.wait(lambda others=others: announced(router, vips, others), f"{node} withdraws")
            lab.fault("undrain", node)
            lab.wait(lambda: announced(router, vips), f"{node} is back")
        assert router.sessions() == before
        for vip in vips:
            assert prober.dark_ms(vip) <= 100


def test_bfd_notices_a_silent_cut_again_and_again(lab, router, vips):
    """The second time counts too: GoBGP keeps resets of an idle session for its next life."""
    for _ in range(4):
        lab.wait(lambda: announced(router, vips) and router.bfd_up() == 3, "all are back, with BFD", 30)
        began = lab.fault("silent-cut", "n2")
        lab.wait(lambda: V4["n2"] not in router.next_hops(f"{vips[0]}/32"), "its routes are gone")
        took = (time.time_ns() - began) / 1e6
        lab.fault("heal", "n2")
        lab.wait(lambda: sessions(lab)["n2", "over4"].get("reason") == Loss.BFD, "the node says why")
        assert {*reasons(lab, "n2")} <= {*Loss}
        assert reasons(lab, "n2")[-1] == Loss.BFD
        assert took <= 1000  # asking the router is most of it; without BFD it is the hold time, 9 s


def test_the_audit_tells_which_session_fell_why_and_what_it_carried(lab, router, vips):
    v4, v6 = vips
    all_standing(lab)
    lab.wait(lambda: announced(router, vips) and router.bfd_up() == 3, "all are there, with BFD", 30)
    began = lab.fault("silent-cut", "n2") / 1e9
    lab.wait(lambda: V4["n2"] not in router.next_hops(f"{v4}/32"), "its routes are gone")
    lab.fault("heal", "n2")
    all_standing(lab)

    def lost():
        report = audit(lab.audit_text())
        found = [one for one in report.hops if one.since >= began and one.until is not None and one.vips == (v4,)]
        return found and (report, found[0])

    report, hop = lab.wait(lost, "n2 is a next hop again")
    assert (hop.node, hop.left) == ("n2", ("n1", "n3"))
    assert hop.until - hop.since < 30
    fell = {one.node: one.carried for one in report.sessions if one.since >= began and one.peer == "over4"}
    assert fell == {"n2": 2}
    assert not [one for one in report.no_owner if {v4, v6} & set(one.vips)]


def reasons(lab, node):
    """Of every session that node lost, as its audit lines have it."""
    lines = [json.loads(line) for line in lab.log(node, "agent").splitlines() if '"bgp.session"' in line]
    return [line["reason"] for line in lines if line["from"] == "ESTABLISHED"]


def test_a_dead_node_is_left_out_and_comes_back(lab, router, vips):
    lab.fault("kill", "n3")
    lab.wait(lambda: router.next_hops(f"{vips[0]}/32") == {V4["n1"], V4["n2"]}, "its routes are gone", 5)
    lab.fault("start", "n3")
    lab.wait(lambda: announced(router, vips), "it is back", 40)
    assert router.next_hops(f"{vips[0]}/32") == set(V4.values())


@pytest.mark.parametrize("fault", ["agent-term", "agent-kill"])
def test_an_agent_that_restarts_changes_nothing(lab, router, vips, fault):
    all_standing(lab)
    before, looked = router.sessions(), looks(lab, "n1")
    lab.fault(fault, "n1")
    while looks(lab, "n1") == looked:
        assert announced(router, vips)
    all_standing(lab)
    assert router.sessions() == before
    assert announced(router, vips)


def looks(lab, node):
    """How often an agent of that node found a gobgpd."""
    return sum('"gobgpd.found"' in line for line in lab.log(node, "agent").splitlines())


@pytest.mark.parametrize("fault", ["gobgpd-kill", "gobgpd-term"])
def test_a_gobgpd_that_restarts_gracefully_costs_no_packet(lab, router, vips, fault):
    all_standing(lab)
    vip = vips[1]
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, f"{vip} answers")
        for node in NODES:
            before = looks(lab, node)
            lab.fault(fault, node)
            until = time.monotonic() + 20
            while time.monotonic() < until:
                assert V6[node] in hops6(router, vip), f"{node}'s route was dropped"
                if looks(lab, node) > before and len(standing(lab)) == 6:
                    break
            else:
                raise LabError(f"{node} is not back")
            assert Loss.ENDED in reasons(lab, node)
        lab.wait(lambda: announced(router, vips), "all are back", 40)
        assert prober.dark_ms(vip) == 0


def test_a_stale_route_is_cleaned_after_a_graceful_restart(lab, router, vips):
    """A VIP released while gobgpd is away is not announced for ever."""
    lab.apply(service("brief", 84, spec=", ipFamilies: [IPv6]"))
    vip = lab.wait(lambda: next(iter(lab.vips("default/brief")), ""), "brief has an address")
    lab.wait(lambda: hops6(router, vip) == set(V6.values()), "all announce it")
    lab.fault("gobgpd-kill", "n1")
    lab.delete("Service", "brief", "default")
    lab.wait(lambda: not router.paths(f"{vip}/128"), "nobody announces it any more", 40)
    assert hops6(router, vip) == set()


def test_what_cannot_be_applied_is_said_by_field_and_what_has_no_effect_costs_nothing(lab, router, vips):
    all_standing(lab)
    before = router.sessions()
    idle = {"peerGroup": "leaves", "vrf": "red", "routeFlapDamping": True}
    lab.patch("BgpPeer", "over6", {"spec": {"conf": idle, "transport": {"remoteAddress": "10.0.0.9"}}})
    lab.wait(lambda: _said(lab, "BgpPeer", "over6")[:2] == ("True", "FieldIgnored"), "the BgpPeer says so")
    for said in (_said(lab, "BgpPeer", "over6")[2], "".join(_warnings(lab, "over6", "FieldIgnored"))):
        fields = ("spec.conf.peerGroup", "spec.conf.vrf", "spec.conf.routeFlapDamping", "spec.transport.remoteAddress")
        assert [field for field in fields if f"{field}: has no effect" not in said] == []
    nothing = dict.fromkeys(idle)
    lab.patch("BgpPeer", "over6", {"spec": {"conf": nothing | {"removePrivateAs": "some"}, "transport": None}})
    lab.wait(lambda: _said(lab, "BgpPeer", "over6")[:2] == ("False", "BadValue"), "a value that cannot be is refused")
    assert _said(lab, "BgpPeer", "over6")[2].startswith("spec.conf.removePrivateAs: ")
    lab.patch("BgpPeer", "over6", {"spec": {"conf": {"removePrivateAs": None}}})
    lab.wait(lambda: _said(lab, "BgpPeer", "over6")[:2] == ("True", "Accepted"), "it is well again")
    assert router.sessions() == before


RULES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: rules, namespace: vipmgr-system}
data:
  gobgp.conf: |
    [global.apply-policy.config]
      import-policy-list = ["mark"]
      export-policy-list = ["out"]
      default-export-policy = "DEFAULT"
    [[defined-sets.neighbor-sets]]
      neighbor-set-name = "over4"
      neighbor-info-list = ["196.168.223.240"]
    [[defined-sets.prefix-sets]]
      prefix-set-name = "vips"
      prefix-list = [{ip-prefix = "198.51.100.0/24", masklength-range = "24..32"}]
    [[policy-definitions]]
      name = "mark"
      [[policy-definitions.statements]]
        [policy-definitions.statements.actions.bgp-actions.set-community]
          options = "add"
          set-community-method = {communities-list = ["65001:55"]}
    [[policy-definitions]]
      name = "out"
      [[policy-definitions.statements]]
        [policy-definitions.statements.conditions]
          match-neighbor-set = {neighbor-set = "over4"}
          match-prefix-set = {prefix-set = "vips"}
        [policy-definitions.statements.actions]
          route-disposition = "accept-route"
          [policy-definitions.statements.actions.bgp-actions]
            set-med = MED
            set-as-path-prepend = {as = "65001", repeat-n = 2}
"""


def rules(default="accept-route", med="50"):
    return RULES.replace("DEFAULT", default).replace("MED", med)


def test_an_openelb_policy_is_applied_and_changed_without_losing_a_session(lab, router, vips):
    all_standing(lab)
    before = router.sessions()
    plain4, plain6 = (set(router.paths(f"{vip}/{length}")) for vip, length in zip(vips, (32, 128), strict=True))
    marked = MARKED | {"communities": MARKED["communities"] | {"65001:55"}}

    def heard(med):
        wanted = {Heard(hop, as_path=(65001,) * 3, med=med, **marked) for hop in V4.values()}
        return lab.wait(lambda: set(router.paths(f"{vips[0]}/32")) == wanted, f"the policy is seen, with MED {med}")

    apart = {"address": "203.0.113.16/28", "protocol": "bgp", "bgp": {"peers": ["over6"]}}
    eip = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Eip", "metadata": {"name": "aside"}, "spec": apart}
    lab.apply(json.dumps(eip))
    lab.apply(service("aside", 85, pool="aside"))
    lab.apply(rules())
    lab.patch("BgpConf", "default", {"spec": {"policy": "rules"}})
    heard(50)
    assert {one.as_path for one in router.paths(f"{vips[1]}/128")} == {(65001,)}
    lab.apply(rules(med="60"))
    heard(60)
    looked = looks(lab, "n1")
    lab.fault("agent-kill", "n1")
    lab.wait(lambda: looks(lab, "n1") > looked, "another agent finds the policies")
    heard(60)

    lab.apply(rules(med="'much'"))
    said = "spec.policy: ConfigMap rules: gobgp.conf: policy-definitions[1].statements[0].actions.bgp-actions.set-med: "
    lab.wait(lambda: _said(lab, "BgpConf", "default")[2].startswith(said), "what cannot be read is said by its place")
    told = {name: lab.get("VipNode", name)["spec"]["bgp"].get("policyUnreadable") for name in NODES}
    assert told == dict.fromkeys(NODES, True)
    heard(60)  # what was in force stays

    lab.apply(rules(default="reject-route"))
    lab.wait(lambda: not router.paths(f"{vips[1]}/128"), "what no policy accepts is not sent")
    heard(50)
    [other] = lab.wait(lambda: lab.vips("default/aside"), "aside has an address")
    assert router.paths(f"{other}/32") == []  # no policy opens a session that the pool does not name
    lab.patch("BgpConf", "default", {"spec": {"policy": None}})
    lab.wait(lambda: set(router.paths(f"{vips[0]}/32")) == plain4, "no policy any more")
    lab.wait(lambda: plain6 <= set(router.paths(f"{vips[1]}/128")), "all is sent again")
    lab.wait(lambda: _said(lab, "BgpConf", "default")[:2] == ("True", "Accepted"), "the BgpConf is well")
    assert router.sessions() == before
    lab.delete("Service", "aside", "default")


def _arguments(process):
    try:
        return (process / "cmdline").read_text(errors="replace") + (process / "environ").read_text(errors="replace")
    except OSError:  # gone meanwhile
        return ""


def _said(lab, kind, name):
    """Status, reason and message of the condition Ready."""
    conditions = lab.get(kind, name).get("status", {}).get("conditions", ())
    found = next((one for one in conditions if one["type"] == "Ready"), {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def _warnings(lab, name, reason):
    return [
        one["note"] for one in lab.objects("Event")
        if (one["regarding"]["name"], one["reason"], one["type"]) == (name, reason, "Warning")
    ]  # fmt: skip


def _ready(lab, kind, name, status):
    conditions = lab.get(kind, name).get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == "Ready" and one["status"] == status), None)
