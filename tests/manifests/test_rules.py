"""What the CRDs accept and refuse, with the words a user reads."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from vipmgr.core import wire
from vipmgr.core.addresses import parse_range
from vipmgr.core.decode import decode_pool

Json = dict[str, Any]

RANGE = "must be an address, a CIDR or a range first-last, IPv4 or IPv6, with both ends of one family"
ORDER = "a range must not end before it begins"
ADVERT = "must be a duration from 10ms to 40.95s in steps of 10ms, such as 100ms or 1s"
VRIDS = "must be a list of numbers and ranges from 1 to 255, such as 1-50,60,70-255"
INTERFACE = "must be an interface name of up to 15 characters, or can_reach: and an IP"


def eip(**spec: Any) -> Json:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": "pool"},
        "spec": {"address": "10.0.0.1", **spec},
    }


def vip(**vrrp: Any) -> Json:
    return eip(protocol="vip", interface="eth0", vrrp=vrrp)


def bgp(**policy: Any) -> Json:
    return eip(bgp=policy)


def conf(**spec: Any) -> Json:
    return {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "BgpConf", "spec": spec}


def peer(**spec: Any) -> Json:
    return {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "BgpPeer", "spec": spec}


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "0.0.0.1",
        "255.255.255.255",
        "10.0.0.0/24",
        "10.0.0.9/24",
        "10.0.0.9/32",
        "10.0.0.1-10.0.0.1",
        "10.0.0.255-10.0.1.0",
        "9.255.255.255-10.0.0.0",
        "2001:db8::1",
        "2001:DB8::1",
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3::5:6:7:8",
        "2001:db8::/64",
        "2001:db8::/128",
        "2001:db8::10-2001:db8::20",
    ],
)
def test_an_address_is_an_ip_a_cidr_or_a_range(refusals, address):
    assert refusals(eip(address=address)) == []
    assert refusals(eip(addresses=[address])) == []
    assert parse_range(address).size >= 1


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", RANGE),
        ("10.0.0", RANGE),
        ("10.0.0.256", RANGE),
        ("10.0.0.01", RANGE),
        ("10.0.0.1/33", RANGE),
        ("10.0.0.1/255.255.255.0", RANGE),
        ("10.0.0.1 - 10.0.0.2", RANGE),
        ("10.0.0.1-10.0.0.2-10.0.0.3", RANGE),
        ("10.0.0.1-20", RANGE),
        ("10.0.0.0/24-10.0.1.0/24", RANGE),
        ("10.0.0.1-2001:db8::1", RANGE),
        ("2001:db8::1-10.0.0.1", RANGE),
        ("2001:db8::1::2", RANGE),
        ("1:2:3:4:5:6:7", RANGE),
        ("1:2:3:4:5:6:7:8:9", RANGE),
        ("1:2:3:4:5:6:7:8::", RANGE),
        ("2001:db8::12345", RANGE),
        ("2001:db8::g", RANGE),
        (":1::", RANGE),
        ("2001:db8::/129", RANGE),
        ("2001:db8::1%eth0", RANGE),
        ("10.0.0.2-10.0.0.1", ORDER),
        ("10.0.1.0-10.0.0.255", ORDER),
        ("10.0.0.0-9.255.255.255", ORDER),
    ],
)
def test_anything_else_is_refused_in_both_address_fields(refusals, address, message):
    assert refusals(eip(address=address)) == [message]
    assert refusals(eip(addresses=["10.9.0.0/24", address])) == [message]


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (eip(protocol="layer2"), "interface is required when protocol is layer2 or vip"),
        (eip(protocol="vip"), "interface is required when protocol is layer2 or vip"),
        (eip(protocol="vip", interface=""), "interface is required when protocol is layer2 or vip"),
        (eip(protocol="vip", interface="name-of-16-chars"), INTERFACE),
        (eip(protocol="vip", interface="eth 0"), INTERFACE),
        (eip(protocol="vip", interface="can_reach:router"), INTERFACE),
        (vip(advertInterval="9ms"), ADVERT),
        (vip(advertInterval="41s"), ADVERT),
        (vip(advertInterval="105ms"), ADVERT),
        (vip(advertInterval="0.015s"), ADVERT),
        (vip(advertInterval="100"), ADVERT),
        (vip(advertInterval="fast"), ADVERT),
        (vip(preemptDelay="1001s"), "must be a duration from 0s to 1000s, such as 30s"),
        (vip(preemptDelay="-1s"), "must be a duration from 0s to 1000s, such as 30s"),
        (vip(garpRefresh="500ms"), "must be a duration of whole seconds from 0s to 24h, such as 30s"),
        (vip(garpRefresh="25h"), "must be a duration of whole seconds from 0s to 24h, such as 30s"),
        (vip(virtualRouterIDs=""), VRIDS),
        (vip(virtualRouterIDs="0"), VRIDS),
        (vip(virtualRouterIDs="1-256"), VRIDS),
        (vip(virtualRouterIDs="9-3"), VRIDS),
        (vip(virtualRouterIDs="1, 2"), VRIDS),
        (vip(virtualRouterIDs="1-2-3"), VRIDS),
        (vip(trackInterfaces=["eth0/1"]), "must be an interface name of up to 15 characters"),
        (bgp(communities=["65000"]), "must be two numbers from 0 to 65535 with a colon between, such as 65000:1"),
        (bgp(communities=["65536:1"]), "must be two numbers from 0 to 65535 with a colon between, such as 65000:1"),
        (
            bgp(largeCommunities=["65000:1"]),
            "must be three numbers from 0 to 4294967295 with colons between, such as 65000:1:2",
        ),
        (
            bgp(largeCommunities=["65000:1:4294967296"]),
            "must be three numbers from 0 to 4294967295 with colons between, such as 65000:1:2",
        ),
        (conf(routerId="10.0.0"), "must be written like an IPv4 address"),
        (conf(listenAddresses=["all"]), "must be an IP address"),
        (peer(conf={"neighborAddress": "router"}), "must be an IP address"),
        (peer(conf={"peerAs": 65000}), "neighborAddress or neighborInterface is needed"),
        (peer(conf={"neighborAddress": ""}), "neighborAddress or neighborInterface is needed"),
        (peer(conf={"neighborInterface": "eth0%1"}), "must be an interface name of up to 15 characters"),
        (peer(bfd={"transmitInterval": "5ms"}), "must be a duration from 10ms to 60s, such as 50ms"),
        (peer(bfd={"receiveInterval": "61s"}), "must be a duration from 10ms to 60s, such as 50ms"),
        (
            peer(timers={"config": {"holdTime": "9s"}}),
            'must be a number of seconds written as a string, such as "9"',
        ),
    ],
)
def test_a_rule_says_what_to_write_instead(refusals, candidate, message):
    assert refusals(candidate) == [message]


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (eip(protocol="ospf"), '"ospf" is not one of'),
        (eip(address=None), 'null is not of type "string"'),
        (eip(adress="10.0.0.2"), "Additional properties are not allowed ('adress' was unexpected)"),
        (vip(members=0), "0 is less than the minimum of 1"),
        (vip(instances=0), "0 is less than the minimum of 1"),
        (vip(instances=256), "256 is greater than the maximum of 255"),
        (vip(preferredNodes=[{"weight": 0, "nodeSelector": {}}]), "0 is less than the minimum of 1"),
        (vip(preferredNodes=[{"weight": 1}]), '"nodeSelector" is a required property'),
        (eip(nodeSelector={"matchExpressions": [{"key": "a", "operator": "Is"}]}), '"Is" is not one of'),
        (bgp(aggregationLength=33), "33 is greater than the maximum of 32"),
        (bgp(aggregationLengthV6=129), "129 is greater than the maximum of 128"),
        (conf(listenPort=65536), "65536 is greater than the maximum of 65535"),
        (conf(**{"as": 4294967296}), "4294967296 is greater than the maximum of 4294967295"),
        (peer(passwordSecret={}), '"name" is a required property'),
        (peer(bfd={"detectMultiplier": 0}), "0 is less than the minimum of 1"),
    ],
)
def test_the_schema_refuses_what_has_the_wrong_shape(refusals, candidate, words):
    (refusal,) = refusals(candidate)
    assert words in refusal


def test_an_eip_without_address_is_refused(refusals):
    candidate = eip()
    del candidate["spec"]["address"]
    assert refusals(candidate) == ['"address" is a required property']


@pytest.mark.parametrize(
    "candidate",
    [
        vip(advertInterval="10ms"),
        vip(advertInterval="40.95s"),
        vip(advertInterval="0.25s"),
        vip(advertInterval="1s500ms"),
        vip(preemptDelay="16m40s"),
        vip(garpRefresh="0s"),
        vip(garpRefresh="1m30s"),
        vip(virtualRouterIDs="7"),
        vip(virtualRouterIDs="1-50,60,70-255"),
        vip(trackInterfaces=["bond0.100", "eth1@x"]),
        vip(preferredNodes=[{"weight": 10, "nodeSelector": {"matchLabels": {"zone": "a"}}}]),
        eip(protocol="layer2", interface="can_reach:192.168.0.1"),
        eip(protocol="layer2", interface="can_reach:2001:db8::1"),
        bgp(communities=["65000:1"], largeCommunities=["65000:1:2"], localPref=200, peers=["tor-a"]),
        conf(**{"as": 4200000000}, listenPort=-1, routerId="10.0.0.1", listenAddresses=["::"]),
        peer(conf={"neighborInterface": "eth0.100"}),
        peer(conf={"neighborAddress": "fe80::1%eth0", "peerAs": 4200000000}, bfd={}, passwordSecret={"name": "tor"}),
    ],
)
def test_every_setting_has_room_for_its_sensible_values(refusals, candidate):
    assert refusals(candidate) == []
    if candidate["kind"] == "Eip":
        assert decode_pool(msgspec.convert(candidate, wire.Eip)).problems == ()


def test_the_address_of_a_pool_never_changes(refusals):
    old = eip(address="10.0.0.0/24")
    assert refusals(eip(address="10.0.0.0/23"), old) == [
        "the address of a pool cannot be changed: make another Eip, or add to addresses"
    ]
    assert refusals(eip(address="10.0.0.0/24", disable=True), old) == []


def test_ranges_are_added_to_a_pool_but_not_taken_away(refusals):
    old = eip(addresses=["10.1.0.0/24", "2001:db8::/64"])
    message = "ranges may be added to a pool, not removed or changed: make another Eip"
    assert refusals(eip(addresses=["2001:db8::/64", "10.2.0.0/24", "10.1.0.0/24"]), old) == []
    assert refusals(eip(addresses=["10.1.0.0/24"]), old) == [message]
    assert refusals(eip(), old) == [message]
    assert refusals(old, eip()) == []


def test_the_lists_with_rules_are_bounded(refusals):
    full = [f"10.1.{n}.0/24" for n in range(32)]
    assert refusals(eip(addresses=full)) == []
    (refusal,) = refusals(eip(addresses=[*full, "10.2.0.0/24"]))
    assert "33" in refusal or "more than 32" in refusal


def test_a_check_does_not_change_what_it_checks(refusals):
    candidate = vip(advertInterval="1s")
    before = copy.deepcopy(candidate)
    refusals(candidate)
    assert candidate == before
