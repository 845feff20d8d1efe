"""The address plan of a lab."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from vipmgr.lab.topology import configure, lay_bridges, plan, plug_in


def test_the_first_manifests_pool_lies_in_the_first_segment_and_hits_no_host():
    wires = plan(nodes=40)
    pool = [ip_address("196.168.220.10") + offset for offset in range(21)]
    segment = wires.segments[0]
    assert all(address in segment.v4 for address in pool)
    assert not {host.v4(segment) for host in wires.hosts} & set(pool)


def test_labs_that_share_a_segment_share_no_address_and_no_name():
    seen: set[str] = set()
    for cluster in range(5):
        wires = plan(nodes=40, cluster=cluster)
        own = {str(host.v4(wires.segments[0])) for host in wires.hosts} | {
            str(host.v6(wires.segments[0])) for host in wires.hosts
        }
        assert len(own) == 2 * 42
        assert not own & seen
        seen |= own
    assert plan(1, cluster=0).nodes[0].name == "n1"
    assert plan(1, cluster=2).nodes[0].name == "b1"


def test_every_host_is_inside_its_segments():
    wires = plan(nodes=3, segments=4)
    for host in wires.hosts:
        for segment in wires.segments:
            assert host.v4(segment) in segment.v4
            assert host.v6(segment) in segment.v6
    networks = [one.v4 for one in wires.segments]
    assert not any(a.overlaps(b) for a in networks for b in networks if a != b)


def test_a_joining_node_takes_the_next_number_and_one_that_left_gives_none_back():
    wires, joined = plan(nodes=3).grown()
    assert joined.name == "n4"
    assert wires.node("n4") == joined
    assert [node.name for node in wires.without(wires.node("n2")).grown()[0].nodes] == ["n1", "n3", "n4", "n5"]
    assert plan(nodes=2, cluster=1).grown()[1].name == "a3"


@pytest.mark.parametrize(("nodes", "segments", "cluster"), [(0, 1, 0), (201, 1, 0), (3, 0, 0), (3, 5, 0), (41, 1, 1)])
def test_what_does_not_fit_the_plan_is_refused(nodes, segments, cluster):
    with pytest.raises(ValueError, match="a lab has"):
        plan(nodes, segments, cluster)


def test_interface_names_fit_the_kernel():
    wires = plan(nodes=200, segments=4)
    words = [line.split() for host in wires.hosts for line in plug_in(host, wires)] + [
        line.split() for line in lay_bridges(wires)
    ]
    names = [line[2] for line in words if line[:2] == ["link", "add"]]
    assert names
    assert all(len(name) < 16 for name in names)


def test_a_host_is_configured_with_its_own_addresses():
    wires = plan(nodes=2)
    (line,) = [one for one in configure(wires.node("n2"), wires) if "196." in one]
    assert line == "addr add 196.168.223.2/22 dev eth0"
    assert ip_network("196.168.220.0/22") == wires.segments[0].v4
