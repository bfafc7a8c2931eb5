"""The old operator's rules, each a test, on the sandbox's cluster and account in this process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from kubectl_sagemaker.errors import Forbidden, Invalid, Throttled, Unavailable
from kubectl_sagemaker.operator import iam
from kubectl_sagemaker.operator.children import FINALIZER as PARENTS
from kubectl_sagemaker.operator.objects import FINALIZER, OWNER, generated
from kubectl_sagemaker.sandbox.sagemaker import Stage
from tests.lab import ROW, Killed, Lab
from tests.specs import (
    CHILD,
    ENDPOINT_CONFIG,
    HOSTING,
    JOBS,
    MODEL,
    PROCESSING,
    SCALING,
    SPECS,
    TRAINING,
    TRANSFORM,
    TUNING,
)

KINDS: Final = {singular: ROW[singular].kind.name for singular in ROW}
UID: Final = "0123abcd-4567-89ab-cdef-0123456789ab"
FAILING: Final = (Stage(0, "InProgress"), Stage(5, "Failed", "Failed"))


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Whatever a test does there, the role's policy has to allow."""
    lab = Lab()
    yield lab
    asked = {served.operation for served in lab.account.journal if served.operation}
    assert asked <= {name.partition(":")[2] for name in iam.operations()}


def state(lab: Lab, singular: str, name: str = "x") -> str | None:
    value = lab.status(singular, name).get(ROW[singular].state)
    return value if value is None else str(value)


def job_name(lab: Lab, singular: str, name: str = "x") -> str:
    return str(lab.status(singular, name)[ROW[singular].name_property])


def running(lab: Lab, singular: str) -> str:
    """Apply an object and let its job start; the job's name."""
    lab.apply(singular, "x", SPECS[singular])
    lab.look(singular, "x")
    return job_name(lab, singular)


def named(name: str, limit: int) -> str:
    return generated({"metadata": {"name": name, "uid": UID}}, limit)


# 1


def test_a_generated_name_is_the_objects_and_its_uid() -> None:
    assert named("xgboost-mnist", 63) == "xgboost-mnist-0123abcd456789abcdef0123456789ab"


def test_of_a_long_name_the_object_s_part_is_cut_first() -> None:
    assert named("a" * 80, 63) == "a" * 30 + "-0123abcd456789abcdef0123456789ab"
    assert named("a-" + "b" * 80, 35) == "a-0123abcd456789abcdef0123456789ab"
    assert named("anything", 20) == "0123abcd456789abcdef"


def test_a_tuning_job_s_is_the_bare_uid(lab: Lab) -> None:
    thing = lab.apply("hyperparametertuningjob", "x", TUNING)
    lab.look("hyperparametertuningjob", "x")
    assert job_name(lab, "hyperparametertuningjob") == thing["metadata"]["uid"].replace("-", "")


def test_dots_of_a_name_are_dashes_in_sagemaker(lab: Lab) -> None:
    lab.apply("trainingjob", "v1.2", TRAINING)
    lab.look("trainingjob", "v1.2")
    assert job_name(lab, "trainingjob", "v1.2").startswith("v1-2-")


# 2


@pytest.mark.parametrize("singular", ["trainingjob", "hyperparametertuningjob", "batchtransformjob"])
def test_the_generated_name_is_written_into_the_spec(lab: Lab, singular: str) -> None:
    name = running(lab, singular)
    assert lab.get(singular, "x")["spec"][ROW[singular].spec_name or ""] == name


def test_a_processing_job_s_is_in_its_status_only(lab: Lab) -> None:
    name = running(lab, "processingjob")
    thing = lab.get("processingjob", "x")
    assert name.startswith("x-")
    assert thing["spec"] == PROCESSING


def test_a_policy_without_a_name_gets_the_default_one(lab: Lab) -> None:
    lab.apply("hostingautoscalingpolicy", "x", SCALING)
    lab.look("hostingautoscalingpolicy", "x")
    spec = lab.get("hostingautoscalingpolicy", "x")["spec"]
    assert spec["policyName"] == "SageMakerEndpointInvocationScalingPolicy"


def test_a_name_that_is_given_is_taken(lab: Lab) -> None:
    lab.apply("trainingjob", "x", {**TRAINING, "trainingJobName": "mine"})
    lab.look("trainingjob", "x")
    assert job_name(lab, "trainingjob") == "mine"
    assert lab.sagemaker("TrainingJob", "mine")


# 3


@pytest.mark.parametrize(
    ("singular", "word"),
    [
        *((singular, "SynchronizingK8sJobWithSageMaker") for singular in (*JOBS, "hostingdeployment")),
        ("hostingautoscalingpolicy", "Reconciling"),
    ],
)
def test_an_empty_status_becomes_the_waiting_one(lab: Lab, singular: str, word: str) -> None:
    lab.apply(singular, "x", SPECS[singular])
    lab.kills = lambda step: step.endswith("/status")
    with pytest.raises(Killed):
        lab.look(singular, "x")
    assert state(lab, singular) == word


# 4


