"""Many logs as one: what was there in time order, then all side by side, within one budget."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_sagemaker.bundles import bundles
from kubectl_sagemaker.logs.events import Pause
from kubectl_sagemaker.logs.follow import DRAIN
from kubectl_sagemaker.logs.together import Joins
from kubectl_sagemaker.sandbox.faults import EVENT_OPERATIONS, Faults
from kubectl_sagemaker.sandbox.sagemaker import Stage, Step
from tests.follow import EVERY, T
from tests.many import Town


def ordered(times: list[int]) -> bool:
    return times == sorted(times)


def test_jobs_that_ended_are_read_in_time_order_over_all_of_them() -> None:
    town = Town()
    for number in range(12):
        town.job(f"job-{number}", begins=number * 7, seconds=60)
        town.lines(f"job-{number}", number * 7 + 1, number * 7 + 55, every=0.5 + number / 10)
    town.clock.advance(1_000)
    shown = town.read([town.log(f"job-{number}", follow=False) for number in range(12)])
    assert shown.lines() == town.put
    assert ordered([event["timestamp"] for event in shown.events])


@pytest.mark.parametrize(
    ("count", "said"), [(49, []), (60, ["reading the last lines of 60 logs, 5 a second: about 12s"])]
)
def test_the_last_lines_of_many_take_a_while_and_that_is_said(count: int, said: list[str]) -> None:
    town = Town()
    for number in range(count):
        town.job(f"job-{number}", seconds=60)
        town.line(f"job-{number}", 5, counts=False)
        town.line(f"job-{number}", 50)
    town.clock.advance(1_000)
    shown = town.read([town.log(f"job-{number}", follow=False, tail=1) for number in range(count)])
    assert [note for note in shown.notes if "reading" in note] == said
    assert shown.lines() == town.put


def test_logs_longer_than_a_page_stay_in_order_and_whole() -> None:
    town = Town()
    for name in ("a", "b", "c"):
        town.job(name, seconds=400)
        town.lines(name, 1, 390, every=0.03)
    town.clock.advance(1_000)
    shown = town.read([town.log(name, follow=False) for name in ("a", "b", "c")])
    assert shown.lines() == town.put
    assert ordered([event["timestamp"] for event in shown.events])


def test_a_log_is_opened_only_when_its_time_has_come() -> None:
    town = Town()
    for name, begins in (("early", 0), ("late", 3_600)):
        town.job(name, begins=begins, seconds=100)
        town.lines(name, begins + 1, begins + 90)
    town.clock.advance(7_200)
    shown = town.read([town.log(name, follow=False) for name in ("late", "early")])
    assert [message.split()[0] for message in shown.messages] == ["early"] * 89 + ["late"] * 89


def test_a_name_that_begins_alike_is_another_job() -> None:
    town = Town()
    for name in ("xgb", "xgb-2"):
        town.job(name, seconds=50)
        town.lines(name, 1, 40)
    town.clock.advance(100)
    shown = town.read([town.log("xgb", follow=False)])
    assert {message.split()[0] for message in shown.messages} == {"xgb"}


def test_each_followed_to_its_end_and_no_line_lost_or_told_twice() -> None:
    town = Town()
    ends = {"a": (30, "Completed"), "b": (90, "Failed"), "c": (60, "Stopped")}
    for name, (seconds, end) in ends.items():
        town.job(name, seconds=seconds, end=end)
        town.lines(name, 1, seconds - 1)
    shown = town.follow([town.log(name) for name in ends])
    assert shown.lines() == town.put
    assert shown.ends == {"a": 0, "b": 3, "c": 4}
    assert shown.over_at - T < 90 + DRAIN + 10


@pytest.mark.parametrize("seed", range(4))
def test_whatever_befalls_the_requests(seed: int) -> None:
    town = Town()
    for number in range(5):
        town.job(f"job-{number}", begins=number * 3, seconds=40)
        town.lines(f"job-{number}", number * 3 + 1, number * 3 + 39)
        town.line(f"job-{number}", number * 3 + 20, late=11, host="algo-2")
    town.account.faults = Faults(seed, EVERY, operations=EVENT_OPERATIONS)
    town.clock.advance(20)
    shown = town.follow([town.log(f"job-{number}") for number in range(5)])
    assert shown.lines() == town.put


def test_what_was_there_comes_in_time_order_before_what_comes_live() -> None:
    town = Town()
    for name in ("a", "b", "c"):
        town.job(name, seconds=200)
        town.lines(name, 1, 190)
    town.clock.advance(100)
    shown = town.follow([town.log(name) for name in ("a", "b", "c")])
    past = [event["timestamp"] for event in shown.events if event["timestamp"] < (T + 99) * 1000]
    assert ordered(past)
    assert shown.lines() == town.put


def test_they_share_one_budget() -> None:
    town = Town()
    for number in range(20):
        town.job(f"job-{number}", seconds=300)
        town.lines(f"job-{number}", 1, 290, every=2.0)
    shown = town.follow([town.log(f"job-{number}") for number in range(20)])
    assert shown.lines() == town.put
    asked = [at - T for at in town.asked("FilterLogEvents") if 60 < at - T < 290]
    assert len(asked) / 230 <= 1.0


def test_none_waits_longer_for_its_turn_than_the_others() -> None:
    town = Town()
    for number in range(10):
        town.job(f"job-{number}", seconds=200)
        town.lines(f"job-{number}", 1, 190)
    shown = town.follow([town.log(f"job-{number}") for number in range(10)])
    late = dict.fromkeys(shown.owners, 0.0)
    for event, at, owner in zip(shown.events, shown.at, shown.owners, strict=True):
        if T + 60 < event["timestamp"] / 1000 < T + 190:
            late[owner] = max(late[owner], at - event["timestamp"] / 1000)
    assert max(late.values()) < 2 * min(late.values())


# Followed, jobs of one log group have their chains together


@pytest.mark.parametrize("pattern", ["job-{}", "{}-job"])
def test_the_lines_of_many_jobs_come_as_soon_as_those_of_one(pattern: str) -> None:
    town = Town()
    names = [town.job(pattern.format(number), seconds=300) for number in range(40)]
    town.lines("somebody-else", 1, 290, counts=False)
    for name in names:
        town.lines(name, 1, 290, every=2.0)
    shown = town.follow([town.log(name) for name in names])
    assert shown.lines() == +town.put
    assert shown.ends == dict.fromkeys(names, 0)
    assert [event["logStreamName"].partition("/")[0] for event in shown.events] == shown.owners
    # Until then they are caught up with one after the other.
    live = [(at, event["timestamp"] / 1000) for event, at in zip(shown.events, shown.at, strict=True) if at > T + 15]
    assert max(at - written for at, written in live) < 3
    asked = [at - T for at in town.asked("FilterLogEvents") if 60 < at - T < 290]
    assert len(asked) / 230 <= 1.0


@pytest.mark.parametrize("seed", range(40))
def test_jobs_that_join_and_end_as_they_like_lose_no_line_and_repeat_none(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- no secret; a seed must give the same again
    town = Town()
    names = chance.choice(("job-{}", "{}-job"))
    begins = {names.format(number): 0.0 if number < 3 else chance.uniform(0, 200) for number in range(9)}
    for name, begin in begins.items():
        seconds = chance.uniform(5, 250)
        town.job(name, begins=begin, seconds=seconds, end=chance.choice(("Completed", "Failed", "Stopped")))
        at = begin
        while (at := at + chance.choice((0.02, 0.5, 3, 40))) < begin + seconds:
            late = chance.choice((0.1, 1, 10, 90)) if chance.random() < 0.1 else 0.3
            # What is shown after the drain window of a job that has ended is nobody's to wait for.
            late = min(late, max(0.3, begin + seconds + 10 - at))
            town.line(name, at, late=late, host=chance.choice(("algo-1", "algo-2")))
            town.line(f"{name}-other", at, counts=False)
    if seed % 2:
        town.account.faults = Faults(seed, EVERY, operations=EVENT_OPERATIONS)
    town.account.logs.scan_limit = chance.choice((50, 100_000))

    def finder() -> Iterator[Any]:
        waiting = dict(begins)
        while True:
            for name in [name for name, begin in waiting.items() if T + begin <= town.clock()]:
                del waiting[name]
                yield Joins(log := town.log(name), log.followed())
            yield Pause(town.clock() + 3)

    # This one keeps the rest together: while it runs, whoever comes later is waited for.
    town.job("job-long", seconds=500)
    begins["job-long"] = 0.0
    shown = town.follow([], finder=finder())
    assert shown.lines() == +town.put
    assert set(shown.ends) == set(begins)


def test_a_tail_of_many_jobs_begins_with_the_last_lines_of_each_and_loses_none_after() -> None:
    town = Town()
    names = [town.job(f"job-{number}", seconds=500) for number in range(6)]
    for name in names:
        town.lines(name, 1, 490)
    town.clock.advance(300)
    shown = town.follow([town.log(name, tail=5) for name in names])
    first: dict[str, float] = {}
    for event, owner in zip(shown.events, shown.owners, strict=True):
        first.setdefault(owner, event["timestamp"] / 1000 - T)
    assert set(first) == set(names)
    assert all(294 <= at <= 301 for at in first.values())
    wanted = [line for line in town.put if line[1] >= (T + first[line[0].partition("/")[0]]) * 1000]
    assert shown.lines() == dict.fromkeys(wanted, 1)


def test_a_job_that_is_followed_twice_is_told_twice() -> None:
    town = Town()
    town.job("job-1", seconds=60)
    town.lines("job-1", 1, 59)
    shown = town.follow([town.log("job-1"), town.log("job-1")])
    assert shown.lines() == dict.fromkeys(town.put, 2)


def test_what_was_forgotten_of_a_job_is_not_told_again_because_another_was_quiet() -> None:
    town = Town()
    town.job("job-quiet", seconds=4_000)
    town.lines("job-quiet", 1, 30)
    town.job("job-busy", seconds=4_000)
    town.lines("job-busy", 1, 3_990)
    # In pages, behind which it forgets.
    town.account.logs.scan_limit = 500

    def finder() -> Iterator[Any]:
        yield Joins(log := town.log("job-quiet"), log.followed())
        yield Pause(T + 3_600)
        yield Joins(log := town.log("job-busy"), log.followed())
        yield Pause(T + 10_000)

    assert town.follow([], finder=finder()).lines() == town.put


def test_where_a_common_beginning_is_full_of_others_each_goes_on_by_itself() -> None:
    town = Town()
    names = [town.job(f"job-{number}", seconds=200) for number in range(3)]
    for name in names:
        town.lines(name, 1, 190)
    town.lines("job-noise", 1, 190, every=0.1, counts=False)
    # A chain over them all has more pages than there are jobs.
    town.account.logs.scan_limit = 50
    shown = town.follow([town.log(name) for name in names])
    assert shown.lines() == +town.put
    assert [chains.apart for chains in town.shared.values()] == [True]


def test_a_log_that_is_found_later_joins_and_the_end_waits_for_it() -> None:
    town = Town()
    town.job("first", seconds=50)
    town.lines("first", 1, 49)

    def finder() -> Iterator[Any]:
        found = False
        while True:
            if not found and town.clock() >= T + 30:
                found = True
                town.job("second", begins=30, seconds=40)
                town.lines("second", 31, 69)
                yield Joins(log := town.log("second"), log.followed())
            elif town.clock() < T + 1:
                yield Joins(log := town.log("first"), log.followed())
            yield Pause(town.clock() + 3)

    shown = town.follow([], finder=finder())
    assert shown.lines() == town.put
    assert shown.ends == {"first": 0, "second": 0}


def test_while_nothing_is_found_the_finder_is_waited_for() -> None:
    town = Town()
    town.job("late", begins=500, seconds=20)
    town.lines("late", 502, 519)

    def finder() -> Iterator[Any]:
        while town.clock() < T + 500:
            yield Pause(town.clock() + 3)
        yield Joins(log := town.log("late"), log.followed())
        while True:
            yield Pause(town.clock() + 3)

    assert town.follow([], finder=finder()).lines() == town.put


# A pipeline execution: its steps' jobs, one by one


ARN = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn/execution/k3v9"


def pipeline(town: Town, *, end: str = "Succeeded", train_end: str = "Completed") -> None:
    """Three steps with a job and one without, in 200 s."""
    town.job("pipelines-k3v9-Prepare-Xq2B", begins=2, seconds=50, kind="ProcessingJob")
    town.job("pipelines-k3v9-Train-9WmZ", begins=60, seconds=60, end=train_end)
    for at in range(65, 115):
        town.line("pipelines-k3v9-Train-9WmZ", at)
    town.account.jobs.put(
        "PipelineExecution",
        "churn/execution/k3v9",
        [Stage(0, "Executing"), Stage(130, end)],
        created=T,
        steps=[
            Step("Prepare", 1, "ProcessingJob", "pipelines-k3v9-Prepare-Xq2B"),
            Step("Train", 59, "TrainingJob", "pipelines-k3v9-Train-9WmZ"),
            Step("Good", 125, metadata={"Condition": {"Outcome": "True"}}),
        ],
    )


EXECUTION = "churn/execution/k3v9"


def test_a_pipelines_steps_are_followed_as_they_start_and_it_ends_with_the_execution() -> None:
    town = Town()
    pipeline(town)
    shown = town.follow([town.log(EXECUTION, "PipelineExecution")])
    assert shown.lines() == town.put
    assert shown.ends[ARN] == 0
    steps = [note.partition(": step ")[2] for note in shown.notes if ": step " in note]
    assert [step for step in steps if "Starting" not in step] == [
        "Prepare: Executing",
        "Prepare: Succeeded",
        "Train: Executing",
        "Train: Succeeded",
        "Good: Succeeded",
    ]


def test_a_steps_job_is_known_by_its_name_in_its_own_letters() -> None:
    """A step tells an ARN, where names are lower-cased; a log's streams have the name itself."""
    town = Town()
    pipeline(town)
    town.clock.advance(300)
    shown = town.read([town.log(EXECUTION, "PipelineExecution", follow=False)])
    assert shown.lines() == town.put
    assert [note for note in shown.notes if "pipelines-k3v9-Train-9WmZ" in note]


