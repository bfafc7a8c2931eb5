"""The operator's rows: for each of the registry's APIs that it reconciles, how a spec becomes requests and a status.

What differs between kinds is a named value here; passes and CRDs read rows and never ask for a kind's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kubectl_sagemaker.kinds import KINDS, LEGACY, Api, Kind
from kubectl_sagemaker.operator import autoscaling, deployments, jobs, parts, shapes
from kubectl_sagemaker.operator.children import Children
from kubectl_sagemaker.operator.objects import FINALIZER

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws, Place

Schema: TypeAlias = Mapping[str, Any]
Reconcile: TypeAlias = "Callable[[Row, Object, Kube, Aws, float], float | None]"
"""One look at an object: brings it and SageMaker a step nearer, and says at what time (epoch seconds) to look again.

None: not before the object changes. It raises Refused for AWS's refusals, and errors.Error for the cluster's.
"""

TEXT: Final[Schema] = {"type": "string"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def told(description: str, schema: Schema = TEXT) -> Schema:
    """A property's schema with what `kubectl explain` says of it."""
    return {**schema, "description": description}


REGION: Final = told("The AWS region; it can't be changed afterwards.", {"type": "string", "minLength": 1})
ENDPOINT: Final = told(
    "An own address of SageMaker's API, on a host of AWS.", {"type": "string", "pattern": "^(https|http)://.*$"}
)
PAIRS: Final[Schema] = {
    "type": "array",
    "items": {"type": "object", "properties": {"name": TEXT, "value": TEXT}},
}
ADDITIONAL: Final = told("Why it failed, or what keeps it from going on.")
CHECKED: Final = told("When this status was last written.", TIME)
DIGEST: Final = told("A digest of the spec that SageMaker was given.")
LOG_URL: Final = told("Its log in the CloudWatch console.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An AWS operation whose request is a part of the spec."""

    operation: str
    service: str = "sagemaker"
    without: tuple[str, ...] = ()
    """Members that the operator fills in itself."""

    @property
    def shape(self) -> Any:
        """The shape of the request."""
        return shapes.input_shape(self.service, self.operation)

    def request(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The request that a spec becomes, without the members that the operator fills in; raise Invalid."""
        filled = {shapes.property_name(self.shape, member) for member in self.without}
        return shapes.request(self.shape, {name: value for name, value in spec.items() if name not in filled})


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list in the spec, each of whose items is an operation's request but for some properties."""

    input: Input
    spec: Mapping[str, Schema]
    """Properties beside the input's members, which they replace."""
    required: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a group's statuses tell what is not SageMaker's own: each makes properties of a status."""

    opening: Callable[[Row, str], Mapping[str, Any]]
    """Before there is a job, of the name that it will have."""
    there: Callable[[Row, str, Place, Mapping[str, Any]], Mapping[str, Any]]
    """Once there is one: its name, where it is, and Describe's answer."""
    refused: Callable[[Row, str, bool], Mapping[str, Any]]
    """What AWS said when it refused, and whether that lasts."""


def _opening(row: Row, name: str) -> dict[str, Any]:
    return {row.state: row.waiting, row.name_property: name}


def _there(row: Row, name: str, place: Place, answer: Mapping[str, Any]) -> dict[str, Any]:
    del place, answer
    return {row.name_property: name}


def _refused(row: Row, message: str, lasting: bool) -> dict[str, Any]:
    secondary = {row.api.secondary_status.removeprefix("status."): None} if row.api.secondary_status else {}
    return {**secondary, row.state: row.refused if lasting else row.failing, "additional": message}


OPERATORS: Final = Dialect(opening=_opening, there=_there, refused=_refused)
"""Of SageMaker Operators for Kubernetes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How the operator keeps one API's objects."""

    kind: Kind
    api: Api
    reconcile: Reconcile
    inputs: tuple[Input, ...]
    spec: Mapping[str, Schema | Items] = field(default_factory=dict, hash=False)
    """Properties of the spec beside the inputs' members, which they replace."""
    status: Mapping[str, Schema] = field(default_factory=dict, hash=False)
    """Properties of the status beside those of `shown`."""
    shown: tuple[str, ...] = ()
    """Members of Describe's answer that the status shows as they are."""
    required: tuple[str, ...] = ()
    """Properties of the spec that must be there, beside those that AWS requires."""
    optional: tuple[str, ...] = ()
    """Members that AWS requires and the operator fills in where they are missing."""
    description: str = ""
    dialect: Dialect = OPERATORS
    finalizer: str = FINALIZER
    checked: str = "lastCheckTime"
    """The status property that says when it was written."""
    name_limit: int = 63
    """The longest name that is generated for SageMaker."""
    name_in_spec: bool = False
    """Whether the generated name is written into the spec."""
    waiting: str = "SynchronizingK8sJobWithSageMaker"
    """The state before there is one of SageMaker's."""
    failing: str = "Error"
    """The state while AWS can't do for now what is asked."""
    refused: str = "Error"
    """The state once AWS has refused for good, as far as one can tell; it is asked again all the same."""
    gives_up: bool = False
    """Whether what AWS has refused for good is not asked again."""
    changes: tuple[str, ...] = ("Stop",)
    """What else than Create a pass asks for, as operations begin."""
    lists: str | None = None
    """The List operation by which changes of many are seen at once; None where there is nothing to see."""
    derived: Callable[[Row, Object, Place, Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Makes, of Describe's answer, what the status shows beside `shown`."""
    evaluated: str | None = None
    """The status property whose evaluations can go on after the end."""
    frozen: str | None = None
    """What is said when the spec of something that exists is edited; None: nothing is, and nothing happens."""
    children: Children | None = None
    """The jobs that SageMaker starts for it, which appear as objects."""

    @property
    def state(self) -> str:
        """The status property that holds the state."""
        return (self.api.status or "").removeprefix("status.")

    @property
    def name_property(self) -> str:
        """The status property that holds the name in SageMaker."""
        return next(path.removeprefix("status.") for path in self.api.job_name if path.startswith("status."))

    @property
    def spec_name(self) -> str | None:
        """The spec property that can hold the name in SageMaker."""
        return next((path.removeprefix("spec.") for path in self.api.job_name if path.startswith("spec.")), None)

    @property
    def described(self) -> Any:
        """The shape of what Describe answers."""
        return shapes.output_shape("sagemaker", f"Describe{self.kind.name}")


BY_API: Final[Mapping[str, tuple[Kind, Api]]] = {api.resource: (kind, api) for kind in KINDS for api in kind.apis}


def _legacy(plural: str, **values: Any) -> Row:
    kind, api = BY_API[f"{plural}.{LEGACY.name}"]
    name = f"{kind.name}Name"
    operation = Input(operation=f"Create{kind.name}", without=(name,))
    return Row(kind=kind, api=api, **{"inputs": (operation,), **values})


def _name(kind: str, length: int) -> Schema:
    return told(
        f"The name of the {kind} in SageMaker. If it is empty, one is generated.",
        {"type": "string", "maxLength": length, "pattern": "^(?:[a-zA-Z0-9](?:-*[a-zA-Z0-9])*)?$"},
    )


JOB_STATUS: Final = {"additional": ADDITIONAL, "lastCheckTime": CHECKED}

TRAINING: Final = _legacy(
    "trainingjobs",
    reconcile=jobs.reconcile,
    description="A training job.",
    spec={"trainingJobName": _name("training job", 63)},
    required=("region",),
    shown=("TrainingJobStatus", "SecondaryStatus", "DebugRuleEvaluationStatuses"),
    status={
        **JOB_STATUS,
        "sageMakerTrainingJobName": told("The name of the training job in SageMaker."),
        "modelPath": told("Where the model is in S3."),
        "cloudWatchLogUrl": LOG_URL,
    },
    name_in_spec=True,
    failing="ReconcilingTrainingJob",
    refused="ReconcilingTrainingJob",
    lists="ListTrainingJobs",
    derived=jobs.training,
    evaluated="debugRuleEvaluationStatuses",
)
TUNING: Final = _legacy(
    "hyperparametertuningjobs",
    reconcile=jobs.reconcile,
    description="A hyperparameter tuning job. The training jobs that it starts appear as TrainingJob objects.",
    spec={"hyperParameterTuningJobName": _name("tuning job", 32)},
    required=("region",),
    shown=("HyperParameterTuningJobStatus", "TrainingJobStatusCounters", "BestTrainingJob"),
    status={
        **JOB_STATUS,
        "sageMakerHyperParameterTuningJobName": told("The name of the tuning job in SageMaker."),
    },
    name_limit=32,
    name_in_spec=True,
    failing="ReconcilingTuningJob",
    refused="ReconcilingTuningJob",
    lists="ListHyperParameterTuningJobs",
    derived=jobs.tuning,
    children=Children(*BY_API[f"trainingjobs.{LEGACY.name}"]),
)
TRANSFORM: Final = _legacy(
    "batchtransformjobs",
    reconcile=jobs.reconcile,
    description="A batch transform job.",
    spec={"transformJobName": _name("transform job", 63)},
    required=("region",),
    shown=("TransformJobStatus",),
    status={
        **JOB_STATUS,
        "sageMakerTransformJobName": told("The name of the transform job in SageMaker."),
        "specDigest": DIGEST,
    },
    name_in_spec=True,
    failing="SynchronizingK8sJobWithSageMaker",
    refused="Failed",
    gives_up=True,
    lists="ListTransformJobs",
    derived=jobs.failure,
    frozen="Updates to BatchTransformJob are not supported: SageMaker goes on with the spec that it was given",
)
PROCESSING: Final = _legacy(
    "processingjobs",
    reconcile=jobs.reconcile,
    description="A processing job.",
    required=("region",),
    shown=("ProcessingJobStatus",),
    status={
        **JOB_STATUS,
        "sageMakerProcessingJobName": told("The name of the processing job in SageMaker."),
        "cloudWatchLogUrl": LOG_URL,
    },
    failing="Reconciling",
    refused="Error",
    lists="ListProcessingJobs",
    derived=jobs.processing,
)
PART_STATUS: Final = {
    "additional": ADDITIONAL,
    "lastUpdateTime": CHECKED,
    "status": told("Its state: Created, Deleting or Error, or that of being created."),
    "specDigest": DIGEST,
}
MODEL: Final = _legacy(
    "models",
    reconcile=parts.reconcile,
    description="A model.",
    required=("region",),
    shown=("ModelArn",),
    changes=("Delete",),
    status={**PART_STATUS, "sageMakerModelName": told("The name of the model in SageMaker, once it exists.")},
    checked="lastUpdateTime",
)
ENDPOINT_CONFIG: Final = _legacy(
    "endpointconfigs",
    reconcile=parts.reconcile,
    description="An endpoint configuration.",
    required=("region",),
    shown=("EndpointConfigArn",),
    changes=("Delete",),
    status={
        **PART_STATUS,
        "sageMakerEndpointConfigName": told("The name of the endpoint configuration in SageMaker, once it exists."),
    },
    checked="lastUpdateTime",
)
DEPLOYMENT: Final = _legacy(
    "hostingdeployments",
    reconcile=deployments.reconcile,
    description="An endpoint with its models, kept as the spec says without downtime.",
    inputs=(
        Input(operation="CreateEndpointConfig", without=("EndpointConfigName",)),
        Input(operation="UpdateEndpoint", without=("EndpointName", "EndpointConfigName", "RetainDeploymentConfig")),
    ),
    spec={
        "endpointName": _name("endpoint", 63),
        "models": Items(
            input=Input(operation="CreateModel", without=("ModelName", "Tags")),
            spec={
                "name": told("The model's name here, by which variants name it."),
                "primaryContainer": told(
                    "The containerHostname of the primary container; ignored if there are several containers."
                ),
            },
            required=("name",),
            description="The models of the endpoint.",
        ),
    },
    required=("region", "models"),
    changes=("Update", "Delete"),
    shown=(
        "EndpointArn",
        "EndpointConfigName",
        "EndpointStatus",
        "FailureReason",
        "CreationTime",
        "LastModifiedTime",
        "ProductionVariants",
    ),
    status={
        **JOB_STATUS,
        "endpointName": told("The name of the endpoint in SageMaker."),
        "endpointUrl": told("Where the endpoint answers."),
        "modelNames": told("The models, by their names here, with their names in SageMaker.", PAIRS),
        "observedGeneration": told(
            "The generation that SageMaker was last asked for.", {"type": "integer", "format": "int64"}
        ),
    },
    failing="ReconcilingEndpoint",
    refused="ReconcilingEndpoint",
    lists="ListEndpoints",
)
AUTOSCALING: Final = _legacy(
    "hostingautoscalingpolicies",
    reconcile=autoscaling.reconcile,
    description="An autoscaling policy of endpoints' variants.",
    inputs=(
        Input(service="application-autoscaling", operation="RegisterScalableTarget", without=("ResourceId",)),
        Input(service="application-autoscaling", operation="PutScalingPolicy", without=("ResourceId",)),
    ),
    spec={
        "policyName": told("The policy's name. If it is empty, one is given.", {"type": "string", "maxLength": 256}),
        "policyType": told("The policy's type. If it is empty, it is TargetTrackingScaling."),
        "resourceId": told(
            "The variants that scale.",
            {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "endpointName": {"type": "string", "minLength": 1},
                        "variantName": {"type": "string", "minLength": 1},
                    },
                },
            },
        ),
    },
    required=("region",),
    optional=("ServiceNamespace", "ScalableDimension", "PolicyName"),
    status={
        **JOB_STATUS,
        "hostingAutoscalingPolicyStatus": told("Its state: Reconciling, Created, Deleting or Error."),
        "policyName": told("The policy's name."),
        "resourceIDList": told("The resources that have the policy.", {"type": "array", "items": TEXT}),
        "specDigest": DIGEST,
    },
    waiting="Reconciling",
    failing="Reconciling",
    refused="Error",
)

ROWS: Final[tuple[Row, ...]] = (
    TRAINING,
    TUNING,
    TRANSFORM,
    PROCESSING,
    MODEL,
    ENDPOINT_CONFIG,
    DEPLOYMENT,
    AUTOSCALING,
)