@pytest.mark.parametrize("singular", list(ROW))
def test_the_finalizer_stands_before_anything_is_created(lab: Lab, singular: str) -> None:
    lab.apply(singular, "x", SPECS[singular])
    for _ in range(3):
        lab.look(singular, "x")
    assert lab.steps[0].startswith("PATCH ")
    assert not lab.steps[0].endswith("/status")
    assert FINALIZER in lab.get(singular, "x")["metadata"]["finalizers"]


# 5


@pytest.mark.parametrize("singular", JOBS)
def test_a_job_that_is_there_is_adopted(lab: Lab, singular: str) -> None:
    name = running(lab, singular)
    thing = lab.get(singular, "x")
    lab.cluster.patch_status(_resource(singular), "default", "x", dict.fromkeys(thing["status"]))
    lab.look(singular, "x")
    assert (job_name(lab, singular), state(lab, singular)) == (name, "InProgress")
    assert lab.asked(f"Create{KINDS[singular]}") == 1


@pytest.mark.parametrize("singular", JOBS)
def test_sagemaker_is_asked_before_and_after_the_job_is_created(lab: Lab, singular: str) -> None:
    running(lab, singular)
    operations = [served.operation for served in lab.account.journal][:3]
    kind = KINDS[singular]
    assert operations == [f"Describe{kind}", f"Create{kind}", f"Describe{kind}"]


# 6


@pytest.mark.parametrize("singular", JOBS)
def test_a_running_job_is_stopped_and_its_object_goes_with_its_end(lab: Lab, singular: str) -> None:
    name = running(lab, singular)
    lab.delete(singular, "x")
    lab.look(singular, "x")
    assert lab.asked(f"Stop{KINDS[singular]}") == 1
    assert state(lab, singular) == "Stopping"
    lab.look(singular, "x")
    assert lab.there(singular, "x")
    assert lab.asked(f"Stop{KINDS[singular]}") == 1
    lab.clock.advance(10)
    lab.look(singular, "x")
    assert not lab.there(singular, "x")
    assert (lab.sagemaker(KINDS[singular], name) or {})[f"{KINDS[singular]}Status"] == "Stopped"


@pytest.mark.parametrize("singular", JOBS)
@pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
def test_a_job_that_has_ended_keeps_nothing(lab: Lab, singular: str, end: str) -> None:
    lab.account.jobs.lifecycle = lambda kind, parameters: (Stage(0, end, end),)
    running(lab, singular)
    lab.delete(singular, "x")
    lab.look(singular, "x")
    assert not lab.there(singular, "x")
    assert lab.asked(f"Stop{KINDS[singular]}") == 0


@pytest.mark.parametrize("singular", JOBS)
def test_an_object_whose_job_is_not_there_goes(lab: Lab, singular: str) -> None:
    lab.apply(singular, "x", SPECS[singular])
    lab.kills = lambda step: step.endswith("/status")
    with pytest.raises(Killed):
        lab.look(singular, "x")
    lab.kills = lambda step: False
    lab.delete(singular, "x")
    lab.look(singular, "x")
    assert not lab.there(singular, "x")


def test_a_job_that_two_objects_name_is_stopped_with_the_last(lab: Lab) -> None:
    for name in ("one", "two"):
        lab.apply("trainingjob", name, {**TRAINING, "trainingJobName": "shared"})
        lab.look("trainingjob", name)
    lab.delete("trainingjob", "one")
    lab.look("trainingjob", "one")
    assert not lab.there("trainingjob", "one")
    assert lab.asked("StopTrainingJob") == 0
    lab.delete("trainingjob", "two")
    lab.look("trainingjob", "two")
    assert lab.asked("StopTrainingJob") == 1


def test_an_object_goes_whose_region_does_not_exist(lab: Lab) -> None:
    """A finalizer that waits for an answer that can't come would hang for ever."""
    lab.apply("trainingjob", "x", {**TRAINING, "region": "us-wset-2"})
    lab.unreachable.add("us-wset-2")
    assert isinstance(lab.refused("trainingjob", "x"), Unavailable)
    lab.delete("trainingjob", "x")
    lab.look("trainingjob", "x")
    assert not lab.there("trainingjob", "x")


def test_a_region_that_is_not_known_is_named(lab: Lab) -> None:
    lab.apply("trainingjob", "x", {**TRAINING, "region": "us-wset-2"})
    lab.unreachable.add("us-wset-2")
    lab.refused("trainingjob", "x")
    told = lab.status("trainingjob", "x")["additional"]
    assert told.startswith("'us-wset-2' is no region that is known here: sagemaker:DescribeTrainingJob: ")


@pytest.mark.parametrize("singular", [*(one for one in JOBS if ROW[one].spec_name), "hostingdeployment"])
@pytest.mark.parametrize("name", ["bad_name", "-a", "a" * 64])
def test_an_object_with_a_name_that_sagemaker_can_t_have_goes(lab: Lab, singular: str, name: str) -> None:
    """A definition of ours would not take it; the old ones did, and SageMaker refuses to describe it."""
    property_name = ROW[singular].spec_name or "endpointName"
    lab.apply(singular, "x", {**SPECS[singular], property_name: name})
    lab.settle(4)
    assert f"Value '{name}'" in lab.status(singular, "x")["additional"]
    lab.delete(singular, "x")
    lab.settle(4)
    assert not lab.there(singular, "x")


