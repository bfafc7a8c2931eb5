"""What installs the operator in a cluster: definitions, namespace, rights, account, lease and deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubectl_sagemaker.kinds import LEGACY
from kubectl_sagemaker.operator import crds
from kubectl_sagemaker.operator.deployments import PARTS
from kubectl_sagemaker.operator.rows import ROWS

NAMESPACE: Final = LEGACY.home
ACCOUNT: Final = "sagemaker-k8s-operator-default"
"""Trust policies of IAM cite the namespace and this ServiceAccount."""
NAME: Final = "sagemaker-k8s-operator"
LEASE: Final = "sagemaker-operator"
PORT: Final = 8080
LABELS: Final = {"app.kubernetes.io/name": NAME}
MADE: Final = frozenset({*(api.plural for api in PARTS), *(row.children.api.plural for row in ROWS if row.children)})
"""Resources whose objects the operator makes for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person decides of an installation."""

    image: str
    replicas: int = 2
    role_arn: str | None = None
    """For IAM roles for service accounts; None where Pod Identity or the nodes give a role."""


def objects(choice: Choice) -> list[dict[str, Any]]:
    """Everything, in the order in which it is to be applied."""
    return [*crds.definitions(), *_namespace(choice), *_rights(), _deployment(choice)]


def _namespaced(api_version: str, kind: str, name: str, **members: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": dict(LABELS)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


def _cluster_wide(api_version: str, kind: str, name: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": dict(LABELS)}, **members}


def _namespace(choice: Choice) -> list[dict[str, Any]]:
    namespace = _cluster_wide("v1", "Namespace", NAMESPACE)
    namespace["metadata"]["labels"] |= {"pod-security.kubernetes.io/enforce": "restricted"}
    account = _namespaced("v1", "ServiceAccount", ACCOUNT)
    if choice.role_arn:
        account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": choice.role_arn}
    # There from the beginning, so that its name is all that the operator may touch: a right to create has no names.
    lease = _namespaced("coordination.k8s.io/v1", "Lease", LEASE)
    return [namespace, account, lease]


def _rights() -> list[dict[str, Any]]:
    """What the operator may do: no more than the tests need that run under just this."""
    group = [LEGACY.name]
    everything = sorted(row.api.plural for row in ROWS if row.api.group is LEGACY)
    rules: list[Mapping[str, Any]] = [
        {"apiGroups": group, "resources": everything, "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": group, "resources": [f"{plural}/status" for plural in everything], "verbs": ["patch"]},
        {"apiGroups": group, "resources": sorted(MADE), "verbs": ["create", "delete"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    held = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [LEASE],
        "verbs": ["get", "update"],
    }
    version, subject = "rbac.authorization.k8s.io/v1", {"kind": "ServiceAccount", "name": ACCOUNT}
    subjects = [{**subject, "namespace": NAMESPACE}]

    def of(kind: str) -> dict[str, str]:
        return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME}

    return [
        _cluster_wide(version, "ClusterRole", NAME, rules=rules),
        _cluster_wide(version, "ClusterRoleBinding", NAME, roleRef=of("ClusterRole"), subjects=subjects),
        _namespaced(version, "Role", NAME, rules=[held]),
        _namespaced(version, "RoleBinding", NAME, roleRef=of("Role"), subjects=subjects),
    ]


def _deployment(choice: Choice) -> dict[str, Any]:
    def probe(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "health"}, "periodSeconds": 10, "timeoutSeconds": 5}

    arguments = ["operator", "run", "--log-format=json", f"--health=0.0.0.0:{PORT}", f"--lease-namespace={NAMESPACE}"]
    container = {
        "name": "operator",
        "image": choice.image,
        "command": ["kubectl-sagemaker"],
        "args": arguments,
        # HOME: kubeconfig and AWS files are looked for, and written, nowhere else.
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108  # a folder of the pod's own
        "ports": [{"name": "health", "containerPort": PORT}],
        "livenessProbe": {**probe("/healthz"), "initialDelaySeconds": 10, "failureThreshold": 6},
        "readinessProbe": probe("/readyz"),
        # 106 MB measured at rest; 1,000 objects take 20 MB more.
        "resources": {"requests": {"cpu": "100m", "memory": "150Mi"}, "limits": {"memory": "400Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  # a folder of the pod's own
    }
    pod = {
        "serviceAccountName": ACCOUNT,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            # Group 65532 reads the web identity's token.
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 45,
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)}
    template = {"metadata": {"labels": dict(LABELS), "annotations": scraped}, "spec": pod}
    spec = {"replicas": choice.replicas, "selector": {"matchLabels": dict(LABELS)}, "template": template}
    return _namespaced("apps/v1", "Deployment", NAME, spec=spec)


PATHS: Final[Mapping[str, str]] = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "Lease": f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
    "Deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
}
"""Where the API server keeps each kind."""


def path(thing: Mapping[str, Any]) -> str:
    """The API server's path of one of the objects."""
    return f"{PATHS[thing['kind']]}/{thing['metadata']['name']}"
