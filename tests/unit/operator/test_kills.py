"""The operator dies right after any of its requests, and another begins: nothing twice, nothing left, nothing hangs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from tests.lab import ROW, Killed, Lab
from tests.specs import CHILD, EDITS, ENDPOINT, JOBS, SPECS

Scenario = Callable[[Lab], None]


def _create(singular: str) -> Scenario:
    def play(lab: Lab) -> None:
        if singular == "hostingautoscalingpolicy":
            _endpoint(lab)
        lab.apply(singular, "x", SPECS[singular])
        _settle(lab)

    return play


def _edit(singular: str, change: dict[str, Any]) -> Scenario:
    def play(lab: Lab) -> None:
        _create(singular)(lab)
        lab.edit(singular, "x", change)
        _settle(lab)

    return play


def _delete(singular: str) -> Scenario:
    def play(lab: Lab) -> None:
        _create(singular)(lab)
        lab.delete(singular, "x")
        _settle(lab)

    return play


def _tuning(lab: Lab) -> None:
    """A tuning job starts two jobs; then it is deleted."""
    lab.apply("hyperparametertuningjob", "x", SPECS["hyperparametertuningjob"])
    _settle(lab)
    name = lab.status("hyperparametertuningjob", "x")["sageMakerHyperParameterTuningJobName"]
    request = {"TuningJobArn": lab.account.jobs.arn("HyperParameterTuningJob", name), **CHILD}
    for number in (1, 2):
        stages = lab.account.jobs.lifecycle("TrainingJob", {})
        lab.account.jobs.put("TrainingJob", f"{name}-{number}", stages, request=request)
    _settle(lab)
    assert len(lab.all("trainingjob")) == 2
    lab.delete("hyperparametertuningjob", "x")
    _settle(lab)


def _endpoint(lab: Lab) -> None:
    lab.account.jobs.put("Endpoint", ENDPOINT, lab.account.jobs.lifecycle("Endpoint", {}))
    lab.clock.advance(60)


def _settle(lab: Lab) -> None:
    """Look until nothing changes any more; whoever is killed is started again."""
    quiet = 0
    while quiet < 6:
        before = len(lab.steps)
        try:
            lab.round()
        except Killed:
            continue
        quiet = quiet + 1 if len(lab.steps) == before else 0
        lab.clock.advance(4)


SCENARIOS: Final[dict[str, Scenario]] = {
    **{f"delete {singular}": _delete(singular) for singular in SPECS},
    **{f"edit {singular}": _edit(singular, EDITS[singular]) for singular in SPECS},
    "tuning": _tuning,
}


def _world(lab: Lab) -> dict[str, Any]:
    """What there is in the end: objects by kind with their states, what SageMaker has, and the policies."""
    objects = [
        (singular, thing.get("status", {}).get(ROW[singular].state), len(thing["metadata"].get("finalizers", ())))
        for singular in ROW
        for thing in lab.all(singular)
    ]
    resources = [
        (kind, lab.sagemaker(kind, name) and (lab.sagemaker(kind, name) or {}).get(f"{kind}Status"))
        for kind, name in lab.account.jobs._resources
        if lab.sagemaker(kind, name) is not None
    ]
    found = lab.account.scaling.call("DescribeScalableTargets", {})["ScalableTargets"]
    scaled = [(target["ResourceId"].rpartition("/")[2], target["MaxCapacity"]) for target in found]
    return {"objects": Counter(objects), "resources": Counter(resources), "scaled": scaled}


def _granted(lab: Lab) -> Counter[str]:
    """How often something was created, started to change, or deleted; policies may be applied anew."""
    words = ("Create", "UpdateEndpoint", "DeleteEndpoint")
    done = [one.operation for one in lab.account.journal if one.outcome == "ok" and one.operation.startswith(words)]
    return Counter(done)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_dies_at_every_step(scenario: str) -> None:
    play = SCENARIOS[scenario]
    whole = Lab()
    _patient(whole)
    play(whole)
    assert len(whole.steps) > 3
    for last in range(len(whole.steps)):
        lab = Lab()
        _patient(lab)
        lab.kills = lambda step, lab=lab, last=last: len(lab.steps) == last + 1  # type: ignore[misc]
        play(lab)
        where = f"{scenario}, killed after step {last + 1}: {lab.steps[last]}"
        assert _world(lab) == _world(whole), where
        assert _granted(lab) == _granted(whole), where


def _patient(lab: Lab) -> None:
    """Jobs run for as long as a scenario lasts."""
    ends = {ROW[singular].kind.name for singular in JOBS}
    lab.account.jobs.lifecycle = lambda kind, parameters: (
        (Stage(0, "InProgress", "Training"), Stage(1e6, "Completed", "Completed"))
        if kind in ends
        else ordinary(kind, parameters)
    )


@pytest.mark.parametrize("singular", list(SPECS))
def test_an_object_is_deleted_while_it_is_down(singular: str) -> None:
    """It dies after each step of a creation in turn, and the object is deleted before another begins."""
    whole = Lab()
    _patient(whole)
    _create(singular)(whole)
    for last in range(len(whole.steps)):
        lab = Lab()
        _patient(lab)
        lab.kills = lambda step, lab=lab, last=last: len(lab.steps) == last + 1  # type: ignore[misc]
        if singular == "hostingautoscalingpolicy":
            _endpoint(lab)
        lab.apply(singular, "x", SPECS[singular])
        while len(lab.steps) <= last:
            try:
                lab.round()
            except Killed:
                break
            lab.clock.advance(4)
        lab.delete(singular, "x")
        _settle(lab)
        world, where = _world(lab), f"deleted after step {last + 1}: {lab.steps[last]}"
        assert world["objects"] == Counter(), where
        assert {state for _, state in world["resources"]} <= {"Stopped", "InService"}, where
        assert world["scaled"] == [], where


def test_nothing_is_left_after_a_deletion() -> None:
    """That the scenarios above end as they should: they are compared with one that nobody kills."""
    for singular in SPECS:
        lab = Lab()
        _patient(lab)
        _delete(singular)(lab)
        world = _world(lab)
        assert world["objects"] == Counter()
        assert {state for _, state in world["resources"]} <= {"Stopped", "InService"}
        assert world["scaled"] == []


def test_a_policy_that_was_half_applied_is_taken_away_everywhere() -> None:
    """It dies before it could say where it has applied the policy, and the object is deleted meanwhile."""
    lab = Lab()
    _endpoint(lab)
    lab.apply("hostingautoscalingpolicy", "x", SPECS["hostingautoscalingpolicy"])
    lab.kills = lambda step: step == "PutScalingPolicy"
    with pytest.raises(Killed):
        lab.look("hostingautoscalingpolicy", "x")
    lab.kills = lambda step: False
    lab.delete("hostingautoscalingpolicy", "x")
    lab.settle(3)
    assert _world(lab)["scaled"] == []
    assert not lab.there("hostingautoscalingpolicy", "x")


def test_edits_reach_sagemaker() -> None:
    lab = Lab()
    SCENARIOS["edit hostingautoscalingpolicy"](lab)
    assert _world(lab)["scaled"] == [("AllTraffic", 5)]
    lab = Lab()
    SCENARIOS["edit hostingdeployment"](lab)
    assert _granted(lab)["UpdateEndpoint"] == 1
    assert lab.status("hostingdeployment", "x")["observedGeneration"] == 2