def test_an_object_waits_while_its_region_can_t_be_reached(lab: Lab) -> None:
    running(lab, "trainingjob")
    lab.unreachable.add("us-west-2")
    lab.delete("trainingjob", "x")
    assert isinstance(lab.refused("trainingjob", "x"), Unavailable)
    assert lab.there("trainingjob", "x")
    lab.unreachable.clear()
    lab.settle(4)
    assert not lab.there("trainingjob", "x")


# 7


def test_a_secondary_status_is_blank_while_a_job_stops(lab: Lab) -> None:
    running(lab, "trainingjob")
    assert lab.status("trainingjob", "x")["secondaryStatus"] == "Starting"
    lab.delete("trainingjob", "x")
    lab.look("trainingjob", "x")
    assert "secondaryStatus" not in lab.status("trainingjob", "x")


# 8


@pytest.mark.parametrize("singular", JOBS)
def test_a_job_that_has_ended_is_not_asked_about_again(lab: Lab, singular: str) -> None:
    running(lab, singular)
    lab.clock.advance(60)
    assert lab.look(singular, "x") is None
    assert state(lab, singular) == "Completed"
    asked = len(lab.account.journal)
    assert lab.look(singular, "x") is None
    assert len(lab.account.journal) == asked


def test_training_is_looked_at_while_its_rules_are_evaluated(lab: Lab) -> None:
    lab.account.jobs.lifecycle = lambda kind, parameters: (Stage(0, "Completed", "Completed"),)
    rule = {"RuleConfigurationName": "loss", "RuleEvaluationStatus": "InProgress", "StatusDetails": "evaluating"}
    name = "ruled"
    lab.account.jobs.put(
        "TrainingJob", name, (Stage(0, "Completed", "Completed"),), outcome={"DebugRuleEvaluationStatuses": [rule]}
    )
    lab.apply("trainingjob", "x", {**TRAINING, "trainingJobName": name})
    assert lab.look("trainingjob", "x") == 5
    assert lab.status("trainingjob", "x")["debugRuleEvaluationStatuses"] == [
        {"ruleConfigurationName": "loss", "ruleEvaluationStatus": "InProgress", "statusDetail": "evaluating"}
    ]
    assert lab.look("trainingjob", "x") == 5
    rule["RuleEvaluationStatus"] = "NoIssuesFound"
    assert lab.look("trainingjob", "x") is None


def test_a_status_is_written_only_when_it_changes(lab: Lab) -> None:
    running(lab, "trainingjob")
    version = lab.get("trainingjob", "x")["metadata"]["resourceVersion"]
    lab.clock.advance(1)
    lab.look("trainingjob", "x")
    assert lab.get("trainingjob", "x")["metadata"]["resourceVersion"] == version


# 9


@pytest.mark.parametrize(
    ("singular", "transient", "lasting"),
    [
        ("trainingjob", "ReconcilingTrainingJob", "ReconcilingTrainingJob"),
        ("hyperparametertuningjob", "ReconcilingTuningJob", "ReconcilingTuningJob"),
        ("processingjob", "Reconciling", "Error"),
        ("model", "Error", "Error"),
        ("endpointconfig", "Error", "Error"),
    ],
)
def test_a_refusal_is_told_and_tried_again(lab: Lab, singular: str, transient: str, lasting: str) -> None:
    operation = f"Create{KINDS[singular]}"
    lab.apply(singular, "x", SPECS[singular])
    lab.refuse(operation, "ThrottlingException", "Rate exceeded")
    assert isinstance(lab.refused(singular, "x"), Throttled)
    assert (state(lab, singular), "rate exceeded" in lab.status(singular, "x")["additional"]) == (transient, True)
    lab.heal()
    lab.refuse(operation, "ValidationException", "no such role")
    assert isinstance(lab.refused(singular, "x"), Invalid)
    assert (state(lab, singular), "no such role" in lab.status(singular, "x")["additional"]) == (lasting, True)
    lab.heal()
    lab.look(singular, "x")
    assert state(lab, singular) in {"InProgress", "Created"}
    assert "additional" not in lab.status(singular, "x")


def test_an_endpoint_s_and_a_policy_s_refusals(lab: Lab) -> None:
    lab.apply("hostingdeployment", "x", HOSTING)
    lab.refuse("CreateEndpoint", "ResourceLimitExceeded", "the account-level limit")
    lab.settle(3)
    assert state(lab, "hostingdeployment") == "ReconcilingEndpoint"
    assert "the account-level limit" in lab.status("hostingdeployment", "x")["additional"]
    lab.heal()
    lab.settle(8)
    lab.apply("hostingautoscalingpolicy", "x", scaling(lab))
    lab.refuse("PutScalingPolicy", "ValidationException", "bad policy")
    lab.refused("hostingautoscalingpolicy", "x")
    assert state(lab, "hostingautoscalingpolicy") == "Error"
    lab.heal()
    lab.refuse("PutScalingPolicy", "InternalServiceException", "oops", status=500)
    lab.refused("hostingautoscalingpolicy", "x")
    assert state(lab, "hostingautoscalingpolicy") == "Reconciling"
    lab.heal()
    lab.look("hostingautoscalingpolicy", "x")
    assert state(lab, "hostingautoscalingpolicy") == "Created"


