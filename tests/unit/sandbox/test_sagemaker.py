"""SageMaker's jobs: what a lifecycle shows at a time, and what Create, Stop and the lists make of it."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_sagemaker.kinds import KINDS
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.protocol import AwsError, check, operation_model
from kubectl_sagemaker.sandbox.sagemaker import Stage, Step
from tests.transport import Clock, bind, connect

T = 1_750_000_000.0

TRAINING = (
    Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
    Stage(30, "InProgress", "Starting", "Insufficient capacity error from EC2 while launching instances, retrying!"),
    Stage(60, "InProgress", "Downloading", "Downloading input data"),
    Stage(90, "InProgress", "Training", "Training in progress."),
    Stage(200, "InProgress", "Interrupted", "Training job interrupted"),
    Stage(300, "InProgress", "Training", "Training in progress."),
    Stage(400, "InProgress", "Uploading", "Uploading generated training model"),
    Stage(410, "Completed", "Completed", "Training job completed"),
)
TRAINING_REQUEST: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


@pytest.fixture
def clock() -> Clock:
    return Clock(T)


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(now=clock)


@pytest.fixture
def sagemaker(account: Account) -> Any:
    client = connect("sagemaker", account, retries={"total_max_attempts": 1})
    bind(client, account)
    return client


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    """Code and message of the error that a call is answered with."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def describe(sagemaker: Any, name: str = "job") -> dict[str, Any]:
    job: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    return job


def seconds(moment: Any) -> float:
    """Seconds from T to a time in an answer."""
    return float(moment.timestamp() - T)


# Lifecycles


@pytest.mark.parametrize(
    ("after", "status", "secondary", "modified"),
    [
        (0, "InProgress", "Starting", 0),
        (59, "InProgress", "Starting", 30),
        (90, "InProgress", "Training", 90),
        (250, "InProgress", "Interrupted", 200),
        (409, "InProgress", "Uploading", 400),
        (410, "Completed", "Completed", 410),
        (9_999, "Completed", "Completed", 410),
    ],
)
def test_the_state_follows_the_clock(
    account: Account, sagemaker: Any, clock: Clock, after: float, status: str, secondary: str, modified: float
) -> None:
    account.jobs.put("TrainingJob", "job", TRAINING)
    clock.advance(after)
    job = describe(sagemaker)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == (status, secondary)
    assert seconds(job["CreationTime"]) == 0
    assert seconds(job["LastModifiedTime"]) == modified
    assert ("TrainingStartTime" in job) == (after >= 60)
    assert ("TrainingEndTime" in job) == (after >= 410)


