"""How long the person waits between Enter and the first line, beside `kubectl get` of the same object in the same run.

python tests/bench/startup.py [--runs 15] [--archive FILE] [--aws FILE] [PROGRAM…]

An archive that `make dist` has built is timed too; PROGRAM is a further command line, such as another plugin's. The aws
that kubectl runs is the tests' version 1, unless --aws names another, such as a version 2, which takes longer.

Against a real API server over verified TLS, by a static token and by `aws eks get-token`, whose token a webhook checks
as EKS does; at round trips of 0, 30 and 100 ms to the API server and to AWS.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from release.project import VERSION, here  # noqa: E402  # found by the line above
from tests.bench.logs import served  # noqa: E402  # found by the line above
from tests.servers import ApiServer, missing  # noqa: E402

JOBS: Final = "/apis/sagemaker.services.k8s.aws/v1alpha1/namespaces/ml/trainingjobs"
GET: Final = "kubectl get trainingjobs.sagemaker.services.k8s.aws job -n ml"
LOG: Final = "kubectl-smlogs trainingjob job -n ml -o raw"
TAB: Final = "kubectl_complete-smlogs trainingjob -n ml ''"
ALONE: Final = ("kubectl-smlogs --help", "kubectl-sagemaker --help", f"{TAB}", "kubectl-sagemaker status -n ml")
"""Timed at no latency, by token."""
ROUND_TRIPS: Final = (0.0, 0.03, 0.1)
JOB: Final[dict[str, Any]] = {
    "apiVersion": "sagemaker.services.k8s.aws/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "job"},
    "spec": {
        "trainingJobName": "job",
        "roleARN": "arn:aws:iam::123456789012:role/r",
        "algorithmSpecification": {"trainingImage": "i", "trainingInputMode": "File"},
        "outputDataConfig": {"s3OutputPath": "s3://b"},
        "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 60},
    },
}
ARN: Final = "arn:aws:sagemaker:us-west-2:123456789012:training-job/job"


class Webhook(BaseHTTPRequestHandler):
    """Says who a token of EKS is: a URL of GetCallerIdentity, signed with the cluster's name and not long ago."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status: dict[str, Any] = {"authenticated": False}
        with contextlib.suppress(ValueError, KeyError):
            text = review["spec"]["token"].removeprefix("k8s-aws-v1.")
            url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
            age = datetime.now(UTC) - datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            signed = query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id" and len(query["X-Amz-Signature"]) == 64
            if query["Action"] == "GetCallerIdentity" and signed and age.total_seconds() < 900:
                status = {"authenticated": True, "user": {"username": "eks", "groups": ["system:masters"]}}
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        pass


@contextlib.contextmanager
def webhook(folder: Path) -> Iterator[str]:
    """Serve it; gives the flag of the API server that makes use of it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = folder / "webhook.json"
        file.write_text(kubeconfig(f"http://127.0.0.1:{server.server_port}/", {}, {}))
        yield f"--authentication-token-webhook-config-file={file}"
        server.shutdown()


class Far:
    """Servers of this machine as if they were a round trip away: a connection takes one, each answer another."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def port(self, port: int, seconds: float) -> int:
        """The port at which one is that far away."""

        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, opened: float) -> None:
            """Hand on what comes half a round trip later, or after the connection would have been open."""
            begin = self._loop.time() + opened
            with contextlib.suppress(OSError):
                while block := await source.read(1 << 16):
                    self._loop.call_at(max(begin, self._loop.time()) + seconds / 2, target.write, block)
            self._loop.call_later(seconds + opened, target.close)

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(carry(reader, far_writer, seconds), carry(far_reader, writer, 0.0))

        async def listen() -> int:
            server = await asyncio.start_server(meet, "127.0.0.1", 0)
            found: int = server.sockets[0].getsockname()[1]
            return found

        return asyncio.run_coroutine_threadsafe(listen(), self._loop).result()


def kubeconfig(server: str, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
    )


def users() -> dict[str, dict[str, Any]]:
    """The ways to prove oneself, as a kubeconfig has them; the second as `aws eks update-kubeconfig` writes it."""
    words = ["--region", "us-west-2", "eks", "get-token", "--cluster-name", "bench", "--output", "json"]
    block = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": words}
    return {"token": {"token": "tok-admin"}, "EKS": {"exec": block}}


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds from start to the first line on stdout, and from the last line to the end."""

    first: float
    rest: float


def take(words: Sequence[str], environment: dict[str, str]) -> Taken:
    began = time.perf_counter()
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        descriptor = process.stdout.fileno()
        first = last = 0.0
        while os.read(descriptor, 1 << 20):
            last = time.perf_counter()
            first = first or last
        complaint = process.stderr.read().decode()
    if not first or process.returncode:
        raise SystemExit(f"{shlex.join(words)}: exit {process.returncode}: {complaint}")
    return Taken(first - began, time.perf_counter() - last)


def programs(archive: Path | None, folder: Path) -> dict[str, str]:
    """Our commands: the console script, and, unpacked into a folder, an archive's program."""
    found = {"console script": LOG}
    if archive:
        folder.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
        (program,) = folder.rglob("kubectl-smlogs")
        found["archive"] = LOG.replace("kubectl-smlogs", shlex.quote(str(program)), 1)
    return found


