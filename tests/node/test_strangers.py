"""VRRP of others on the wire, heard through the kernel's filter."""

from __future__ import annotations

import json

from tests.node.rig import Node, Segment, instance, until

SPEAKER = """
import socket, struct, sys, time
vrid, priority, count = map(int, sys.argv[1:4])
first, every = sys.argv[4], float(sys.argv[5])
if ":" in first:
    out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 112)
    out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
    to, raw = ("ff02::12", 0, 0, socket.if_nametoindex("eth0")), socket.inet_pton(socket.AF_INET6, first)
else:
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[6]))
    to, raw = ("224.0.0.18", 0), socket.inet_aton(first)
for _ in range(count):
    out.sendto(struct.pack("!BBBBHH", 0x31, vrid, priority, 1, 100, 0) + raw, to)
    time.sleep(every)
"""
COUNTER = """
import socket, sys
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
seen = 0
while seen < int(sys.argv[1]):
    seen += tap.recv(2048)[9] == 112
"""


def test_a_stranger_is_heard_reported_once_and_then_costs_nothing(wire: Segment, node: Node) -> None:
    other = wire.node()
    other.python(SPEAKER, "77", "100", "200", "192.0.2.9", "0.01", other.address).wait(10)
    heard = until(lambda: node.status()["strangers"])
    assert [(one["interface"], one["family"], one["virtualRouterID"], one["source"]) for one in heard] == [
        ("eth0", "IPv4", 77, other.address)
    ]
    assert len(node.audit("stranger.heard")) == 1
    assert node.metric("wire_packets") <= 5


def test_a_stranger_that_speaks_ipv6_is_heard(wire: Segment, node: Node) -> None:
    other = wire.node()
    until(lambda: "tentative" not in other.ip("addr"))
    other.python(SPEAKER, "78", "100", "5", "fe80::9", "0.1").wait(10)
    heard = until(lambda: node.status()["strangers"])
    assert [(one["family"], one["virtualRouterID"]) for one in heard] == [("IPv6", 78)]
    assert heard[0]["source"].startswith("fe80::")


def test_a_peer_s_adverts_do_not_leave_the_kernel(pair: tuple[Node, Node]) -> None:
    _, second = pair
    second.settled(second.plan(instance(priority=252, vips=["10.77.0.200", "10.77.0.201"])))
    before = second.metric("wire_packets")
    assert second.python(COUNTER, "15").wait(10) == 0  # they do arrive
    second.settled(second.plan(instance(priority=252, vips=["10.77.0.200", "10.77.0.202"])))
    assert "strangers" not in second.status()
    assert second.metric("wire_packets") == before


def test_somebody_else_with_our_virtual_router_id_is_a_stranger(wire: Segment, node: Node) -> None:
    other = wire.node()
    other.python(SPEAKER, "51", "255", "5", "192.0.2.51", "0.1", other.address).wait(10)
    heard = until(lambda: node.status()["strangers"])
    assert heard[0]["virtualRouterID"] == 51
    assert node.instance_state() == "MASTER"


def test_an_instance_of_ours_that_runs_on_other_nodes_alone_is_no_stranger(wire: Segment, node: Node) -> None:
    elsewhere = {"eip": "p", "interface": "eth0", "family": "IPv4", "virtualRouterID": 77, "anchor": "192.0.2.9"}
    listed = [{"metadata": {"name": "p-7"}, "spec": elsewhere}]
    (node.folder / "instances.json").write_text(json.dumps(listed))
    other = wire.node()
    other.python(SPEAKER, "77", "100", "100", "192.0.2.9", "0.01", other.address)
    other.python(SPEAKER, "78", "100", "100", "192.0.2.9", "0.01", other.address)
    heard = until(lambda: node.status().get("strangers"))
    assert [one["virtualRouterID"] for one in heard] == [78]
    assert [one["vrid"] for one in node.audit("stranger.heard")] == [78]
