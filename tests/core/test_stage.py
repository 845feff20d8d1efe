"""What a node is told, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

from tests.core.cluster import pool
from tests.core.fleet import Fleet, fleet, link
from vipmgr.core.model import InstancePlan, Protocol, Selector, VrrpPolicy

VIP = "10.0.9.1"


def told(world: Fleet, name: str, instance: str) -> InstancePlan | None:
    """What is published to that node of that instance."""
    return next((one for one in world.published[name].instances if one.name == instance), None)


def given(world: Fleet, instance: str) -> set[str]:
    """The nodes whose published plan has the VIP in that instance."""
    plans = {name: told(world, name, instance) for name in world.published}
    return {name for name, plan in plans.items() if plan is not None and ip_address(VIP) in plan.vips}


def settle(world: Fleet, *names: str) -> None:
    for name in names or tuple(world.nodes):
        world.apply(name)
        world.answer(name)


def moving() -> tuple[Fleet, str, str]:
    """A VIP on its way from its shared instance to one of its own."""
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.rest()
    world.want(VIP, local=True, endpoint_nodes=frozenset({"n1"}))
    world.step()
    return world, "p-0", next(name for name in world.register if name != "p-0")


def test_a_moving_vip_leaves_the_old_instance_everywhere_before_it_comes_to_the_new():
    world, old, new = moving()
    assert (given(world, old), given(world, new)) == (set(), set())
    settle(world, "n1", "n2")
    world.step()
    assert given(world, new) == set()
    settle(world, "n3")
    world.step()
    assert given(world, new) == {"n1", "n2", "n3"}


def test_a_new_instance_starts_on_its_first_member_alone():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.step()
    first, *others = (member.node for member in world.register["p-0"].members)
    assert [name for name in world.published if told(world, name, "p-0")] == [first]
    world.apply(first)
    world.step()
    assert [name for name in world.published if told(world, name, "p-0")] == [first]
    world.answer(first)
    world.step()
    assert sorted(name for name in world.published if told(world, name, "p-0")) == sorted([first, *others])


def test_a_first_member_that_does_not_answer_promptly_is_joined_by_the_next_and_then_by_all():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.step()
    first, second, third = (member.node for member in world.register["p-0"].members)
    settle(world, second, third)
    recheck = world.place().recheck
    assert recheck - world.now <= timedelta(seconds=1.6)
    world.now = recheck
    world.step()
    assert given(world, "p-0") == {first, second}
    world.step()
    assert given(world, "p-0") == {first, second}
    settle(world, second)
    world.step()
    assert given(world, "p-0") == {first, second, third}
    settle(world, third, first)
    world.step()
    assert (given(world, "p-0"), world.master("p-0")) == ({first, second, third}, second)


def test_nobody_waits_again_for_an_agent_that_is_known_to_be_late():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.step()
    first, *others = (member.node for member in world.register["p-0"].members)
    settle(world, *others)
    world.now += timedelta(seconds=2)
    world.vips = {}
    world.want("10.0.8.1", pool_name="q")
    world.pools = {
        "q": pool("q", "10.0.8.0/24", vrrp=VrrpPolicy(instances=1, preferred=((1, Selector((("name", first),))),)))
    }
    world.fact(first, labels={"name": first})
    world.step()
    best, second = (member.node for member in world.register["q-0"].members[:2])
    assert best == first
    assert {name for name in world.published if told(world, name, "q-0")} == {first, second}


def test_the_masters_of_a_new_pool_are_spread_as_planned():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=3))
    world.rest()
    firsts = {name: one.members[0].node for name, one in world.register.items()}
    assert sorted(firsts.values()) == ["n1", "n2", "n3"]
    assert {name: world.master(name) for name in firsts} == firsts


def test_a_vip_that_turns_back_goes_home_at_once():
    world, old, new = moving()
    world.want(VIP)
    world.step()
    assert (given(world, old), given(world, new)) == ({"n1", "n2", "n3"}, set())


def test_a_silent_node_holds_a_move_up_for_ten_seconds_and_must_itself_confirm():
    world, _, new = moving()
    settle(world, "n1", "n2")
    world.step()  # the new instance, still without the VIP, comes to its other members
    settle(world, "n1", "n2")
    world.now += timedelta(seconds=9)
    world.step()
    assert given(world, new) == set()
    assert world.place().recheck is not None
    world.now += timedelta(seconds=2)
    world.step()
    assert given(world, new) == {"n1", "n2"}
    settle(world, "n3")
    world.step()
    assert given(world, new) == {"n1", "n2", "n3"}


def test_an_unready_node_holds_nothing_up():
    world, _, new = moving()
    settle(world, "n1", "n2")
    world.fact("n3", not_ready_since=world.now)
    world.step()
    assert given(world, new) >= {"n1", "n2"}


def test_a_vip_stays_when_a_silent_node_returns_with_the_old():
    world, _, new = moving()
    settle(world, "n1", "n2")
    world.now += timedelta(seconds=11)
    world.step()
    settle(world, "n1", "n2")
    world.want("10.0.9.77")
    world.step()
    assert world.reports["n3"].published_at == world.now
    world.step()
    assert given(world, new) == {"n1", "n2"}


def test_backups_leave_a_deleted_pool_first_and_the_master_last():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.rest()
    master = world.master("p-0")
    world.pools["p"] = replace(world.pools["p"], protocol=Protocol.LAYER2)
    world.vips = {}
    world.step()
    holding = {name for name in world.published if told(world, name, "p-0") is not None}
    assert holding == {master}
    assert told(world, master, "p-0").vips == ()
    backups = [name for name in world.nodes if name != master]
    settle(world, backups[0], master)
    world.step()
    assert told(world, master, "p-0") is not None
    settle(world, backups[1])
    placement = world.step()
    assert told(world, master, "p-0") is None
    assert "p-0" in placement.leaving
    settle(world)
    assert world.place().delete == ("p-0",)


def test_a_backup_leaves_at_once():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1, members=2))
    world.rest()
    backup = world.register["p-0"].members[1].node
    world.fact(backup, excluded=True)
    world.step()
    assert told(world, backup, "p-0") is None


def test_a_drain_waits_for_the_replacement_but_only_for_that():
    world = fleet(2, VIP, vrrp=VrrpPolicy(instances=1, members=1))
    world.rest()
    (alone,) = (member.node for member in world.register["p-0"].members)
    other = next(name for name in world.nodes if name != alone)
    world.tell(alone, drain=True)
    world.step()
    assert not world.published[alone].drain
    assert told(world, other, "p-0") is not None
    settle(world, other)
    world.step()
    assert world.published[alone].drain
    world.tell(alone, drained=True)
    world.leave(other)
    world.step()
    assert world.published[alone].drain


def test_a_drain_under_way_is_not_called_back_when_the_plans_of_the_others_change():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.rest()
    master = world.master("p-0")
    world.tell(master, drain=True)
    world.step()
    assert world.published[master].drain
    world.want("10.0.9.2")
    world.step()
    assert all(one.published_revision != one.revision for one in world.reports.values())
    world.step()
    assert world.published[master].drain


def test_a_lone_node_is_drained_on_request():
    world = fleet(1, VIP)
    world.rest()
    world.tell("n1", drain=True)
    world.step()
    assert world.published["n1"].drain


def test_rebalance_asks_the_master_once_the_best_member_is_ready():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.rest()
    best, second = (member.node for member in world.register["p-0"].members[:2])
    for name, state in ((best, "BACKUP"), (second, "MASTER")):
        states = world.reports[name].instances
        world.tell(name, instances={"p-0": states["p-0"]._replace(state=state)})
    world.register["p-0"] = replace(world.register["p-0"], rebalance="t1")
    world.tell(best, revision="older")
    world.step()
    assert told(world, second, "p-0").yield_token == ""
    settle(world, best)
    world.tell(best, instances={"p-0": world.reports[best].instances["p-0"]._replace(state="BACKUP")})
    world.step()
    assert {name: told(world, name, "p-0").yield_token for name in (best, second)} == {best: "", second: "t1"}


def test_a_vanished_interface_takes_the_instance_out_of_that_file_only():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1))
    world.rest()
    before = dict(world.published)
    world.tell("n2", interfaces=(link("eth9", "10.0.0.7/16"),))
    world.step()
    assert world.published["n2"].instances == ()
    assert (world.published["n1"], world.published["n3"]) == (before["n1"], before["n3"])


def test_can_reach_is_resolved_for_each_node_and_asked_of_all():
    world = Fleet(pools={"p": pool("p", "10.0.9.0/24", interface="can_reach:10.0.0.254")})
    for number, name in enumerate(("eth0", "ens3"), 1):
        world.join(f"n{number}", link(name, f"10.0.0.{number}/16"))
    world.step()
    assert all(plan.reach == ("10.0.0.254",) and not plan.instances for plan in world.published.values())
    for number, name in enumerate(("eth0", "ens3"), 1):
        world.tell(f"n{number}", reach={"10.0.0.254": name})
    world.rest()
    assert [told(world, name, "p-0").interface for name in ("n1", "n2")] == ["eth0", "ens3"]
    assert [plan.pools[0][2] for plan in world.published.values()] == ["eth0", "ens3"]


def test_unicast_peers_are_the_other_members():
    world = fleet(3, VIP, vrrp=VrrpPolicy(instances=1, unicast=True))
    world.rest()
    plan = told(world, "n2", "p-0")
    assert str(plan.unicast_source) == "10.0.0.3"
    assert [str(peer) for peer in plan.unicast_peers] == ["10.0.0.2", "10.0.0.4"]


def rehomed() -> tuple[Fleet, str]:
    """Three nodes with two interfaces, and a pool that is told to go from the first to the second. Its master."""
    world = Fleet(pools={"p": pool("p", "10.0.9.0/24", vrrp=VrrpPolicy(instances=1))})
    for number in (1, 2, 3):
        world.join(f"n{number}", link("eth0", f"10.0.0.{number}/16"), link("eth1", f"10.0.1.{number}/16"))
    world.want(VIP)
    world.rest()
    world.pools["p"] = replace(world.pools["p"], interface="eth1")
    return world, world.master("p-0")


def wires(world: Fleet) -> dict[str, str]:
    """Node -> the interface it may run the instance on, as told and as live: both, if they differ."""
    found = {}
    for name in world.nodes:
        plans = [plan for plan in (world.live.get(name), world.published.get(name)) if plan is not None]
        interfaces = {one.interface for plan in plans for one in plan.instances if one.name == "p-0"}
        if interfaces:
            found[name] = "+".join(sorted(interfaces))
    return found


def test_an_instance_goes_to_another_interface_with_its_master_alone_while_nobody_else_runs_it():
    world, master = rehomed()
    backups = [name for name in world.nodes if name != master]
    world.step()
    assert {name for name in world.published if told(world, name, "p-0")} == {master}
    assert told(world, master, "p-0").interface == "eth0"
    assert told(world, master, "p-0").vips == (ip_address(VIP),)
    settle(world, backups[0])
    world.step()
    assert wires(world) == {master: "eth0", backups[1]: "eth0"}
    settle(world, backups[1])
    world.step()
    assert wires(world) == {master: "eth0+eth1"}
    world.want("10.0.9.2")
    world.step()
    assert wires(world) == {master: "eth0+eth1"}
    settle(world, master)
    world.step()
    assert wires(world) == dict.fromkeys(world.nodes, "eth1")
    assert world.rest().recheck is None
    assert world.master("p-0") == master


def test_a_master_without_the_new_interface_lets_go_before_another_takes_it():
    world, master = rehomed()
    world.tell(master, interfaces=world.reports[master].interfaces[:1])
    backups = [name for name in world.nodes if name != master]
    for _ in range(8):
        world.step()
        assert len(set(wires(world).values())) <= 1
        for name in (master, *backups):
            settle(world, name)
            world.step()
            assert len(set(wires(world).values())) <= 1
    assert wires(world) == dict.fromkeys(backups, "eth1")