def built() -> Path | None:
    """The archive of this version and platform in dist/, if there is one."""
    archive = ROOT / "dist" / here().archive(VERSION)
    return archive if archive.exists() else None


def compare(
    title: str, commands: dict[str, str], environment: dict[str, str], runs: int, trip: float, *, base: str | None
) -> None:
    """Run the commands in turn, again and again, and say their medians, `base`'s as the measure of all."""
    taken: dict[str, list[Taken]] = {name: [] for name in commands}
    for run in range(runs + 1):
        for name, line in commands.items():
            once = take(shlex.split(line), environment)
            if run:  # the first fills the caches, kubectl's discovery among them
                taken[name].append(once)
    say(f"\n{title}")
    middle = {name: statistics.median(each.first for each in figures) for name, figures in taken.items()}
    for name, figures in taken.items():
        rest = statistics.median(each.rest for each in figures)
        text = f"  {middle[name] * 1000:>6.0f} ms {rest * 1000:>5.0f} ms"
        if base:
            text += f" {middle[name] / middle[base]:>6.2f}"
            text += f" {(middle[name] - middle[base]) / trip:>+6.1f}" if trip else "       "
        say(f"{text}  {name}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--archive", type=Path, default=built())
    parser.add_argument("--aws", type=Path, default=Path(sys.prefix, "aws-cli", "bin", "aws"))
    parser.add_argument("programs", nargs="*")
    options = parser.parse_args()
    crds = os.environ.get("SAGEMAKER_CRDS")
    if (why := missing()) or not crds:
        raise SystemExit(f"start-up is measured against a real API server: {why or 'SAGEMAKER_CRDS names no folder'}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="startup-")))
        api = stack.enter_context(ApiServer(stack.enter_context(webhook(folder))))
        api.install(Path(crds, "ack"))
        api.install(Path(crds, "legacy"))
        api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "ml"}})
        account = stack.enter_context(served("--lines", "1000", "--streams", "1"))
        aws = account.environment["AWS_ENDPOINT_URL"]
        put(api)
        (folder / "bin").mkdir()
        (folder / "bin" / "aws").symlink_to(options.aws.absolute())
        bins = [str(Path(sys.executable).parent), str(folder / "bin")]
        environment = {
            **account.environment,
            "HOME": str(folder),
            "PATH": os.pathsep.join([*bins, os.environ["PATH"]]),
        }
        # As installed: compiled once, by the run that is not counted.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        versions = [
            subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")[0]
            for words in (["kubectl", "version", "--client"], ["aws", "--version"])
        ]
        say(f"{'; '.join(versions)}; medians of {options.runs} alternating runs")
        say("to the first line, from the last line to the end, × kubectl get, round trips more than kubectl get")
        ours = programs(options.archive, folder / "archive")
        far = Far()
        for trip in ROUND_TRIPS:
            port = far.port(api.port, trip) if trip else api.port
            endpoint = f"http://127.0.0.1:{far.port(urlsplit(aws).port or 0, trip)}" if trip else aws
            for way, user in users().items():
                file = folder / "config"
                cluster = {"certificate-authority": str(api.ca_file)}
                file.write_text(kubeconfig(f"https://127.0.0.1:{port}", cluster, user))
                told = {**environment, "KUBECONFIG": str(file), "AWS_ENDPOINT_URL": endpoint}
                commands = {"kubectl get": GET, **ours, **{line: line for line in options.programs}}
                compare(
                    f"{way}, {trip * 1000:.0f} ms a round trip", commands, told, options.runs, trip, base="kubectl get"
                )
                if not trip and way == "token":
                    compare("others", {line: line for line in ALONE}, told, options.runs, trip, base=None)


def put(api: ApiServer) -> None:
    """Create the job on the API server as its controller would leave it."""
    stamp = datetime.fromtimestamp(time.time() - 4200, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {
        "ackResourceMetadata": {"arn": ARN, "ownerAccountID": "123456789012", "region": "us-west-2"},
        "conditions": [],
        "creationTime": stamp,
        "trainingJobStatus": "Completed",
        "secondaryStatus": "Completed",
    }
    for _ in range(100):
        # A CRD's storage is made at its first use; until then the server answers 429.
        code, answer = api.request("POST", JOBS, JOB)
        if code != 429:
            break
        time.sleep(0.1)
    merge = "application/merge-patch+json"
    done, _ = api.request("PATCH", f"{JOBS}/job/status", {"status": status}, content_type=merge)
    if (code, done) != (201, 200):
        raise SystemExit(f"the API server does not take the job: {code} {done} {answer.get('message')}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
