"""The registry: one row for each kind that SageMaker runs or keeps for a custom resource.

Everything that differs between kinds is here: API groups, plurals, paths inside the object, log group and stream
prefix, end states. Code elsewhere reads rows and never asks for a kind's name. Paths are dotted, from the
object's root. A test holds every path against the published CRDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from kubectl_sagemaker.errors import Usage


class Group(NamedTuple):
    """An API group, with what all of its resources share."""

    name: str
    version: str
    label: str
    """What people call it: the controller that serves it."""
    region: tuple[str, ...]
    """Paths of the AWS region, the first that is set wins."""
    region_annotation: str | None = None
    """Annotation of the object that names the region, asked after the paths."""
    namespace_region_annotation: str | None = None
    """Annotation of the object's namespace, asked last."""
    account: str | None = None
    """Path of the AWS account's 12 digits."""
    modified_time: str = "status.lastModifiedTime"
    """Path of SageMaker's last change of it, on the resources that have it. What the controllers write of their own
    looks (status.lastCheckTime, a condition's lastTransitionTime) moves with every look, and says nothing."""
    conditions: str | None = None
    """Path of the list of conditions."""
    arn: str | None = None
    """Path of the ARN, which is there once SageMaker has what the object stands for."""
    own_states: frozenset[str] = frozenset()
    """States that are the controller's own: they don't say whether SageMaker has the job."""
    terminal_states: frozenset[str] = frozenset()
    """Those of its own states from which the controller goes no further."""
    endpoint: str | None = None
    """Path of an own SageMaker endpoint URL."""
    home: str = ""
    """Namespace in which its documentation installs the controller."""

    @property
    def path(self) -> str:
        """`/apis/GROUP/VERSION`."""
        return f"/apis/{self.name}/{self.version}"


ACK: Final = Group(
    name="sagemaker.services.k8s.aws",
    version="v1alpha1",
    label="ACK",
    region=("status.ackResourceMetadata.region",),
    region_annotation="services.k8s.aws/region",
    namespace_region_annotation="services.k8s.aws/default-region",
    account="status.ackResourceMetadata.ownerAccountID",
    conditions="status.conditions",
    arn="status.ackResourceMetadata.arn",
    home="ack-system",
)
LEGACY: Final = Group(
    name="sagemaker.aws.amazon.com",
    version="v1",
    label="SageMaker Operators for Kubernetes",
    region=("spec.region",),
    own_states=frozenset(
        {
            "SynchronizingK8sJobWithSageMaker",
            "Reconciling",
            "ReconcilingTrainingJob",
            "ReconcilingTuningJob",
            "ReconcilingEndpoint",
            "Error",
        }
    ),
    terminal_states=frozenset({"Error"}),
    endpoint="spec.sageMakerEndpoint",
    home="sagemaker-k8s-operator-system",
)
GROUPS: Final = (ACK, LEGACY)


class Api(NamedTuple):
    """Where one group keeps a kind."""

    group: Group
    plural: str
    kind: str
    job_name: tuple[str, ...] = ()
    """Paths of the name (or ARN) in SageMaker, the first that is set wins."""
    status: str | None = None
    secondary_status: str | None = None
    reason: tuple[str, ...] = ()
    """Paths of the text that says why it failed, the first that is set wins."""
    creation_time: str | None = None
    """Path of SageMaker's own creation time; never the object's metadata.creationTimestamp."""
    short_names: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """`plural.group`, as kubectl writes it."""
        return f"{self.plural}.{self.group.name}"

    @property
    def singular(self) -> str:
        """The singular, which is the kind in lower case in every published CRD."""
        return self.kind.lower()


class Log(NamedTuple):
    """Where CloudWatch keeps a kind's log; `{name}` stands for the job's name.

    `prefix` selects the job's streams. A prefix without its slash would select other jobs' too.
    """

    group: str
    prefix: str = "{name}/"
    stream: str | None = None
    """The one stream there is, where a prefix would not end in a slash."""
    numbered: bool = True
    """Whether an instance's name in a stream ends in a number that says nothing: `algo-1-1580260714`."""
    host: str = ""
    """An instance's name by its number from 1 on, where that is known beforehand: `algo-{number}`."""
    on_demand: str = ""
    """How the names of streams end that only --data-log reads; empty: there are none."""


