"""A tuning job's log: its children's, all of them, and nobody else's."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.logs.follow import DRAIN
from kubectl_sagemaker.sandbox.aws import SANDBOX
from kubectl_sagemaker.sandbox.faults import EVENT_OPERATIONS, Faults
from kubectl_sagemaker.sandbox.scenario import GROUP
from tests.follow import EVERY, MEASURED, T
from tests.many import Town

KIND = "HyperParameterTuningJob"
STRANGER = "tune-baseline"
"""A job of somebody else's whose name begins like a child's."""
DOUBLE = "tune-099-0a1b2c3d"
"""A job of somebody else's that is named just like a child."""


def child(number: int) -> str:
    return f"tune-{number:03d}-{number:08x}"


def tuned(town: Town, children: int = 6, *, every: float = 20.0, lines_every: float = 1.0, last: float = 60.0) -> None:
    """A tuning job whose children start one after the other, with strangers beside them."""
    seconds = children * every + last
    town.tuning(seconds=seconds)
    for number in range(1, children + 1):
        begins = number * every - every
        town.job(child(number), begins=begins, seconds=last - 5, parent="tune", objective=1 / number)
        town.lines(child(number), begins + 3, begins + last - 5, every=lines_every)
    for name in (STRANGER, DOUBLE):
        town.job(name, begins=5)
        town.lines(name, 6, seconds, every=2.0, counts=False)


def test_every_line_of_every_child_comes_once_and_none_of_a_job_that_begins_alike() -> None:
    town = Town()
    tuned(town)
    shown = town.follow([town.log("tune", KIND)])
    assert shown.lines() == town.put
    assert shown.ends == {"tune": 0}
    assert shown.over_at - T < 180 + DRAIN + 5


@pytest.mark.parametrize("seed", range(6))
def test_whatever_befalls_the_requests(seed: int) -> None:
    town = Town()
    tuned(town, every=9.0)
    town.account.faults = Faults(
        seed,
        EVERY if seed % 2 else MEASURED,
        operations=[*EVENT_OPERATIONS, "ListTrainingJobsForHyperParameterTuningJob"],
    )
    shown = town.follow([town.log("tune", KIND)])
    assert shown.lines() == town.put


def test_a_child_joins_whose_first_lines_come_while_sagemaker_does_not_list() -> None:
    town = Town()
    tuned(town, 2)
    town.clock.advance(10)
    # Nothing is told of the second child, which starts at 20 s, before 25 s.
    refused = replace(SANDBOX, expired=((T + 15, T + 25),))
    town.account.credentials[SANDBOX.access_key] = refused
    assert town.follow([town.log("tune", KIND)]).lines() == town.put


def test_a_child_that_is_listed_late_loses_no_line() -> None:
    town = Town()
    town.tuning(seconds=100)
    town.job(child(1), seconds=90, parent="tune")
    town.lines(child(1), 3, 90)
    # In the log from 10 s on, in the list from 16 s on.
    town.job(child(2), begins=16, seconds=60, parent="tune")
    town.lines(child(2), 10, 70)
    assert town.follow([town.log("tune", KIND)]).lines() == town.put


def test_more_children_than_a_page_of_the_list() -> None:
    town = Town()
    town.tuning(seconds=5)
    for number in range(1, 231):
        town.job(child(number), seconds=2, parent="tune")
        town.line(child(number), 1 + number / 1000)
    town.clock.advance(60)
    assert town.read([town.log("tune", KIND, follow=False)]).lines() == town.put
    assert len(town.asked("ListTrainingJobsForHyperParameterTuningJob")) == 3


def test_who_may_not_list_gets_the_jobs_named_like_children_and_is_told() -> None:
    town = Town()
    tuned(town, 2)
    town.account.credentials[SANDBOX.access_key] = replace(
        SANDBOX, denied=frozenset({"sagemaker:ListTrainingJobsForHyperParameterTuningJob"})
    )
    shown = town.follow([town.log("tune", KIND)])
    jobs = {event["logStreamName"].partition("/")[0] for event in shown.events}
    assert jobs == {child(1), child(2), DOUBLE}
    assert [note for note in shown.notes if "is taken for its child" in note]


def test_a_stranger_is_asked_about_once_and_a_double_now_and_then() -> None:
    town = Town()
    tuned(town, 1)
    shown = town.follow([town.log("tune", KIND)])
    seconds = shown.over_at - T
    assert len(town.asked("ListTrainingJobsForHyperParameterTuningJob")) <= 3 + seconds / 10


def test_a_budget_of_one_request_a_second_is_enough_for_a_hundred_children() -> None:
    town = Town()
    town.tuning(seconds=300)
    for number in range(1, 101):
        town.job(child(number), begins=number / 5, seconds=270, parent="tune")
        town.lines(child(number), number / 5 + 5, 270, every=2.0)
    shown = town.follow([town.log("tune", KIND)])
    assert shown.lines() == town.put
    asked = [at - T for at in town.asked("FilterLogEvents") if 60 < at - T < 270]
    assert len(asked) / 210 <= 1.0


