"""The operator as a process, on the sandbox's API and on a real API server, with AWS by the sandbox: the same tests."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.operator.lease import LEASE_SECONDS
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account
from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from tests.contract.conftest import Api, real
from tests.environment import PROGRAMS, kubectls
from tests.lab import ROW
from tests.servers import ApiServer
from tests.specs import CHILD, HOSTING, JOBS, SPECS
from tests.transport import serve

PATIENCE: Final = 60.0
"""Seconds after which something counts as never."""
RUNNING: Final = (Stage(0, "InProgress", "Starting"), Stage(1e6, "Completed", "Completed"))


@dataclass
class Place:
    """A cluster and an account, with operators in them."""

    api: Api
    account: Account
    endpoint: str
    folder: Path
    operators: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {
            **self.api.environment,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": SANDBOX.access_key,
            "AWS_SECRET_ACCESS_KEY": SANDBOX.secret_key,
            "PYTHONWARNINGS": "error",
        }

    def operator(self, *words: str) -> subprocess.Popen[bytes]:
        """Start one."""
        log = (self.folder / f"operator-{len(self.operators)}.log").open("wb")
        command = [str(PROGRAMS / "kubectl-sagemaker"), "operator", "run", "--poll", "0.5s", "-n", self.api.namespace]
        with log:
            process = subprocess.Popen([*command, *words], env=self.environment(), stderr=log, stdout=log)
        self.operators.append(process)
        return process

    def log(self, number: int = -1) -> str:
        """What one said."""
        return (self.folder / f"operator-{number % len(self.operators)}.log").read_text()

    def path(self, singular: str, name: str = "") -> str:
        api = ROW[singular].api
        return self.api.path(api.group.path, api.plural, name)

    def apply(self, singular: str, name: str, spec: Any = None) -> None:
        api = ROW[singular].api
        body = {"apiVersion": f"{api.group.name}/{api.group.version}", "kind": api.kind, "metadata": {"name": name}}
        status, answer = self.api.request("POST", self.path(singular), {**body, "spec": spec or SPECS[singular]})
        assert status == 201, answer

    def edit(self, singular: str, name: str, spec: Any) -> None:
        merge = "application/merge-patch+json"
        status, answer = self.api.request("PATCH", self.path(singular, name), {"spec": spec}, content_type=merge)
        assert status == 200, answer

    def delete(self, singular: str, name: str) -> None:
        status, answer = self.api.request("DELETE", self.path(singular, name))
        assert status == 200, answer

    def all(self, singular: str) -> list[dict[str, Any]]:
        status, answer = self.api.request("GET", self.path(singular))
        assert status == 200, answer
        return list(answer["items"])

    def states(self, singular: str) -> Counter[str]:
        return Counter(thing.get("status", {}).get(ROW[singular].state) for thing in self.all(singular))

    def until(self, what: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                logs = "\n".join(self.log(number)[-3000:] for number in range(len(self.operators)))
                things = {singular: [(t["metadata"], t.get("status")) for t in self.all(singular)] for singular in ROW}
                pytest.fail(f"it never came; objects: {json.dumps(things)[:4000]}\nlogs: {logs}")
            time.sleep(0.05)

    def gone(self) -> bool:
        return not any(self.all(singular) for singular in ROW)

    def granted(self, operation: str) -> int:
        return sum((one.operation, one.outcome) == (operation, "ok") for one in self.account.journal)

    def left(self) -> list[tuple[str, str]]:
        """What SageMaker still has that runs or is kept."""
        found = []
        for kind, name in list(self.account.jobs._resources):
            with contextlib.suppress(Exception):
                state = self.account.jobs.state(kind, name).get(f"{kind}Status")
                if state not in {"Completed", "Failed", "Stopped"}:
                    found.append((kind, name))
        return found


@pytest.fixture(
    params=[
        pytest.param("sandbox", marks=pytest.mark.xdist_group("operated-sandbox")),
        pytest.param("real", marks=pytest.mark.xdist_group("operated-real")),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new namespace and a new account."""
    api: Api
    if request.param == "sandbox":
        api = request.getfixturevalue("sandbox_api")
    else:
        api = real(request.getfixturevalue("defined"))
    namespace = f"op-{random.getrandbits(40):x}"  # no secret
    status, answer = api.request(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    )
    assert status == 201, answer
    account = Account(now=time.time)
    account.jobs.speed = 10.0
    account.jobs.lifecycle = lambda kind, parameters: (
        RUNNING
        if kind in {ROW[singular].kind.name for singular in JOBS}
        else [replace(stage, offset=stage.offset / 20) for stage in ordinary(kind, parameters)]
    )
    elsewhere = Account(now=time.time, region="us-east-2")
    elsewhere.jobs.lifecycle, elsewhere.jobs.speed = account.jobs.lifecycle, 10.0
    with serve(account, elsewhere) as endpoint:
        made = Place(replace(api, namespace=namespace), account, endpoint, tmp_path)
        try:
            yield made
        finally:
            for process in made.operators:
                if process.poll() is None:
                    process.kill()
                process.wait()


