"""`kubectl sagemaker sandbox` runs a command in a made-up cluster and account, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.shell import Ran, Shell, finish
from tests.e2e.world import ACK, LEGACY
from tests.environment import FROZEN, HERE, PROGRAMS, kubectls

LOOPBACK = "127.0.0.1"


@pytest.fixture
def outside(tmp_path: Path) -> Shell:
    """A shell outside of any sandbox, with temporary files in a folder of its own."""
    path = os.pathsep.join([*([] if FROZEN else [str(PROGRAMS)]), str(HERE), os.environ["PATH"]])
    return Shell({**os.environ, "PATH": path, "TMPDIR": str(tmp_path)})


def start(shell: Shell, *command: str) -> subprocess.Popen[bytes]:
    """Start a sandbox with a command."""
    return shell.start("kubectl", "sagemaker", "sandbox", "--", *command)


def left_behind(shell: Shell) -> list[str]:
    """What is in the folder for temporary files."""
    return os.listdir(shell.environment["TMPDIR"])


@pytest.mark.parametrize("version", list(kubectls()))
def test_kubectl_works_in_it(outside: Shell, version: str) -> None:
    """One sandbox, many commands: each prints a mark first."""
    kubectl = kubectls()[version]
    commands = {
        "resources": f"{kubectl} api-resources --api-group={LEGACY} -o name",
        "get": f"{kubectl} get trainingjobs.{LEGACY}",
        "wide": f"{kubectl} get trainingjobs.{ACK} -A -o wide",
        "yaml": f"{kubectl} get trainingjob.{ACK}/resnet50-imagenet -o yaml",
        "describe": f"{kubectl} describe trainingjob.{ACK}/resnet50-imagenet",
        "missing": f"{kubectl} get trainingjob.{ACK}/nope; echo $?",
        "status": "kubectl sagemaker status -o name",
    }
    script = "; ".join(f"echo '=== {name}'; {command}" for name, command in commands.items())
    ran = finish(start(outside, "sh", "-c", script))
    parts = re.split(r"^=== (\w+)\n", ran.stdout, flags=re.MULTILINE)[1:]
    shown = dict(zip(parts[::2], parts[1::2], strict=True))

    assert f"batchtransformjobs.{LEGACY}\n" in shown["resources"]
    heading, *rows = shown["get"].splitlines()
    # The CRD's own columns.
    assert heading.split() == ["NAME", "STATUS", "SECONDARY-STATUS", "CREATION-TIME", "SAGEMAKER-JOB-NAME"]
    assert {row.split()[0] for row in rows} == {"churn", "spot-xgboost-mnist", "xgboost-mnist"}
    assert re.search(r"ml +xgb-2 .*label column has missing values", shown["wide"])
    assert "  trainingJobStatus: Failed\n" in shown["yaml"]
    assert re.search(r"Training Job Status: +Failed\n", shown["describe"])
    assert shown["missing"] == "1\n"
    assert f"hostingdeployment.{LEGACY}/hosting-deployment\n" in shown["status"]
    assert ran.stderr == f'Error from server (NotFound): trainingjobs.{ACK} "nope" not found\n'
    assert ran.code == 0


def test_every_kind_with_a_log_writes_one(outside: Shell) -> None:
    """One sandbox: the last line of each, in the streams that AWS names for it."""
    instance = r"i-[0-9a-f]+"
    streams = {
        "trainingjob/sweep-3": r"sweep-3/algo-1-\d+",
        "trainingjob/embeddings-eu": r"embeddings-eu/algo-[12]-\d+",
        "processingjob/features": r"features-20260101/algo-1-\d+",
        "transformjob/nightly-scores": rf"nightly-scores/{instance}-\d+(/data-log)?",
        "endpoint/ranking": rf"(current|canary)/{instance}(/data-log)?",
        "endpoint/sentiment": rf"AllTraffic/{instance}/(tokenize|classify)",
        "inferencecomponent/llama": rf"AllTraffic/{instance}",
        "notebookinstance/ada": r"ada/(jupyter\.log|LifecycleConfigOnStart)",
        "labelingjob/reviews": "reviews",
        "hostingdeployment/hosting-deployment -n default": rf"all-traffic/{instance}",
    }
    script = "; ".join(f"echo '=== {name}'; kubectl smlogs -n ml {name} --tail 1 -q" for name in streams)
    selected = f"echo '=== sweep'; kubectl get trainingjobs.{ACK} -n ml -l app=sweep --no-headers"
    ran = finish(start(outside, "sh", "-c", f"{script}; {selected}"))
    shown = {(parts := block.splitlines())[0]: parts[1:] for block in ran.stdout.removeprefix("=== ").split("\n=== ")}
    assert (ran.stderr, ran.code) == ("", 0)
    for name, stream in streams.items():
        assert shown[name]
        assert [line for line in shown[name] if not re.fullmatch(stream, line.split()[0])] == []
    assert [line.split()[0] for line in shown["sweep"]][:3] == ["sweep-1", "sweep-2", "sweep-3"]


def test_the_main_job_runs_to_its_end_and_is_watched(outside: Shell) -> None:
    """Four times as fast; `get -w` sees the job change, and `smlogs -f` follows it to its end."""
    script = (
        f"kubectl get trainingjobs.{LEGACY} xgboost-mnist -w --no-headers & "
        "kubectl smlogs trainingjob xgboost-mnist -f -o raw -q; code=$?; kill $!; echo code $code"
    )
    ran = finish(outside.start("kubectl", "sagemaker", "sandbox", "--speed", "4", "--", "sh", "-c", script))
    lines = ran.stdout.splitlines()
    watched = [line.split()[1:3] for line in lines if line.startswith("xgboost-mnist ")]
    assert watched[0][0] == "InProgress"
    assert watched[-1] == ["Completed", "Completed"]
    assert [line for line in lines if "train-merror" in line][-1].startswith("[39]#011")
    assert len([line for line in lines if line.startswith("[")]) == 43, "each line once"
    assert lines[-1] == "code 0"
    assert (ran.stderr, ran.code) == ("", 0)


def test_speed_scales_its_clock(outside: Shell) -> None:
    # The job has 24 s to go.
    ran = outside.sagemaker(
        "sandbox", "--speed", "1000", "--", "kubectl", "wait", f"trainingjobs.{LEGACY}/xgboost-mnist",
        "--for=jsonpath={.status.trainingJobStatus}=Completed", "--timeout=15s",
    )  # fmt: skip
    assert ran == Ran(f"trainingjob.{LEGACY}/xgboost-mnist condition met\n", "", 0)


def test_modules_of_the_folder_that_one_stands_in_are_no_part_of_it(outside: Shell, tmp_path: Path) -> None:
    """The operator, which the sandbox starts, would import them instead of its own."""
    for name in ("click", "yaml", "kubectl_sagemaker"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not yours')")
    steps = Path(__file__).parents[2] / "examples" / "xgboost-mnist"
    command = (
        f"kubectl apply -f '{steps}/train.yaml' && kubectl wait trainingjobs.{LEGACY}/xgboost-mnist "
        "--for=jsonpath={.status.trainingJobStatus}=InProgress --timeout=30s"
    )
    ran = outside.run(
        "sh", "-c", 'cd "$TMPDIR" && exec kubectl sagemaker sandbox --empty -- sh -c "$0"', command
    )  # fmt: skip
    created, met = (f"trainingjob.{LEGACY}/xgboost-mnist {what}\n" for what in ("created", "condition met"))
    assert ran == Ran(f"{created}{met}", "", 0)


def test_its_environment_leads_nowhere_else(outside: Shell) -> None:
    mine = outside.having(
        AWS_PROFILE="mine",
        AWS_SESSION_TOKEN="mine",
        AWS_ENDPOINT_URL_LOGS="http://mine.invalid",
        AWS_CONFIG_FILE="/mine",
        KUBECTL_SMLOGS_PROFILE="mine",
        KUBECONFIG="/mine",
        HTTPS_PROXY="http://mine.invalid:1",
        EDITOR="mine",
    )
    ran = finish(start(mine, "env"))
    variables = dict(line.split("=", 1) for line in ran.stdout.splitlines() if "=" in line)
    kept = {name for name, value in variables.items() if "mine" in value}
    # Its own hosts need no proxy.
    assert kept == {"EDITOR", "HTTPS_PROXY"}
    assert LOOPBACK in variables["NO_PROXY"]
    assert variables["AWS_ENDPOINT_URL"].startswith(f"http://{LOOPBACK}:")
    assert variables["AWS_EC2_METADATA_DISABLED"] == "true"
    assert {"KUBECONFIG", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} <= set(variables)
    assert (ran.stderr, ran.code) == ("", 0)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no /proc/net/tcp to see sockets in")
def test_it_listens_on_loopback_only(outside: Shell) -> None:
    # kubectl becomes the plugin (exec), so the command's parent is the sandbox.
    ran = finish(start(outside, "sh", "-c", "cat /proc/net/tcp /proc/net/tcp6; ls -l /proc/$PPID/fd"))
    own = set(re.findall(r"socket:\[(\d+)\]", ran.stdout))
    rows = [line.split() for line in ran.stdout.splitlines() if re.match(r"\s+\d+: ", line)]
    listening = [row[1] for row in rows if row[3] == "0A" and row[9] in own]
    assert len(listening) == 2, "the Kubernetes API and AWS"
    assert {address.split(":")[0] for address in listening} == {"0100007F"}
    assert ran.code == 0


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("sh", "-c", "exit 7"), Ran("", "", 7)),
        (("sh", "-c", "kill -9 $$"), Ran("", "", 137)),
        (("echo", "-n", "--help", "-v"), Ran("--help -v", "", 0)),
        (("no-such-command",), Ran("", "error: can't run no-such-command: no such file or directory\n", 127)),
        (("/",), Ran("", "error: can't run /: permission denied\n", 126)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_commands_exit_code_is_passed_on(outside: Shell, command: tuple[str, ...], expected: Ran) -> None:
    assert finish(start(outside, *command)) == expected
    assert left_behind(outside) == []


def test_without_a_command_it_runs_the_shell(outside: Shell) -> None:
    script = Path(outside.environment["TMPDIR"], "shell")
    script.write_text("#!/bin/sh\necho in $KUBECONFIG\nexit 3\n")
    script.chmod(0o755)
    ran = outside.having(SHELL=str(script)).sagemaker("sandbox")
    assert re.fullmatch(r"in \S+/kubeconfig\n", ran.stdout)
    assert (ran.stderr, ran.code) == ("", 3)


def test_a_command_needs_no_dashes_before_it(outside: Shell) -> None:
    assert outside.sagemaker("sandbox", "sh", "-c", "echo $0 $1", "-A", "--speed") == Ran("-A --speed\n", "", 0)


@pytest.mark.parametrize("speed", ["0", "-1", "fast"])
def test_a_speed_that_is_none(outside: Shell, speed: str) -> None:
    ran = outside.sagemaker("sandbox", "--speed", speed, "--", "true")
    assert re.fullmatch(r"error: .*--speed.*\nhint: .*\n", ran.stderr)
    assert (ran.stdout, ran.code) == ("", 2)


def running(outside: Shell, command: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A sandbox whose command has printed its process id; with both process ids."""
    process = start(outside, "sh", "-c", command)
    assert process.stdout
    return process, [process.pid, int(process.stdout.readline())]


