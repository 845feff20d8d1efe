"""manifests/ as a whole: complete, consistent with the programs, and with no more rights than they use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config.incluster_config import SERVICE_CERT_FILENAME, SERVICE_TOKEN_FILENAME

from tests.manifests.folder import MANIFESTS, documents
from vipmgr import __version__
from vipmgr.controller.settings import Settings
from vipmgr.controller.webhook import PATH
from vipmgr.node.settings import Paths

Json = dict[str, Any]

KUSTOMIZATION = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
OBJECTS = [one for name in KUSTOMIZATION["resources"] for one in documents(MANIFESTS / name)]
NAMESPACE = "vipmgr-system"


def the(kind: str, name: str) -> Json:
    (found,) = (one for one in OBJECTS if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def pod(kind: str, name: str) -> Json:
    return the(kind, name)["spec"]["template"]["spec"]


def containers(kind: str, name: str) -> dict[str, Json]:
    return {one["name"]: one for one in pod(kind, name)["containers"]}


def rights(kind: str, name: str) -> dict[str, set[str]]:
    """resource -> verbs; a rule for single names has them in the key"""
    return {
        f"{resource}{rule.get('resourceNames', '')}": set(rule["verbs"])
        for rule in the(kind, name)["rules"]
        for resource in rule["resources"]
    }


def test_every_manifest_is_installed():
    files = {str(path.relative_to(MANIFESTS)) for path in MANIFESTS.glob("*.yaml")}
    files |= {str(path.relative_to(MANIFESTS)) for path in MANIFESTS.glob("crds/*.yaml")}
    assert set(KUSTOMIZATION["resources"]) == files - {"kustomization.yaml"}


def test_every_object_has_the_label_and_the_namespace_of_vipmgr():
    cluster_wide = {
        "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "FlowSchema",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
    }  # fmt: skip
    for one in OBJECTS:
        name = f"{one['kind']}/{one['metadata']['name']}"
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "vipmgr", name
        assert one["metadata"].get("namespace") == (None if one["kind"] in cluster_wide else NAMESPACE), name


def test_the_programs_run_from_one_image_of_this_version():
    images = {one["image"] for one in containers("Deployment", "vipmgr-controller").values()}
    images |= {one["image"] for one in containers("DaemonSet", "vipmgr-agent").values()}
    assert images == {f"vipmgr:{__version__}"}


def test_the_webhook_is_where_the_controller_serves_it():
    settings = Settings()
    (hook,) = the("ValidatingWebhookConfiguration", settings.webhook_name)["webhooks"]
    service = the("Service", settings.webhook_name)
    assert hook["clientConfig"]["service"] == {
        "namespace": settings.namespace, "name": settings.webhook_name, "path": PATH, "port": 443,
    }  # fmt: skip
    assert hook["failurePolicy"] == "Ignore"
    assert hook["rules"][0]["operations"] == ["CREATE", "UPDATE", "DELETE"]
    (port,) = service["spec"]["ports"]
    ports = {
        one["name"]: one["containerPort"]
        for one in containers("Deployment", "vipmgr-controller")["controller"]["ports"]
    }
    assert (port["port"], ports[port["targetPort"]]) == (443, settings.webhook_listen[1])
    assert ports["metrics"] == settings.listen[1]
    labels = the("Deployment", "vipmgr-controller")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_the_controller_may_use_its_lease_its_secret_and_its_webhook_by_name():
    settings = Settings()
    assert settings.namespace == NAMESPACE
    own = rights("Role", "vipmgr-controller")
    assert own == {
        "leases": {"create"},
        "leases['vipmgr-controller']": {"get", "patch", "update"},
        "configmaps": {"get", "list", "watch"},
        "secrets": {"create"},
        f"secrets['{settings.webhook_name}']": {"get", "patch"},
    }
    everywhere = rights("ClusterRole", "vipmgr-controller")
    assert everywhere[f"validatingwebhookconfigurations['{settings.webhook_name}']"] == {"get", "patch"}
    assert "secrets" not in everywhere


def test_each_program_serves_where_it_is_probed_and_scraped():
    served = {"vipmgr-controller": Settings().listen[1], "vipmgr-agent": 9474}
    assert "--listen=[$(HOST_IP)]:9474" in containers("DaemonSet", "vipmgr-agent")["agent"]["args"]
    for (name, port), kind, container in zip(
        served.items(), ("Deployment", "DaemonSet"), ("controller", "agent"), strict=True
    ):
        one = containers(kind, name)[container]
        assert {"name": "metrics", "containerPort": port} in one["ports"]
        assert one["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert one["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
        annotations = the(kind, name)["spec"]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == str(port)


def test_nobody_may_do_everything():
    for one in OBJECTS:
        for rule in one.get("rules", ()) if one["kind"].endswith("Role") else ():
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], one["metadata"]["name"]


def test_an_agent_writes_vipnodes_and_nothing_else_and_only_its_own():
    may = rights("ClusterRole", "vipmgr-agent")
    assert may == {
        "nodes": {"get"}, "vipnodes": {"get", "list", "watch", "create"}, "vipnodes/status": {"patch"},
        "vrrpinstances": {"list"}, "bgppeers": {"get"}, "bgppeers/status": {"patch"}, "bgpconfs/status": {"patch"},
    }  # fmt: skip
    policy = the("ValidatingAdmissionPolicy", "vipmgr-agent-own-node")["spec"]
    assert policy["failurePolicy"] == "Fail"
    assert set(policy["matchConstraints"]["resourceRules"][0]["resources"]) == {"vipnodes", "vipnodes/status"}
    account = pod("DaemonSet", "vipmgr-agent")["serviceAccountName"]
    assert f"system:serviceaccount:{NAMESPACE}:{account}" in policy["matchConditions"][0]["expression"]


@pytest.mark.parametrize(
    ("kind", "name", "container", "capabilities"),
    [
        ("Deployment", "vipmgr-controller", "controller", []),
        ("DaemonSet", "vipmgr-agent", "agent", ["NET_ADMIN", "NET_RAW"]),
        ("DaemonSet", "vipmgr-agent", "keepalived", ["NET_ADMIN", "NET_RAW", "SYS_NICE"]),
        ("DaemonSet", "vipmgr-agent", "gobgpd", ["NET_BIND_SERVICE"]),
    ],
)
def test_a_container_has_just_the_capabilities_it_needs(kind, name, container, capabilities):
    context = containers(kind, name)[container]["securityContext"]
    assert context["capabilities"]["drop"] == ["ALL"]
    assert context["capabilities"].get("add", []) == capabilities
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]


def test_nothing_may_throttle_or_evict_keepalived():
    agent = pod("DaemonSet", "vipmgr-agent")
    assert agent["priorityClassName"] == "system-node-critical"
    assert agent["tolerations"] == [{"operator": "Exists"}]
    for one in agent["containers"]:
        assert "cpu" not in one["resources"].get("limits", {}), one["name"]
    assert the("DaemonSet", "vipmgr-agent")["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}


def test_agent_and_keepalived_share_what_they_need():
    agent = pod("DaemonSet", "vipmgr-agent")
    assert agent["hostNetwork"]
    assert agent["shareProcessNamespace"]
    volumes = {one["name"]: one for one in agent["volumes"]}
    assert "emptyDir" in volumes["run"]
    assert volumes["state"]["hostPath"]["path"] == str(Paths().state)
    found = containers("DaemonSet", "vipmgr-agent")
    for name in ("agent", "keepalived"):
        mounts = {mount["name"]: mount["mountPath"] for mount in found[name]["volumeMounts"]}
        assert mounts.items() >= {"run": str(Paths().run), "state": str(Paths().state)}.items(), name
        assert {"name": "TMPDIR", "value": str(Paths().run)} in found[name]["env"], name
    assert found["gobgpd"]["volumeMounts"] == [{"name": "run", "mountPath": str(Paths().run)}]


def test_the_agent_alone_has_a_token_and_it_is_where_programs_look_for_it():
    agent = pod("DaemonSet", "vipmgr-agent")
    assert agent["automountServiceAccountToken"] is False
    (token,) = [one["projected"] for one in agent["volumes"] if one["name"] == "token"]
    paths = {
        item["path"] for source in token["sources"] for part in source.values() for item in part.get("items", [part])
    }
    where = {
        name: [mount["mountPath"] for mount in one["volumeMounts"] if mount["name"] == "token"]
        for name, one in containers("DaemonSet", "vipmgr-agent").items()
    }
    assert where == {"agent": [str(Path(SERVICE_TOKEN_FILENAME).parent)], "keepalived": [], "gobgpd": []}
    assert {Path(SERVICE_TOKEN_FILENAME).name, Path(SERVICE_CERT_FILENAME).name, "namespace"} == paths


def test_there_is_always_a_controller_during_an_upgrade_of_nodes():
    deployment = the("Deployment", "vipmgr-controller")["spec"]
    assert deployment["replicas"] == 2
    assert "podAntiAffinity" in pod("Deployment", "vipmgr-controller")["affinity"]
    assert the("PodDisruptionBudget", "vipmgr-controller")["spec"]["minAvailable"] == 1
