"""What placement relies on, shown with the real keepalived and the configurations we render."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.golden_cases import addresses, rendered
from tests.daemon.wire import Node, until, wire

pytestmark = pytest.mark.lab


def masters(nodes: dict[str, Node], instance: str) -> list[str]:
    return [name for name, node in nodes.items() if node.state(instance) == "MASTER"]


def settle(nodes: dict[str, Node], instance: str = "p-0") -> str:
    """The one MASTER, once the others are BACKUP."""

    def settled() -> bool:
        states = sorted(node.state(instance) for node in nodes.values())
        return states == ["BACKUP"] * (len(nodes) - 1) + ["MASTER"]

    until(settled, f"one MASTER of {instance}")
    return masters(nodes, instance)[0]


def start(nodes: dict[str, Node], case: str) -> None:
    texts = rendered(case)
    for name, node in nodes.items():
        node.start(texts[name])


def drain(node: Node, file: str = "drain") -> None:
    """As docs/architecture.md: FAULT hands over at once, then priority 1 stays as the last resort."""
    node.track(file, -254)
    until(lambda: node.state("p-0") == "FAULT", "FAULT")
    node.track(file, -253)
    until(lambda: node.state("p-0") == "BACKUP", "BACKUP after FAULT")


@pytest.mark.parametrize(("case", "vips"), [("one-vip", ["10.0.9.5"]), ("ipv6-only", ["2001:db8::11", "2001:db8::12"])])
def test_a_drained_node_hands_over_stays_away_and_is_the_last_resort(
    case: str, vips: list[str], tmp_path: Path
) -> None:
    with wire(addresses(case), tmp_path) as nodes:
        start(nodes, case)
        first = settle(nodes)
        until(lambda: all(nodes[first].holds(vip) for vip in vips), "the VIPs on the MASTER")
        drain(nodes[first])
        second = settle(nodes)
        assert second != first
        until(lambda: not any(nodes[first].holds(vip) for vip in vips), "no VIP on the drained node")
        nodes[first].track("drain", 0)
        until(lambda: nodes[first].priority("p-0") > 200, "its priority back")
        assert settle(nodes) == second
        drain(nodes[first])
        for other in nodes.keys() - {first, second}:
            nodes[other].stop()
        nodes[second].stop()
        until(lambda: nodes[first].state("p-0") == "MASTER", "the drained node serves when nobody else is left")


def test_an_instance_yields_to_the_best_and_its_file_may_be_reset_at_once(tmp_path: Path) -> None:
    with wire(addresses("one-vip"), tmp_path) as nodes:
        start(nodes, "one-vip")
        master = settle(nodes)
        drain(nodes[master], "p-0")
        nodes[master].track("p-0", 0)
        assert settle(nodes) != master


def test_a_configuration_without_instances_runs_and_takes_instances_by_a_reload(tmp_path: Path) -> None:
    with wire(addresses("one-vip"), tmp_path) as nodes:
        for node in nodes.values():
            node.start(rendered("nothing")["n1"])
            until(lambda node=node: "no configuration to run" in node.log(), "keepalived says it has nothing to do")
        for name, text in rendered("one-vip").items():
            nodes[name].reload(text)
        settle(nodes)
        assert all("Startup complete" in node.log() and "Reload complete" not in node.log() for node in nodes.values())
        for node in nodes.values():
            node.reload(rendered("nothing")["n1"])
            until(lambda node=node: node.state("p-0") == "DELETED", "DELETED")
        for name, text in rendered("one-vip").items():
            nodes[name].reload(text)
        settle(nodes)


def test_a_dual_stack_instance_brings_both_families_up_and_down_together(tmp_path: Path) -> None:
    with wire(addresses("dual-stack"), tmp_path) as nodes:
        start(nodes, "dual-stack")
        vips = ["10.0.9.3", "10.0.9.4", "2001:db8::11"]
        master = nodes[settle(nodes)]
        until(lambda: all(master.holds(vip) for vip in vips), "both families up")
        drain(master)
        until(lambda: not any(master.holds(vip) for vip in vips), "both families down")
        other = nodes[settle(nodes)]
        until(lambda: all(other.holds(vip) for vip in vips), "both families up elsewhere")
        assert not any(master.holds(vip) for vip in vips)


def test_a_full_fifo_that_nobody_reads_holds_no_failover_up(tmp_path: Path) -> None:
    with wire(addresses("one-vip"), tmp_path) as nodes:
        start(nodes, "one-vip")
        master = settle(nodes)
        for node in nodes.values():
            node.clog()
        rest = [node for name, node in nodes.items() if name != master]
        nodes[master].track("drain", -254)
        until(lambda: sum(node.holds("10.0.9.5") for node in rest) == 1, "another holds the VIP", 2)
        until(lambda: not nodes[master].holds("10.0.9.5"), "the drained one does not", 2)
        nodes[master].reload(rendered("one-vip")[master])
        until(lambda: "Reload complete" in nodes[master].log(), "keepalived takes a reload", 5)
        assert sum(node.holds("10.0.9.5") for node in nodes.values()) == 1
