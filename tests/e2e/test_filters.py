"""`kubectl smlogs` prints the part of a log that was asked for: by time, by text, by CloudWatch's own patterns."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import Event, Ran, Shell, events

JOB = ("trainingjob", "xgb", "-q", "-o", "raw")


def texts(found: list[Event]) -> str:
    """Messages as -o raw prints them."""
    return "".join(f"{event['message']}\n" for event in found)


def rfc3339(event: Event) -> str:
    """The event's own moment."""
    return datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat()


@pytest.fixture
def log(sandbox: Sandbox) -> list[Event]:
    """The whole log of xgb: 60 events."""
    return events(sandbox, "TrainingJobs", "xgb")


def test_since_time_and_until_are_both_inclusive(shell: Shell, log: list[Event]) -> None:
    first, last = log[20], log[40]
    part = [event for event in log if first["timestamp"] <= event["timestamp"] <= last["timestamp"]]
    assert 0 < len(part) < len(log)
    for flag in ("--since-time", "--since"):
        ran = shell.smlogs(*JOB, flag, rfc3339(first), "--until", rfc3339(last))
        assert ran == Ran(texts(part), "", 0)


def test_include_takes_any_and_exclude_takes_away(shell: Shell, log: list[Event]) -> None:
    ran = shell.smlogs(*JOB, "-i", "[05]", "--include", "7", "-e", "1")
    wanted = [event for event in log if re.search("[057]", event["message"]) and "1" not in event["message"]]
    assert 0 < len(wanted) < len(log)
    assert ran == Ran(texts(wanted), "", 0)


def test_tail_counts_before_include(shell: Shell, log: list[Event]) -> None:
    streams = {event["logStreamName"] for event in log}
    tails = [event for stream in streams for event in [e for e in log if e["logStreamName"] == stream][-3:]]
    wanted = [event for event in log if event in tails and "5" in event["message"]]
    assert shell.smlogs(*JOB, "--tail", "3", "-i", "5") == Ran(texts(wanted), "", 0)


def test_a_filter_pattern_is_matched_by_cloudwatch(sandbox: Sandbox, shell: Shell, log: list[Event]) -> None:
    word = log[30]["message"].split()[-1]
    ran = shell.smlogs(*JOB, "--filter-pattern", f'"{word}"')
    assert ran == Ran(texts([event for event in log if word in event["message"]]), "", 0)
    refused = shell.smlogs(*JOB, "--filter-pattern", "{ $.x = }")
    assert (refused.stdout, refused.code) == ("", 1)
    assert re.fullmatch(r"error: logs:FilterLogEvents: .*\n", refused.stderr)


def test_highlight_marks_and_hides_nothing(shell: Shell, log: list[Event]) -> None:
    ran = shell.smlogs(*JOB, "--color", "always", "-H", "[0-9]+")
    assert "\x1b[7m" in ran.stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout) == texts(log)
    assert shell.smlogs(*JOB, "-H", "[0-9]+") == Ran(texts(log), "", 0)


def test_no_timestamps_leaves_out_the_time(shell: Shell, log: list[Event]) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "-q", "--no-timestamps")
    assert ran == Ran("".join(f"{event['logStreamName']} {event['message']}\n" for event in log), "", 0)


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("--since", "1h", "--since-time", "2026-01-28"), "--since and --since-time both say where to begin: give one"),
        (("--until", "1h", "-f"), "--until ends the log, --follow goes on: give one"),
    ],
    ids=["begin", "end"],
)
def test_flags_that_contradict_each_other_are_refused(shell: Shell, flags: tuple[str, ...], error: str) -> None:
    assert shell.smlogs(*JOB, *flags) == Ran("", f"error: {error}\n", 2)


@pytest.mark.parametrize("flag", ["-i", "-e", "-H"])
def test_what_is_no_regular_expression_is_wrong_usage(shell: Shell, flag: str) -> None:
    ran = shell.smlogs(*JOB, flag, "(")
    assert (ran.stdout, ran.code) == ("", 2)
    assert re.fullmatch(r"error: --(include|exclude|highlight): '\(' is no regular expression: .*\n", ran.stderr)
