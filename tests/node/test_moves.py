"""Drain, yield and endpoint health: track files, two nodes, a fake kube-proxy on loopback."""

from __future__ import annotations

from pathlib import Path

from tests.node.rig import Node, instance, until

KUBE_PROXY = """
import http.server, json, pathlib, sys
count = pathlib.Path(sys.argv[2])
class Healthz(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        local = int(count.read_text())
        body = json.dumps({"service": {"namespace": "a", "name": "b"}, "localEndpoints": local}).encode()
        self.send_response(200 if local else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Healthz).serve_forever()
"""

NOW = {"yield_token": "now"}
BACK = {"yield_token": "back"}


def reasons(node: Node, to: str) -> list[str]:
    return [one["reason"] for one in node.audit("vrrp.transition") if one["to"] == to]


def test_a_drain_hands_over_is_confirmed_and_stays_until_it_is_undone(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.plan(instance(), drain=True)
    until(lambda: second.instance_state() == "MASTER")
    until(lambda: first.status().get("drained"))
    assert first.instance_state() == "BACKUP"
    assert (first.run / "track" / "drain").read_text() == "-253\n"
    until(lambda: reasons(first, "FAULT") == ["drained"])
    until(lambda: reasons(second, "MASTER") == ["priority-zero-received"])
    assert first.metric("reloads_total") == 0
    first.plan(instance())
    until(lambda: not first.status().get("drained"))
    until(lambda: (first.run / "track" / "drain").read_text() == "0\n")
    assert [one["event"] for one in first.audit() if one["event"].startswith("drain.")] == [
        "drain.started",
        "drain.done",
        "drain.undone",
    ]
    assert second.instance_state() == "MASTER"


def test_a_drained_node_serves_again_when_every_other_member_is_gone(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.plan(instance(), drain=True)
    until(lambda: first.status().get("drained"))
    assert second.keeper is not None
    second.keeper.terminate()
    until(lambda: first.instance_state() == "MASTER" and first.has("10.77.0.200"))
    until(lambda: not first.status().get("drained"))


def test_a_drain_outlives_the_agent(pair: tuple[Node, Node]) -> None:
    first, _ = pair
    first.settled(first.plan(instance(), drain=True))
    until(lambda: first.status().get("drained"))
    first.stop_agent()
    first.start_agent()
    until(lambda: first.status().get("drained"))
    until(lambda: reasons(first, "FAULT"))
    assert reasons(first, "FAULT") == ["drained"]


def test_a_yield_token_hands_one_instance_over_once(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.settled(first.plan(instance(**NOW)))
    until(lambda: second.instance_state() == "MASTER" and first.instance_state() == "BACKUP")
    until(lambda: reasons(first, "FAULT") == ["yielded"])
    assert (first.run / "track" / "p-0").read_text() == "0\n"
    second.settled(second.plan(instance(priority=252, **BACK)))
    until(lambda: first.instance_state() == "MASTER" and second.instance_state() == "BACKUP")
    # The token that was obeyed is still in the plan, also for the next agent: it does not count again.
    first.stop_agent()
    first.start_agent()
    first.settled(first.plan(instance(**NOW, vips=["10.77.0.200", "10.77.0.201"])))
    assert first.instance_state() == "MASTER"
    until(lambda: reasons(first, "FAULT") == ["yielded"])


def test_a_node_without_endpoints_gives_the_vip_up_and_may_hold_it_again(
    pair: tuple[Node, Node], tmp_path: Path
) -> None:
    first, second = pair
    counts = {node: tmp_path / f"{node.name}.count" for node in pair}
    for node, priority in ((first, 254), (second, 252)):
        counts[node].write_text("1")
        node.python(KUBE_PROXY, "32123", str(counts[node]))
        node.settled(node.plan(instance(priority=priority, health_check_node_ports=(32123,))))
    assert first.instance_state() == "MASTER"
    counts[first].write_text("0")
    until(lambda: second.instance_state() == "MASTER" and first.instance_state() == "FAULT", 4)
    until(lambda: reasons(first, "FAULT") == ["no-local-endpoints"])
    counts[first].write_text("2")
    until(lambda: first.instance_state() == "BACKUP")
    assert second.instance_state() == "MASTER"


def test_a_kube_proxy_that_does_not_answer_is_no_reason_to_move(node: Node) -> None:
    node.settled(node.plan(instance(health_check_node_ports=(32124,))))
    node.settled(node.plan(instance(health_check_node_ports=(32124,), vips=["10.77.0.200", "10.77.0.201"])))
    assert node.instance_state() == "MASTER"
    assert reasons(node, "FAULT") == []