class Children(NamedTuple):
    """How SageMaker lists the jobs that a job of a kind starts: `operation` takes the job's name as Describe does.

    If the kind has a log, it holds all of theirs; if it has none, each child's own is read.
    """

    operation: str
    members: str
    """Where the answer has the list of them."""
    jobs: Mapping[str, str]
    """Paths in an item, each with the name of the kind of the child whose name or ARN stands there."""
    status: str
    """Path of the child's state."""
    newest_first: Mapping[str, str]
    """Parameters that have the newest child come first."""
    best_first: Mapping[str, str] = MappingProxyType({})
    """Parameters that have the children sorted by what they reached; in which order depends on the objective."""
    label: str = ""
    """Path of the name by which people know the child, where its job's is made up."""
    objective: str = ""
    """Path of what it reached (MetricName, Value, and Type: Minimize or Maximize); empty: nothing compares them."""
    reason: str = "FailureReason"
    """Path of why it failed."""


JOB_ENDS: Final[Mapping[str, int]] = MappingProxyType({"Completed": 0, "Failed": 3, "Stopped": 4})
"""End states of everything called a job, each with the exit code that it gives a follower."""
RESTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(("InService", "Active", "Created", "CreateCompleted", "UpdateCompleted", "Completed"), 0),
        "Scheduled": 0,
        "OutOfService": 3,
        "Stopped": 4,
    }
)
"""States in which what does not end has come to rest, for who waits for it; a job's ends are its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A row: SageMaker's noun, and where each group and CloudWatch keep it. Each is there once.

    `name` is SageMaker's own: `Describe{name}` takes `name_member` and answers `{name}Status`.
    """

    name: str
    apis: tuple[Api, ...]
    log: Log | None = None
    ends: Mapping[str, int] = field(default_factory=dict)
    runs: bool = False
    """Whether it runs: shown by `status` without --all-kinds."""
    children: Children | None = None
    """The jobs that it starts, if it does."""
    described_by: str = ""
    """The member that names it to Describe, where that is not `{name}Name`."""
    instances: tuple[str, ...] = ()
    """Paths of what says on which instances it runs (type and count, or groups of them), the first that is set wins; a
    path goes through lists. Describe's answer has the same names, below `spec` and `status`."""
    spot: tuple[str, ...] = ()
    """Paths of whether managed spot capacity is used, the first that is set wins."""
    best: str | None = None
    """Path of the best child so far, an item as in the list of `children`; in Describe's answer below `status`."""
    counters: str | None = None
    """Path of numbers by what they count; in Describe's answer below `status`."""
    console: str | None = None
    """Its page in the AWS console, below `sagemaker/`; `{region}` and `{name}` stand for the job's."""

    @property
    def logged(self) -> bool:
        """Whether there is a log to read: its own, or its children's."""
        return self.log is not None or self.children is not None

    @property
    def name_member(self) -> str:
        """The member by which Describe takes and tells its name."""
        return self.described_by or f"{self.name}Name"

    @property
    def has_secondary_status(self) -> bool:
        """Whether any of its APIs keeps a secondary status."""
        return any(api.secondary_status for api in self.apis)

    @property
    def end_time_member(self) -> str:
        """The member of Describe's answer that says when a job ended: `TrainingEndTime`, `TransformEndTime`, …"""
        return f"{self.name.removesuffix('Job')}EndTime"

    def rest(self, status: str | None) -> int | None:
        """The exit code that a state gives to who waits for it; None while there is more to wait for.

        What has Failed in its name is a failure, so that a new one is, too: `UpdateRollbackFailed`, `DeleteFailed`.
        """
        code = (self.ends or RESTS).get(status or "")
        return 3 if code is None and "Failed" in (status or "") else code

    def ended(self, status: str | None) -> bool:
        """Whether `status` is an end state."""
        return status is not None and status in self.ends


def ack(
    kind: str,
    *,
    name: str | None = None,
    status: str | None = None,
    secondary: bool = False,
    reason: bool = False,
    created: bool = False,
) -> Api:
    """Build a row of ACK's group; `name` and `status` are paths."""
    return Api(
        group=ACK,
        plural=f"{kind.lower()}s",
        kind=kind,
        job_name=(name,) if name else (),
        status=status,
        secondary_status="status.secondaryStatus" if secondary else None,
        reason=("status.failureReason",) if reason else (),
        creation_time="status.creationTime" if created else None,
    )


