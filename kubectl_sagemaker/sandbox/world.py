"""A world made of parts: custom resources in both API groups, the jobs behind them, and what the jobs write.

A `Part` says what an object is called, in which group it stands, how its life goes and what it writes; `parts/` has
the sandbox's own. Moments are seconds from the sandbox's start; what lies ahead comes `speed` times sooner.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.kinds import ACK, KINDS, LEGACY, Api, Group, Kind
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.protocol import AwsError, fit
from kubectl_sagemaker.sandbox.refusals import Refused
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage, Step, described
from kubectl_sagemaker.times import rfc3339

ROWS: Final[Mapping[str, tuple[Kind, Api]]] = {api.resource: (kind, api) for kind in KINDS for api in kind.apis}
MINUTE: Final = 60.0
HOUR: Final = 3600.0
ROLE: Final = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
MIRRORED: Final[Mapping[str, tuple[str, ...]]] = {
    f"hyperparametertuningjobs.{LEGACY.name}": ("TrainingJobStatusCounters", "BestTrainingJob"),
    f"hyperparametertuningjobs.{ACK.name}": ("BestTrainingJob",),
    f"hostingdeployments.{LEGACY.name}": (
        "EndpointArn",
        "EndpointConfigName",
        "LastModifiedTime",
        "ProductionVariants",
    ),
    f"endpoints.{ACK.name}": ("LastModifiedTime", "ProductionVariants"),
    f"inferencecomponents.{ACK.name}": ("LastModifiedTime", "EndpointName", "VariantName"),
    f"labelingjobs.{ACK.name}": ("JobReferenceCode", "LabelCounters"),
    f"notebookinstances.{ACK.name}": ("Url",),
    f"pipelineexecutions.{ACK.name}": ("LastModifiedTime",),
}
"""Members of Describe's answer that controllers copy into a status, by resource, as the CRDs have them."""
SCRIPTED: Final = "sandbox.example.com/scripted"
"""Label of the world's own objects, whose lives are told beforehand: the operator leaves them alone."""
STREAMS: Final[Mapping[str, str]] = {
    "Endpoint": "{instance}",
    "InferenceComponent": "{instance}",
    "NotebookInstance": "{name}/{instance}",
    "LabelingJob": "{name}",
}
"""Log streams that are not `JOB/INSTANCE-EPOCH`. They, and `Line.instance`, are as AWS lists them:
https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html. It is silent on inference components;
theirs are taken to be an endpoint's."""


@dataclass(frozen=True, slots=True)
class Line:
    """A log line: when it was written, by which instance, and what it says."""

    at: float
    instance: str
    """`algo-1`; an instance's id for transform jobs; `VARIANT/ID` for endpoints; a file's name for notebooks."""
    message: str
    log: str = ""
    """`data-log`, or a container of an inference pipeline: a stream of its own below the instance's."""


@dataclass(frozen=True, slots=True)
class Endless:
    """Lines without end: one every `every` seconds since `begins`, of which `make` is given the number.

    The sandbox's speed does not hurry them.
    """

    begins: float
    instance: str
    every: float
    make: Callable[[int], str]
    lag: float = 0.7
    """Seconds from when a line is written to when CloudWatch shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One custom resource, the job behind it, and what the job writes."""

    resource: str
    """`plural.group`."""
    name: str
    """Empty: a job without an object."""
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    job_name: str | None
    """None: nobody has reconciled the object. A pipeline execution's is `PIPELINE/execution/ID`."""
    region: str | None = None
    """None: the account's main one."""
    status: Mapping[str, Any] | None = None
    """What a controller has written once, in place of a job's state: SageMaker has no such job, or not here."""
    created: float
    """If that is still to come, the object comes then too."""
    stages: tuple[Stage, ...] = ()
    """Offsets are seconds from `created`."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """What Create was given, in AWS's spelling; the spec is made from it."""
    spec: Mapping[str, Any] | None = None
    """The object's spec, where it is not Create's request in the group's spelling."""
    outcome: Mapping[str, Any] = field(default_factory=dict)
    """What Describe adds at the end."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """A training job's final metrics, by name."""
    steps: tuple[Step, ...] = ()
    """A pipeline execution's; offsets are seconds from `created`."""
    lines: tuple[Line, ...] = ()
    endless: tuple[Endless, ...] = ()


