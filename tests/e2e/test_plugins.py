"""The executables of `plugins/`: kubectl finds them where that folder is on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.shell import Ran, Shell
from tests.environment import HERE, kubectls

CHECKOUT = Path(__file__).parents[2]
PLUGINS = CHECKOUT / "plugins"
NAMES = ("kubectl-smlogs", "kubectl-sagemaker")
FOR_TAB = ("kubectl_complete-smlogs", "kubectl_complete-sagemaker")


def with_plugins(shell: Shell, plugins: Path, tmp_path: Path) -> Shell:
    """A shell whose PATH has a kubectl, some plugins and the system, and not this Python's programs."""
    binaries = tmp_path / "binaries"
    binaries.mkdir()
    (binaries / "kubectl").symlink_to(next(iter(kubectls().values())))
    return shell.having(PATH=os.pathsep.join([str(binaries), str(plugins), "/usr/bin", "/bin"]))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose `.venv` is this Python's; a space and a quote are in its path."""
    root = tmp_path / "a person's check out"
    shutil.copytree(PLUGINS, root / "plugins")
    (root / ".venv").mkdir()
    (root / ".venv" / "bin").symlink_to(HERE)
    return root


def test_there_is_one_for_each_program() -> None:
    assert sorted(path.name for path in PLUGINS.iterdir() if os.access(path, os.X_OK)) == sorted(NAMES + FOR_TAB)


def test_they_run_the_checkouts_programs(shell: Shell, checkout: Path, tmp_path: Path) -> None:
    plugged = with_plugins(shell, checkout / "plugins", tmp_path)
    ran = plugged.smlogs("trainingjob", "mnist", "-q", "-o", "raw", "--tail", "1")
    assert ran == Ran("step 4 of algo-1\n", "", 0)
    ran = plugged.sagemaker("status", "processingjob", "-o", "name")
    assert ran == Ran("processingjob.sagemaker.aws.amazon.com/kmeans\n", "", 0)


def test_arguments_and_exit_codes_pass_through(shell: Shell, checkout: Path, tmp_path: Path) -> None:
    ran = with_plugins(shell, checkout / "plugins", tmp_path).smlogs("trainingjob", "a b*'\"$HOME", "")
    assert ran.stderr.startswith("error: invalid resource name 'a b*")
    assert "$HOME" in ran.stderr
    assert (ran.stdout, ran.code) == ("", 2)


@pytest.mark.parametrize("name", FOR_TAB)
def test_kubectl_completes_by_them_and_without_a_venv_hears_nothing(
    shell: Shell, checkout: Path, tmp_path: Path, name: str
) -> None:
    plugged = with_plugins(shell, checkout / "plugins", tmp_path)
    ran = plugged.run("kubectl", "__complete", name.removeprefix("kubectl_complete-"), "--vers")
    assert (ran.stdout, ran.code) == ("--version\tPrint the version.\n:4\n", 0)
    (checkout / ".venv" / "bin").unlink()
    assert plugged.run(name, "--vers") == Ran(":4\n", "", 0)


@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_they_run_through_a_symlink_to_a_symlink(shell: Shell, checkout: Path, tmp_path: Path, absolute: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, target in ((first, checkout / "plugins"), (second, first)):
        folder.mkdir()
        for name in NAMES:
            to = target / name
            (folder / name).symlink_to(to if absolute else os.path.relpath(to, folder))
    ran = with_plugins(shell, second, tmp_path).smlogs("trainingjob", "mnist", "-q", "-o", "raw", "--tail", "1")
    assert ran == Ran("step 4 of algo-1\n", "", 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_venv_is_named_in_one_line(shell: Shell, tmp_path: Path, name: str) -> None:
    root = tmp_path / "checkout"
    shutil.copytree(PLUGINS, root / "plugins")
    ran = with_plugins(shell, root / "plugins", tmp_path).run("kubectl", name.removeprefix("kubectl-"), "status")
    program = root / ".venv" / "bin" / name
    assert ran == Ran("", f"error: {program} is missing; run make in that checkout first\n", 1)