def test_a_permission_that_is_revoked_in_mid_run_hurts_no_job(lab: Lab) -> None:
    for singular in JOBS:
        lab.apply(singular, singular, SPECS[singular])
        lab.look(singular, singular)
    for singular in JOBS:
        lab.refuse(f"Describe{KINDS[singular]}", "AccessDeniedException", "not authorized")
        assert isinstance(lab.refused(singular, singular), Forbidden)
        assert not ROW[singular].kind.ended(lab.status(singular, singular)[ROW[singular].state])
    lab.heal()
    for singular in JOBS:
        lab.look(singular, singular)
        assert lab.status(singular, singular)[ROW[singular].state] == "InProgress"
        assert lab.asked(f"Create{KINDS[singular]}") == 1


# 10


def test_a_batch_job_that_is_refused_for_good_has_failed(lab: Lab) -> None:
    lab.apply("batchtransformjob", "x", TRANSFORM)
    lab.refuse("CreateTransformJob", "ValidationException", "Could not locate the model")
    assert lab.look("batchtransformjob", "x") is None
    assert state(lab, "batchtransformjob") == "Failed"
    assert "could not locate the model" in lab.status("batchtransformjob", "x")["additional"]
    lab.heal()
    assert lab.look("batchtransformjob", "x") is None
    assert lab.asked("CreateTransformJob") == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("InternalFailure", 500),
        ("RequestTimeoutException", 408),
        ("RequestAbortedException", 400),
    ],
)
def test_a_batch_job_that_is_throttled_is_tried_again(lab: Lab, code: str, status: int) -> None:
    lab.apply("batchtransformjob", "x", TRANSFORM)
    lab.refuse("CreateTransformJob", code, status=status)
    lab.refused("batchtransformjob", "x")
    lab.heal()
    lab.look("batchtransformjob", "x")
    assert state(lab, "batchtransformjob") == "InProgress"


def test_a_refusal_while_a_batch_job_is_deleted_lets_it_go(lab: Lab) -> None:
    running(lab, "batchtransformjob")
    lab.delete("batchtransformjob", "x")
    lab.refuse("StopTransformJob", "ValidationException", "it is in no state to be stopped")
    lab.look("batchtransformjob", "x")
    assert not lab.there("batchtransformjob", "x")


def test_a_permission_that_is_missing_does_not(lab: Lab) -> None:
    """The job would run on, unseen, and be paid for."""
    running(lab, "batchtransformjob")
    lab.delete("batchtransformjob", "x")
    lab.refuse("StopTransformJob", "AccessDeniedException")
    lab.refused("batchtransformjob", "x")
    assert lab.there("batchtransformjob", "x")


# 11


@pytest.mark.parametrize("singular", ["trainingjob", "hyperparametertuningjob", "processingjob"])
def test_edits_of_a_job_are_ignored(lab: Lab, singular: str) -> None:
    name = running(lab, singular)
    before = lab.status(singular, "x")
    spec_name = ROW[singular].spec_name
    lab.edit(singular, "x", {"roleArn": "arn:aws:iam::1:role/other", **({spec_name: "other"} if spec_name else {})})
    lab.look(singular, "x")
    assert lab.status(singular, "x") == before
    lab.delete(singular, "x")
    lab.settle(4)
    assert (lab.sagemaker(KINDS[singular], name) or {})[f"{KINDS[singular]}Status"] == "Stopped"
    assert lab.asked(f"Create{KINDS[singular]}") == 1


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_batch_job_says_that_updates_are_not_supported(lab: Lab, seconds: float) -> None:
    running(lab, "batchtransformjob")
    lab.clock.advance(seconds)
    lab.look("batchtransformjob", "x")
    lab.edit("batchtransformjob", "x", {"maxConcurrentTransforms": 4})
    for _ in range(2):
        lab.look("batchtransformjob", "x")
        assert "Updates to BatchTransformJob are not supported" in lab.status("batchtransformjob", "x")["additional"]
    assert state(lab, "batchtransformjob") == ("Completed" if seconds else "InProgress")
    assert lab.asked("CreateTransformJob") == 1


# 12


