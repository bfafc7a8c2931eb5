"""The columns that `kubectl get` shows for custom resources: those of the published CRDs, in their order.

A test compares them. The operator's CRDs and the sandbox's tables are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column. `path` is dotted, from the object's root; `priority` above 0 shows with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    format: str = ""
    priority: int = 0


FAILURE_REASON: Final = Column("FAILURE-REASON", "status.failureReason", priority=1)
CREATION_TIME: Final = Column("Creation-Time", "metadata.creationTimestamp", format="date")
AGE: Final = Column("Age", "metadata.creationTimestamp", type="date")
"""What a CRD without columns of its own gets."""

COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = MappingProxyType(
    {
        "apps.sagemaker.services.k8s.aws": (Column("STATUS", "status.status"),),
        "domains.sagemaker.services.k8s.aws": (
            Column("DOMAIN-ID", "status.domainID"),
            Column("DOMAIN-ID", "status.domainID"),
            Column("STATUS", "status.status"),
        ),
        "endpoints.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.endpointStatus"),
        ),
        "featuregroups.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.featureGroupStatus"),
        ),
        "hyperparametertuningjobs.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.hyperParameterTuningJobStatus"),
        ),
        "inferencecomponents.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.inferenceComponentStatus"),
        ),
        "labelingjobs.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.labelingJobStatus"),
        ),
        "modelpackagegroups.sagemaker.services.k8s.aws": (Column("STATUS", "status.modelPackageGroupStatus"),),
        "modelpackages.sagemaker.services.k8s.aws": (Column("STATUS", "status.modelPackageStatus"),),
        "monitoringschedules.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.monitoringScheduleStatus"),
        ),
        "notebookinstancelifecycleconfigs.sagemaker.services.k8s.aws": (
            Column("CREATION-TIME", "status.creationTime", type="date"),
            Column("LAST-MODIFIED-TIME", "status.lastModifiedTime", type="date"),
        ),
        "notebookinstances.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.notebookInstanceStatus"),
        ),
        "pipelineexecutions.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.pipelineExecutionStatus"),
        ),
        "pipelines.sagemaker.services.k8s.aws": (Column("STATUS", "status.pipelineStatus"),),
        "processingjobs.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.processingJobStatus"),
        ),
        "projects.sagemaker.services.k8s.aws": (Column("STATUS", "status.projectStatus"),),
        "spaces.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.status"),
        ),
        "trainingjobs.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("SECONDARY-STATUS", "status.secondaryStatus"),
            Column("STATUS", "status.trainingJobStatus"),
        ),
        "transformjobs.sagemaker.services.k8s.aws": (
            FAILURE_REASON,
            Column("STATUS", "status.transformJobStatus"),
        ),
        "userprofiles.sagemaker.services.k8s.aws": (Column("STATUS", "status.status"),),
        "batchtransformjobs.sagemaker.aws.amazon.com": (
            Column("Status", "status.transformJobStatus"),
            CREATION_TIME,
            Column("Sagemaker-Job-Name", "status.sageMakerTransformJobName"),
        ),
        "endpointconfigs.sagemaker.aws.amazon.com": (
            Column("Status", "status.status"),
            Column("Sage-Maker-EndpointConfig-Name", "status.sageMakerEndpointConfigName"),
        ),
        "hostingautoscalingpolicies.sagemaker.aws.amazon.com": (
            Column("Status", "status.hostingAutoscalingPolicyStatus"),
            CREATION_TIME,
        ),
        "hostingdeployments.sagemaker.aws.amazon.com": (
            Column("Status", "status.endpointStatus"),
            Column("Sagemaker-endpoint-name", "status.endpointName"),
        ),
        "hyperparametertuningjobs.sagemaker.aws.amazon.com": (
            Column("Status", "status.hyperParameterTuningJobStatus"),
            CREATION_TIME,
            Column("Completed", "status.trainingJobStatusCounters.completed", type="number", format="int64"),
            Column("InProgress", "status.trainingJobStatusCounters.inProgress", type="number", format="int64"),
            Column("Errors", "status.trainingJobStatusCounters.totalError", type="number", format="int64"),
            Column("Stopped", "status.trainingJobStatusCounters.stopped", type="number", format="int64"),
            Column("Best-Training-Job", "status.bestTrainingJob.trainingJobName"),
            Column("Sagemaker-Job-Name", "status.sageMakerHyperParameterTuningJobName"),
        ),
        "models.sagemaker.aws.amazon.com": (
            Column("Status", "status.status"),
            Column("Sage-Maker-Model-Name", "status.sageMakerModelName"),
        ),
        "processingjobs.sagemaker.aws.amazon.com": (
            Column("Status", "status.processingJobStatus"),
            CREATION_TIME,
            Column("Sagemaker-Job-Name", "status.sageMakerProcessingJobName"),
        ),
        "trainingjobs.sagemaker.aws.amazon.com": (
            Column("Status", "status.trainingJobStatus"),
            Column("Secondary-Status", "status.secondaryStatus"),
            CREATION_TIME,
            Column("Sagemaker-Job-Name", "status.sageMakerTrainingJobName"),
        ),
    }
)
