"""The wheel of this checkout, and the environment that `make test` installs it into: there the end-to-end tests run.

pip resolves what the wheel asks for, as for anybody, among the wheels of requirements.txt that make has fetched, and
asks no index.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from release.project import CHECKOUT, PROJECT, Failure

FETCHED: Final = Path(sys.prefix, "wheels")
"""Where make keeps the wheels that it fetched, each of the version and the checksum of requirements.txt."""
PACKAGE: Final = "kubectl_sagemaker"
ABOUT: Final = ("LICENSE", "README.md", "pyproject.toml")


def sources() -> list[str]:
    """The files that a wheel is made of: what stands beside the package in a checkout is not for it."""
    package = (path for path in (CHECKOUT / PACKAGE).rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return [*ABOUT, *sorted(path.relative_to(CHECKOUT).as_posix() for path in package)]


def build(folder: Path) -> Path:
    """Build the wheel into a folder, which exists, and return its path."""
    source = folder / "source"
    for name in sources():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, source / name)
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    pip("wheel", *options, str(source))
    (built,) = folder.glob("*.whl")
    return built


def pip(*words: str) -> str:
    """Run pip and return what it wrote on stdout; raises Failure, with its words."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"pip {' '.join(words)} failed with exit code {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def empty(environment: Path) -> Path:
    """Make an environment without any package, not even pip; return its Python."""
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(environment)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(f"no environment could be made: {done.stderr.strip()}")
    return python(environment)


def python(environment: Path) -> Path:
    """An environment's Python."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(target: Path, wanted: str) -> None:
    """Install a wheel, `FILE` or `FILE[extra]`, and what it asks for, for a Python."""
    pip("--python", str(target), "install", "--quiet", "--no-index", "--find-links", str(FETCHED), wanted)


def _digest(names: Sequence[str]) -> str:
    """What tells whether files have changed, one that came or went included."""
    found = hashlib.sha256()
    for name in names:
        found.update(f"{name}\0{hashlib.sha256((CHECKOUT / name).read_bytes()).hexdigest()}\0".encode())
    return found.hexdigest()


def renew(environment: Path) -> bool:
    """Have this checkout's wheel, with its sandbox, in an environment; return whether there was anything to do.

    The environment is made anew when what the wheel asks for may have changed. Of a run that fails nothing is kept.
    """
    asked = _digest(["pyproject.toml", "requirements.txt"])
    ours = _digest(sources())
    mark = environment / "installed"
    was = mark.read_text(encoding="utf-8").split() if mark.exists() else []
    if was == [asked, ours]:
        return False
    with tempfile.TemporaryDirectory(prefix="kubectl-sagemaker-") as folder:
        built = build(Path(folder))
        if was[:1] == [asked]:
            mark.unlink()
            pip("--python", str(python(environment)), "uninstall", "--quiet", "--yes", str(PROJECT["name"]))
        else:
            empty(environment)
        install(python(environment), f"{built}[sandbox]")
    mark.write_text(f"{asked}\n{ours}\n", encoding="utf-8")
    return True


def main() -> int:
    """The argument is the environment's folder."""
    environment = Path(sys.argv[1])
    try:
        if renew(environment):
            sys.stderr.write(f"installed the wheel of this checkout into {environment}\n")
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
