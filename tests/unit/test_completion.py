"""What a word can become: kinds in the spelling begun, flags with their choices, and only what is plain."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest

from kubectl_sagemaker import candidates, cli, kinds
from kubectl_sagemaker.commands import VERBS
from kubectl_sagemaker.completion import offers

SMLOGS = cli.smlogs_command()
SAGEMAKER = cli.sagemaker_command()
EVERYTHING = kinds.targets(all_kinds=True)
HOSTILE = [
    "$(reboot)",
    "a b",
    "`id`",
    "a;b",
    "a\x1b[2J",
    "a\nb",
    "a\tb",
    "-rf",
    "\u202eb",
    "a'b",
    'a"b',
    "a\\b",
    "né",
    "",
]
PLAIN = ["arn:aws:eks:us-west-2:123456789012:cluster/train", "me@here.example", "xgb"]


def values(command: click.Command, *words: str) -> list[str]:
    """What the last word can become, after the others."""
    *before, word = words
    return [item.value for item in offers(command, before, word)]


# Kinds


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("tra", ["trainingjob", "transformjob"]),
        ("train", ["trainingjob"]),
        ("trainingjob", ["trainingjob"]),
        ("trainingjobs", ["trainingjobs"]),
        ("Tra", ["TrainingJob", "TransformJob"]),
        ("TrainingJobs", ["TrainingJobs"]),
        ("Trainingj", ["Trainingjob"]),
        ("TR", ["TRainingjob", "TRansformjob"]),
        ("batch", ["batchtransformjob"]),
        ("Hyper", ["HyperParameterTuningJob"]),
        ("Hyperp", ["HyperparameterTuningJob"]),
        ("hap", ["hap"]),
        ("HostingAutoscalingPolicies", ["HostingAutoscalingPolicies"]),
        (
            "trainingjob.",
            ["trainingjob.sagemaker.aws.amazon.com", "trainingjob.sagemaker.services.k8s.aws"],
        ),
        ("TrainingJobs.sagemaker.s", ["TrainingJobs.sagemaker.services.k8s.aws"]),
        ("trainingjobs.v1a", ["trainingjobs.v1alpha1.sagemaker.services.k8s.aws"]),
        ("pod", []),
    ],
)
def test_a_kind_is_offered_in_the_spelling_begun(begun: str, offered: list[str]) -> None:
    assert candidates.spellings(begun, EVERYTHING) == offered


@pytest.mark.parametrize("api", [api for target in EVERYTHING for api in target.apis], ids=lambda api: api.resource)
def test_every_spelling_of_every_kind_can_be_reached_and_is_understood(api: kinds.Api) -> None:
    for spelling in (*kinds.spellings(api), api.kind):
        for length in range(len(spelling) + 1):
            offered = candidates.spellings(spelling[:length], EVERYTHING)
            assert all(kinds.parse(word).apis and word.startswith(spelling[:length]) for word in offered)
        assert spelling in candidates.spellings(spelling, EVERYTHING)


def test_smlogs_offers_what_has_a_log_and_status_everything() -> None:
    having = {api.singular for target in kinds.logged() for api in target.apis}
    assert set(values(SMLOGS, "")) == set(values(SAGEMAKER, "logs", "")) == having
    assert set(values(SAGEMAKER, "status", "")) == {api.singular for target in EVERYTHING for api in target.apis}


# Flags and their values


def test_flags_are_those_of_the_help() -> None:
    context = click.Context(SMLOGS)
    shown = {
        name for option in SMLOGS.get_params(context) for name in option.opts if not getattr(option, "hidden", False)
    }
    assert set(values(SMLOGS, "--")) == {name for name in shown if name.startswith("--")}
    assert set(values(SMLOGS, "-")) == {name for name in shown if name.startswith("-")}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["-o", ""], ["long", "short", "raw", "json"]),
        (["--output=s"], ["short"]),
        (["trainingjob", "xgb", "--color", "a"], ["auto", "always"]),
        (["--timezone", "Europe/Berl"], ["Europe/Berlin"]),
        (["--timezone", "u"], ["utc"]),
        (["--follow", "--foll"], []),
        (["--inc"], ["--include"]),
        (["-i", "x", "--inc"], ["--include"]),
        (["--instance", ""], []),
        (["--since", "tr"], []),
    ],
)
def test_flags_have_their_choices(line: list[str], offered: list[str]) -> None:
    assert values(SMLOGS, *line) == offered


def test_verbs_are_offered_with_their_help() -> None:
    assert [(item.value, bool(item.help)) for item in offers(SAGEMAKER, [], "")] == [(verb, True) for verb in VERBS]
    assert values(SAGEMAKER, "completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("flag", ["--kubeconfig", "--certificate-authority", "--client-certificate", "--client-key"])
def test_paths_are_left_to_the_shell(flag: str) -> None:
    assert [item.type for item in offers(SMLOGS, [flag], "/et")] == ["file"]


# What others named


@pytest.mark.parametrize("what", ["context", "cluster", "user"])
def test_the_kubeconfigs_entries_are_offered_if_they_are_plain(what: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    entries = [{"name": name, what: {}} for name in (*PLAIN, *HOSTILE)]
    file.write_text(json.dumps({f"{what}s": entries}))
    assert values(SMLOGS, "--kubeconfig", str(file), f"--{what}", "") == PLAIN
    assert values(SMLOGS, "--kubeconfig", str(file), f"--{what}", "arn:aws") == PLAIN[:1]


class Handler(BaseHTTPRequestHandler):
    """Answers any list with plain names and hostile ones, and keeps what was asked for."""

    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        names = [*PLAIN, *HOSTILE]
        body = json.dumps({"items": [{"metadata": {"name": name, "uid": name}} for name in names]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
        """Say nothing."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve hostile names; the current context's namespace is `here`. Gives the list of paths that are asked for."""

    class Own(Handler):
        asked: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        write_config(tmp_path, server.server_port)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield Own.asked
        server.shutdown()
        thread.join()


