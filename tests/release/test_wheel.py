"""The wheel: all that is needed and nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Final

import pytest

from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.server import Sandbox
from release import matrix, wheel
from release.project import CHECKOUT, PROGRAMS, PROJECT, VERSION, Failure
from tests import environment
from tests.e2e.shell import Ran, Shell
from tests.environment import HERE
from tests.specs import TRAINING

pytestmark = pytest.mark.xdist_group("archive")
NUMBER: Final = VERSION.removeprefix("v")
INFO: Final = f"kubectl_sagemaker-{NUMBER}.dist-info"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return wheel.build(tmp_path_factory.mktemp("wheel"))


def package(folder: Path) -> dict[str, bytes]:
    """Every file of our package below a folder, but what Python has compiled."""
    found = (path for path in (folder / "kubectl_sagemaker").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.suffix != ".pyc"}


def test_it_holds_the_package_and_nothing_else(built: Path) -> None:
    ours = package(CHECKOUT)
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}
    with zipfile.ZipFile(built) as zipped:
        held = {name: zipped.read(name) for name in zipped.namelist()}
    assert {name: content for name, content in held.items() if not name.startswith(f"{INFO}/")} == ours
    assert held.keys() - ours.keys() == {f"{INFO}/{name}" for name in about}
    assert {Path(name).name for name in ours if not name.endswith(".py")} == {"py.typed"}
    assert held[f"{INFO}/licenses/LICENSE"] == (CHECKOUT / "LICENSE").read_bytes()
    assert "Tag: py3-none-any" in held[f"{INFO}/WHEEL"].decode().splitlines(), "one wheel for all systems"


def test_it_asks_for_what_pyproject_names(built: Path) -> None:
    with zipfile.ZipFile(built) as zipped:
        metadata = message_from_bytes(zipped.read(f"{INFO}/METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("kubectl-sagemaker", NUMBER)
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    extras = PROJECT["optional-dependencies"]
    assert set(metadata.get_all("Provides-Extra") or []) == extras.keys() == {"sandbox", "operator"}
    expected = {
        *map(spelt, PROJECT["dependencies"]),
        *(spelt(f"{each}; extra == '{extra}'") for extra, wanted in extras.items() for each in wanted),
    }
    assert {spelt(each) for each in metadata.get_all("Requires-Dist") or []} == expected


def spelt(requirement: str) -> tuple[str, frozenset[str], str]:
    """A requirement whatever its spaces, its quotes and the order of its bounds."""
    text, _, marker = re.sub(r"\s", "", requirement).replace('"', "'").partition(";")
    name, bounds = re.fullmatch(r"([\w.-]+(?:\[\w+\])?)(.*)", text).groups()  # type: ignore[union-attr]  # or it fails
    return name, frozenset(bounds.split(",")), marker


class Environment:
    """An environment without anything of this Python's, and a shell whose PATH begins with its programs."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.python = wheel.empty(folder)
        self.programs = self.python.parent
        path = os.pathsep.join([str(self.programs), str(HERE), os.environ["PATH"]])
        self.shell = Shell({**sandbox.environment, "PATH": path})

    def has(self) -> set[str]:
        """The names of the distributions in it."""
        listed = json.loads(wheel.pip("--python", str(self.python), "list", "--format", "json"))
        return {each["name"].lower().replace("_", "-") for each in listed}


@pytest.fixture
def bare(built: Path, sandbox: Sandbox, tmp_path: Path) -> Environment:
    """What `pip install kubectl-sagemaker` makes."""
    made = Environment(tmp_path / "environment", sandbox)
    assert made.has() == set()
    wheel.install(made.python, str(built))
    return made