def legacy(
    kind: str,
    *names: str,
    plural: str | None = None,
    status: str,
    secondary: bool = False,
    reason: tuple[str, ...] = ("status.additional",),
    created: bool = False,
    short_names: tuple[str, ...] = (),
) -> Api:
    """Build a row of the legacy group; `names` and `status` are paths."""
    return Api(
        group=LEGACY,
        plural=plural or f"{kind.lower()}s",
        kind=kind,
        job_name=names,
        status=status,
        secondary_status="status.secondaryStatus" if secondary else None,
        reason=reason,
        creation_time="status.creationTime" if created else None,
        short_names=short_names,
    )


KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        "TrainingJob",
        (
            ack(
                "TrainingJob",
                name="spec.trainingJobName",
                status="status.trainingJobStatus",
                secondary=True,
                reason=True,
                created=True,
            ),
            legacy(
                "TrainingJob",
                "status.sageMakerTrainingJobName",
                "spec.trainingJobName",
                status="status.trainingJobStatus",
                secondary=True,
            ),
        ),
        log=Log("/aws/sagemaker/TrainingJobs", host="algo-{number}"),
        ends=JOB_ENDS,
        runs=True,
        instances=("spec.resourceConfig",),
        spot=("spec.enableManagedSpotTraining",),
        console="home?region={region}#/jobs/{name}",
    ),
    Kind(
        "TransformJob",
        (
            ack(
                "TransformJob",
                name="spec.transformJobName",
                status="status.transformJobStatus",
                reason=True,
            ),
            legacy(
                "BatchTransformJob",
                "status.sageMakerTransformJobName",
                "spec.transformJobName",
                status="status.transformJobStatus",
            ),
        ),
        log=Log("/aws/sagemaker/TransformJobs", on_demand="/data-log"),
        ends=JOB_ENDS,
        runs=True,
        instances=("spec.transformResources",),
        console="home?region={region}#/transform-jobs/{name}",
    ),
    Kind(
        "ProcessingJob",
        (
            ack(
                "ProcessingJob",
                name="spec.processingJobName",
                status="status.processingJobStatus",
                reason=True,
            ),
            legacy(
                "ProcessingJob",
                "status.sageMakerProcessingJobName",
                status="status.processingJobStatus",
            ),
        ),
        log=Log("/aws/sagemaker/ProcessingJobs", host="algo-{number}"),
        ends=JOB_ENDS,
        runs=True,
        instances=("spec.processingResources.clusterConfig",),
        console="home?region={region}#/processing-jobs/{name}",
    ),
    Kind(
        "HyperParameterTuningJob",
        (
            ack(
                "HyperParameterTuningJob",
                name="spec.hyperParameterTuningJobName",
                status="status.hyperParameterTuningJobStatus",
                reason=True,
            ),
            legacy(
                "HyperparameterTuningJob",
                "status.sageMakerHyperParameterTuningJobName",
                "spec.hyperParameterTuningJobName",
                status="status.hyperParameterTuningJobStatus",
            ),
        ),
        log=Log("/aws/sagemaker/TrainingJobs", prefix="{name}-"),
        ends=JOB_ENDS,
        runs=True,
        children=Children(
            "ListTrainingJobsForHyperParameterTuningJob",
            "TrainingJobSummaries",
            jobs=MappingProxyType({"TrainingJobName": "TrainingJob"}),
            status="TrainingJobStatus",
            newest_first=MappingProxyType({"SortBy": "CreationTime", "SortOrder": "Descending"}),
            best_first=MappingProxyType({"SortBy": "FinalObjectiveMetricValue"}),
            objective="FinalHyperParameterTuningJobObjectiveMetric",
        ),
        instances=("spec.trainingJobDefinition.resourceConfig", "spec.trainingJobDefinitions.resourceConfig"),
        spot=(
            "spec.trainingJobDefinition.enableManagedSpotTraining",
            "spec.trainingJobDefinitions.enableManagedSpotTraining",
        ),
        best="status.bestTrainingJob",
        counters="status.trainingJobStatusCounters",
        console="home?region={region}#/hyper-tuning-jobs/{name}",
    ),
    Kind(
        "Endpoint",
        (
            ack(
                "Endpoint",
                name="spec.endpointName",
                status="status.endpointStatus",
                reason=True,
                created=True,
            ),
            legacy(
                "HostingDeployment",
                "status.endpointName",
                "spec.endpointName",
                status="status.endpointStatus",
                reason=("status.failureReason", "status.additional"),
                created=True,
            ),
        ),
        log=Log("/aws/sagemaker/Endpoints/{name}", prefix="", numbered=False, on_demand="/data-log"),
        runs=True,
        instances=("spec.productionVariants", "status.productionVariants"),
        console="home?region={region}#/endpoints/{name}",
    ),
    Kind(
        "InferenceComponent",
        (
            ack(
                "InferenceComponent",
                name="spec.inferenceComponentName",
                status="status.inferenceComponentStatus",
                reason=True,
                created=True,
            ),
        ),
        log=Log("/aws/sagemaker/InferenceComponents/{name}", prefix="", numbered=False),
        runs=True,
    ),
    Kind(
        "NotebookInstance",
        (
            ack(
                "NotebookInstance",
                name="spec.notebookInstanceName",
                status="status.notebookInstanceStatus",
                reason=True,
            ),
        ),
        log=Log("/aws/sagemaker/NotebookInstances", numbered=False),
        runs=True,
        instances=("spec",),
        console="home?region={region}#/notebook-instances/{name}",
    ),
    Kind(
        "LabelingJob",
        (ack("LabelingJob", name="spec.labelingJobName", status="status.labelingJobStatus", reason=True),),
        log=Log("/aws/sagemaker/LabelingJobs", prefix="", stream="{name}", numbered=False),
        ends=JOB_ENDS,
        runs=True,
        counters="status.labelCounters",
        console="groundtruth?region={region}#/labeling-jobs/details/{name}",
    ),
    Kind(
        "PipelineExecution",
        (
            ack(
                "PipelineExecution",
                name="status.ackResourceMetadata.arn",
                status="status.pipelineExecutionStatus",
                reason=True,
                created=True,
            ),
        ),
        ends=MappingProxyType({"Succeeded": 0, "Failed": 3, "CompletedWithFailures": 3, "Stopped": 4}),
        runs=True,
        described_by="PipelineExecutionArn",
        children=Children(
            "ListPipelineExecutionSteps",
            "PipelineExecutionSteps",
            jobs=MappingProxyType(
                {
                    "Metadata.TrainingJob.Arn": "TrainingJob",
                    "Metadata.ProcessingJob.Arn": "ProcessingJob",
                    "Metadata.TransformJob.Arn": "TransformJob",
                    "Metadata.TuningJob.Arn": "HyperParameterTuningJob",
                    "Metadata.QualityCheck.CheckJobArn": "ProcessingJob",
                    "Metadata.ClarifyCheck.CheckJobArn": "ProcessingJob",
                }
            ),
            status="StepStatus",
            newest_first=MappingProxyType({"SortOrder": "Descending"}),
            label="StepName",
        ),
    ),
    Kind(
        "Model",
        (
            ack("Model", name="spec.modelName"),
            legacy("Model", "status.sageMakerModelName", status="status.status"),
        ),
        console="home?region={region}#/models/{name}",
    ),
    Kind(
        "EndpointConfig",
        (
            ack("EndpointConfig", name="spec.endpointConfigName"),
            legacy("EndpointConfig", "status.sageMakerEndpointConfigName", status="status.status"),
        ),
        console="home?region={region}#/endpointConfig/{name}",
    ),
    Kind(
        "HostingAutoscalingPolicy",
        (
            legacy(
                "HostingAutoscalingPolicy",
                "status.policyName",
                "spec.policyName",
                plural="hostingautoscalingpolicies",
                status="status.hostingAutoscalingPolicyStatus",
                short_names=("hap",),
            ),
        ),
    ),
    Kind("App", (ack("App", name="spec.appName", status="status.status"),)),
    Kind("DataQualityJobDefinition", (ack("DataQualityJobDefinition", name="spec.jobDefinitionName"),)),
    Kind("Domain", (ack("Domain", name="spec.domainName", status="status.status"),)),
    Kind(
        "FeatureGroup",
        (ack("FeatureGroup", name="spec.featureGroupName", status="status.featureGroupStatus", reason=True),),
    ),
    Kind("ModelBiasJobDefinition", (ack("ModelBiasJobDefinition", name="spec.jobDefinitionName"),)),
    Kind(
        "ModelExplainabilityJobDefinition",
        (ack("ModelExplainabilityJobDefinition", name="spec.jobDefinitionName"),),
    ),
    Kind(
        "ModelPackage",
        (ack("ModelPackage", name="spec.modelPackageName", status="status.modelPackageStatus", created=True),),
    ),
    Kind(
        "ModelPackageGroup",
        (
            ack(
                "ModelPackageGroup",
                name="spec.modelPackageGroupName",
                status="status.modelPackageGroupStatus",
            ),
        ),
    ),
    Kind("ModelQualityJobDefinition", (ack("ModelQualityJobDefinition", name="spec.jobDefinitionName"),)),
    Kind(
        "MonitoringSchedule",
        (
            ack(
                "MonitoringSchedule",
                name="spec.monitoringScheduleName",
                status="status.monitoringScheduleStatus",
                reason=True,
                created=True,
            ),
        ),
    ),
    Kind(
        "NotebookInstanceLifecycleConfig",
        (
            ack(
                "NotebookInstanceLifecycleConfig",
                name="spec.notebookInstanceLifecycleConfigName",
                created=True,
            ),
        ),
    ),
    Kind("Pipeline", (ack("Pipeline", name="spec.pipelineName", status="status.pipelineStatus", created=True),)),
    Kind("Project", (ack("Project", name="spec.projectName", status="status.projectStatus", created=True),)),
    Kind("Space", (ack("Space", name="spec.spaceName", status="status.status", reason=True, created=True),)),
    Kind("UserProfile", (ack("UserProfile", name="spec.userProfileName", status="status.status"),)),
)