@dataclass(slots=True)
class World:
    """A cluster and an account with the same jobs in both, and the controllers that keep them so."""

    cluster: Cluster
    account: Account
    pretend: Callable[[float | None], None]
    """Sets the cluster's clock (None: back to the present), for objects that were made in the past."""
    elsewhere: Mapping[str, Account] = field(default_factory=dict)
    """The account in other regions."""
    mirrored: list[tuple[Kind, Api, Part]] = field(default_factory=list)
    awaited: list[tuple[float, Kind, Api, Part]] = field(default_factory=list)
    """Objects that are still to come, each with its moment, s since the epoch."""

    def populate(self, parts: tuple[Part, ...], *, start: float, speed: float = 1.0) -> None:
        """Make the parts' jobs, logs and objects; `start` is seconds since the epoch."""
        chance = random.Random(2020)  # noqa: S311  # no secret; the world is the same each time

        def moment(at: float) -> float:
            return start + (at if at < 0 else at / speed)

        for part in parts:
            kind, api = ROWS[part.resource]
            created = moment(part.created)
            if part.job_name and part.status is None:
                self._start(kind, part, part.job_name, moment)
            if part.job_name and kind.log is not None:
                self._write(kind, part, part.job_name, moment, chance, speed)
            if part.name and created > start:
                self.awaited.append((created, kind, api, part))
            elif part.name:
                self.pretend(created)
                self._create(kind, api, part)
                self.pretend(None)
        self.reconcile()

    def account_of(self, part: Part) -> Account:
        """The account in the part's region."""
        return self.elsewhere.get(part.region or "", self.account)

    def _start(self, kind: Kind, part: Part, job_name: str, moment: Callable[[float], float]) -> None:
        """Let SageMaker have the job."""
        created = moment(part.created)
        stages = [replace(stage, offset=moment(part.created + stage.offset) - created) for stage in part.stages]
        steps = [replace(step, offset=moment(part.created + step.offset) - created) for step in part.steps]
        outcome = dict(part.outcome)
        if part.metrics:
            outcome["FinalMetricDataList"] = [
                {"MetricName": name, "Value": value, "Timestamp": created + stages[-1].offset}
                for name, value in part.metrics.items()
            ]
        self.account_of(part).jobs.put(
            kind.name,
            job_name,
            stages,
            created=created,
            request=fit(described(kind.name), part.request),
            outcome=outcome,
            steps=steps,
        )

    def _write(
        self,
        kind: Kind,
        part: Part,
        job_name: str,
        moment: Callable[[float], float],
        chance: random.Random,
        speed: float,
    ) -> None:
        """Let CloudWatch have the lines."""
        assert kind.log is not None  # noqa: S101  # as the caller has seen
        logs = self.account_of(part).logs
        group = kind.log.group.format(name=job_name)
        template = STREAMS.get(kind.name, "{name}/{instance}-{epoch}")
        epoch = round(moment(part.created))
        shown: dict[str, float] = {}
        for line in part.lines:
            stream = template.format(name=job_name, instance=line.instance, epoch=epoch)
            stream += f"/{line.log}" if line.log else ""
            # An instance sends its lines in order; how late they are differs between instances.
            visible = moment(line.at) + chance.uniform(0.2, 1.5) / speed
            shown[stream] = max(shown.get(stream, 0.0), visible)
            logs.put(group, stream, round(moment(line.at) * 1000), line.message, visible_at=shown[stream])
        for endless in part.endless:
            stream = template.format(name=job_name, instance=endless.instance, epoch=epoch)
            begin, step = round(moment(endless.begins) * 1000), round(endless.every * 1000)
            logs.put_endless(group, stream, begin, step, endless.make, lag=endless.lag)

    def _create(self, kind: Kind, api: Api, part: Part) -> None:
        spec: dict[str, Any] = spelt(part.request, api.group) if part.spec is None else dict(part.spec)
        name = next((path for path in reversed(api.job_name) if path.startswith("spec.")), None)
        if api.group is LEGACY:
            spec["region"] = self.account_of(part).region
        elif part.job_name and name:
            spec[name.removeprefix("spec.")] = part.job_name
        thing = {
            "apiVersion": f"{api.group.name}/{api.group.version}",
            "kind": api.kind,
            "metadata": {
                "name": part.name,
                "namespace": part.namespace,
                "labels": {**part.labels, SCRIPTED: "true"},
            },
            "spec": spec,
        }
        self.cluster.create(RESOURCES[api.resource], part.namespace, thing)
        if part.status is not None:
            self.cluster.patch_status(RESOURCES[api.resource], part.namespace, part.name, part.status)
        elif part.job_name:
            self.mirrored.append((kind, api, part))

    def reconcile(self) -> None:
        """Write each job's state into its object's status, where it has changed: what the two controllers do."""
        now = self.account.now()
        for awaited in [one for one in self.awaited if one[0] <= now]:
            self.awaited.remove(awaited)
            self._create(*awaited[1:])
        for kind, api, part in self.mirrored:
            resource = RESOURCES[api.resource]
            try:
                account = self.account_of(part)
                state = account.jobs.state(kind.name, str(part.job_name))
                thing = self.cluster.get(resource, part.namespace, part.name)
                status = _status(kind, api, str(part.job_name), state, account)
                if any(dig(thing, f"status.{name}") != value for name, value in status.items()):
                    self.cluster.patch_status(resource, part.namespace, part.name, status)
            except (AwsError, Refused):
                # Deleted there or here; the operator of the real thing would clean up.
                continue


