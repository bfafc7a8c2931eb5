"""What somebody starts in the sandbox lives: through its states, with a log, and goes wrong where it is asked to.

Annotations of the object say so: see `FAIL`, `CAPACITY` and `THROTTLE`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.kinds import Kind
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.protocol import AwsError, fit
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Parameters, Stage, described, ordinary
from kubectl_sagemaker.sandbox.world import ROWS, Line, boosting, working

FAIL: Final = "sandbox.example.com/fail"
"""The job fails, with this text as its reason."""
CAPACITY: Final = "sandbox.example.com/capacity"
"""The job never gets its instances, and fails with this text."""
THROTTLE: Final = "sandbox.example.com/throttle"
"""So many requests to create it are throttled before one is granted."""

WORK: Final[Mapping[str, tuple[str, ...]]] = {
    "TransformJob": (
        "Starting the model server",
        *(f"scored {count} of 1000 records" for count in range(100, 1001, 100)),
    ),
    "ProcessingJob": ("reading the input", *(f"{share} % done" for share in range(10, 101, 10)), "wrote the output"),
}
"""What jobs other than training write."""
BEGINS: Final = 4.0
"""Seconds from when a job is created to when its work begins."""
LASTS: Final = 20.0
"""Seconds of work."""
PAUSE: Final = 2.0
"""Seconds between two of a tuning job's jobs in the same place."""