class Target(NamedTuple):
    """What a KIND word means: a kind, and those of its APIs that the word can mean."""

    kind: Kind
    apis: tuple[Api, ...]


def spellings(api: Api) -> tuple[str, ...]:
    """Every word for one API's resource, in lower case.

    Singular and plural, each bare, with its group, and with its version and group (what `kubectl -o name` and
    `kubectl api-resources` print).
    """
    bare = (api.singular, api.plural, *api.short_names)
    qualified = (f"{word}.{suffix}" for word in bare for suffix in _suffixes(api.group))
    return (*bare, *qualified)


def _suffixes(group: Group) -> tuple[str, str]:
    return (group.name, f"{group.version}.{group.name}")


def parse(word: str) -> Target:
    """Read a KIND word in any letter case; raise Usage with the nearest spelling when it is unknown.

    A word that only one group knows (`batchtransformjob`) means that group's resource alone.
    """
    wanted = word.lower()
    for kind in KINDS:
        apis = tuple(api for api in kind.apis if wanted in spellings(api))
        if apis:
            return Target(kind, apis)
    near = nearest(word)
    hint = f"did you mean {near!r}?" if near else "`kubectl sagemaker status --help` lists the kinds"
    raise Usage(f"unknown kind {word!r}", hint=hint)


def parse_all(text: str) -> list[Target]:
    """Read KIND, or KIND,KIND as kubectl takes them; raises Usage. Each kind is there once, with all APIs meant."""
    meant: dict[Kind, tuple[Api, ...]] = {}
    for kind, apis in map(parse, text.split(",")):
        meant[kind] = tuple(dict.fromkeys((*meant.get(kind, ()), *apis)))
    return [Target(kind, apis) for kind, apis in meant.items()]


