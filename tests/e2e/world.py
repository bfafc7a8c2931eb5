"""A world that stands still, for tests that only read it: jobs of both groups that ended long ago, and one that runs.

Moments are seconds from the sandbox's start. Every row has what some test asks for, and no more.
"""

from __future__ import annotations

from typing import Final

from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.world import HOUR, PROCESSING, TRANSFORM, Line, Part, life, plain, training

ACK: Final = "sagemaker.services.k8s.aws"
LEGACY: Final = "sagemaker.aws.amazon.com"
FAILURE: Final = "AlgorithmError: label column has missing values, exit code: 1"
FORGED: Final = "it is\nerror: no error \x1b[2J\u202e"
"""A reason that would look like an error of ours, and clear the screen."""

HOSTILE: Final = (
    "first\nsecond\n\nfourth",
    "bell \x07, cursor \x1b[2A, title \x1b]0;owned\x07, colour \x1b[31mred\x1b[0m, c1 \x9b31m, bidi \u202eevil",
    "[bold]brackets[/bold] [link=https://example.com]stay[/link] 100% {braces} \\n",
    "10%|#         |#01520%|##        |#015100%|##########| done",
    "\r 1/3\r 2/3\r 3/3",
    "naïve 中文 🙂",
    "half of a pair: \ud83d",
    "ends in a newline\n",
    "",
)
"""Messages that a careless program prints wrongly."""


def steps(begins: float, count: int, *, every: float = 1.0, instances: int = 1) -> tuple[Line, ...]:
    """Lines of `instances`, which take turns; no two are equal."""
    return tuple(
        Line(begins + every * index + 0.01 * number, f"algo-{number}", f"step {index} of algo-{number}")
        for index in range(count)
        for number in range(1, instances + 1)
    )


def ended_training(name: str, group: str, *, end: str = "Completed", **values: object) -> Part:
    """A training job that ended an hour ago."""
    settings: dict[str, object] = {
        "job_name": name,
        "request": training(1, "ml.m5.large"),
        "lines": steps(-1.4 * HOUR, 5),
        **values,
    }
    return Part(
        resource=f"trainingjobs.{group}",
        name=name,
        created=-1.5 * HOUR,
        stages=life(120, 0.5 * HOUR, end),
        **settings,  # type: ignore[arg-type]  # Part's own fields, by name
    )


PARTS: Final = (
    ended_training("xgb", ACK, lines=steps(-1.4 * HOUR, 30, instances=2)),
    ended_training("xgb-2", ACK, end="Failed", outcome={"FailureReason": FAILURE}),
    ended_training("mnist", LEGACY, job_name="mnist-0123456789abcdef0123456789abcdef"),
    ended_training("halted", LEGACY, end="Stopped"),
    ended_training(
        "hostile", ACK, lines=tuple(Line(-1.4 * HOUR + at, "algo-1", text) for at, text in enumerate(HOSTILE))
    ),
    ended_training("long", ACK, lines=steps(-1.4 * HOUR, 12_000, every=0.01)),
    ended_training("forger", ACK, end="Failed", outcome={"FailureReason": FORGED}),
    # One name in both groups: for two jobs, and for one.
    ended_training("churn", ACK, job_name="churn-2026"),
    ended_training("churn", LEGACY, job_name="churn-fedcba9876543210fedcba9876543210"),
    ended_training("shared", ACK),
    ended_training("shared", LEGACY, lines=()),
    Part(
        resource=f"transformjobs.{ACK}",
        name="scores",
        namespace="ml",
        job_name="scores",
        created=-2 * HOUR,
        stages=plain(600),
        request=TRANSFORM,
        lines=steps(-1.9 * HOUR, 3, instances=2),
    ),
    Part(
        resource=f"batchtransformjobs.{LEGACY}",
        name="batch",
        job_name="batch-0123456789abcdef0123456789abcdef",
        created=-2 * HOUR,
        stages=plain(600),
        request=TRANSFORM,
        lines=steps(-1.9 * HOUR, 3),
    ),
    Part(
        resource=f"processingjobs.{ACK}",
        name="features",
        namespace="ml",
        job_name="features-2026",
        created=-2 * HOUR,
        stages=plain(600),
        request=PROCESSING,
        lines=steps(-1.9 * HOUR, 4),
    ),
    Part(
        resource=f"processingjobs.{LEGACY}",
        name="kmeans",
        job_name="kmeans-0123456789abcdef0123456789abcdef",
        created=-2 * HOUR,
        stages=plain(600),
        request=PROCESSING,
        lines=steps(-1.9 * HOUR, 2),
    ),
    Part(
        resource=f"trainingjobs.{ACK}",
        name="running",
        job_name="running",
        created=-HOUR,
        stages=(Stage(0, "InProgress", "Starting"), Stage(60, "InProgress", "Training", "Training in progress.")),
        request=training(1, "ml.m5.large"),
        lines=steps(-0.5 * HOUR, 3),
    ),
    Part(
        resource=f"trainingjobs.{ACK}",
        name="starting",
        job_name="starting",
        created=-HOUR,
        stages=(Stage(0, "InProgress", "Starting", "Launching requested ML instances"),),
        request=training(1, "ml.m5.large"),
    ),
    Part(
        resource=f"endpoints.{ACK}",
        name="ranking",
        job_name="ranking",
        created=-HOUR,
        stages=plain(600, "InService", "Creating"),
        request={"EndpointConfigName": "ranking-7"},
    ),
    Part(
        resource=f"trainingjobs.{LEGACY}",
        name="not-reconciled",
        job_name=None,
        created=-360,
        request=training(1, "ml.m4.xlarge"),
    ),
)
