"""Whatever stands in an object, reading it raises nothing: what its author must fix becomes a value that says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from vipmgr.core import bgp_objects, decode, wire
from vipmgr.core.desire import desire
from vipmgr.core.render import Renderer
from vipmgr.core.snapshot import Objects, SnapshotReader
from vipmgr.templates import template_text

OPTING = decode.Opting(default_class=True)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
TEXTS = """
    10.0.0.1 10.0.0.0/30 10.0.0.9-10.0.0.1 10.0.0.1-::2 ::ffff:10.0.0.1 fe80::1%eth0 2001:db8::/64 0.0.0.0/0 ::/0
    10.0.0.1/255.255.255.0 can_reach:10.0.0.1 can_reach: vip layer2 bgp IPv4 IPv6 LoadBalancer Local In NotIn Exists
    Ready True MASTER UP openelb vipmgr.io/vip default/a default/a;default/b / ; , - : 0 -1 1-255 255-1 1-2-3 ٣ ²
    100ms 1e3s 0.0000001s SAFI_UNICAST AFI_IP RequireDualStack PreferDualStack None 2026-11-22T23:59:59Z
    0001-01-01T00:00:00+23:59 9999-12-31T23:59:59-23:59 9999-12-31T23:59:59Z 2026-11-22T23:59:59
"""
OURS = """
    lb.kubesphere.io/v1alpha1 eip.openelb.kubesphere.io/v1alpha1 eip.openelb.kubesphere.io/v1alpha2
    protocol.openelb.kubesphere.io/v1alpha1 vipmgr.io/loadbalancer-ips vipmgr.io/allow-shared-ip vipmgr.io/drain
    vipmgr.io/rebalance eip.openelb.kubesphere.io/is-default-eip kubernetes.io/service-name
"""
RUBBISH = ["", " ", "9" * 400 + "h", "9" * 5000, "65000:" + "9" * 5000, "\x00", "a\nb", "10.0.0.1\n"]
NAMES = st.sampled_from(["a", "b", "eth0", "pool"])
WORDS = st.one_of(NAMES, st.sampled_from(TEXTS.split()), st.sampled_from(RUBBISH), st.text(max_size=12))
KEYS = st.one_of(WORDS, st.sampled_from(OURS.split()))
NUMBERS = st.one_of(st.sampled_from([255, 256, 65536, 2**32, 2**63 - 1, -(2**63)]), st.integers(-9, 99))
SCALARS = {
    inspect.StrType: WORDS,
    inspect.AnyType: WORDS,
    inspect.IntType: NUMBERS,
    inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
}


def shaped(found: inspect.Type) -> st.SearchStrategy[Any]:
    """JSON of that type: the API server has checked the types of fields, and nothing else."""
    match found:
        case inspect.StructType(fields=fields):
            needed = {field.encode_name: shaped(field.type) for field in fields if field.required}
            others = {field.encode_name: shaped(field.type) for field in fields if not field.required}
            return st.fixed_dictionaries(needed, optional=others)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return st.lists(shaped(item), max_size=3)
        case inspect.DictType(value_type=value):
            return st.dictionaries(KEYS, shaped(value), max_size=3)
        case inspect.UnionType(types=types):
            return st.one_of([shaped(one) for one in types])
    return SCALARS[type(found)]


def any_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    named = st.fixed_dictionaries({"name": NAMES, "namespace": st.just("default"), "uid": NAMES}, optional={
        "creationTimestamp": WORDS, "deletionTimestamp": WORDS, "generation": NUMBERS,
        "labels": st.dictionaries(KEYS, WORDS, max_size=3), "annotations": st.dictionaries(KEYS, WORDS, max_size=4),
    })  # fmt: skip
    body = shaped(inspect.type_info(kind))
    return st.builds(lambda body, metadata: msgspec.convert(body | {"metadata": metadata}, kind), body, named)


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (wire.Service, lambda one: decode.decode_claim(one, OPTING)),
        (wire.Service, decode.shown_addresses),
        (wire.Eip, decode.decode_pool),
        (wire.Node, decode.decode_node),
        (wire.EndpointSlice, decode.decode_endpoints),
        (wire.VrrpInstance, decode.decode_instance),
        (wire.VipNode, decode.decode_report),
        (bgp_objects.BgpConf, decode.decode_conf),
        (bgp_objects.BgpPeer, decode.decode_peer),
    ],
)
def test_no_decoder_raises_whatever_the_fields_say(kind: type[Any], read: Callable[[Any], object]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(any_of(kind))
    def reads(found: Any) -> None:
        assert hash(str(read(found))) is not None

    reads()


def by_name(kind: type[Any], *, namespaced: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    def keyed(found: list[Any]) -> dict[str, Any]:
        return {f"default/{one.metadata.name}" if namespaced else one.metadata.name: one for one in found}

    return st.lists(any_of(kind), max_size=3).map(keyed)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Objects,
        services=by_name(wire.Service, namespaced=True),
        eips=by_name(wire.Eip),
        nodes=by_name(wire.Node),
        instances=by_name(wire.VrrpInstance),
        vip_nodes=by_name(wire.VipNode),
        bgp_confs=by_name(bgp_objects.BgpConf),
        bgp_peers=by_name(bgp_objects.BgpPeer),
    )
)
def test_no_object_stops_the_decision(objects: Objects) -> None:
    snapshot = SnapshotReader(OPTING, "cluster").read(objects)
    found = desire(snapshot, Renderer(template_text("keepalived.conf.j2")).spec, NOW)
    assert set(found.specs) == set(objects.vip_nodes)