def test_everything_lives_and_goes(place: Place) -> None:
    place.operator()
    for singular in JOBS:
        place.apply(singular, "x")
    place.apply("hostingdeployment", "x")
    place.until(lambda: all(place.states(singular)["InProgress"] == 1 for singular in JOBS))
    place.until(lambda: place.states("hostingdeployment")["InService"] == 1)
    place.edit("hostingdeployment", "x", {"productionVariants": [HOSTING["productionVariants"][0]]})
    place.until(lambda: place.granted("UpdateEndpoint") == 1)
    place.until(lambda: len(place.all("endpointconfig")) == 1 and place.states("hostingdeployment")["InService"] == 1)
    endpoint = place.all("hostingdeployment")[0]["status"]["endpointName"]
    scaling = {**SPECS["hostingautoscalingpolicy"]}
    scaling["resourceId"] = [{"endpointName": endpoint, "variantName": "AllTraffic"}]
    place.apply("hostingautoscalingpolicy", "x", scaling)
    place.until(lambda: place.states("hostingautoscalingpolicy")["Created"] == 1)
    for singular in (*JOBS, "hostingautoscalingpolicy", "hostingdeployment"):
        place.delete(singular, "x")
    place.until(place.gone)
    assert place.left() == []
    assert max(place.granted(f"Create{ROW[singular].kind.name}") for singular in JOBS) == 1
    assert "wrong" not in place.log()


def test_every_published_sample_lives(place: Place) -> None:
    import yaml

    folder = os.environ.get("SAGEMAKER_SAMPLES")
    if not folder:
        pytest.skip("SAGEMAKER_SAMPLES names no folder with example manifests")
    place.operator()
    kubectl = next(iter(kubectls().values()), "kubectl")
    samples = [yaml.safe_load(file.read_text()) for file in sorted(Path(folder, "legacy").glob("*.yaml"))]
    for sample in samples:
        words = [kubectl, "-n", place.api.namespace, "apply", "-f", "-"]
        subprocess.run(words, input=json.dumps(sample).encode(), env=place.api.environment, check=True)
    ends = {"InProgress", "InService", "Reconciling"}

    def settled() -> bool:
        states = [place.states(sample["kind"].lower()) for sample in samples]
        return all(set(counter) <= ends for counter in states)

    place.until(settled)


