from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import msgspec
import pytest

from tests.core.cluster import claim, pool
from tests.core.fleet import CLUSTER, NOW, link, report
from vipmgr.core import wire
from vipmgr.core.allocate import allocate
from vipmgr.core.decode import Opting
from vipmgr.core.desire import desire, gather_vips
from vipmgr.core.model import Instance, NodeFacts, Protocol, Reason, Selector
from vipmgr.core.render import Renderer
from vipmgr.core.snapshot import Objects, Snapshot, SnapshotReader
from vipmgr.templates import template_text

VRRP = pool("eip-pool", "10.0.0.100-10.0.0.110", is_default=True)


def snapshot(*claims, pools=(VRRP,), nodes=2, **fields):
    names = [f"n{number}" for number in range(1, nodes + 1)]
    return Snapshot(
        cluster=CLUSTER,
        claims={one.key: one for one in claims},
        pools={one.name: one for one in pools},
        namespaces={"ns": {}},
        nodes={name: NodeFacts(name) for name in names},
        reports={name: report(name, link("eth0", f"10.0.0.{number}/24")) for number, name in enumerate(names, start=1)},
        **fields,
    )


def decide(found):
    return desire(found, Renderer(template_text("keepalived.conf.j2")).spec, NOW)


def test_a_service_becomes_an_address_an_instance_and_a_configuration_on_its_members():
    desired = decide(snapshot(claim("ns/web")))
    assert [str(address) for address, _ in desired.allocation.assigned["ns/web"].addresses] == ["10.0.0.100"]
    holders = [one for one in desired.placement.instances.values() if ip_address("10.0.0.100") in one.vips]
    assert [sorted(member.node for member in one.members) for one in holders] == [["n1", "n2"]]
    assert "10.0.0.100/32" in desired.specs[holders[0].members[0].node].keepalived
    assert desired.problems == {"eip-pool": ()}


def test_deciding_twice_gives_the_same_whatever_order_things_come_in():
    claims = [claim(f"ns/s{number}") for number in range(5)]
    first, again = decide(snapshot(*claims)), decide(snapshot(*reversed(claims)))
    assert (first.allocation.assigned, first.specs, first.vips) == (again.allocation.assigned, again.specs, again.vips)


def test_a_refused_pool_that_serves_nobody_gets_no_instance_and_says_why():
    late = pool("late", "10.0.0.105", age=5)
    desired = decide(snapshot(claim("ns/web", pool="late"), pools=[VRRP, late]))
    assert desired.allocation.refused["ns/web"].reason is Reason.POOL_REFUSED
    assert [problem.reason for problem in desired.problems["late"]] == [Reason.OVERLAP]
    assert {one.eip for one in desired.placement.instances.values()} == {"eip-pool"}


def test_a_refused_pool_keeps_serving_those_who_hold_an_address_of_it():
    late = pool("late", "10.0.0.105", age=5, used={"10.0.0.105": "ns/web"})
    desired = decide(snapshot(claim("ns/web", held=["10.0.0.105"]), pools=[VRRP, late]))
    assert "late" in {one.eip for one in desired.placement.instances.values()}
    assert any("10.0.0.105/32" in spec.keepalived for spec in desired.specs.values())


def test_problems_of_placement_are_told_about_the_eip():
    nowhere = replace(VRRP, node_selector=Selector((("edge", "yes"),)))
    desired = decide(snapshot(claim("ns/web"), pools=[nowhere]))
    assert [problem.reason for problem in desired.problems["eip-pool"]] == [Reason.NO_ELIGIBLE_NODE]


def test_addresses_of_layer2_and_bgp_pools_are_allocated_and_put_on_no_interface():
    arp = pool("arp", "10.0.0.200", protocol=Protocol.LAYER2)
    desired = decide(snapshot(claim("ns/web", pool="arp"), pools=[VRRP, arp]))
    assert str(desired.allocation.assigned["ns/web"].addresses[0][0]) == "10.0.0.200"
    assert not any("10.0.0.200" in spec.keepalived for spec in desired.specs.values())


def test_an_address_kept_only_because_a_status_still_shows_it_is_no_vip():
    moving = claim("ns/web", held=["10.0.0.100"], requested=["10.0.0.101"])
    desired = decide(snapshot(moving, pools=[replace(VRRP, used={ip_address("10.0.0.100"): ("ns/web",)})]))
    assert [str(vip.address) for vip in desired.vips] == ["10.0.0.101"]
    assert len(desired.allocation.used["eip-pool"]) == 2


def test_services_on_their_way_out_are_named_and_their_address_waits():
    leaving = {"ns/old": (ip_address("10.0.0.100"),)}
    desired = decide(snapshot(claim("ns/web"), leaving=leaving))
    assert desired.leaving == {"ns/old"}
    assert str(desired.allocation.assigned["ns/web"].addresses[0][0]) == "10.0.0.101"


LOCAL = {"local_traffic": True, "health_check_node_port": 30001, "requested": ["10.0.0.100"], "selector": (("a", "b"),)}


