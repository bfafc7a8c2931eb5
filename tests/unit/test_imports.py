"""What each command line imports: start-up pays only for what a command needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

HEAVY = frozenset(
    {"aiohttp", "boto3", "botocore", "kubernetes", "orjson", "rich", "ssl", "urllib3", "yaml", "zoneinfo"}
)
AWS = frozenset({"boto3", "botocore"})
SERVER = frozenset({"aiohttp", "kubectl_sagemaker.sandbox"})
SCRIPT = """
import atexit, gc, json, sys
from importlib import import_module
atexit.register(lambda: open(sys.argv.pop(), "w").write(json.dumps([[*sys.modules], gc.isenabled()])))
module, _, name = sys.argv[1].rpartition(".")
program = getattr(import_module("kubectl_sagemaker." + (module or "cli")), name)
report = sys.argv[-1]
sys.argv[:] = ["kubectl-" + sys.argv[1], *sys.argv[2:-1]]
try:
    program()
finally:
    sys.argv.append(report)
"""


def told(folder: Path, *words: str, environment: Mapping[str, str] = os.environ) -> tuple[int, set[str], bool]:
    """Exit code, imported modules, and whether garbage is collected at the end of a command line, `smlogs …`."""
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words, str(report)],
        capture_output=True,
        check=False,
        timeout=60,
        env=dict(environment),
    )
    assert b"Traceback" not in done.stderr, done.stderr
    modules, collects = json.loads(report.read_text())
    return done.returncode, set(modules), collects


def imported(folder: Path, *words: str, environment: Mapping[str, str] = os.environ) -> tuple[int, set[str]]:
    """Exit code and imported modules of a command line, `smlogs …` or `sagemaker …`."""
    return told(folder, *words, environment=environment)[:2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, str]]:
    """The environment of a command that runs in a sandbox."""
    from kubectl_sagemaker.sandbox.server import Sandbox

    with Sandbox(speed=100.0) as started:
        yield started.environment


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("smlogs --help", 0),
        ("smlogs --version", 0),
        ("smlogs", 2),
        ("smlogs trainigjob xgb", 2),
        ("smlogs trainingjob a/b", 2),
        ("smlogs trainingjob xgb --since yesterdayish", 2),
        ("smlogs trainingjob xgb --tail -5", 2),
        ("smlogs trainingjob xgb -v 6", 2),
        ("smlogs trainingjob xgb --x", 2),
        ("sagemaker", 0),
        ("sagemaker --help", 0),
        ("sagemaker --version", 0),
        ("sagemaker stats", 2),
        ("sagemaker logs --help", 0),
        ("sagemaker status --help", 0),
        ("sagemaker status pods xgb", 2),
        ("sagemaker status -A trainingjob xgb", 2),
        ("sagemaker sandbox --help", 0),
        ("sagemaker sandbox --speed 0", 2),
        ("sagemaker completion bash", 0),
        ("sagemaker completion csh", 2),
    ],
)
def test_help_and_wrong_usage_pay_for_no_client(line: str, code: int, tmp_path: Path) -> None:
    exit_code, modules = imported(tmp_path, *line.split())
    assert (exit_code, modules & HEAVY) == (code, set())
    assert not modules & SERVER


VERBS = frozenset({"cli", "commands", "errors", "text"})
"""What tells the verbs."""
FLAGS = VERBS | {"candidates", "kinds", "options", "times"}
"""What tells the flags of a command."""
GIVEN = FLAGS | {"aws", "connection", "env"}
"""What holds their values."""
SMLOGS = frozenset({"commands.smlogs"})
STATUS = frozenset({"commands.status", "render", "render.documents"})
DOOR = frozenset({"connection", "credentials", "eks", "kube", "kubeconfig", "transport"})
LIST = GIVEN | DOOR | STATUS | {"jobs", "parallel", "render.states", "render.table"}
DETAILS = (GIVEN | DOOR | STATUS | {"console", "details", "jobs", "parallel", "sagemaker"}) | {
    *("render.panel", "render.states"),
    *("logs", "logs.children", "logs.events", "logs.failure", "logs.lanes", "logs.pace", "logs.read", "logs.source"),
}
LOG = (GIVEN | DOOR | SMLOGS | {"bundles", "joblog", "jobs", "parallel", "sagemaker"}) | {
    *("render", "render.lines"),
    *("logs", "logs.events", "logs.filters", "logs.pace", "logs.read", "logs.source", "logs.together", "logs.watch"),
}
"""What reads a log that one page holds."""
ASKING = frozenset({"orjson", "ssl", "urllib3", "yaml", "zoneinfo"})
"""The last is orjson's."""
COSTS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "smlogs --help": (FLAGS | SMLOGS, frozenset()),
    "smlogs --nonsense": (FLAGS | SMLOGS, frozenset()),
    "smlogs trainigjob xgb": (GIVEN | SMLOGS, frozenset()),
    "smlogs trainingjob xgb --until 1h -f": (GIVEN | SMLOGS, frozenset({"zoneinfo"})),
    "sagemaker --help": (VERBS, frozenset()),
    "sagemaker stats": (VERBS, frozenset()),
    "sagemaker status --help": (FLAGS | STATUS, frozenset()),
    "sagemaker status pods xgb": (GIVEN | STATUS, frozenset()),
    "completion.smlogs tra": (FLAGS | SMLOGS | {"completion"}, frozenset()),
    "completion.smlogs --fo": (FLAGS | SMLOGS | {"completion"}, frozenset()),
    "completion.sagemaker st": (VERBS | {"completion"}, frozenset()),
    "completion.smlogs batchtransformjob ": (FLAGS | DOOR | SMLOGS | {"completion"}, ASKING),
    "smlogs batchtransformjob xgboost-batch": (LOG, ASKING | {"botocore"}),
    "sagemaker status -A -o json": (LIST, ASKING),
    "sagemaker status -A -o name": (LIST, ASKING),
    "sagemaker status -A": (LIST, ASKING | {"rich"}),
    "sagemaker status batchtransformjob xgboost-batch": (DETAILS, ASKING | {"botocore", "rich"}),
}
"""By command line, which modules of ours and which heavy packages it may import; none more."""


