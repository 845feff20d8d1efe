from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_interface

import msgspec
import pytest

from vipmgr.core import wire
from vipmgr.core.decode import (
    Opting,
    decode_claim,
    decode_endpoints,
    decode_instance,
    decode_node,
    decode_pool,
    decode_report,
)
from vipmgr.core.decode.values import milliseconds, moment, vrid_set
from vipmgr.core.model import Family, Member, Problem, Protocol, Reason, Requirement, Selector

OURS = {"lb.kubesphere.io/v1alpha1": "openelb"}


def eip(spec=None, **parts):
    return msgspec.convert(
        {"metadata": {"name": "eip-pool", **parts.pop("metadata", {})}, "spec": spec or {}, **parts}, wire.Eip
    )


def service(spec=None, annotations=None, status=None, **metadata):
    return msgspec.convert(
        {
            "metadata": {
                "name": "nginx",
                "namespace": "default",
                "annotations": OURS | (annotations or {}),
                **metadata,
            },
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **(spec or {})},
            "status": status or {},
        },
        wire.Service,
    )


def claim(spec=None, annotations=None, *, opting=Opting(), **more):  # noqa: B008  a frozen value
    return decode_claim(service(spec, annotations, **more), opting)


def test_the_seed_eip_is_read():
    pool = decode_pool(
        eip(
            {"address": "196.168.220.10-196.168.220.30", "protocol": "layer2", "disable": False, "interface": "eth0"},
            metadata={"uid": "u", "creationTimestamp": "2026-11-22T21:00:00Z"},
        )
    )
    assert (pool.name, pool.uid, pool.created) == ("eip-pool", "u", datetime(2026, 11, 22, 21, tzinfo=UTC))
    assert (pool.protocol, pool.interface, pool.size, pool.problems) == (Protocol.LAYER2, "eth0", 21, ())
    assert (pool.disabled, pool.deleting, pool.is_default, pool.auto_assign) == (False, False, False, True)


def test_every_addition_to_the_eip_is_read():
    pool = decode_pool(
        eip(
            {
                "address": "10.0.0.0/24",
                "addresses": ["2001:db8::/64"],
                "protocol": "vip",
                "interface": "can_reach:10.0.0.1",
                "disable": True,
                "usingKnownIPs": True,
                "priority": -3,
                "namespaces": ["a", "b"],
                "namespaceSelector": {"team": "blue"},
                "autoAssign": False,
                "avoidBuggyIPs": True,
                "serviceSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "y"]}]},
                "enforceNamespaces": True,
                "nodeSelector": {"matchLabels": {"edge": "yes"}},
                "vrrp": {
                    "advertInterval": "1s",
                    "preempt": True,
                    "preemptDelay": "1m30s",
                    "instances": 4,
                    "members": 5,
                    "virtualRouterIDs": "1-3, 60",
                    "unicast": True,
                    "garpRefresh": "0s",
                    "trackInterfaces": ["eth1"],
                    "preferredNodes": [{"weight": 7, "nodeSelector": {"matchLabels": {"fast": "yes"}}}],
                    "trafficHealth": False,
                },
                "bgp": {"communities": ["65000:1"], "largeCommunities": ["65000:1:2"], "localPref": 9, "peers": ["p"]},
                "unknown": 1,
            },
            metadata={
                "deletionTimestamp": "2026-11-22T21:00:00Z",
                "annotations": {"eip.openelb.kubesphere.io/is-default-eip": "True"},
            },
            status={"used": {"10.0.0.7": "a/x;b/y", "rubbish": "a/z", "10.0.0.8": "no key"}},
        )
    )
    assert pool.problems == ()
    assert [str(span) for span in pool.ranges] == [
        "10.0.0.0-10.0.0.255",
        "2001:db8::-2001:db8::ffff:ffff:ffff:ffff",
    ]
    assert (pool.disabled, pool.deleting, pool.is_default, pool.auto_assign) == (True, True, True, False)
    assert (pool.priority, pool.namespaces, pool.enforce_namespaces) == (-3, {"a", "b"}, True)
    assert pool.namespace_selector == Selector((("team", "blue"),))
    assert pool.service_selector == Selector((), (Requirement("app", "In", frozenset({"x", "y"})),))
    assert pool.node_selector == Selector((("edge", "yes"),))
    assert pool.used == {ip_address("10.0.0.7"): ("a/x", "b/y")}
    vrrp = pool.vrrp
    assert (vrrp.advert_interval_ms, vrrp.preempt, vrrp.preempt_delay_s, vrrp.instances) == (1000, True, 90.0, 4)
    assert (vrrp.members, vrrp.vrids, vrrp.unicast, vrrp.garp_refresh_s) == (5, {1, 2, 3, 60}, True, 0)
    assert (vrrp.track_interfaces, vrrp.traffic_health) == (("eth1",), False)
    assert vrrp.preferred == ((7, Selector((("fast", "yes"),))),)
    bgp = pool.bgp
    assert (bgp.communities, bgp.large_communities, bgp.local_pref, bgp.peers) == (
        ("65000:1",),
        ("65000:1:2",),
        9,
        ("p",),
    )


