"""What a node announces in BGP is told address by address: once, with the peers it is for and the reason it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from tests.documented import undocumented
from vipmgr.core.bgp_routes import Route, routes_of
from vipmgr.core.node_bgp import NodeBgp, NodeBgpPeer, NodeBgpRoutes
from vipmgr.node.bgp.announced import Announced
from vipmgr.node.journal import Journal

PEERS = tuple(
    NodeBgpPeer(name=name, address=address, asn=65001, connect_retry=1, hold_time=9, keepalive=3)
    for name, address in (("tor", "192.0.2.1"), ("spine", "192.0.2.2"))
)


def plan(*groups: NodeBgpRoutes) -> NodeBgp:
    return NodeBgp(asn=65000, router_id="192.0.2.9", listen_port=179, peers=PEERS, routes=groups)


class Teller:
    def __init__(self, folder: Path) -> None:
        self.stream = io.StringIO()
        self.announced = Announced(Journal(folder / "audit.jsonl", "n1", limit=10**6, keep=1, stream=self.stream))

    def tell(
        self, bgp: NodeBgp, *, drain: bool = False, healthy: bool = True, held: dict[str, Route] | None = None
    ) -> list[dict[str, Any]]:
        """The lines this brings. `held`: what gobgpd has, if not all that is wanted."""
        self.stream.truncate(0)
        self.stream.seek(0)
        wanted = routes_of(bgp, drain=drain, healthy=lambda _: healthy)
        self.announced.tell(wanted if held is None else held, wanted, bgp, drain=drain)
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        assert undocumented(lines) == set()
        return [{key: line[key] for key in ("event", "peers", "vips", "reason") if key in line} for line in lines]


def test_each_address_is_told_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    teller = Teller(tmp_path)
    both = NodeBgpRoutes(eip="a", prefixes=("198.51.100.7/32", "2001:db8::/64"))
    one = NodeBgpRoutes(eip="a", prefixes=("198.51.100.7/32",))
    assert teller.tell(plan(both)) == [{"event": "bgp.announced", "vips": ["198.51.100.7", "2001:db8::/64"]}]
    assert teller.tell(plan(both)) == []
    assert teller.tell(plan(one)) == [
        {"event": "bgp.withdrawn", "vips": ["2001:db8::/64"], "reason": "instance-deleted"}
    ]
    assert teller.tell(plan(one), drain=True) == [
        {"event": "bgp.withdrawn", "vips": ["198.51.100.7"], "reason": "drained"}
    ]


def test_an_address_without_endpoints_here_is_told_as_that(tmp_path: Path) -> None:
    teller = Teller(tmp_path)
    local = NodeBgpRoutes(eip="a", prefixes=("198.51.100.7/32",), health_check_node_ports=(30123,))
    teller.tell(plan(local))
    [line] = teller.tell(plan(local), healthy=False)
    assert (line["event"], line["reason"]) == ("bgp.withdrawn", "no-local-endpoints")


def test_what_went_with_gobgpd_is_not_withdrawn_and_not_announced_again(tmp_path: Path) -> None:
    teller = Teller(tmp_path)
    local = NodeBgpRoutes(eip="a", prefixes=("198.51.100.7/32", "198.51.100.8/32"), health_check_node_ports=(30123,))
    teller.tell(plan(local))
    assert teller.tell(plan(local), held={}) == []
    assert teller.tell(plan(local)) == []
    assert teller.tell(plan(local), held={}) == []
    [line] = teller.tell(plan(local), healthy=False)
    assert (line["vips"], line["reason"]) == (["198.51.100.7", "198.51.100.8"], "no-local-endpoints")


def test_an_address_for_some_peers_names_them(tmp_path: Path) -> None:
    teller = Teller(tmp_path)
    [line] = teller.tell(plan(NodeBgpRoutes(eip="a", prefixes=("198.51.100.7/32",), peers=("tor",))))
    assert line["peers"] == ["tor"]
    [line] = teller.tell(plan(NodeBgpRoutes(eip="a", prefixes=("198.51.100.7/32",), peers=("tor", "spine"))))
    assert (line["event"], line["peers"]) == ("bgp.announced", ["spine", "tor"])


def test_a_line_is_never_too_long_for_a_container_runtime(tmp_path: Path) -> None:
    teller = Teller(tmp_path)
    many = NodeBgpRoutes(eip="a", prefixes=tuple(f"2001:db8:ffff:ffff:ffff:ffff:ffff:{n:x}/128" for n in range(5000)))
    lines = teller.tell(plan(many))
    assert sum(len(line["vips"]) for line in lines) == 5000
    assert max(map(len, teller.stream.getvalue().splitlines())) < 16 * 1024