def test_a_pipeline_that_failed_ends_with_its_code_and_says_which_step_did() -> None:
    town = Town()
    pipeline(town, end="Failed", train_end="Failed")
    shown = town.follow([town.log(EXECUTION, "PipelineExecution")])
    assert shown.ends[ARN] == 3
    assert [note for note in shown.notes if "step Train: Failed: AlgorithmError of pipelines" in note]


def test_of_a_pipelines_jobs_the_failed_can_be_chosen() -> None:
    town = Town()
    pipeline(town, end="Failed", train_end="Failed")
    town.clock.advance(300)
    shown = town.read([town.log(EXECUTION, "PipelineExecution", follow=False, failed=True)])
    assert {event["logStreamName"].partition("/")[0] for event in shown.events} == {"pipelines-k3v9-Train-9WmZ"}


def test_a_tuning_step_brings_the_lines_of_its_training_jobs() -> None:
    town = Town()
    town.tuning("pipelines-k3v9-Tune", seconds=80)
    child = "pipelines-k3v9-Tune-001-0a1b2c3d"
    town.job(child, seconds=70, parent="pipelines-k3v9-Tune")
    town.lines(child, 5, 69)
    town.account.jobs.put(
        "PipelineExecution",
        EXECUTION,
        [Stage(0, "Executing"), Stage(85, "Succeeded")],
        created=T,
        steps=[Step("Tune", 1, "HyperParameterTuningJob", "pipelines-k3v9-Tune")],
    )
    log = town.log(EXECUTION, "PipelineExecution")
    shown = town.follow([log])
    assert shown.lines() == town.put


