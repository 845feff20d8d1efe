"""Placement, case by case."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

from tests.core.cluster import EPOCH, pool
from tests.core.fleet import NOW, Fleet, fleet, link
from vipmgr.core.homes import VIPS_PER_INSTANCE
from vipmgr.core.members import INSTANCES_PER_NODE
from vipmgr.core.model import Family, Protocol, Reason, Selector, VrrpPolicy

EDGE = Selector(match_labels=(("edge", "yes"),))


def nodes_of(world: Fleet, name: str) -> list[str]:
    return [member.node for member in world.register[name].members]


def test_instances_stand_ready_before_the_first_vip():
    world = fleet(3)
    world.rest()
    assert sorted(world.register) == ["p-0", "p-1", "p-2"]
    assert all(len(instance.members) == 3 for instance in world.register.values())
    before = dict(world.register)
    world.want("10.0.9.1")
    world.rest()
    assert [name for name in before if before[name] != world.register[name]] == [world.homes()[ip_address("10.0.9.1")]]


def test_there_are_at_most_eight_instances_unless_asked_for_more():
    world = fleet(20)
    world.rest()
    assert len(world.register) == 8
    world.pools["p"] = replace(world.pools["p"], vrrp=VrrpPolicy(instances=11))
    world.rest()
    assert len(world.register) == 11


def test_a_smaller_number_takes_only_instances_without_vips():
    world = fleet(4, *(f"10.0.9.{number}" for number in range(40)))
    world.rest()
    homes = world.homes()
    world.vips = {address: one for address, one in world.vips.items() if homes[address] != "p-3"}
    world.pools["p"] = replace(world.pools["p"], vrrp=VrrpPolicy(instances=1))
    world.rest()
    assert sorted(world.register) == ["p-0", "p-1", "p-2"]
    world.want("10.0.9.200")
    world.rest()
    assert world.homes()[ip_address("10.0.9.200")] == "p-0"


def test_a_controller_killed_while_making_instances_makes_the_rest():
    world = fleet(6)
    made = list(world.place().instances.items())
    world.register = dict(made[:2])
    world.rest()
    assert sorted(world.register) == [f"p-{number}" for number in range(6)]
    assert {name: world.register[name] for name, _ in made[:2]} == dict(made[:2])


def test_first_instances_wait_for_agents_that_are_starting():
    world = fleet(3)
    world.tell("n2", listening_since=NOW - timedelta(seconds=0.5))
    world.tell("n1", listening_since=NOW - timedelta(seconds=2))
    world.tell("n3", listening_since=NOW - timedelta(seconds=2))
    waiting = world.place()
    assert (waiting.instances, waiting.recheck) == ({}, NOW + timedelta(seconds=0.701))
    world.now += timedelta(seconds=0.8)
    assert {member.node for one in world.place().instances.values() for member in one.members} == {"n1", "n2", "n3"}


def test_an_agent_that_never_comes_is_left_out():
    world = fleet(3)
    del world.reports["n2"]
    placed = world.place()
    assert {member.node for one in placed.instances.values() for member in one.members} == {"n1", "n3"}
    assert placed.ineligible["p"] == {"n2": "its agent has not reported"}


def test_nobody_is_chosen_before_its_agent_has_listened():
    world = fleet(1)
    world.tell("n1", listening_since=NOW - timedelta(seconds=1))
    world.want("10.0.9.1")
    placed = world.place()
    assert placed.instances == {}
    assert placed.unplaced[ip_address("10.0.9.1")].reason is Reason.NO_ELIGIBLE_NODE
    assert placed.recheck is not None


def test_only_nodes_in_the_subnet_serve_it():
    world = Fleet(pools={"p": pool("p", "10.0.9.0/24")})
    world.join("in", link("eth0", "10.0.0.1/16"))
    world.join("out", link("eth0", "192.168.0.1/24"))
    world.rest()
    assert nodes_of(world, "p-0") == ["in"]
    assert "not in the subnet" in world.place().ineligible["p"]["out"]


def test_a_pool_outside_every_subnet_is_served_by_all():
    """The seed's 196.168.220.0 lives outside the nodes' networks."""
    world = fleet(3, pools=[pool("p", "196.168.220.10-196.168.220.30")])
    world.rest()
    assert sorted(nodes_of(world, "p-0")) == ["n1", "n2", "n3"]


def test_every_node_that_may_not_serve_has_a_reason():
    world = Fleet(pools={"p": pool("p", "10.0.9.0/24", node_selector=EDGE)})
    edge = {"edge": "yes"}
    world.join("good", labels=edge)
    world.join("unselected")
    world.join("unready", labels=edge, not_ready_since=NOW)
    world.join("excluded", labels=edge, excluded=True)
    world.join("other-link", link("ens3", "10.0.0.7/16"), labels=edge)
    world.join("down", link("eth0", "10.0.0.8/16", up=False), labels=edge)
    world.join("bare", link("eth0"), labels=edge)
    world.join("drained", labels=edge)
    world.tell("drained", drain=True)
    placed = world.place()
    assert placed.ineligible["p"] == {
        "unselected": "not matched by spec.nodeSelector",
        "unready": "not Ready",
        "excluded": "excluded from external load balancers",
        "other-link": "no interface eth0",
        "down": "interface eth0 is down",
        "bare": "interface eth0 has no address",
        "drained": "drained",
    }
    assert [member.node for member in placed.instances["p-0"].members] == ["good"]


def test_a_pool_without_nodes_says_so():
    world = Fleet(pools={"p": pool("p", interface="eth7")})
    world.join("n1")
    (problem,) = world.place().problems
    assert (problem.about, problem.reason) == ("Eip/p", Reason.NO_ELIGIBLE_NODE)
    assert "n1: no interface eth7" in problem.message


def test_a_link_without_ipv4_carries_adverts_by_ipv6():
    world = Fleet(pools={"p": pool("p", "2001:db8::10-2001:db8::1f")})
    world.join("n1", link("eth0", "2001:db8::1/64", "fe80::1/64"))
    world.rest()
    instance = world.register["p-0"]
    assert (instance.family, instance.anchor.is_link_local, instance.anchor.version) == (Family.IPV6, True, 6)


def test_anchors_avoid_addresses_others_use():
    world = fleet(1, vrrp=VrrpPolicy(instances=200))
    placed = world.place()
    thirds = {instance.anchor.packed[2] for instance in placed.instances.values()}
    assert all(instance.anchor.packed[:2] == b"\xa9\xfe" for instance in placed.instances.values())
    assert not thirds & {0, 20, 25, 169, 170, 255}
    assert len(thirds) > 60


def test_a_stranger_is_avoided_and_one_that_comes_later_is_told():
    world = fleet(2, vrrp=VrrpPolicy(instances=1, vrids=frozenset({7, 8})))
    heard = frozenset({("eth0", Family.IPV4, 7, "10.0.250.250")})
    world.tell("n2", strangers=heard)
    world.rest()
    assert world.register["p-0"].vrid == 8
    world.tell("n1", strangers=frozenset({("eth0", Family.IPV4, 8, "10.0.250.251")}))
    placed = world.rest()
    assert world.register["p-0"].vrid == 8
    assert [(one.reason, "10.0.250.251" in one.message) for one in placed.problems] == [(Reason.VRID_STRANGER, True)]


def test_our_own_adverts_are_no_strangers_but_another_keepalived_on_our_node_is():
    world = fleet(3, vrrp=VrrpPolicy(instances=1, members=2))
    world.rest()
    vrid = world.register["p-0"].vrid
    member, outsider = nodes_of(world, "p-0")[0], (world.nodes.keys() - set(nodes_of(world, "p-0"))).pop()
    source = {name: str(told.interfaces[0].addresses[0].ip) for name, told in world.reports.items()}
    world.tell(outsider, strangers=frozenset({("eth0", Family.IPV4, vrid, source[member])}))
    assert world.place().problems == ()
    world.tell(member, strangers=frozenset({("eth0", Family.IPV4, vrid, source[outsider])}))
    assert [one.reason for one in world.place().problems] == [Reason.VRID_STRANGER]


def test_too_few_vrids_are_a_problem_and_what_fits_is_made():
    world = fleet(4, vrrp=VrrpPolicy(instances=4, vrids=frozenset({1, 2})))
    placed = world.place()
    assert {one.vrid for one in placed.instances.values()} == {1, 2}
    assert {one.reason for one in placed.problems} == {Reason.VRID_EXHAUSTED}


def test_a_full_instance_passes_on_to_the_next_and_the_last_says_so():
    count = 2 * VIPS_PER_INSTANCE + 5
    world = fleet(2, pools=[pool("p", "10.0.16.0-10.0.31.255", vrrp=VrrpPolicy(instances=2))])
    world.want(*(str(ip_address("10.0.16.0") + number) for number in range(count)))
    placed = world.place()
    assert [len(instance.vips) for instance in placed.instances.values()] == [VIPS_PER_INSTANCE] * 2
    assert len(placed.unplaced) == 5
    assert [one.reason for one in placed.problems] == [Reason.INSTANCE_FULL]


def test_vips_spread_over_the_instances():
    world = fleet(4, *(f"10.0.9.{number}" for number in range(200)))
    world.rest()
    counts = Counter(world.homes().values())
    assert min(counts.values()) > 30


def test_preferred_nodes_come_first():
    policy = VrrpPolicy(members=2, preferred=((10, EDGE),))
    world = Fleet(pools={"p": pool("p", "10.0.9.0/24", vrrp=policy)})
    for number in range(4):
        world.join(f"n{number}", labels={"edge": "yes" if number == 2 else "no"})
    world.rest()
    assert {instance.members[0].node for instance in world.register.values()} == {"n2"}


def test_changed_preferences_reorder_ranks_only_where_preemption_is_wanted():
    for preempt in (False, True):
        policy = VrrpPolicy(instances=1, members=3, preempt=preempt)
        world = fleet(3, vrrp=policy)
        world.rest()
        last = nodes_of(world, "p-0")[-1]
        world.fact(last, labels={"edge": "yes"})
        world.pools["p"] = replace(world.pools["p"], vrrp=replace(policy, preferred=((1, EDGE),)))
        world.rest()
        assert (nodes_of(world, "p-0")[0] == last) is preempt
        assert [member.priority for member in world.register["p-0"].members] == [254, 252, 250]


def test_a_member_stays_for_five_minutes_of_not_ready_and_longer_when_nobody_can_replace_it():
    world = fleet(4, vrrp=VrrpPolicy(instances=1))
    world.rest()
    before = world.register["p-0"].members
    gone = before[1].node
    world.fact(gone, not_ready_since=NOW)
    world.now = NOW + timedelta(minutes=4.9)
    world.rest()
    assert world.register["p-0"].members == before
    spare = (world.nodes.keys() - {member.node for member in before}).pop()
    world.fact(spare, excluded=True)
    world.now = NOW + timedelta(minutes=6)
    world.rest()
    assert world.register["p-0"].members == before
    world.fact(spare, excluded=False)
    world.rest()
    assert nodes_of(world, "p-0") == [before[0].node, before[2].node, spare]
    assert [member.priority for member in world.register["p-0"].members] == [254, 250, 248]


def test_all_nodes_unready_takes_nothing_down():
    world = fleet(3, "10.0.9.1")
    world.rest()
    before = dict(world.register)
    for name in world.nodes:
        world.fact(name, not_ready_since=EPOCH)
    world.rest()
    assert world.register == before


def test_a_free_priority_is_used_again():
    world = fleet(5, vrrp=VrrpPolicy(instances=1))
    world.rest()
    world.leave(nodes_of(world, "p-0")[0])
    world.rest()
    assert [member.priority for member in world.register["p-0"].members] == [252, 250, 248]
    world.leave(nodes_of(world, "p-0")[0])
    world.rest()
    assert [member.priority for member in world.register["p-0"].members] == [254, 250, 248]


def test_a_lone_drained_member_gets_company():
    world = fleet(3, vrrp=VrrpPolicy(instances=1, members=1))
    world.rest()
    (alone,) = nodes_of(world, "p-0")
    world.tell(alone, drain=True)
    world.rest()
    assert nodes_of(world, "p-0")[0] == alone
    assert len(nodes_of(world, "p-0")) == 2


def test_an_excluded_master_leaves_only_when_its_replacement_serves():
    world = fleet(2, "10.0.9.1", vrrp=VrrpPolicy(instances=1, members=1))
    world.rest()
    (old,) = nodes_of(world, "p-0")
    world.fact(old, excluded=True)
    world.step()
    assert len(nodes_of(world, "p-0")) == 2
    world.step()
    assert old in nodes_of(world, "p-0")
    world.rest()
    assert old not in nodes_of(world, "p-0")


def local(world: Fleet, address: str, *nodes: str, **fields: object) -> None:
    services = fields.pop("services", (f"shop/{address}",))
    world.want(address, services=services, local=True, endpoint_nodes=frozenset(nodes), **fields)


def test_a_local_service_has_an_instance_on_its_endpoints_nodes():
    world = fleet(6)
    local(world, "10.0.9.1", "n4", "n6", health_check_node_ports=(31000,))
    placed = world.rest()
    (name,) = [name for name, one in world.register.items() if one.service]
    assert {"n4", "n6"} < set(nodes_of(world, name))
    assert len(nodes_of(world, name)) == 3
    assert placed.health_ports == {name: (31000,)}


def test_a_local_service_follows_many_endpoints_up_to_sixteen_members():
    world = fleet(20)
    local(world, "10.0.9.1", "n1", "n2", "n3", "n4", "n5")
    world.rest()
    (name,) = [name for name, one in world.register.items() if one.service]
    assert set(nodes_of(world, name)) == {"n1", "n2", "n3", "n4", "n5"}
    local(world, "10.0.9.1", *(f"n{number}" for number in range(1, 21)))
    world.rest()
    assert len(nodes_of(world, name)) == 16


def test_both_families_of_a_local_service_go_together_and_leave_together():
    world = fleet(3, pools=[pool("p", "10.0.9.0/24", "2001:db8::/120")])
    for address in ("10.0.9.1", "2001:db8::1"):
        local(world, address, "n1", services=("shop/web",))
    world.rest()
    (name,) = [name for name, one in world.register.items() if one.service]
    assert [str(address) for address in world.register[name].vips] == ["10.0.9.1", "2001:db8::1"]
    world.vips = {}
    world.rest()
    assert name not in world.register


def test_a_local_service_shares_an_instance_when_vrids_run_out():
    world = fleet(2, vrrp=VrrpPolicy(instances=2, vrids=frozenset({1, 2, 3})))
    local(world, "10.0.9.1", "n1")
    local(world, "10.0.9.2", "n1")
    placed = world.rest()
    homes = [world.register[name].service is not None for name in world.homes().values()]
    assert sorted(homes) == [False, True]
    assert [one.reason for one in placed.problems] == [Reason.VRID_EXHAUSTED]


def test_a_local_service_waits_rather_than_share_while_nodes_are_missing():
    world = fleet(2)
    world.rest()
    for name in world.nodes:
        world.tell(name, drain=True)
    local(world, "10.0.9.1", "n1")
    placed = world.place()
    assert [one.reason for one in placed.unplaced.values()] == [Reason.NO_ELIGIBLE_NODE]
    for name in world.nodes:
        world.tell(name, drain=False)
    assert world.place().unplaced == {}


def test_a_node_carries_a_limited_number_of_instances():
    world = fleet(1, vrrp=VrrpPolicy(instances=INSTANCES_PER_NODE + 2))
    placed = world.place()
    assert len(placed.instances) == INSTANCES_PER_NODE
    assert {one.reason for one in placed.problems} == {Reason.INSTANCE_FULL}


def test_a_node_on_two_segments_never_gets_one_vrid_twice():
    """Instances made on separate racks may share a VRID; a node of both racks can then take only one of them."""
    policy = VrrpPolicy(instances=1, members=2, vrids=frozenset({9}))
    racks = {name: Selector(match_labels=((name, "yes"),)) for name in ("p", "q")}
    world = Fleet(pools={name: pool(name, vrrp=policy, node_selector=rack) for name, rack in racks.items()})
    world.join("n1", link("eth0", "10.1.0.1/16"), labels={"p": "yes"})
    world.join("n2", link("eth0", "10.2.0.1/16"), labels={"q": "yes"})
    world.rest()
    world.join("both", link("eth0", "10.1.0.9/16"), labels={"p": "yes", "q": "yes"})
    world.rest()
    assert [world.register[name].vrid for name in ("p-0", "q-0")] == [9, 9]
    assert sorted(len(world.register[name].members) for name in ("p-0", "q-0")) == [1, 2]


def test_a_rebalanced_instance_is_reported_done_when_its_best_member_is_master():
    world = fleet(3, vrrp=VrrpPolicy(instances=1))
    world.rest()
    world.register["p-0"] = replace(world.register["p-0"], rebalance="t1")
    assert world.place().rebalanced == ("p-0",)
    world.tell(nodes_of(world, "p-0")[0], instances={})
    assert world.place().rebalanced == ()


def test_a_pool_that_is_no_longer_vip_gives_everything_up():
    world = fleet(3, "10.0.9.1")
    world.rest()
    world.pools["p"] = replace(world.pools["p"], protocol=Protocol.BGP)
    placed = world.place()
    assert (placed.instances, len(placed.leaving), placed.delete) == ({}, 3, ())
    placed = world.rest()
    assert (world.register, placed.leaving) == ({}, {})


def test_an_edited_interface_keeps_the_vrid_where_it_is_free():
    world = Fleet(pools={"p": pool("p", "10.0.9.0/24", vrrp=VrrpPolicy(instances=1))})
    for number in (1, 2):
        world.join(f"n{number}", link("eth0", f"10.0.0.{number}/16"), link("eth1", f"10.0.1.{number}/16"))
    world.rest()
    before = world.register["p-0"]
    world.pools["p"] = replace(world.pools["p"], interface="eth1")
    world.rest()
    assert world.register["p-0"] == replace(before, interface="eth1")