def test_it_is_killed_again_and_again(place: Place) -> None:
    """kill -9 in the middle of creations, an update and deletions: nothing twice, nothing left, nothing hangs."""
    chance = random.Random(9)  # noqa: S311  # the same each time

    def hunted(what: Callable[[], bool], kills: int) -> None:
        for _ in range(kills):
            process = place.operator("--lease-namespace", place.api.namespace, "--identity", "one")
            time.sleep(0.8 + chance.random() * 1.2)
            process.send_signal(signal.SIGKILL)
            process.wait()
        place.operator("--lease-namespace", place.api.namespace, "--identity", "one")
        place.until(what)
        place.operators[-1].kill()
        place.operators[-1].wait()

    for singular in (*JOBS, "hostingdeployment"):
        place.apply(singular, "x")
    hunted(lambda: all(place.states(one)["InProgress"] == 1 for one in JOBS) and in_service(place), 4)
    place.edit("hostingdeployment", "x", {"kmsKeyId": "key"})
    hunted(lambda: place.granted("UpdateEndpoint") > 0 and in_service(place) and len(place.all("model")) == 2, 4)
    for singular in (*JOBS, "hostingdeployment"):
        place.delete(singular, "x")
    hunted(place.gone, 4)
    assert place.left() == []
    created = {kind: place.granted(f"Create{kind}") for kind in ("TrainingJob", "TransformJob", "ProcessingJob")}
    assert set(created.values()) == {1}
    hosted = {f"{verb}": place.granted(verb) for verb in ("CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint")}
    assert set(hosted.values()) == {1}
    assert (place.granted("CreateModel"), place.granted("CreateEndpointConfig")) == (4, 2)


def in_service(place: Place) -> bool:
    return place.states("hostingdeployment")["InService"] == 1


def test_two_replicas_and_one_acts(place: Place) -> None:
    first = place.operator("--identity", "first", "--lease-namespace", place.api.namespace)
    place.until(lambda: "first) acts" in place.log(0))
    second = place.operator("--identity", "second", "--lease-namespace", place.api.namespace)
    for number in range(20):
        place.apply("trainingjob", f"x{number}")
    place.until(lambda: place.states("trainingjob")["InProgress"] == 20)
    assert place.granted("CreateTrainingJob") == 20
    assert "second) acts" not in place.log(1)
    if sys.platform == "linux":
        # Twenty at once, of which ten are looked at side by side before anything has been read.
        status = Path(f"/proc/{first.pid}/status").read_text()
        assert int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) < 150 * 1024
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == -signal.SIGTERM
    # The lease was given back: the other need not wait until it is over.
    place.until(lambda: "second) acts" in place.log(1))
    place.apply("trainingjob", "after")
    place.until(lambda: place.states("trainingjob")["InProgress"] == 21)
    assert (place.granted("CreateTrainingJob"), second.poll()) == (21, None)


def test_what_happened_while_it_was_away_is_made_good(place: Place) -> None:
    place.operator("--identity", "one")
    for name in ("deleted", "ended", "edited"):
        place.apply("trainingjob", name)
    place.apply("model", "edited")
    place.until(lambda: place.states("trainingjob")["InProgress"] == 3 and place.states("model")["Created"] == 1)
    place.operators[-1].kill()
    place.operators[-1].wait()
    names = {
        thing["metadata"]["name"]: thing["status"]["sageMakerTrainingJobName"] for thing in place.all("trainingjob")
    }
    place.delete("trainingjob", "deleted")
    place.account.jobs._resources["TrainingJob", names["ended"]].stages = (Stage(0, "Completed", "Completed"),)
    place.edit("model", "edited", {"primaryContainer": {"image": "other"}})
    place.apply("trainingjob", "new")
    place.operator("--identity", "one")
    place.until(lambda: place.states("trainingjob") == {"InProgress": 2, "Completed": 1})
    place.until(lambda: place.granted("CreateModel") == 2)


def test_it_goes_on_after_aws_was_lost(place: Place) -> None:
    place.operator()
    place.apply("trainingjob", "before")
    place.until(lambda: place.states("trainingjob")["InProgress"] == 1)
    good = place.account.credentials
    place.account.credentials = {}
    place.apply("trainingjob", "meanwhile")
    place.delete("trainingjob", "before")
    place.until(lambda: place.states("trainingjob")["ReconcilingTrainingJob"] == 2)
    place.account.credentials = good
    place.until(lambda: place.states("trainingjob") == {"InProgress": 1}, seconds=2 * PATIENCE)
    assert place.granted("CreateTrainingJob") == 2


