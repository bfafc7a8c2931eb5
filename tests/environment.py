"""The environment that every test runs in: nothing of the person's own leads it elsewhere or changes what it sees."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PREFIXES: Final = ("AWS_", "KUBECTL_", "KUBERNETES_")
NAMES: Final = frozenset(
    {
        "KUBECONFIG", "KUBECACHEDIR", "KUBERC",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES",
        "LANG", "LANGUAGE", "TZ", "PYTHONWARNINGS", "BOTO_CONFIG",
    }
)  # fmt: skip

HERE: Final = Path(sys.executable).parent
"""Where this Python's own programs are, and the kubectl beside it."""
PROGRAMS: Final = Path(os.environ.get("PROGRAMS_UNDER_TEST") or HERE)
"""Where the programs are that are tested: this Python's, an installed wheel's or an archive's."""

FROZEN: Final = (PROGRAMS / "_internal").is_dir()
"""Whether they are an archive's, which has neither the sandbox nor the operator."""


def pytest_report_header() -> str:
    """Say in a run's beginning what it tests."""
    return f"programs: {PROGRAMS}"


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clean os.environ for the session: no cluster, no account, no proxy, UTC, a plain terminal, a home of its own."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith((*PREFIXES, "LC_")) or name.upper() in NAMES:
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("TZ", "UTC")
        patch.setenv("LANG", "C.UTF-8")
        patch.setenv("TERM", "xterm")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(home / "aws-config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "aws-credentials"))
        patch.setenv("KUBECONFIG", str(home / "kubeconfig"))
        if sys.platform != "win32":
            time.tzset()
        yield


@functools.cache
def kubectls() -> dict[str, str]:
    """Every kubectl there is, by its version: the one beside this Python, and PATH's own."""
    others = (folder for folder in os.get_exec_path() if Path(folder).resolve() != HERE.resolve())
    found = {}
    for path in (shutil.which("kubectl", path=str(HERE)), shutil.which("kubectl", path=os.pathsep.join(others))):
        if path:
            answer = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, check=True)
            found[f"kubectl-{json.loads(answer.stdout)['clientVersion']['gitVersion']}"] = path
    return found