@pytest.mark.parametrize(
    ("singular", "edit"),
    [
        ("model", {"primaryContainer": {"image": "other"}}),
        ("model", {"vpcConfig": None}),
        ("model", {"primaryContainer": {"environment": [{"name": "A", "value": "2"}]}}),
        (
            "endpointconfig",
            {"productionVariants": [{**ENDPOINT_CONFIG["productionVariants"][0], "initialInstanceCount": 3}]},
        ),
        ("endpointconfig", {"kmsKeyId": "key"}),
    ],
)
def test_a_changed_spec_is_deleted_and_created(lab: Lab, singular: str, edit: dict[str, Any]) -> None:
    name = running(lab, singular)
    lab.edit(singular, "x", edit)
    lab.look(singular, "x")
    kind = KINDS[singular]
    assert (lab.asked(f"Delete{kind}"), lab.asked(f"Create{kind}")) == (1, 2)
    assert (state(lab, singular), job_name(lab, singular)) == ("Created", name)
    lab.look(singular, "x")
    assert lab.asked(f"Create{kind}") == 2


@pytest.mark.parametrize(
    ("singular", "edit"),
    [
        ("model", {"tags": [{"key": "team", "value": "b"}]}),
        ("model", {"vpcConfig": {"subnets": ["b", "a"], "securityGroupIds": ["s"]}}),
        ("endpointconfig", {"tags": [{"key": "team", "value": "b"}]}),
        ("endpointconfig", {"productionVariants": list(reversed(ENDPOINT_CONFIG["productionVariants"]))}),
    ],
)
def test_tags_and_order_are_no_change(lab: Lab, singular: str, edit: dict[str, Any]) -> None:
    running(lab, singular)
    lab.edit(singular, "x", edit)
    lab.look(singular, "x")
    assert lab.asked(f"Delete{KINDS[singular]}") == 0


def test_the_order_of_containers_is_a_change(lab: Lab) -> None:
    """They are a pipeline: in another order it is another model."""
    containers = [{"image": "one", "containerHostname": "a"}, {"image": "two", "containerHostname": "b"}]
    lab.apply("model", "x", {**MODEL, "primaryContainer": None, "containers": containers})
    lab.look("model", "x")
    lab.edit("model", "x", {"containers": containers[::-1]})
    lab.look("model", "x")
    assert lab.asked("CreateModel") == 2


@pytest.mark.parametrize("singular", ["model", "endpointconfig"])
def test_a_name_is_shown_only_once_sagemaker_has_it(lab: Lab, singular: str) -> None:
    """A deployment that waits for it would run ahead."""
    lab.apply(singular, "x", SPECS[singular])
    lab.refuse(f"Create{KINDS[singular]}", "ThrottlingException")
    lab.refused(singular, "x")
    assert ROW[singular].name_property not in lab.status(singular, "x")


@pytest.mark.parametrize("singular", ["model", "endpointconfig"])
def test_what_was_created_goes_with_its_object(lab: Lab, singular: str) -> None:
    name = running(lab, singular)
    lab.delete(singular, "x")
    lab.look(singular, "x")
    assert not lab.there(singular, "x")
    assert lab.sagemaker(KINDS[singular], name) is None


# 13 to 16


def parts(lab: Lab) -> list[str]:
    return sorted(thing["metadata"]["name"] for kind in ("model", "endpointconfig") for thing in lab.all(kind))


def in_service(lab: Lab) -> dict[str, Any]:
    lab.apply("hostingdeployment", "x", HOSTING)
    lab.settle(8)
    status = lab.status("hostingdeployment", "x")
    assert status["endpointStatus"] == "InService"
    return status


def test_a_deployment_makes_models_and_a_configuration_of_its_generation(lab: Lab) -> None:
    status = in_service(lab)
    uid = lab.get("hostingdeployment", "x")["metadata"]["uid"]
    suffix = f"1-{uid.replace('-', '')}"
    assert parts(lab) == [f"other-{suffix}", f"x-{suffix}", f"xgboost-model-{suffix}"]
    for thing in [*lab.all("model"), *lab.all("endpointconfig")]:
        assert thing["metadata"]["labels"] == {OWNER: uid}
    assert [pair["name"] for pair in status["modelNames"]] == ["xgboost-model", "other"]
    config = lab.sagemaker("EndpointConfig", status["endpointConfigName"]) or {}
    assert [variant["ModelName"] for variant in config["ProductionVariants"]] == [
        pair["value"] for pair in status["modelNames"]
    ]
    assert status["endpointUrl"] == (
        f"https://runtime.sagemaker.us-west-2.amazonaws.com/endpoints/{status['endpointName']}/invocations"
    )
    assert status["productionVariants"][0]["currentWeight"] == 1


def test_one_container_is_the_primary_one(lab: Lab) -> None:
    in_service(lab)
    model = next(thing for thing in lab.all("model") if thing["metadata"]["name"].startswith("xgboost"))
    assert model["spec"]["primaryContainer"]["image"] == "image"
    assert "containers" not in model["spec"]


