"""Every error that AWS documents for every operation that the operator calls: told, and healed from."""

from __future__ import annotations

from typing import Final

import pytest

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.operator import iam
from kubectl_sagemaker.operator.place import Refused
from kubectl_sagemaker.operator.polling import Polling
from kubectl_sagemaker.operator.queue import Key
from kubectl_sagemaker.operator.rows import ROWS
from kubectl_sagemaker.operator.shapes import service_model
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from tests.lab import ROW, Lab
from tests.specs import EDITS, ENDPOINT, JOBS, SPECS

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


UNASKED: Final = {"AddTags"}
"""What no pass calls: IAM asks for the permission where a Create has tags."""
POLLED: Final = {row.lists for row in ROWS if row.lists} | {row.children.lists for row in ROWS if row.children}
"""What is asked beside the passes."""


def operations() -> dict[str, str]:
    """The services of the operations that the operator's own policy allows it, but for those that nothing calls."""
    named = [name.partition(":")[::2] for name in iam.operations()]
    return {operation: service for service, operation in named if operation not in UNASKED}


def documented(operation: str) -> dict[str, int]:
    """An operation's errors, with their statuses: the model's own and the common ones."""
    model = service_model(operations()[operation]).operation_model(operation)
    own = {shape.name: shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in model.error_shapes}
    return {**COMMON, **own}


def kind_of(operation: str) -> str:
    """A kind whose pass calls an operation."""
    if "Scal" in operation:
        return "hostingautoscalingpolicy"
    named = [one for one in ROW if operation.endswith(ROW[one].kind.name)]
    return "hostingdeployment" if operation.endswith("Endpoint") else named[0]


def _lab() -> Lab:
    """One in which jobs run for ten minutes, and an endpoint is in service that a policy can be applied to."""
    lab = Lab()
    ends = {ROW[singular].kind.name for singular in JOBS}
    lab.account.jobs.lifecycle = lambda kind, parameters: (
        (Stage(0, "InProgress", "Training"), Stage(600, "Completed", "Completed"))
        if kind in ends
        else ordinary(kind, parameters)
    )
    lab.account.jobs.put("Endpoint", ENDPOINT, (Stage(0, "InService"),))
    return lab


def _lives(lab: Lab, singular: str, where: str) -> None:
    """Make an object, edit it and delete it, and look at all after each."""
    lab.apply(singular, "x", SPECS[singular])
    _looks(lab, where)
    lab.edit(singular, "x", EDITS[singular])
    _looks(lab, where)
    lab.delete(singular, "x")
    _looks(lab, where)


@pytest.mark.parametrize("operation", sorted(operations().keys() - POLLED))
def test_whatever_aws_says_is_told_and_healed_from(operation: str) -> None:
    singular = kind_of(operation)
    errors = documented(operation)
    assert errors.keys() >= COMMON.keys()
    for code, status in errors.items():
        lab, where = _lab(), f"{operation}: {code}"
        lab.refuse(operation, code, "as documented", status=status)
        _lives(lab, singular, where)
        assert lab.asked(operation) > 0, f"{where}: it was never asked for"
        lab.heal()
        _looks(lab, where)
        assert not any(lab.all(one) for one in ROW), f"{where}: it hangs"
        lab.clock.advance(600)
        running = [name for kind, name in lab.account.jobs._resources if _runs(lab, kind, name)]
        assert running == [ENDPOINT], f"{where}: left in SageMaker"


@pytest.mark.parametrize("operation", sorted(operations().keys() - POLLED))
def test_an_answer_that_breaks_off_is_told_and_healed_from(operation: str) -> None:
    """To botocore it is an empty one. What was asked for is carried out all the same."""
    singular, lab = kind_of(operation), _lab()
    lab.account.faults = Faults(0, {Fault.CUT: 1.0}, operations=[operation])
    _lives(lab, singular, operation)
    assert lab.asked(operation) > 0
    lab.account.faults = None
    _looks(lab, operation)
    assert not any(lab.all(one) for one in ROW)
    kind = ROW[singular].kind.name
    assert singular not in JOBS or lab.asked(f"Create{kind}") == 1
    assert [name for kind, name in lab.account.jobs._resources if _runs(lab, kind, name)] == [ENDPOINT]


@pytest.mark.parametrize("operation", sorted(POLLED))
def test_whatever_a_list_is_refused_with_changes_are_seen_in_time(operation: str) -> None:
    """At once when it is answered again; while it is refused for good, within half a minute."""
    singular = next(one for one in ROW if operation in {ROW[one].lists, f"List{ROW[one].kind.name}s"})
    row = ROW[singular]
    before, after = ("Creating", "InService") if row.kind.name == "Endpoint" else ("InProgress", "Completed")
    for code, status in documented(operation).items():
        lab, where = Lab(), f"{operation}: {code}"
        lab.account.jobs.lifecycle = lambda kind, parameters: (Stage(0, before), Stage(100, after))
        polling = Polling(lab.aws, ROWS, now=lab.clock)
        lab.apply(singular, "x", SPECS[singular])
        lab.settle(4)
        _polls(lab, polling, 2)
        assert lab.status(singular, "x")[row.state] == before, where
        lab.refuse(operation, code, "as documented", status=status)
        _polls(lab, polling, 21)
        told = lab.status(singular, "x")[row.state]
        assert told == (before if code in PASSING else after), where
        lab.heal()
        _polls(lab, polling, 1)
        assert lab.status(singular, "x")[row.state] == after, where


PASSING: Final = {
    "InternalFailure",
    "RequestAbortedException",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ThrottlingException",
}
"""What is over after a while: nothing else is asked meanwhile."""


def _polls(lab: Lab, polling: Polling, count: int) -> None:
    """Ask the lists every 5 s, and look at what they show."""
    for _ in range(count):
        lab.clock.advance(5)
        things = [
            (Key(ROW[one].api.resource, "default", thing["metadata"]["name"]), thing)
            for one in ROW
            for thing in lab.all(one)
        ]
        for key in set(polling.step(things)):
            one = next(one for one in ROW if ROW[one].api.resource == key.resource)
            if lab.there(one, key.name):
                lab.look(one, key.name)


def _looks(lab: Lab, where: str) -> None:
    """Look at everything for a while: each look goes well, or is refused with words of AWS's in the status."""
    for _ in range(6):
        _look(lab, where)
        lab.clock.advance(8)


def _look(lab: Lab, where: str) -> None:
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
