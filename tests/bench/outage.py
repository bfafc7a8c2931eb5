"""How the operator goes on after an outage, in real time: `python tests/bench/outage.py --lost aws --seconds 600`.

A real API server (KUBEBUILDER_ASSETS names its folder), AWS by the sandbox on a port that closes and opens again, and
the operator as a process. It prints, and asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubectl_sagemaker.operator import crds
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account, application
from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from kubectl_sagemaker.sandbox.server import PROGRAM
from tests.bench.reconcile import cpu, memory, until
from tests.servers import ApiServer, free_port
from tests.specs import HOSTING, TRAINING

JOBS = 50
GROUP = "/apis/sagemaker.aws.amazon.com/v1/namespaces/default"


class Port:
    """An account behind a port that can be closed, and opened again."""

    def __init__(self, account: Account) -> None:
        self.number = free_port()
        self._account = account
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._runner: Any = None

    def open(self) -> None:
        """Answer."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def close(self) -> None:
        """Refuse connections."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()

    async def _open(self) -> None:
        from aiohttp import web

        self._runner = web.AppRunner(application(self._account), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.number).start()


def say(text: str) -> None:
    """Print a line of figures at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Place:
    """The cluster's objects."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def apply(self, plural: str, kind: str, name: str, spec: Any) -> None:
        """Make an object."""
        body = {"apiVersion": "sagemaker.aws.amazon.com/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self._server.request("POST", f"{GROUP}/{plural}", body)

    def states(self, plural: str, path: str) -> dict[str, str]:
        """Each object's state."""
        _, found = self._server.request("GET", f"{GROUP}/{plural}")
        return {one["metadata"]["name"]: (one.get("status") or {}).get(path, "") for one in found.get("items", ())}

    def ask(self) -> None:
        """What people do: new jobs, deletions, an edit that updates an endpoint."""
        for number in range(JOBS):
            self.apply("trainingjobs", "TrainingJob", f"new-{number}", TRAINING)
            if number % 2:
                self._server.request("DELETE", f"{GROUP}/trainingjobs/old-{number}")
        merge = "application/merge-patch+json"
        edit = {"spec": {"kmsKeyId": "key"}}
        self._server.request("PATCH", f"{GROUP}/hostingdeployments/x", edit, content_type=merge)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lost", choices=["aws", "cluster"], default="aws")
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    account = Account(now=time.time)
    account.jobs.lifecycle = lambda kind, parameters: (
        (Stage(0, "InProgress", "Training"),) if kind == "TrainingJob" else ordinary(kind, parameters)
    )
    port = Port(account)
    port.open()
    with ApiServer() as server, tempfile.TemporaryFile() as log:
        server.define(json.dumps(definition).encode() for definition in crds.definitions())
        environment = {
            **os.environ,
            "KUBECONFIG": str(server.kubeconfig),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port.number}",
            "AWS_ACCESS_KEY_ID": SANDBOX.access_key,
            "AWS_SECRET_ACCESS_KEY": SANDBOX.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        words = [sys.executable, "-c", PROGRAM, "operator", "run", "--log-format", "json"]
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        try:
            measure(
                options.lost, options.seconds, account, port, server, process, lambda: os.fstat(log.fileno()).st_size
            )
        finally:
            process.kill()
            process.wait()


def measure(
    lost: str,
    seconds: float,
    account: Account,
    port: Port,
    server: ApiServer,
    process: subprocess.Popen[bytes],
    logged: Callable[[], int],
) -> None:
    """One outage."""
    place = Place(server)
    for number in range(JOBS):
        place.apply("trainingjobs", "TrainingJob", f"old-{number}", TRAINING)
    place.apply("hostingdeployments", "HostingDeployment", "x", HOSTING)

    def jobs() -> dict[str, str]:
        return place.states("trainingjobs", "trainingJobStatus")

    def endpoint() -> str:
        return place.states("hostingdeployments", "endpointStatus").get("x", "")

    until(lambda: Counter(jobs().values())["InProgress"] == JOBS and endpoint() == "InService")
    say(f"{JOBS} jobs in progress, an endpoint in service; {lost} is lost for {seconds:.0f} s")
    before, text, asked = cpu(process), logged(), len(account.journal)
    if lost == "aws":
        port.close()
        place.ask()
        time.sleep(seconds)
    else:
        place.ask()
        server.stop_serving()
        time.sleep(seconds)
    say(
        f"meanwhile: {cpu(process) - before:.1f} s of CPU, {(logged() - text) / 1024:.0f} kB of log, "
        f"{len(account.journal) - asked} requests that AWS saw, memory {memory(process):.0f} MB"
    )
    # Some end while nobody looks.
    ended = [name for kind, name in account.jobs._resources if kind == "TrainingJob" and name.startswith("old-0-")]
    for name in ended:
        account.jobs.call("StopTrainingJob", {"TrainingJobName": name})
    port.open() if lost == "aws" else server.serve_again()
    began = time.monotonic()

    def first() -> bool:
        return "InProgress" in {state for name, state in jobs().items() if name.startswith("new")}

    def right() -> bool:
        found = jobs()
        there = {name for name in found if name.startswith("old")}
        states = Counter(state for name, state in found.items() if name.startswith("new"))
        updated = sum((one.operation, one.outcome) == ("UpdateEndpoint", "ok") for one in account.journal)
        return (
            states == {"InProgress": JOBS}
            and there == {f"old-{number}" for number in range(0, JOBS, 2)}
            and found["old-0"] == "Stopped"
            and (updated, endpoint()) == (1, "InService")
        )

    until(first)
    say(f"the first new job in progress {time.monotonic() - began:.1f} s after it was back")
    until(right)
    say(f"all as asked {time.monotonic() - began:.1f} s after it was back (an endpoint's update takes 10 s)")
    done = Counter(one.operation for one in account.journal if one.outcome == "ok")
    say(f"CreateTrainingJob {done['CreateTrainingJob']} for {2 * JOBS} jobs, UpdateEndpoint {done['UpdateEndpoint']}")


if __name__ == "__main__":
    main()
