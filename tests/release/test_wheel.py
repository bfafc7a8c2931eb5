"""The wheel: all that is needed and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from release import matrix
from release.project import CHECKOUT, PROGRAMS, PROJECT, VERSION, Failure
from tests.e2e.shell import Ran, Shell
from tests.environment import HERE

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


def test_its_programs_run_in_an_environment_of_their_own(wheel: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """Its dependencies are this Python's: to ask an index for them is for `make test-matrix`."""
    environment = tmp_path / "environment"
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
    path = os.pathsep.join([str(python.parent), str(HERE), os.environ["PATH"]])
    shell = Shell({**sandbox.environment, "PATH": path})
    assert shell.sagemaker("--version") == Ran(f"{NUMBER}\n", "", 0)
    assert shell.smlogs("mnist", "-q", "-o", "raw", "--tail", "1") == Ran("step 4 of algo-1\n", "", 0)
    assert shell.sagemaker("status", "processingjob", "-o", "name").stdout.endswith("/kmeans\n")
    assert shell.run("kubectl", "__complete", "smlogs", "trainingjob", "xg").stdout == "xgb\nxgb-2\n:4\n"
    assert shell.sagemaker("sandbox", "--", "true") == Ran("", "", 0)
    script = "import kubectl_sagemaker; print(kubectl_sagemaker.__file__)"
    assert shell.run(str(python), "-I", "-c", script).stdout.startswith(str(environment))
    assert {each.name for each in python.parent.glob("kubectl*")} == set(PROGRAMS)


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
