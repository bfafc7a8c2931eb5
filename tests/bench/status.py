"""A list of many resources from a real API server, beside `kubectl get` of the same in the same run, by real processes.

python -m tests.bench.status [--count 5000] [--runs 5]        needs KUBEBUILDER_ASSETS and SAGEMAKER_CRDS
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kubectl_sagemaker.kinds import ACK
from tests.servers import ApiServer, missing

PATH = f"{ACK.path}/namespaces/default/trainingjobs"
PROGRAMS = Path(sys.executable).parent
STATES = (("Completed", "Completed"), ("InProgress", "Training"), ("Failed", "Failed"), ("Stopped", "Stopped"))


def resource(number: int) -> dict[str, Any]:
    """A training job as a user writes it: 2.5 KB."""
    return {
        "apiVersion": f"{ACK.name}/{ACK.version}",
        "kind": "TrainingJob",
        "metadata": {"name": f"job-{number:05}", "labels": {"team": "vision", "sweep": str(number // 100)}},
        "spec": {
            "trainingJobName": f"job-{number:05}",
            "roleARN": "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole",
            "algorithmSpecification": {
                "trainingImage": "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1",
                "trainingInputMode": "File",
            },
            "hyperParameters": {f"parameter_{index}": str(index * number) for index in range(20)},
            "environment": {f"VARIABLE_{index}": f"value-{index}" for index in range(20)},
            "outputDataConfig": {"s3OutputPath": "s3://my-bucket/xgboost/"},
            "resourceConfig": {"instanceCount": 4, "instanceType": "ml.p4d.24xlarge", "volumeSizeInGB": 500},
            "stoppingCondition": {"maxRuntimeInSeconds": 86_400},
            "inputDataConfig": [
                {
                    "channelName": channel,
                    "dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3URI": f"s3://my-bucket/{channel}/"}},
                    "contentType": "text/csv",
                }
                for channel in ("train", "validation")
            ],
        },
    }


def status(number: int) -> dict[str, Any]:
    """What the controller writes."""
    state, secondary = STATES[number % len(STATES)]
    return {
        "trainingJobStatus": state,
        "secondaryStatus": secondary,
        "creationTime": "2026-01-31T12:00:00Z",
        "lastModifiedTime": "2026-01-31T13:00:00Z",
        **({"failureReason": "AlgorithmError: CUDA out of memory, exit code: 1"} if state == "Failed" else {}),
        "ackResourceMetadata": {
            "arn": f"arn:aws:sagemaker:us-west-2:123456789012:training-job/job-{number:05}",
            "ownerAccountID": "123456789012",
            "region": "us-west-2",
        },
        "conditions": [{"type": "ACK.ResourceSynced", "status": "True", "lastTransitionTime": "2026-01-31T13:00:00Z"}],
    }


def fill(server: ApiServer, count: int) -> None:
    """Create the resources and their statuses, over several connections."""
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(count):
        numbers.put(number)

    def work() -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=60, context=server._tls)
        headers = {"Authorization": "Bearer tok-admin"}
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            for method, path, body, kind in (
                ("POST", PATH, resource(number), "application/json"),
                ("PATCH", f"{PATH}/job-{number:05}/status", {"status": status(number)}, "application/merge-patch+json"),
            ):
                connection.request(method, path, json.dumps(body), {**headers, "Content-Type": kind})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status >= 300:
                    raise SystemExit(text.decode())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(words: list[str], environment: dict[str, str]) -> tuple[float, float, int]:
    """Seconds, memory in MB, lines."""
    began = time.monotonic()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    lines = 0
    while block := os.read(process.stdout.fileno(), 1 << 20):
        lines += block.count(b"\n")
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{words}: exit {process.returncode}")
    return time.monotonic() - began, usage.ru_maxrss / 1024, lines


def watch(words: list[str], environment: dict[str, str], seconds: float) -> str:
    """Memory and processor time of a watch in which nothing happens."""
    began = time.monotonic()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # as far as Popen is concerned
    taken = usage.ru_utime + usage.ru_stime
    return f"{usage.ru_maxrss / 1024:.0f} MB, {taken:.1f} s of processor time in {time.monotonic() - began:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    crds = os.environ.get("SAGEMAKER_CRDS")
    if (why := missing()) or not crds:
        sys.stdout.write(f"the list of many resources is left out: {why or 'SAGEMAKER_CRDS names no CRDs'}\n")
        return
    kubectl, ours = str(PROGRAMS / "kubectl"), str(PROGRAMS / "kubectl-sagemaker")
    commands = {
        "kubectl get": [kubectl, "get", f"trainingjobs.{ACK.name}"],
        "kubectl get -o json": [kubectl, "get", f"trainingjobs.{ACK.name}", "-o", "json"],
        "status": [ours, "status", f"trainingjobs.{ACK.name}"],
        "status -o json": [ours, "status", f"trainingjobs.{ACK.name}", "-o", "json"],
    }
    with ApiServer() as server:
        server.install(Path(crds))
        fill(server, options.count)
        environment = {
            **os.environ,
            "KUBECONFIG": str(server.kubeconfig),
            "KUBECACHEDIR": str(server.directory / "cache"),
        }
        taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
        for number in range(options.runs + 1):
            for name, words in commands.items():
                figures = run(words, environment)
                if number:
                    # The first run fills the caches.
                    taken[name].append(figures)
        watched = watch([ours, "status", "-w", f"trainingjobs.{ACK.name}"], environment, 30)
    base = statistics.median(seconds for seconds, _, _ in taken["kubectl get"])
    for name, runs in taken.items():
        median = statistics.median(seconds for seconds, _, _ in runs)
        sys.stdout.write(
            f"{name:<20}{median:>7.2f} s {median / base:>5.2f} × {max(memory for _, memory, _ in runs):>5.0f} MB"
            f"  ({runs[0][2]:,} lines)\n"
        )
    sys.stdout.write(f"status -w, piped: {watched}\n")


if __name__ == "__main__":
    main()
