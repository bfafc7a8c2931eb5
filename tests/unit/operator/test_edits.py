"""An object is edited in every state, and between any two requests of a look: what it asks for is there in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from kubectl_sagemaker.operator.place import Refused
from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from tests.lab import ROW, Killed, Lab
from tests.specs import EDITS, ENDPOINT, JOBS, SPECS

IN_SERVICE: Final = "InService"
DELETED: Final = "Deleting"
"""A job or an endpoint that somebody else deletes: what an object says then is not followed further here."""
STATES: Final = [
    (singular, state)
    for singular, row in ROW.items()
    if row.lists
    for state in row.described.members[f"{row.kind.name}Status"].metadata["enum"]
]
"""Every state that SageMaker documents of what has states."""


def _lab(singular: str, *, first: str | None = None) -> Lab:
    """One in which what is made stays in its first state for a minute, and then goes on to a good end."""
    lab, row = Lab(), ROW[singular]
    lab.account.jobs.put("Endpoint", ENDPOINT, (Stage(0, IN_SERVICE),))
    made: list[str] = []

    def lifecycle(kind: str, parameters: Any) -> Any:
        if kind != row.kind.name:
            return ordinary(kind, parameters)
        made.append(kind)
        begins = first if first and len(made) == 1 else "Creating" if kind == "Endpoint" else "InProgress"
        if row.kind.ended(begins) or begins in {"Failed", "UpdateRollbackFailed"}:
            return (Stage(0, begins, begins),)
        return (Stage(0, begins), Stage(60, IN_SERVICE if kind == "Endpoint" else "Completed"))

    lab.account.jobs.lifecycle = lifecycle
    return lab


def _made(lab: Lab, singular: str) -> dict[str, Any]:
    """What SageMaker has of the object."""
    row = ROW[singular]
    if singular == "hostingautoscalingpolicy":
        (target,) = lab.account.scaling.call("DescribeScalableTargets", {})["ScalableTargets"]
        return dict(target)
    return lab.sagemaker(row.kind.name, lab.status(singular, "x")[row.name_property]) or {}


def _is_edited(lab: Lab, singular: str) -> bool:
    """Whether SageMaker has what the edit asks for."""
    made = _made(lab, singular)
    match singular:
        case "model":
            return bool(made["PrimaryContainer"]["Image"] == "other")
        case "endpointconfig":
            return made.get("KmsKeyId") == "key"
        case "hostingdeployment":
            config = lab.sagemaker("EndpointConfig", made["EndpointConfigName"]) or {}
            return config.get("KmsKeyId") == "key"
        case "hostingautoscalingpolicy":
            return bool(made["MaxCapacity"] == 5)
    raise AssertionError(singular)


def _is_right(lab: Lab, singular: str) -> None:
    """What holds in the end: a job is as it was begun, and was begun once; all else is as it was edited."""
    kind = ROW[singular].kind.name
    if singular in JOBS:
        assert lab.granted(f"Create{kind}") == 1
    else:
        assert _is_edited(lab, singular)
    assert len(lab.all("model")) <= 2
    assert len(lab.all("endpointconfig")) <= 1
    status = lab.status(singular, "x")
    assert status[ROW[singular].state] in {"Completed", "Failed", "Stopped", IN_SERVICE, "Created", "DeleteFailed"}
    assert "not there" not in status.get("additional", "")


def _goes(lab: Lab, singular: str) -> None:
    lab.delete(singular, "x")
    lab.round()
    if lab.there(singular, "x"):
        lab.edit(singular, "x", {"tags": [{"key": "c", "value": "d"}]})
    lab.settle(25)
    assert not any(lab.all(one) for one in ROW)
    left = {(kind, name) for kind, name in lab.account.jobs._resources if lab.sagemaker(kind, name)}
    ended = {"Completed", "Failed", "Stopped"}
    assert {
        (kind, name) for kind, name in left if (lab.sagemaker(kind, name) or {}).get(f"{kind}Status") not in ended
    } == {("Endpoint", ENDPOINT)}
    assert lab.account.scaling.call("DescribeScalableTargets", {})["ScalableTargets"] == []


@pytest.mark.parametrize(("singular", "state"), [(one, state) for one, state in STATES if state != DELETED])
def test_in_every_state_of_sagemaker_s(singular: str, state: str) -> None:
    lab, row = _lab(singular, first=state), ROW[singular]
    lab.apply(singular, "x", SPECS[singular])
    lab.settle(4)
    assert lab.status(singular, "x")[row.state] == state
    lab.edit(singular, "x", EDITS[singular])
    lab.settle(40)
    if state in {"Stopping", "DeleteFailed"}:
        assert lab.granted(f"Create{row.kind.name}") == 1
    else:
        _is_right(lab, singular)
    _goes(lab, singular)


Way = Callable[[Lab, str], None]


def _waiting(lab: Lab, singular: str) -> None:
    """Its status says that it is about to begin, and the operator dies."""
    lab.kills = lambda step: step.endswith("/status")
    with pytest.raises(Killed):
        lab.look(singular, "x")
    lab.kills = lambda step: False


def _refused(code: str) -> Way:
    def way(lab: Lab, singular: str) -> None:
        for part in ROW[singular].inputs:
            lab.refuse(part.operation, code, "as the test has it")
        lab.refuse("CreateEndpoint", code, "as the test has it")
        for _ in range(4):
            try:
                lab.look(singular, "x")
            except Refused:
                continue
            lab.round()

    return way


def _untouched(lab: Lab, singular: str) -> None:
    """Nobody has looked at it yet."""


OWN: Final[dict[str, Way]] = {
    "new": _untouched,
    "waiting": _waiting,
    "failing": _refused("ThrottlingException"),
    "refused": _refused("ValidationException"),
}
"""Ways into the states that the operator itself gives an object, by the row's name for them."""


