"""Tuning jobs whose training jobs keep starting and finishing, and jobs whose names only begin like theirs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.world import MINUTE, ROLE, Part, boosting, generated, life, plain, training

OBJECTIVE: Final = "validation:error"
LEGACY_TUNING: Final = "hyperparametertuningjobs.sagemaker.aws.amazon.com"
ACK_TUNING: Final = "hyperparametertuningjobs.sagemaker.services.k8s.aws"
HPO: Final = generated("xgboost-mnist-hpo", limit=32)
LAUNCH: Final = 20.0
"""Seconds from a child's creation to its first line."""


def tuning(children: int, parallel: int) -> dict[str, Any]:
    """A tuning job's request."""
    static = training(1, "ml.m4.xlarge")
    static["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": OBJECTIVE, "Regex": r".*\[[0-9]+\].*#011validation-merror:(\S+)"}
    ]
    ranges = {
        "IntegerParameterRanges": [
            {"Name": "max_depth", "MinValue": "3", "MaxValue": "9", "ScalingType": "Auto"},
        ],
        "ContinuousParameterRanges": [
            {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5", "ScalingType": "Auto"},
        ],
        "CategoricalParameterRanges": [],
    }
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": OBJECTIVE},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": children, "MaxParallelTrainingJobs": parallel},
            "ParameterRanges": ranges,
            "TrainingJobEarlyStoppingType": "Auto",
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": static["AlgorithmSpecification"],
            "InputDataConfig": static["InputDataConfig"],
            "OutputDataConfig": static["OutputDataConfig"],
            "ResourceConfig": static["ResourceConfig"],
            "RoleArn": ROLE,
            "StaticHyperParameters": {"objective": "multi:softmax", "num_round": "10"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3599},
        },
    }


def child(parent: str, number: int, begins: float, seconds: float, end: str = "Completed") -> Part:
    """One training job of a tuning job: a job in AWS without an object of its own."""
    request = training(1, "ml.m4.xlarge")
    # Spread over the ranges, the same each time.
    depth, eta = 3 + number * 5 % 7, 0.1 + number * 7 % 40 / 100
    error = 0.02 + abs(depth - 6) / 100 + abs(eta - 0.3) / 10
    request["HyperParameters"] |= {"max_depth": str(depth), "eta": f"{eta:.2f}", "_tuning_objective_metric": OBJECTIVE}
    lines = boosting(begins + LAUNCH, begins + seconds, rounds=max(1, round((seconds - LAUNCH) / 3)))
    if end == "Failed":
        lines = tuple(line for line in lines if line.at < begins + seconds * 2 / 3)
        last = replace(lines[-1], at=lines[-1].at + 0.5)
        lines = (*lines, replace(last, message=f"ValueError: max_depth {depth} is too deep for 12 features"))
    return Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="",
        job_name=f"{parent}-{number:03d}-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{parent}{number}').hex[:8]}",
        created=begins,
        stages=life(LAUNCH, seconds, end),
        request={
            **request,
            "TuningJobArn": f"arn:aws:sagemaker:us-west-2:123456789012:hyper-parameter-tuning-job/{parent.lower()}",
        },
        outcome={"FailureReason": "AlgorithmError: bad max_depth, exit code: 1"} if end == "Failed" else {},
        metrics={OBJECTIVE: round(error, 5)} if end == "Completed" else {},
        lines=lines,
    )


def search(
    parent: str, begins: float, count: int, *, parallel: int, seconds: float, ends: dict[int, str]
) -> Iterator[Part]:
    """The training jobs of a tuning job, `parallel` at a time; each takes about `seconds`, not all as long."""
    free = [begins + 5 * lane for lane in range(parallel)]
    for number in range(1, count + 1):
        at = min(free)
        took = seconds * (0.8 + number * 3 % 5 / 10)
        yield child(parent, number, at, took, ends.get(number, "Completed"))
        free[free.index(at)] = at + took + 4


def tuned(part: Part, count: int, *, parallel: int, seconds: float, ends: dict[int, str]) -> tuple[Part, ...]:
    """A tuning job with its training jobs; it ends soon after the last of them."""
    children = tuple(
        search(str(part.job_name), part.created + 30, count, parallel=parallel, seconds=seconds, ends=ends)
    )
    last = max(child.created + child.stages[-1].offset for child in children)
    stages: tuple[Stage, ...] = plain(last - part.created + 8)
    return (replace(part, request=tuning(count, parallel), stages=stages), *children)


TUNING: Final[tuple[Part, ...]] = (
    *tuned(
        Part(resource=LEGACY_TUNING, name="xgboost-mnist-hpo", job_name=HPO, created=-25 * MINUTE),
        60,
        parallel=3,
        seconds=145,
        # Number 30 runs when the sandbox starts, and fails 44 s later.
        ends={2: "Failed", 17: "Stopped", 30: "Failed", 41: "Failed"},
    ),
    *tuned(
        Part(resource=ACK_TUNING, name="ranking-tune", namespace="ml", job_name="ranking-tune", created=-4 * MINUTE),
        12,
        parallel=2,
        seconds=60,
        ends={7: "Failed"},
    ),
    # What these write is nothing of ranking-tune's.
    *tuned(
        Part(
            resource=ACK_TUNING,
            name="ranking-tune-2",
            namespace="ml",
            job_name="ranking-tune-2",
            created=-2 * MINUTE,
        ),
        8,
        parallel=2,
        seconds=60,
        ends={},
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="ranking-tune-baseline",
        namespace="ml",
        job_name="ranking-tune-baseline",
        created=-3 * MINUTE,
        stages=life(30, 9 * MINUTE),
        request=training(1, "ml.m5.large"),
        lines=boosting(-2.5 * MINUTE, 6 * MINUTE, rounds=120),
    ),
)
