"""The small believable world of the sandbox: its objects in both API groups, their jobs, and the jobs' logs.

`PARTS` has a row for each object: what it is called, in which group it stands, how its life goes and what it writes.
Moments are seconds from the sandbox's start; what lies ahead comes `speed` times sooner.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.kinds import ACK, KINDS, LEGACY, Api, Group, Kind
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.refusals import Refused
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.times import rfc3339

ROWS: Final[Mapping[str, tuple[Kind, Api]]] = {api.resource: (kind, api) for kind in KINDS for api in kind.apis}
MINUTE: Final = 60.0
HOUR: Final = 3600.0
ROLE: Final = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
MIRRORED: Final = ("TrainingJobStatusCounters", "BestTrainingJob")
"""Members of Describe's answer that controllers copy into a status as they are."""


@dataclass(frozen=True, slots=True)
class Line:
    """A log line: when it was written, by which instance, and what it says."""

    at: float
    instance: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One custom resource, the job behind it, and what the job writes."""

    resource: str
    """`plural.group`."""
    name: str
    namespace: str = "default"
    job_name: str | None
    """None: nobody has reconciled the object."""
    status: Mapping[str, Any] | None = None
    """What a controller has written once, in place of a job's state: SageMaker has no such job, or not here."""
    created: float
    stages: tuple[Stage, ...] = ()
    """Offsets are seconds from `created`."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """What Create was given, in AWS's spelling; the spec is made from it."""
    outcome: Mapping[str, Any] = field(default_factory=dict)
    """What Describe adds at the end."""
    lines: tuple[Line, ...] = ()


@dataclass(slots=True)
class World:
    """A cluster and an account with the same jobs in both, and the controllers that keep them so."""

    cluster: Cluster
    account: Account
    pretend: Callable[[float | None], None]
    """Sets the cluster's clock (None: back to the present), for objects that were made in the past."""
    mirrored: list[tuple[Kind, Api, Part]] = field(default_factory=list)

    def populate(self, parts: tuple[Part, ...], *, start: float, speed: float = 1.0) -> None:
        """Make the parts' jobs, logs and objects; `start` is seconds since the epoch."""
        chance = random.Random(2020)  # noqa: S311  # no secret; the world is the same each time

        def moment(at: float) -> float:
            return start + (at if at < 0 else at / speed)

        for part in parts:
            kind, api = ROWS[part.resource]
            created = moment(part.created)
            if part.job_name and part.status is None:
                stages = [
                    Stage(moment(part.created + stage.offset) - created, stage.status, stage.secondary, stage.message)
                    for stage in part.stages
                ]
                self.account.jobs.put(
                    kind.name, part.job_name, stages, created=created, request=part.request, outcome=part.outcome
                )
            shown: dict[str, float] = {}
            for line in part.lines:
                assert kind.log is not None  # noqa: S101  # the rows below have lines only where there is a log
                stream = f"{kind.log.prefix.format(name=part.job_name)}{line.instance}-{round(created)}"
                # An instance sends its lines in order; how late they are differs between instances.
                visible = moment(line.at) + chance.uniform(0.2, 1.5) / speed
                shown[stream] = max(shown.get(stream, 0.0), visible)
                self.account.logs.put(
                    kind.log.group.format(name=part.job_name),
                    stream,
                    round(moment(line.at) * 1000),
                    line.message,
                    visible_at=shown[stream],
                )
            if part.name:
                self._create(kind, api, part, created)
        self.reconcile()

    def _create(self, kind: Kind, api: Api, part: Part, created: float) -> None:
        spec: dict[str, Any] = spelt(part.request, api.group)
        if api.group is LEGACY:
            spec["region"] = self.account.region
        elif part.job_name:
            spec[f"{kind.name[:1].lower()}{kind.name[1:]}Name"] = part.job_name
        thing = {
            "apiVersion": f"{api.group.name}/{api.group.version}",
            "kind": api.kind,
            "metadata": {"name": part.name, "namespace": part.namespace},
            "spec": spec,
        }
        self.pretend(created)
        self.cluster.create(RESOURCES[api.resource], part.namespace, thing)
        self.pretend(None)
        if part.status is not None:
            self.cluster.patch_status(RESOURCES[api.resource], part.namespace, part.name, part.status)
        elif part.job_name:
            self.mirrored.append((kind, api, part))

    def reconcile(self) -> None:
        """Write each job's state into its object's status, where it has changed: what the two controllers do."""
        for kind, api, part in self.mirrored:
            resource = RESOURCES[api.resource]
            try:
                described = self.account.jobs.state(kind.name, str(part.job_name))
                thing = self.cluster.get(resource, part.namespace, part.name)
                status = self._status(kind, api, str(part.job_name), described)
                if any(dig(thing, f"status.{name}") != value for name, value in status.items()):
                    self.cluster.patch_status(resource, part.namespace, part.name, status)
            except (AwsError, Refused):
                # Deleted there or here; the operator of the real thing would clean up.
                continue

    def _status(self, kind: Kind, api: Api, job_name: str, described: Mapping[str, Any]) -> dict[str, Any]:
        """A status as the group's controller writes it, by the paths of the registry's row."""
        status: dict[str, Any] = {}
        values = {
            api.status: described.get(f"{kind.name}Status"),
            api.secondary_status: described.get("SecondaryStatus"),
            api.reason[0] if api.reason else None: described.get("FailureReason"),
            api.creation_time: rfc3339(described["CreationTime"]) if "CreationTime" in described else None,
            next((path for path in api.job_name if path.startswith("status.")), None): job_name,
        }
        for path, value in values.items():
            if path and value is not None:
                status[path.removeprefix("status.")] = value
        for member in MIRRORED:
            if described.get(member):
                status[f"{member[:1].lower()}{member[1:]}"] = spelt(described[member], api.group)
        if api.group is ACK:
            status["ackResourceMetadata"] = {
                "arn": described[f"{kind.name}Arn"],
                "ownerAccountID": self.account.account_id,
                "region": self.account.region,
            }
            settled = "True" if described.get(f"{kind.name}Status") in {*kind.ends, "InService"} else "False"
            status["conditions"] = [{"type": "ACK.ResourceSynced", "status": settled}]
        return status


