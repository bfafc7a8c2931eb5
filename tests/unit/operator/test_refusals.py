"""Every error that AWS documents for the operations that passes call, at every one of them: told, and healed from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.operator import iam
from kubectl_sagemaker.operator.place import Refused
from kubectl_sagemaker.operator.shapes import service_model
from tests.lab import ROW, Lab
from tests.specs import JOBS, SCALING, SPECS

COMMON: Final = {
    "AccessDeniedException": 400,
    "ExpiredTokenException": 403,
    "IncompleteSignature": 403,
    "InternalFailure": 500,
    "InvalidClientTokenId": 403,
    "MalformedHttpRequestException": 400,
    "NotAuthorized": 401,
    "OptInRequired": 403,
    "RequestAbortedException": 400,
    "RequestEntityTooLargeException": 413,
    "RequestExpired": 400,
    "RequestTimeoutException": 408,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "UnrecognizedClientException": 403,
    "ValidationError": 400,
    "ValidationException": 400,
}
"""SageMaker's common errors (https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html)."""


def documented() -> Iterator[tuple[str, str, int]]:
    """Operation, error and status: the model's own errors and the common ones."""
    for name in iam.operations():
        service, _, operation = name.partition(":")
        if operation == "AddTags" or operation.startswith("List"):
            continue
        model = service_model(service).operation_model(operation)
        own = {shape.name: shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in model.error_shapes}
        for code, status in {**COMMON, **own}.items():
            yield operation, code, status


def kinds_of(operation: str) -> list[str]:
    """The kinds whose passes call an operation."""
    if "Scal" in operation:
        return ["hostingautoscalingpolicy"]
    named = [one for one in ROW if operation.removesuffix(ROW[one].kind.name) != operation]
    return ["hostingdeployment"] if operation.endswith("Endpoint") else named


@pytest.mark.parametrize("operation", sorted({operation for operation, _, _ in documented()}))
def test_whatever_aws_says_is_told_and_healed_from(operation: str) -> None:
    errors = [(code, status) for name, code, status in documented() if name == operation]
    assert len(errors) >= len(COMMON)
    for singular in kinds_of(operation)[:1]:
        for code, status in errors:
            lab = Lab()
            scaled = singular == "hostingautoscalingpolicy"
            if scaled:
                lab.account.jobs.put("Endpoint", "endpoint-1", lab.account.jobs.lifecycle("Endpoint", {}))
                lab.clock.advance(60)
            lab.refuse(operation, code, "as documented", status=status)
            lab.apply(singular, "x", SCALING if scaled else SPECS[singular])
            where = f"{operation}: {code}"
            _looks(lab, where)
            lab.edit(singular, "x", {"kmsKeyId": "k"} if singular == "hostingdeployment" else {"tags": []})
            _looks(lab, where)
            lab.delete(singular, "x")
            _looks(lab, where)
            lab.heal()
            for _ in range(12):
                _looks(lab, where)
                lab.clock.advance(10)
            assert not any(lab.all(one) for one in ROW), f"{where}: it hangs"
            running = [name for kind, name in lab.account.jobs._resources if _runs(lab, kind, name)]
            assert running == (["endpoint-1"] if scaled else []), f"{where}: left in SageMaker"


def _looks(lab: Lab, where: str) -> None:
    """Looks at everything: each goes well, or is refused with words of AWS's in the status; nothing else."""
    for singular in ROW:
        for thing in lab.all(singular):
            name = thing["metadata"]["name"]
            try:
                lab.look(singular, name)
            except Refused as refused:
                if lab.status(singular, name).get("additional", "") != refused.error.message:
                    pytest.fail(f"{where}: {refused.error.message} is not told")
            except Error as error:
                pytest.fail(f"{where}: {error.message}")


def _runs(lab: Lab, kind: str, name: str) -> bool:
    state = lab.sagemaker(kind, name)
    return state is not None and state.get(f"{kind}Status") not in {"Completed", "Failed", "Stopped"}


@pytest.mark.parametrize("singular", JOBS)
@pytest.mark.parametrize("seconds", [0.0, 3.0, 5.0, 25.0, 60.0])
def test_an_object_is_edited_in_every_state(singular: str, seconds: float) -> None:
    lab = Lab()
    lab.apply(singular, "x", SPECS[singular])
    if seconds:
        lab.look(singular, "x")
    lab.clock.advance(seconds)
    lab.look(singular, "x")
    kind = ROW[singular].kind.name
    lab.edit(singular, "x", {"tags": [{"key": "a", "value": "b"}], "roleArn": "arn:aws:iam::123456789012:role/other"})
    lab.settle(10)
    assert lab.asked(f"Create{kind}") == 1
    lab.delete(singular, "x")
    lab.edit(singular, "x", {"tags": []}) if lab.there(singular, "x") else None
    lab.settle(4)
    assert not lab.there(singular, "x")
