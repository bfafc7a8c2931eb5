"""The walk-through, by real kubectl, in a sandbox whose operator runs what is applied."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import Ran, Shell, shell_of
from tests.environment import FROZEN

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = EXAMPLES / "xgboost-mnist"
LEGACY = "sagemaker.aws.amazon.com"
ACK = "sagemaker.services.k8s.aws"

pytestmark = pytest.mark.xdist_group("walkthrough")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """An empty world, in which everything comes ten times sooner."""
    with Sandbox(parts=(), speed=10.0, operator=True) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def shell(sandbox: Sandbox) -> Shell:
    return shell_of(sandbox)


def kubectl(shell: Shell, *words: str) -> Ran:
    return shell.run("kubectl", *words)


def shown(shell: Shell, kind: str, name: str, path: str, *more: str) -> str:
    return kubectl(shell, "get", kind, name, *more, "-o", f"jsonpath={{{path}}}").stdout


def until(what: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def apply(shell: Shell, thing: dict[str, Any]) -> None:
    done = subprocess.run(
        ["kubectl", "apply", "-f", "-"], input=json.dumps(thing).encode(), env=shell.environment, check=False
    )
    assert done.returncode == 0


def test_a_job_is_applied_seen_followed_and_deleted(shell: Shell) -> None:
    applied = kubectl(shell, "apply", "-f", str(STEPS / "train.yaml"))
    assert applied.stdout == f"trainingjob.{LEGACY}/xgboost-mnist created\n", applied
    logs = shell.smlogs("trainingjob", "xgboost-mnist", "-f", "-o", "raw")
    assert logs.code == 0, logs
    lines = logs.stdout.splitlines()
    assert lines[0] == "Arguments: train"
    assert len(lines) == 44
    until(lambda: shown(shell, "trainingjob", "xgboost-mnist", ".status.trainingJobStatus") == "Completed")
    listed = kubectl(shell, "get", "trainingjob").stdout.splitlines()
    assert listed[0].split() == ["NAME", "STATUS", "SECONDARY-STATUS", "CREATION-TIME", "SAGEMAKER-JOB-NAME"]
    assert listed[1].split()[:3] == ["xgboost-mnist", "Completed", "Completed"]
    described = kubectl(shell, "describe", "trainingjob", "xgboost-mnist").stdout
    assert "s3://my-bucket/xgboost-mnist/models/xgboost-mnist-" in described
    assert "Created" in described.partition("Events:")[2]
    status = shell.sagemaker("status")
    assert "✓ Completed" in status.stdout
    deleted = kubectl(shell, "delete", "-f", str(STEPS / "train.yaml"))
    assert (deleted.code, "deleted" in deleted.stdout) == (0, True)
    assert kubectl(shell, "get", "trainingjob").stdout == ""


def test_a_running_job_is_stopped_by_its_deletion(shell: Shell, sandbox: Sandbox) -> None:
    thing = json.loads(
        kubectl(shell, "create", "--dry-run=client", "-o", "json", "-f", str(STEPS / "train.yaml")).stdout
    )
    thing["metadata"] = {"name": "stopped"}
    apply(shell, thing)
    until(lambda: shown(shell, "trainingjob", "stopped", ".status.trainingJobStatus") == "InProgress")
    name = shown(shell, "trainingjob", "stopped", ".status.sageMakerTrainingJobName")
    # It waits until the object is gone, which is when SageMaker has stopped the job.
    assert kubectl(shell, "delete", "trainingjob", "stopped").code == 0
    assert sandbox.account.jobs.state("TrainingJob", name)["TrainingJobStatus"] == "Stopped"


def test_a_tuning_job_shows_its_children_and_its_best(shell: Shell) -> None:
    assert kubectl(shell, "apply", "-f", str(STEPS / "tune.yaml")).code == 0
    kind, name = "hyperparametertuningjob", "xgboost-mnist-tuning"
    until(lambda: shown(shell, kind, name, ".status.hyperParameterTuningJobStatus") == "Completed")
    until(lambda: shown(shell, kind, name, ".status.trainingJobStatusCounters.completed") == "10")
    parent = shown(shell, kind, name, ".status.sageMakerHyperParameterTuningJobName")
    children = kubectl(shell, "get", "trainingjob", "-o", "name").stdout.splitlines()
    assert len([child for child in children if f"/{parent}-" in child]) == 10
    best = shown(shell, kind, name, ".status.bestTrainingJob.trainingJobName")
    assert best.startswith(f"{parent}-")
    assert kubectl(shell, "delete", "-f", str(STEPS / "tune.yaml")).code == 0
    until(lambda: kubectl(shell, "get", "trainingjob", "-o", "name").stdout == "")


def test_an_endpoint_is_deployed_and_a_batch_transformed(shell: Shell) -> None:
    assert kubectl(shell, "apply", "-f", str(STEPS / "deploy.yaml")).code == 0
    until(lambda: shown(shell, "hostingdeployment", "xgboost-mnist", ".status.endpointStatus") == "InService")
    assert shown(shell, "hostingdeployment", "xgboost-mnist", ".status.modelNames[0].value").startswith(
        "xgboost-mnist-"
    )
    assert kubectl(shell, "apply", "-f", str(STEPS / "transform.yaml")).code == 0
    logs = shell.smlogs("batchtransformjob", "xgboost-mnist", "-f", "-o", "raw")
    assert (logs.code, logs.stdout.splitlines()[-1]) == (0, "scored 1000 of 1000 records")
    for step in ("transform.yaml", "deploy.yaml"):
        assert kubectl(shell, "delete", "-f", str(STEPS / step)).code == 0
    assert kubectl(shell, "get", "models,endpointconfigs", "-o", "name").stdout == ""


def training(name: str, annotations: dict[str, str], group: str = LEGACY) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "region": "us-west-2",
        "roleArn": "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole",
        "algorithmSpecification": {"trainingImage": "image", "trainingInputMode": "File"},
        "outputDataConfig": {"s3OutputPath": "s3://my-bucket/models"},
        "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGB": 5},
        "stoppingCondition": {"maxRuntimeInSeconds": 3600},
    }
    version = "v1"
    if group == ACK:
        version = "v1alpha1"
        spec["roleARN"] = spec.pop("roleArn")
        del spec["region"]
        spec |= {"trainingJobName": name, "hyperParameters": {"eta": "0.2"}}
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": f"{group}/{version}", "kind": "TrainingJob", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("group", [LEGACY, ACK])
def test_a_fault_can_be_asked_for(shell: Shell, group: str) -> None:
    reason = "AlgorithmError: label column has missing values"
    name = f"failing-{group.partition('.')[2].partition('.')[0]}"
    apply(shell, training(name, {"sandbox.example.com/fail": reason}, group))
    kind = f"trainingjob.{group}"
    logs = shell.smlogs(kind, name, "-f", "-o", "raw")
    assert logs.code == 3
    assert logs.stderr.splitlines()[-1].endswith(reason) or reason in logs.stderr
    assert logs.stdout.splitlines()[-1] == reason
    until(lambda: shown(shell, kind, name, ".status.trainingJobStatus") == "Failed")
    assert kubectl(shell, "delete", kind, name).code == 0


def test_capacity_and_throttling_can_be_asked_for(shell: Shell, sandbox: Sandbox) -> None:
    reason = "CapacityError: Unable to provision requested ML compute capacity."
    apply(shell, training("nothing-free", {"sandbox.example.com/capacity": reason}))
    apply(shell, training("throttled", {"sandbox.example.com/throttle": "4"}))
    until(lambda: shown(shell, "trainingjob", "nothing-free", ".status.trainingJobStatus") == "Failed")
    assert shown(shell, "trainingjob", "nothing-free", ".status.additional") == reason
    until(lambda: shown(shell, "trainingjob", "throttled", ".status.trainingJobStatus") in {"InProgress", "Completed"})
    refused = [one for one in sandbox.account.journal if one.outcome == "ThrottlingException"]
    assert len(refused) == 4


def test_ack_s_objects_live_too(shell: Shell) -> None:
    apply(shell, training("theirs", {}, ACK))
    kind = f"trainingjob.{ACK}"
    logs = shell.smlogs(kind, "theirs", "-f", "-o", "raw")
    assert (logs.code, len(logs.stdout.splitlines())) == (0, 44)
    until(lambda: shown(shell, kind, "theirs", ".status.trainingJobStatus") == "Completed")
    arn = shown(shell, kind, "theirs", ".status.ackResourceMetadata.arn")
    assert arn == "arn:aws:sagemaker:us-west-2:123456789012:training-job/theirs"
    assert kubectl(shell, "delete", kind, "theirs").code == 0


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3 as the upload needs."""

    kept: dict[str, tuple[bytes, str]]

    def do_PUT(self) -> None:  # the name that http.server calls
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        checksum = self.headers["x-amz-checksum-sha256"]
        assert checksum == base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.kept[self.path] = (body, checksum)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:  # the same
        body, checksum = self.kept[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-checksum-sha256", checksum)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def bucket() -> Iterator[tuple[str, dict[str, tuple[bytes, str]]]]:
    handler = type("Kept", (Bucket,), {"kept": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", handler.kept  # type: ignore[attr-defined]  # set above
        finally:
            server.shutdown()
            thread.join()


def data_set(folder: Path) -> None:
    """Sixty digits and ten of the test set, as MNIST's four files have them."""
    for name, count in (("train", 60), ("t10k", 10)):
        images = bytes(index % 251 for index in range(count * 784))
        header = bytes((0, 0, 8, 3)) + count.to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images))
        labels = bytes((0, 0, 8, 1)) + count.to_bytes(4, "big") + bytes(index % 10 for index in range(count))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def upload(shell: Shell, url: str, source: Path) -> Ran:
    there = shell.having(AWS_ENDPOINT_URL_S3=url)
    script = str(STEPS / "upload_xgboost_mnist_dataset")
    words = ["--s3-bucket", "b", "--s3-prefix", "digits/", "--source", str(source)]
    return there.run(sys.executable, script, *words)


def test_the_data_set_is_uploaded_with_the_label_first(
    shell: Shell, tmp_path: Path, bucket: tuple[str, dict[str, tuple[bytes, str]]]
) -> None:
    url, kept = bucket
    data_set(tmp_path)
    done = upload(shell, url, tmp_path)
    assert done.code == 0, done
    assert done.stdout.splitlines() == [
        "s3://b/digits/train/ 50 digits",
        "s3://b/digits/validation/ 10 digits",
        "s3://b/digits/test/ 10 digits",
    ]
    assert "3/3" in done.stderr
    rows = {path: body.decode().splitlines() for path, (body, _) in kept.items()}
    assert {path.rpartition("/digits/")[2]: len(lines) for path, lines in rows.items()} == {
        "train/part-000.csv": 50,
        "validation/part-000.csv": 10,
        "test/part-000.csv": 10,
    }
    by_set = {path.rpartition("/digits/")[2].partition("/")[0]: lines for path, lines in rows.items()}
    assert by_set["train"][3].split(",")[0] == "3"
    assert len(by_set["train"][3].split(",")) == 785
    assert by_set["validation"][0].split(",")[0] == "0"
    assert len(by_set["test"][0].split(",")) == 784


def test_what_is_no_data_set_is_said(
    shell: Shell, tmp_path: Path, bucket: tuple[str, dict[str, tuple[bytes, str]]]
) -> None:
    data_set(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    done = upload(shell, bucket[0], tmp_path)
    assert (done.code, done.stderr) == (1, "error: a file of the data set is no IDX file\n")
    with contextlib.suppress(FileNotFoundError):
        (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    assert upload(shell, bucket[0], tmp_path).stderr.startswith(f"error: {tmp_path}: t10k-images-idx3-ubyte.gz: ")


@pytest.mark.skipif(FROZEN, reason="an archive has no operator")
def test_the_operator_is_installed_in_the_sandbox_and_taken_out() -> None:
    """Its deployment is ready because the sandbox's own operator does the work, and only while that runs."""
    with Sandbox(parts=(), speed=10.0, operator=True) as sandbox:
        shell = shell_of(sandbox)
        installed = shell.sagemaker("operator", "install", "--timeout", "30s")
        assert (installed.stdout, installed.code) == ("", 0), installed
        assert installed.stderr.endswith(f"the operator is ready in namespace {manifest.NAMESPACE}\n")
        where = ("-n", manifest.NAMESPACE)
        seen = kubectl(shell, "get", "deployment", manifest.NAME, *where, "-o", "jsonpath={.status.conditions[0]}")
        assert json.loads(seen.stdout) == {
            "type": "Available",
            "status": "True",
            "reason": "Sandbox",
            "message": "no pods run in the sandbox; its own operator does the work",
        }
        assert kubectl(shell, "apply", "-f", str(STEPS / "train.yaml")).code == 0
        until(lambda: shown(shell, "trainingjob", "xgboost-mnist", ".status.trainingJobStatus") != "")
        refused = shell.sagemaker("operator", "uninstall")
        assert refused.stderr.startswith("error: there are still objects: trainingjob default/xgboost-mnist\n")
        assert kubectl(shell, "delete", "trainingjob", "xgboost-mnist").code == 0
        assert sandbox.operator is not None
        sandbox.operator.kill()
        sandbox.operator.wait()
        path = ".status.conditions[0].status"
        until(lambda: shown(shell, "deployment", manifest.NAME, path, *where) == "False")
        assert shell.sagemaker("operator", "uninstall").code == 0
        assert kubectl(shell, "get", "crd,clusterrole,namespace", "-o", "name").stdout.count("sagemaker") == 0


def test_the_operator_ends_with_the_sandbox() -> None:
    with Sandbox(parts=(), operator=True) as sandbox:
        environment = sandbox.environment
        process = sandbox.operator
        assert process is not None
        assert process.poll() is None
    assert process.poll() is not None
    assert "AWS_ENDPOINT_URL" in environment
