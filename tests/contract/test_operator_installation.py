"""Installing the operator into a cluster, and taking it out; what `manifest` prints. On both APIs: the same tests."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.sandbox.cluster import Cluster
from tests.contract.conftest import Api, real, sandboxed
from tests.environment import PROGRAMS, kubectls
from tests.servers import ApiServer
from tests.specs import TRAINING

REAL = pytest.param("real", marks=pytest.mark.xdist_group("installed-apiserver"))
DEPLOYMENT = f"{manifest.PATHS['Deployment']}/{manifest.NAME}"
ROLE = "arn:aws:iam::123456789012:role/"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def empty_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with sandboxed(Cluster(now=time.time), tmp_path_factory.mktemp("empty")) as api:
        yield api


@pytest.fixture(scope="module")
def empty_real() -> Iterator[Api]:
    with ApiServer() as running:
        yield real(running)


@pytest.fixture(params=[pytest.param("sandbox", marks=pytest.mark.xdist_group("installed-sandbox")), REAL])
def server(request: pytest.FixtureRequest) -> Api:
    """A server without definitions."""
    api: Api = request.getfixturevalue(f"empty_{request.param}")
    return api


def run(server: Api, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAMS / "kubectl-sagemaker"), "operator", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=server.environment, timeout=90, check=False, **options
    )


def become_ready(server: Api, ended: threading.Event) -> None:
    """What the deployment's controller would do, of which the servers have none."""
    while not ended.is_set():
        status, found = server.request("GET", DEPLOYMENT)
        if status == 200:
            count = found["spec"]["replicas"]
            ready = {"observedGeneration": found["metadata"]["generation"], "replicas": count, "readyReplicas": count}
            ready |= {"updatedReplicas": count, "availableReplicas": count}
            server.request("PATCH", f"{DEPLOYMENT}/status", {"status": ready}, content_type=MERGE)
        time.sleep(0.2)


def applied(server: Api, text: str, *words: str) -> list[str]:
    """What kubectl says of each object that is not as it was."""
    kubectl = next(iter(kubectls().values()), "kubectl")
    command = [kubectl, "apply", *words, "-f", "-"]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, env=server.environment, timeout=90, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if not line.endswith(" unchanged")]


def test_a_changed_manifest_is_applied_by_either_way_of_kubectl(server: Api) -> None:
    first, second = (
        run(server, "manifest", "--image", image, "--replicas", replicas, "--role-arn", ROLE + image).stdout
        for image, replicas in (("one", "2"), ("two", "3"))
    )
    names = [f"deployment.apps/{manifest.NAME}", f"serviceaccount/{manifest.ACCOUNT}"]
    assert len(applied(server, first)) == len(manifest.objects(manifest.Choice(image="")))
    assert applied(server, first) == []
    # A strategic merge patch, since a Deployment is built in.
    assert sorted(applied(server, second)) == [f"{name} configured" for name in names]
    assert container(server)["image"] == "two"
    assert server.request("GET", DEPLOYMENT)[1]["spec"]["replicas"] == 3
    for text in (first, first, second):
        applied(server, text, "--server-side", "--force-conflicts")
    assert container(server)["image"] == "two"


def container(server: Api) -> Any:
    (found,) = server.request("GET", DEPLOYMENT)[1]["spec"]["template"]["spec"]["containers"]
    return found


def test_it_waits_for_what_is_not_ready_and_says_for_what(server: Api) -> None:
    command = [str(PROGRAMS / "kubectl-sagemaker"), "operator", "install"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=server.environment) as process:
        assert process.stderr is not None
        last = next((line for line in process.stderr if "waiting for deployment" in line), None)
        assert last == f"waiting for deployment/{manifest.NAME}: no controller has seen it yet\n"
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == -signal.SIGINT


def test_it_is_installed_twice_used_and_removed(server: Api) -> None:
    ended = threading.Event()
    controller = threading.Thread(target=become_ready, args=(server, ended))
    controller.start()
    try:
        for _ in range(2):
            done = run(server, "install", "--image", "registry.example.com/op:1", "--timeout", "60s")
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
            assert done.stderr.splitlines()[-1] == f"the operator is ready in namespace {manifest.NAMESPACE}"
    finally:
        ended.set()
        controller.join()
    _, deployment = server.request("GET", DEPLOYMENT)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/op:1"

    path = "/apis/sagemaker.aws.amazon.com/v1/namespaces/default/trainingjobs"
    body = {"apiVersion": "sagemaker.aws.amazon.com/v1", "kind": "TrainingJob", "metadata": {"name": "here"}}
    assert server.request("POST", path, {**body, "spec": TRAINING})[0] == 201
    done = run(server, "uninstall")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "error: there are still objects: trainingjob default/here"
    assert server.request("GET", DEPLOYMENT)[0] == 200

    assert server.request("DELETE", f"{path}/here")[0] == 200
    done = run(server, "uninstall")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert server.request("GET", DEPLOYMENT)[0] == 404
    left = [
        thing["metadata"]["name"]
        for thing in manifest.objects(manifest.Choice(image=""))
        # Nothing ends a namespace of the real server's, and a definition takes a moment there.
        if (server.kind == "sandbox" or thing["kind"] not in {"Namespace", "CustomResourceDefinition"})
        and server.request("GET", manifest.path(thing))[0] != 404
    ]
    assert left == []
    assert run(server, "uninstall").returncode == 0


def test_what_manifest_prints_is_applied_by_kubectl(server: Api) -> None:
    printed = run(server, "manifest", "--role-arn", "arn:aws:iam::123456789012:role/op", "--replicas", "1")
    assert (printed.returncode, printed.stderr) == (0, "")
    kubectl = next(iter(kubectls().values()), "kubectl")
    done = subprocess.run(
        [kubectl, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"],
        input=printed.stdout.replace(manifest.NAMESPACE, "default"),
        capture_output=True,
        text=True,
        env=server.environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The API server says what Pod Security would refuse as a warning on stderr.
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(manifest.objects(manifest.Choice(image="")))


@pytest.mark.parametrize("server", [REAL], indirect=True)
def test_a_pod_of_it_is_allowed_where_pods_are_restricted(server: Api) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restricted", "labels": labels}}
    assert server.request("POST", "/api/v1/namespaces", body)[0] == 201
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": manifest.ACCOUNT}}
    assert server.request("POST", "/api/v1/namespaces/restricted/serviceaccounts", account)[0] == 201
    deployment = manifest.objects(manifest.Choice(image="i"))[-1]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": deployment["spec"]["template"]["spec"]}
    status, answer = server.request("POST", "/api/v1/namespaces/restricted/pods", pod)
    assert status == 201, json.dumps(answer)
    container = pod["spec"]["containers"][0]
    del container["securityContext"]["allowPrivilegeEscalation"]
    pod["metadata"]["name"] = "q"
    assert server.request("POST", "/api/v1/namespaces/restricted/pods", pod)[0] == 403


@pytest.mark.parametrize("server", [REAL], indirect=True)
def test_what_is_being_deleted_is_waited_for(server: Api) -> None:
    """Nothing ends a namespace here, so it waits until it may wait no more; it was an error before."""
    run(server, "install", "--timeout", "2s")
    run(server, "uninstall")
    done = run(server, "install", "--timeout", "4s")
    assert done.returncode == 5
    last, error = done.stderr.splitlines()[-2:]
    assert last == f"waiting for namespace/{manifest.NAMESPACE}: it is being deleted"
    assert error == "error: timed out after 4 s"
