"""Jobs in full for the golden screens: whole objects, and AWS's whole answers about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from kubectl_sagemaker import details
from kubectl_sagemaker.aws import Account
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.details import Details
from kubectl_sagemaker.env import Env
from kubectl_sagemaker.errors import Forbidden
from kubectl_sagemaker.jobs import Job
from tests.golden.objects import (
    DENIED,
    FAILED,
    HOSTILE,
    LEGACY_TRAINING,
    NOW,
    RUNNING,
    TRAINING,
    TUNED,
    UNSEEN,
    VARIANTS,
    job,
)

Answers = Mapping[str, Any]
WEST: Final = "arn:aws:sagemaker:us-west-2:123456789012"


class StandIn:
    """Aws with its answers given, by operation; what has none is denied."""

    region = "us-west-2"
    heals = True

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def call(self, service: str, operation: str, parameters: Answers, **where: Any) -> Any:
        del parameters, where
        if operation not in self._answers:
            raise Forbidden(f"{service}:{operation}: not authorized", hint=f"grant {service}:{operation}")
        return self._answers[operation]

    def account_id(self, region: str) -> str:
        del region
        return "123456789012"

    def renew(self) -> None:
        raise AssertionError("nothing expires here")


def full(job: Job, **answers: Any) -> Details:
    """The details that `collect` makes of a job and of AWS's answers."""
    env = Env(Connection(), Account(), now=NOW.timestamp, sleep=lambda seconds: None)
    env.aws = StandIn(answers)  # type: ignore[assignment]  # what is used of it
    return details.collect(env, job)


def ago(**length: float) -> Any:
    return NOW - timedelta(**length)


def phases(*entries: tuple[str, Any, Any, str | None]) -> list[dict[str, Any]]:
    """SecondaryStatusTransitions."""
    return [
        {"Status": status, "StartTime": begun}
        | ({"EndTime": ended} if ended else {})
        | ({"StatusMessage": message} if message else {})
        for status, begun, ended, message in entries
    ]


def events(*lines: tuple[str, float, str]) -> dict[str, Any]:
    """A page of FilterLogEvents, newest first: instance, seconds before NOW, message."""
    return {
        "events": [
            {
                "logStreamName": f"resnet50-imagenet/{instance}-1769849580",
                "timestamp": round((NOW.timestamp() - before) * 1000),
                "ingestionTime": round((NOW.timestamp() - before) * 1000),
                "message": message,
                "eventId": str(number),
            }
            for number, (instance, before, message) in reversed(list(enumerate(lines)))
        ]
    }


