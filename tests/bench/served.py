"""A cluster and an account in a process of their own, for measuring readers.

Prints its environment as JSON, answers each line of standard input with what CloudWatch was asked since the last
one, and ends with standard input.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.sandbox import scenario
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import Part

GROUP = "/aws/sagemaker/TrainingJobs"
RESOURCE = "trainingjobs.sagemaker.services.k8s.aws"
SECONDS = 600.0
"""Time over which a finished job's lines were written, at least; at most 2,000 came in a second."""
AGE = 4200.0
"""Seconds from a finished job's creation to now."""


class Lines(Sequence[str]):
    """Lines of 100 bytes, made when they are asked for: five million cost no memory."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # a sequence's two signatures
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._count))]
        return f"step {index:>8} loss=0.1234 ".ljust(100, "x")


def lasted(lines: int) -> float:
    """Seconds that a job took to write its lines."""
    return max(SECONDS, lines / 2000)


def finished(sandbox: Sandbox, lines: int, streams: int) -> None:
    """A job that ended an hour ago, its lines spread evenly over its streams and its time."""
    created = time.time() - AGE
    each = lines // streams
    seconds = lasted(lines)
    for number in range(1, streams + 1):
        stamps = (int((created + seconds * index / each) * 1000) for index in range(each))
        sandbox.account.logs.put_lines(GROUP, f"job/algo-{number}-1", stamps, Lines(each))
    sandbox.account.logs.seal()


def running(sandbox: Sandbox, seconds: float, rate: float) -> dict[str, float]:
    """A job that begins now; returns when each of its lines becomes visible."""
    made = scenario.generate(1, created=time.time() + 3, seconds=seconds, lines=round(seconds * rate), name="job")
    scenario.play(made, sandbox.account)
    return {f"{line.stream} {line.message}": line.visible_at for line in made.lines}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=0, help="of a finished job")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.0, help="of a running job")
    parser.add_argument("--rate", type=float, default=20.0, help="its lines a second")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--quota", nargs="*", default=[])
    options = parser.parse_args()
    ends = lasted(options.lines) if options.lines else 1e9
    stages = (Stage(0, "InProgress", "Training"), Stage(ends, "Completed", "Completed"))
    job = Part(resource=RESOURCE, name="job", job_name="job", created=-AGE, stages=stages)
    with Sandbox(parts=(job,), latency=options.latency) as sandbox:
        visible = {}
        if options.lines:
            finished(sandbox, options.lines, options.streams)
        else:
            visible = running(sandbox, options.seconds, options.rate)
            sandbox.world.reconcile()
        account = sandbox.account
        account.quotas = {name: float(rate) for name, _, rate in (pair.partition("=") for pair in options.quota)}
        answer({"environment": sandbox.environment, "visible": visible})
        for _ in sys.stdin:
            asked = [served for served in account.journal if served.operation != "DescribeTrainingJob"]
            account.journal.clear()
            answer(
                {
                    "requests": len(asked),
                    "throttled": sum(served.outcome == "ThrottlingException" for served in asked),
                    "first": asked[0].at if asked else 0.0,
                    "times": [served.at for served in asked],
                }
            )


def answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
