"""Real processes: kubectl from PATH runs the plugins, in a sandbox that this process serves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import DENIED_DESCRIBE, DENIED_LOGS, EXPIRED, Shell, shell_of
from tests.e2e.world import ACK, PARTS
from tests.environment import kubectls


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The world that stands still; tests read it and change nothing."""
    with Sandbox(parts=PARTS) as sandbox:
        for credential in (DENIED_LOGS, DENIED_DESCRIBE, EXPIRED):
            sandbox.account.credentials[credential.access_key] = credential
        # ACK knows the job's name from the start, the region only once it has reconciled the object.
        sandbox.cluster.create(
            RESOURCES[f"trainingjobs.{ACK}"],
            "default",
            {
                "apiVersion": f"{ACK}/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": "no-region"},
                "spec": {"trainingJobName": "no-region"},
            },
        )
        yield sandbox


@pytest.fixture
def shell(sandbox: Sandbox) -> Shell:
    """A shell in the world that stands still."""
    return shell_of(sandbox)


@pytest.fixture(params=list(kubectls()))
def each_kubectl(request: pytest.FixtureRequest, shell: Shell) -> Shell:
    """The shell with each kubectl there is; test reports show its version."""
    folder = Path(kubectls()[request.param]).parent
    return shell.having(PATH=f"{folder}{os.pathsep}{shell.environment['PATH']}")
