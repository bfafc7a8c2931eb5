"""What a follow promises, over many seeds: every line that became visible, once, and an end that is the job's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from kubectl_sagemaker.logs.follow import DRAIN, LONGEST_DRAIN
from kubectl_sagemaker.sandbox.faults import EVENT_OPERATIONS, Faults
from kubectl_sagemaker.sandbox.scenario import Scenario
from tests.follow import MEASURED, Run, T, afflicted, deadline, follow, prepared, visible

SEEDS: Final = range(52)
STALLED: Final = 20.0
"""Seconds after which a request without an answer is given up."""
Record = Callable[[str, object], None]


def holds(run: Run, scenario: Scenario, record_property: Record) -> None:
    """Check what is promised whatever happens."""
    shown = visible(scenario, run.over_at)
    late = len(scenario.lines) - shown.total()
    record_property("followed", (len(scenario.lines), (shown - run.lines()).total(), len(run.printed), late))
    assert run.lines() == shown
    assert all(event["logStreamName"].startswith(f"{scenario.name}/") for event in run.printed)
    for batch in run.batches:
        stamps = [event["timestamp"] for event in batch]
        assert stamps == sorted(stamps)
    assert run.watch.job.status == scenario.stages[-1].status
    told = run.told_at[-1]
    assert run.over_at >= min(run.printed_at[-1] + DRAIN, told + LONGEST_DRAIN)
    assert run.requests <= run.over_at - T


@pytest.mark.parametrize("seed", SEEDS)
def test_every_line_is_printed_once_and_the_job_ends_it(seed: int, record_property: Record) -> None:
    scenario, account, clock = prepared(seed)
    run = follow(account, clock, seed=seed).go()
    holds(run, scenario, record_property)
    assert run.over_at <= deadline(run) + 5


@pytest.mark.parametrize("seed", SEEDS)
def test_so_it_is_with_the_faults_that_were_measured(seed: int, record_property: Record) -> None:
    scenario, account, clock = prepared(seed)
    account.faults = Faults(seed, MEASURED, operations=EVENT_OPERATIONS)
    run = follow(account, clock, seed=seed).go()
    holds(run, scenario, record_property)
    assert run.over_at <= deadline(run) + 20


@pytest.mark.parametrize("seed", SEEDS)
def test_so_it_is_when_much_goes_wrong(seed: int, record_property: Record) -> None:
    scenario, account, clock = prepared(seed)
    describe = afflicted(account, seed)
    run = follow(account, clock, seed=seed, describe=describe).go()
    holds(run, scenario, record_property)
    stalled = STALLED * sum(served.outcome == "STALL" for served in account.journal)
    outage = max((until for _, until in next(iter(account.credentials.values())).expired), default=0.0)
    assert run.over_at <= max(deadline(run), outage) + 40 + stalled


@pytest.mark.parametrize("seed", range(6))
def test_what_comes_after_the_drain_is_not_waited_for(seed: int, record_property: Record) -> None:
    # One line is shown 80 to 120 s after the end, and nobody waits so long.
    scenario, account, clock = prepared(seed, straggle=120.0)
    run = follow(account, clock, seed=seed).go()
    holds(run, scenario, record_property)
    assert len(run.printed) < len(scenario.lines)
    assert run.over_at <= run.told_at[-1] + LONGEST_DRAIN + 5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("joined", [10.0, 39.5, 50.0])
def test_one_may_join_at_any_time(seed: int, joined: float, record_property: Record) -> None:
    scenario, account, clock = prepared(seed)
    clock.advance(joined)
    run = follow(account, clock, seed=seed).go()
    shown = visible(scenario, run.over_at)
    record_property("followed", (len(scenario.lines), (shown - run.lines()).total(), len(run.printed), 0))
    assert run.lines() == shown
    assert run.over_at <= max(clock.at, run.told_at[-1] if run.told_at else 0) + LONGEST_DRAIN + 5


@pytest.mark.parametrize("seed", range(6))
def test_an_instance_is_followed_alone(seed: int) -> None:
    scenario, account, clock = prepared(seed)
    run = follow(account, clock, seed=seed, instances=("algo-[34]",)).go()
    wanted = {
        line: count
        for line, count in visible(scenario, run.over_at).items()
        if "/algo-3" in line[0] or "/algo-4" in line[0]
    }
    assert run.lines() == wanted
