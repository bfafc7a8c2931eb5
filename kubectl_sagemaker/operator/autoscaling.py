"""The pass over an autoscaling policy, which applies to variants of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.operator import objects, place, shapes
from kubectl_sagemaker.operator.place import Place

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws
    from kubectl_sagemaker.operator.rows import Input, Row

SERVICE: Final = "application-autoscaling"
POLICY_NAME: Final = "SageMakerEndpointInvocationScalingPolicy"
TARGET: Final = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
DEFAULTS: Final = {
    **TARGET,
    "PolicyType": "TargetTrackingScaling",
    "SuspendedState": {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    },
}
IN_SERVICE: Final = "InService"
CREATED: Final = "Created"
DELETING: Final = "Deleting"
WAIT_SECONDS: Final = 15.0
"""Between two looks at an endpoint that is not in service yet."""


def reconcile(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Apply the policy to each variant; after an edit, take it away everywhere and apply it again."""
    if objects.going(thing):
        if row.finalizer in objects.finalizers(thing):
            thing = objects.put_status(kube, row, thing, {row.state: DELETING}, now=now, whole=False)
            _take_away(thing, place.of(aws, thing, row))
            objects.release(kube, row.api, thing, row.finalizer)
        return None
    policy = thing["spec"].get("policyName") or POLICY_NAME
    thing = objects.hold(kube, row, thing, {"policyName": policy})
    there = place.of(aws, thing, row)
    variants = thing["spec"].get("resourceId") or []
    resources = [f"endpoint/{one.get('endpointName')}/variant/{one.get('variantName')}" for one in variants]
    asked = [(part, _asked(part, thing, policy)) for part in row.inputs]
    mark = "".join(shapes.digest(part.shape, request) for part, request in asked)
    applied = dig(thing, "status.resourceIDList") or []
    if (dig(thing, row.api.status), dig(thing, "status.specDigest"), applied) == (CREATED, mark, resources):
        return None
    for variant in variants:
        endpoint = there.describe("Endpoint", variant.get("endpointName") or "")
        if endpoint is None or endpoint["EndpointStatus"] != IN_SERVICE:
            text = (
                f"endpoint {variant.get('endpointName')} is {endpoint['EndpointStatus'] if endpoint else 'not there'}"
            )
            status = {row.state: row.waiting, "additional": text}
            objects.put_status(kube, row, thing, status, now=now, whole=False)
            return now + WAIT_SECONDS
    _take_away(thing, there)
    # The list first: when this process dies in between, the next one knows where to take it away.
    opening = {row.state: row.waiting, row.name_property: policy, "resourceIDList": resources}
    thing = objects.put_status(kube, row, thing, opening, now=now)
    for resource in resources:
        for part, request in asked:
            there.call(part.operation, {**request, "ResourceId": resource}, service=part.service)
    objects.event(kube, row, thing, "Created", f"policy {policy} on {', '.join(resources)}", now=now)
    objects.put_status(kube, row, thing, {**opening, row.state: CREATED, "specDigest": mark}, now=now)
    return None


def _asked(part: Input, thing: Object, policy: str) -> dict[str, Any]:
    """A request without its resource."""
    spec = {name: value for name, value in thing["spec"].items() if value != ""}
    defaults = {name: value for name, value in DEFAULTS.items() if name in part.shape.members}
    return defaults | part.request({**spec, "policyName": policy})


def _take_away(thing: Object, there: Place) -> None:
    """Delete the policy wherever it was applied, and the scalable target with its last policy."""
    policy = dig(thing, "status.policyName")
    for resource in dig(thing, "status.resourceIDList") or ():
        target = {**TARGET, "ResourceId": resource}
        there.find("DeleteScalingPolicy", {**target, "PolicyName": policy}, service=SERVICE)
        # Another object's policy may stand on the same variant; deregistering would delete it.
        policies = there.call("DescribeScalingPolicies", target, service=SERVICE, needs=("ScalingPolicies",))
        if not policies["ScalingPolicies"]:
            there.find("DeregisterScalableTarget", target, service=SERVICE)
