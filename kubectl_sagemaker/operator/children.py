"""The jobs that SageMaker starts for a tuning job, as objects beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.errors import NotFound
from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.operator import objects, shapes

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Api, Kind
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Place
    from kubectl_sagemaker.operator.rows import Row

FINALIZER: Final = "sagemaker-operator-hpo-trainingjob"
"""Holds a child for as long as its parent is there."""
SHARED: Final = ("region", "sageMakerEndpoint")
"""What a child's spec has of its parent's."""


@dataclass(frozen=True, slots=True)
class Children:
    """What a parent's children are."""

    kind: Kind
    api: Api

    @property
    def lists(self) -> str:
        """The operation that lists all of SageMaker's, theirs among them."""
        return f"List{self.kind.name}s"


def is_child(thing: Object) -> bool:
    """Whether SageMaker started an object's job, rather than the operator."""
    return objects.OWNER in (thing["metadata"].get("labels") or {})


def appear(children: Children, row: Row, parent: Object, kube: Kube, there: Place, name: str) -> None:
    """Make an object for each job of the parent's that has none."""
    kind, api = children.kind, children.api
    known = {dig(child, path) for child in objects.owned(kube, api, parent) for path in api.job_name}
    member, create = f"{kind.name}Name", shapes.input_shape("sagemaker", f"Create{kind.name}")
    for summary in there.listed(f"List{kind.name}sFor{row.kind.name}", {f"{row.kind.name}Name": name}):
        if summary[member] in known or (answer := there.describe(kind.name, summary[member])) is None:
            continue
        spec: dict[str, Any] = shapes.properties(create, answer)
        spec |= {shared: parent["spec"][shared] for shared in SHARED if parent["spec"].get(shared)}
        name_there, held = objects.object_name(summary[member]), (objects.FINALIZER, FINALIZER)
        objects.make(kube, api, parent, row.api, name_there, spec, held=held)


def go(children: Children, parent: Object, kube: Kube) -> None:
    """Delete a parent's children, each of which goes once its job has ended."""
    for child in objects.owned(kube, children.api, parent):
        objects.release(kube, children.api, child, FINALIZER)
        objects.remove(kube, children.api, child)


def let_go(row: Row, child: Object, kube: Kube) -> None:
    """Let a child go whose parent has gone without it."""
    parent = objects.owner_of(child)
    try:
        if parent is not None:
            kube.get(parent[0], child["metadata"]["namespace"], parent[1])
    except NotFound:
        objects.release(kube, row.api, child, FINALIZER)
