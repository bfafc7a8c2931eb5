"""A log event as a line: what people see on a terminal, and what programs get."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo  # noqa: TID253  # a test pays for its own start

import pytest

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.logs.events import LogEvent, Transition
from kubectl_sagemaker.render import lines
from kubectl_sagemaker.render.lines import FORMS, OUTPUTS, Style
from kubectl_sagemaker.times import ZONE_NAMES

STREAM = "xgboost-mnist-f52/algo-1-1580260714"
AT = 1_580_260_783_244
PST = " PST" if ZONE_NAMES else ""
UTC_NAME = " UTC" if ZONE_NAMES else ""
PIPED = Style(output="long", where=UTC)
TERMINAL = Style(output="raw", terminal=True)
COLOURED = Style(output="raw", terminal=True, colour=True)
SEQUENCE = re.compile(r"\x1b\[[0-9;:]*m")
REORDERING = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def event(message: str, *, stream: str = STREAM, at: int = AT) -> LogEvent:
    return LogEvent(logStreamName=stream, timestamp=at, message=message, ingestionTime=at + 700, eventId="e-1")


def shown(style: Style, *messages: str) -> str:
    return style.text([event(message) for message in messages])


def job(*, word: str = "trainingjob.sagemaker.services.k8s.aws", **status: Any) -> jobs.Job:
    target = kinds.parse(word)
    (api,) = target.apis
    named = f"{target.kind.name[0].lower()}{target.kind.name[1:]}Name"
    resource = {"metadata": {"name": "xgb", "namespace": "ml"}, "spec": {named: "xgb-1"}, "status": status}
    return jobs.read(target.kind, api, resource)


# Forms


def test_long_is_the_old_plugins_line() -> None:
    style = Style(output="long", where=ZoneInfo("America/Los_Angeles"))
    assert shown(style, "message") == f"{STREAM} 2020-01-28 17:19:43.244 -0800{PST} message\n"


def test_short_has_the_instance_and_the_time_of_day() -> None:
    assert shown(Style(output="short", where=UTC), "message") == "algo-1 01:19:43 message\n"


def test_raw_is_the_message() -> None:
    assert shown(Style(output="raw"), "message", "[bold]brackets[/bold]") == "message\n[bold]brackets[/bold]\n"


def test_json_is_one_object_a_line_with_every_field() -> None:
    (line,) = shown(Style(output="json", resource="trainingjob/xgboost-mnist", where=UTC), "a\nb\n").splitlines()
    assert json.loads(line) == {
        "type": "log",
        "time": "2020-01-29T01:19:43.244Z",
        "resource": "trainingjob/xgboost-mnist",
        "job": "xgboost-mnist-f52",
        "instance": "algo-1",
        "stream": STREAM,
        "message": "a\nb\n",
        "ingestionTime": "2020-01-29T01:19:43.944Z",
        "eventId": "e-1",
    }


def test_every_output_that_is_offered_has_a_form() -> None:
    assert set(FORMS) == set(OUTPUTS)


@pytest.mark.parametrize(
    ("output", "line"), [("long", "2020-01-29 01:19:43.244 +0000{} a\n"), ("short", "01:19:43 a\n")]
)
def test_the_streams_name_can_be_left_out(output: str, line: str) -> None:
    style = Style(output=output, where=UTC, stream_names=False)
    assert shown(style, "a") == line.format(UTC_NAME)


@pytest.mark.parametrize(
    ("stream", "instance"),
    [
        ("xgb/algo-1-1580260714", "algo-1"),
        ("xgb/algo-12-1", "algo-12"),
        ("xgb/algo-1", "algo"),
        ("xgb/i-0abc-sidecar", "i-0abc-sidecar"),
        ("AllTraffic/i-0c7e", "i-0c7e"),
        ("labels", "labels"),
    ],
)
def test_an_instance_is_the_stream_without_job_and_trailing_number(stream: str, instance: str) -> None:
    style = Style(output="short", where=UTC)
    assert style.text([event("a", stream=stream)]) == f"{instance} 01:19:43 a\n"


# Lines


def test_milliseconds_are_always_three_digits() -> None:
    for at, text in ((AT - 244, "43.000"), (AT - 239, "43.005"), (-1, "59.999")):
        assert f":{text} " in PIPED.text([event("a", at=at)])


@pytest.mark.parametrize("output", ["long", "short"])
def test_each_line_of_a_message_has_the_prefix_so_that_none_is_forged(output: str) -> None:
    style = Style(output=output, where=UTC)
    forged = f"other-job/algo-2-1580260714 2020-01-29 01:19:43.244 +0000{UTC_NAME} ERROR"
    prefix = shown(style, "")[:-1]
    assert prefix.endswith(" ")
    assert shown(style, f"one\n{forged}\n\nthree") == "".join(
        f"{prefix}{line}\n" for line in ("one", forged, "", "three")
    )


def test_one_newline_at_the_end_of_a_message_is_not_another_line() -> None:
    raw = Style(output="raw")
    assert shown(raw, "a\n") == "a\n"
    assert shown(raw, "a\n\n") == "a\n\n"
    assert shown(raw, "\n") == "\n"
    assert shown(raw, "") == "\n"


def test_piped_a_message_goes_through_unchanged() -> None:
    message = "\x1b[2J\x07\r 50%#015 100%\x00\x9b31m\u202e日本\ud800 [bold] \x1b[31mred"
    assert shown(Style(output="raw"), message) == f"{message}\n"
    assert shown(PIPED, message).endswith(f"{UTC_NAME} {message}\n")


def test_a_hostile_streams_name_can_neither_drive_a_terminal_nor_break_a_line() -> None:
    for output in ("long", "short"):
        line = Style(output=output, where=UTC).text([event("a", stream="x/\x1b[2J\nalgo-1-1")])
        assert line.count("\n") == 1
        assert "\x1b" not in line


# Terminals


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        (" 10%|#   |#015 50%|##  |#015100%|####|", "100%|####|"),
        (" 10%\r 50%\r100%\r", "100%"),
        ("10%\r\n", "10%"),
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("loss 1\n 10%#015 20%#015 30%\nloss 2", "loss 1\n 30%\nloss 2"),
        ("10%#01520%#015", "20%"),
        ("issue #015 is fixed", "issue #015 is fixed"),
        ("a\r", "a"),
        ("\r\r  \r", ""),
        ("#015#015#015", ""),
    ],
)
def test_a_progress_bar_collapses_to_its_last_state(message: str, seen: str) -> None:
    assert shown(TERMINAL, message) == f"{seen}\n"


def test_control_sequences_other_than_colour_are_made_visible() -> None:
    assert shown(TERMINAL, "\x1b[2J\x07bell\x0bvertical\tab") == "\\x1b[2J\\x07bell\\x0bvertical\tab\n"
    assert shown(TERMINAL, "\x1b[31mred\x1b[0m") == "red\n"
    assert shown(COLOURED, "\x1b[31mred\x1b[2J") == "\x1b[31mred\\x1b[2J\x1b[0m\n"


def test_a_colour_that_a_message_leaves_on_ends_with_it() -> None:
    piped = Style(output="raw", colour=True)
    assert shown(COLOURED, "\x1b[31mred", "plain") == "\x1b[31mred\x1b[0m\nplain\n"
    assert shown(piped, "\x1b[31mred", "plain") == "\x1b[31mred\x1b[0m\nplain\n"


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        ("2026 ERROR boom", "2026 \x1b[1;31mERROR\x1b[0m boom"),
        ("WARNING: slow", "\x1b[33mWARNING\x1b[0m: slow"),
        ("ValueError: no", "\x1b[1;31mValueError\x1b[0m: no"),
        ("an error, a warning, ERRORS and TERROR", "an error, a warning, ERRORS and TERROR"),
        ("\x1b[32mERROR", "\x1b[32mERROR\x1b[0m"),
    ],
)
def test_only_the_word_that_says_how_bad_it_is_is_coloured(message: str, seen: str) -> None:
    assert shown(COLOURED, message) == f"{seen}\n"
    assert "\x1b" not in shown(TERMINAL, message)


def test_what_is_asked_for_is_highlighted_once_where_patterns_overlap() -> None:
    style = Style(output="raw", colour=True, highlight=(re.compile("loss"), re.compile("ss 0"), re.compile("")))
    assert shown(style, "ERROR loss 0.1") == "ERROR \x1b[7mloss\x1b[0m\x1b[7m 0\x1b[0m.1\n"
    assert shown(Style(output="raw", highlight=style.highlight), "loss") == "loss\n"
    # A match shows in a line that has colours, too, in place of these.
    assert shown(style, "\x1b[32mINFO\x1b[0m loss") == "INFO \x1b[7mloss\x1b[0m\n"


@pytest.mark.parametrize(("output", "line"), [("long", f"{STREAM} a\n"), ("short", "algo-1 a\n"), ("raw", "a\n")])
def test_the_time_can_be_left_out(output: str, line: str) -> None:
    assert shown(Style(output=output, timestamps=False), "a") == line


def test_an_instance_has_one_colour_in_every_job_and_the_message_none() -> None:
    style = Style(output="short", where=UTC, terminal=True, colour=True)
    found = set()
    for stream in ("a/algo-1-1", "a/algo-1-2", "b/algo-1-3"):
        line = style.text([event("message", stream=stream)])
        colour = SEQUENCE.findall(line)[0]
        found.add(colour)
        assert line == f"{colour}algo-1\x1b[0m \x1b[2m01:19:43\x1b[0m message\n"
    assert len(found) == 1
    many = {SEQUENCE.findall(style.text([event("m", stream=f"a/algo-{number}-1")]))[0] for number in range(40)}
    assert len(many) > 4


def test_without_colour_there_is_no_sequence_at_all() -> None:
    for output in OUTPUTS:
        assert "\x1b" not in shown(Style(output=output, where=UTC, terminal=True), "\x1b[31mred\x1b[0m \x1b[2J")


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("colour", [True, False])
def test_nothing_but_newline_tab_and_colour_reaches_a_terminal(output: str, colour: bool) -> None:
    source = random.Random(1580260714)  # noqa: S311  # a seed, no secret
    style = Style(output=output, where=UTC, terminal=True, colour=colour, resource="\x1b[2J", prefix="\x1b[2J")
    controls = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x202E, 0x2028, 0x2066)]
    pieces = [*controls, "\x1b[31m", "\x1b[2J", "\x1b]0;t\x07", "#015", "\r\n", "\ud800", "text", "[", "m", "31", ";"]
    for _ in range(2000):
        text = "".join(source.choices(pieces, k=source.randint(0, 25)))
        stream = "".join(source.choices(pieces, k=source.randint(0, 5)))
        line = style.text([event(text, stream=stream)])
        sent = SEQUENCE.sub("", line) if colour else line
        left = {char for char in sent if unicodedata.category(char) == "Cc" or REORDERING.match(char)}
        assert left <= {"\n", "\t"}, (text, stream, line)
        assert line.endswith("\n")
        if output == "json":
            assert line.count("\n") == 1
            assert json.loads(line)["message"] == text


# JSON


def test_json_keeps_the_message_as_it_is_whatever_it_holds() -> None:
    for message in ("\x1b[31m\x00\x9b\u202e", "\ud800 lone", "日本 🚀", "", "\n", '"quoted" \\ back'):
        for terminal in (True, False):
            line = shown(Style(output="json", where=UTC, terminal=terminal, colour=True), message)
            assert json.loads(line)["message"] == message
            assert line.count("\n") == 1


def test_json_lines_can_be_encoded_even_with_a_lone_surrogate() -> None:
    line = shown(Style(output="json"), "a\udc80b")
    assert json.loads(line.encode("utf-8"))["message"] == "a\udc80b"


def test_an_event_without_a_time_of_ingestion_has_its_own() -> None:
    bare: Any = {key: value for key, value in event("a").items() if key != "ingestionTime"}
    record = json.loads(Style(output="json").text([bare]))
    assert record["ingestionTime"] == record["time"]


@pytest.mark.parametrize("at", [0, -1, 10**15, 10**18, -(10**18), 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("where", [None, UTC, ZoneInfo("Pacific/Kiritimati")])
def test_no_timestamp_ends_a_log(at: int, output: str, where: Any) -> None:
    assert "message" in Style(output=output, where=where).text([event("message", at=at)])


# Header and records


def test_the_header_names_the_job_its_region_and_its_state() -> None:
    training = job(trainingJobStatus="InProgress", secondaryStatus="Training")
    assert lines.header(training, "us-west-2") == (
        '"xgb" has SageMaker TrainingJobName "xgb-1" in region "us-west-2", '
        'status "InProgress" and secondary status "Training"'
    )
    transform = job(word="transformjob", transformJobStatus="Completed")
    assert lines.header(transform, "eu-west-1") == (
        '"xgb" has SageMaker TransformJobName "xgb-1" in region "eu-west-1" and status "Completed"'
    )


def test_header_and_transition_stay_one_line_and_drive_no_terminal() -> None:
    hostile = job(trainingJobStatus="In\nProgress\x1b[2J", secondaryStatus="\r\u202eTraining")
    said = (lines.header(hostile, "us\x07"), lines.transition(Transition(hostile, 0.0, "a\nb\x1b]0;t\x07")))
    for text in said:
        assert [char for char in text if unicodedata.category(char) == "Cc" or REORDERING.match(char)] == []


def test_a_transition_says_what_is_known_and_no_more() -> None:
    training = job(trainingJobStatus="InProgress", secondaryStatus="Starting")
    assert lines.transition(Transition(training, 0.0, "Insufficient capacity; retrying")) == (
        "xgb: InProgress Starting: Insufficient capacity; retrying"
    )
    assert lines.transition(Transition(job(), 0.0)) == "xgb"
    failed = job(trainingJobStatus="Failed", secondaryStatus="Failed")
    assert lines.transition(Transition(failed, 0.0)) == "xgb: Failed"


def test_a_transition_and_the_end_are_records_of_their_own_type() -> None:
    ended = job(trainingJobStatus="Failed", secondaryStatus="Failed", failureReason="AlgorithmError")
    assert lines.transition_record(Transition(ended, 1_580_260_783.0, "failed")) == {
        "type": "status",
        "time": "2020-01-29T01:19:43.000Z",
        "resource": "trainingjob/xgb",
        "job": "xgb-1",
        "status": "Failed",
        "secondaryStatus": "Failed",
        "message": "failed",
    }
    assert lines.end_record(ended, 1_580_260_783.0, 3) == {
        "type": "end",
        "time": "2020-01-29T01:19:43.000Z",
        "resource": "trainingjob/xgb",
        "job": "xgb-1",
        "status": "Failed",
        "reason": "AlgorithmError",
        "exitCode": 3,
    }
    assert json.loads(lines.record({"a": "\ud800"})) == {"a": "\ud800"}
