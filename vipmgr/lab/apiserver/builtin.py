"""The built-in kinds: those vipmgr works with, and those its manifests contain, which are merely kept."""

from __future__ import annotations

from typing import Final

from vipmgr.lab.apiserver.kinds import Column, Kind

_STATUS: Final = frozenset({"status"})
_AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")

_EVENT_FIELDS: Final = frozenset(
    {f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")}
    | {"reason", "reportingComponent", "source", "type"}
)
_REGARDING_FIELDS: Final = frozenset(
    {f"regarding.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")}
    | {"reason", "reportingController", "type"}
)
_EVENT_COLUMNS: Final = (
    Column("Last Seen", "date", ".lastTimestamp"),
    Column("Type", "string", ".type"),
    Column("Reason", "string", ".reason"),
    Column("Object", "string", ".involvedObject.name"),
    Column("Message", "string", ".message"),
)
_REGARDING_COLUMNS: Final = (
    Column("Last Seen", "date", ".eventTime"),
    Column("Type", "string", ".type"),
    Column("Reason", "string", ".reason"),
    Column("Object", "string", ".regarding.name"),
    Column("Message", "string", ".note"),
)

CORE: Final = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, short_names=("ns",), subresources=_STATUS,
         columns=(Column("Status", "string", ".status.phase"), _AGE), fields=frozenset({"status.phase"})),
    Kind("", "v1", "services", "Service", short_names=("svc",), categories=("all",), subresources=_STATUS,
         fields=frozenset({"spec.type", "spec.clusterIP"}), returns_deleted=True,
         columns=(
             Column("Type", "string", ".spec.type"), Column("Cluster-IP", "string", ".spec.clusterIP"),
             Column("External-IP", "string", ".status.loadBalancer.ingress[*].ip"),
             Column("Port(s)", "string", ".spec.ports[*].port"), _AGE,
             Column("Selector", "string", ".spec.selector", 1),
         )),
    Kind("", "v1", "nodes", "Node", namespaced=False, short_names=("no",), subresources=_STATUS,
         fields=frozenset({"spec.unschedulable"}),
         columns=(
             Column("Status", "string", '.status.conditions[?(@.type=="Ready")].status'),
             Column("Roles", "string", ".metadata.labels"), _AGE,
             Column("Version", "string", ".status.nodeInfo.kubeletVersion"),
             Column("Internal-IP", "string", '.status.addresses[?(@.type=="InternalIP")].address', 1),
         )),
    Kind("", "v1", "pods", "Pod", short_names=("po",), categories=("all",), subresources=frozenset({"status", "log"}),
         fields=frozenset({"spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase",
                           "status.podIP"}), returns_deleted=True,
         columns=(
             Column("Ready", "string", ".status.containerStatuses[*].ready"),
             Column("Status", "string", ".status.phase"),
             Column("Restarts", "string", ".status.containerStatuses[0].restartCount"), _AGE,
             Column("IP", "string", ".status.podIP", 1), Column("Node", "string", ".spec.nodeName", 1),
         )),
    Kind("", "v1", "endpoints", "Endpoints", short_names=("ep",), singular="endpoints",
         columns=(Column("Endpoints", "string", ".subsets[*].addresses[*].ip"), _AGE)),
    Kind("", "v1", "configmaps", "ConfigMap", short_names=("cm",), columns=(_AGE,)),
    Kind("", "v1", "secrets", "Secret", fields=frozenset({"type"}),
         columns=(Column("Type", "string", ".type"), _AGE)),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", short_names=("sa",), columns=(_AGE,), returns_deleted=True),
    Kind("", "v1", "events", "Event", short_names=("ev",), fields=_EVENT_FIELDS, columns=_EVENT_COLUMNS),
    Kind("events.k8s.io", "v1", "events", "Event", short_names=("ev",), storage="events", fields=_REGARDING_FIELDS,
         columns=_REGARDING_COLUMNS),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", generation=True,
         columns=(
             Column("AddressType", "string", ".addressType"), Column("Ports", "string", ".ports[*].port"),
             Column("Endpoints", "string", ".endpoints[*].addresses[*]"), _AGE,
         )),
    Kind("coordination.k8s.io", "v1", "leases", "Lease",
         columns=(Column("Holder", "string", ".spec.holderIdentity"), _AGE)),
)  # fmt: skip

EXTENSION: Final = (
    Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False,
         short_names=("crd", "crds"), categories=("api-extensions",), subresources=_STATUS, generation=True,
         columns=(Column("Created At", "date", ".metadata.creationTimestamp"),)),
    Kind("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
         namespaced=False, categories=("api-extensions",), generation=True, columns=(_AGE,)),
)  # fmt: skip

_KEPT: Final = (
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", False),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", False),
    ("apps", "deployments", "Deployment", True),
    ("apps", "daemonsets", "DaemonSet", True),
    ("apps", "statefulsets", "StatefulSet", True),
    ("apps", "replicasets", "ReplicaSet", True),
    ("batch", "jobs", "Job", True),
    ("policy", "poddisruptionbudgets", "PodDisruptionBudget", True),
    ("scheduling.k8s.io", "priorityclasses", "PriorityClass", False),
    ("flowcontrol.apiserver.k8s.io", "flowschemas", "FlowSchema", False),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "PriorityLevelConfiguration", False),
    ("networking.k8s.io", "networkpolicies", "NetworkPolicy", True),
    ("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", False),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", False),
    ("rbac.authorization.k8s.io", "roles", "Role", True),
    ("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", True),
)
_WITH_STATUS: Final = frozenset({"apps", "batch", "policy", "flowcontrol.apiserver.k8s.io"})
_SHORT: Final = {
    "deployments": ("deploy",), "daemonsets": ("ds",), "statefulsets": ("sts",), "replicasets": ("rs",),
    "poddisruptionbudgets": ("pdb",), "priorityclasses": ("pc",), "networkpolicies": ("netpol",),
}  # fmt: skip

KEPT: Final = tuple(
    Kind(
        group,
        "v1",
        plural,
        kind,
        namespaced=namespaced,
        short_names=_SHORT.get(plural, ()),
        subresources=_STATUS if group in _WITH_STATUS else frozenset(),
        generation="rbac" not in group,
        columns=(_AGE,),
    )
    for group, plural, kind, namespaced in _KEPT
)

KINDS: Final = (*CORE, *EXTENSION, *KEPT)