@pytest.mark.parametrize("way", OWN)
@pytest.mark.parametrize("singular", list(ROW))
def test_in_every_state_of_the_operator_s_own(singular: str, way: str) -> None:
    lab, row = _lab(singular), ROW[singular]
    lab.apply(singular, "x", SPECS[singular])
    OWN[way](lab, singular)
    state = lab.status(singular, "x").get(row.state)
    assert state == (None if way == "new" else getattr(row, way))
    lab.edit(singular, "x", EDITS[singular])
    lab.heal()
    lab.settle(40)
    if way == "refused" and row.gives_up:
        assert "not supported" in lab.status(singular, "x")["additional"] or state == row.refused
    else:
        _is_right(lab, singular)
    _goes(lab, singular)


@pytest.mark.parametrize("singular", list(ROW))
def test_between_any_two_requests(singular: str) -> None:
    """From its creation to its end, the edit comes right after each step in turn, while the look goes on."""

    def life(lab: Lab) -> None:
        lab.apply(singular, "x", SPECS[singular])
        lab.settle(30, 4)

    whole = _lab(singular)
    life(whole)
    for last in range(len(whole.steps)):
        lab = _lab(singular)
        _edits_after(lab, singular, last)
        life(lab)
        where = f"edited after step {last + 1}: {lab.steps[last]}"
        if singular in JOBS:
            assert lab.granted(f"Create{ROW[singular].kind.name}") == 1, where
        else:
            assert _is_edited(lab, singular), where
        _goes(lab, singular)


def _edits_after(lab: Lab, singular: str, last: int) -> None:
    def kills(step: str) -> bool:
        if len(lab.steps) == last + 1:
            lab.edit(singular, "x", EDITS[singular])
        return False

    lab.kills = kills


@pytest.mark.parametrize("singular", list(ROW))
def test_a_spec_that_is_no_request_is_told_and_can_be_put_right(singular: str) -> None:
    """What a definition would have refused, where the server has none that checks."""
    lab, row = _lab(singular), ROW[singular]
    lab.apply(singular, "x", {**SPECS[singular], "tags": 7})
    lab.settle(4)
    status = lab.status(singular, "x")
    assert status[row.state] == row.refused
    assert "spec.tags is no " in status["additional"]
    assert lab.granted(f"Create{row.kind.name}") == 0
    lab.edit(singular, "x", {"tags": None, **EDITS[singular]})
    lab.settle(40)
    if not row.gives_up:
        _is_right(lab, singular)
    _goes(lab, singular)
