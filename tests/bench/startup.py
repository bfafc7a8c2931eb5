"""How long the person waits between Enter and the first line, beside `kubectl get` of the same object in the same run.

python tests/bench/startup.py [--runs 15] [PROGRAM…]      further command lines to time, such as another plugin's
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.sandbox.server import Sandbox

COMMANDS = (
    "kubectl get trainingjobs.sagemaker.services.k8s.aws xgb -n ml",
    "kubectl-smlogs trainingjob xgb -n ml -o raw",
    "kubectl smlogs trainingjob xgb -n ml -o raw",
    "kubectl-smlogs trainingjob resnet50-imagenet --tail 1 -o raw",
    "kubectl-sagemaker status trainingjob xgb -n ml",
    "kubectl-sagemaker status -A",
    "kubectl-smlogs --help",
    "kubectl-sagemaker --help",
)


def first_line(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from start to the first line on stdout, and to the end."""
    began = time.perf_counter()
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        first = time.perf_counter() - began
        process.stdout.read()
    if not line:
        raise SystemExit(f"{shlex.join(words)} printed nothing")
    return first, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("programs", nargs="*")
    options = parser.parse_args()
    commands = [shlex.split(text) for text in (*COMMANDS, *options.programs)]
    with Sandbox() as sandbox:
        environment = sandbox.environment
        binary = shutil.which("kubectl", path=environment.get("PATH"))
        version = subprocess.run(
            ["kubectl", "version", "--client"], env=environment, capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
        say(f"kubectl: {binary}, {version}; medians of {options.runs} alternating runs")
        times: dict[int, list[tuple[float, float]]] = {index: [] for index in range(len(commands))}
        for run in range(options.runs + 1):
            for index, words in enumerate(commands):
                taken = first_line(words, environment)
                if run:  # the first fills the caches
                    times[index].append(taken)
    base = statistics.median(end for _, end in times[0])
    say(f"{'first line':>10} {'end':>8} {'× kubectl get':>14}")
    for index, words in enumerate(commands):
        first = statistics.median(first for first, _ in times[index])
        end = statistics.median(end for _, end in times[index])
        say(f"{first * 1000:>7.0f} ms {end * 1000:>5.0f} ms {first / base:>14.2f}  {shlex.join(words)}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
