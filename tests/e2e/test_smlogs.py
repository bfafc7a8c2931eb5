"""`kubectl smlogs` reads the log of a job that has ended: which lines, and how they look."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import DENIED_DESCRIBE, Event, Ran, Shell, events
from tests.e2e.world import ACK, LEGACY

MNIST = "mnist-0123456789abcdef0123456789abcdef"
BATCH = "batch-0123456789abcdef0123456789abcdef"
KMEANS = "kmeans-0123456789abcdef0123456789abcdef"


def header(name: str, job: str, *, kind: str = "TrainingJob", status: str = "Completed") -> str:
    """What stderr says of a job before its log."""
    if kind == "TrainingJob":
        state = f', status "{status}" and secondary status "{status}"'
    else:
        state = f' and status "{status}"'
    return f'"{name}" has SageMaker {kind}Name "{job}" in region "us-west-2"{state}\n'


def zone(name: str) -> tzinfo:
    """A time zone of the IANA data base."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def long(event: Event, where: tzinfo = UTC, *, stream: bool = True) -> str:
    """The old plugin's line."""
    moment = datetime.fromtimestamp(event["timestamp"] // 1000, where)
    time = f"{moment:%Y-%m-%d %H:%M:%S}.{event['timestamp'] % 1000:03d} {moment:%z %Z}"
    prefix = f"{event['logStreamName']} {time} " if stream else f"{time} "
    return "".join(f"{prefix}{line}\n" for line in event["message"].removesuffix("\n").split("\n"))


def longs(sandbox: Sandbox, group: str, job: str) -> str:
    """A job's whole log in the old plugin's lines."""
    found = events(sandbox, group, job)
    assert found
    return "".join(map(long, found))


@pytest.mark.parametrize("program", ["smlogs", "sagemaker"])
def test_prints_every_line_of_a_finished_job_once_in_order(sandbox: Sandbox, each_kubectl: Shell, program: str) -> None:
    verb = ["logs"] if program == "sagemaker" else []
    ran = each_kubectl.run("kubectl", program, *verb, "trainingjob", "xgb")
    assert ran == Ran(longs(sandbox, "TrainingJobs", "xgb"), header("xgb", "xgb"), 0)
    assert ran.stdout.count("\n") == 60


def test_prints_the_pages_of_a_long_log(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "long")
    assert ran.stderr == header("long", "long")
    assert ran.stdout == longs(sandbox, "TrainingJobs", "long")
    assert (ran.stdout.count("\n"), ran.code) == (12_000, 0)


@pytest.mark.parametrize(
    ("words", "header_of", "log"),
    [
        (("trainingjob", "mnist"), ("mnist", MNIST, "TrainingJob"), "TrainingJobs"),
        (("transformjob", "scores", "-n", "ml"), ("scores", "scores", "TransformJob"), "TransformJobs"),
        (("batchtransformjob", "batch"), ("batch", BATCH, "TransformJob"), "TransformJobs"),
        (("processingjob", "features", "-n", "ml"), ("features", "features-2026", "ProcessingJob"), "ProcessingJobs"),
        (("processingjob", "kmeans"), ("kmeans", KMEANS, "ProcessingJob"), "ProcessingJobs"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_reads_each_kind_of_job_of_both_groups(
    sandbox: Sandbox, shell: Shell, words: tuple[str, ...], header_of: tuple[str, str, str], log: str
) -> None:
    name, job, kind = header_of
    ran = shell.smlogs(*words)
    assert ran == Ran(longs(sandbox, log, job), header(name, job, kind=kind), 0)


@pytest.mark.parametrize(
    "words",
    [
        ("trainingjobs", "mnist"),
        ("Trainingjob", "mnist"),
        (f"trainingjobs.{LEGACY}", "mnist"),
        (f"trainingjobs.v1.{LEGACY}", "mnist"),
        ("trainingjob/mnist",),
        (f"trainingjob.{LEGACY}/mnist",),
        ("trainingjob", "--namespace=default", "mnist"),
    ],
    ids=" ".join,
)
def test_kind_may_be_spelt_in_every_way(sandbox: Sandbox, shell: Shell, words: tuple[str, ...]) -> None:
    ran = shell.smlogs(*words, "-o", "raw", "--tail", "1")
    assert ran == Ran("step 4 of algo-1\n", header("mnist", MNIST), 0)


@pytest.mark.parametrize(
    ("kind", "job"),
    [(f"trainingjob.{ACK}", "churn-2026"), (f"trainingjobs.v1.{LEGACY}", "churn-fedcba9876543210fedcba9876543210")],
)
def test_a_qualified_kind_says_which_of_two_groups_is_meant(shell: Shell, kind: str, job: str) -> None:
    ran = shell.smlogs(kind, "churn", "--tail", "0")
    assert ran == Ran("", header("churn", job), 0)


def test_two_resources_for_one_job_are_read_once_with_a_note(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "shared")
    note = f"trainingjobs.{ACK} and trainingjobs.{LEGACY} both mean this job; reading the first\n"
    assert ran == Ran(longs(sandbox, "TrainingJobs", "shared"), note + header("shared", "shared"), 0)


def test_prints_nothing_of_a_job_whose_name_begins_alike(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "xgb")
    assert {line.split("/")[0] for line in ran.stdout.splitlines()} == {"xgb"}
    assert events(sandbox, "TrainingJobs", "xgb-2")
    assert (ran.stderr, ran.code) == (header("xgb", "xgb"), 0)


# How a line looks


def test_short_has_the_instance_and_the_time_of_day(sandbox: Sandbox, shell: Shell) -> None:
    event = events(sandbox, "TrainingJobs", "xgb-2")[0]
    time = f"{datetime.fromtimestamp(event['timestamp'] / 1000, UTC):%H:%M:%S}"
    ran = shell.smlogs("trainingjob", "xgb-2", "-o", "short")
    assert ran.stdout.splitlines()[0] == f"algo-1 {time} step 0 of algo-1"
    assert (ran.stderr, ran.code) == (header("xgb-2", "xgb-2", status="Failed"), 0)


def test_raw_is_the_message_alone(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "-o", "raw")
    messages = [event["message"] for event in events(sandbox, "TrainingJobs", "xgb")]
    assert ran == Ran("".join(f"{message}\n" for message in messages), header("xgb", "xgb"), 0)


def test_json_is_one_object_a_line_with_everything_that_is_known(sandbox: Sandbox, shell: Shell) -> None:
    def time(milliseconds: int) -> str:
        moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"

    ran = shell.smlogs("trainingjob", "hostile", "-o", "json")
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        {
            "type": "log",
            "time": time(event["timestamp"]),
            "resource": "trainingjob/hostile",
            "job": "hostile",
            "instance": "algo-1",
            "stream": event["logStreamName"],
            "message": event["message"],
            "ingestionTime": time(event["ingestionTime"]),
            "eventId": event["eventId"],
        }
        for event in events(sandbox, "TrainingJobs", "hostile")
    ]
    assert (ran.stderr, ran.code) == (header("hostile", "hostile"), 0)


@pytest.mark.parametrize(
    ("flag", "name"), [("utc", "UTC"), ("UTC", "UTC"), ("America/Los_Angeles", "America/Los_Angeles")]
)
def test_timezone_is_utc_or_named(sandbox: Sandbox, shell: Shell, flag: str, name: str) -> None:
    ran = shell.having(TZ="Asia/Tokyo").smlogs("trainingjob", "mnist", "--timezone", flag)
    lines = [long(event, zone(name)) for event in events(sandbox, "TrainingJobs", MNIST)]
    assert ran == Ran("".join(lines), header("mnist", MNIST), 0)


def test_timezone_is_local_unless_it_is_given(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.having(TZ="Asia/Kolkata").smlogs("trainingjob", "mnist")
    lines = [long(event, zone("Asia/Kolkata")) for event in events(sandbox, "TrainingJobs", MNIST)]
    assert ran == Ran("".join(lines), header("mnist", MNIST), 0)
    assert " +0530 IST step 0 of algo-1\n" in ran.stdout


def test_hide_log_stream_name_leaves_the_time(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "mnist", "--hide-log-stream-name")
    lines = [long(event, stream=False) for event in events(sandbox, "TrainingJobs", MNIST)]
    assert ran == Ran("".join(lines), header("mnist", MNIST), 0)


def test_every_line_of_a_message_has_the_prefix_and_nothing_else_is_changed_in_a_pipe(
    sandbox: Sandbox, shell: Shell
) -> None:
    ran = shell.smlogs("trainingjob", "hostile")
    expected = longs(sandbox, "TrainingJobs", "hostile")
    # What UTF-8 has no bytes for is escaped.
    assert ran == Ran(expected.replace("\ud83d", "\\ud83d"), header("hostile", "hostile"), 0)
    assert {line.split(" ")[0] for line in ran.stdout.split("\n")[:-1]} == {
        events(sandbox, "TrainingJobs", "hostile")[0]["logStreamName"]
    }
    assert "\x1b]0;owned\x07" in ran.stdout


def test_output_is_utf_8_in_every_locale(shell: Shell) -> None:
    ran = shell.having(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").smlogs(
        "trainingjob", "hostile", "-o", "raw"
    )
    assert "naïve 中文 🙂\n" in ran.stdout
    assert (ran.stderr, ran.code) == (header("hostile", "hostile"), 0)


def test_color_always_colours_the_instance_and_not_the_message(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "mnist", "--color", "always", "--tail", "1", "-o", "short")
    assert re.fullmatch(r"\x1b\[\d+malgo-1\x1b\[0m \x1b\[2m\d\d:\d\d:\d\d\x1b\[0m step 4 of algo-1\n", ran.stdout)
    assert (ran.stderr, ran.code) == (header("mnist", MNIST), 0)


# Which lines


def test_since_counts_back_from_now(sandbox: Sandbox, shell: Shell) -> None:
    # The 30 steps of two instances, a second apart, began 84 minutes before the world did.
    newest = events(sandbox, "TrainingJobs", "xgb")[-1]["timestamp"] / 1000
    seconds = round(sandbox.account.now() - newest)
    assert shell.smlogs("trainingjob", "xgb", "--since", f"{seconds - 60}s") == Ran(
        "", header("xgb", "xgb") + "no log lines that match the flags\n", 0
    )
    some = shell.smlogs("trainingjob", "xgb", "--since", f"{seconds + 15}s", "-o", "raw")
    whole = [event["message"] for event in events(sandbox, "TrainingJobs", "xgb")]
    lines = some.stdout.splitlines()
    assert 0 < len(lines) < 60
    assert lines == whole[-len(lines) :]
    assert shell.smlogs("trainingjob", "xgb", "--since", "2h30m", "-o", "raw").stdout.splitlines() == whole


@pytest.mark.parametrize(("count", "steps"), [("3", [27, 28, 29]), ("0", []), ("-1", list(range(30)))])
def test_tail_is_the_last_lines_of_each_instance(shell: Shell, count: str, steps: list[int]) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "-o", "raw", "--tail", count)
    expected = [f"step {step} of algo-{number}\n" for step in steps for number in (1, 2)]
    assert ran == Ran("".join(expected), header("xgb", "xgb"), 0)


@pytest.mark.parametrize(
    ("flags", "instances"),
    [
        (["--instance", "algo-2"], [2]),
        (["--instance", "algo-1", "--instance", "*-2"], [1, 2]),
        (["-p", "algo-2"], [2]),
        (["--instance", "algo-1", "-p", "algo-2"], []),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_instance_and_prefix_choose_streams(shell: Shell, flags: list[str], instances: list[int]) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "-o", "raw", "--tail", "2", *flags)
    expected = [f"step {step} of algo-{number}\n" for step in (28, 29) for number in instances]
    note = "" if instances else "no log lines that match the flags\n"
    assert ran == Ran("".join(expected), header("xgb", "xgb") + note, 0)


# What else is said


def test_quiet_leaves_the_lines_alone(sandbox: Sandbox, shell: Shell) -> None:
    assert shell.smlogs("trainingjob", "mnist", "-q") == Ran(longs(sandbox, "TrainingJobs", MNIST), "", 0)


def test_quiet_still_says_what_went_wrong(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "nope", "-q")
    assert (ran.stdout, ran.stderr.splitlines()[0].partition(":")[0], ran.code) == ("", "error", 1)


def test_debug_names_requests_and_no_secret(sandbox: Sandbox, shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "mnist", "--debug")
    debug = [line for line in ran.stderr.splitlines() if line.startswith("debug: ")]
    path = f"/apis/{LEGACY}/v1/namespaces/default/trainingjobs/mnist"
    assert any(re.fullmatch(rf"debug: GET {path} 200 \d+ ms", line) for line in debug)
    assert any(re.fullmatch(r"debug: aws logs:FilterLogEvents us-west-2 ok \d+ ms", line) for line in debug)
    assert "".join(f"{line}\n" for line in ran.stderr.splitlines() if line not in debug) == header("mnist", MNIST)
    assert (ran.stdout, ran.code) == (longs(sandbox, "TrainingJobs", MNIST), 0)
    config = json.loads(Path(sandbox.environment["KUBECONFIG"]).read_text())
    tokens = [user["user"]["token"] for user in config["users"]]
    for secret in (*tokens, shell.environment["AWS_SECRET_ACCESS_KEY"], "Signature", "AWS4-HMAC"):
        assert secret not in ran.stderr


def test_version_is_a_line_of_its_own(shell: Shell) -> None:
    for ran in (shell.smlogs("--version"), shell.sagemaker("--version")):
        assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", ran.stdout)
        assert (ran.stderr, ran.code) == ("", 0)


@pytest.mark.parametrize(("program", "command"), [("SMLOGS", ("sagemaker", "logs")), ("SAGEMAKER", ("smlogs",))])
def test_environment_of_either_name_sets_form_colour_and_time_zone(
    sandbox: Sandbox, shell: Shell, program: str, command: tuple[str, ...]
) -> None:
    changed = shell.having(
        **{
            f"KUBECTL_{program}_OUTPUT": "long",
            f"KUBECTL_{program}_COLOR": "always",
            f"KUBECTL_{program}_TIMEZONE": "Europe/Berlin",
        }
    )
    ran = changed.run("kubectl", *command, "trainingjob", "mnist")
    plain = "".join(long(event, zone("Europe/Berlin")) for event in events(sandbox, "TrainingJobs", MNIST))
    assert re.sub(r"\x1b\[\d+m", "", ran.stdout) == plain
    assert "\x1b[" in ran.stdout
    assert (ran.stderr, ran.code) == (header("mnist", MNIST), 0)


@pytest.mark.parametrize("name", ["KUBECTL_SMLOGS_PROFILE", "KUBECTL_SAGEMAKER_PROFILE"])
def test_environment_of_either_name_sets_the_profile(shell: Shell, name: str) -> None:
    ran = shell.having(**{name: "elsewhere"}).smlogs("trainingjob", "mnist")
    assert "elsewhere" in ran.stderr
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_flag_is_stronger_than_the_environment(shell: Shell) -> None:
    ran = shell.having(KUBECTL_SMLOGS_OUTPUT="json").smlogs("trainingjob", "mnist", "--tail", "1", "-o", "raw")
    assert ran == Ran("step 4 of algo-1\n", header("mnist", MNIST), 0)


def test_no_other_flag_is_read_from_the_environment(shell: Shell) -> None:
    # A job that runs: with --follow this would not end.
    changed = shell.having(
        **{f"KUBECTL_{name}_{flag}": "1" for name in ("SMLOGS", "SAGEMAKER") for flag in ("FOLLOW", "TAIL", "QUIET")}
    )
    ran = changed.smlogs("trainingjob", "running", "-o", "raw")
    assert ran.stdout == "step 0 of algo-1\nstep 1 of algo-1\nstep 2 of algo-1\n"
    assert 'status "InProgress" and secondary status "Training"' in ran.stderr
    assert ran.code == 0


@pytest.mark.parametrize("flag", ["-f=false", "--quiet=0"])
def test_boolean_flags_can_be_switched_off(sandbox: Sandbox, shell: Shell, flag: str) -> None:
    ran = shell.smlogs("trainingjob", "mnist", flag)
    assert ran == Ran(longs(sandbox, "TrainingJobs", MNIST), header("mnist", MNIST), 0)


@pytest.mark.parametrize("flag", ["--quiet=true", "-q=1"])
def test_boolean_flags_can_be_switched_on(sandbox: Sandbox, shell: Shell, flag: str) -> None:
    assert shell.smlogs("trainingjob", "mnist", flag) == Ran(longs(sandbox, "TrainingJobs", MNIST), "", 0)


# Jobs without lines


def test_a_job_that_has_not_written_yet_costs_a_note(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "starting")
    assert ran.stderr.splitlines()[1:] == ["no log lines"]
    assert (ran.stdout, ran.code) == ("", 0)


def test_a_log_group_that_does_not_exist_yet_costs_a_note(shell: Shell) -> None:
    ran = shell.smlogs("endpoint", "ranking")
    note = "no log yet: there is no log group /aws/sagemaker/Endpoints/ranking\n"
    assert ran == Ran("", header("ranking", "ranking", kind="Endpoint", status="InService") + note, 0)


def test_a_denied_describe_costs_one_note_and_no_line(sandbox: Sandbox, shell: Shell) -> None:
    # ACK's training jobs have their creation time in the status; of others only SageMaker knows it.
    ran = shell.holding(DENIED_DESCRIBE).smlogs("processingjob", "kmeans")
    notes = ran.stderr.removeprefix(header("kmeans", KMEANS, kind="ProcessingJob")).splitlines()
    assert len([note for note in notes if "DescribeProcessingJob" in note]) == 1
    assert not any(note.startswith("error:") for note in notes)
    assert (ran.stdout, ran.code) == (longs(sandbox, "ProcessingJobs", KMEANS), 0)


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("xgb", 0, ""),
        (
            "xgb-2",
            3,
            "error: trainingjob/xgb-2 Failed: AlgorithmError: label column has missing values, exit code: 1\n",
        ),
        ("forger", 3, "error: trainingjob/forger Failed: it is error: no error \\x1b[2J\\u202e\n"),
        ("halted", 4, "error: trainingjob/halted Stopped\n"),
    ],
    ids=["Completed", "Failed", "hostile reason", "Stopped"],
)
def test_following_a_job_that_ended_long_ago_ends_at_once_with_its_result(
    sandbox: Sandbox, shell: Shell, name: str, code: int, error: str
) -> None:
    status = {0: "Completed", 3: "Failed", 4: "Stopped"}[code]
    ran = shell.smlogs("trainingjob", name, "-f", "--timeout", "12s")
    assert ran == Ran(longs(sandbox, "TrainingJobs", name), header(name, name, status=status) + error, code)
