"""The pass over what SageMaker keeps and cannot change: models and endpoint configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.operator import objects, place, shapes

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws
    from kubectl_sagemaker.operator.rows import Row

CREATED: Final = "Created"
DELETING: Final = "Deleting"


def reconcile(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Create what an object asks for; when it asks for something else, delete that and create this."""
    kind, member = row.kind.name, f"{row.kind.name}Name"
    name = objects.generated(thing, row.name_limit)
    if objects.going(thing):
        if row.finalizer in objects.finalizers(thing):
            thing = objects.put_status(kube, row, thing, {row.state: DELETING}, now=now, whole=False)
            place.of(aws, thing, row).find(f"Delete{kind}", {member: name})
            objects.release(kube, row.api, thing, row.finalizer)
        return None
    thing = objects.hold(kube, row, thing, {})
    there = place.of(aws, thing, row)
    asked = {**row.inputs[0].request(thing["spec"]), member: name}
    mark, known = shapes.digest(row.inputs[0].shape, asked), dig(thing, "status.specDigest")
    if dig(thing, row.api.status) == CREATED and known == mark:
        return None
    answer = there.describe(kind, name)
    if answer is not None and known not in {None, mark}:
        there.find(f"Delete{kind}", {member: name})
        answer = None
    if answer is None:
        if known != mark:
            # The digest first: when this process dies right here, the next one knows what SageMaker was given.
            opening = {row.state: row.waiting, "specDigest": mark}
            thing = objects.put_status(kube, row, thing, opening, now=now)
        there.call(f"Create{kind}", asked)
        objects.event(kube, row, thing, "Created", f"{kind} {name} in {there.region}", now=now)
        answer = there.call(f"Describe{kind}", {member: name}, needs=(member,))
    status = {row.state: CREATED, row.name_property: name, "specDigest": mark}
    status |= shapes.properties(row.described, answer, only=row.shown)
    objects.put_status(kube, row, thing, status, now=now)
    return None