AWAY: Final = LEASE_SECONDS + 5.0
"""Seconds for which the API server is away: longer than the lease lives, which nobody renews meanwhile."""


@pytest.mark.parametrize("place", [pytest.param("real", marks=pytest.mark.xdist_group("operated-real"))], indirect=True)
def test_it_goes_on_after_the_api_server_was_away(place: Place, defined: ApiServer) -> None:
    operator = place.operator()
    for name in ("ends", "goes"):
        place.apply("trainingjob", name)
    place.until(lambda: place.states("trainingjob")["InProgress"] == 2)
    defined.stop_serving()
    try:
        job = next(name for kind, name in place.account.jobs._resources if name.startswith("ends"))
        place.account.jobs.call("StopTrainingJob", {"TrainingJobName": job})
        time.sleep(AWAY)
    finally:
        defined.serve_again()
    place.until(lambda: place.api.request("GET", place.path("trainingjob"))[0] == 200)
    place.apply("trainingjob", "after")
    place.until(lambda: place.states("trainingjob") == {"Stopped": 1, "InProgress": 2}, seconds=2 * PATIENCE)
    assert operator.poll() is None
    assert place.granted("CreateTrainingJob") == 3


def test_a_namespace_is_deleted(place: Place) -> None:
    """No namespace controller runs beside the real server: the test deletes what that would."""
    place.operator()
    for singular in (*JOBS, "model", "endpointconfig", "hostingdeployment"):
        place.apply(singular, "x")
    place.until(lambda: all(place.states(one)["InProgress"] == 1 for one in JOBS) and in_service(place))
    scaling = {**SPECS["hostingautoscalingpolicy"]}
    endpoint = place.all("hostingdeployment")[0]["status"]["endpointName"]
    scaling["resourceId"] = [{"endpointName": endpoint, "variantName": "AllTraffic"}]
    place.apply("hostingautoscalingpolicy", "x", scaling)
    place.until(lambda: place.states("hostingautoscalingpolicy")["Created"] == 1)
    status, answer = place.api.request("DELETE", f"/api/v1/namespaces/{place.api.namespace}")
    assert status == 200, answer
    for singular in ROW if place.api.kind == "real" else ():
        place.api.request("DELETE", place.path(singular))
    place.until(lambda: _missing(place) or place.gone())
    place.until(lambda: place.left() == [])
    assert place.account.scaling.call("DescribeScalableTargets", {})["ScalableTargets"] == []


def _missing(place: Place) -> bool:
    return bool(place.api.request("GET", f"/api/v1/namespaces/{place.api.namespace}")[0] == 404)


def test_health_and_metrics(place: Place) -> None:
    place.operator("--health", "127.0.0.1:0", "--debug", "--log-format", "json")
    place.apply("trainingjob", "x")
    # It is written a moment after the status is stored.
    place.until(lambda: '"state": "InProgress"' in place.log())
    lines = [json.loads(line) for line in place.log().splitlines() if line.startswith("{")]
    told = [line for line in lines if line.get("name") == "x" and line.get("state")]
    assert [line["state"] for line in told] == ["SynchronizingK8sJobWithSageMaker", "InProgress"]
    assert (told[-1]["kind"], told[-1]["namespace"], told[-1]["was"]) == (
        "TrainingJob",
        place.api.namespace,
        "SynchronizingK8sJobWithSageMaker",
    )
    port = next(line.rpartition(":")[2] for line in place.log().splitlines() if "health and metrics on" in line)
    base = f"http://127.0.0.1:{port}"
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(base + path) as answer:  # noqa: S310  # loopback
            assert answer.read() == b"ok\n"
    with urllib.request.urlopen(base + "/metrics") as answer:  # noqa: S310  # loopback
        text = answer.read().decode()
    assert 'sagemaker_operator_objects{kind="TrainingJob",state="InProgress"} 1.0' in text
    assert 'sagemaker_operator_aws_requests_total{operation="CreateTrainingJob",outcome="ok"} 1.0' in text
    assert "sagemaker_operator_acting 1.0" in text
    # Without a collection its memory would grow for as long as it runs; it takes some work to need one.
    before = collections(base)
    for number in range(30):
        place.apply("trainingjob", f"x{number}")
    place.until(lambda: collections(base) > before)
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(base + "/else")  # noqa: S310  # loopback
    refused.value.close()