END: Final = 60.0 * (187 - 42) - 10
"""Seconds from the failed job's end to NOW."""
FAILURE: Final = full(
    FAILED,
    DescribeTrainingJob={
        "TrainingJobArn": f"{WEST}:training-job/resnet50-imagenet",
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "FailureReason": FAILED.reason,
        "CreationTime": ago(minutes=187),
        "TrainingStartTime": ago(minutes=184),
        "TrainingEndTime": ago(seconds=END),
        "TrainingTimeInSeconds": 2350,
        "BillableTimeInSeconds": 2350,
        "ResourceConfig": {"InstanceType": "ml.p4d.24xlarge", "InstanceCount": 4, "KeepAlivePeriodInSeconds": 1800},
        "WarmPoolStatus": {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 0},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        "SecondaryStatusTransitions": phases(
            ("Starting", ago(minutes=187), ago(minutes=185), "Insufficient capacity error, retrying"),
            ("Downloading", ago(minutes=185), ago(minutes=184), "Downloading the training image"),
            ("Training", ago(minutes=184), ago(seconds=END), "Training image download completed."),
            ("Failed", ago(seconds=END), ago(seconds=END), FAILED.reason),
        ),
    },
    FilterLogEvents=events(
        ("algo-3", END + 900, "Traceback (most recent call last):"),
        ("algo-3", END + 900, "OSError: survived long before the end"),
        ("algo-2", END + 21, "step 1400 loss 2.91"),
        ("algo-2", END + 20, "Traceback (most recent call last):"),
        ("algo-2", END + 20, '  File "/opt/ml/code/train.py", line 118, in <module>'),
        ("algo-2", END + 20, "    main(\tparser.parse_args())\x1b[31m"),
        (
            "algo-2",
            END + 20,
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.44 GiB \u202e日本語",
        ),
        ("algo-2", END + 19, "ERROR:root:exiting"),
        ("algo-1", END + 15, "Traceback (most recent call last):"),
        ("algo-1", END + 15, "ncclRemoteError: a peer has gone"),
        ("algo-1", END + 10, "sagemaker-training-toolkit ERROR    ExecuteUserScriptError"),
    ),
)
SPOT: Final = full(
    job(
        LEGACY_TRAINING,
        "xgboost-mnist",
        "InProgress",
        secondaryStatus="Starting",
        job_name="xgboost-mnist-f52cc0c2d1f44bd5a3c0f8d2c9b7a6e1",
        ago=timedelta(minutes=31),
    ),
    DescribeTrainingJob={
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Interrupted",
        "CreationTime": ago(minutes=31),
        "TrainingStartTime": ago(minutes=29),
        "EnableManagedSpotTraining": True,
        "ResourceConfig": {
            "InstanceGroups": [
                {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.xlarge", "InstanceCount": 2},
                {"InstanceGroupName": "data", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1},
            ]
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "SecondaryStatusTransitions": phases(
            ("Starting", ago(minutes=31), ago(minutes=29), None),
            ("Training", ago(minutes=29), ago(minutes=11), None),
            ("Interrupted", ago(minutes=11), None, "Spot capacity was reclaimed; waiting for new instances"),
        ),
    },
)
DONE: Final = full(
    job(
        TRAINING,
        "spot-xgboost",
        "Completed",
        secondaryStatus="Completed",
        job_name="spot-xgboost",
        ago=timedelta(days=2),
        spec={"enableManagedSpotTraining": True},
    ),
    DescribeTrainingJob={
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": ago(days=2),
        "TrainingStartTime": ago(days=2, minutes=-3),
        "TrainingEndTime": ago(days=1, hours=19),
        "TrainingTimeInSeconds": 17_820,
        "BillableTimeInSeconds": 5_346,
        "EnableManagedSpotTraining": True,
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86_400, "MaxWaitTimeInSeconds": 172_800},
        "SecondaryStatusTransitions": phases(
            ("Starting", ago(days=2), ago(days=2, minutes=-3), "Preparing the instances for training"),
            ("Training", ago(days=2, minutes=-3), ago(days=1, hours=19, seconds=20), None),
            ("Uploading", ago(days=1, hours=19, seconds=20), ago(days=1, hours=19), "Uploading the training model"),
            ("Completed", ago(days=1, hours=19), ago(days=1, hours=19), "Training job completed"),
        ),
        "ModelArtifacts": {"S3ModelArtifacts": "s3://my-bucket/xgboost/spot-xgboost/output/model.tar.gz"},
        "FinalMetricDataList": [
            {"MetricName": "validation:error", "Value": 0.0367, "Timestamp": ago(days=1, hours=19)},
            {"MetricName": "train:error", "Value": 1.25e-05, "Timestamp": ago(days=1, hours=19)},
        ],
    },
)


def child(number: int, value: float, **hyperparameters: str) -> dict[str, Any]:
    return {
        "TrainingJobName": f"{TUNED.job_name}-{number:03}-1c9d3a2e",
        "TrainingJobStatus": "Completed",
        "TrainingStartTime": ago(minutes=20),
        "TrainingEndTime": ago(minutes=20 - number),
        "TunedHyperParameters": hyperparameters,
        "FinalHyperParameterTuningJobObjectiveMetric": {
            "Type": "Minimize",
            "MetricName": "validation:error",
            "Value": value,
        },
    }


TUNING: Final = full(
    TUNED,
    DescribeHyperParameterTuningJob={
        "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": ago(minutes=25),
        "TrainingJobStatusCounters": {"Completed": 12, "InProgress": 2, "NonRetryableError": 1, "Stopped": 0},
        "BestTrainingJob": child(3, 0.0367, eta="0.21", max_depth="7"),
    },
    ListTrainingJobsForHyperParameterTuningJob={
        "TrainingJobSummaries": [
            child(3, 0.0367, eta="0.21", max_depth="7"),
            child(9, 0.0402, eta="0.33", max_depth="6"),
            child(5, 0.0511, eta="0.08", max_depth="9"),
        ]
    },
)
HOSTED: Final = full(
    job("hostingdeployment", "ranking", "Updating", job_name="ranking-8a6f", spec=VARIANTS, ago=timedelta(days=3)),
    DescribeEndpoint={
        "EndpointName": "ranking-8a6f",
        "EndpointConfigName": "ranking-8",
        "EndpointStatus": "Updating",
        "CreationTime": ago(days=3),
        "ProductionVariants": [
            {
                "VariantName": "a",
                "CurrentWeight": 1.0,
                "DesiredWeight": 0.9,
                "CurrentInstanceCount": 2,
                "DesiredInstanceCount": 3,
                "DeployedImages": [{"SpecifiedImage": "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1"}],
                "VariantStatus": [{"Status": "Updating"}],
            },
            {
                "VariantName": "b",
                "CurrentWeight": 0.1,
                "DesiredWeight": 0.1,
                "CurrentServerlessConfig": {"MemorySizeInMB": 2048},
            },
        ],
    },
    DescribeEndpointConfig={"ProductionVariants": [{"VariantName": "a", "InstanceType": "ml.c5.large"}]},
)
PIPELINE: Final = full(
    job(
        "pipelineexecution",
        "nightly",
        "Failed",
        ago=timedelta(hours=2),
        failureReason="Step failure: One or multiple steps failed.",
        ackResourceMetadata={"arn": f"{WEST}:pipeline/nightly/execution/abc"},
    ),
    DescribePipelineExecution={
        "PipelineExecutionStatus": "Failed",
        "CreationTime": ago(hours=2),
        "LastModifiedTime": ago(minutes=80),
        "FailureReason": "Step failure: One or multiple steps failed.",
    },
    ListPipelineExecutionSteps={
        "PipelineExecutionSteps": [
            {
                "StepName": "Train",
                "StepStatus": "Failed",
                "StartTime": ago(minutes=110),
                "EndTime": ago(minutes=80),
                "FailureReason": "ClientError: [Errno 28] no space left on device",
                "Metadata": {"TrainingJob": {"Arn": f"{WEST}:training-job/pipelines-abc-train-x1"}},
            },
            {
                "StepName": "Prepare",
                "StepStatus": "Succeeded",
                "StartTime": ago(minutes=119),
                "EndTime": ago(minutes=111),
                "Metadata": {"ProcessingJob": {"Arn": f"{WEST}:processing-job/pipelines-abc-prepare-x1"}},
            },
            {"StepName": "Enough", "StepStatus": "Starting", "Metadata": {"Condition": {}}},
        ]
    },
    # Its ARN has the name in lower case; what the other job is called may not be asked.
    DescribeTrainingJob={"TrainingJobName": "pipelines-abc-Train-X1"},
)
EVIL: Final = "\x1b]0;owned\x07[red]\u202eשלום 学習\x9b2J\r\n:smile: "
"""Everything that text from the cluster or AWS could try, wherever it is shown."""
ATTACKED: Final = full(
    HOSTILE,
    DescribeTrainingJob={
        "TrainingJobStatus": f"Failed{EVIL}",
        "SecondaryStatus": EVIL,
        "FailureReason": EVIL * 40,
        "CreationTime": ago(hours=1),
        "LastModifiedTime": ago(minutes=30),
        "ResourceConfig": {"InstanceType": EVIL, "InstanceCount": 2},
        "WarmPoolStatus": {"Status": EVIL, "ReusedByJob": EVIL},
        "SecondaryStatusTransitions": phases(
            (f"Starting{EVIL}", ago(hours=1), ago(minutes=40), EVIL), (EVIL, ago(minutes=40), None, EVIL * 5)
        ),
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://{EVIL}"},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": EVIL, "S3Output": {"S3Uri": EVIL}}]},
        "FinalMetricDataList": [{"MetricName": EVIL, "Value": 1.0}],
        "EndpointConfigName": EVIL,
        "ProductionVariants": [
            {"VariantName": EVIL, "VariantStatus": [{"Status": EVIL}], "DeployedImages": [{"SpecifiedImage": EVIL}]}
        ],
    },
    FilterLogEvents=events(("algo-1", 10, "Traceback (most recent call last):"), (EVIL, 9, EVIL), ("algo-1", 9, EVIL)),
)
UNASKED: Final = full(RUNNING)
REFUSED: Final = full(DENIED)
UNRECONCILED: Final = full(UNSEEN)
PANELS: Final[dict[str, Details]] = {
    "failed": FAILURE,
    "interrupted": SPOT,
    "completed": DONE,
    "tuning": TUNING,
    "endpoint": HOSTED,
    "pipeline": PIPELINE,
    "hostile": ATTACKED,
    "denied": UNASKED,
    "recoverable": REFUSED,
    "not-reconciled": UNRECONCILED,
}