class Living:
    """The account's jobs that objects of the cluster ask for. `speed` says how many times sooner everything comes."""

    def __init__(self, cluster: Cluster, account: Account, *, speed: float) -> None:
        self._cluster = cluster
        self._account = account
        self._speed = speed
        self._throttled: dict[str, int] = {}
        account.jobs.speed = speed
        account.jobs.lifecycle = self.lifecycle
        account.jobs.started = self.started
        account.refuses = self.refuses

    def lifecycle(self, kind: str, parameters: Parameters) -> Sequence[Stage]:
        """The stages of a job that is created."""
        name = parameters[f"{kind}Name"]
        if reason := self._asked(kind, name, CAPACITY):
            return self._scaled(
                Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
                Stage(5, "InProgress", "Starting", f"{reason} Retrying."),
                Stage(15, "Failed", "Failed", reason),
            )
        if kind == "HyperParameterTuningJob":
            return (Stage(0, "InProgress"), Stage(self._tuning_seconds(parameters) / self._speed, "Completed"))
        stages = list(ordinary(kind, parameters))
        if reason := self._asked(kind, name, FAIL):
            half = [stage for stage in stages if stage.offset < BEGINS + LASTS / 2]
            stages = [*half, Stage(BEGINS + LASTS / 2, "Failed", "Failed", reason)]
        return self._scaled(*stages)

    def started(self, kind: str, parameters: Parameters) -> None:
        """A job was created: what it writes, how it ends, and what it starts."""
        name = parameters[f"{kind}Name"]
        reason = self._asked(kind, name, CAPACITY) or self._asked(kind, name, FAIL)
        if kind == "HyperParameterTuningJob":
            self._tune(name, parameters)
        elif reason:
            self._account.jobs.end(kind, name, {"FailureReason": reason})
        elif kind == "TrainingJob":
            self._account.jobs.end(kind, name, _trained(name, parameters, self._account.now() + LASTS))
        self._write(kind, name, parameters, self._account.now(), failing=reason)

    def refuses(self, operation: str, parameters: Mapping[str, Any]) -> AwsError | None:
        """Throttle what is to be throttled."""
        kind = operation.removeprefix("Create")
        name = parameters.get(f"{kind}Name") if kind != operation else None
        if not name or not (wanted := self._asked(kind, name, THROTTLE)).isdecimal():
            return None
        count = self._throttled[name] = self._throttled.get(name, 0) + 1
        return AwsError("ThrottlingException", "Rate exceeded") if count <= int(wanted) else None

    def _scaled(self, *stages: Stage) -> list[Stage]:
        return [Stage(one.offset / self._speed, one.status, one.secondary, one.message) for one in stages]

    def _asked(self, kind: str, name: str, annotation: str) -> str:
        """What the object of a job has as an annotation; empty if there is none."""
        for resource, (row, api) in ROWS.items():
            if row.name == kind:
                for thing in self._cluster.list(RESOURCES[resource]).items:
                    if name in {dig(thing, path) for path in api.job_name}:
                        return str((thing["metadata"].get("annotations") or {}).get(annotation, ""))
        return ""

    def _write(self, kind: str, name: str, parameters: Parameters, created: float, *, failing: str) -> None:
        """Let CloudWatch have what a job writes."""
        row = next((row for row, _ in ROWS.values() if row.name == kind), None)
        if row is None or row.log is None or failing == self._asked(kind, name, CAPACITY) != "":
            return
        begins, ends = created + BEGINS / self._speed, created + (BEGINS + LASTS) / self._speed
        if kind == "TrainingJob":
            count = (parameters.get("ResourceConfig") or {}).get("InstanceCount", 1)
            lines: tuple[Line, ...] = boosting(begins, ends, instances=count)
        elif kind in WORK:
            lines = working(begins, ends, *WORK[kind])
        else:
            return
        if failing:
            middle = (begins + ends) / 2
            lines = (*(line for line in lines if line.at < middle - 1), Line(middle - 0.5, "algo-1", failing))
        self._put(row, name, created, lines)

    def _put(self, row: Kind, name: str, created: float, lines: Sequence[Line]) -> None:
        assert row.log is not None  # noqa: S101  # as callers have seen
        chance = random.Random(name)  # noqa: S311  # no secret
        shown: dict[str, float] = {}
        for line in lines:
            stream = f"{row.log.prefix.format(name=name)}{line.instance}-{round(created)}"
            visible = line.at + chance.uniform(0.2, 1.5) / self._speed
            shown[stream] = max(shown.get(stream, 0.0), visible)
            group = row.log.group.format(name=name)
            self._account.logs.put(group, stream, round(line.at * 1000), line.message, visible_at=shown[stream])

    # A tuning job starts training jobs, some at a time

    def _tune(self, name: str, parameters: Parameters) -> None:
        limits = parameters["HyperParameterTuningJobConfig"]["ResourceLimits"]
        definition = parameters.get("TrainingJobDefinition") or {}
        parallel = max(1, limits["MaxParallelTrainingJobs"])
        chance = random.Random(name)  # noqa: S311  # no secret
        for number in range(limits.get("MaxNumberOfTrainingJobs", 1)):
            created = self._account.now() + (number // parallel) * (BEGINS + LASTS + 2 + PAUSE) / self._speed
            child = f"{name}-{number + 1:03d}-{chance.getrandbits(32):08x}"
            request = {
                **fit(described("TrainingJob"), definition),
                "TuningJobArn": self._account.jobs.arn("HyperParameterTuningJob", name),
                "HyperParameters": {**(definition.get("StaticHyperParameters") or {}), **_chosen(parameters, chance)},
            }
            stages = self._scaled(*ordinary("TrainingJob", {}))
            outcome = _trained(child, request, created + LASTS, objective=_objective(parameters), chance=chance)
            self._account.jobs.put("TrainingJob", child, stages, created=created, request=request, outcome=outcome)
            self._write("TrainingJob", child, request, created, failing="")

    @staticmethod
    def _tuning_seconds(parameters: Parameters) -> float:
        limits = parameters["HyperParameterTuningJobConfig"]["ResourceLimits"]
        rounds = -(-limits.get("MaxNumberOfTrainingJobs", 1) // max(1, limits["MaxParallelTrainingJobs"]))
        return float(rounds * (BEGINS + LASTS + 2 + PAUSE) + PAUSE)


def _objective(parameters: Parameters) -> str | None:
    config = parameters["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective") or {}
    name = config.get("MetricName")
    return str(name) if name else None


def _chosen(parameters: Parameters, chance: random.Random) -> dict[str, str]:
    """A value of each range."""
    ranges = parameters["HyperParameterTuningJobConfig"].get("ParameterRanges") or {}
    pick: Mapping[str, Callable[[Any], str]] = {
        "IntegerParameterRanges": lambda one: str(chance.randint(int(one["MinValue"]), int(one["MaxValue"]))),
        "ContinuousParameterRanges": lambda one: (
            f"{chance.uniform(float(one['MinValue']), float(one['MaxValue'])):.3f}"
        ),
        "CategoricalParameterRanges": lambda one: str(chance.choice(one["Values"])),
    }
    return {one["Name"]: pick[sort](one) for sort, ranged in ranges.items() if sort in pick for one in ranged}


def _trained(
    name: str,
    parameters: Parameters,
    at: float,
    *,
    objective: str | None = None,
    chance: random.Random | None = None,
) -> dict[str, Any]:
    """What Describe adds when a training job has completed."""
    output = str((parameters.get("OutputDataConfig") or {}).get("S3OutputPath", "")).rstrip("/")
    error = 0.035 if chance is None else round(chance.uniform(0.02, 0.09), 5)
    metric = {"MetricName": objective or "validation:merror", "Value": error, "Timestamp": at}
    return {
        "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{name}/output/model.tar.gz"},
        "FinalMetricDataList": [metric],
    }
