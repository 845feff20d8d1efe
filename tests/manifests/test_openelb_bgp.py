"""Every field of OpenELB 0.6's BgpConf and BgpPeer: our CRDs take it, and it arrives or is said to do nothing."""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest

from tests.manifests.folder import MANIFESTS, documents
from vipmgr.core import bgp_objects as wire
from vipmgr.core.decode import decode_conf, decode_peer
from vipmgr.core.model import Reason
from vipmgr.core.node_bgp import IN_PEER, NodeBgpRestart

RESTART = {
    "enabled": True, "restartTime": 60, "helperOnly": True, "deferralTime": 7, "notificationEnabled": True,
    "longlivedEnabled": True, "staleRoutesTime": 8, "peerRestartTime": 9, "peerRestarting": True,
    "localRestarting": True, "mode": "x",
}  # fmt: skip
RESTARTED = NodeBgpRestart(
    restart_time=60, deferral_time=7, stale_routes_time=8, helper_only=True, notification=True, long_lived=True
)
CONF = [
    ("as", 65001, lambda conf: conf.asn == 65001),
    ("asPerRack", {"a": 65101}, lambda conf: conf.racks == {"a": 65101}),
    ("routerId", "10.0.0.9", lambda conf: conf.router_id == "10.0.0.9"),
    ("listenPort", 1179, lambda conf: conf.listen_port == 1179),
    ("listenAddresses", ["10.0.0.9", "fd00::9"], lambda conf: conf.listen_addresses == ("10.0.0.9", "fd00::9")),
    ("families", [65537, 131073], lambda _: True),
    ("useMultiplePaths", True, lambda conf: conf.use_multiple_paths),
    ("gracefulRestart", RESTART, lambda conf: conf.graceful_restart == RESTARTED),
    ("policy", "rules", lambda conf: conf.policy == "rules"),
]
UNICAST = {"family": {"afi": "AFI_IP6", "safi": "SAFI_UNICAST"}, "enabled": True}
PEER = [
    ("conf.authPassword", "hidden", lambda plan: plan.password == IN_PEER),
    ("conf.description", "the left router", lambda _: True),
    ("conf.localAs", 65009, lambda plan: plan.local_asn == 65009),
    ("conf.peerType", 1, lambda _: True),
    ("conf.removePrivateAs", "ALL", lambda plan: plan.remove_private_as == "all"),
    ("conf.removePrivateAs", "REPLACE", lambda plan: plan.remove_private_as == "replace"),
    ("conf.removePrivateAs", "NONE", lambda plan: plan.remove_private_as == ""),
    ("conf.allowOwnAs", 2, lambda plan: plan.allow_own_as == 2),
    ("conf.replacePeerAs", True, lambda plan: plan.replace_peer_as),
    ("conf.adminDown", True, lambda plan: plan.admin_down),
    ("ebgpMultihop", {"enabled": True, "multihopTtl": 5}, lambda plan: plan.multihop_ttl == 5),
    ("timers.config.connectRetry", "7", lambda plan: plan.connect_retry == 7),
    ("timers.config.holdTime", "9", lambda plan: (plan.hold_time, plan.keepalive) == (9, 3)),
    ("timers.config.keepaliveInterval", "8", lambda plan: plan.keepalive == 8),
    ("timers.config.minimumAdvertisementInterval", "6", lambda plan: plan.min_advertisement == 6),
    ("transport.mtuDiscovery", True, lambda plan: plan.mtu_discovery),
    ("transport.passiveMode", True, lambda plan: plan.passive),
    ("transport.remotePort", 1179, lambda plan: plan.remote_port == 1179),
    ("transport.tcpMss", 1400, lambda plan: plan.tcp_mss == 1400),
    ("gracefulRestart", RESTART, lambda plan: plan.graceful_restart == RESTARTED),
    ("afiSafis", [{"config": {"family": UNICAST["family"]}}],
     lambda plan: [one.family for one in plan.families] == ["IPv6"]),
    ("afiSafis", [{"config": UNICAST | {"enabled": False}}],
     lambda plan: [one.family for one in plan.families] == ["IPv4"]),
    ("afiSafis", [{"config": UNICAST}], lambda plan: [one.family for one in plan.families] == ["IPv6"]),
    ("afiSafis", [{"config": UNICAST, "addPaths": {"config": {"receive": True, "sendMax": 10}}}],
     lambda plan: [(one.receive, one.send_max) for one in plan.families] == [(True, 10)]),
    ("afiSafis", [{"config": UNICAST, "mpGracefulRestart": {"config": {"enabled": True}}}],
     lambda plan: [one.graceful_restart for one in plan.families] == [True]),
    ("afiSafis", [{"addPaths": {"config": {"sendMax": 10}}}],
     lambda plan: [(one.family, one.send_max) for one in plan.families] == [("IPv4", 10)]),
    ("nodeSelector", {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]},
     lambda _: True),
]  # fmt: skip
IDLE = [
    ("conf.neighborInterface", "eth0"),
    ("conf.peerGroup", "leaves"),
    ("conf.vrf", "red"),
    ("conf.routeFlapDamping", True),
    ("conf.sendCommunity", 3),
    ("transport.remoteAddress", "10.0.0.9"),
]