def test_transitions_carry_the_newest_message_of_their_state(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("TrainingJob", "job", TRAINING)
    clock.advance(70)
    starting, downloading = describe(sagemaker)["SecondaryStatusTransitions"]
    assert starting["StatusMessage"].startswith("Insufficient capacity")
    assert (seconds(starting["StartTime"]), seconds(starting["EndTime"])) == (0, 60)
    assert downloading["Status"] == "Downloading"
    assert "EndTime" not in downloading
    clock.advance(1_000)
    last = describe(sagemaker)["SecondaryStatusTransitions"][-1]
    assert (last["Status"], last["EndTime"]) == ("Completed", last["StartTime"])


def test_billed_is_the_time_in_which_instances_work(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("TrainingJob", "job", TRAINING)
    clock.advance(405)
    assert "BillableTimeInSeconds" not in describe(sagemaker)
    clock.advance(95)
    job = describe(sagemaker)
    assert (seconds(job["TrainingStartTime"]), seconds(job["TrainingEndTime"])) == (60, 410)
    assert (job["TrainingTimeInSeconds"], job["BillableTimeInSeconds"]) == (350, 250)


def test_a_job_that_failed_before_it_began_has_no_start(account: Account, sagemaker: Any, clock: Clock) -> None:
    stages = (Stage(0, "InProgress", "Starting"), Stage(60, "Failed", "Failed"))
    account.jobs.put("TrainingJob", "job", stages, outcome={"FailureReason": "CapacityError: none"})
    clock.advance(59)
    assert "FailureReason" not in describe(sagemaker)
    clock.advance(1)
    job = describe(sagemaker)
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", "CapacityError: none")
    assert not {"TrainingStartTime", "TrainingEndTime", "BillableTimeInSeconds"} & job.keys()


def test_the_outcome_appears_with_the_end(account: Account, sagemaker: Any, clock: Clock) -> None:
    metrics = [{"MetricName": "validation:error", "Value": 0.5, "Timestamp": T + 300}]
    account.jobs.put("TrainingJob", "job", TRAINING, outcome={"FinalMetricDataList": metrics})
    clock.advance(409)
    assert "FinalMetricDataList" not in describe(sagemaker)
    clock.advance(1)
    assert describe(sagemaker)["FinalMetricDataList"][0]["Value"] == 0.5


def test_a_job_that_was_created_long_ago_or_is_still_to_come(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("TrainingJob", "old", TRAINING, created=T - 3_600)
    account.jobs.put("TrainingJob", "next", TRAINING, created=T + 10)
    assert describe(sagemaker, "old")["TrainingJobStatus"] == "Completed"
    assert refused(sagemaker.describe_training_job, TrainingJobName="next")[0] == "ValidationException"
    assert len(sagemaker.list_training_jobs()["TrainingJobSummaries"]) == 1
    clock.advance(10)
    assert describe(sagemaker, "next")["SecondaryStatus"] == "Starting"


@pytest.mark.parametrize(
    "members",
    [{"FinalMetrics": []}, {"FinalMetricDataList": [{"Name": "x"}]}, {"BillableTimeInSeconds": -1}],
    ids=["unknown", "unknown below", "out of range"],
)
def test_members_that_do_not_fit_the_shape_are_refused(account: Account, members: dict[str, Any]) -> None:
    with pytest.raises(AwsError):
        account.jobs.put("TrainingJob", "job", TRAINING, outcome=members)


NAMED = [
    kind.name
    for kind in KINDS
    if (operation := operation_model("sagemaker", f"Describe{kind.name}"))
    and f"{kind.name}Name" in operation.input_shape.members
]


@pytest.mark.parametrize("kind", NAMED)
def test_every_kind_of_the_registry_is_described_and_listed_in_its_shape(
    account: Account, clock: Clock, kind: str
) -> None:
    account.jobs.put(kind, "one", account.jobs.lifecycle(kind, {}))
    account.jobs.put(kind, "two", account.jobs.lifecycle(kind, {}))
    asked: dict[str, dict[str, Any]] = {f"Describe{kind}": {f"{kind}Name": "one"}}
    if operation_model("sagemaker", f"List{kind}s"):
        asked[f"List{kind}s"] = {"MaxResults": 1}
    for _ in range(2):
        for operation, parameters in asked.items():
            model = operation_model("sagemaker", operation)
            assert model is not None
            violations: list[str] = []
            check(model.output_shape, account.jobs.call(operation, parameters), "", violations)
            # What a bare resource was never given is missing, and nothing else is wrong.
            assert [violation for violation in violations if "must not be null" not in violation] == []
        clock.advance(100)


def test_the_work_of_other_kinds_is_called_after_them(account: Account, sagemaker: Any, clock: Clock) -> None:
    stages = (Stage(0, "InProgress", "Starting"), Stage(60, "InProgress", "Running"), Stage(90, "Completed"))
    account.jobs.put("TransformJob", "job", stages)
    account.jobs.put("ProcessingJob", "job", [Stage(0, "InProgress"), Stage(90, "Failed")])
    clock.advance(100)
    transform = sagemaker.describe_transform_job(TransformJobName="job")
    processing = sagemaker.describe_processing_job(ProcessingJobName="job")
    assert (seconds(transform["TransformStartTime"]), seconds(transform["TransformEndTime"])) == (60, 90)
    assert (seconds(processing["ProcessingStartTime"]), seconds(processing["ProcessingEndTime"])) == (0, 90)
    assert "SecondaryStatus" not in transform


def test_an_endpoint_has_no_end(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("Endpoint", "model", [Stage(0, "Creating"), Stage(60, "InService")])
    assert sagemaker.describe_endpoint(EndpointName="model")["EndpointStatus"] == "Creating"
    clock.advance(60)
    endpoint = sagemaker.describe_endpoint(EndpointName="model")
    assert endpoint["EndpointStatus"] == "InService"
    assert sagemaker.list_endpoints(StatusEquals="InService")["Endpoints"][0]["EndpointName"] == "model"


# What does not exist


@pytest.mark.parametrize(
    ("operation", "parameter", "code", "message"),
    [
        ("describe_training_job", "TrainingJobName", "ValidationException", "Requested resource not found."),
        (
            "describe_transform_job",
            "TransformJobName",
            "ValidationException",
            "Could not find requested job with name: Nope",
        ),
        ("stop_processing_job", "ProcessingJobName", "ValidationException", "Could not find requested job with"),
        ("describe_hyper_parameter_tuning_job", "HyperParameterTuningJobName", "ResourceNotFound", "Nope"),
        (
            "list_training_jobs_for_hyper_parameter_tuning_job",
            "HyperParameterTuningJobName",
            "ResourceNotFound",
            "Nope",
        ),
        (
            "describe_endpoint",
            "EndpointName",
            "ValidationException",
            'Could not find endpoint "arn:aws:sagemaker:us-west-2:123456789012:endpoint/nope".',
        ),
    ],
)
def test_what_does_not_exist_is_missed_in_the_kinds_own_words(
    sagemaker: Any, operation: str, parameter: str, code: str, message: str
) -> None:
    found = refused(getattr(sagemaker, operation), **{parameter: "Nope"})
    assert found[0] == code
    assert message in found[1]


@pytest.mark.parametrize("kind", ["TrainingJob", "HyperParameterTuningJob", "Endpoint", "LabelingJob"])
def test_a_name_is_known_in_any_letter_case_and_told_in_its_own(account: Account, kind: str) -> None:
    account.jobs.put(kind, "Mixed-Case", account.jobs.lifecycle(kind, {}))
    for spelling in ("Mixed-Case", "mixed-case", "MIXED-CASE"):
        described = account.jobs.call(f"Describe{kind}", {f"{kind}Name": spelling})
        assert described[f"{kind}Name"] == "Mixed-Case"
        assert described[f"{kind}Arn"].endswith("/mixed-case")


# Create and Stop


def test_what_create_gives_is_what_describe_returns(account: Account, sagemaker: Any, clock: Clock) -> None:
    tags = [{"Key": "team", "Value": "ml"}]
    created = sagemaker.create_training_job(TrainingJobName="Job", Tags=tags, **TRAINING_REQUEST)
    assert created["TrainingJobArn"] == "arn:aws:sagemaker:us-west-2:123456789012:training-job/job"
    job = describe(sagemaker, "Job")
    assert {name: job[name] for name in TRAINING_REQUEST} == TRAINING_REQUEST
    assert "Tags" not in job
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("InProgress", "Starting")
    clock.advance(60)
    assert describe(sagemaker, "Job")["TrainingJobStatus"] == "Completed"


def test_how_a_created_job_lives_can_be_told(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.lifecycle = lambda kind, parameters: [Stage(0, "InProgress", "Starting"), Stage(5, "Failed", "Failed")]
    sagemaker.create_training_job(TrainingJobName="job", **TRAINING_REQUEST)
    clock.advance(5)
    assert describe(sagemaker)["TrainingJobStatus"] == "Failed"


def test_a_name_can_be_used_once(account: Account, sagemaker: Any) -> None:
    sagemaker.create_training_job(TrainingJobName="job", **TRAINING_REQUEST)
    code, message = refused(sagemaker.create_training_job, TrainingJobName="job", **TRAINING_REQUEST)
    assert code == "ResourceInUse"
    assert "arn:aws:sagemaker:us-west-2:123456789012:training-job/job" in message
    assert refused(sagemaker.create_training_job, TrainingJobName="JOB", **TRAINING_REQUEST)[0] == "ResourceInUse"
    account.jobs.put("EndpointConfig", "model", [Stage(0, "")])
    sagemaker.create_endpoint(EndpointName="model", EndpointConfigName="model")
    code, _ = refused(sagemaker.create_endpoint, EndpointName="model", EndpointConfigName="model")
    assert code == "ValidationException"


def test_create_is_checked(sagemaker: Any) -> None:
    request = {**TRAINING_REQUEST, "ResourceConfig": {"InstanceType": "ml.m5", "InstanceCount": 1}}
    code, message = refused(sagemaker.create_training_job, TrainingJobName="job", **request)
    assert code == "ValidationException"
    assert "at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum" in message


def test_stop_goes_through_stopping(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("TrainingJob", "job", TRAINING, outcome={"FailureReason": "never shown"})
    clock.advance(100)
    sagemaker.stop_training_job(TrainingJobName="job")
    assert describe(sagemaker)["TrainingJobStatus"] == "Stopping"
    sagemaker.stop_training_job(TrainingJobName="job")
    clock.advance(10)
    job = describe(sagemaker)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in job
    assert seconds(job["TrainingEndTime"]) == 105
    clock.advance(10_000)
    assert describe(sagemaker)["TrainingJobStatus"] == "Stopped"


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_an_ended_job_cannot_be_stopped(account: Account, sagemaker: Any, status: str) -> None:
    account.jobs.put("TransformJob", "job", [Stage(0, status)])
    code, message = refused(sagemaker.stop_transform_job, TransformJobName="job")
    assert (code, message) == (
        "ValidationException",
        f"The request was rejected because the transform job is in status {status}.",
    )


# Lists


def names(sagemaker: Any, **parameters: Any) -> list[str]:
    pages = sagemaker.get_paginator("list_training_jobs").paginate(**parameters)
    return [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]


def test_a_list_has_ten_a_page_unless_told_otherwise(account: Account, sagemaker: Any) -> None:
    for number in range(25):
        account.jobs.put("TrainingJob", f"job-{number:02}", TRAINING, created=T - number)
    assert len(sagemaker.list_training_jobs()["TrainingJobSummaries"]) == 10
    assert len(sagemaker.list_training_jobs(MaxResults=20)["TrainingJobSummaries"]) == 20
    everything = [f"job-{number:02}" for number in range(25)]
    assert names(sagemaker) == everything[::-1]
    assert names(sagemaker, SortBy="Name", SortOrder="Descending") == everything[::-1]
    assert names(sagemaker, SortBy="Name", MaxResults=7) == everything
    assert refused(sagemaker.list_training_jobs, NextToken="x")[0] == "ValidationException"


def test_a_lists_filters(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("TrainingJob", "old", TRAINING, created=T - 1_000)
    account.jobs.put("TrainingJob", "New", TRAINING, created=T - 100)
    account.jobs.put("ProcessingJob", "other", [Stage(0, "InProgress")])
    assert names(sagemaker, NameContains="new") == ["New"]
    assert names(sagemaker, StatusEquals="InProgress") == ["New"]
    assert names(sagemaker, CreationTimeBefore=T - 500) == ["old"]
    assert names(sagemaker, CreationTimeAfter=T - 500) == ["New"]
    assert names(sagemaker, LastModifiedTimeAfter=T - 20) == ["New"]
    assert names(sagemaker, LastModifiedTimeBefore=T - 20) == ["old"]
    summary = sagemaker.list_training_jobs(NameContains="new")["TrainingJobSummaries"][0]
    assert summary["SecondaryStatus"] == "Training"
    assert "SecondaryStatusTransitions" not in summary


# A tuning job and its children


@pytest.fixture
def tuning(account: Account, clock: Clock) -> Account:
    """A tuning job with twelve children: ten with a metric, one failed, one running; and a job that begins alike."""
    account.jobs.put(
        "HyperParameterTuningJob",
        "tune",
        [Stage(0, "InProgress"), Stage(9_000, "Completed")],
        request={
            "HyperParameterTuningJobConfig": {
                "Strategy": "Bayesian",
                "ResourceLimits": {"MaxParallelTrainingJobs": 2},
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "error"},
            }
        },
    )
    arn = account.jobs.arn("HyperParameterTuningJob", "tune")
    for number in range(12):
        end = ("Failed", 1) if number == 10 else ("Completed", 9_000 if number == 11 else 1)
        metrics = {"FinalMetricDataList": [{"MetricName": "error", "Value": 10.0 - number}]}
        account.jobs.put(
            "TrainingJob",
            f"tune-{number:03}-abc",
            [Stage(0, "InProgress", "Training"), Stage(end[1], end[0], end[0])],
            request={"TuningJobArn": arn, "HyperParameters": {"eta": str(number)}},
            outcome=metrics if end[0] == "Completed" else {"FailureReason": "AlgorithmError"},
        )
    account.jobs.put("TrainingJob", "tune-2", TRAINING)
    clock.advance(10)
    return account


def children(sagemaker: Any, **parameters: Any) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName="tune", **parameters
    )
    return [job for page in pages for job in page["TrainingJobSummaries"]]


@pytest.mark.usefixtures("tuning")
def test_children_come_ten_a_page_by_name(sagemaker: Any) -> None:
    first = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    assert len(first["TrainingJobSummaries"]) == 10
    assert [job["TrainingJobName"] for job in children(sagemaker)] == [f"tune-{number:03}-abc" for number in range(12)]
    assert len(children(sagemaker, StatusEquals="Failed")) == 1


@pytest.mark.usefixtures("tuning")
def test_sorting_children_by_their_metric_hides_those_without(sagemaker: Any) -> None:
    found = children(sagemaker, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    metrics = [job["FinalHyperParameterTuningJobObjectiveMetric"] for job in found]
    assert [metric["Value"] for metric in metrics] == [10.0 - number for number in range(10)]
    assert found[0]["TunedHyperParameters"] == {"eta": "0"}
    statuses = {job["TrainingJobName"]: job["ObjectiveStatus"] for job in children(sagemaker)}
    assert (statuses["tune-009-abc"], statuses["tune-010-abc"], statuses["tune-011-abc"]) == (
        "Succeeded",
        "Failed",
        "Pending",
    )


@pytest.mark.usefixtures("tuning")
def test_a_tuning_job_counts_its_children_and_names_the_best(sagemaker: Any) -> None:
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    assert job["TrainingJobStatusCounters"] == {
        "Completed": 10,
        "InProgress": 1,
        "RetryableError": 0,
        "NonRetryableError": 1,
        "Stopped": 0,
    }
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 10, "Pending": 1, "Failed": 1}
    assert job["BestTrainingJob"]["TrainingJobName"] == "tune-009-abc"
    summary = sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"][0]
    assert summary["Strategy"] == "Bayesian"


@pytest.mark.usefixtures("tuning")
def test_stopping_a_tuning_job_stops_the_children_that_run(sagemaker: Any, clock: Clock) -> None:
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    clock.advance(10)
    statuses = {job["TrainingJobName"]: job["TrainingJobStatus"] for job in children(sagemaker)}
    assert (statuses["tune-000-abc"], statuses["tune-011-abc"]) == ("Completed", "Stopped")
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"


def test_stopping_a_tuning_job_starts_no_more_children(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put("HyperParameterTuningJob", "tune", [Stage(0, "InProgress"), Stage(900, "Completed")])
    arn = account.jobs.arn("HyperParameterTuningJob", "tune")
    for number in range(2):
        account.jobs.put(
            "TrainingJob", f"tune-{number}", TRAINING, created=T + 60 * number, request={"TuningJobArn": arn}
        )
    clock.advance(30)
    assert [job["TrainingJobName"] for job in children(sagemaker)] == ["tune-0"]
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    clock.advance(100)
    assert [job["TrainingJobName"] for job in children(sagemaker)] == ["tune-0"]


def test_only_what_is_searched_is_a_tuned_hyperparameter(account: Account, sagemaker: Any) -> None:
    ranges = {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0", "MaxValue": "1"}]}
    account.jobs.put(
        "HyperParameterTuningJob",
        "tune",
        [Stage(0, "InProgress")],
        request={
            "HyperParameterTuningJobConfig": {
                "Strategy": "Random",
                "ResourceLimits": {"MaxParallelTrainingJobs": 2},
                "ParameterRanges": ranges,
            }
        },
    )
    request = {
        "TuningJobArn": account.jobs.arn("HyperParameterTuningJob", "tune"),
        "HyperParameters": {"eta": "0.3", "num_round": "10"},
    }
    account.jobs.put("TrainingJob", "tune-1", TRAINING, request=request)
    assert children(sagemaker)[0]["TunedHyperParameters"] == {"eta": "0.3"}


# A pipeline execution and its steps

EXECUTION = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn/execution/abcdefghijkl"


@pytest.fixture
def pipeline(account: Account) -> Account:
    """An execution whose steps go on one after another: processing, a condition, training that fails."""
    jobs = account.jobs
    jobs.put(
        "PipelineExecution",
        "Churn/execution/abcdefghijkl",
        [Stage(0, "Executing"), Stage(300, "Failed")],
        outcome={"FailureReason": "Step failure: One or multiple steps failed."},
        steps=(
            Step("Prepare", 0, "ProcessingJob", "pipelines-abc-Prepare-X1"),
            Step("BigEnough", 110, metadata={"Condition": {"Outcome": "True"}}),
            Step("Train", 120, "TrainingJob", "pipelines-abc-Train-Y2"),
            Step("Tune", 400, "HyperParameterTuningJob", "tune-z3"),
        ),
    )
    jobs.put(
        "ProcessingJob", "pipelines-abc-Prepare-X1", [Stage(0, "InProgress"), Stage(90, "Completed")], created=T + 2
    )
    jobs.put(
        "TrainingJob",
        "pipelines-abc-Train-Y2",
        [Stage(0, "InProgress", "Starting"), Stage(100, "Failed", "Failed")],
        created=T + 125,
        outcome={"FailureReason": "AlgorithmError: label column has missing values"},
    )
    jobs.put("HyperParameterTuningJob", "tune-z3", [Stage(0, "InProgress")], created=T + 402)
    return account


def steps(sagemaker: Any, **parameters: Any) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=EXECUTION, **parameters
    )
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


@pytest.mark.usefixtures("pipeline")
def test_a_pipelines_steps_go_on_one_after_another(sagemaker: Any, clock: Clock) -> None:
    def told() -> dict[str, tuple[str, list[str]]]:
        found = steps(sagemaker, SortOrder="Ascending")
        return {step["StepName"]: (step["StepStatus"], list(step.get("Metadata", {}))) for step in found}

    assert told() == {"Prepare": ("Starting", [])}, "there is no job yet"
    clock.advance(2)
    assert told() == {"Prepare": ("Executing", ["ProcessingJob"])}
    clock.advance(120)
    prepared = {"Prepare": ("Succeeded", ["ProcessingJob"]), "BigEnough": ("Succeeded", ["Condition"])}
    assert told() == {**prepared, "Train": ("Starting", [])}
    clock.advance(10)
    assert told() == {**prepared, "Train": ("Executing", ["TrainingJob"])}
    clock.advance(200)
    assert told() == {**prepared, "Train": ("Failed", ["TrainingJob"])}
    clock.advance(100)
    assert told()["Tune"] == ("Executing", ["TuningJob"])


@pytest.mark.usefixtures("pipeline")
def test_a_step_tells_its_times_its_reason_and_its_job_in_lower_case(sagemaker: Any, clock: Clock) -> None:
    clock.advance(350)
    prepare, condition, train = steps(sagemaker, SortOrder="Ascending")
    assert (seconds(prepare["StartTime"]), seconds(prepare["EndTime"])) == (0, 92)
    assert condition["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert train["FailureReason"] == "AlgorithmError: label column has missing values"
    arn = train["Metadata"]["TrainingJob"]["Arn"]
    assert arn == "arn:aws:sagemaker:us-west-2:123456789012:training-job/pipelines-abc-train-y2"
    assert describe(sagemaker, arn.rpartition("/")[2])["TrainingJobName"] == "pipelines-abc-Train-Y2"


@pytest.mark.usefixtures("pipeline")
def test_steps_come_in_pages_in_either_order(sagemaker: Any, clock: Clock) -> None:
    clock.advance(350)
    first = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=EXECUTION, MaxResults=2)
    assert len(first["PipelineExecutionSteps"]) == 2
    assert first["NextToken"]
    names = ["Prepare", "BigEnough", "Train"]
    for order, expected in (("Ascending", names), ("Descending", names[::-1])):
        found = steps(sagemaker, SortOrder=order, PaginationConfig={"PageSize": 2})
        assert [step["StepName"] for step in found] == expected


@pytest.mark.usefixtures("pipeline")
def test_an_execution_is_described_by_its_arn(sagemaker: Any, clock: Clock) -> None:
    execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=EXECUTION)
    assert (execution["PipelineExecutionStatus"], execution["PipelineExecutionArn"]) == ("Executing", EXECUTION)
    assert execution["PipelineArn"] == "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn"
    clock.advance(300)
    ended = sagemaker.describe_pipeline_execution(PipelineExecutionArn=EXECUTION)
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert ended["FailureReason"] == "Step failure: One or multiple steps failed."
    for call in (sagemaker.describe_pipeline_execution, sagemaker.list_pipeline_execution_steps):
        assert refused(call, PipelineExecutionArn=EXECUTION[:-1])[0] == "ResourceNotFound"


@pytest.mark.usefixtures("pipeline")
def test_stopping_an_execution_stops_its_step_and_begins_no_other(sagemaker: Any, clock: Clock) -> None:
    clock.advance(150)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=EXECUTION, ClientRequestToken="a" * 32)
    told = [(step["StepName"], step["StepStatus"]) for step in steps(sagemaker, SortOrder="Ascending")]
    assert told[-1] == ("Train", "Stopping")
    clock.advance(1_000)
    told = [(step["StepName"], step["StepStatus"]) for step in steps(sagemaker, SortOrder="Ascending")]
    assert told == [("Prepare", "Succeeded"), ("BigEnough", "Succeeded"), ("Train", "Stopped")]
    execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=EXECUTION)
    assert execution["PipelineExecutionStatus"] == "Stopped"
    assert refused(sagemaker.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName="tune-z3")


# Other kinds' own members


def test_a_labeling_job_is_labelled_as_time_goes(account: Account, sagemaker: Any, clock: Clock) -> None:
    account.jobs.put(
        "LabelingJob",
        "reviews",
        [Stage(0, "Initializing"), Stage(100, "InProgress"), Stage(300, "Completed")],
        request={"LabelCounters": {"Unlabeled": 50, "MachineLabeled": 0}},
    )
    found = []
    for _ in range(4):
        counters = sagemaker.describe_labeling_job(LabelingJobName="reviews")["LabelCounters"]
        found.append((counters["HumanLabeled"], counters["Unlabeled"]))
        clock.advance(100)
    assert found == [(0, 50), (0, 50), (25, 25), (50, 0)]


def test_what_create_gives_and_describe_has_not_is_left_out(account: Account, sagemaker: Any, clock: Clock) -> None:
    sagemaker.create_inference_component(
        InferenceComponentName="llama",
        EndpointName="Chat",
        VariantName="AllTraffic",
        Specification={"ModelName": "llama", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 1024}},
        RuntimeConfig={"CopyCount": 2},
    )
    component = sagemaker.describe_inference_component(InferenceComponentName="llama")
    assert component["InferenceComponentStatus"] == "Creating"
    assert component["EndpointArn"] == "arn:aws:sagemaker:us-west-2:123456789012:endpoint/chat"
    assert component["Specification"]["ModelName"] == "llama"
    clock.advance(10)
    component = sagemaker.describe_inference_component(InferenceComponentName="llama")
    assert component["InferenceComponentStatus"] == "InService"
