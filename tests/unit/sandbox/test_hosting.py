"""What the sandbox's account does with endpoints that change and go, and with their scaling policies."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.protocol import AwsError
from tests.transport import Clock, bind, connect

CONFIG: Any = {
    "ProductionVariants": [
        {"VariantName": "all", "ModelName": "m", "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
    ]
}
TARGET: Any = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/e/variant/all",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


@pytest.fixture
def clock() -> Clock:
    return Clock(1_750_000_000.0)


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(now=clock)


@pytest.fixture
def sagemaker(account: Account) -> Any:
    client = connect("sagemaker", account)
    bind(client, account)
    for name in ("one", "two"):
        client.create_endpoint_config(EndpointConfigName=name, **CONFIG)
    return client


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as raised:
        call(**parameters)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_endpoint_is_updated_without_a_gap(sagemaker: Any, clock: Clock) -> None:
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    update = {"EndpointName": "e", "EndpointConfigName": "two"}
    assert "Cannot update in-progress endpoint" in refused(sagemaker.update_endpoint, **update)[1]
    clock.advance(60)
    sagemaker.update_endpoint(**update)
    state = sagemaker.describe_endpoint(EndpointName="e")
    assert (state["EndpointStatus"], state["EndpointConfigName"]) == ("Updating", "one")
    clock.advance(60)
    state = sagemaker.describe_endpoint(EndpointName="e")
    assert (state["EndpointStatus"], state["EndpointConfigName"]) == ("InService", "two")
    assert state["ProductionVariants"][0]["DesiredInstanceCount"] == 2


def test_an_endpoint_is_deleting_and_then_gone(sagemaker: Any, clock: Clock) -> None:
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    assert refused(sagemaker.delete_endpoint, EndpointName="e")[0] == "ValidationException"
    clock.advance(60)
    sagemaker.delete_endpoint(EndpointName="e")
    assert sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "Deleting"
    clock.advance(60)
    assert "Could not find endpoint" in refused(sagemaker.describe_endpoint, EndpointName="e")[1]
    assert sagemaker.list_endpoints()["Endpoints"] == []
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="two")


def test_an_endpoint_needs_its_configuration(sagemaker: Any) -> None:
    sagemaker.delete_endpoint_config(EndpointConfigName="one")
    code, message = refused(sagemaker.create_endpoint, EndpointName="e", EndpointConfigName="one")
    assert (code, message.split(' "')[0]) == ("ValidationException", "Could not find endpoint config")


def test_a_policy_needs_a_target_and_goes_with_it(account: Account) -> None:
    scaling = connect("application-autoscaling", account)
    bind(scaling, account)
    policy = {**TARGET, "PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    policy["TargetTrackingScalingPolicyConfiguration"] = {"TargetValue": 60.0}
    assert refused(scaling.put_scaling_policy, **policy)[0] == "ObjectNotFoundException"
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)
    scaling.put_scaling_policy(**policy)
    described = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=TARGET["ResourceId"])
    assert [one["PolicyName"] for one in described["ScalingPolicies"]] == ["p"]
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]["MaxCapacity"] == 2
    scaling.deregister_scalable_target(**TARGET)
    assert scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []


def test_an_answer_can_be_refused(account: Account, sagemaker: Any) -> None:
    account.refuses = lambda operation, given: AwsError("ResourceLimitExceeded", operation)
    assert refused(sagemaker.list_endpoints) == ("ResourceLimitExceeded", "ListEndpoints")
