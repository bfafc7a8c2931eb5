"""The bench of start-up: which of our programs it times."""

from __future__ import annotations

import shlex
import subprocess
import tarfile
from pathlib import Path

from tests.bench.startup import LOG, programs


def test_an_archives_program_is_timed_beside_the_console_script(tmp_path: Path) -> None:
    program = tmp_path / "kubectl-smlogs"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    archive = tmp_path / "programs.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(program, program.name)
    lines = programs(archive, tmp_path / "un packed")
    assert (list(lines), lines["console script"]) == (["console script", "archive"], LOG)
    ran = subprocess.run(shlex.split(lines["archive"]), capture_output=True, text=True, check=True)
    assert f"kubectl-smlogs {ran.stdout.strip()}" == LOG


def test_without_an_archive_the_console_script_is_timed_alone(tmp_path: Path) -> None:
    assert programs(None, tmp_path) == {"console script": LOG}
