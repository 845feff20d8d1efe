"""BgpPeers by interface: which address a session gets, and which gets none."""

from __future__ import annotations

from msgspec import structs

from vipmgr.core.node_bgp import NodeBgpPeer
from vipmgr.node.bgp.neighbours import Neighbours

BY_ADDRESS = NodeBgpPeer(name="tor", address="192.0.2.1", asn=65001, connect_retry=1, hold_time=9, keepalive=3)
BY_INTERFACE = structs.replace(BY_ADDRESS, name="uplink", address="", interface="eth0")


def neighbours() -> Neighbours:
    return Neighbours(lambda: None, lambda _: False)


def test_an_agent_that_restarts_goes_on_with_the_session_gobgpd_has() -> None:
    found = neighbours().resolve([BY_ADDRESS, BY_INTERFACE], ["192.0.2.1", "fe80::1%eth0", "fe80::1%eth1"])
    assert [one.address for one in found] == ["192.0.2.1", "fe80::1%eth0"]
    assert found[1] == structs.replace(BY_INTERFACE, address="fe80::1%eth0")


def test_without_a_neighbour_there_is_no_address_yet() -> None:
    assert neighbours().resolve([BY_INTERFACE], []) == (BY_INTERFACE,)


def test_two_routers_of_one_address_are_refused_as_policies_cannot_tell_them_apart() -> None:
    other = structs.replace(BY_INTERFACE, name="second", interface="eth1")
    tried = neighbours()
    found = tried.resolve([BY_INTERFACE, other], ["fe80::1%eth0", "fe80::1%eth1"])
    assert [one.address for one in found] == ["fe80::1%eth0", ""]
    assert tried.problem("eth0") == ""
    assert tried.problem("eth1").startswith("spec.conf.neighborInterface: fe80::1 is the router on eth0 too")
