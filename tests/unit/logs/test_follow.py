"""What a follow promises, over many seeds: every line that became visible, once, and an end that is the job's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from kubectl_sagemaker.errors import Unavailable
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.logs.follow import DRAIN, LONGEST_DRAIN
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account
from kubectl_sagemaker.sandbox.faults import EVENT_OPERATIONS, Fault, Faults
from kubectl_sagemaker.sandbox.scenario import Scenario, generate, play
from tests.follow import Run, SharedClock, T, follow, visible
from tests.transport import Clock

SEEDS: Final = range(52)
ENDS: Final = ("Completed", "Failed", "Stopped")
MEASURED: Final = {Fault.THROTTLED: 0.15, Fault.UNAVAILABLE: 0.05, Fault.RESET: 0.03, Fault.EMPTY_PAGE: 0.05}
"""Share of the requests that each fault befalls: those with which other tools were measured."""
RATES: Final = {
    Fault.THROTTLED: 0.15,
    Fault.UNAVAILABLE: 0.03,
    Fault.UNAVAILABLE_PAGE: 0.02,
    Fault.RESET: 0.03,
    Fault.CUT: 0.02,
    Fault.PROXY_PAGE: 0.02,
    Fault.EMPTY_PAGE: 0.04,
    Fault.SHORT_PAGE: 0.04,
    Fault.EXPIRED_TOKEN: 0.02,
}
"""As many again, and of every sort."""
STALLED: Final = 20.0
"""Seconds after which a request without an answer is given up."""
Record = Callable[[str, object], None]


def prepared(seed: int, **scenario: Any) -> tuple[Scenario, Account, Clock]:
    """The job of a seed in an account of its own, from the moment of its creation."""
    clock = SharedClock(seconds=3_600)
    account = Account(now=clock)
    made = generate(seed, created=T, end=ENDS[seed % 3], **scenario)
    play(made, account)
    return made, account, clock


def deadline(run: Run) -> float:
    """When the follow should have ended, by what it showed: its drain window after its last news, or the last call."""
    told = run.told_at[-1]
    late = max(at - event["timestamp"] / 1000 for at, event in zip(run.printed_at, run.printed, strict=True))
    window = max(DRAIN, min(LONGEST_DRAIN, 2 * late))
    return min(max(told, run.printed_at[-1]) + window, told + LONGEST_DRAIN)


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
    chance = random.Random(seed)  # noqa: S311 -- no secret; a seed must give the same again
    stalls = {Fault.STALL: 0.01} if seed % 3 == 1 else {}
    account.faults = Faults(seed, {**RATES, **stalls}, operations=EVENT_OPERATIONS)
    account.logs.scan_limit = chance.choice((300, 1_000, 100_000))
    account.logs.token_lifetime = chance.choice((1.5, 10.0, 86_400.0))
    account.quotas = {"FilterLogEvents": chance.choice((2.0, 5.0))}
    expired_until = 0.0
    if seed % 3 == 0:
        # Not from the very beginning: refused before any answer, credentials are an error.
        begin = T + chance.uniform(20, 70)
        expired_until = begin + chance.uniform(5, 40)
        account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=((begin, expired_until),))
    run = follow(account, clock, seed=seed, describe=flaky(account, chance)).go()
    holds(run, scenario, record_property)
    stalled = STALLED * sum(served.outcome == "STALL" for served in account.journal)
    assert run.over_at <= max(deadline(run), expired_until) + 40 + stalled


def flaky(account: Account, chance: random.Random) -> Callable[[Job], dict[str, Any]]:
    """Describe that fails every third time. Through botocore it would wait for its tries in real time."""

    def describe(job: Job) -> dict[str, Any]:
        if chance.random() < 1 / 3:
            raise Unavailable("sagemaker:DescribeTrainingJob: The service is unavailable.")
        return account.jobs.state("TrainingJob", job.job_name or "")

    return describe


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