def test_ctrl_c_ends_the_command_and_the_sandbox_quietly(outside: Shell) -> None:
    process, pids = running(outside, "echo $$; exec sleep 60")
    os.killpg(process.pid, signal.SIGINT)
    assert finish(process) == Ran("", "", 130)
    assert left_behind(outside) == []
    assert not any(map(alive, pids))


def test_the_command_decides_what_ctrl_c_means(outside: Shell) -> None:
    process, _ = running(outside, "trap 'echo caught; exit 5' INT; echo $$; while :; do sleep 0.05; done")
    os.killpg(process.pid, signal.SIGINT)
    assert finish(process) == Ran("caught\n", "", 5)
    assert left_behind(outside) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_passed_to_the_command(outside: Shell, number: signal.Signals, code: int) -> None:
    process, pids = running(outside, "echo $$; exec sleep 60")
    process.send_signal(number)
    assert finish(process) == Ran("", "", code)
    assert left_behind(outside) == []
    assert not any(map(alive, pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_leaves_nothing_behind(outside: Shell, number: signal.Signals) -> None:
    process = start(outside, "sh", "-c", "exec sleep 60")
    while not left_behind(outside):
        time.sleep(0.001)
    os.killpg(process.pid, number)
    assert finish(process) == Ran("", "", 128 + number)
    assert left_behind(outside) == []


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