def test_the_best_the_n_best_and_the_failed_are_chosen() -> None:
    town = Town()
    town.tuning(seconds=100)
    ends = {
        1: ("Completed", 0.3),
        2: ("Failed", None),
        3: ("Completed", 0.1),
        4: ("Completed", 0.2),
        5: ("Stopped", None),
    }
    for number, (end, objective) in ends.items():
        town.job(child(number), seconds=50, end=end, parent="tune", objective=objective)
        town.lines(child(number), 3, 9)
    town.clock.advance(60)

    def chosen(**wanted: object) -> list[str]:
        shown = town.read([town.log("tune", KIND, follow=False, **wanted)])
        return sorted({event["logStreamName"].partition("/")[0] for event in shown.events})

    assert chosen(top=1) == [child(3)]
    assert chosen(top=2) == [child(3), child(4)]
    assert chosen(top=9) == [child(1), child(3), child(4)]
    assert chosen(failed=True) == [child(2)]
    assert chosen() == [child(number) for number in ends]


def test_what_is_maximized_is_best_where_it_is_greatest() -> None:
    town = Town()
    config = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:error"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 1},
    }
    town.job("tune", kind=KIND, seconds=100, HyperParameterTuningJobConfig=config)
    for number, objective in enumerate((0.1, 0.3, 0.2), 1):
        town.job(child(number), seconds=50, parent="tune", objective=objective)
        town.line(child(number), 3)
    town.clock.advance(60)
    shown = town.read([town.log("tune", KIND, follow=False, top=1)])
    assert [event["logStreamName"].partition("/")[0] for event in shown.events] == [child(2)]


def test_nothing_to_choose_among_is_told() -> None:
    town = Town()
    town.tuning()
    town.job(child(1), parent="tune")
    town.clock.advance(10)
    shown = town.read([town.log("tune", KIND, follow=False, top=1)])
    assert shown.notes[-1] == "hyperparametertuningjob/tune: no job that it started has an objective yet"


def test_the_header_counts_the_children_and_names_the_best_so_far() -> None:
    town = Town()
    town.tuning()
    town.job(child(1), seconds=20, parent="tune", objective=0.25)
    town.job(child(2), seconds=20, end="Failed", parent="tune")
    town.job(child(3), parent="tune")
    town.clock.advance(30)
    shown = town.read([town.log("tune", KIND, follow=False)])
    assert shown.notes[1] == (
        "hyperparametertuningjob/tune: 1 running, 1 completed, 1 failed; "
        f"best so far: {child(1)}, validation:error 0.25"
    )


def test_a_tail_holds_the_last_lines_of_each_child_and_none_of_a_stranger() -> None:
    town = Town()
    tuned(town, 3)
    town.clock.advance(130)
    shown = town.read([town.log("tune", KIND, follow=False, tail=2)])
    for number, events in itertools.groupby(
        sorted(shown.events, key=lambda event: event["logStreamName"]), lambda e: e["logStreamName"]
    ):
        assert len(list(events)) == 2, number
    assert {event["logStreamName"].partition("/")[0] for event in shown.events} == {
        child(number) for number in (1, 2, 3)
    }


def test_an_instance_can_be_asked_for_by_child() -> None:
    town = Town()
    tuned(town, 3)
    town.clock.advance(130)
    shown = town.read([town.log("tune", KIND, follow=False, instances=("002-*",))])
    assert {event["logStreamName"].partition("/")[0] for event in shown.events} == {child(2)}
    shown = town.read([town.log("tune", KIND, follow=False, instances=("algo-2",))])
    assert not shown.events


def test_the_group_of_an_account_that_never_trained_is_waited_for() -> None:
    town = Town()
    town.tuning(seconds=60)
    assert GROUP
    town.job(child(1), begins=10, seconds=30, parent="tune")
    town.lines(child(1), 20, 35)
    shown = town.follow([town.log("tune", KIND)])
    assert shown.lines() == town.put


def test_a_tuning_job_that_failed_ends_with_its_code() -> None:
    town = Town()
    town.tuning(seconds=30, end="Failed")
    town.job(child(1), seconds=20, end="Failed", parent="tune")
    town.lines(child(1), 3, 20)
    assert town.follow([town.log("tune", KIND)]).ends == {"tune": 3}


def test_a_lone_listing_that_never_works_is_an_error_in_the_end() -> None:
    town = Town()
    tuned(town, 1)
    town.clock.advance(60)
    town.account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=((0.0, T + 1e6),))
    with pytest.raises(Error):
        town.read([town.log("tune", KIND, follow=False)])