def manifest(kind, path="", value=None):
    spec = {"as": 65001} if kind == "BgpConf" else {"conf": {"neighborAddress": "10.0.0.254", "peerAs": 65000}}
    if path:
        *way, last = path.split(".")
        reduce(lambda place, key: place.setdefault(key, {}), way, spec)[last] = value
    name = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": kind, "metadata": {"name": "default"}}
    return {**name, "spec": spec}


def taken(refusals, kind, path, value):
    """The object as decoded, once the CRD took it."""
    found = manifest(kind, path, value)
    assert refusals(found) == []
    decode, type_ = {"BgpConf": (decode_conf, wire.BgpConf), "BgpPeer": (decode_peer, wire.BgpPeer)}[kind]
    return decode(msgspec.convert(found, type_))


@pytest.mark.parametrize(("path", "value", "arrived"), CONF, ids=[one[0] for one in CONF])
def test_a_field_of_openelbs_bgp_conf_is_taken_and_arrives(refusals, path, value, arrived):
    conf = taken(refusals, "BgpConf", path, value)
    assert conf.problems == ()
    assert arrived(conf)


@pytest.mark.parametrize(("path", "value", "arrived"), PEER, ids=[one[0] for one in PEER])
def test_a_field_of_openelbs_bgp_peer_is_taken_and_arrives(refusals, path, value, arrived):
    peer = taken(refusals, "BgpPeer", path, value)
    assert peer.problems == ()
    assert arrived(peer.plan)


@pytest.mark.parametrize(("path", "value"), IDLE, ids=[path for path, _ in IDLE])
def test_a_field_of_openelbs_bgp_peer_without_effect_is_taken_and_named(refusals, path, value):
    peer = taken(refusals, "BgpPeer", path, value)
    [problem] = peer.problems
    assert (problem.reason, problem.message.split(": ")[0]) == (Reason.FIELD_IGNORED, f"spec.{path}")
    assert peer.plan == taken(refusals, "BgpPeer", "", None).plan


def definitions():
    return [one for path in sorted((MANIFESTS / "crds").glob("*.yaml")) for one in documents(path)]


def leaves(schema, path=""):
    for key, one in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        if "properties" in one:
            yield from leaves(one, here)
        else:
            yield here


def test_no_field_of_the_definitions_is_left_out_here():
    """Besides the additions, which OpenELB does not have, and the name of the router, which is in all of them."""
    added = {"conf.neighborAddress", "conf.peerAs"}
    for kind, tables in (("BgpConf", [CONF]), ("BgpPeer", [PEER, IDLE])):
        [crd] = (one for one in definitions() if one["spec"]["names"]["kind"] == kind)
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        shown = {path for table in tables for path, *_ in table}
        missing = {
            path for path in leaves(schema) if not any(path == one or path.startswith(f"{one}.") for one in shown)
        }
        own = {path for path in missing if path.startswith(("bfd.", "passwordSecret."))}
        assert missing - own - added == set()
