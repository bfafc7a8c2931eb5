"""The sandbox's own world is alive: jobs start and end while it runs, in AWS and in the cluster alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kubectl_sagemaker.kinds import ACK, LEGACY, Group
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.parts import PARTS
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.refusals import Refused
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.world import World, spelt
from tests.transport import Clock

T = 1_750_000_000.0


@dataclass(frozen=True, slots=True)
class Alive:
    """The world, and the clock that it lives by."""

    world: World
    clock: Clock

    def pass_time(self, seconds: float) -> None:
        """Let time pass and the controllers look."""
        self.clock.advance(seconds)
        self.world.reconcile()

    def ask(self, operation: str, *, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        account = self.world.elsewhere[region] if region else self.world.account
        return account.jobs.call(operation, parameters)

    def thing(self, resource: str, name: str, namespace: str = "ml") -> dict[str, Any]:
        return dict(self.world.cluster.get(RESOURCES[resource], namespace, name))

    def lines(self, group: str, prefix: str, since: float = 0, region: str | None = None) -> list[dict[str, Any]]:
        """Lines of streams that begin so, from a moment on (s)."""
        account = self.world.elsewhere[region] if region else self.world.account
        parameters: dict[str, Any] = {
            "logGroupName": f"/aws/sagemaker/{group}", "logStreamNamePrefix": prefix, "startTime": round(since * 1000)
        }  # fmt: skip
        events: list[dict[str, Any]] = []
        while True:
            page = account.logs.call("FilterLogEvents", parameters)
            events += page["events"]
            if "nextToken" not in page:
                return events
            parameters["nextToken"] = page["nextToken"]

    def children(self, name: str) -> list[dict[str, Any]]:
        page = self.ask("ListTrainingJobsForHyperParameterTuningJob", HyperParameterTuningJobName=name, MaxResults=100)
        found: list[dict[str, Any]] = page["TrainingJobSummaries"]
        return found


def make(*, speed: float = 1.0) -> Alive:
    clock = Clock(T)
    pretended: dict[str, float | None] = {"now": None}
    pretend: Callable[[float | None], None] = lambda moment: pretended.update(now=moment)  # noqa: E731 - one line
    cluster = Cluster(now=lambda: pretended["now"] or clock())
    cluster.create_namespace("ml")
    elsewhere = {"eu-central-1": Account(now=clock, region="eu-central-1")}
    world = World(cluster, Account(now=clock), pretend, elsewhere)
    world.populate(PARTS, start=T, speed=speed)
    return Alive(world, clock)


@pytest.fixture
def alive() -> Alive:
    return make()


# Streams, as AWS lists them: https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html

NAME = "[a-zA-Z0-9](-*[a-zA-Z0-9])*"
INSTANCE = "i-[0-9a-f]+"
STREAMS = {
    "TrainingJobs": rf"{NAME}/algo-\d+-\d+",
    "ProcessingJobs": rf"{NAME}/algo-\d+-\d+",
    "TransformJobs": rf"{NAME}/{INSTANCE}-\d+(/data-log)?",
    "Endpoints/ranking": rf"{NAME}/{INSTANCE}(/data-log)?",
    "Endpoints/sentiment": rf"{NAME}/{INSTANCE}/(tokenize|classify)",
    "Endpoints/hosting-deployment-8a6f": rf"{NAME}/{INSTANCE}",
    "InferenceComponents/llama": rf"{NAME}/{INSTANCE}",
    "NotebookInstances": r"ada/(jupyter\.log|LifecycleConfigOnStart)",
    "LabelingJobs": "reviews(-2)?",
}


@pytest.mark.parametrize("group", STREAMS)
def test_streams_are_called_as_aws_calls_them(alive: Alive, group: str) -> None:
    found = {event["logStreamName"] for event in alive.lines(group, "")}
    assert found
    assert [name for name in found if not re.fullmatch(STREAMS[group], name)] == []


def test_a_stream_says_when_its_job_was_created(alive: Alive) -> None:
    name = alive.thing(f"trainingjobs.{LEGACY.name}", "xgboost-mnist", "default")["status"]["sageMakerTrainingJobName"]
    (stream,) = {event["logStreamName"] for event in alive.lines("TrainingJobs", f"{name}/")}
    assert stream == f"{name}/algo-1-{round(T) - 70}"


# Tuning jobs


def test_a_tuning_jobs_children_keep_starting_and_finishing(alive: Alive) -> None:
    """Over two minutes: others run, more have ended, never more at once than it allows, and one fails."""
    status = alive.thing(f"hyperparametertuningjobs.{LEGACY.name}", "xgboost-mnist-hpo", "default")["status"]
    name = status["sageMakerHyperParameterTuningJobName"]
    before = alive.children(name)
    for _ in range(24):
        alive.pass_time(5)
        assert sum(child["TrainingJobStatus"] == "InProgress" for child in alive.children(name)) <= 3
    after = alive.children(name)
    states = [[child["TrainingJobStatus"] for child in some] for some in (before, after)]
    assert len(after) > len(before)
    for state in ("Completed", "Failed"):
        assert states[1].count(state) > states[0].count(state) > 0
    assert states[1].count("InProgress") == 3

    described = alive.ask("DescribeHyperParameterTuningJob", HyperParameterTuningJobName=name)
    counters = described["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["InProgress"]) == (states[1].count("Completed"), 3)
    scored = [child for child in after if "FinalHyperParameterTuningJobObjectiveMetric" in child]
    assert len(scored) == counters["Completed"]
    best = min(scored, key=lambda child: float(child["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]))
    assert described["BestTrainingJob"]["TrainingJobName"] == best["TrainingJobName"]
    assert set(best["TunedHyperParameters"]) == {"eta", "max_depth"}

    mirrored = alive.thing(f"hyperparametertuningjobs.{LEGACY.name}", "xgboost-mnist-hpo", "default")["status"]
    assert mirrored["trainingJobStatusCounters"]["completed"] == counters["Completed"]
    assert mirrored["trainingJobStatusCounters"]["totalError"] == counters["NonRetryableError"]
    assert mirrored["bestTrainingJob"]["trainingJobName"] == best["TrainingJobName"]


def test_every_child_writes_and_what_begins_alike_writes_beside_them(alive: Alive) -> None:
    alive.pass_time(60)
    written = {event["logStreamName"].partition("/")[0] for event in alive.lines("TrainingJobs", "ranking-tune-")}
    children, others = (
        {child["TrainingJobName"] for child in alive.children(name)} for name in ("ranking-tune", "ranking-tune-2")
    )
    assert children
    assert others
    started = {child["TrainingJobName"] for child in alive.children("ranking-tune") if "TrainingEndTime" in child}
    assert started <= written
    assert written - children >= {"ranking-tune-baseline"} | (others & written)
    assert others & written


def test_a_tuning_job_ends_after_the_last_of_its_children(alive: Alive) -> None:
    alive.pass_time(3_600)
    for name, count in (("ranking-tune", 12), ("ranking-tune-2", 8)):
        described = alive.ask("DescribeHyperParameterTuningJob", HyperParameterTuningJobName=name)
        assert described["HyperParameterTuningJobStatus"] == "Completed"
        children = alive.children(name)
        assert len(children) == count
        assert max(child["TrainingEndTime"] for child in children) < described["HyperParameterTuningEndTime"]
    status = alive.thing(f"hyperparametertuningjobs.{ACK.name}", "ranking-tune")["status"]
    assert status["hyperParameterTuningJobStatus"] == "Completed"


# Pipeline executions


def test_a_pipelines_steps_run_one_after_another_and_each_job_writes(alive: Alive) -> None:
    thing = alive.thing(f"pipelineexecutions.{ACK.name}", "churn-nightly")
    arn = thing["status"]["ackResourceMetadata"]["arn"]

    def steps() -> list[dict[str, Any]]:
        asked = {"PipelineExecutionArn": arn, "SortOrder": "Ascending"}
        found: list[dict[str, Any]] = alive.ask("ListPipelineExecutionSteps", **asked)["PipelineExecutionSteps"]
        return found

    seen: list[list[str]] = []
    for _ in range(100):
        told = [f"{step['StepName']} {step['StepStatus']}" for step in steps()]
        if told not in seen:
            seen.append(told)
        alive.pass_time(5)
    running = [[step for step in told if not step.endswith("Succeeded")] for told in seen]
    assert all(len(step) <= 1 for step in running)
    assert seen[0] == ["PrepareData Executing"]
    assert seen[-1] == [
        f"{name} Succeeded" for name in ("PrepareData", "EnoughRows", "TrainModel", "TuneModel", "ScoreTestSet")
    ]
    status = alive.thing(f"pipelineexecutions.{ACK.name}", "churn-nightly")["status"]
    assert status["pipelineExecutionStatus"] == "Succeeded"

    metadata = {step["StepName"]: step["Metadata"] for step in steps()}
    assert metadata["EnoughRows"] == {"Condition": {"Outcome": "True"}}
    for step, kind, group in (
        ("PrepareData", "ProcessingJob", "ProcessingJobs"),
        ("TrainModel", "TrainingJob", "TrainingJobs"),
        ("ScoreTestSet", "TransformJob", "TransformJobs"),
    ):
        small = metadata[step][kind]["Arn"].rpartition("/")[2]
        name = alive.ask(f"Describe{kind}", **{f"{kind}Name": small})[f"{kind}Name"]
        assert (small, name) == (name.lower(), name)
        assert name != small
        assert alive.lines(group, f"{name}/"), "in the name's own letter case"
        assert not alive.lines(group, f"{small}/")
    tuning = metadata["TuneModel"]["TuningJob"]["Arn"].rpartition("/")[2]
    assert len(alive.children(tuning)) == 4


def test_a_pipeline_that_failed_names_the_step(alive: Alive) -> None:
    arn = alive.thing(f"pipelineexecutions.{ACK.name}", "churn-weekly")["status"]["ackResourceMetadata"]["arn"]
    described = alive.ask("DescribePipelineExecution", PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Failed"
    steps = alive.ask("ListPipelineExecutionSteps", PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert [(step["StepName"], step["StepStatus"]) for step in steps] == [
        ("TrainModel", "Failed"), ("PrepareData", "Succeeded")
    ]  # fmt: skip
    assert steps[0]["FailureReason"].startswith("AlgorithmError: label column")


# What has no end


@pytest.mark.parametrize("days", [0, 30], ids=["at the start", "after a month"])
def test_an_endpoint_never_stops_writing(alive: Alive, days: int) -> None:
    alive.pass_time(86_400 * days)
    variants = alive.ask("DescribeEndpoint", EndpointName="ranking")["ProductionVariants"]
    counts = {variant["VariantName"]: variant["CurrentInstanceCount"] for variant in variants}
    assert counts == {"current": 3, "canary": 1}
    streams = {event["logStreamName"] for event in alive.lines("Endpoints/ranking", "", since=alive.clock() - 60)}
    instances = {stream for stream in streams if not stream.endswith("/data-log")}
    for name, count in counts.items():
        assert sum(stream.startswith(f"{name}/") for stream in instances) == count


def test_an_endpoint_begins_to_write_while_the_sandbox_runs(alive: Alive) -> None:
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        alive.lines("Endpoints/ranking-next", "")
    alive.pass_time(125)
    assert alive.lines("Endpoints/ranking-next", "")
    assert alive.thing(f"endpoints.{ACK.name}", "ranking-next")["status"]["endpointStatus"] == "InService"


def test_a_labeling_job_goes_on_in_its_status_and_its_log(alive: Alive) -> None:
    def labelled() -> int:
        counters = alive.thing(f"labelingjobs.{ACK.name}", "reviews")["status"]["labelCounters"]
        return int(counters["humanLabeled"])

    before = (
        labelled(),
        len([event for event in alive.lines("LabelingJobs", "reviews") if "reviews:" in event["message"]]),
    )
    alive.pass_time(120)
    after = (
        labelled(),
        len([event for event in alive.lines("LabelingJobs", "reviews") if "reviews:" in event["message"]]),
    )
    assert before[0] < after[0] < 100
    assert before[1] < after[1] < 100


# Several jobs, other places


def test_another_job_of_a_sweep_comes_while_the_sandbox_runs(alive: Alive) -> None:
    resource = f"trainingjobs.{ACK.name}"
    with pytest.raises(Refused):
        alive.thing(resource, "sweep-4")
    with pytest.raises(AwsError):
        alive.ask("DescribeTrainingJob", TrainingJobName="sweep-4")
    alive.pass_time(21)
    thing = alive.thing(resource, "sweep-4")
    assert thing["metadata"]["labels"]["app"] == "sweep"
    assert thing["metadata"]["creationTimestamp"] == "2025-06-15T15:07:01Z"
    assert thing["status"]["trainingJobStatus"] == "InProgress"
    alive.pass_time(600)
    ends = {
        name: alive.thing(resource, name)["status"]["trainingJobStatus"]
        for name in ("sweep-1", "sweep-2", "sweep-3", "sweep-4")
    }
    assert ends == {"sweep-1": "Completed", "sweep-2": "Failed", "sweep-3": "InProgress", "sweep-4": "Completed"}


def test_a_job_in_another_region_is_there_and_nowhere_else(alive: Alive) -> None:
    metadata = alive.thing(f"trainingjobs.{ACK.name}", "embeddings-eu")["status"]["ackResourceMetadata"]
    assert metadata["region"] == "eu-central-1"
    assert metadata["arn"].startswith("arn:aws:sagemaker:eu-central-1:")
    assert alive.ask("DescribeTrainingJob", region="eu-central-1", TrainingJobName="embeddings-eu")
    assert alive.lines("TrainingJobs", "embeddings-eu/", region="eu-central-1")
    with pytest.raises(AwsError):
        alive.ask("DescribeTrainingJob", TrainingJobName="embeddings-eu")
    assert not alive.lines("TrainingJobs", "embeddings-eu/")


def test_another_accounts_job_is_not_in_this_one(alive: Alive) -> None:
    status = alive.thing(f"trainingjobs.{ACK.name}", "partner-model")["status"]
    assert status["ackResourceMetadata"]["ownerAccountID"] != alive.world.account.account_id
    assert status["trainingJobStatus"] == "InProgress"
    with pytest.raises(AwsError, match="Requested resource not found"):
        alive.ask("DescribeTrainingJob", TrainingJobName="partner-model")


def test_speed_hurries_a_pipelines_steps_too() -> None:
    slow, fast = make(), make(speed=10)
    arn = slow.thing(f"pipelineexecutions.{ACK.name}", "churn-nightly")["status"]["ackResourceMetadata"]["arn"]
    slow.pass_time(200)
    fast.pass_time(20)
    told = [
        [
            (step["StepName"], step["StepStatus"])
            for step in world.ask("ListPipelineExecutionSteps", PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        ]
        for world in (slow, fast)
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 1


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (
            ACK,
            {"roleARN": "r", "kmsKeyID": "k", "numberOfCPUCoresRequired": 4, "type_": "t", "environment": {"a": "b"}},
        ),
        (
            LEGACY,
            {
                "roleArn": "r",
                "kmsKeyId": "k",
                "numberOfCpuCoresRequired": 4,
                "type": "t",
                "environment": [{"name": "a", "value": "b"}],
            },
        ),
    ],
    ids=["ACK", "legacy"],
)
def test_each_group_spells_in_its_own_way(group: Group, expected: dict[str, Any]) -> None:
    request = {"RoleArn": "r", "KmsKeyId": "k", "NumberOfCpuCoresRequired": 4, "Type": "t", "Environment": {"a": "b"}}
    assert spelt(request, group) == expected
