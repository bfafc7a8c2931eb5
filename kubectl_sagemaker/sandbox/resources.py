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
    """Made by a CRD: its objects have a generation and a status subresource."""
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
        fields=("metadata.name", "metadata.namespace"),
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
        short_names=api.short_names,
        columns=COLUMNS.get(api.resource, (AGE,)),
        fields=("metadata.name", "metadata.namespace"),
    )


def _rows() -> Iterator[Resource]:
    yield from BUILT_IN
    for kind in kinds.KINDS:
        yield from map(_custom, kind.apis)


RESOURCES: Final[Mapping[str, Resource]] = MappingProxyType({row.name: row for row in _rows()})
"""Every resource by its `name`, which for a kinds.Api is `api.resource`."""
