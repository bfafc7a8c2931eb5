"""Training jobs: one that runs in the demo, others that ended or never began, and a sweep of several at once."""

from __future__ import annotations

from typing import Final

from kubectl_sagemaker.sandbox.world import (
    HOUR,
    MINUTE,
    ROLE,
    Line,
    Part,
    boosting,
    generated,
    life,
    stuck,
    training,
    working,
)

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


REASON: Final = "AlgorithmError: ExecuteUserScriptError: torch.cuda.OutOfMemoryError: CUDA out of memory, exit code: 1"
PARTNER: Final = "210987654321"
"""Another account, which the sandbox's credentials don't reach."""


def sweep(number: int, begins: float, seconds: float, end: str = "Completed") -> Part:
    """One of the training jobs that are labelled app=sweep."""
    return Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name=f"sweep-{number}",
        namespace="ml",
        labels={"app": "sweep", "learning-rate": f"0.{number}"},
        job_name=f"sweep-{number}",
        created=begins,
        stages=life(30, seconds, end),
        request=training(1, "ml.m5.large"),
        outcome={"FailureReason": "AlgorithmError: loss is NaN at step 31"} if end == "Failed" else {},
        lines=boosting(begins + 30, begins + seconds, rounds=60),
    )


TRAINING: Final[tuple[Part, ...]] = (
    Part(
        resource="trainingjobs.sagemaker.aws.amazon.com",
        name="xgboost-mnist",
        job_name=generated("xgboost-mnist"),
        created=-70,
        stages=life(67, 94),
        request=training(1, "ml.m4.xlarge"),
        metrics={"validation:merror": 0.0352},
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
    sweep(1, -3 * MINUTE, 4 * MINUTE),
    sweep(2, -3 * MINUTE, 5 * MINUTE, "Failed"),
    sweep(3, -2 * MINUTE, 30 * MINUTE),
    # Its object comes later.
    sweep(4, 20, 3 * MINUTE),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="embeddings-eu",
        namespace="ml",
        job_name="embeddings-eu",
        region="eu-central-1",
        created=-6 * MINUTE,
        stages=life(90, 25 * MINUTE),
        request=training(2, "ml.m5.xlarge"),
        lines=boosting(-4.5 * MINUTE, 19 * MINUTE, instances=2, rounds=300),
    ),
    Part(
        resource="trainingjobs.sagemaker.services.k8s.aws",
        name="partner-model",
        namespace="ml",
        job_name="partner-model",
        created=-40 * MINUTE,
        request=training(1, "ml.m5.large"),
        status={
            "ackResourceMetadata": {
                "arn": f"arn:aws:sagemaker:us-west-2:{PARTNER}:training-job/partner-model",
                "ownerAccountID": PARTNER,
                "region": "us-west-2",
            },
            "conditions": [{"type": "ACK.ResourceSynced", "status": "False"}],
            "trainingJobStatus": "InProgress",
            "secondaryStatus": "Training",
        },
    ),
)
