"""Whole objects of both groups, as their controllers leave them, for the golden screens: every state of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.kinds import ACK, LEGACY

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
TRAINING: Final = "trainingjob.sagemaker.services.k8s.aws"
LEGACY_TRAINING: Final = "trainingjob.sagemaker.aws.amazon.com"
TRACEBACK: Final = "ExecuteUserScriptError: [bold]File[/bold] train.py, line 3, in [red]main[/red]: "
LONG: Final = ("AlgorithmError: " + TRACEBACK * 80)[:4000]

SPECS: Final[dict[str, dict[str, Any]]] = {
    "TrainingJob": {
        "algorithmSpecification": {"trainingImage": "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1"},
        "resourceConfig": {"instanceCount": 4, "instanceType": "ml.p4d.24xlarge", "volumeSizeInGB": 500},
        "stoppingCondition": {"maxRuntimeInSeconds": 86_400},
        "enableManagedSpotTraining": False,
    },
    "TransformJob": {
        "modelName": "xgb",
        "transformResources": {"instanceCount": 2, "instanceType": "ml.m5.xlarge"},
    },
    "ProcessingJob": {
        "processingResources": {"clusterConfig": {"instanceCount": 1, "instanceType": "ml.m5.2xlarge"}},
        "stoppingCondition": {"maxRuntimeInSeconds": 3600},
    },
    "HyperParameterTuningJob": {
        "trainingJobDefinition": {
            "resourceConfig": {"instanceCount": 1, "instanceType": "ml.g5.xlarge"},
            "enableManagedSpotTraining": True,
        }
    },
    "Endpoint": {"endpointConfigName": "ranking-7"},
    "InferenceComponent": {"endpointName": "ranking", "runtimeConfig": {"copyCount": 2}},
    "NotebookInstance": {"instanceType": "ml.t3.medium"},
    "LabelingJob": {"labelAttributeName": "cat"},
    "PipelineExecution": {"pipelineName": "nightly"},
}
"""What users write, by kind."""
HETEROGENEOUS: Final = {
    "resourceConfig": {
        "instanceGroups": [
            {"instanceGroupName": "gpu", "instanceType": "ml.p4d.24xlarge", "instanceCount": 2},
            {"instanceGroupName": "data", "instanceType": "ml.c5.18xlarge", "instanceCount": 1},
        ]
    }
}
VARIANTS: Final = {
    "productionVariants": [
        {"variantName": "a", "modelName": "xgb", "instanceType": "ml.c5.large", "initialInstanceCount": 2},
        {"variantName": "b", "modelName": "xgb-2", "instanceType": "ml.g5.xlarge", "initialInstanceCount": 1},
    ]
}


def job(
    word: str,
    name: str,
    state: str | None = None,
    *,
    ago: timedelta | None = timedelta(minutes=5),
    took: timedelta | None = None,
    job_name: str | None = None,
    namespace: str = "default",
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> Job:
    """An object of a kind as its controller leaves it; `status` are members of its status beside the state.

    `took` is the time from SageMaker's creation to its last change, for the kinds that say both.
    """
    target = kinds.parse(word)
    api = target.apis[0]
    resource: dict[str, Any] = {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
        "spec": {**SPECS.get(target.kind.name, {}), **(spec or {})},
        "status": status,
    }
    if ago is not None:
        resource["metadata"]["creationTimestamp"] = f"{NOW - ago:%Y-%m-%dT%H:%M:%SZ}"
    if state is not None:
        assert api.status
        status[api.status.removeprefix("status.")] = state
    if job_name is not None:
        part, _, member = api.job_name[0].partition(".")
        resource[part][member] = job_name
    if status and api.group is ACK:
        status["ackResourceMetadata"] = {
            "region": "us-west-2",
            "ownerAccountID": "123456789012",
            **({"arn": f"arn:aws:sagemaker:us-west-2:123456789012:{api.singular}/{job_name}"} if state else {}),
            **status.pop("ackResourceMetadata", {}),
        }
        if took is not None and ago is not None:
            status["creationTime"] = f"{NOW - ago:%Y-%m-%dT%H:%M:%SZ}"
            status["lastModifiedTime"] = f"{NOW - ago + took:%Y-%m-%dT%H:%M:%SZ}"
    if api.group is LEGACY:
        resource["spec"]["region"] = "us-west-2"
    return jobs.read(target.kind, api, resource)


def condition(kind: str, message: str, status: str = "True") -> list[dict[str, str]]:
    return [{"type": "ACK.ResourceSynced", "status": "False"}, {"type": kind, "status": status, "message": message}]


DENIED: Final = job(
    TRAINING,
    "denied",
    job_name="denied",
    ago=timedelta(seconds=119),
    conditions=condition("ACK.Recoverable", "AccessDeniedException: not authorized to perform: iam:PassRole"),
)
FAILED: Final = job(
    TRAINING,
    "resnet50-imagenet",
    "Failed",
    secondaryStatus="Failed",
    job_name="resnet50-imagenet",
    failureReason=LONG,
    ago=timedelta(hours=3, minutes=7),
    took=timedelta(minutes=42, seconds=10),
)
RUNNING: Final = job(
    LEGACY_TRAINING,
    "xgboost-mnist",
    "InProgress",
    secondaryStatus="Training",
    job_name="xgboost-mnist-f52cc0c2d1f44bd5a3c0f8d2c9b7a6e1",
    ago=timedelta(seconds=71),
)
UNSEEN: Final = job(TRAINING, "not-reconciled", ago=timedelta(minutes=9, seconds=59))
HOSTILE: Final = job(
    TRAINING,
    "evil\x1b[2J\nname",
    "Fail\x9bed\u202e",
    secondaryStatus="[red]Paused[/red]",
    job_name="日本語のジョブ名\x07",
    spec={"resourceConfig": {"instanceCount": 1, "instanceType": "ml.\x1b]0;owned\x07"}},
    failureReason="学習ジョブが失敗しました 🚀\r\n\x1b]0;owned\x07 שלום :smile: \ud800",
    ago=timedelta(seconds=-30),
)
TUNED: Final = job(
    "hyperparametertuningjob.sagemaker.aws.amazon.com",
    "xgboost-mnist-hpo",
    "InProgress",
    job_name="b5d70917405150bba0a15641c74d0c7d",
    ago=timedelta(minutes=25),
    bestTrainingJob={
        "trainingJobName": "b5d70917405150bba0a15641c74d0c7d-003-1c9d3a2e",
        "trainingJobStatus": "Completed",
        "finalHyperParameterTuningJobObjectiveMetric": {"metricName": "validation:error", "value": "0.0367000000"},
        "tunedHyperParameters": [{"name": "eta", "value": "0.21"}, {"name": "max_depth", "value": "7"}],
    },
    trainingJobStatusCounters={"completed": 12, "inProgress": 2, "nonRetryableError": 1, "stopped": 0},
)

JOBS: Final = (
    job(TRAINING, "bert-pretrain", "InProgress", secondaryStatus="Starting", job_name="bert-pretrain-2026"),
    FAILED,
    job(
        TRAINING,
        "churn",
        "Stopped",
        secondaryStatus="MaxRuntimeExceeded",
        job_name="churn",
        ago=timedelta(days=26),
        took=timedelta(days=1, minutes=2),
        spec=HETEROGENEOUS,
    ),
    job(TRAINING, "churn-2", "Stopping", secondaryStatus="Stopping", job_name="churn-2", ago=timedelta(days=3)),
    job(TRAINING, "newer-than-this-program", "Hibernating", job_name="hibernating", ago=timedelta(days=800)),
    DENIED,
    job(
        TRAINING,
        "misspelt",
        ago=timedelta(hours=47),
        conditions=condition("ACK.Terminal", "InvalidParameter: instanceType ml.p9 is not valid"),
    ),
    job(
        "endpoint",
        "waits-for-a-model",
        ago=timedelta(minutes=12),
        conditions=condition(
            "ACK.ReferencesResolved", "the referenced resource is not synced yet: default/xgb", "Unknown"
        ),
    ),
    job(TRAINING, "just-applied", ago=timedelta(seconds=4)),
    UNSEEN,
    HOSTILE,
    RUNNING,
    job(
        LEGACY_TRAINING,
        "spot-xgboost-mnist",
        "Completed",
        secondaryStatus="Completed",
        job_name="spot-xgboost-mnist-b0ff6b809ddf52b580b47ae10dc39f9d",
        ago=timedelta(minutes=52),
        spec={"enableManagedSpotTraining": True},
    ),
    job(LEGACY_TRAINING, "quota", "ReconcilingTrainingJob", additional="ResourceLimitExceeded: ml.p3.2xlarge is 0"),
    job("transformjob", "nightly-scores", "Completed", job_name="nightly-scores", ago=timedelta(hours=9)),
    job("batchtransformjob", "xgboost-batch", "Failed", job_name="xgboost-batch-1", additional="ClientError: no data"),
    job("processingjob.sagemaker.services.k8s.aws", "features", "InProgress", job_name="features-20260101"),
    job("processingjob.sagemaker.aws.amazon.com", "kmeans-processing", "SynchronizingK8sJobWithSageMaker"),
    job("hyperparametertuningjob.sagemaker.services.k8s.aws", "tune", "DeleteFailed", job_name="tune"),
    TUNED,
    job(
        "endpoint",
        "ranking",
        "UpdateRollbackFailed",
        job_name="ranking",
        failureReason="no capacity",
        namespace="ml",
        productionVariants=[{"variantName": "a", "currentInstanceCount": 3, "currentWeight": 1.0}],
    ),
    job(
        "hostingdeployment",
        "hosting-deployment",
        "InService",
        job_name="hosting-deployment-8a6f",
        namespace="ml",
        spec=VARIANTS,
    ),
    job("inferencecomponent", "llama", "Creating", job_name="llama", namespace="ml"),
    job("notebookinstance", "nb", "Pending", job_name="nb", namespace="ml"),
    job(
        "labelingjob",
        "cats",
        "Completed",
        job_name="cats",
        namespace="ml",
        ago=timedelta(days=3000),
        labelCounters={"totalLabeled": 1200, "humanLabeled": 1150, "machineLabeled": 50, "unlabeled": 0},
    ),
    job(
        "pipelineexecution",
        "nightly",
        "Succeeded",
        namespace="ml",
        ago=timedelta(hours=9),
        took=timedelta(hours=1, minutes=16, seconds=3),
        ackResourceMetadata={"arn": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/nightly/execution/abc"},
    ),
    job(
        "model.sagemaker.services.k8s.aws",
        "xgb",
        job_name="xgb",
        namespace="ml",
        ago=None,
        ackResourceMetadata={"arn": "arn:aws:sagemaker:us-west-2:123456789012:model/xgb"},
    ),
)
BY_NAME: Final = {job.name: job for job in JOBS}

JOB_STATES: Final = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")
STATES: Final[dict[str, tuple[str, ...]]] = {
    "TrainingJob": (*JOB_STATES, "Deleting"),
    "TransformJob": JOB_STATES,
    "ProcessingJob": JOB_STATES,
    "HyperParameterTuningJob": ("Completed", "InProgress", "Failed", "Stopped", "Stopping", "Deleting", "DeleteFailed"),
    "Endpoint": (
        *("OutOfService", "Creating", "Updating", "SystemUpdating", "RollingBack"),
        *("InService", "Deleting", "Failed", "UpdateRollbackFailed"),
    ),
    "InferenceComponent": ("InService", "Creating", "Updating", "Failed", "Deleting"),
    "NotebookInstance": (
        *("Pending", "InService", "Stopping", "Stopped"),
        *("Failed", "Deleting", "Updating", "PendingMaintenance", "InMaintenance"),
    ),
    "LabelingJob": ("Initializing", *JOB_STATES),
    "PipelineExecution": ("Executing", "Stopping", "Stopped", "Failed", "Succeeded", "CompletedWithFailures"),
}
"""Every status of SageMaker's, by the kinds that run; a test compares them with botocore's model."""
SECONDARY: Final = (
    *("Starting", "LaunchingMLInstances", "PreparingTrainingStack", "Pending", "Downloading"),
    *("DownloadingTrainingImage", "Training", "Interrupted", "Updating", "Restarting", "Uploading"),
    *("Stopping", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded", "Completed", "Failed"),
)
LEGACY_STATES: Final[dict[str, tuple[str, ...]]] = {
    "TrainingJob": ("SynchronizingK8sJobWithSageMaker", "ReconcilingTrainingJob"),
    "BatchTransformJob": ("SynchronizingK8sJobWithSageMaker",),
    "ProcessingJob": ("SynchronizingK8sJobWithSageMaker", "Reconciling", "Error"),
    "HyperparameterTuningJob": ("SynchronizingK8sJobWithSageMaker", "ReconcilingTuningJob"),
    "HostingDeployment": ("SynchronizingK8sJobWithSageMaker", "ReconcilingEndpoint"),
}
"""The legacy controller's own."""


def every_state() -> Iterator[Job]:
    """Every state of every kind that runs, in both groups, and one that nobody knows yet."""
    for kind in kinds.KINDS:
        for api in kind.apis if kind.runs else ():
            secondary = SECONDARY if api.secondary_status else ()
            own = LEGACY_STATES[api.kind] if api.group is LEGACY else ()
            for number, state in enumerate((*STATES[kind.name], *own, "NewState", None)):
                yield job(api.resource, f"j-{number}", state, ago=timedelta(minutes=10 + number), job_name="j")
            for number, state in enumerate(secondary):
                ended = state in {"Completed", "Failed", "Stopped"}
                yield job(
                    api.resource,
                    f"s-{number}",
                    state if ended else "InProgress",
                    secondaryStatus=state,
                    ago=timedelta(minutes=10 + number),
                    job_name="j",
                )