def collections(base: str) -> int:
    """How often a process has collected garbage."""
    with urllib.request.urlopen(base + "/metrics") as answer:  # noqa: S310  # loopback
        found = re.search(r'^python_gc_collections_total{generation="0"} (\d+)', answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_an_object_that_nothing_serves_is_said(place: Place, tmp_path: Path) -> None:
    """On a server without the definitions it says what to do, and does not wait."""
    del tmp_path
    environment = {**place.environment(), "KUBECONFIG": str(place.folder / "none")}
    done = subprocess.run(
        [str(PROGRAMS / "kubectl-sagemaker"), "operator", "run", "-s", "http://127.0.0.1:9"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: cannot reach 127.0.0.1:9")


def test_under_its_own_rights_nothing_is_forbidden(place: Place) -> None:
    """The installer's roles, and no more: the API server refuses nothing."""
    namespace = manifest.NAMESPACE
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    assert place.api.request("POST", "/api/v1/namespaces", body)[0] in {201, 409}
    for thing in manifest.objects(manifest.Choice(image="i")):
        if thing["kind"] in {"ClusterRoleBinding", "RoleBinding"}:
            thing["subjects"] = [{"kind": "User", "name": "scientist", "apiGroup": "rbac.authorization.k8s.io"}]
        if "Role" in thing["kind"] or thing["kind"] == "Lease":
            query = "?fieldManager=test&force=true"
            status, answer = place.api.request(
                "PATCH", manifest.path(thing) + query, thing, content_type="application/apply-patch+yaml"
            )
            assert status in {200, 201}, answer
    command = [str(PROGRAMS / "kubectl-sagemaker"), "operator", "run", "--poll", "0.5s", "--token", "tok-scientist"]
    with (place.folder / "operator-0.log").open("wb") as log:
        words = [*command, "--debug", "--lease-namespace", namespace]
        place.operators.append(subprocess.Popen(words, env=place.environment(), stderr=log, stdout=log))
    for singular in (*JOBS, "hostingdeployment"):
        place.apply(singular, "x")
    place.until(lambda: all(place.states(one)["InProgress"] == 1 for one in JOBS) and in_service(place))
    name = place.all("hyperparametertuningjob")[0]["status"]["sageMakerHyperParameterTuningJobName"]
    request = {"TuningJobArn": place.account.jobs.arn("HyperParameterTuningJob", name), **CHILD}
    place.account.jobs.put("TrainingJob", f"{name}-1-a", RUNNING, request=request)
    place.until(lambda: place.states("trainingjob")["InProgress"] == 2)
    place.edit("hostingdeployment", "x", {"kmsKeyId": "key"})
    place.until(lambda: place.granted("UpdateEndpoint") == 1 and in_service(place))
    for singular in (*JOBS, "hostingdeployment"):
        place.delete(singular, "x")
    place.until(place.gone)
    said = place.log()
    assert "forbidden" not in said.lower()
    # Each request that was answered is in it, with its status.
    answered = Counter(match[1] for match in re.finditer(r" (?:GET|POST|PUT|PATCH|DELETE) /\S+ (\w+) \d+ ms", said))
    assert answered["200"] > 50
    assert answered["403"] == 0


def test_without_them_it_is_refused(place: Place) -> None:
    """That the test above could fail: who has been given nothing may do nothing."""
    status, answer = place.api.request("GET", place.path("trainingjob"), user="plugin")
    assert (status, answer["reason"]) == (403, "Forbidden")
