"""When a token of EKS is made in this process, when `aws eks get-token` is run for it, and that it is shown nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_sagemaker import eks, kubeconfig
from kubectl_sagemaker.aws import Account, Aws
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.credentials import obtain
from kubectl_sagemaker.errors import Error, Forbidden
from kubectl_sagemaker.kube import Kube
from kubectl_sagemaker.sandbox import certificate
from tests.environment import PROGRAMS

ARGUMENTS: Final = ("eks", "get-token", "--cluster-name", "demo", "--region", "us-west-2")
BLOCK: Final[Mapping[str, Any]] = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "interactiveMode": "IfAvailable",
    "command": "aws",
    "args": list(ARGUMENTS),
}
MADE: Final = "made here"
RUN: Final = "by the command"


class Cluster(ThreadingHTTPServer):
    """An API server that notes whose token each request has, and answers by that."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.arrived: list[str] = []
        self.status: Callable[[str], int] = lambda token: 200


class Answer(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        kind = MADE if token.startswith("k8s-aws-v1.") else RUN if token == "tok-command" else "somebody else's"
        self.server.arrived.append(kind)
        status = self.server.status(kind)
        body = b'{"kind": "Status", "message": "no"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        pass


@pytest.fixture(scope="module")
def trusted() -> certificate.Certificate:
    return certificate.make(datetime.now(UTC))


@pytest.fixture
def cluster(trusted: certificate.Certificate) -> Iterator[Cluster]:
    with Cluster() as server:
        server.socket = trusted.context().wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Kubeconfig:
    """A kubeconfig of the cluster, and an `aws` in PATH that writes down how it is run and gives `tok-command`."""

    def __init__(self, folder: Path, url: str, authority: Path) -> None:
        self._folder, self._url, self._authority = folder, url, authority
        script = folder / "bin" / "aws"
        script.parent.mkdir()
        script.write_text(
            textwrap.dedent(
                f"""\
                #!{sys.executable}
                import json, sys
                with open({str(folder / "runs")!r}, "a") as file:
                    file.write(json.dumps(sys.argv[1:]) + "\\n")
                credential = {{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}}
                print(json.dumps({{**credential, "status": {{"token": "tok-command"}}}}))
                """
            )
        )
        script.chmod(0o755)
        (folder / "bin" / "aws2").symlink_to(script)

    def use(self, **changes: object) -> None:
        """Write it, with the exec block as `aws eks update-kubeconfig` has it but for the changes."""
        cluster = {"server": self._url, "certificate-authority": str(self._authority)}
        document = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"exec": {**BLOCK, **changes}}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        (self._folder / "config").write_text(json.dumps(document))

    @property
    def runs(self) -> list[list[str]]:
        """The arguments of each run of the command."""
        file = self._folder / "runs"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def config(
    cluster: Cluster, trusted: certificate.Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Kubeconfig:
    (tmp_path / "ca.crt").write_text(trusted.certificate)
    made = Kubeconfig(tmp_path, f"https://127.0.0.1:{cluster.server_port}", tmp_path / "ca.crt")
    made.use()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    return made


def ask(debug: list[str] | None = None) -> Kube:
    """Ask the cluster something; return the door, for more."""
    kube = Kube(Connection(), debug=debug.append if debug is not None else None)
    kube.call("GET", "/version")
    return kube


def test_a_usual_command_is_not_run(config: Kubeconfig, cluster: Cluster) -> None:
    said: list[str] = []
    ask(said)
    assert (cluster.arrived, config.runs) == ([MADE], [])
    assert said[0] == "the token of aws eks get-token is made here"


def arguments(*words: str, less: int = 0) -> dict[str, object]:
    """The usual arguments, less the last ones, with others after them."""
    return {"args": [*ARGUMENTS[: len(ARGUMENTS) - less], *words]}


def env(**values: str) -> dict[str, object]:
    return {"env": [{"name": name, "value": value} for name, value in values.items()]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"command": "aws2"}, "its command is not aws"),
        ({"command": "./bin/aws"}, "its command is not aws"),
        ({"args": ["sts", *ARGUMENTS[1:]]}, "it is not eks get-token"),
        (arguments("more"), "it is not eks get-token"),
        (arguments("--debug"), "it has a flag that is not known here"),
        (arguments("--secret=x"), "it has a flag that is not known here"),
        (arguments(less=2), "it has no --region"),
        ({"args": ["eks", "get-token", "--region", "us-west-2"]}, "it has no --cluster-name"),
        (arguments("--region", "us-west-2"), "it has two --region"),
        (arguments("--role-arn", "arn:aws:iam::1:role/a", "--role", "arn:aws:iam::1:role/b"), "it has two roles"),
        (arguments("--region", less=2), "the value of its --region is not a usual one"),
        (arguments("--region", "us_west", less=2), "the value of its --region is not a usual one"),
        (arguments("--role-arn", "file://role"), "the value of its --role-arn is not a usual one"),
        (arguments("--profile", "--x"), "the value of its --profile is not a usual one"),
        (arguments("--output", "text"), "the value of its --output is not a usual one"),
        (
            {"args": ["eks", "get-token", "--region", "us-west-2", "--cluster-name", "file://name"]},
            "the value of its --cluster-name is not a usual one",
        ),
        (env(AWS_CONFIG_FILE="x"), "its env sets other variables than a profile and a region"),
        (env(AWS_REGION="eu-west-1", HOME="x"), "its env sets other variables than a profile and a region"),
        (env(AWS_PROFILE=""), "its env sets other variables than a profile and a region"),
        (env(AWS_PROFILE="a", AWS_DEFAULT_PROFILE="a"), "AWS_PROFILE and AWS_DEFAULT_PROFILE are both set"),
        (env(AWS_STS_REGIONAL_ENDPOINTS="legacy"), "legacy endpoints of STS are asked for"),
        (env(AWS_PROFILE="nobody"), "ProfileNotFound while making it here"),
        (arguments("--profile", "nobody"), "ProfileNotFound while making it here"),
        (env(AWS_STS_REGIONAL_ENDPOINTS="x"), "InvalidSTSRegionalEndpointsConfigError while making it here"),
    ],
)
def test_an_unusual_command_is_run(changes: dict[str, Any], why: str, config: Kubeconfig, cluster: Cluster) -> None:
    config.use(**changes)
    said: list[str] = []
    ask(said)
    assert (cluster.arrived, config.runs) == ([RUN], [changes.get("args", list(ARGUMENTS))])
    assert said[0] == f"the token of aws eks get-token comes from the command: {why}"


