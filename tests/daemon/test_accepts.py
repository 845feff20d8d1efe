"""The real keepalived accepts every golden configuration, in a network namespace that has the interfaces."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.core.cluster import pool
from tests.core.fleet import fleet
from tests.core.golden_cases import CASES, FOLDER, TEMPLATE, addresses
from vipmgr.core.model import VrrpPolicy
from vipmgr.core.render import node_spec

GOLDENS = sorted(FOLDER.glob("*/*.conf"))
FLEET_LINKS = [("eth0", ["10.0.0.2/16"])]


def check(conf: Path, links: list[tuple[str, list[str]]]) -> subprocess.CompletedProcess[str]:
    """keepalived -t in anonymous mount and network namespaces, which end with it."""
    lines = ["set -e", "mount -t tmpfs vipmgr /run", "mkdir -p /run/vipmgr/track", "mkfifo /run/vipmgr/notify.fifo"]
    for name, nets in links:
        lines.append(
            f"ip link add {name} type veth peer name far-{name}; ip link set {name} up; ip link set far-{name} up"
        )
        lines += [f"ip addr add {net} dev {name}{' nodad' if ':' in net else ''}" for net in nets]
    lines.append("set +e; keepalived -t -f $0; status=$?; ls /run/vipmgr/track; exit $status")
    return subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", "\n".join(lines), str(conf)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("conf", GOLDENS, ids=lambda conf: f"{conf.parent.name}/{conf.stem}")
def test_keepalived_accepts(conf: Path) -> None:
    done = check(conf, addresses(conf.parent.name)[conf.stem])
    assert (done.returncode, done.stderr) == (0, "")


def test_every_case_has_goldens() -> None:
    assert {conf.parent.name for conf in GOLDENS} == set(CASES)


def test_keepalived_accepts_64_instances_with_3000_addresses(tmp_path: Path) -> None:
    world = fleet(1, pools=[pool("p", "10.0.9.0-10.0.255.255", vrrp=VrrpPolicy(instances=64))])
    world.want(*(f"10.0.{9 + number // 250}.{number % 250}" for number in range(3000)))
    world.rest()
    plan = world.published["n1"]
    assert (len(plan.instances), sum(len(one.vips) for one in plan.instances)) == (64, 3000)
    conf = tmp_path / "keepalived.conf"
    conf.write_text(node_spec(plan, TEMPLATE).keepalived)
    done = check(conf, FLEET_LINKS)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_is_real(tmp_path: Path) -> None:
    """The instance's own interface in track_interface is one of the things we avoid: keepalived -t exits 5."""
    text = (FOLDER / "every-option" / "n1.conf").read_text()
    conf = tmp_path / "keepalived.conf"
    conf.write_text(text.replace("        eth1\n", "        eth0\n"))
    assert check(conf, addresses("every-option")["n1"]).returncode == 5
