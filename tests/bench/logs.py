"""The log engine's figures, beside a plain boto3 loop in the same run, by real processes.

python tests/bench/logs.py [--long]        --long: five million lines, and ten minutes at 2,000 lines a second
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OURS = ["kubectl-smlogs", "trainingjob", "job", "-q", "-o", "long", "--timezone", "utc"]
PLAIN = [
    sys.executable,
    "-c",
    """
import sys, boto3
logs, asked = boto3.client("logs"), {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": "job/"}
asked["startTime"] = int(sys.argv[1])
while True:
    page = logs.filter_log_events(**asked)
    for event in page["events"]:
        print(event["logStreamName"], event["timestamp"], event["message"])
    if "nextToken" not in page:
        break
    asked["nextToken"] = page["nextToken"]
""",
    str(int((time.time() - 5000) * 1000)),
]


class Served:
    """The server's process, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        told = self._read()
        self.environment: dict[str, str] = told["environment"]
        self.visible: dict[str, float] = told["visible"]

    def asked(self) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told: dict[str, Any] = self._read()
        return told

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@contextmanager
def served(*arguments: str) -> Iterator[Served]:
    command = [sys.executable, str(HERE / "served.py"), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Served(process)
        assert process.stdin
        process.stdin.close()


def read(words: list[str], server: Served) -> dict[str, float]:
    """Run a reader to its end; lines, seconds from its first request, memory in MB, requests and throttles."""
    process = subprocess.Popen(words, env=server.environment, stdout=subprocess.PIPE)
    assert process.stdout
    lines = 0
    while block := os.read(process.stdout.fileno(), 1 << 20):
        lines += block.count(b"\n")
    ended = time.time()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    asked = server.asked()
    return {
        "lines": lines,
        "seconds": ended - asked["first"],
        "memory": usage.ru_maxrss / 1024,
        "requests": asked["requests"],
        "throttled": asked["throttled"],
    }


def compare(title: str, *arguments: str, runs: int = 4, plain: bool = True) -> None:
    readers = {"kubectl smlogs": OURS, **({"boto3 loop": PLAIN} if plain else {})}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in readers}
    with served(*arguments) as server:
        for _ in range(runs):
            for name, words in readers.items():
                taken[name].append(read(words, server))
    say(f"\n{title}")
    if runs > 1:
        # The first run fills the caches, the server's among them.
        taken = {name: figures[1:] for name, figures in taken.items()}
    seconds = {name: statistics.median(run["seconds"] for run in figures) for name, figures in taken.items()}
    for name, figures in taken.items():
        lines, memory = figures[0]["lines"], max(run["memory"] for run in figures)
        ratio = seconds["boto3 loop"] / seconds[name] if plain else 1.0
        say(
            f"  {name:<15}{seconds[name]:>7.2f} s {lines / seconds[name]:>9,.0f} lines/s {ratio:>5.2f} ×"
            f" {memory:>5.0f} MB"
            f" {figures[0]['requests']:>5.0f} requests {max(run['throttled'] for run in figures):>3.0f} throttled"
            f"  ({lines:,.0f} lines)"
        )


def follow(title: str, seconds: float, rate: float) -> None:
    """Follow a running job by a real process: delay from visible to printed, requests, lines lost."""
    with served("--seconds", str(seconds), "--rate", str(rate)) as server:
        began = time.time()
        words = ["kubectl-smlogs", "trainingjob", "job", "-f", "-q", "-o", "long", "--timezone", "utc"]
        process = subprocess.Popen(words, env=server.environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        delays, times_seen = [], dict.fromkeys(server.visible, 0)
        for line in process.stdout:
            stream, _, _, _, _, message = line.rstrip("\n").split(" ", 5)
            key = f"{stream} {message}"
            times_seen[key] = times_seen.get(key, 0) + 1
            delays.append(time.time() - server.visible.get(key, 0.0))
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        over = time.time()
        asked = server.asked()
        delays.sort()
        lost = sum(count == 0 for count in times_seen.values())
        say(
            f"\n{title}\n  {len(delays):,} lines, {lost} lost; visible to printed: median"
            f" {statistics.median(delays):.2f} s, 99 % {delays[int(len(delays) * 0.99)]:.2f} s;"
            f" {asked['requests'] / (over - began):.2f} requests/s, {asked['throttled']} throttled,"
            f" {usage.ru_maxrss / 1024:.0f} MB, ended {over - began - seconds - 6:.0f} s after the job"
        )


def idle() -> None:
    """Requests a minute when nothing comes."""
    with served("--seconds", "1", "--rate", "1") as server:
        words = ["kubectl-smlogs", "trainingjob", "job", "-f", "-q", "--timeout", "150s"]
        # A job that has not written yet: its group is there, its stream is not.
        subprocess.run([*words, "--instance", "none"], env=server.environment, stdout=subprocess.DEVNULL, check=False)
        times = server.asked()["times"]
    say(f"\nidle: {sum(at > times[-1] - 60 for at in times)} requests in the last minute")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    quotas = ("--latency", "0.1", "--quota", "FilterLogEvents=10", "GetLogEvents=25")
    compare("500,000 lines of 100 bytes at zero latency, pages encoded beforehand", "--lines", "500000")
    compare("200,000 lines, 4 streams, 100 ms a request, quotas 10 and 25 a second", "--lines", "200000", *quotas)
    compare("200,000 lines, 1 stream, the same", "--lines", "200000", "--streams", "1", *quotas)
    follow("followed: 60 s, 20 lines a second", 60, 20)
    follow("followed: 60 s, 400 lines a second", 60, 400)
    if options.long:
        idle()
        compare("5,000,000 lines at zero latency", "--lines", "5000000", runs=1, plain=False)
        with served("--lines", "5000000") as server:
            say(f"  the same, followed: {read([*OURS, '-f'], server)['memory']:.0f} MB")
        follow("followed: 600 s, 2,000 lines a second", 600, 2000)


if __name__ == "__main__":
    main()
