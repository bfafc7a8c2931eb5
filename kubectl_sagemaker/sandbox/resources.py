"""What the embedded Kubernetes API serves: one row for each resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kubectl_sagemaker import kinds
from kubectl_sagemaker.columns import AGE, COLUMNS, Column

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """A row. `fields` are the paths that a field selector can ask for."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    custom: bool = False
    """Made by a CRD."""
    with_status: bool = False
    """Its objects have a generation, and a status subresource that leaves it alone."""
    verbs: tuple[str, ...] = ALL_VERBS
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`plural.group`, or `plural` in the core group: what error messages and the store call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """`/apis/GROUP/VERSION`, or `/api/v1`."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"


REVIEWED: Final = ("create",)
NAMES: Final = ("metadata.name", "metadata.namespace")
RBAC: Final = "rbac.authorization.k8s.io"

BUILT_IN: Final = (
    Resource(
        "",
        "v1",
        "namespaces",
        "Namespace",
        namespaced=False,
        verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
        short_names=("ns",),
        columns=(Column("Status", "status.phase"), AGE),
        fields=("metadata.name", "status.phase"),
    ),
    Resource(
        "",
        "v1",
        "events",
        "Event",
        short_names=("ev",),
        columns=(
            Column("Last Seen", "lastTimestamp", type="date"),
            Column("Type", "type"),
            Column("Reason", "reason"),
            Column("Object", "involvedObject.name"),
            Column("Message", "message"),
        ),
        fields=(
            "metadata.name",
            "metadata.namespace",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ),
    ),
    Resource(
        "coordination.k8s.io",
        "v1",
        "leases",
        "Lease",
        columns=(Column("Holder", "spec.holderIdentity"), AGE),
        fields=NAMES,
    ),
    # What the operator's installer applies.
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
        with_status=True,
        short_names=("crd", "crds"),
        columns=(Column("Created At", "metadata.creationTimestamp"),),
        fields=("metadata.name",),
    ),
    Resource("", "v1", "serviceaccounts", "ServiceAccount", short_names=("sa",), columns=(AGE,), fields=NAMES),
    Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False, columns=(AGE,), fields=("metadata.name",)),
    Resource(
        RBAC,
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        namespaced=False,
        columns=(Column("Role", "roleRef.name"), AGE),
        fields=("metadata.name",),
    ),
    Resource(RBAC, "v1", "roles", "Role", columns=(AGE,), fields=NAMES),
    Resource(RBAC, "v1", "rolebindings", "RoleBinding", columns=(Column("Role", "roleRef.name"), AGE), fields=NAMES),
    Resource(
        "apps",
        "v1",
        "deployments",
        "Deployment",
        with_status=True,
        short_names=("deploy",),
        columns=(
            Column("Up-to-date", "status.updatedReplicas", type="integer"),
            Column("Available", "status.availableReplicas", type="integer"),
            AGE,
        ),
        fields=NAMES,
    ),
    Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False, verbs=REVIEWED),
    Resource(
        "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False, verbs=REVIEWED
    ),
)


def _custom(api: kinds.Api) -> Resource:
    return Resource(
        api.group.name,
        api.group.version,
        api.plural,
        api.kind,
        custom=True,
        with_status=True,
        short_names=api.short_names,
        columns=COLUMNS.get(api.resource, (AGE,)),
        fields=NAMES,
    )


def _rows() -> Iterator[Resource]:
    yield from BUILT_IN
    for kind in kinds.KINDS:
        yield from map(_custom, kind.apis)


RESOURCES: Final[Mapping[str, Resource]] = MappingProxyType({row.name: row for row in _rows()})
"""Every resource by its `name`, which for a kinds.Api is `api.resource`."""
