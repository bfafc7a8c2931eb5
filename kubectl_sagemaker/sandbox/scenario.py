"""A distributed training job made from a seed: its lifecycle, its lines, and when CloudWatch shows each of them.

It is the scenario on which tools that follow logs were measured: lines are shown 0.2–1.5 s after they were written,
5 % of them 3–12 s and 1 % 12–20 s after; some only when the job has ended. An instance joins half-way, lines repeat
exactly, and the log group has another job whose name begins with this one's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.sagemaker import Stage

GROUP: Final = "/aws/sagemaker/TrainingJobs"
LAGS: Final = ((0.94, 0.2, 1.5), (0.05, 3.0, 12.0), (0.01, 12.0, 20.0))
"""Share of the lines, and the least and greatest time from written to shown, s."""
REPEATED: Final = 0.02
"""Share of the lines that are the line before once more, with its timestamp."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log: the stream it is in, when it was written (epoch ms) and from when it is shown (epoch s)."""

    stream: str
    timestamp: int
    message: str
    ingested: int
    visible_at: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A job, what it writes, and what another job writes beside it."""

    name: str
    group: str
    created: float
    stages: tuple[Stage, ...]
    lines: tuple[Line, ...]
    other: tuple[Line, ...]
    """Of the job NAME-2, in the same group."""

    @property
    def ended(self) -> float:
        """When the job reaches its end state, epoch s."""
        return self.created + self.stages[-1].offset


def generate(
    seed: int,
    *,
    created: float,
    name: str = "job",
    group: str = GROUP,
    instances: int = 4,
    seconds: float = 37.0,
    lines: int = 740,
    end: str = "Completed",
    straggle: float = 15.0,
) -> Scenario:
    """Make the job of `seed`; the same arguments make the same job.

    It is created at `created` (epoch s), writes `lines` lines during `seconds`, and ends as `end`. Every line is
    shown at most `straggle` seconds after that, and one of them in the last third of that time.
    """
    chance = random.Random(seed)  # noqa: S311 -- no secret; a seed must make the same job again
    stages = (
        Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
        Stage(1, "InProgress", "Downloading", "Downloading input data"),
        Stage(2, "InProgress", "Training", "Training in progress."),
        Stage(2 + seconds, "InProgress", "Uploading", "Uploading generated training model"),
        Stage(3 + seconds, end, end, f"Training job {end.lower()}"),
    )
    begin, ended = created + 2, created + 3 + seconds
    return Scenario(
        name,
        group,
        created,
        stages,
        tuple(_lines(chance, name, instances, begin, seconds, lines, ended, straggle)),
        tuple(_lines(chance, f"{name}-2", instances, begin, seconds, lines // 4, ended, straggle)),
    )


def play(scenario: Scenario, account: Account) -> None:
    """Put the job and all lines into an account, whose clock decides what of it is there yet."""
    account.jobs.put("TrainingJob", scenario.name, scenario.stages, created=scenario.created)
    for line in (*scenario.lines, *scenario.other):
        account.logs.put(
            scenario.group,
            line.stream,
            line.timestamp,
            line.message,
            visible_at=line.visible_at,
            ingested=line.ingested,
        )


def _lines(
    chance: random.Random,
    name: str,
    instances: int,
    begin: float,
    seconds: float,
    count: int,
    ended: float,
    straggle: float,
) -> Iterator[Line]:
    """The lines of one job, instance by instance; the last of several joins half-way, and its last line straggles."""
    shares = [1.0] * (instances - 1) + [0.5 if instances > 1 else 1.0]
    for instance, share in enumerate(shares, 1):
        joined = begin + seconds * (1 - share)
        own = round(count * share / sum(shares))
        if instance == instances:
            own = count - round(count / sum(shares)) * (instances - 1)
        stream = f"{name}/algo-{instance}-{int(joined)}"
        written = sorted(int((joined + chance.random() * seconds * share) * 1000) for _ in range(own))
        last: tuple[int, str] | None = None
        for number, timestamp in enumerate(written, 1):
            if last is None or chance.random() >= REPEATED:
                last = (timestamp, f"algo-{instance} step {number} loss={chance.random():.4f}")
            shown = last[0] / 1000 + _lag(chance)
            if instance == instances and number == own:
                shown = ended + straggle * chance.uniform(2 / 3, 1)
            shown = min(shown, ended + straggle)
            ingested = max(last[0], round((shown - chance.uniform(0.02, 0.15)) * 1000))
            yield Line(stream, *last, ingested, shown)


def _lag(chance: random.Random) -> float:
    kind = chance.choices(LAGS, weights=[share for share, _, _ in LAGS])[0]
    return chance.uniform(*kind[1:])
