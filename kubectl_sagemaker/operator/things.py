"""The pass over what ACK's objects keep in SageMaker, such as models: created, shown, updated, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.operator import objects, place, shapes
from kubectl_sagemaker.operator.jobs import POLL_SECONDS, REST_SECONDS, name_of

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws
    from kubectl_sagemaker.operator.rows import Row

MOVING: Final = frozenset({"Creating", "Updating", "Deleting", "Pending", "InProgress", "CreateInProgress"})
"""States that pass by themselves; of what no list shows, it is looked when they have."""


def reconcile(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Bring what SageMaker keeps and what the object asks for together."""
    kind, member, name = row.kind.name, f"{row.kind.name}Name", name_of(row, thing)
    there = place.of(aws, thing, row)
    answer = there.describe(kind, name)
    state = answer.get(f"{kind}Status") if answer else None
    if objects.going(thing):
        if answer is not None and state != "Deleting":
            there.find(f"Delete{kind}", {member: name})
        if state is not None and row.finalizer in objects.finalizers(thing):
            return now + POLL_SECONDS
        objects.release(kube, row.api, thing, row.finalizer)
        return None
    thing = objects.hold(kube, row, thing, {})
    asked = {**row.inputs[0].request(thing["spec"]), member: name}
    if answer is None:
        there.call(f"Create{kind}", asked)
        objects.event(kube, row, thing, "Created", f"{kind} {name} in {there.region}", now=now)
        answer = there.call(f"Describe{kind}", {member: name}, needs=(f"{kind}Arn",))
    elif state == "InService" and answer.get("EndpointConfigName") != asked.get("EndpointConfigName"):
        there.call(f"Update{kind}", {member: name, "EndpointConfigName": asked["EndpointConfigName"]})
        answer = there.call(f"Describe{kind}", {member: name}, needs=(f"{kind}Arn",))
    status = dict(row.dialect.there(row, name, there, answer))
    status |= shapes.properties(row.described, answer, only=row.shown)
    objects.put_status(kube, row, thing, status, now=now)
    state = answer.get(f"{kind}Status")
    if state is None:
        return None
    return now + (POLL_SECONDS if row.lists is None and state in MOVING else REST_SECONDS)
