"""Run real processes in a sandbox, and see what they did."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from kubectl_sagemaker.sandbox.aws import Credential
from kubectl_sagemaker.sandbox.server import Sandbox
from tests.environment import HERE, PROGRAMS

SECONDS: Final = 90
"""A process that lives longer fails its test. No answer is waited for so long: it is for a machine that is busy."""
FOREVER: Final = float("inf")
DENIED_LOGS: Final = Credential("AKIADENIEDLOGS000000", "secret", denied=frozenset({"logs:FilterLogEvents"}))
DENIED_DESCRIBE: Final = Credential("AKIADENIEDDESCRIBE00", "secret", denied=frozenset({"sagemaker:*"}))
EXPIRED: Final = Credential("ASIAEXPIRED000000000", "secret", session_token="expired", expired=((0, FOREVER),))


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process wrote, decoded from UTF-8, and its exit code; 128 + N is signal N's."""

    stdout: str
    stderr: str
    code: int


@dataclass(frozen=True, slots=True)
class Shell:
    """An environment to run commands in; `kubectl` is the one beside this Python unless PATH says otherwise."""

    environment: dict[str, str]

    def having(self, **changes: str | None) -> Shell:
        """The same with variables set, or unset with None."""
        changed = {**self.environment, **changes}
        return replace(self, environment={name: value for name, value in changed.items() if value is not None})

    def start(self, *command: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own, without input."""
        return subprocess.Popen(
            command,
            # Windows would look in the PATH of this process.
            executable=shutil.which(command[0], path=self.environment.get("PATH")),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )

    def run(self, *command: str) -> Ran:
        """Run a command to its end."""
        return finish(self.start(*command))

    def smlogs(self, *arguments: str) -> Ran:
        """Run `kubectl smlogs`."""
        return self.run("kubectl", "smlogs", *arguments)

    def sagemaker(self, *arguments: str) -> Ran:
        """Run `kubectl sagemaker`."""
        return self.run("kubectl", "sagemaker", *arguments)

    def holding(self, credential: Credential) -> Shell:
        """The same with another access key."""
        return self.having(
            AWS_ACCESS_KEY_ID=credential.access_key,
            AWS_SECRET_ACCESS_KEY=credential.secret_key,
            AWS_SESSION_TOKEN=credential.session_token,
        )


def finish(process: subprocess.Popen[bytes]) -> Ran:
    """Wait for a process's end."""
    try:
        stdout, stderr = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    code = process.returncode
    return Ran(stdout.decode(), (stderr or b"").decode(), code if code >= 0 else 128 - code)


def closed_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def search_path() -> str:
    """PATH with the programs under test first, then their kubectl, then the person's own folders."""
    return os.pathsep.join([str(PROGRAMS), str(HERE), os.environ["PATH"]])


def shell_of(sandbox: Sandbox) -> Shell:
    """A shell in a sandbox, with the plugins and their kubectl first in PATH."""
    return Shell({**sandbox.environment, "PATH": search_path()})


Event = dict[str, Any]


def events(sandbox: Sandbox, group: str, job: str) -> list[Event]:
    """What the account's log holds of a job, in order: chosen here, by each stream's name, and not by the server."""
    found: list[Event] = []
    parameters: dict[str, Any] = {"logGroupName": f"/aws/sagemaker/{group}"}
    while True:
        page = sandbox.account.logs.call("FilterLogEvents", parameters)
        found += [event for event in page["events"] if event["logStreamName"].split("/")[0] == job]
        if "nextToken" not in page:
            return found
        parameters["nextToken"] = page["nextToken"]


def kubeconfig_with(sandbox: Sandbox, path: Path, **changes: object) -> str:
    """Write the sandbox's kubeconfig with top-level entries changed, or left out with None; return its path."""
    config = json.loads(Path(sandbox.environment["KUBECONFIG"]).read_text())
    config = {name: value for name, value in {**config, **changes}.items() if value is not None}
    path.write_text(json.dumps(config))
    return str(path)