def test_it_needs_nothing_else_and_an_extra_adds_what_it_names(bare: Environment) -> None:
    """One environment, filled step by step: pip takes some seconds to fill it."""
    shell = bare.shell
    assert {each.stem for each in bare.programs.glob("kubectl*")} == set(PROGRAMS)
    script = "import kubectl_sagemaker; print(kubectl_sagemaker.__file__)"
    assert shell.run(str(bare.python), "-I", "-c", script).stdout.startswith(str(bare.python.parents[1]))
    assert shell.sagemaker("--version") == Ran(f"{NUMBER}\n", "", 0)
    assert shell.smlogs("mnist", "-q", "-o", "raw", "--tail", "1") == Ran("step 4 of algo-1\n", "", 0)
    assert shell.sagemaker("status", "processingjob", "-o", "name").stdout.endswith("/kmeans\n")
    assert shell.run("kubectl", "__complete", "smlogs", "trainingjob", "xg").stdout == "xgb\nxgb-2\n:4\n"
    ran = shell.sagemaker("operator", "manifest")
    assert ("kind: Deployment\n" in ran.stdout, ran.stderr, ran.code) == (True, "", 0)
    for verb, module, words in (
        ("operator", "prometheus_client", ("run", "-s", "http://127.0.0.1:9")),
        ("sandbox", "aiohttp", ("--", "true")),
    ):
        needs = f"error: the {verb} needs {module}\nhint: pip install 'kubectl-sagemaker[{verb}]'\n"
        assert shell.sagemaker(verb, *words) == Ran("", needs, 1)
        # These make an environment of their own, which has no pip, and whose package no index has.
        for file, installer in {"pipx_metadata.json": "pipx", "uv-receipt.toml": "uv tool"}.items():
            (bare.python.parents[1] / file).touch()
            hint = f"hint: {installer} install --force '.[{verb}]' in a checkout"
            assert shell.sagemaker(verb, *words).stderr.splitlines()[1] == hint
            (bare.python.parents[1] / file).unlink()

    before = bare.has()
    assert {"click", "boto3", "urllib3", "pysocks", "idna"} <= before
    assert not before & {"pytest", "mypy", "ruff", "pyinstaller", "pip", "setuptools"}
    for extra in ("operator", "sandbox"):
        # As the hint says: pip fetches what is missing, and the package itself, which no index has, is not.
        wheel.install(bare.python, f"kubectl-sagemaker[{extra}]")
        added = bare.has() - before
        assert added >= {"prometheus-client"}
        assert ("aiohttp" in added, added == {"prometheus-client"}) == (extra == "sandbox", extra == "operator")
        if extra == "operator":
            ran = shell.sagemaker("operator", "run", "-s", "http://127.0.0.1:9")
            assert ran.stderr.startswith("error: cannot reach 127.0.0.1:9")
        else:
            assert shell.sagemaker("sandbox", "--", "true") == Ran("", "", 0)
        wheel.pip("--python", str(bare.python), "uninstall", "--yes", *sorted(added))


@pytest.fixture
def tested() -> Path:
    """The programs that this run tests, where they are an installed wheel's."""
    programs = environment.PROGRAMS
    if programs == HERE or environment.FROZEN:
        pytest.skip("the tests run the checkout's programs or an archive's; `make test` runs those of the wheel")
    return programs


def test_what_the_end_to_end_tests_run_is_this_checkouts_wheel(tested: Path) -> None:
    """`make test` installs it with the extra `sandbox`, and gives its programs to whatever test starts one."""
    python = wheel.python(tested.parent)
    script = "import kubectl_sagemaker, sys; print(kubectl_sagemaker.__path__[0], sys.prefix)"
    where = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert Path(where[0]).is_relative_to(tested.parent)
    assert where[1] == str(tested.parent) != sys.prefix
    assert package(Path(where[0]).parent) == package(CHECKOUT)
    assert {each.stem for each in tested.glob("kubectl*")} == set(PROGRAMS)
    assert wheel.pip("--python", str(python), "check").strip() == "No broken requirements found."


def test_what_the_image_is_built_of_is_all_that_a_wheel_is_made_of() -> None:
    """No Docker is needed to see it: .dockerignore leaves all else out."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    let_through = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines
    assert all((CHECKOUT / name).exists() for name in let_through)
    assert [name for name in wheel.sources() if name.partition("/")[0] not in let_through] == []


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


def test_the_image_s_command_runs_as_the_installer_says(tested: Path, tmp_path: Path) -> None:
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
            [str(tested / words[0]), *words[1:]],
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
        assert process.returncode == -signal.SIGTERM, said
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
    assert [line for line in lowest if line.startswith(("boto3", "urllib3", "tzdata"))] == [
        "boto3==1.43.115", "urllib3==2.8", "tzdata==2025.1; sys_platform == 'win32'",
    ]  # fmt: skip
    with pytest.raises(Failure, match="click has no floor"):
        matrix.floors(["click"])
    assert PROJECT["requires-python"] == f">=3.{matrix.OLDEST}"
