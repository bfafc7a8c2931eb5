"""A finished job's log in a process of its own, for measuring readers: prints its address, ends with its standard input.

python tests/bench/served.py --lines 200000 --streams 4 --latency 0.1 --quota FilterLogEvents=10 GetLogEvents=25
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.sagemaker import Stage
from tests.transport import serve

GROUP = "/aws/sagemaker/TrainingJobs"
SECONDS = 600.0
"""Time over which the lines were written."""


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--quota", nargs="*", default=[])
    options = parser.parse_args()
    now = time.time()
    account = Account(now=time.time)
    created = now - SECONDS - 3600
    account.jobs.put(
        "TrainingJob",
        "job",
        [Stage(0, "InProgress", "Training"), Stage(SECONDS, "Completed", "Completed")],
        created=created,
    )
    each = options.lines // options.streams
    for number in range(1, options.streams + 1):
        stamps = (int((created + SECONDS * index / each) * 1000) for index in range(each))
        account.logs.put_lines(GROUP, f"job/algo-{number}-1", stamps, Lines(each))
    account.logs.seal()
    account.quotas = {name: float(rate) for name, _, rate in (pair.partition("=") for pair in options.quota)}
    with serve(account, latency=options.latency) as url:
        print(url, flush=True)  # noqa: T201  # the address is this program's data
        for _ in sys.stdin:
            asked = [served for served in account.journal]
            account.journal.clear()
            throttled = sum(served.outcome == "ThrottlingException" for served in asked)
            print(len(asked), throttled, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