def test_an_edit_in_service_goes_over_to_a_new_set_without_downtime(lab: Lab) -> None:
    before = in_service(lab)
    variants = [{**variant, "initialInstanceCount": 2} for variant in HOSTING["productionVariants"]]
    lab.edit("hostingdeployment", "x", {"productionVariants": variants, "retainAllVariantProperties": True})
    seen = []
    for _ in range(8):
        lab.round()
        status = lab.status("hostingdeployment", "x")
        seen.append((status["endpointStatus"], len(lab.all("endpointconfig"))))
        lab.clock.advance(5)
    assert ("Updating", 2) in seen, "the old set stays while the endpoint is updated"
    assert not {word for word, _ in seen} & {"Creating", "Deleting"}
    assert seen[-1] == ("InService", 1)
    assert lab.status("hostingdeployment", "x")["endpointConfigName"] != before["endpointConfigName"]
    assert {name.split("-")[-2] for name in parts(lab)} == {"2"}
    assert (lab.asked("UpdateEndpoint"), lab.asked("CreateEndpoint"), lab.asked("DeleteEndpoint")) == (1, 1, 0)


def test_an_edit_waits_until_the_endpoint_can_be_changed(lab: Lab) -> None:
    lab.apply("hostingdeployment", "x", HOSTING)
    for _ in range(3):
        lab.round()
    assert state(lab, "hostingdeployment") == "Creating"
    lab.edit("hostingdeployment", "x", {"kmsKeyId": "key"})
    lab.round()
    assert lab.asked("UpdateEndpoint") == 0
    lab.settle(12)
    assert lab.asked("UpdateEndpoint") == 1
    assert {name.split("-")[-2] for name in parts(lab)} == {"2"}


def test_an_endpoint_that_failed_is_made_anew_after_an_edit(lab: Lab) -> None:
    ends = ["Failed", "InService"]
    lab.account.jobs.lifecycle = lambda kind, parameters: (
        (Stage(0, "Creating"), Stage(5, ends.pop(0))) if kind == "Endpoint" else (Stage(0, ""),)
    )
    lab.apply("hostingdeployment", "x", HOSTING)
    lab.settle(6)
    assert state(lab, "hostingdeployment") == "Failed"
    lab.edit("hostingdeployment", "x", {"kmsKeyId": "key"})
    lab.settle(8)
    assert state(lab, "hostingdeployment") == "InService"
    assert (lab.asked("DeleteEndpoint"), lab.asked("CreateEndpoint")) == (1, 2)


def test_an_endpoint_that_somebody_else_deletes_is_made_again(lab: Lab) -> None:
    name = in_service(lab)["endpointName"]
    lab.account.jobs.call("DeleteEndpoint", {"EndpointName": name})
    assert lab.look("hostingdeployment", "x") == 5, "no list shows that it has gone"
    assert state(lab, "hostingdeployment") == "Deleting"
    lab.clock.advance(5)
    lab.settle(8)
    assert state(lab, "hostingdeployment") == "InService"
    assert lab.asked("CreateEndpoint") == 2


def test_an_update_that_sagemaker_rolls_back_is_not_asked_for_again(lab: Lab) -> None:
    in_service(lab)
    lab.edit("hostingdeployment", "x", {"kmsKeyId": "key"})
    lab.round()
    lab.round()
    endpoint = lab.status("hostingdeployment", "x")["endpointName"]
    while lab.asked("UpdateEndpoint") == 0:
        lab.round()
    lab.account.jobs.roll_back("Endpoint", endpoint, "the new variant never became healthy")
    lab.settle(6)
    assert lab.asked("UpdateEndpoint") == 1
    assert "the new variant never became healthy" in lab.status("hostingdeployment", "x")["additional"]
    lab.edit("hostingdeployment", "x", {"kmsKeyId": "another"})
    lab.settle(8)
    assert lab.asked("UpdateEndpoint") == 2
    assert "additional" not in lab.status("hostingdeployment", "x")


def test_a_deployment_goes_endpoint_first(lab: Lab) -> None:
    in_service(lab)
    lab.delete("hostingdeployment", "x")
    lab.round()
    assert state(lab, "hostingdeployment") == "Deleting"
    assert len(parts(lab)) == 3
    lab.settle(6)
    assert not lab.there("hostingdeployment", "x")
    assert parts(lab) == []
    deletions = [step for step in lab.steps if step.startswith("Delete")]
    assert deletions[0] == "DeleteEndpoint"
    assert sorted(deletions[1:]) == ["DeleteEndpointConfig", "DeleteModel", "DeleteModel"]


def hosting(**model: Any) -> dict[str, Any]:
    return {**HOSTING, "models": [{**HOSTING["models"][0], **model}, HOSTING["models"][1]]}


TWO: Final = [{"image": "a", "containerHostname": "a"}, {"image": "b"}]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({**HOSTING, "models": [HOSTING["models"][0]] * 2}, "spec.models has 'xgboost-model' twice"),
        (hosting(containers=TWO), "each needs a containerHostname"),
        (hosting(containers=[TWO[0], TWO[0]]), "two containers with the containerHostname 'a'"),
        (hosting(primaryContainer="stranger"), "no container whose containerHostname is its primary 'stranger'"),
        ({**HOSTING, "models": HOSTING["models"][:1]}, "variant 'second' names model 'other'"),
    ],
)
def test_what_is_wrong_with_a_deployment_is_said(lab: Lab, spec: dict[str, Any], said: str) -> None:
    lab.apply("hostingdeployment", "x", spec)
    assert said in lab.refused("hostingdeployment", "x").message
    status = lab.status("hostingdeployment", "x")
    assert (status["endpointStatus"], said in status["additional"]) == ("ReconcilingEndpoint", True)
    assert lab.all("model") == []


