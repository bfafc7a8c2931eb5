"""Application Auto Scaling: scalable targets and their policies, which nothing here scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kubectl_sagemaker.sandbox.protocol import AwsError

Parameters = Mapping[str, Any]
KEY: Final = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ScalingStore:
    """One account's scalable targets and policies."""

    def __init__(self, now: Callable[[], float], arn: Callable[[str], str]) -> None:
        """`now` is the clock in epoch seconds; `arn` names a resource."""
        self._now = now
        self._arn = arn
        self._targets: dict[tuple[str, ...], dict[str, Any]] = {}
        self._policies: dict[tuple[str, ...], dict[str, Any]] = {}

    def call(self, operation: str, parameters: Parameters) -> dict[str, Any]:
        """Answer one operation with checked parameters; raise AwsError."""
        serve = {
            "RegisterScalableTarget": self._register,
            "DeregisterScalableTarget": self._deregister,
            "DescribeScalableTargets": self._describe_targets,
            "PutScalingPolicy": self._put,
            "DeleteScalingPolicy": self._delete,
            "DescribeScalingPolicies": self._describe_policies,
        }.get(operation)
        if serve is None:
            raise AwsError("UnknownOperationException", "")
        return serve(parameters)

    def _register(self, parameters: Parameters) -> dict[str, Any]:
        key = _key(parameters)
        known = self._targets.get(key)
        if known is None and not {"MinCapacity", "MaxCapacity"} <= parameters.keys():
            raise AwsError("ValidationException", "Parameter MinCapacity or MaxCapacity is missing")
        self._targets[key] = {"CreationTime": self._now(), **(known or {}), **parameters}
        return {"ScalableTargetARN": self._arn(f"scalable-target/{len(self._targets)}")}

    def _deregister(self, parameters: Parameters) -> dict[str, Any]:
        key = _key(parameters)
        self._existing(key)
        del self._targets[key]
        for policy in [policy for policy in self._policies if policy[: len(key)] == key]:
            del self._policies[policy]
        return {}

    def _describe_targets(self, parameters: Parameters) -> dict[str, Any]:
        wanted = parameters.get("ResourceIds")
        shown = ("MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState", "CreationTime", *KEY)
        return {
            "ScalableTargets": [
                {"RoleARN": self._arn("role"), **{name: target[name] for name in shown if name in target}}
                for target in self._targets.values()
                if wanted is None or target["ResourceId"] in wanted
            ]
        }

    def _put(self, parameters: Parameters) -> dict[str, Any]:
        key = _key(parameters)
        self._existing(key)
        policy = {"CreationTime": self._now(), "PolicyARN": self._arn(f"policy/{parameters['PolicyName']}")}
        self._policies[*key, parameters["PolicyName"]] = {**policy, **parameters}
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    def _delete(self, parameters: Parameters) -> dict[str, Any]:
        if self._policies.pop((*_key(parameters), parameters["PolicyName"]), None) is None:
            text = f"No scaling policy found for service namespace: sagemaker, resource ID: {parameters['ResourceId']}"
            raise AwsError("ObjectNotFoundException", text)
        return {}

    def _describe_policies(self, parameters: Parameters) -> dict[str, Any]:
        wanted = parameters.get("ResourceId")
        policies = [one for one in self._policies.values() if wanted is None or one["ResourceId"] == wanted]
        return {"ScalingPolicies": policies}

    def _existing(self, key: tuple[str, ...]) -> None:
        if key not in self._targets:
            text = f"No scalable target found for service namespace: {key[0]}, resource ID: {key[1]}"
            raise AwsError("ObjectNotFoundException", text)


def _key(parameters: Parameters) -> tuple[str, ...]:
    return tuple(parameters[name] for name in KEY)