PROCESS: Final = "echo secret; echo secret >&2; exit 3"


@pytest.mark.parametrize(
    ("variables", "aws_config", "why"),
    [
        ({"KUBECTL_SAGEMAKER_EXEC": "always"}, "", "KUBECTL_SAGEMAKER_EXEC is set to always"),
        ({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "a"}, "", "AWS_PROFILE and AWS_DEFAULT_PROFILE are both set"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, "", "legacy endpoints of STS are asked for"),
        ({}, "[default]\nsts_regional_endpoints = legacy\n", "legacy endpoints of STS are asked for"),
        ({}, "[plugins]\nendpoint = awscli_plugin_endpoint\n", "aws-cli has plugins, or an alias for eks"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "", "PartialCredentialsError while making it here"),
        ({"AWS_ACCESS_KEY_ID": ""}, "", "NoCredentialsError while making it here"),
        (
            {"AWS_ACCESS_KEY_ID": ""},
            f"[default]\ncredential_process = sh -c '{PROCESS}'\n",
            "CredentialRetrievalError while making it here",
        ),
    ],
)
def test_in_unusual_surroundings_the_command_is_run(
    variables: dict[str, str],
    aws_config: str,
    why: str,
    config: Kubeconfig,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "aws-config").write_text(aws_config)
    said: list[str] = []
    ask(said)
    assert (cluster.arrived, len(config.runs)) == ([RUN], 1)
    assert said[0] == f"the token of aws eks get-token comes from the command: {why}"