def test_a_primary_container_does_not_count_among_several(lab: Lab) -> None:
    both = [TWO[0], {"image": "b", "containerHostname": "b"}]
    lab.apply("hostingdeployment", "x", hosting(containers=both, primaryContainer="b"))
    lab.settle(8)
    assert state(lab, "hostingdeployment") == "InService"


def test_what_is_wrong_with_a_model_is_said_of_its_deployment(lab: Lab) -> None:
    lab.apply("hostingdeployment", "x", HOSTING)
    lab.refuse("CreateModel", "ValidationException", "Could not access model data at s3://b")
    lab.settle(3)
    status = lab.status("hostingdeployment", "x")
    assert status["endpointStatus"] == "ReconcilingEndpoint"
    assert re.search(r"Caused by: .*could not access model data", status["additional"])
    lab.heal()
    lab.settle(8)
    assert state(lab, "hostingdeployment") == "InService"


# 17


def tuning_with_children(lab: Lab, *, end: str = "Completed") -> str:
    name = running(lab, "hyperparametertuningjob")
    arn = lab.account.jobs.arn("HyperParameterTuningJob", name)
    request = {"TuningJobArn": arn, "HyperParameters": {"eta": "0.2"}, **CHILD}
    for number in range(3):
        stages = (Stage(0, "InProgress", "Training"), Stage(20, end, end))
        lab.account.jobs.put("TrainingJob", f"{name}-00{number}-abc", stages, request=request)
    return name


def test_each_job_of_a_tuning_job_becomes_an_object(lab: Lab) -> None:
    name = tuning_with_children(lab)
    lab.look("hyperparametertuningjob", "x")
    lab.round()
    children = lab.all("trainingjob")
    assert [child["metadata"]["name"] for child in children] == [f"{name}-00{number}-abc" for number in range(3)]
    child = children[0]
    assert child["spec"]["trainingJobName"] == f"{name}-000-abc"
    assert child["spec"]["hyperParameters"] == [{"name": "eta", "value": "0.2"}]
    assert child["spec"]["region"] == "us-west-2"
    assert set(child["metadata"]["finalizers"]) == {FINALIZER, PARENTS}
    assert child["status"]["trainingJobStatus"] == "InProgress"
    assert lab.asked("CreateTrainingJob") == 0
    lab.clock.advance(30)
    lab.round()
    assert {child["status"]["trainingJobStatus"] for child in lab.all("trainingjob")} == {"Completed"}


def test_counters_and_the_best_job_are_shown(lab: Lab) -> None:
    tuning_with_children(lab, end="Failed")
    lab.clock.advance(30)
    lab.look("hyperparametertuningjob", "x")
    counters = lab.status("hyperparametertuningjob", "x")["trainingJobStatusCounters"]
    assert (counters["nonRetryableError"], counters["totalError"]) == (3, 3)


def test_children_go_with_their_parent(lab: Lab) -> None:
    tuning_with_children(lab)
    lab.look("hyperparametertuningjob", "x")
    lab.round()
    lab.delete("hyperparametertuningjob", "x")
    lab.settle(6)
    assert lab.all("trainingjob") == []
    assert not lab.there("hyperparametertuningjob", "x")


def test_a_child_that_is_deleted_alone_waits_for_its_parent(lab: Lab) -> None:
    name = tuning_with_children(lab)
    lab.look("hyperparametertuningjob", "x")
    lab.delete("trainingjob", f"{name}-000-abc")
    lab.settle(3)
    assert lab.get("trainingjob", f"{name}-000-abc")["metadata"]["finalizers"] == [PARENTS]
    lab.delete("hyperparametertuningjob", "x")
    lab.settle(6)
    assert lab.all("trainingjob") == []


def test_a_child_whose_parent_has_gone_without_it_goes(lab: Lab) -> None:
    name = tuning_with_children(lab)
    lab.look("hyperparametertuningjob", "x")
    lab.delete("hyperparametertuningjob", "x")
    lab.cluster.patch(_resource("hyperparametertuningjob"), "default", "x", {"metadata": {"finalizers": None}})
    lab.delete("trainingjob", f"{name}-000-abc")
    lab.settle(6)
    assert not lab.there("trainingjob", f"{name}-000-abc")


def test_a_child_is_never_started_by_the_operator(lab: Lab) -> None:
    name = tuning_with_children(lab)
    lab.look("hyperparametertuningjob", "x")
    lab.account.jobs._resources.pop(("TrainingJob", f"{name}-000-abc"))
    lab.settle(3)
    assert lab.asked("CreateTrainingJob") == 0


# 18


def scaling(lab: Lab, *variants: str) -> dict[str, Any]:
    endpoint = lab.status("hostingdeployment", "x")["endpointName"]
    wanted = variants or ("AllTraffic",)
    return {**SCALING, "resourceId": [{"endpointName": endpoint, "variantName": variant} for variant in wanted]}


