"""layer2 pools side by side: several wires, owners and interface names, shared addresses, local endpoints, restarts."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.lab.layer2_world import apply, at_rest, only, owners, pool, service, settle
from tests.lab.wiretap import Wiretap
from vipmgr.lab.client import Lab

pytestmark = pytest.mark.lab
CONNECT = """\
import socket, sys
print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).makefile().readline())
"""


@pytest.fixture(scope="module")
def lab():
    with Lab(nodes=3, segments=2) as lab:
        apply(lab, pool("four", "196.168.220.40-196.168.220.59"))
        yield lab


def connected(lab, vip: str, port: int = 80) -> str:
    """The node that takes a client's connection."""
    return lab.exec("client", "python3", "-c", CONNECT, vip, str(port)).strip()


def vipmgr(lab, *words: str) -> str:
    """What a command says of this lab's cluster."""
    argv = [sys.executable, "-m", "vipmgr", *words, f"--kubeconfig={lab.state / 'kubeconfig'}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr, done.stderr
    return done.stdout


# --- places ----------------------------------------------------------------------------------------------------------


def test_pools_on_two_segments_and_a_third_interface_answer_each_on_its_own_wire(lab):
    lab.exec("client", "ip", "addr", "add", "10.77.0.90/24", "dev", "eth0")
    for node in lab.nodes():
        lab.exec(node, "ip", "link", "add", "link", "eth0", "name", "eth0.7", "type", "macvlan", "mode", "bridge")
        lab.exec(node, "ip", "addr", "add", f"10.77.0.{node[1:]}/24", "dev", "eth0.7")
        lab.exec(node, "ip", "link", "set", "eth0.7", "up")
    apply(
        lab,
        pool("second", "196.168.224.40-196.168.224.49", interface="eth1"),
        pool("third", "10.77.0.100-10.77.0.109", interface="eth0.7"),
        service("on-eth1", "second"),
        service("on-third", "third"),
    )
    second, third = settle(lab, "on-eth1"), settle(lab, "on-third")
    for vip, interface, wire in ((second, "eth1", "eth1"), (third, "eth0.7", "eth0")):
        (owner,) = owners(lab, vip)
        assert connected(lab, vip) == owner
        neighbours = lab.exec("client", "ip", "neigh", "show", "to", vip)
        assert f"dev {wire}" in neighbours
        assert lab.macs(interface)[neighbours.split("lladdr ")[1].split()[0]] == owner


def test_an_interface_that_vanishes_hands_its_addresses_over_and_comes_back(lab):
    vip = settle(lab, "on-third")
    (owner,) = owners(lab, vip)
    lab.exec(owner, "ip", "link", "del", "eth0.7")
    lab.wait(lambda: len(found := owners(lab, vip)) == 1 and found != [owner], "another answers")
    lab.exec("client", "ip", "neigh", "flush", "to", vip)
    assert connected(lab, vip) == owners(lab, vip)[0]


def test_a_local_service_is_answered_where_its_endpoints_are_and_follows_them(lab):
    first, second, _ = lab.nodes()
    local = {"externalTrafficPolicy": "Local", "healthCheckNodePort": 32123}
    apply(lab, service("local", "four", {"lab.vipmgr.io/endpoints": first}, **local))
    vip = settle(lab, "local")
    lab.wait(lambda: owners(lab, vip) == [first], f"{first} answers")
    lab.patch("Service", "local", {"metadata": {"annotations": {"lab.vipmgr.io/endpoints": second}}}, "default")
    lab.wait(lambda: owners(lab, vip) == [second], f"{second} answers", 20)
    lab.delete("Service", "local", "default")
    lab.wait(lambda: not owners(lab, vip), "nobody does")
    assert owners(lab, vip) == []


def test_two_pools_on_two_wires_have_different_owners_at_the_same_time_and_move_one_by_one(lab):
    first, second, third = lab.nodes()
    preferred = {}
    for node in (first, second):
        lab.patch("Node", node, {"metadata": {"labels": {"place": node}}})
        preferred[node] = {"preferredNodes": [{"weight": 10, "nodeSelector": {"matchLabels": {"place": node}}}]}
    apply(
        lab,
        pool("near", "196.168.220.70-196.168.220.79", vrrp=preferred[first]),
        pool("far", "196.168.224.70-196.168.224.79", interface="eth1", vrrp=preferred[second]),
        service("near", "near"),
        service("far", "far"),
    )
    near, far = settle(lab, "near"), settle(lab, "far")
    assert (owners(lab, near), owners(lab, far)) == ([first], [second])
    assert (connected(lab, near), connected(lab, far)) == (first, second)
    lab.exec(first, "ip", "link", "set", "eth1", "down")
    lab.exec(second, "ip", "link", "set", "eth1", "down")
    lab.wait(lambda: owners(lab, far) == [third], "the one node whose second wire is whole answers there")
    assert owners(lab, near) == [first], "a dead second wire takes nothing from the first"
    assert (connected(lab, near), connected(lab, far)) == (first, third)
    for node in (first, second):
        lab.exec(node, "ip", "link", "set", "eth1", "up")
    lab.wait(lambda: at_rest(lab), "all are back")
    assert owners(lab, far) == [third], "and nothing moves back"


def test_an_interface_that_each_node_names_otherwise_is_found_by_what_it_reaches(lab):
    lab.exec("client", "ip", "addr", "add", "10.78.0.90/24", "dev", "eth0")
    for node in lab.nodes():
        name = f"uplink-{node}"
        lab.exec(node, "ip", "link", "add", "link", "eth0", "name", name, "type", "macvlan", "mode", "bridge")
        lab.exec(node, "ip", "addr", "add", f"10.78.0.{node[1:]}/24", "dev", name)
        lab.exec(node, "ip", "link", "set", name, "up")
    apply(
        lab,
        pool("reached", "10.78.0.100-10.78.0.109", interface="can_reach:10.78.0.90"),
        service("reached", "reached"),
    )
    vip = settle(lab, "reached")
    (owner,) = owners(lab, vip)
    assert connected(lab, vip) == owner
    lab.exec(owner, "ip", "link", "del", f"uplink-{owner}")
    heir = lab.wait(lambda: only(owners(lab, vip), but=owner), "another answers, on an interface of another name")
    lab.exec("client", "ip", "neigh", "flush", "to", vip)
    assert connected(lab, vip) == heir


def test_two_services_share_an_address_and_the_one_that_stays_moves_nowhere_when_the_other_goes(lab):
    shared = {"vipmgr.io/allow-shared-ip": "pair", "vipmgr.io/loadbalancer-ips": "196.168.220.50"}
    apply(
        lab,
        service("plain", "four", shared, ports=[{"port": 80}]),
        service("other", "four", shared, ports=[{"port": 8080}]),
    )
    vip = settle(lab, "plain")
    assert settle(lab, "other") == vip == "196.168.220.50"
    (owner,) = owners(lab, vip)
    assert (connected(lab, vip, 80), connected(lab, vip, 8080)) == (owner, owner)
    with lab.prober(vip) as prober:
        lab.wait(prober.steady, "it answers")
        began = time.time_ns()
        lab.delete("Service", "other", "default")
        time.sleep(2)
        lab.wait(prober.steady, "it answers still")
        assert prober.dark_ms(vip, began) == 0
    assert owners(lab, vip) == [owner]
    assert connected(lab, vip) == owner
    lab.delete("Service", "plain", "default")
    lab.wait(lambda: not owners(lab, vip), "nobody answers for an address that nobody has")


def test_an_owner_whose_cable_comes_back_announces_itself_again(lab):
    apply(lab, pool("lone", "196.168.220.80-196.168.220.89", vrrp={"members": 1}), service("lone", "lone"))
    vip = settle(lab, "lone")
    (owner,) = owners(lab, vip)
    mac = {name: mac for mac, name in lab.macs().items()}[owner]
    lab.fault("cut", owner)
    lab.wait(lambda: owner not in owners(lab, vip), "it knows that its cable is out")
    with Wiretap(lab) as tap:
        lab.fault("heal", owner)
        taken = lab.wait(lambda: only(owners(lab, vip), but=""), "one node answers")
        lab.wait(lambda: [one for one in tap.about(vip) if one.message.is_announcement], "it says so")
    macs = {name: mac for mac, name in lab.macs().items()} | {owner: mac}
    assert {one.mac for one in tap.about(vip) if one.message.is_announcement} == {macs[taken]}
    lab.wait(lambda: at_rest(lab), "all are back")


def test_an_agent_that_restarts_stays_a_candidate_and_no_plan_changes(lab):
    vip = settle(lab, "near")
    (owner,) = owners(lab, vip)

    def plans() -> dict:
        return {one["metadata"]["name"]: one["spec"].get("layer2") for one in lab.objects("VipNode")}

    standby = next(node for node in lab.nodes() if node != owner)
    before, seen = plans(), []
    starts = lab.ask("describe")["nodes"][standby]["starts"]["agent"]
    lab.fault("agent-term", standby)
    lab.wait(
        lambda: (
            (seen.append(plans()) or lab.ask("describe")["nodes"][standby]["starts"]["agent"] > starts) and at_rest(lab)
        ),
        "it is back",
        20,
    )
    assert all(one == before for one in seen)


def test_where_and_status_tell_of_an_address_by_its_ip_and_by_its_service(lab):
    vip = settle(lab, "near")
    (owner,) = owners(lab, vip)
    for question in (vip, "default/near"):
        [place] = json.loads(vipmgr(lab, "where", question, "-o", "json"))
        assert (place["nodes"], place["address"], place["protocol"]) == ([owner], vip, "layer2")
    assert "arp" not in vipmgr(lab, "status").lower()
    lab.exec(owner, "ip", "link", "add", "kube-ipvs0", "type", "bridge")
    lab.wait(lambda: "without strictARP" in vipmgr(lab, "status"), "status tells that kube-proxy answers for all")
    lab.exec(owner, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    lab.wait(lambda: "without strictARP" not in vipmgr(lab, "status"), "it is mended", 40)
    lab.exec(owner, "ip", "link", "del", "kube-ipvs0")
