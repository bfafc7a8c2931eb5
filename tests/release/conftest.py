"""The archive of this platform: built once a run, or given, and unpacked where nobody can write."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from release.project import CHECKOUT
from tests.e2e.shell import Shell
from tests.e2e.world import PARTS
from tests.environment import kubectls

NEEDED = re.compile(r"(?<=ERROR: )(On Linux, objdump is required|Python shared library .* was not found)")
"""What PyInstaller says for want of binutils, and of a package that Debian and Ubuntu have beside python3."""


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that ARCHIVE_UNDER_TEST names, or one that is built now, in half a minute."""
    if given := os.environ.get("ARCHIVE_UNDER_TEST"):
        return Path(given)
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "release.archive", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode and (lack := NEEDED.search(done.stderr)):
        pytest.skip(f"this machine can build no archive: {lack[0]}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Its content, in a folder with a space in its name that can't be written to."""
    folder = tmp_path_factory.mktemp("store") / "un packed"
    shutil.unpack_archive(archive, folder)
    files = [folder, *folder.rglob("*")]
    for path in files:
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    for path in files:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The world that stands still."""
    with Sandbox(parts=PARTS) as sandbox:
        yield sandbox


def alone(sandbox: Sandbox, programs: Path, folder: Path) -> Shell:
    """A shell whose PATH is one new folder: kubectl, and links to the programs, and so no Python."""
    kubectl = Path(next(iter(kubectls().values())))
    if sys.platform == "win32":
        # Links take a privilege there.
        return Shell({**sandbox.environment, "PATH": os.pathsep.join([str(programs), str(kubectl.parent)])})
    folder.mkdir()
    (folder / "kubectl").symlink_to(kubectl)
    for program in programs.glob("kubectl[-_]*"):
        (folder / program.name).symlink_to(program)
    return Shell({**sandbox.environment, "PATH": str(folder), "SHELL": "/bin/bash"})