def spelt(value: Any, group: Group) -> Any:
    """A request in AWS's spelling as the group spells a spec: members begin small.

    ACK writes ARN, URI and ID in capitals and keeps maps; the legacy group has lists of name and value for maps.
    """
    if isinstance(value, Mapping):
        if (
            group is LEGACY
            and value
            and all(isinstance(item, str) and name[:1].islower() for name, item in value.items())
        ):
            return [{"name": name, "value": item} for name, item in value.items()]
        return {_member(name, group): spelt(item, group) for name, item in value.items()}
    return [spelt(item, group) for item in value] if isinstance(value, list) else value


def _member(name: str, group: Group) -> str:
    if name[:1].islower():
        # A key of a map, such as a hyperparameter's name.
        return name
    if group is ACK:
        for word in ("Arn", "Uri", "Id"):
            if name.endswith(word):
                name = name.removesuffix(word) + word.upper()
    return f"{name[:1].lower()}{name[1:]}"


def generated(name: str, limit: int = 63) -> str:
    """A SageMaker name as the legacy operator makes it: the object's name and its uid."""
    uid = uuid.uuid5(uuid.NAMESPACE_DNS, name).hex
    return f"{name}-{uid}" if len(name) + 33 <= limit else uid


def training(instances: int, instance_type: str, *, spot: bool = False) -> dict[str, Any]:
    """A training job's request."""
    return {
        "AlgorithmSpecification": {
            "TrainingImage": "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1",
            "TrainingInputMode": "File",
        },
        "HyperParameters": {"max_depth": "5", "eta": "0.2", "objective": "multi:softmax", "num_round": "10"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/xgboost/"},
        "ResourceConfig": {"InstanceCount": instances, "InstanceType": instance_type, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3599, **({"MaxWaitTimeInSeconds": 3600} if spot else {})},
        "EnableManagedSpotTraining": spot,
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://my-bucket/xgboost/{channel}/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
                "ContentType": "text/csv",
            }
            for channel in ("train", "validation")
        ],
    }