def test_an_eip_without_protocol_is_bgp_and_needs_no_interface():
    pool = decode_pool(eip({"address": "10.0.0.1", "protocol": ""}))
    assert (pool.protocol, pool.problems) == (Protocol.BGP, ())


GOOD = {"address": "10.0.0.0/30", "protocol": "vip", "interface": "eth0"}


@pytest.mark.parametrize(
    ("field", "reason", "change"),
    [
        ("spec.address", Reason.BAD_ADDRESS, {"address": "10.0.0.300"}),
        ("spec.address", Reason.BAD_ADDRESS, {"address": ""}),
        ("spec.addresses[1]", Reason.BAD_ADDRESS, {"addresses": ["10.0.1.0/30", "x"]}),
        ("spec.addresses[0]", Reason.OVERLAP, {"addresses": ["10.0.0.3"]}),
        ("spec.protocol", Reason.BAD_VALUE, {"protocol": "ospf"}),
        ("spec.interface", Reason.MISSING_INTERFACE, {"interface": ""}),
        ("spec.interface", Reason.MISSING_INTERFACE, {"interface": "", "protocol": "layer2"}),
        ("spec.interface", Reason.BAD_VALUE, {"interface": "can_reach:gateway"}),
        ("spec.interface", Reason.BAD_VALUE, {"interface": "a name with spaces"}),
        (
            "spec.serviceSelector",
            Reason.BAD_VALUE,
            {"serviceSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
        ),
        (
            "spec.nodeSelector",
            Reason.BAD_VALUE,
            {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        ),
        ("spec.vrrp.advertInterval", Reason.BAD_VALUE, {"vrrp": {"advertInterval": "fast"}}),
        ("spec.vrrp.advertInterval", Reason.BAD_VALUE, {"vrrp": {"advertInterval": "15ms"}}),
        ("spec.vrrp.advertInterval", Reason.BAD_VALUE, {"vrrp": {"advertInterval": "41s"}}),
        ("spec.vrrp.preemptDelay", Reason.BAD_VALUE, {"vrrp": {"preemptDelay": "17m"}}),
        ("spec.vrrp.instances", Reason.BAD_VALUE, {"vrrp": {"instances": 0}}),
        ("spec.vrrp.members", Reason.BAD_VALUE, {"vrrp": {"members": 0}}),
        ("spec.vrrp.virtualRouterIDs", Reason.BAD_VALUE, {"vrrp": {"virtualRouterIDs": "0-5"}}),
        ("spec.vrrp.garpRefresh", Reason.BAD_VALUE, {"vrrp": {"garpRefresh": "100ms"}}),
        (
            "spec.vrrp.preferredNodes[0].nodeSelector",
            Reason.BAD_VALUE,
            {
                "vrrp": {
                    "preferredNodes": [
                        {"weight": 1, "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}
                    ]
                }
            },
        ),
        ("spec.bgp.communities[0]", Reason.BAD_VALUE, {"bgp": {"communities": ["65536:1"]}}),
        ("spec.bgp.largeCommunities[0]", Reason.BAD_VALUE, {"bgp": {"largeCommunities": ["1:2"]}}),
        ("spec.bgp.aggregationLength", Reason.BAD_VALUE, {"bgp": {"aggregationLength": 33}}),
        ("spec.bgp.aggregationLengthV6", Reason.BAD_VALUE, {"bgp": {"aggregationLengthV6": -1}}),
    ],
)
def test_a_field_that_cannot_be_read_is_named(field, reason, change):
    problems = decode_pool(eip(GOOD | change)).problems
    assert [(problem.about, problem.reason) for problem in problems] == [("Eip/eip-pool", reason)]
    assert problems[0].message.startswith(f"{field}: ")


def test_a_pool_with_a_bad_field_still_has_the_rest_so_that_holders_keep_their_addresses():
    pool = decode_pool(eip(GOOD | {"vrrp": {"advertInterval": "fast"}}, status={"used": {"10.0.0.1": "a/b"}}))
    assert (pool.size, pool.vrrp.advert_interval_ms, len(pool.used)) == (4, 100, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100ms", 100),
        ("1s", 1000),
        ("1m30s", 90_000),
        ("0", 0),
        ("0s", 0),
        ("1.5s", 1500),
        ("500us", 0.5),
        ("1h", 3_600_000),
    ],
)
def test_durations_are_gos(text, expected):
    assert milliseconds(text) == expected


@pytest.mark.parametrize("text", ["", "100", "s", "-1s", "1 s", "1d", "1s2"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        milliseconds(text)


def test_vrids_are_numbers_and_ranges():
    assert vrid_set("1-3,60") == {1, 2, 3, 60}
    assert len(vrid_set("1-255")) == 255


@pytest.mark.parametrize("text", ["", "0", "256", "5-3", "1-", "a", "1,,2", "²"])
def test_what_is_no_vrid_set_is_refused(text):
    with pytest.raises(ValueError, match="1-"):
        vrid_set(text)


def test_times_without_zone_are_utc_and_rubbish_is_none():
    assert moment("2026-11-22T21:00:00.5Z") == moment("2026-11-22T21:00:00.500000")
    assert moment("yesterday") is None
    assert moment("") is None


@pytest.mark.parametrize(
    ("ours", "spec", "annotations", "opting"),
    [
        (True, {}, {}, Opting()),
        (False, {"type": "ClusterIP"}, {}, Opting()),
        (False, {}, {"lb.kubesphere.io/v1alpha1": "metallb"}, Opting()),
        (True, {}, {"lb.kubesphere.io/v1alpha1": ""}, Opting(default_class=True)),
        (True, {"loadBalancerClass": "vipmgr.io/vip"}, {"lb.kubesphere.io/v1alpha1": ""}, Opting()),
        (True, {"loadBalancerClass": "my/class"}, {}, Opting("my/class")),
        (False, {"loadBalancerClass": "metallb.io/x"}, {}, Opting()),
        (False, {"loadBalancerClass": "metallb.io/x"}, {}, Opting(default_class=True)),
        (False, {}, {"node-proxy.openelb.kubesphere.io/type": "daemonset"}, Opting()),
    ],
)
def test_a_service_is_ours_by_annotation_class_or_default_class(ours, spec, annotations, opting):
    assert (claim(spec, annotations, opting=opting) is not None) is ours


def test_a_service_that_is_being_deleted_claims_nothing():
    assert claim(deletionTimestamp="2026-11-22T21:00:00Z") is None


def test_the_seed_service_is_read():
    found = claim(
        {"selector": {"app": "nginx"}, "externalTrafficPolicy": "Local", "healthCheckNodePort": 30000},
        {
            "protocol.openelb.kubesphere.io/v1alpha1": "layer2",
            "eip.openelb.kubesphere.io/v1alpha2": "eip-pool",
            "vipmgr.io/allow-shared-ip": "web",
        },
        status={"loadBalancer": {"ingress": [{"ip": "196.168.220.10"}, {"hostname": "x"}]}},
        uid="u",
        labels={"app": "nginx"},
    )
    assert (found.key, found.uid, found.namespace) == ("default/nginx", "u", "default")
    assert (found.pool, found.protocol, found.sharing_key) == ("eip-pool", Protocol.LAYER2, "web")
    assert (found.ports, found.selector, found.labels) == ({("TCP", 80)}, (("app", "nginx"),), {"app": "nginx"})
    assert (found.local_traffic, found.health_check_node_port) == (True, 30000)
    assert found.held == (ip_address("196.168.220.10"),)
    assert (found.requested, found.families, found.fault) == ((), (Family.IPV4,), None)


@pytest.mark.parametrize(
    ("expected", "spec", "annotations"),
    [
        (["10.0.0.1"], {"loadBalancerIP": "10.0.0.1"}, {}),
        (["10.0.0.2"], {"loadBalancerIP": "10.0.0.1"}, {"eip.openelb.kubesphere.io/v1alpha1": "10.0.0.2"}),
        ([], {"loadBalancerIP": "10.0.0.1"}, {"eip.openelb.kubesphere.io/v1alpha1": ""}),
        (
            ["10.0.0.3", "2001:db8::1"],
            {"loadBalancerIP": "10.0.0.1"},
            {"vipmgr.io/loadbalancer-ips": "10.0.0.3, 2001:db8::1", "eip.openelb.kubesphere.io/v1alpha1": "10.0.0.2"},
        ),
    ],
)
def test_the_address_list_goes_before_openelbs_annotation_and_that_before_the_field(expected, spec, annotations):
    assert [str(address) for address in claim(spec, annotations).requested] == expected


@pytest.mark.parametrize(
    ("reason", "field", "spec", "annotations"),
    [
        (Reason.BAD_ADDRESS, "spec.loadBalancerIP", {"loadBalancerIP": "10.0.0"}, {}),
        (Reason.BAD_ADDRESS, "annotation eip.openelb", {}, {"eip.openelb.kubesphere.io/v1alpha1": "10.0.0.1,10.0.0.2"}),
        (Reason.BAD_ADDRESS, "annotation vipmgr.io", {}, {"vipmgr.io/loadbalancer-ips": "10.0.0.1,10.0.0.2"}),
        (Reason.BAD_VALUE, "annotation protocol", {}, {"protocol.openelb.kubesphere.io/v1alpha1": "ospf"}),
    ],
)
def test_a_service_with_a_field_that_cannot_be_read_says_which(reason, field, spec, annotations):
    fault = claim(spec, annotations).fault
    assert fault.reason is reason
    assert fault.message.startswith(field)


@pytest.mark.parametrize(
    ("families", "optional", "spec"),
    [
        ("46", True, {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"}),
        ("64", False, {"ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack"}),
        ("6", False, {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"}),
        ("4", False, {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "PreferDualStack"}),
        ("4", False, {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"}),
        ("64", False, {"clusterIPs": ["fd00::1", "10.1.0.1"]}),
        ("4", False, {"clusterIPs": ["None"]}),
        ("4", False, {}),
    ],
)
def test_families_are_those_of_the_service_in_its_order(families, optional, spec):
    found = claim(spec)
    assert "".join(family[-1] for family in found.families) == families
    assert found.optional_second is optional


def node(labels=None, conditions=(("Ready", "True"),), **spec):
    return decode_node(
        msgspec.convert(
            {
                "metadata": {"name": "n1", "uid": "u", "labels": labels, "creationTimestamp": "2026-11-22T20:00:00Z"},
                "spec": spec,
                "status": {
                    "conditions": [
                        {"type": type_, "status": status, "lastTransitionTime": "2026-11-22T21:00:00Z"}
                        for type_, status in conditions
                    ]
                },
            },
            wire.Node,
        )
    )


def test_a_ready_node_may_hold_addresses():
    found = node({"a": "b"})
    assert (found.name, found.uid, found.labels) == ("n1", "u", {"a": "b"})
    assert (found.not_ready_since, found.cordoned, found.excluded) == (None, False, False)


def test_a_node_that_is_not_ready_tells_since_when():
    assert node(conditions=[("MemoryPressure", "True"), ("Ready", "Unknown")]).not_ready_since == moment(
        "2026-11-22T21:00:00Z"
    )
    assert node(conditions=()).not_ready_since == moment("2026-11-22T20:00:00Z")


def test_a_node_is_excluded_by_label_or_out_of_service_taint_and_cordoned_when_unschedulable():
    assert node({"node.kubernetes.io/exclude-from-external-load-balancers": ""}).excluded
    assert node(taints=[{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]).excluded
    assert not node(taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]).excluded
    assert node(unschedulable=True).cordoned


def test_endpoints_are_the_nodes_with_ready_ones():
    found = msgspec.convert(
        {
            "metadata": {"name": "nginx-x", "namespace": "default", "labels": {"kubernetes.io/service-name": "nginx"}},
            "endpoints": [
                {"nodeName": "n1", "conditions": {"ready": True}},
                {"nodeName": "n2", "conditions": {"ready": False, "serving": True}},
                {"nodeName": "n3"},
                {"conditions": {"ready": True}},
            ],
        },
        wire.EndpointSlice,
    )
    assert decode_endpoints(found) == ("default/nginx", {"n1", "n3"})
    assert decode_endpoints(msgspec.convert({"metadata": {"name": "x"}, "endpoints": None}, wire.EndpointSlice)) is None


INSTANCE = {
    "eip": "eip-pool",
    "interface": "eth0",
    "family": "IPv4",
    "virtualRouterID": 51,
    "anchor": "169.254.3.7",
    "members": [{"node": "n1", "priority": 254}],
    "vips": ["10.0.0.5"],
}


def instance(**change):
    metadata = {"name": "eip-pool-0", "annotations": {"vipmgr.io/rebalance": "token"}}
    return decode_instance(msgspec.convert({"metadata": metadata, "spec": INSTANCE | change}, wire.VrrpInstance))


def test_an_instance_is_read_back_as_it_was_written():
    found = instance()
    assert (found.name, found.eip, found.interface, found.family) == ("eip-pool-0", "eip-pool", "eth0", Family.IPV4)
    assert (found.vrid, found.anchor, found.members) == (51, ip_address("169.254.3.7"), (Member("n1", 254),))
    assert (found.vips, found.service, found.rebalance) == ((ip_address("10.0.0.5"),), None, "token")


@pytest.mark.parametrize("change", [{"virtualRouterID": 256}, {"anchor": "x"}, {"family": "IPX"}, {"vips": ["x"]}])
def test_an_instance_somebody_broke_is_a_problem(change):
    found = instance(**change)
    assert isinstance(found, Problem)
    assert found.about == "VrrpInstance/eip-pool-0"


def test_a_report_holds_both_halves_of_a_vip_node():
    found = decode_report(
        msgspec.convert(
            {
                "metadata": {"name": "n1", "uid": "u", "annotations": {"vipmgr.io/drain": "true"}},
                "spec": {
                    "revision": "r2",
                    "publishedAt": "2026-11-22T21:00:00Z",
                    "unsettled": {"eip-pool-1": ["10.0.0.9"]},
                    "drain": True,
                    "instances": [
                        {
                            "name": "eip-pool-0",
                            "eip": "eip-pool",
                            "interface": "eth0",
                            "family": "IPv4",
                            "virtualRouterID": 51,
                            "priority": 254,
                            "anchor": "169.254.3.7",
                            "advertIntervalMs": 100,
                            "vips": ["10.0.0.5"],
                        }
                    ],
                },
                "status": {
                    "revision": "r1",
                    "refused": {"revision": "r2", "message": "no"},
                    "listeningSince": "2026-11-22T21:00:01Z",
                    "interfaces": [{"name": "eth0", "mac": "m", "up": True, "addresses": ["10.0.0.2/24", "new/style"]}],
                    "reach": {"10.0.0.1": "eth0"},
                    "instances": [
                        {"name": "eip-pool-0", "state": "MASTER", "priority": 254, "since": "s", "reason": "r"}
                    ],
                    "strangers": [
                        {"interface": "eth0", "family": "IPv4", "virtualRouterID": 7, "source": "10.0.0.9"},
                        {"interface": "eth0", "family": "IPX", "virtualRouterID": 7, "source": "10.0.0.9"},
                    ],
                    "drained": True,
                },
            },
            wire.VipNode,
        )
    )
    assert (found.name, found.uid, found.drain, found.drained) == ("n1", "u", True, True)
    assert (found.revision, found.published_revision, found.refused_revision) == ("r1", "r2", "r2")
    assert (found.listening_since, found.published_at) == (
        moment("2026-11-22T21:00:01Z"),
        moment("2026-11-22T21:00:00Z"),
    )
    assert [(one.name, one.up, one.addresses, one.mac) for one in found.interfaces] == [
        ("eth0", True, (ip_interface("10.0.0.2/24"),), "m")
    ]
    assert found.reach == {"10.0.0.1": "eth0"}
    assert found.instances["eip-pool-0"].state == "MASTER"
    assert found.strangers == {("eth0", Family.IPV4, 7, "10.0.0.9")}
    assert found.published_instances == {"eip-pool-0": {ip_address("10.0.0.5")}}
    assert found.unsettled == {"eip-pool-1": {ip_address("10.0.0.9")}}
    assert found.published_drain


def test_a_vip_node_nobody_wrote_to_yet_is_read():
    found = decode_report(msgspec.convert({"metadata": {"name": "n1"}}, wire.VipNode))
    assert (found.revision, found.published_revision, found.listening_since, found.drain) == ("", "", None, False)
