"""Rows for ACK's objects, which the same passes reconcile in the sandbox; elsewhere ACK's own controller does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.kinds import ACK
from kubectl_sagemaker.operator import jobs, things
from kubectl_sagemaker.operator.rows import BY_API, Dialect, Input, Row

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.place import Place


def _opening(row: Row, name: str) -> dict[str, Any]:
    """Nothing: ACK says nothing before SageMaker has answered."""
    del row, name
    return {}


def _there(row: Row, name: str, place: Place, answer: Mapping[str, Any]) -> dict[str, Any]:
    del name
    arn = answer[f"{row.kind.name}Arn"]
    state = answer.get(f"{row.kind.name}Status")
    settled = state is None or row.kind.ended(state) or state not in things.MOVING
    return {
        "ackResourceMetadata": {"arn": arn, "ownerAccountID": arn.split(":")[4], "region": place.region},
        "conditions": [{"type": "ACK.ResourceSynced", "status": "True" if settled else "False"}],
    }


def _refused(row: Row, message: str, lasting: bool) -> dict[str, Any]:
    del row
    kind = "ACK.Terminal" if lasting else "ACK.Recoverable"
    return {"conditions": [{"type": kind, "status": "True", "message": message}]}


DIALECT: Final = Dialect(opening=_opening, there=_there, refused=_refused)


def _row(plural: str, *shown: str, **values: Any) -> Row:
    kind, api = BY_API[f"{plural}.{ACK.name}"]
    return Row(
        kind=kind,
        api=api,
        inputs=(Input(operation=f"Create{kind.name}", without=(f"{kind.name}Name",)),),
        shown=shown,
        dialect=DIALECT,
        finalizer=f"finalizers.sagemaker.services.k8s.aws/{kind.name}",
        checked="",
        **values,
    )


JOB: Final = ("CreationTime", "LastModifiedTime", "FailureReason")
ACK_ROWS: Final[tuple[Row, ...]] = (
    _row(
        "trainingjobs",
        "TrainingJobStatus",
        "SecondaryStatus",
        *JOB,
        reconcile=jobs.reconcile,
        lists="ListTrainingJobs",
    ),
    _row("transformjobs", "TransformJobStatus", "FailureReason", reconcile=jobs.reconcile, lists="ListTransformJobs"),
    _row(
        "processingjobs", "ProcessingJobStatus", "FailureReason", reconcile=jobs.reconcile, lists="ListProcessingJobs"
    ),
    _row(
        "hyperparametertuningjobs",
        "HyperParameterTuningJobStatus",
        "FailureReason",
        reconcile=jobs.reconcile,
        lists="ListHyperParameterTuningJobs",
    ),
    _row("models", reconcile=things.reconcile),
    _row("endpointconfigs", reconcile=things.reconcile),
    _row("endpoints", "EndpointStatus", *JOB, reconcile=things.reconcile, lists="ListEndpoints"),
    _row(
        "inferencecomponents",
        "InferenceComponentStatus",
        *JOB,
        reconcile=things.reconcile,
        lists="ListInferenceComponents",
    ),
    _row(
        "notebookinstances",
        "NotebookInstanceStatus",
        "FailureReason",
        "Url",
        reconcile=things.reconcile,
        lists="ListNotebookInstances",
    ),
    _row("labelingjobs", "LabelingJobStatus", "FailureReason", reconcile=jobs.reconcile, lists="ListLabelingJobs"),
    _row(
        "monitoringschedules",
        "MonitoringScheduleStatus",
        *JOB,
        reconcile=things.reconcile,
        lists="ListMonitoringSchedules",
    ),
    _row("notebookinstancelifecycleconfigs", "CreationTime", "LastModifiedTime", reconcile=things.reconcile),
    _row("featuregroups", "FeatureGroupStatus", "FailureReason", reconcile=things.reconcile),
    _row("modelpackagegroups", "ModelPackageGroupStatus", reconcile=things.reconcile),
    _row("pipelines", "PipelineStatus", "CreationTime", "LastModifiedTime", reconcile=things.reconcile),
    _row("projects", "ProjectStatus", "CreationTime", reconcile=things.reconcile),
)
"""Not those whose name in SageMaker has several parts or another member's name (apps, spaces, profiles, job
definitions), is given by SageMaker (domains, versions of model packages), or that are started, not made (executions).
"""