def life(begins: float, ends: float, end: str = "Completed", message: str | None = None) -> tuple[Stage, ...]:
    """A training job's stages: work begins and the end comes at offsets from its creation, in seconds."""
    return (
        Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
        Stage(begins * 0.6, "InProgress", "Downloading", "Downloading input data"),
        Stage(begins, "InProgress", "Training", "Training image download completed. Training in progress."),
        Stage(ends - 3, "InProgress", "Uploading", "Uploading generated training model"),
        Stage(ends, end, end, message or f"Training job {end.lower()}"),
    )


def plain(ends: float, end: str = "Completed", begin: str = "InProgress") -> tuple[Stage, ...]:
    """The stages of what has no secondary status."""
    return (Stage(0, begin), Stage(ends, end))


def boosting(begins: float, ends: float, instances: int = 1, rounds: int = 40) -> tuple[Line, ...]:
    """What XGBoost's container writes, in SageMaker's spelling of tabs."""
    lines = []
    for number in range(1, instances + 1):
        instance = f"algo-{number}"
        opening = (
            "Arguments: train",
            "[INFO] running distributed training" if instances > 1 else "[INFO] running standalone training",
            "[INFO] Determined delimiter of CSV input is ','",
            "[INFO] 50000x784 matrix with 39200000 entries loaded from /opt/ml/input/data/train",
        )
        lines += [Line(begins + 0.3 * index, instance, text) for index, text in enumerate(opening)]
        step = max(0.0, ends - begins - 2.0) / rounds
        for index in range(rounds):
            error = 0.17 * 0.96**index
            text = f"[{index}]#011train-merror:{error:.5f}#011validation-merror:{error * 1.06:.5f}"
            lines.append(Line(begins + 1.5 + step * index + 0.05 * number, instance, text))
    return tuple(lines)


TRACEBACK: Final = """Traceback (most recent call last):
  File "/opt/ml/code/train.py", line 118, in <module>
    main(parser.parse_args())
  File "/opt/ml/code/train.py", line 74, in main
    loss.backward()
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.44 GiB (GPU 0; 39.59 GiB total capacity)"""


def failing(begins: float, ends: float) -> tuple[Line, ...]:
    """Two instances: one runs out of memory, the other is shut down after it."""
    steps = [
        Line(
            begins + (ends - begins - 20) * index / 60,
            f"algo-{number}",
            f"step {index * 50} loss {6.9 - index / 20:.3f}",
        )
        for index in range(60)
        for number in (1, 2)
    ]
    return (
        *steps,
        *(Line(ends - 18, "algo-2", line) for line in TRACEBACK.splitlines()),
        Line(ends - 12, "algo-1", "[rank0] NCCL watchdog: peer algo-2 has gone"),
        Line(
            ends - 10,
            "algo-1",
            "2020-01-28 17:20:31,107 sagemaker-training-toolkit INFO     Waiting for processes to exit",
        ),
        Line(ends - 8, "algo-2", "2020-01-28 17:20:33,412 sagemaker-training-toolkit ERROR    ExecuteUserScriptError"),
    )


def working(begins: float, ends: float, *texts: str, instances: int = 1) -> tuple[Line, ...]:
    """Lines that each instance writes evenly."""
    step = (ends - begins) / len(texts)
    return tuple(
        Line(begins + step * index + 0.1 * number, f"algo-{number}", text)
        for number in range(1, instances + 1)
        for index, text in enumerate(texts)
    )


TRANSFORM: Final = {
    "ModelName": "sagemaker-tensorflow-model",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://my-bucket/mnist-1000-samples"}},
        "ContentType": "text/csv",
    },
    "TransformOutput": {"S3OutputPath": "s3://my-bucket/sagemaker-tensorflow-model"},
    "TransformResources": {"InstanceType": "ml.m4.xlarge", "InstanceCount": 2},
}
PROCESSING: Final = {
    "AppSpecification": {
        "ImageUri": "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:1.5.0-cpu-py36-ubuntu16.04",
        "ContainerEntrypoint": ["python", "/opt/ml/processing/code/kmeans_preprocessing.py"],
    },
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}
    },
    "RoleArn": ROLE,
    "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
}
TUNING: Final = {
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:error"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2},
    },
}
HPO: Final = generated("xgboost-mnist-hpo", limit=32)