@pytest.mark.parametrize(
    ("alias", "arrives"),
    [
        ("[toplevel]\neks = !echo\n", RUN),
        ("[command eks]\nget-token = x\n", RUN),
        ("[toplevel]\nwho = sts get-caller-identity\n", MADE),
    ],
)
def test_an_alias_of_aws_cli_can_be_another_command(
    alias: str, arrives: str, config: Kubeconfig, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / ".aws/cli").mkdir(parents=True)
    (tmp_path / ".aws/cli/alias").write_text(alias)
    ask()
    assert (cluster.arrived, len(config.runs)) == ([arrives], int(arrives == RUN))


def test_one_profile_of_env_and_the_other_of_the_environment_are_two(
    config: Kubeconfig, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.use(**env(AWS_PROFILE="a"))
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "a")
    ask()
    assert (cluster.arrived, len(config.runs)) == ([RUN], 1)


def test_a_command_that_wants_a_terminal_is_run_and_says_that_there_is_none(config: Kubeconfig) -> None:
    config.use(interactiveMode="Always")
    with pytest.raises(Error, match="exec plugin aws of user 'u' needs a terminal"):
        ask()


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_made_by_the_command_once(status: int, config: Kubeconfig, cluster: Cluster) -> None:
    cluster.status = lambda kind: status if kind == MADE else 200
    said: list[str] = []
    kube = ask(said)
    kube.call("GET", "/version")
    assert (cluster.arrived, len(config.runs)) == ([MADE, RUN, RUN], 1)
    assert "the token of aws eks get-token comes from the command: the one before expired or was refused" in said


def test_what_is_forbidden_stays_forbidden_and_the_command_is_run_once(config: Kubeconfig, cluster: Cluster) -> None:
    cluster.status = lambda kind: 403
    kube = Kube(Connection())
    for _ in range(2):
        with pytest.raises(Forbidden):
            kube.call("GET", "/version")
    assert (cluster.arrived, len(config.runs)) == ([MADE, RUN, RUN], 1)


def test_of_many_requests_that_are_refused_one_runs_the_command(config: Kubeconfig, cluster: Cluster) -> None:
    cluster.status = lambda kind: 403 if kind == MADE else 200
    kube = Kube(Connection())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: kube.call("GET", "/version"), range(16)))
    assert len(config.runs) == 1
    assert cluster.arrived.count(RUN) == 16


def test_without_the_command_a_refusal_says_that_it_is_missing(
    config: Kubeconfig, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ask()
    cluster.status = lambda kind: 401
    with pytest.raises(Error, match="exec plugin aws of user 'u' is not installed"):
        ask()
    assert config.runs == []


@pytest.mark.usefixtures("config")
def test_a_token_counts_for_14_minutes() -> None:
    before = datetime.now(UTC)
    made = obtain(kubeconfig.load(Connection()).user, stand_in=True)
    assert made.expires is not None
    assert before <= made.expires - timedelta(minutes=14) <= datetime.now(UTC)
    assert "k8s-aws" not in repr(made)


def test_after_14_minutes_the_command_is_run(
    config: Kubeconfig, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eks, "LIFE", timedelta(0))
    ask().call("GET", "/version")
    assert (cluster.arrived, len(config.runs)) == ([MADE, RUN], 1)


def test_the_profile_of_the_command_is_not_the_log_s(config: Kubeconfig, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "aws-config").write_text("[profile cluster]\naws_access_key_id = AKIACLUSTER\n")
    config.use(**env(AWS_PROFILE="cluster"))
    ask()
    assert cluster.arrived == [MADE]
    assert "AWS_PROFILE" not in os.environ
    assert Aws(Account()).session.profile is None


@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_no_token_reaches_any_output(status: int, config: Kubeconfig, cluster: Cluster) -> None:
    del config
    cluster.status = lambda kind: status
    done = subprocess.run(
        [PROGRAMS / "kubectl-smlogs", "trainingjob", "xgb", "--debug"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "debug: the token of aws eks get-token is made here" in done.stderr
    for secret in ("k8s-aws-v1", "aHR0", "X-Amz", "Signature", "tok-command", "AKIATEST"):
        assert secret not in done.stdout + done.stderr
