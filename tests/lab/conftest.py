"""Labs for the tests: real namespaces, real keepalived, real packets. Every test here needs root."""

from __future__ import annotations

import json
import signal

import pytest

from tests.documented import undocumented
from vipmgr.core.audit_line import read_line
from vipmgr.lab.client import Lab
from vipmgr.lab.demo import MANIFESTS, SERVICE

KEEPALIVED = """\
global_defs {{
    router_id {name}
    vrrp_version 3
    vrrp_higher_prio_send_advert true
}}
vrrp_instance V1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 0.1
    nopreempt
    virtual_ipaddress {{
        169.254.77.51/32 dev lo
    }}
    virtual_ipaddress_excluded {{
        196.168.220.10/32 dev eth0
        fd00:220::10/128 dev eth0 preferred_lft forever
    }}
}}
"""


@pytest.fixture(autouse=True, scope="session")
def _interruptible():
    """What a shell runs in the background ignores SIGINT, and so do its children: some tests here send it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def bare():
    """Three nodes with nothing but a hand-written keepalived: what the lab itself can be trusted with."""
    with Lab(nodes=3, bare=True) as lab:
        for index, name in enumerate(lab.nodes()):
            config = lab.state / "nodes" / name / "lib" / "hand.conf"
            config.write_text(KEEPALIVED.format(name=name, priority=254 - 2 * index))
            files = ["-f", "/var/lib/vipmgr/hand.conf", "-p", "/run/vipmgr/k.pid", "-r", "/run/vipmgr/v.pid"]
            argv = ["keepalived", "-n", "-P", "-l", "-G", *files]
            lab.ask("run", node=name, name="keepalived", argv=argv)
        yield lab


@pytest.fixture(scope="module")
def lab():
    """Three nodes and the demo's pool and Service; a module whose tests need something else has a `lab` of its own."""
    with Lab(nodes=3) as lab:
        lab.apply(MANIFESTS)
        yield lab


@pytest.fixture(scope="module")
def vip(lab) -> str:
    """The Service's address."""
    return lab.wait_for_vip(SERVICE)


@pytest.fixture(autouse=True)
def _audit_lines_are_as_documented(request):
    """Whatever a test makes the agents do, what they write is in docs/audit-lines.md."""
    yield
    lab = request.node.funcargs.get("lab")
    if isinstance(lab, Lab) and lab.state.exists():
        lines = [text for text in lab.audit_text() if read_line(text.encode()) is not None]
        assert undocumented(map(json.loads, lines)) == set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the lab's programs said, beside the failure of a test that uses it."""
    report = yield
    lab = item.funcargs.get("lab") or item.funcargs.get("bare")
    if report.failed and isinstance(lab, Lab) and lab.state.exists():
        for path in sorted(lab.state.glob("**/logs/*.log")):
            said = path.read_text()[-4000:]
            report.sections.append((str(path.relative_to(lab.state)), said))
    return report
