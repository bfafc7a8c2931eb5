"""Many jobs at once, by real processes: a tuning job of a hundred children, and two hundred finished jobs.

python tests/bench/many.py [--seconds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.sandbox.parts.tuning import tuning
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import HOUR, Line, Part, life, training

TRAINING: Final = "trainingjobs.sagemaker.services.k8s.aws"
CHILDREN: Final = 100
EVERY: Final = 1.8
"""Seconds between two lines of a child: 50 lines a second in all, once all have started."""
JOBS: Final = 200
LINES: Final = 500
PLAIN: Final = [
    sys.executable,
    "-c",
    f"""
import boto3
logs = boto3.client("logs")
for number in range({JOBS}):
    asked = {{"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": f"job-{{number}}/"}}
    while True:
        page = logs.filter_log_events(**asked)
        for event in page["events"]:
            print(event["logStreamName"], event["timestamp"], event["message"])
        if "nextToken" not in page:
            break
        asked["nextToken"] = page["nextToken"]
""",
]


def tuning_job(seconds: float) -> None:
    """Follow a tuning job whose children start over ten seconds and write to its end."""
    arn = "arn:aws:sagemaker:us-west-2:123456789012:hyper-parameter-tuning-job/tune"
    parts = [
        Part(
            resource="hyperparametertuningjobs.sagemaker.services.k8s.aws",
            name="tune",
            job_name="tune",
            created=-60.0,
            stages=(Stage(0, "InProgress"), Stage(60 + seconds, "Completed")),
            request=tuning(CHILDREN, CHILDREN),
        )
    ]
    put: dict[str, float] = {}
    for number in range(1, CHILDREN + 1):
        begins = 5 + number * 10 / CHILDREN
        times = [begins + index * EVERY for index in range(int((seconds - begins) / EVERY))]
        lines = tuple(Line(at, "algo-1", f"{number} at {at:.3f}") for at in times)
        put.update((line.message, line.at) for line in lines)
        parts.append(
            Part(
                resource=TRAINING,
                name="",
                job_name=f"tune-{number:03d}-{number:08x}",
                created=begins - 5,
                stages=life(5, seconds - begins + 5),
                request={**training(1, "ml.m5.large"), "TuningJobArn": arn},
                lines=lines,
            )
        )
    # A job that only begins alike.
    noise = tuple(Line(at, "algo-1", f"noise at {at}") for at in range(int(seconds)))
    parts.append(
        Part(resource=TRAINING, name="", job_name="tune-baseline", created=0.0, stages=life(1, 2 * HOUR), lines=noise)
    )
    with Sandbox(parts=tuple(parts)) as sandbox:
        began = time.time()
        words = ["kubectl-smlogs", "hyperparametertuningjob", "tune", "-f", "-q", "-o", "raw"]
        process = subprocess.Popen(words, env=sandbox.environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        seen: Counter[str] = Counter()
        delays = []
        for line in process.stdout:
            message = line.rstrip("\n")
            seen[message] += 1
            delays.append(time.time() - began - put.get(message, 0.0))
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        minutes = (time.time() - began) / 60
        asked = Counter(served.operation for served in sandbox.account.journal)
    lost, twice = len(put.keys() - seen.keys()), sum(count - 1 for count in seen.values())
    others = len(seen.keys() - put.keys())
    say(
        f"tuning job, {CHILDREN} children, {len(put) / seconds:.0f} lines/s: {len(put):,} lines, {lost} lost,"
        f" {twice} repeated, {others} of others; {sum(asked.values()) / minutes:.0f} requests a minute, of which"
        f" {asked['FilterLogEvents'] / minutes:.0f} FilterLogEvents and"
        f" {asked['ListTrainingJobsForHyperParameterTuningJob'] / minutes:.0f} lists of children;"
        f" written to printed: median {statistics.median(delays):.1f} s; {usage.ru_maxrss / 1024:.0f} MB"
    )


def finished_jobs(latency: float, quota: float) -> None:
    """Read many finished jobs by a selector, and by a loop over their names."""
    parts = tuple(
        Part(
            resource=TRAINING,
            name=f"job-{number}",
            job_name=f"job-{number}",
            labels={"app": "bench"},
            created=-2 * HOUR + number,
            stages=life(10, 700),
            request=training(1, "ml.m5.large"),
            lines=tuple(
                Line(-2 * HOUR + number + 20 + index, "algo-1", f"{number} step {index}".ljust(100, "x"))
                for index in range(LINES)
            ),
        )
        for number in range(JOBS)
    )
    with Sandbox(parts=parts, latency=latency) as sandbox:
        sandbox.account.quotas = {"FilterLogEvents": quota}
        taken: dict[str, list[float]] = {}
        for _ in range(2):
            for name, words in (
                ("smlogs -l", ["kubectl-smlogs", "trainingjobs", "-l", "app=bench", "-q", "-o", "long"]),
                ("boto3 loop", PLAIN),
            ):
                sandbox.account.journal.clear()
                began = time.time()
                process = subprocess.Popen(words, env=sandbox.environment, stdout=subprocess.PIPE)
                assert process.stdout
                first, lines = 0.0, 0
                while block := os.read(process.stdout.fileno(), 1 << 20):
                    first = first or time.time() - began
                    lines += block.count(b"\n")
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0
                seconds = time.time() - began
                throttled = sum("hrottl" in served.outcome for served in sandbox.account.journal)
                taken.setdefault(name, []).append(seconds)
                ratio = taken["boto3 loop"][-1] / taken["smlogs -l"][-1] if name == "boto3 loop" else 0.0
                say(
                    f"  {name:<11}{seconds:>6.1f} s, first line after {first:.1f} s, {lines:,} lines,"
                    f" {len(sandbox.account.journal)} requests, {throttled} throttled,"
                    f" {usage.ru_maxrss / 1024:.0f} MB" + (f"; the loop takes {ratio:.2f} × as long" if ratio else "")
                )
                time.sleep(2.0)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120.0, help="that the tuning job lasts")
    options = parser.parse_args()
    say(f"{JOBS} finished jobs of {LINES} lines, 50 ms a request, FilterLogEvents' quota 10 a second")
    finished_jobs(0.05, 10.0)
    tuning_job(options.seconds)


if __name__ == "__main__":
    main()
