"""The wheel: all that is needed and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path

import pytest

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.server import Sandbox
from release import matrix
from release.project import CHECKOUT, PROGRAMS, PROJECT, VERSION, Failure
from tests.e2e.shell import Ran, Shell
from tests.environment import HERE
from tests.specs import TRAINING

pytestmark = [
    pytest.mark.xdist_group("archive"),
    pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="a wheel is built of what git knows"),
]
NUMBER = VERSION.removeprefix("v")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return matrix.wheel(tmp_path_factory.mktemp("wheel"))


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = CHECKOUT / "kubectl_sagemaker"
    files = {path.relative_to(CHECKOUT).as_posix() for path in package.rglob("*") if path.is_file()}
    info = f"kubectl_sagemaker-{NUMBER}.dist-info"
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}
    with zipfile.ZipFile(wheel) as zipped:
        names = set(zipped.namelist())
        metadata = zipped.read(f"{info}/METADATA").decode()
    assert names == {
        *(name for name in files if "__pycache__" not in name),
        *(f"{info}/{name}" for name in about),
    }
    assert f"\nVersion: {NUMBER}\n" in metadata


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of an environment with the wheel; its dependencies are this one's: an index is for `make test-matrix`."""
    environment = tmp_path_factory.mktemp("installed") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / HERE.name / "python"
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)]
    subprocess.run(install, check=True)
    where = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    Path(where.stdout.strip(), "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


def test_its_programs_run_in_an_environment_of_their_own(python: Path, sandbox: Sandbox) -> None:
    path = os.pathsep.join([str(python.parent), str(HERE), os.environ["PATH"]])
    shell = Shell({**sandbox.environment, "PATH": path})
    assert shell.sagemaker("--version") == Ran(f"{NUMBER}\n", "", 0)
    assert shell.smlogs("mnist", "-q", "-o", "raw", "--tail", "1") == Ran("step 4 of algo-1\n", "", 0)
    assert shell.sagemaker("status", "processingjob", "-o", "name").stdout.endswith("/kmeans\n")
    assert shell.run("kubectl", "__complete", "smlogs", "trainingjob", "xg").stdout == "xgb\nxgb-2\n:4\n"
    assert shell.sagemaker("sandbox", "--", "true") == Ran("", "", 0)
    script = "import kubectl_sagemaker; print(kubectl_sagemaker.__file__)"
    assert shell.run(str(python), "-I", "-c", script).stdout.startswith(str(python.parents[1]))
    assert {each.name for each in python.parent.glob("kubectl*")} == set(PROGRAMS)


def test_what_the_image_is_built_of_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """No Docker is needed to see it: .dockerignore leaves all else out."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    built = matrix.wheel(tmp_path, *(line.removeprefix("!") for line in lines if line.startswith("!")))
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(built) as part:
        assert {one.filename: one.CRC for one in part.infolist()} == {one.filename: one.CRC for one in whole.infolist()}


WATCHED = """
import os, sys
def seen(event, given):
    if event == "import":
        os.write(2, f"imports {given[0]}\\n".encode())
    elif event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and "__pycache__" not in str(given[0]):
        os.write(2, f"writes {given[0]}\\n".encode())
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.symlink"):
        os.write(2, f"writes {given[0]}\\n".encode())
sys.addaudithook(seen)
"""
"""Says what a Python process imports and where it writes; bytecode is written where that can be, and nowhere else."""


def test_the_image_s_command_runs_as_the_installer_says(python: Path, tmp_path: Path) -> None:
    """Its command, arguments and environment, in an empty HOME: nothing is written elsewhere, and no other extra's
    packages are asked for. Only the address of its health is another, and the cluster and AWS are the sandbox's.
    """
    container = manifest.objects(manifest.Choice(image="i"))[-1]["spec"]["template"]["spec"]["containers"][0]
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "sitecustomize.py").write_text(WATCHED)
    with Sandbox(parts=()) as sandbox:
        for thing in manifest.objects(manifest.Choice(image="i")):
            group, _, version = thing["apiVersion"].rpartition("/")
            resource = next(
                one
                for one in RESOURCES.values()
                if (one.group, one.version, one.kind) == (group, version, thing["kind"])
            )
            metadata = thing["metadata"]
            sandbox.cluster.create(resource, metadata.get("namespace", ""), thing)
        given = {one["name"]: one["value"] for one in container["env"]}
        assert given == {"HOME": "/tmp"}  # noqa: S108  # the pod's own folder
        kept = {
            name: sandbox.environment[name] for name in sandbox.environment if name.startswith(("AWS_", "KUBECONFIG"))
        }
        words = [*container["command"], *container["args"]]
        words = ["--health=127.0.0.1:0" if word.startswith("--health=") else word for word in words]
        jobs = RESOURCES["trainingjobs.sagemaker.aws.amazon.com"]
        body = {"apiVersion": jobs.api_version, "kind": jobs.kind, "metadata": {"name": "x"}, "spec": TRAINING}
        sandbox.cluster.create(jobs, "default", body)
        said = []
        with subprocess.Popen(
            [str(python.parent / words[0]), *words[1:]],
            env={**kept, "HOME": str(home), "PYTHONPATH": str(tmp_path)},
            cwd="/",
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stderr is not None
            never = threading.Timer(60, process.kill)
            never.start()
            for line in process.stderr:
                said.append(line)
                if '"state": "InProgress"' in line:
                    process.send_signal(signal.SIGTERM)
            never.cancel()
        assert process.returncode == 128 + signal.SIGTERM, said
        lease = sandbox.cluster.get(RESOURCES["leases.coordination.k8s.io"], manifest.NAMESPACE, manifest.LEASE)
    assert lease["spec"]["holderIdentity"] == "", "given back"
    assert [line for line in said if line.startswith("writes ")] == []
    imported = {line.split()[1].partition(".")[0] for line in said if line.startswith("imports ")}
    assert "prometheus_client" in imported
    assert imported.isdisjoint({"aiohttp", "boto3", "rich", "pytest"})
    assert os.listdir(home) == []


def test_every_dependency_has_a_floor_to_try() -> None:
    requirements = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sandbox"]]
    lowest = matrix.floors(requirements)
    assert len(lowest) == len(requirements)
    assert [line for line in lowest if line.startswith(("kubernetes", "urllib3", "tzdata"))] == [
        "kubernetes==37", "urllib3==2.8", "tzdata==2025.1; sys_platform == 'win32'",
    ]  # fmt: skip
    with pytest.raises(Failure, match="click has no floor"):
        matrix.floors(["click"])
    assert PROJECT["requires-python"] == f">=3.{matrix.OLDEST}"
