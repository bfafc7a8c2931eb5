"""A job's state as words, a sign and a colour, for every screen that shows one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.jobs import Instances, Job, State

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Trial

SIGNS: Final[dict[State, str]] = {
    "stuck": "!",
    "waiting": "?",
    "running": "▸",
    "failed": "✗",
    "stopped": "-",
    "done": "✓",
}
"""None of them is of ambiguous width (Unicode's TR 11): the table stands in every terminal."""
COLOURS: Final[dict[State, str]] = {
    "stuck": "\x1b[1;33m",
    "waiting": "\x1b[2m",
    "running": "\x1b[36m",
    "failed": "\x1b[31m",
    "stopped": "\x1b[33m",
    "done": "\x1b[32m",
}
BOLD: Final = "\x1b[1m"
DIM: Final = "\x1b[2m"
RESET: Final = "\x1b[0m"
RANKS: Final[dict[State, int]] = {"stuck": 0, "waiting": 1, "running": 1, "failed": 2, "stopped": 3, "done": 3}
"""Which of a list come first: what needs somebody, what runs, what failed, the rest."""


def status(job: Job) -> str:
    """`InProgress (Training)`; the secondary status only where it adds something."""
    if job.secondary_status and job.secondary_status != job.status:
        return f"{job.status or ''} ({job.secondary_status})".strip()
    return job.status or ""


def signed(job: Job, now: float) -> str:
    """`▸ InProgress (Training)`; what has no status says so, or that it is there, if its kind never has one."""
    state = job.state(now)
    return f"{SIGNS[state]} {status(job) or ('created' if state == 'done' else 'no status')}"


def machines(instances: Sequence[Instances]) -> str:
    """`4 × ml.p4d.24xlarge`, `2 × ml.c5.xlarge + 1 × ml.g5.xlarge`; those of one type are counted together."""
    counts: dict[str | None, int | None] = {}
    for instance in instances:
        before = counts.get(instance.type, 0)
        counts[instance.type] = None if before is None or instance.count is None else before + instance.count
    return " + ".join(_machine(Instances(count, kind)) for kind, count in counts.items())


def _machine(instance: Instances) -> str:
    if instance.type is None:
        return f"{instance.count} instance{'' if instance.count == 1 else 's'}"
    return instance.type if instance.count is None else f"{instance.count} × {instance.type}"


def figure(value: float) -> str:
    """A metric's value as people write it: `0.0367`, `12`, `1.2e-07`."""
    return f"{value:.6g}"


def objective(trial: Trial | None) -> str:
    """`validation:error 0.0367`; empty without a value."""
    if trial is None or trial.value is None:
        return ""
    return f"{trial.metric or 'objective'} {figure(trial.value)}"


WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words(name: str) -> str:
    """`nonRetryableError` as `non retryable error`."""
    return WORD.sub(" ", name).lower()


COUNTED: Final = {
    "inProgress": "running",
    "nonRetryableError": "failed",
    "retryableError": "to be tried again",
}
"""SageMaker's counters of a tuning job's children, in words."""
SUM: Final = "totalError"
"""What the legacy controller adds up of others: beside them it reads as still more errors."""


def counters(counted: Iterable[tuple[str, int]]) -> str:
    """`12 completed, 2 running`."""
    return ", ".join(f"{count} {COUNTED.get(name) or words(name)}" for name, count in counted if name != SUM)


def cells(text: str) -> int:
    """How many cells of a terminal a text without control characters takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells, with an ellipsis where something is missing."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    from rich.cells import set_cell_size

    return f"{set_cell_size(text, width - 1)}…"


def ordered(jobs: Iterable[Job], now: float, by: str | None = None) -> list[Job]:
    """Jobs in the order of `--sort-by`; None: what needs somebody, what runs, what failed, the rest, newest first."""

    def created(job: Job) -> float:
        return -(job.resource_creation_time or 0.0)

    def name(job: Job) -> tuple[str, str, str]:
        return job.namespace, job.name, job.api.resource

    match by:
        case "name":
            return sorted(jobs, key=name)
        case "age":
            return sorted(jobs, key=lambda job: (created(job), *name(job)))
        case "status":
            return sorted(jobs, key=lambda job: (status(job), *name(job)))
        case _:
            return sorted(jobs, key=lambda job: (RANKS[job.state(now)], created(job), *name(job)))
