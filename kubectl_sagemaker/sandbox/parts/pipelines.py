"""Pipeline executions, whose steps run one after another, and the jobs of those steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from kubectl_sagemaker.sandbox.parts.batch import scoring
from kubectl_sagemaker.sandbox.parts.tuning import tuned
from kubectl_sagemaker.sandbox.sagemaker import Step
from kubectl_sagemaker.sandbox.world import (
    HOUR,
    PROCESSING,
    TRANSFORM,
    Part,
    boosting,
    life,
    plain,
    training,
    working,
)

ACK_GROUP: Final = "sagemaker.services.k8s.aws"
NAMES: Final = {
    "TrainingJob": "trainingjobs",
    "ProcessingJob": "processingjobs",
    "TransformJob": "transformjobs",
    "HyperParameterTuningJob": "hyperparametertuningjobs",
}


def execution(name: str, pipeline: str, identity: str, created: float, **values: Any) -> Part:
    """A pipeline execution."""
    return Part(
        resource=f"pipelineexecutions.{ACK_GROUP}",
        name=name,
        namespace="ml",
        job_name=f"{pipeline}/execution/{identity}",
        created=created,
        request={"PipelineName": pipeline, "PipelineExecutionDisplayName": name},
        **values,
    )


def job(kind: str, job_name: str, created: float, **values: Any) -> Part:
    """A step's job: in AWS alone."""
    return Part(resource=f"{NAMES[kind]}.{ACK_GROUP}", name="", job_name=job_name, created=created, **values)


def nightly() -> Iterator[Part]:
    """An execution that goes on: it has begun before the sandbox does, and ends five minutes later."""
    created, identity = -75.0, "k3v9x2m8qf5d"

    def named(step: str, tail: str) -> str:
        # As SageMaker makes them; in an ARN they may be in lower case.
        return f"pipelines-{identity}-{step}-{tail}"

    prepare, train, score = (
        named("PrepareData", "Xq2BZ8Wd1p"),
        named("TrainModel", "0oZ7jkcmSD"),
        named("ScoreTestSet", "A0QiDGuY6z"),
    )
    tune = f"{identity}-TuneMod-mPBjYl6Lhz"
    yield job(
        "ProcessingJob",
        prepare,
        created + 3,
        stages=plain(95),
        request=PROCESSING,
        lines=working(-40, 20, *(f"partition {index} of 60 prepared" for index in range(1, 61))),
    )
    yield job(
        "TrainingJob",
        train,
        created + 103,
        stages=life(20, 90),
        request=training(1, "ml.m5.xlarge"),
        metrics={"validation:merror": 0.041},
        lines=boosting(created + 123, created + 190),
    )
    tuning, *children = tuned(job("HyperParameterTuningJob", tune, created + 199), 4, parallel=2, seconds=50, ends={})
    yield tuning
    yield from children
    tuned_at = tuning.created + tuning.stages[-1].offset - created
    scored = tuned_at + 5
    yield job(
        "TransformJob",
        score,
        created + scored,
        stages=plain(80),
        request=TRANSFORM,
        lines=scoring(created + scored + 20, "i-0c2f58e1d90ab", records=300),
    )
    yield execution(
        "churn-nightly",
        "ChurnPipeline",
        identity,
        created,
        stages=plain(scored + 83, "Succeeded", "Executing"),
        steps=(
            Step("PrepareData", 0, "ProcessingJob", prepare),
            Step("EnoughRows", 99, metadata={"Condition": {"Outcome": "True"}}),
            Step("TrainModel", 100, "TrainingJob", train),
            Step("TuneModel", 195, "HyperParameterTuningJob", tune),
            Step("ScoreTestSet", tuned_at + 2, "TransformJob", score),
        ),
    )


def weekly() -> Iterator[Part]:
    """An execution that failed in its second step."""
    created, identity = -2 * HOUR, "w7h1b5n0zrtc"
    reason = "AlgorithmError: label column has missing values, exit code: 1"
    prepare, train = f"pipelines-{identity}-PrepareData-Ug5sXe0Kn3", f"pipelines-{identity}-TrainModel-Rt8pLq4Vw2"
    yield job(
        "ProcessingJob",
        prepare,
        created + 3,
        stages=plain(240),
        request=PROCESSING,
        lines=working(created + 180, created + 230, "unpacking customers.csv", "wrote train_data", "wrote test_data"),
    )
    yield job(
        "TrainingJob",
        train,
        created + 250,
        stages=life(120, 200, "Failed", reason),
        request=training(1, "ml.m5.xlarge"),
        outcome={"FailureReason": reason},
        lines=working(created + 370, created + 440, "reading s3://my-bucket/churn", f"ValueError: {reason[16:47]}"),
    )
    yield replace(
        execution("churn-weekly", "ChurnPipeline", identity, created),
        stages=plain(455, "Failed", "Executing"),
        steps=(Step("PrepareData", 0, "ProcessingJob", prepare), Step("TrainModel", 246, "TrainingJob", train)),
        outcome={"FailureReason": "Step failure: One or multiple steps failed."},
    )


PIPELINES: Final[tuple[Part, ...]] = (*nightly(), *weekly())
