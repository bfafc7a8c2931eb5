"""Processing and transform jobs."""

from __future__ import annotations

from typing import Final

from kubectl_sagemaker.sandbox.world import HOUR, MINUTE, PROCESSING, TRANSFORM, Line, Part, generated, plain, working


def scoring(begins: float, *instances: str, records: int) -> tuple[Line, ...]:
    """What a model server writes while it scores records, and its data-log beside it."""
    lines = []
    for index, instance in enumerate(instances):
        at = begins + 0.1 * index
        lines.append(Line(at, instance, "Starting the model server"))
        for scored in range(100, records + 1, 100):
            lines.append(Line(at + scored / 5, instance, f"scored {scored} of {records} records"))
            lines.append(
                Line(
                    at + scored / 5 + 0.01,
                    instance,
                    f"[sagemaker logs]: MaxConcurrentTransforms=1, BatchStrategy=MULTI_RECORD, records={scored}",
                    log="data-log",
                )
            )
    return tuple(lines)


BATCH: Final[tuple[Part, ...]] = (
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
        lines=scoring(-36 * MINUTE, "i-0a3687981090f", "i-05e7c2b91d44a", records=1000),
    ),
    Part(
        resource="transformjobs.sagemaker.services.k8s.aws",
        name="nightly-scores",
        namespace="ml",
        job_name="nightly-scores",
        created=-9 * HOUR,
        stages=plain(12 * MINUTE),
        request=TRANSFORM,
        lines=scoring(-9 * HOUR + 240, "i-07f19be402c6d", records=1000),
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
)