@pytest.mark.parametrize(
    ("first", "second", "endpoints", "expected"),
    [
        (LOCAL, LOCAL | {"ports": [443], "health_check_node_port": 30002}, {"ns/a": "13", "ns/b": "23"}, "3"),
        (LOCAL, LOCAL | {"ports": [443], "health_check_node_port": 30002}, {"ns/a": "13"}, ""),
    ],
)
def test_a_local_vip_may_live_where_every_service_of_it_has_endpoints(first, second, endpoints, expected):
    claims = {one.key: one for one in (claim("ns/a", **first), claim("ns/b", age=1, **second))}
    nodes = {key: frozenset(f"n{digit}" for digit in digits) for key, digits in endpoints.items()}
    (vip,) = gather_vips(allocate(claims.values(), [VRRP], {}), claims, nodes)
    assert (vip.services, vip.local, vip.health_check_node_ports) == (("ns/a", "ns/b"), True, (30001, 30002))
    assert vip.endpoint_nodes == {f"n{digit}" for digit in expected}


def test_a_vip_of_cluster_wide_services_has_no_endpoints_of_interest():
    claims = {"ns/a": claim("ns/a")}
    (vip,) = gather_vips(allocate(claims.values(), [VRRP], {}), claims, {"ns/a": frozenset({"n1"})})
    assert (vip.local, vip.endpoint_nodes, vip.health_check_node_ports) == (False, frozenset(), ())


def service(name, **metadata):
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "ns", **metadata},
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.100"}]}},
        },
        wire.Service,
    )


def test_a_service_is_a_claim_or_leaving_or_none_of_our_business_and_a_dying_one_lets_go_at_once():
    objects = Objects(
        services={
            "ns/ours": service("ours", annotations={"lb.kubesphere.io/v1alpha1": "openelb"}),
            "ns/was-ours": service("was-ours", labels={"eip.openelb.kubesphere.io/v1alpha2": "eip-pool"}),
            "ns/foreign": service("foreign"),
            "ns/dying": service(
                "dying",
                labels={"eip.openelb.kubesphere.io/v1alpha2": "eip-pool"},
                deletionTimestamp="2026-11-22T21:00:00Z",
            ),
        }
    )
    found = SnapshotReader(Opting(), CLUSTER).read(objects)
    assert set(found.claims) == {"ns/ours"}
    assert found.leaving == {"ns/was-ours": (ip_address("10.0.0.100"),)}


def test_a_reader_decodes_only_what_was_replaced():
    reader = SnapshotReader(Opting(default_class=True), CLUSTER)
    services = {"ns/a": service("a"), "ns/b": service("b")}
    first = reader.read(Objects(services=services))
    second = reader.read(Objects(services=services | {"ns/b": service("b", labels={"x": "y"})}))
    assert second.claims["ns/a"] is first.claims["ns/a"]
    assert second.claims["ns/b"].labels == {"x": "y"}
    assert set(reader.read(Objects(services={"ns/a": services["ns/a"]})).claims) == {"ns/a"}


def test_a_register_entry_that_cannot_be_read_is_a_problem_and_the_others_are_used():
    good = {
        "eip": "eip-pool",
        "interface": "eth0",
        "family": "IPv4",
        "virtualRouterID": 9,
        "anchor": "169.254.1.1",
    }
    instances = {
        name: msgspec.convert({"metadata": {"name": name}, "spec": good | change}, wire.VrrpInstance)
        for name, change in {"eip-pool-0": {}, "eip-pool-1": {"anchor": "none"}}.items()
    }
    found = SnapshotReader(Opting(), CLUSTER).read(Objects(instances=instances))
    assert [type(one) for one in found.instances.values()] == [Instance]
    assert [problem.about for problem in found.problems] == ["VrrpInstance/eip-pool-1"]


def test_a_new_pool_asks_to_be_looked_at_again_while_agents_are_starting():
    found = snapshot(claim("ns/web"))
    just_now = NOW - timedelta(seconds=1)
    starting = replace(found.reports["n2"], listening_since=just_now)
    desired = decide(replace(found, reports=dict(found.reports) | {"n2": starting}))
    assert desired.recheck is not None
    assert NOW < desired.recheck <= NOW + timedelta(seconds=10)


def test_one_more_layer2_service_makes_nothing_anew_for_the_others():
    """10,000 of them are in every decision: what is told of an address is made once, and is the very same object."""
    by_arp = pool("eip-pool", "10.0.0.100-10.0.0.110", is_default=True, protocol=Protocol.LAYER2)

    def parts(found):
        return [one for spec in found.specs.values() for part in spec.layer2.pools for one in part.addresses]

    claims = [claim(f"ns/s{number}") for number in range(5)]
    before, after = (decide(snapshot(*some, pools=[by_arp])) for some in (claims, [*claims, claim("ns/new", age=1)]))
    assert len(parts(after)) == len(parts(before)) + 2 == 12
    known = {id(one) for one in (*before.vips, *parts(before), *before.layer2.instances.values())}
    made = [one for one in (*after.vips, *parts(after), *after.layer2.instances.values()) if id(one) not in known]
    assert {getattr(one, "address", getattr(one, "name", None)) for one in made} == {
        "10.0.0.105",
        ip_address("10.0.0.105"),
    }
