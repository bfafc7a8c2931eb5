"""The scenario that readers are tested on: what it promises about lines and the moments they are shown."""

from __future__ import annotations

from collections import Counter

import pytest

from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.scenario import GROUP, Line, generate, play
from tests.transport import Clock, bind, connect

T = 1_750_000_000.0


def lag(line: Line) -> float:
    return line.visible_at - line.timestamp / 1000


def test_a_seed_makes_the_same_scenario_again() -> None:
    assert generate(3, created=T) == generate(3, created=T)
    assert generate(3, created=T) != generate(4, created=T)


@pytest.mark.parametrize("instances", [1, 4])
def test_there_are_as_many_lines_as_asked_for(instances: int) -> None:
    scenario = generate(1, created=T, instances=instances, lines=740)
    assert len(scenario.lines) == 740
    assert len({line.stream for line in scenario.lines}) == instances


def test_lines_are_late_as_measured() -> None:
    lines = generate(1, created=T, lines=20_000, seconds=600).lines
    late = [line for line in lines if 3 <= lag(line) <= 12]
    very_late = [line for line in lines if 12 < lag(line) <= 20]
    assert len(late) == pytest.approx(1_000, rel=0.15)
    assert len(very_late) == pytest.approx(200, rel=0.25)
    assert min(map(lag, lines)) >= 0.2
    assert max(map(lag, lines)) <= 20
    assert all(line.timestamp <= line.ingested <= line.visible_at * 1000 for line in lines)


@pytest.mark.parametrize("seed", range(20))
def test_a_line_is_shown_long_after_the_end_but_in_time(seed: int) -> None:
    scenario = generate(seed, created=T)
    last = max(line.visible_at for line in scenario.lines)
    assert scenario.ended + 10 <= last <= scenario.ended + 15
    assert max(line.timestamp for line in scenario.lines) / 1000 <= scenario.ended


def test_an_instance_joins_half_way() -> None:
    scenario = generate(1, created=T, seconds=40)
    first: dict[str, float] = {}
    for line in scenario.lines:
        first.setdefault(line.stream, line.timestamp / 1000 - T)
    assert [round(start) >= 22 for start in first.values()] == [False, False, False, True]


def test_lines_repeat_exactly() -> None:
    scenario = generate(1, created=T)
    repeated = Counter((line.stream, line.timestamp, line.message) for line in scenario.lines)
    assert max(repeated.values()) > 1


def test_another_job_begins_alike() -> None:
    scenario = generate(1, created=T, name="xgb")
    assert {line.stream.partition("/")[0] for line in scenario.other} == {"xgb-2"}
    assert {line.stream.partition("/")[0] for line in scenario.lines} == {"xgb"}


def test_what_is_played_is_what_an_account_shows_in_the_end() -> None:
    scenario = generate(1, created=T, end="Failed")
    clock = Clock(T + 20)
    account = Account(now=clock)
    play(scenario, account)
    logs, sagemaker = connect("logs", account), connect("sagemaker", account)
    bind(logs, account)
    bind(sagemaker, account)

    def shown() -> Counter[tuple[str, int, str]]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, logStreamNamePrefix=f"{scenario.name}/"
        )
        return Counter(
            (event["logStreamName"], event["timestamp"], event["message"]) for page in pages for event in page["events"]
        )

    def put(until: float) -> Counter[tuple[str, int, str]]:
        return Counter(
            (line.stream, line.timestamp, line.message) for line in scenario.lines if line.visible_at <= until
        )

    assert shown() == put(T + 20)
    assert sagemaker.describe_training_job(TrainingJobName="job")["TrainingJobStatus"] == "InProgress"
    clock.at = scenario.ended
    assert sagemaker.describe_training_job(TrainingJobName="job")["TrainingJobStatus"] == "Failed"
    assert shown() < put(T + 1_000)
    clock.advance(15)
    assert shown() == put(T + 1_000)