def child(number: int, begins: float, ends: float, end: str = "Completed") -> Part:
    """One training job of the tuning job: a job in AWS without an object of its own."""
    return Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="",
        job_name=f"{HPO}-{number:03d}-{uuid.uuid5(uuid.NAMESPACE_DNS, str(number)).hex[:8]}",
        created=begins,
        stages=life(60, ends - begins, end),
        request={
            **training(1, "ml.m4.xlarge"),
            "TuningJobArn": f"arn:aws:sagemaker:us-west-2:123456789012:hyper-parameter-tuning-job/{HPO}",
        },
        outcome={"FailureReason": "AlgorithmError: bad max_depth"} if end == "Failed" else {},
        lines=boosting(begins + 60, ends, rounds=10),
    )


def stuck(kind: str, message: str) -> dict[str, Any]:
    """The status that ACK writes for a job that it could not create."""
    return {
        "ackResourceMetadata": {"ownerAccountID": "123456789012", "region": "us-west-2"},
        "conditions": [{"type": kind, "status": "True", "message": message}],
    }


REASON: Final = "AlgorithmError: ExecuteUserScriptError: torch.cuda.OutOfMemoryError: CUDA out of memory, exit code: 1"

PARTS: Final[tuple[Part, ...]] = (
    Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="xgboost-mnist",
        job_name=generated("xgboost-mnist"),
        created=-70,
        stages=life(67, 94),
        request=training(1, "ml.m4.xlarge"),
        outcome={"FinalMetricDataList": [{"MetricName": "validation:merror", "Value": 0.0352, "Timestamp": 0}]},
        lines=boosting(-3, 21),
    ),
    Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="spot-xgboost-mnist",
        job_name=generated("spot-xgboost-mnist"),
        created=-52 * MINUTE,
        stages=life(180, 22 * MINUTE),
        request=training(1, "ml.m4.xlarge", spot=True),
        outcome={"BillableTimeInSeconds": 396},
        lines=boosting(-49 * MINUTE, -30.1 * MINUTE),
    ),
    Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="churn",
        job_name=generated("churn"),
        created=-26 * HOUR,
        stages=life(150, 21 * MINUTE),
        request=training(2, "ml.m5.xlarge"),
        lines=boosting(-26 * HOUR + 150, -26 * HOUR + 20 * MINUTE, instances=2),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="churn",
        job_name="churn-2026",
        created=-5 * HOUR,
        stages=life(120, 11 * MINUTE, "Stopped", "Training job stopped"),
        request=training(1, "ml.m5.xlarge"),
        lines=boosting(-5 * HOUR + 120, -5 * HOUR + 10 * MINUTE),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="resnet50-imagenet",
        job_name="resnet50-imagenet",
        created=-3 * HOUR,
        stages=life(240, 55 * MINUTE, "Failed", REASON),
        request=training(2, "ml.p4d.24xlarge"),
        outcome={"FailureReason": REASON},
        lines=failing(-3 * HOUR + 240, -3 * HOUR + 55 * MINUTE),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="xgb",
        namespace="ml",
        job_name="xgb",
        created=-90 * MINUTE,
        stages=life(120, 9 * MINUTE),
        request=training(1, "ml.m5.large"),
        lines=boosting(-88 * MINUTE, -82 * MINUTE),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="xgb-2",
        namespace="ml",
        job_name="xgb-2",
        created=-89 * MINUTE,
        stages=life(120, 9 * MINUTE, "Failed", "AlgorithmError"),
        request=training(1, "ml.m5.large"),
        outcome={"FailureReason": "AlgorithmError: label column has missing values"},
        lines=working(
            -87 * MINUTE, -81 * MINUTE, "reading s3://my-bucket/xgb-2", "ValueError: label column has missing values"
        ),
    ),
    Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="not-reconciled",
        namespace="ml",
        job_name=None,
        created=-6 * MINUTE,
        request=training(1, "ml.m4.xlarge"),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="no-such-instance",
        namespace="ml",
        job_name="no-such-instance",
        created=-50 * MINUTE,
        request=training(1, "ml.p99.large"),
        status=stuck(
            "ACK.Terminal",
            "ValidationException: 1 validation error detected: Value 'ml.p99.large' at 'resourceConfig.instanceType' "
            "failed to satisfy constraint",
        ),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="no-pass-role",
        namespace="ml",
        job_name="no-pass-role",
        created=-12 * MINUTE,
        request=training(1, "ml.m5.large"),
        status=stuck(
            "ACK.Recoverable",
            "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/ack-sagemaker-controller is not "
            f"authorized to perform: iam:PassRole on resource: {ROLE}",
        ),
    ),
    Part(
        resource="processingjobs.sagemaker.aws.amazon.com",
        name="no-entrypoint",
        namespace="ml",
        job_name=None,
        created=-30 * MINUTE,
        request=PROCESSING,
        status={"processingJobStatus": "Error", "additional": "ValidationException: ContainerEntrypoint is empty"},
    ),
    Part(
        resource="batchtransformjobs.sagemaker.aws.amazon.com",
        name="xgboost-batch",
        job_name=generated("xgboost-batch"),
        created=-40 * MINUTE,
        stages=plain(8 * MINUTE),
        request=TRANSFORM,
        lines=working(
            -36 * MINUTE,
            -33 * MINUTE,
            "Starting the model server",
            "scored 500 of 1000 records",
            "scored 1000 of 1000 records",
            instances=2,
        ),
    ),
    Part(
        resource="transformjobs.sagemaker.services.k8s.aws",
        name="nightly-scores",
        namespace="ml",
        job_name="nightly-scores",
        created=-9 * HOUR,
        stages=plain(12 * MINUTE),
        request=TRANSFORM,
        lines=working(-9 * HOUR + 240, -9 * HOUR + 600, "Starting the model server", "scored 1000 of 1000 records"),
    ),
    Part(
        resource="processingjobs.sagemaker.aws.amazon.com",
        name="kmeans-mnist-processing",
        job_name=generated("kmeans-mnist-processing"),
        created=-2 * HOUR,
        stages=plain(6 * MINUTE),
        request=PROCESSING,
        lines=working(
            -2 * HOUR + 200,
            -2 * HOUR + 350,
            "unpacking mnist.pkl.gz",
            "wrote train_data",
            "wrote test_data",
            "wrote valid_data",
        ),
    ),
    Part(
        resource="processingjobs.sagemaker.services.k8s.aws",
        name="features",
        namespace="ml",
        job_name="features-20260101",
        created=-4 * MINUTE,
        stages=plain(HOUR),
        request=PROCESSING,
        lines=working(-MINUTE, 40 * MINUTE, *(f"partition {index} of 400 written" for index in range(400))),
    ),
    Part(
        resource="hyperparametertuningjobs.sagemaker.aws.amazon.com",
        name="xgboost-mnist-hpo",
        job_name=HPO,
        created=-25 * MINUTE,
        stages=plain(2 * HOUR),
        request=TUNING,
    ),
    child(1, -24 * MINUTE, -14 * MINUTE),
    child(2, -24 * MINUTE, -11 * MINUTE, "Failed"),
    child(3, -10 * MINUTE, 5 * MINUTE),
    Part(
        resource="hostingdeployments.sagemaker.aws.amazon.com",
        name="hosting-deployment",
        job_name="hosting-deployment-8a6f",
        created=-3 * 24 * HOUR,
        stages=plain(9 * MINUTE, "InService", "Creating"),
        request={"EndpointConfigName": "hosting-deployment-8a6f-1"},
    ),
    Part(
        resource="endpoints.sagemaker.services.k8s.aws",
        name="ranking",
        namespace="ml",
        job_name="ranking",
        created=-8 * MINUTE,
        stages=plain(HOUR, "InService", "Creating"),
        request={"EndpointConfigName": "ranking-7"},
    ),
)