def _status(kind: Kind, api: Api, job_name: str, state: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """A status as the group's controller writes it, by the paths of the registry's row."""
    status: dict[str, Any] = {}
    values = {
        api.status: state.get(f"{kind.name}Status"),
        api.secondary_status: state.get("SecondaryStatus"),
        api.reason[0] if api.reason else None: state.get("FailureReason"),
        api.creation_time: rfc3339(state["CreationTime"]) if "CreationTime" in state else None,
    }
    if api.group is LEGACY:
        values[next((path for path in api.job_name if path.startswith("status.")), None)] = job_name
    for path, value in values.items():
        if path and value is not None:
            status[path.removeprefix("status.")] = value
    shape = described(kind.name)
    for member in MIRRORED.get(api.resource, ()):
        if state.get(member):
            status[_member(member, api.group)] = spelt(
                _told(shape.members[member], state[member], api.group), api.group
            )
    if "trainingJobStatusCounters" in status:
        counters = status["trainingJobStatusCounters"]
        counters["totalError"] = counters["retryableError"] + counters["nonRetryableError"]
    if api.group is ACK:
        status["ackResourceMetadata"] = {
            "arn": state[f"{kind.name}Arn"],
            "ownerAccountID": account.account_id,
            "region": account.region,
        }
        settled = "True" if state.get(f"{kind.name}Status") in {*kind.ends, "InService"} else "False"
        status["conditions"] = [{"type": "ACK.ResourceSynced", "status": settled}]
    return status


def _told(shape: Any, value: Any, group: Group, name: str = "") -> Any:
    """A member of Describe's answer as Kubernetes has it: times are text; the legacy group's CRDs have no fractions."""
    if shape.type_name == "structure":
        return {member: _told(shape.members[member], item, group, member) for member, item in value.items()}
    if shape.type_name == "list":
        return [_told(shape.member, item, group) for item in value]
    if shape.type_name == "timestamp":
        return rfc3339(value)
    if group is LEGACY and shape.type_name == "float":
        return int(value) if name.endswith("Weight") else str(value)
    return value


def spelt(value: Any, group: Group) -> Any:
    """A request in AWS's spelling as the group spells a spec: members begin small.

    ACK writes ARN, URI and their like in capitals, `type_` for Go's `type`, and keeps maps; the legacy group has lists
    of name and value for maps.
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


CAPITALS: Final = re.compile(r"(?<=[a-z0-9])(Arn|Uri|Url|Id|Kms|Cpu|Ui)(?=[A-Z]|s?$)")


def _member(name: str, group: Group) -> str:
    if name[:1].islower():
        # A key of a map, such as a hyperparameter's name.
        return name
    if group is ACK:
        name = CAPITALS.sub(lambda found: found.group().upper(), name)
        if name == "Type":
            return "type_"
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


def stuck(kind: str, message: str) -> dict[str, Any]:
    """The status that ACK writes for a job that it could not create."""
    return {
        "ackResourceMetadata": {"ownerAccountID": "123456789012", "region": "us-west-2"},
        "conditions": [{"type": kind, "status": "True", "message": message}],
    }
