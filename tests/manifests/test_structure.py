"""What an API server asks of every CRD: structural, bounded, explained; and what OpenELB's users rely on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def nodes(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def every_node(schemas: dict[str, Json]) -> list[tuple[str, Json]]:
    return [pair for kind, schema in schemas.items() for pair in nodes(schema, kind)]


def test_there_are_five_kinds_all_of_cluster_scope(crds):
    assert {
        (crd["metadata"]["name"], crd["spec"]["scope"], crd["spec"]["versions"][0]["name"]) for crd in crds.values()
    } == {
        ("eips.network.kubesphere.io", "Cluster", "v1alpha2"),
        ("bgpconfs.network.kubesphere.io", "Cluster", "v1alpha2"),
        ("bgppeers.network.kubesphere.io", "Cluster", "v1alpha2"),
        ("vrrpinstances.vipmgr.io", "Cluster", "v1alpha1"),
        ("vipnodes.vipmgr.io", "Cluster", "v1alpha1"),
    }
    for crd in crds.values():
        assert crd["metadata"]["name"] == f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"
        assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}
        assert "networking" in crd["spec"]["names"]["categories"]


def test_every_node_has_a_type_and_every_field_an_explanation(schemas):
    for path, node in every_node(schemas):
        assert "type" in node, path
        field = path.rpartition(".")[2]
        if not path.endswith(("[]", "{}")) and field != "metadata":
            assert node.get("description", "").endswith("."), path


def test_whatever_a_rule_walks_over_is_bounded(schemas):
    """An unbounded string or list under a rule blows the API server's cost budget, which refuses the whole CRD."""
    for path, node in every_node(schemas):
        if node["type"] == "string" and "x-kubernetes-validations" in node:
            assert node["maxLength"] <= 255, path
        inner = [part for inner_path, part in nodes(node, path) if inner_path != path]
        if node["type"] == "array" and any("x-kubernetes-validations" in part for part in inner):
            assert node["maxItems"] <= 64, path


def test_rules_use_only_what_kubernetes_1_25_knows(schemas):
    known = {"has", "size", "all", "map", "contains", "matches", "split", "int", "duration", "getMilliseconds"}
    for path, node in every_node(schemas):
        for rule in node.get("x-kubernetes-validations", ()):
            assert set(rule) == {"rule", "message"}, path
            without_text = re.sub(r"'[^']*'", "''", rule["rule"])
            assert set(re.findall(r"(\w+)\(", without_text)) <= known, path


def test_a_printer_column_reads_a_field_that_exists(crds):
    for kind, crd in crds.items():
        version = crd["spec"]["versions"][0]
        fields = {path for path, _ in nodes(version["schema"]["openAPIV3Schema"], "")}
        for column in version["additionalPrinterColumns"]:
            path = re.sub(r"\[\d+\]|\[\?\([^)]*\)\]", "[]", column["jsonPath"])
            assert path in fields or path == ".metadata.creationTimestamp", (kind, column["name"])


def test_an_eip_prints_the_columns_of_openelb(crds):
    columns = crds["Eip"]["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"].upper() for column in columns if not column.get("priority")] == ["CIDR", "USAGE", "TOTAL"]


def test_vrrpinstances_answer_who_holds_it_at_a_glance(crds):
    columns = crds["VrrpInstance"]["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == [
        "master", "since", "vrid", "interface", "family", "vips", "moves", "contested",
    ]  # fmt: skip


OPENELB_FIELDS = {
    "Eip": """
        spec.address spec.protocol spec.interface spec.disable spec.usingKnownIPs spec.priority spec.namespaces[]
        spec.namespaceSelector{} status.occupied status.usage status.poolSize status.used{} status.firstIP
        status.lastIP status.ready status.v4""",
    "BgpConf": """
        spec.as spec.asPerRack{} spec.routerId spec.listenPort spec.listenAddresses[] spec.families[]
        spec.useMultiplePaths spec.gracefulRestart.enabled spec.gracefulRestart.restartTime
        spec.gracefulRestart.helperOnly spec.gracefulRestart.deferralTime spec.gracefulRestart.notificationEnabled
        spec.gracefulRestart.longlivedEnabled spec.gracefulRestart.staleRoutesTime spec.gracefulRestart.peerRestartTime
        spec.gracefulRestart.peerRestarting spec.gracefulRestart.localRestarting spec.gracefulRestart.mode spec.policy
        status.nodesConfStatus{}.routerId status.nodesConfStatus{}.as""",
    "BgpPeer": """
        spec.conf.adminDown spec.conf.allowOwnAs spec.conf.authPassword spec.conf.description spec.conf.localAs
        spec.conf.neighborAddress spec.conf.neighborInterface spec.conf.peerAs spec.conf.peerGroup spec.conf.peerType
        spec.conf.removePrivateAs spec.conf.replacePeerAs spec.conf.routeFlapDamping spec.conf.sendCommunity
        spec.conf.vrf spec.ebgpMultihop.enabled spec.ebgpMultihop.multihopTtl spec.timers.config.connectRetry
        spec.timers.config.holdTime spec.timers.config.keepaliveInterval
        spec.timers.config.minimumAdvertisementInterval spec.transport.mtuDiscovery spec.transport.passiveMode
        spec.transport.remoteAddress spec.transport.remotePort spec.transport.tcpMss spec.gracefulRestart.enabled
        spec.afiSafis[].config.enabled spec.afiSafis[].config.family.afi spec.afiSafis[].config.family.safi
        spec.afiSafis[].addPaths.config.receive spec.afiSafis[].addPaths.config.sendMax
        spec.afiSafis[].mpGracefulRestart.config.enabled spec.nodeSelector.matchLabels{}
        spec.nodeSelector.matchExpressions[].key status.nodesPeerStatus{}.peerState.sessionState
        status.nodesPeerStatus{}.peerState.adminState status.nodesPeerStatus{}.peerState.messages.received.total
        status.nodesPeerStatus{}.peerState.messages.sent.withdrawPrefix status.nodesPeerStatus{}.peerState.queues.input
        status.nodesPeerStatus{}.peerState.routerId status.nodesPeerStatus{}.timersState.uptime
        status.nodesPeerStatus{}.timersState.negotiatedHoldTime""",
}


def test_every_field_of_openelb_0_6_is_there(schemas):
    for kind, names in OPENELB_FIELDS.items():
        here = {path for path, _ in nodes(schemas[kind], kind)}
        assert {f"{kind}.{name}" for name in names.split()} - here == set()
