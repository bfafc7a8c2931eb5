"""The operator's image, run as the installer's Deployment says, against a real API server and AWS by the sandbox.

IMAGE_UNDER_TEST names one that `docker build` has made; without it this is skipped, for a build asks a package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account
from kubectl_sagemaker.sandbox.sagemaker import Stage
from tests.servers import ApiServer, free_port, install_operator
from tests.specs import TRAINING
from tests.transport import serve

pytestmark = pytest.mark.xdist_group("image")

IMAGE: Final = os.environ.get("IMAGE_UNDER_TEST", "")
SECRETS: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
JOBS: Final = "/apis/sagemaker.aws.amazon.com/v1/namespaces/default/trainingjobs"
LEASE: Final = f"{manifest.PATHS['Lease']}/{manifest.LEASE}"


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr if words[0] == "logs" else done.stdout.strip()


@dataclass
class Cluster:
    """A cluster where the operator is installed, and this machine for its node."""

    server: ApiServer
    account: Account
    endpoint: str
    secrets: Path
    containers: list[str] = field(default_factory=list)

    def start(self) -> tuple[str, str]:
        """Run a pod's container; return its name, and the address of its health."""
        pod = manifest.objects(manifest.Choice(image=IMAGE))[-1]["spec"]["template"]["spec"]
        (container,), name, port = pod["containers"], f"operator-{uuid.uuid4().hex[:12]}", free_port()
        security, user = container["securityContext"], pod["securityContext"]
        assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
        words = [
            "--network=host", f"--name={name}", f"--user={user['runAsUser']}:{user['runAsGroup']}",
            f"--group-add={user['fsGroup']}", "--read-only", "--security-opt=no-new-privileges",
            *(f"--cap-drop={one}" for one in security["capabilities"]["drop"]),
            f"--memory={container['resources']['limits']['memory'].removesuffix('i').lower()}",
            *(f"--tmpfs={mount['mountPath']}:mode=1777" for mount in container["volumeMounts"]),
            f"--volume={self.secrets}:{SECRETS}:ro", f"--entrypoint={container['command'][0]}",
        ]  # fmt: skip
        environment = {one["name"]: one["value"] for one in container["env"]}
        environment |= {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.server.port),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": SANDBOX.access_key,
            "AWS_SECRET_ACCESS_KEY": SANDBOX.secret_key,
        }
        words += [f"--env={variable}={value}" for variable, value in environment.items()]
        # The network is this machine's: a port that is free, and for nobody else.
        arguments = [one.replace(f"0.0.0.0:{manifest.PORT}", f"127.0.0.1:{port}") for one in container["args"]]
        assert arguments != container["args"]
        self.containers.append(name)
        docker("run", "--detach", *words, IMAGE, *arguments)
        return name, f"http://127.0.0.1:{port}"

    def holder(self) -> str:
        """Who holds the lease."""
        status, lease = self.server.request("GET", LEASE)
        assert status == 200, lease
        return str((lease.get("spec") or {}).get("holderIdentity") or "")

    def apply(self, name: str) -> None:
        body = {"apiVersion": "sagemaker.aws.amazon.com/v1", "kind": "TrainingJob", "metadata": {"name": name}}
        status, answer = self.server.request("POST", JOBS, {**body, "spec": TRAINING})
        assert status == 201, answer

    def state(self, name: str) -> str:
        _, thing = self.server.request("GET", f"{JOBS}/{name}")
        return str((thing.get("status") or {}).get("trainingJobStatus"))

    def until(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not what():
            if time.monotonic() > end:
                pytest.fail("\n".join(docker("logs", name, check=False)[-3000:] for name in self.containers))
            time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if not IMAGE:
        pytest.skip("IMAGE_UNDER_TEST names no image that docker build has made")
    account = Account(now=time.time)
    account.jobs.lifecycle = lambda kind, parameters: (
        Stage(0, "InProgress", "Starting"),
        Stage(1e6, "Completed", "Completed"),
    )
    with ApiServer() as server, serve(account) as endpoint:
        token = install_operator(server, image=IMAGE)
        # As kubelet mounts them: root's, and readable for the pod's group.
        secrets = tmp_path / "serviceaccount"
        secrets.mkdir()
        (secrets / "token").write_text(token)
        (secrets / "namespace").write_text(manifest.NAMESPACE)
        shutil.copyfile(server.ca_file, secrets / "ca.crt")
        for file in secrets.iterdir():
            file.chmod(0o644)
        made = Cluster(server, account, endpoint, secrets)
        made.until(lambda: server.request("GET", JOBS)[0] == 200)
        try:
            yield made
        finally:
            for name in made.containers:
                docker("rm", "--force", name, check=False)


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def test_it_starts_acts_tells_its_health_and_ends(cluster: Cluster) -> None:
    name, address = cluster.start()
    cluster.until(lambda: get(f"{address}/readyz") == (200, "ok\n"))
    assert get(f"{address}/healthz") == (200, "ok\n")
    cluster.until(lambda: cluster.holder() != "")
    cluster.apply("x")
    cluster.until(lambda: cluster.state("x") == "InProgress")
    cluster.until(lambda: 'objects{kind="TrainingJob",state="InProgress"} 1.0' in get(f"{address}/metrics")[1])

    # Another replica stands by; the lease is free for it when this one has ended, which takes no kill.
    _, other = cluster.start()
    cluster.until(lambda: get(f"{other}/readyz")[0] == 200)
    first = cluster.holder()
    assert "sagemaker_operator_acting 0.0" in get(f"{other}/metrics")[1]
    docker("stop", "--time", "45", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", name) == "143 false"
    cluster.until(lambda: cluster.holder() not in {"", first})
    assert cluster.server.request("DELETE", f"{JOBS}/x")[0] == 200
    cluster.until(lambda: cluster.state("x") == "Stopping")
    job = next(job for kind, job in cluster.account.jobs._resources if kind == "TrainingJob")
    cluster.account.jobs._resources["TrainingJob", job].stages = (Stage(0, "Stopped", "Stopped"),)
    cluster.until(lambda: cluster.server.request("GET", f"{JOBS}/x")[0] == 404)

    # Nothing of what it was given is in its log, and nobody was refused anything.
    said = docker("logs", name)
    for secret in ((cluster.secrets / "token").read_text(), SANDBOX.secret_key, "Traceback", "orbidden"):
        assert secret not in said


def test_it_has_no_right_to_become_root_and_nothing_to_write_to(cluster: Cluster) -> None:
    name, address = cluster.start()
    cluster.until(lambda: get(f"{address}/readyz")[0] == 200)
    program = (
        "import os\n"
        "status = dict(line.split(':\t') for line in open('/proc/1/status') if ':\t' in line)\n"
        "print(os.getuid(), os.getgid(), *(status[name].strip() for name in ('CapEff', 'CapBnd', 'NoNewPrivs')))\n"
        "print(*(path for path in ('/', '/usr/local/lib', '/home', '/var/tmp', '/tmp') if os.access(path, os.W_OK)))"
    )
    shown = docker("exec", name, "python", "-c", program).splitlines()
    mounts = manifest.objects(manifest.Choice(image=IMAGE))[-1]["spec"]["template"]["spec"]["containers"][0]
    assert shown == [f"65532 65532 {'0' * 16} {'0' * 16} 1", mounts["volumeMounts"][0]["mountPath"]]
