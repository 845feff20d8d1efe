"""What an operator is told about a cluster, from its objects alone."""

import msgspec
import pytest

from vipmgr.core.overview import Cluster, live_members, overview, where
from vipmgr.core.wire import Eip, Node, VipNode, VrrpInstance


def cluster(nodes=(), instances=(), eips=(), ready=True):
    def named(kind, bodies):
        return {one["metadata"]["name"]: msgspec.convert(one, kind) for one in bodies}

    machines = [
        {"metadata": one["metadata"], "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}
        for one in nodes
    ]
    return Cluster(
        named(VipNode, nodes), named(VrrpInstance, instances), named(Eip, eips), named(Node, machines), 1_800_000_000.0
    )


def node(name, states=(), *, annotations=None, spec=None, **status):
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"revision": "r1", **(spec or {})},
        "status": {
            "revision": "r1",
            "keepalived": {"running": True},
            "instances": [{"name": one, "state": state} for one, state in dict(states).items()],
            **status,
        },
    }


def instance(members=("n1", "n2"), **status):
    spec = {
        "eip": "pool",
        "interface": "eth0",
        "family": "IPv4",
        "virtualRouterID": 51,
        "anchor": "169.254.1.1",
        "members": [{"node": one, "priority": 254} for one in members],
        "vips": ["10.0.0.5"],
    }
    return {"metadata": {"name": "i"}, "spec": spec, "status": status}


def pool(protocol="vip", **status):
    return {
        "metadata": {"name": "pool"},
        "spec": {"protocol": protocol, "interface": "eth0"},
        "status": {"used": {"10.0.0.5": "a/web"}, **status},
    }


def problems(world):
    return [(one.urgent, one.about, one.text) for one in overview(world).problems]


PLANNED = instance()["spec"] | {"name": "x", "priority": 1, "advertIntervalMs": 1}
WELL = [node("n1", {"i": "MASTER"}), node("n2", {"i": "BACKUP"})]


def test_a_cluster_that_is_well_has_no_problems():
    assert problems(cluster(WELL, [instance(master="n1", masters=["n1"])], [pool()])) == []


@pytest.mark.parametrize(
    ("nodes", "status", "expected"),
    [
        (WELL, {"masters": ["n1", "n2"]}, (True, "instance i", "two masters: n1 and n2 both hold 10.0.0.5")),
        (WELL, {}, (True, "instance i", "nobody holds 10.0.0.5")),
        (WELL, {"master": "n1", "contested": True}, (True, "instance i", "n1 hears another master")),
        (
            [node("n1", {"i": "MASTER"}), node("n2", {"i": "FAULT"})],
            {"master": "n1"},
            (False, "instance i", "no other node stands by for n1"),
        ),
        (
            [*WELL, node("n3", spec={"instances": [PLANNED]}, keepalived={"running": False})],
            {"master": "n1"},
            (True, "node n3", "keepalived is not running"),
        ),
        (
            [*WELL, node("n3", revision="r0")],
            {"master": "n1"},
            (False, "node n3", "has not applied its plan r1 yet"),
        ),
        (
            [*WELL, node("n3", annotations={"vipmgr.io/drain": "true"})],
            {"master": "n1"},
            (False, "node n3", "is draining, not done yet"),
        ),
        (
            [*WELL, node("n3", strangers=[{"interface": "eth0", "family": "IPv4", "virtualRouterID": 7,
                                           "source": "10.9.9.9"}])],
            {"master": "n1"},
            (False, "node n3", "10.9.9.9 speaks VRRP with VRID 7 on eth0, and is not ours"),
        ),
    ],
)  # fmt: skip
def test_each_trouble_is_named_with_who_and_what(nodes, status, expected):
    assert expected in problems(cluster(nodes, [instance(**status)], [pool()]))


def test_the_urgent_comes_first():
    found = problems(cluster([*WELL, node("n3", revision="r0")], [instance()], [pool(usage=3, poolSize=3)]))
    assert [urgent for urgent, _, _ in found] == sorted((urgent for urgent, _, _ in found), reverse=True)
    assert (False, "pool pool", "is full: 3 of 3 in use") in found


def test_a_node_that_is_not_ready_is_said():
    assert (False, "node n1", "is not Ready; what it reports may be old") in problems(
        cluster(WELL, [instance(master="n1")], [pool()], ready=False)
    )


def test_live_members_come_in_the_order_of_rank():
    world = cluster([node("n1", {"i": "FAULT"}), node("n2", {"i": "BACKUP"}), node("n3", {"i": "MASTER"})],
                    [instance(members=("n2", "n1", "n3"))])  # fmt: skip
    assert live_members(world, world.instances["i"]) == ["n2", "n3"]


def test_a_layer2_address_is_where_a_node_reports_it():
    report = {"addresses": [{"address": "10.0.0.5", "eip": "pool", "interface": "eth0", "state": "MASTER"}]}
    world = cluster([node("n1"), node("n2", layer2=report)], eips=[pool("layer2")])
    [place] = where(world, "10.0.0.5")
    assert (place.nodes, place.protocol, place.services) == (("n2",), "layer2", ("a/web",))


def test_a_layer2_address_that_no_living_node_answers_for_is_said():
    report = {"addresses": [{"address": "10.0.0.5", "eip": "pool", "interface": "eth0", "state": "MASTER"}]}
    world = cluster([node("n1"), node("n2", layer2=report)], eips=[pool("layer2")])
    nobody = (True, "pool pool", "nobody answers for 10.0.0.5")
    assert nobody not in problems(world)
    doubts = {"addresses": [report["addresses"][0] | {"state": "FAULT"}]}
    assert nobody in problems(cluster([node("n1"), node("n2", layer2=doubts)], eips=[pool("layer2")]))
    assert nobody in problems(cluster([node("n1"), node("n2", layer2=report)], eips=[pool("layer2")], ready=False))


@pytest.mark.parametrize("sound", [True, False])
def test_a_kernel_or_a_stranger_that_answers_for_a_layer2_address_is_said(sound):
    told = {"type": "Layer2Sound", "status": str(sound), "reason": "StrictARP", "message": "kube-proxy answers"}
    found = problems(cluster([node("n1", conditions=[told])], eips=[pool("layer2")]))
    assert ((False, "node n1", "kube-proxy answers") in found) is not sound


def test_an_address_allocated_to_nobody_is_nowhere():
    assert where(cluster(WELL, [instance(master="n1")], [pool()]), "10.0.0.6") == []
