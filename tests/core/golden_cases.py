"""Cases whose keepalived.conf is kept under tests/golden/CASE/NODE.conf.

`python -m tests.core.golden_cases` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.core.cluster import pool
from tests.core.fleet import Fleet, fleet, link
from vipmgr.core.model import NodeName, Protocol, Selector, VrrpPolicy
from vipmgr.core.render import node_spec
from vipmgr.templates import template_text

FOLDER = Path(__file__).parent.parent / "golden"
TEMPLATE = template_text("keepalived.conf.j2")


def nothing() -> Fleet:
    return fleet(1, pools=[pool("p", protocol=Protocol.LAYER2)])


def one_vip() -> Fleet:
    return fleet(3, "10.0.9.5", vrrp=VrrpPolicy(instances=1))


def dual_stack() -> Fleet:
    both = pool("p", "10.0.9.0-10.0.9.255", "2001:db8::10-2001:db8::1f", vrrp=VrrpPolicy(instances=2))
    world = fleet(3, pools=[both])
    world.want("10.0.9.20", "10.0.9.3", "2001:db8::11", "2001:db8::12", "10.0.9.4")
    return world


def ipv6_only() -> Fleet:
    world = Fleet(pools={"p": pool("p", "2001:db8::10-2001:db8::1f", vrrp=VrrpPolicy(instances=1))})
    for number in (1, 2):
        world.join(f"n{number}", link("eth0", f"2001:db8::{number}/64", f"fe80::{number}/64"))
    world.want("2001:db8::11", "2001:db8::12")
    return world


def every_option() -> Fleet:
    policy = VrrpPolicy(
        advert_interval_ms=1000,
        preempt=True,
        preempt_delay_s=2.5,
        instances=1,
        unicast=True,
        garp_refresh_s=60,
        track_interfaces=("eth0", "eth1", "absent0"),
        preferred=((10, Selector(match_labels=(("edge", "yes"),))),),
    )
    world = Fleet(pools={"p": pool("p", "10.0.9.0-10.0.9.255", vrrp=policy)})
    for number in (1, 2, 3):
        links = (link("eth0", f"10.0.0.{number}/16"), link("eth1", f"192.168.7.{number}/24"))
        world.join(f"n{number}", *links, labels={"edge": "yes" if number == 2 else "no"})
    world.want("10.0.9.5")
    return world


def unicast_ipv6() -> Fleet:
    world = ipv6_only()
    policy = VrrpPolicy(instances=1, unicast=True)
    world.pools = {"p": pool("p", "2001:db8::10-2001:db8::1f", vrrp=policy)}
    return world


def local_traffic() -> Fleet:
    world = fleet(3, vrrp=VrrpPolicy(instances=1, members=2))
    world.want(
        "10.0.9.7",
        services=("shop/web",),
        local=True,
        health_check_node_ports=(31234,),
        endpoint_nodes=frozenset({"n2", "n3"}),
    )
    return world


def can_reach() -> Fleet:
    world = Fleet(pools={"p": pool("p", "10.0.9.0-10.0.9.255", interface="can_reach:10.0.0.254")})
    for number, name in enumerate(("eth0", "eth1"), 1):
        world.join(f"n{number}", link(name, f"10.0.0.{number}/16"))
        world.tell(f"n{number}", reach={"10.0.0.254": name})
    world.want("10.0.9.5", "10.0.9.6")
    return world


def two_pools_one_link() -> Fleet:
    pools = [
        pool("four", "10.0.9.0-10.0.9.9", vrrp=VrrpPolicy(instances=1)),
        pool("six", "2001:db8::10-2001:db8::1f", vrrp=VrrpPolicy(instances=1)),
    ]
    world = fleet(3, pools=pools)
    world.want("10.0.9.1", pool_name="four")
    world.want("2001:db8::11", pool_name="six")
    return world


def leaving_its_master_last() -> Fleet:
    world = one_vip()
    world.rest()
    world.pools = {}
    world.vips = {}
    world.step()
    return world


def drained() -> Fleet:
    world = one_vip()
    world.rest()
    world.tell("n1", drain=True)
    return world


CASES: dict[str, Callable[[], Fleet]] = {
    "nothing": nothing,
    "one-vip": one_vip,
    "dual-stack": dual_stack,
    "ipv6-only": ipv6_only,
    "every-option": every_option,
    "unicast-ipv6": unicast_ipv6,
    "local-traffic": local_traffic,
    "can-reach": can_reach,
    "two-pools-one-link": two_pools_one_link,
    "leaving-its-master-last": leaving_its_master_last,
    "drained": drained,
}


def rendered(case: str) -> dict[NodeName, str]:
    """Node -> keepalived.conf of a case, once it has settled."""
    world = CASES[case]()
    if case != "leaving-its-master-last":
        world.rest()
    return {name: node_spec(plan, TEMPLATE).keepalived for name, plan in sorted(world.published.items())}


def addresses(case: str) -> dict[NodeName, list[tuple[str, list[str]]]]:
    """Node -> its interfaces with their addresses, for the real thing."""
    world = CASES[case]()
    return {
        name: [(one.name, [str(address) for address in one.addresses]) for one in told.interfaces]
        for name, told in world.reports.items()
    }


def write() -> None:
    for case in CASES:
        folder = FOLDER / case
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.conf"):
            stale.unlink()
        for name, text in rendered(case).items():
            (folder / f"{name}.conf").write_text(text)


if __name__ == "__main__":
    write()
