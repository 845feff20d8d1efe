"""The text nodes get, and the revision it goes by."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import msgspec
import pytest

from tests.core.fleet import fleet
from tests.core.golden_cases import CASES, FOLDER, TEMPLATE, rendered
from vipmgr.core import wire
from vipmgr.core.node_bgp import NodeBgp
from vipmgr.core.node_layer2 import NodeLayer2
from vipmgr.core.render import Renderer, node_spec


@pytest.mark.parametrize("case", CASES)
def test_text_is_the_golden_one(case):
    kept = {path.stem: path.read_text() for path in (FOLDER / case).glob("*.conf")}
    assert rendered(case) == kept


def plan():
    world = fleet(2, "10.0.9.1", "10.0.9.2")
    world.rest()
    return world.published["n1"]


def test_revision_changes_with_what_the_node_must_do():
    one = plan()
    others = [
        replace(one, drain=True),
        replace(one, bgp=NodeBgp(asn=1, router_id="10.0.0.1", listen_port=-1)),
        replace(one, reach=("10.0.0.1",)),
        replace(one, pools=()),
        replace(one, instances=one.instances[:1]),
        replace(one, instances=(replace(one.instances[0], garp_refresh_s=5), *one.instances[1:])),
        replace(one, instances=(replace(one.instances[0], health_check_node_ports=(1,)), *one.instances[1:])),
    ]
    revisions = [node_spec(each, TEMPLATE).revision for each in (one, *others)]
    revisions += [node_spec(replace(one, layer2=NodeLayer2()), TEMPLATE).revision]
    assert len(set(revisions)) == len(revisions)


def test_notes_of_the_controller_change_no_revision():
    one = plan()
    noted = replace(one, unsettled=(("p-0", (ip_address("10.0.9.9"),)),))
    spec = node_spec(noted, TEMPLATE, published_at="2026-01-01T00:00:00Z")
    assert spec.revision == node_spec(one, TEMPLATE).revision
    assert (spec.unsettled, spec.published_at) == ({"p-0": ["10.0.9.9"]}, "2026-01-01T00:00:00Z")


def test_a_spec_survives_the_wire():
    spec = node_spec(plan(), TEMPLATE)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=wire.VipNodeSpec) == spec


def test_an_unchanged_plan_is_not_rendered_again():
    renderer = Renderer(TEMPLATE)
    first = renderer.spec(plan())
    assert renderer.spec(plan()) is first
    changed = renderer.spec(replace(plan(), drain=True))
    assert changed.revision != first.revision
    renderer.forget("n1")
    assert renderer.spec(replace(plan(), drain=True)) is not changed