# Names that begin alike, read in one chain


def sweep(town: Town, jobs: int = 30) -> list[str]:
    """Finished jobs whose names begin alike, with a neighbour's beside them."""
    names = [town.job(f"sweep-{number}", begins=number, seconds=60) for number in range(jobs)]
    for number, name in enumerate(names):
        town.lines(name, number + 1, number + 59, every=0.7 + number / 100)
    town.job("sweep-of-others", seconds=100)
    town.lines("sweep-of-others", 1, 90, counts=False)
    town.clock.advance(10_000)
    return names


def test_names_that_begin_alike_are_read_in_one_chain_and_only_theirs() -> None:
    town = Town()
    names = sweep(town)
    shown = town.read([town.log(name, follow=False) for name in names])
    assert shown.lines() == town.put
    assert ordered([event["timestamp"] for event in shown.events])
    assert [event["logStreamName"].partition("/")[0] for event in shown.events] == shown.owners
    assert town.bundled == 30
    assert len(town.asked("FilterLogEvents")) <= 3


def test_where_most_lines_are_other_jobs_each_log_is_read_by_itself() -> None:
    town = Town()
    names = sweep(town, 4)
    for number in range(40):
        town.job(f"sweep-noise-{number}", seconds=200)
        town.lines(f"sweep-noise-{number}", 1, 190, every=0.5, counts=False)
    shown = town.read([town.log(name, follow=False) for name in names])
    assert shown.lines() == town.put
    assert town.bundled == 0


def test_a_log_of_the_bundle_that_starts_later_than_asked_for_is_cut_where_it_was_asked_for() -> None:
    town = Town()
    names = sweep(town, 5)
    shown = town.read([town.log(name, follow=False, since=T + 40, until=T + 50) for name in names])
    assert {round(event["timestamp"] / 1000 - T) for event in shown.events} <= set(range(40, 51))
    within = {line for line in +town.put if (T + 40) * 1000 <= line[1] <= (T + 50) * 1000}
    assert shown.lines() == dict.fromkeys(within, 1)


def test_a_job_of_the_bundle_without_a_line_is_known() -> None:
    town = Town()
    names = sweep(town, 5)
    town.job("sweep-quiet", seconds=10)
    logs = [town.log(name, follow=False) for name in (*names, "sweep-quiet")]
    for log in logs:
        list(log.opened())
    (bundle,), rest = bundles(logs)
    assert rest == []
    for item in bundle.read(alone=True):
        if isinstance(item, list):
            list(bundle.runs(item))
    assert [log.job.name for log in bundle.silent] == ["sweep-quiet"]
