"""What the embedded Kubernetes API serves: one row for each resource, with the columns that its lists show.

Columns of custom resources are those of the published CRDs, in their order; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kubectl_sagemaker import kinds


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column. `path` is dotted, from the object's root; `priority` above 0 shows with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    format: str = ""
    priority: int = 0


ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """A row. `fields` are the paths that a field selector can ask for."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    custom: bool = False
    """Made by a CRD: its objects have a generation and a status subresource."""
    verbs: tuple[str, ...] = ALL_VERBS
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`plural.group`, or `plural` in the core group: what error messages and the store call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """`/apis/GROUP/VERSION`, or `/api/v1`."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"


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

REVIEWED: Final = ("create",)

BUILT_IN: Final = (
    Resource(
        "",
        "v1",
        "namespaces",
        "Namespace",
        namespaced=False,
        verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
        short_names=("ns",),
        columns=(Column("Status", "status.phase"), AGE),
        fields=("metadata.name", "status.phase"),
    ),
    Resource(
        "",
        "v1",
        "events",
        "Event",
        short_names=("ev",),
        columns=(
            Column("Last Seen", "lastTimestamp", type="date"),
            Column("Type", "type"),
            Column("Reason", "reason"),
            Column("Object", "involvedObject.name"),
            Column("Message", "message"),
        ),
        fields=(
            "metadata.name",
            "metadata.namespace",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ),
    ),
    Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False, verbs=REVIEWED),
    Resource(
        "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False, verbs=REVIEWED
    ),
)


def _custom(api: kinds.Api) -> Resource:
    return Resource(
        api.group.name,
        api.group.version,
        api.plural,
        api.kind,
        custom=True,
        short_names=api.short_names,
        columns=COLUMNS.get(api.resource, (AGE,)),
        fields=("metadata.name", "metadata.namespace"),
    )


def _rows() -> Iterator[Resource]:
    yield from BUILT_IN
    for kind in kinds.KINDS:
        yield from map(_custom, kind.apis)


RESOURCES: Final[Mapping[str, Resource]] = MappingProxyType({row.name: row for row in _rows()})
"""Every resource by its `name`, which for a kinds.Api is `api.resource`."""