def policies(lab: Lab) -> dict[str, float]:
    found = lab.account.scaling.call("DescribeScalingPolicies", {})["ScalingPolicies"]
    return {
        one["ResourceId"].rpartition("/")[2]: one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        for one in found
    }


def test_a_policy_is_applied_to_each_variant(lab: Lab) -> None:
    status = in_service(lab)
    lab.apply("hostingautoscalingpolicy", "x", scaling(lab, "AllTraffic", "second"))
    assert lab.look("hostingautoscalingpolicy", "x") is None
    assert policies(lab) == {"AllTraffic": 60.0, "second": 60.0}
    targets = lab.account.scaling.call("DescribeScalableTargets", {})["ScalableTargets"]
    assert {target["ScalableDimension"] for target in targets} == {"sagemaker:variant:DesiredInstanceCount"}
    assert targets[0]["SuspendedState"] == dict.fromkeys(targets[0]["SuspendedState"], False)
    shown = lab.status("hostingautoscalingpolicy", "x")
    assert shown["hostingAutoscalingPolicyStatus"] == "Created"
    assert shown["resourceIDList"] == [
        f"endpoint/{status['endpointName']}/variant/{variant}" for variant in ("AllTraffic", "second")
    ]
    journal = len(lab.account.journal)
    lab.look("hostingautoscalingpolicy", "x")
    assert len(lab.account.journal) == journal


def test_an_edited_policy_is_taken_away_and_applied_again(lab: Lab) -> None:
    in_service(lab)
    lab.apply("hostingautoscalingpolicy", "x", scaling(lab, "AllTraffic", "second"))
    lab.look("hostingautoscalingpolicy", "x")
    edit = {"targetTrackingScalingPolicyConfiguration": {"targetValue": 70}, "policyName": "other"}
    lab.edit("hostingautoscalingpolicy", "x", {**edit, "resourceId": scaling(lab, "second")["resourceId"]})
    lab.look("hostingautoscalingpolicy", "x")
    assert policies(lab) == {"second": 70.0}
    found = lab.account.scaling.call("DescribeScalingPolicies", {})["ScalingPolicies"]
    assert [one["PolicyName"] for one in found] == ["other"]


def test_a_policy_waits_for_its_endpoint(lab: Lab) -> None:
    lab.apply("hostingautoscalingpolicy", "x", SCALING)
    assert lab.look("hostingautoscalingpolicy", "x") == 15
    status = lab.status("hostingautoscalingpolicy", "x")
    assert status["hostingAutoscalingPolicyStatus"] == "Reconciling"
    assert "endpoint endpoint-1 is not there" in status["additional"]
    assert lab.asked("RegisterScalableTarget") == 0


def test_a_policy_goes_and_leaves_others_be(lab: Lab) -> None:
    in_service(lab)
    for name in ("x", "y"):
        lab.apply("hostingautoscalingpolicy", name, {**scaling(lab), "policyName": name})
        lab.look("hostingautoscalingpolicy", name)
    lab.delete("hostingautoscalingpolicy", "x")
    lab.look("hostingautoscalingpolicy", "x")
    assert not lab.there("hostingautoscalingpolicy", "x")
    found = lab.account.scaling.call("DescribeScalingPolicies", {})["ScalingPolicies"]
    assert [one["PolicyName"] for one in found] == ["y"]
    lab.delete("hostingautoscalingpolicy", "y")
    lab.look("hostingautoscalingpolicy", "y")
    assert lab.account.scaling.call("DescribeScalableTargets", {})["ScalableTargets"] == []


# Beside the rules


def test_events_tell_what_somebody_waits_for(lab: Lab) -> None:
    lab.account.jobs.lifecycle = lambda kind, parameters: FAILING
    running(lab, "trainingjob")
    lab.clock.advance(10)
    lab.look("trainingjob", "x")
    assert {(kind, reason) for kind, reason, _ in lab.events("x")} == {("Normal", "Created"), ("Warning", "Failed")}


def test_a_request_goes_to_no_address_but_aws_s(lab: Lab) -> None:
    """Whoever may write objects would receive requests that the operator signs."""
    lab.apply("trainingjob", "x", {**TRAINING, "sageMakerEndpoint": "https://evil.example.com"})
    assert "is no https address of AWS" in lab.refused("trainingjob", "x").message
    assert lab.account.journal == []
    lab.delete("trainingjob", "x")
    lab.look("trainingjob", "x")
    assert not lab.there("trainingjob", "x")


def test_a_name_that_a_status_has_is_of_its_own_object_only(lab: Lab) -> None:
    first = lab.apply("trainingjob", "x", TRAINING)
    lab.look("trainingjob", "x")
    lab.delete("trainingjob", "x")
    lab.settle(4)
    second = lab.apply("trainingjob", "x", TRAINING)
    lab.look("trainingjob", "x")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert lab.asked("CreateTrainingJob") == 2


def _resource(singular: str) -> Any:
    from kubectl_sagemaker.sandbox.resources import RESOURCES

    return RESOURCES[ROW[singular].api.resource]