def named(name: str) -> Kind:
    """The kind of SageMaker's name."""
    return next(kind for kind in KINDS if kind.name == name)


def nearest(word: str, *, likeness: float = 0.6) -> str | None:
    """The singular that an unknown KIND word is most like (1: equal); None if it is like none."""
    import difflib

    known = [api.singular for kind in KINDS for api in kind.apis]
    near = difflib.get_close_matches(word.lower().split(".")[0], known, n=1, cutoff=likeness)
    return near[0] if near else None


def singular(text: str) -> str | None:
    """The word as its kind's singular is spelt, if it is one for a kind; None if it is none."""
    wanted = text.lower()
    return next((api.singular for kind in KINDS for api in kind.apis if wanted in spellings(api)), None)


def targets(*, all_kinds: bool) -> list[Target]:
    """Every kind that runs, or every kind, in both groups."""
    return [Target(kind, kind.apis) for kind in KINDS if kind.runs or all_kinds]


def logged() -> list[Target]:
    """Every kind that has a log, in both groups."""
    return [Target(kind, kind.apis) for kind in KINDS if kind.logged]


def grouped(targets: Sequence[Target]) -> bool:
    """Whether what was asked for is one group's resource, of a kind that the other group spells alike."""
    if len(targets) != 1:
        return False
    kind, apis = targets[0]
    return len(apis) == 1 and any(api.singular == apis[0].singular for api in kind.apis if api is not apis[0])


def singulars(targets: Iterable[Target]) -> str:
    """The targets' singulars for people, each once: `trainingjob, transformjob, batchtransformjob, …`."""
    return ", ".join(dict.fromkeys(api.singular for target in targets for api in target.apis))