@pytest.mark.parametrize("line", COSTS)
def test_each_command_imports_what_it_may_and_nothing_more(line: str, tmp_path: Path, sandbox: dict[str, str]) -> None:
    own, packages = COSTS[line]
    _, modules = imported(tmp_path, *line.split(" "), environment=sandbox)
    ours = {name.removeprefix("kubectl_sagemaker.") for name in modules if name.startswith("kubectl_sagemaker.")}
    assert ours - own == set()
    assert modules & HEAVY - packages == set()


@pytest.mark.parametrize("line", ["smlogs tra", "smlogs --fo", "smlogs -o", "sagemaker st", "sagemaker status m"])
def test_completing_kinds_and_flags_pays_for_no_client(line: str, tmp_path: Path) -> None:
    exit_code, modules = imported(tmp_path, *f"completion.{line}".split())
    assert (exit_code, modules & HEAVY) == (0, set())
    assert not modules & (AWS | SERVER | {"importlib.metadata", "concurrent.futures"})


def test_completing_names_pays_for_kubernetes_only(tmp_path: Path, sandbox: dict[str, str]) -> None:
    exit_code, modules = imported(tmp_path, "completion.smlogs", "batchtransformjob", "", environment=sandbox)
    assert exit_code == 0
    assert "urllib3" in modules
    assert not modules & (AWS | SERVER | {"rich"})


@pytest.mark.parametrize("line", ["smlogs trainingjob xgb", "smlogs xgb", "sagemaker status"])
def test_without_a_cluster_neither_aws_nor_a_table_is_paid_for(line: str, tmp_path: Path) -> None:
    exit_code, modules = imported(tmp_path, *line.split())
    assert exit_code == 1
    assert not modules & (AWS | SERVER | {"rich", "orjson", "urllib3"})


@pytest.mark.parametrize(
    "line",
    [
        "sagemaker status -A",
        "sagemaker status -A -o json",
        "sagemaker status batchtransformjob -o wide",
        "sagemaker status batchtransformjob xgboost-batch -o name",
    ],
)
def test_a_list_asks_kubernetes_only(line: str, tmp_path: Path, sandbox: dict[str, str]) -> None:
    exit_code, modules = imported(tmp_path, *line.split(), environment=sandbox)
    assert exit_code == 0
    assert "urllib3" in modules
    assert not modules & (AWS | SERVER)


@pytest.mark.parametrize("output", ["long", "json"])
def test_smlogs_draws_nothing(output: str, tmp_path: Path, sandbox: dict[str, str]) -> None:
    line = f"smlogs batchtransformjob xgboost-batch -o {output}"
    exit_code, modules = imported(tmp_path, *line.split(), environment=sandbox)
    assert exit_code == 0
    assert "botocore" in modules
    assert not modules & (SERVER | {"rich"})


@pytest.mark.parametrize(
    ("line", "collects"),
    [
        ("smlogs --help", False),
        ("sagemaker status -A", False),
        ("smlogs batchtransformjob xgboost-batch", True),
        ("smlogs batchtransformjob xgboost-batch -f", True),
        ("smlogs batchtransformjob --all", True),
        ("sagemaker status batchtransformjob xgboost-batch -w", True),
    ],
)
def test_garbage_is_collected_again_by_what_goes_on(
    line: str, collects: bool, tmp_path: Path, sandbox: dict[str, str]
) -> None:
    exit_code, _, collected = told(tmp_path, *line.split(), environment=sandbox)
    assert (exit_code, collected) == (0, collects)