def write_config(folder: Path, port: int) -> None:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "namespace": "here"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
    }
    (folder / "config").write_text(json.dumps(config))


def test_names_and_namespaces_are_offered_if_they_are_plain(asked: list[str]) -> None:
    assert values(SMLOGS, "trainingjob", "") == PLAIN
    assert values(SMLOGS, "TrainingJobs/") == [f"TrainingJobs/{name}" for name in PLAIN]
    assert values(SMLOGS, "-n", "x") == ["xgb"]
    assert asked


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        (["batchtransformjob", ""], {"sagemaker.aws.amazon.com/v1/namespaces/here/batchtransformjobs"}),
        (
            ["trainingjob", ""],
            {
                "sagemaker.aws.amazon.com/v1/namespaces/here/trainingjobs",
                "sagemaker.services.k8s.aws/v1alpha1/namespaces/here/trainingjobs",
            },
        ),
        (["-n", "there", "endpoint", ""], {"sagemaker.services.k8s.aws/v1alpha1/namespaces/there/endpoints"}),
        (["endpoint", "--namespace=there", ""], {"sagemaker.services.k8s.aws/v1alpha1/namespaces/there/endpoints"}),
        (["endpoint/x", "-nthere", ""], set()),
        (["pods", ""], set()),
        (["batchtransformjob", "x", ""], {"sagemaker.aws.amazon.com/v1/namespaces/here/batchtransformjobs"}),
        (["pods/"], set()),
        (["tra"], set()),
    ],
)
def test_the_kind_and_the_namespace_typed_are_asked_for(asked: list[str], line: list[str], paths: set[str]) -> None:
    values(SMLOGS, *line)
    assert {path.partition("?")[0].removeprefix("/apis/") for path in asked} == paths


@pytest.mark.parametrize(
    ("command", "line", "targets"),
    [(SMLOGS, ["xg"], kinds.logged()), (SAGEMAKER, ["status", "xg"], kinds.targets(all_kinds=False))],
    ids=["smlogs", "status"],
)
def test_a_name_alone_is_offered_where_no_kind_begins_so(
    command: click.Command, line: list[str], targets: list[kinds.Target], asked: list[str]
) -> None:
    assert values(command, *line) == ["xgb"]
    plurals = {path.partition("?")[0].rpartition("/")[2] for path in asked}
    assert plurals == {api.plural for target in targets for api in target.apis}


def test_a_server_that_is_silent_offers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write_config(tmp_path, silent.getsockname()[1])
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        assert values(SMLOGS, "trainingjob", "") == []


@pytest.mark.parametrize("config", [None, "{", "[]", '{"contexts": 3}', '{"current-context": "gone"}'])
def test_without_a_usable_kubeconfig_nothing_is_offered(
    config: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    if config is not None:
        file.write_text(config)
    monkeypatch.setenv("KUBECONFIG", os.fspath(file))
    for line in (["trainingjob", ""], ["trainingjob/"], ["-n", ""], ["--context", ""]):
        assert values(SMLOGS, *line) == []
