"""A job's state as two witnesses tell it: what is news, what is stale, and when it has ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from kubectl_sagemaker.errors import Error, Forbidden, NotFound, Unavailable
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.logs.events import Note, Transition
from kubectl_sagemaker.logs.watch import DESCRIBE_EVERY, LONG_AGO, RESOURCE_EVERY, Watch
from kubectl_sagemaker.parallel import NotYet
from tests.follow import SharedClock, T, job


class Witnesses:
    """A resource and SageMaker, each with what it shows from given moments (s after T) on; errors are raised."""

    def __init__(
        self,
        resource: Mapping[float, Job | Exception] | None = None,
        sagemaker: Mapping[float, Mapping[str, Any] | Exception] | None = None,
    ) -> None:
        self.clock = SharedClock()
        self.resource = resource or {0: job()}
        self.sagemaker = sagemaker or {0: Forbidden("sagemaker:DescribeTrainingJob: not authorized")}
        self.looks = self.questions = 0

    def _now(self, shown: Mapping[float, Any]) -> Any:
        current = [state for at, state in shown.items() if T + at <= self.clock()][-1]
        if isinstance(current, Exception):
            raise current
        return current

    def look(self, _: Job) -> Job:
        self.looks += 1
        found: Job = self._now(self.resource)
        return found

    def describe(self, _: Job) -> dict[str, Any]:
        self.questions += 1
        return dict(self._now(self.sagemaker))

    def watch(self, first: Job | None = None) -> Watch:
        return Watch(first or job(), look=self.look, describe=self.describe, now=self.clock)

    def told(self, watch: Watch, seconds: float) -> list[tuple[str | None, str | None, str | None] | str]:
        """What the watch tells while so many seconds pass: transitions as triples, notes as texts."""
        told: list[tuple[str | None, str | None, str | None] | str] = []
        until = self.clock() + seconds
        while self.clock() < until:
            for item in watch.poll():
                if isinstance(item, Note):
                    told.append(item.text)
                else:
                    assert isinstance(item, Transition)
                    told.append((item.job.status, item.job.secondary_status, item.message))
            self.clock.advance(1.0)
        return told


def described(status: str, *history: tuple[str, str], **more: Any) -> dict[str, Any]:
    """SageMaker's answer: a status, and secondary states with their messages."""
    return {
        "TrainingJobStatus": status,
        "SecondaryStatus": history[-1][0],
        "SecondaryStatusTransitions": [{"Status": name, "StatusMessage": message} for name, message in history],
        "CreationTime": datetime.fromtimestamp(T - 10, UTC),
        **more,
    }


def test_the_resource_is_looked_at_often_and_sagemaker_seldom() -> None:
    witnesses = Witnesses(sagemaker={0: described("InProgress", ("Starting", ""))})
    witnesses.told(witnesses.watch(), 300)
    assert witnesses.looks <= 300 / RESOURCE_EVERY
    assert witnesses.questions <= 300 / DESCRIBE_EVERY


def test_each_change_of_the_resource_is_told_once() -> None:
    witnesses = Witnesses(
        {
            0: job(secondaryStatus="Starting"),
            20: job(secondaryStatus="Training"),
            50: job(status="Completed", secondaryStatus="Completed"),
        }
    )
    told = witnesses.told(witnesses.watch(job(secondaryStatus="Starting")), 100)
    assert [item for item in told if isinstance(item, tuple)] == [
        ("InProgress", "Training", None),
        ("Completed", "Completed", None),
    ]


def test_a_message_that_changes_is_told_once_and_so_is_one_that_comes_again() -> None:
    history = ("Starting", "Launching"), ("Starting", "Insufficient capacity, retrying")
    witnesses = Witnesses(
        {0: job(secondaryStatus="Starting")},
        {
            0: described("InProgress", history[0]),
            100: described("InProgress", history[1]),
            200: described("InProgress", history[0]),
        },
    )
    told = witnesses.told(witnesses.watch(job(secondaryStatus="Starting")), 300)
    assert [item[2] for item in told if isinstance(item, tuple)] == ["Launching", history[1][1], "Launching"]


def test_a_resource_that_stands_still_takes_nothing_back() -> None:
    # Kinds without a secondary status have no history to tell what is past.
    witnesses = Witnesses({0: job()}, {0: {"TrainingJobStatus": "InProgress"}, 40: {"TrainingJobStatus": "Stopping"}})
    told = witnesses.told(witnesses.watch(), 200)
    assert told == [("Stopping", None, None)]


def test_a_controller_that_comes_late_through_what_is_past_is_not_told() -> None:
    witnesses = Witnesses(
        {
            0: job(secondaryStatus="Starting"),
            70: job(secondaryStatus="Downloading"),
            100: job(secondaryStatus="Training"),
        },
        {0: described("InProgress", ("Starting", "a"), ("Downloading", "b"), ("Training", "c"))},
    )
    told = witnesses.told(witnesses.watch(job(secondaryStatus="Starting")), 200)
    assert told == [("InProgress", "Training", "c")]


def test_what_the_resource_says_next_is_told_although_sagemaker_was_ahead_once() -> None:
    witnesses = Witnesses(
        {0: job(secondaryStatus="Starting"), 40: job(secondaryStatus="Uploading")},
        {0: described("InProgress", ("Starting", ""), ("Training", "t"))},
    )
    told = witnesses.told(witnesses.watch(job(secondaryStatus="Starting")), 50)
    assert told == [("InProgress", "Training", "t"), ("InProgress", "Uploading", None)]


def test_sagemaker_ends_a_job_whose_controller_is_gone() -> None:
    witnesses = Witnesses(
        {0: job(secondaryStatus="Training")},
        {0: described("InProgress", ("Training", "")), 50: described("Failed", ("Failed", "m"), FailureReason="oom")},
    )
    watch = witnesses.watch(job(secondaryStatus="Training"))
    told = witnesses.told(watch, 100)
    assert told[-1] == ("Failed", "Failed", "m")
    assert watch.job.reason == "oom"
    assert watch.ended_at is not None
    assert T + 50 <= watch.ended_at <= T + 50 + DESCRIBE_EVERY


def test_after_the_end_sagemaker_is_asked_once_for_the_reason_and_nobody_after() -> None:
    witnesses = Witnesses(
        {0: job(), 10: job(status="Failed")}, {0: described("Failed", ("Failed", "m"), FailureReason="out of memory")}
    )
    watch = witnesses.watch(job(status="Failed"))
    witnesses.told(watch, 200)
    assert (witnesses.looks, witnesses.questions) == (0, 1)
    assert watch.job.reason == "out of memory"
    assert watch.due == math.inf


@pytest.mark.parametrize(("ago", "believed"), [(LONG_AGO + 5, True), (LONG_AGO - 5, False)])
def test_an_end_long_ago_is_believed_and_a_recent_one_dates_from_now(ago: float, believed: bool) -> None:
    ended = datetime.fromtimestamp(T - ago, UTC)
    witnesses = Witnesses(sagemaker={0: described("Completed", ("Completed", ""), TrainingEndTime=ended)})
    watch = witnesses.watch(job(status="Completed"))
    witnesses.told(watch, 3)
    assert watch.ended_at == (T - ago if believed else T)


def test_creation_is_sagemakers() -> None:
    witnesses = Witnesses(sagemaker={0: described("InProgress", ("Starting", ""))})
    watch = witnesses.watch()
    witnesses.told(watch, 3)
    assert watch.creation_time == T - 10


def test_describe_that_is_denied_is_said_once() -> None:
    witnesses = Witnesses()
    assert witnesses.told(witnesses.watch(), 200) == [
        "sagemaker:DescribeTrainingJob: not authorized; going by trainingjob/job alone"
    ]


def test_a_cluster_that_is_away_is_said_once_asked_less_often_and_believed_again() -> None:
    away = Unavailable("no route to host")
    witnesses = Witnesses({0: job(), 10: away, 100: job(secondaryStatus="Training")})
    told = witnesses.told(witnesses.watch(), 150)
    assert "no route to host; the log goes on" in told
    assert told[-1] == ("InProgress", "Training", None)
    assert len(told) == 3
    assert witnesses.looks <= 4 + 90 / 15 + 50 / RESOURCE_EVERY


def test_an_answer_that_takes_its_time_is_waited_for_by_nobody_and_believed_when_it_comes() -> None:
    witnesses = Witnesses({0: job(), 10: NotYet(), 40: job(status="Completed")})
    watch = witnesses.watch()
    denied = "sagemaker:DescribeTrainingJob: not authorized; going by trainingjob/job alone"
    assert witnesses.told(watch, 12) == [denied]
    assert witnesses.told(watch, 20) == ["no answer about trainingjob/job for 5 s; the log goes on"]
    assert witnesses.told(watch, 10) == [("Completed", None, None)]


def test_a_resource_that_is_deleted_leaves_sagemakers_word() -> None:
    witnesses = Witnesses(
        {0: job(), 10: NotFound("not found")},
        {0: described("InProgress", ("Training", "")), 60: described("Stopped", ("Stopped", ""))},
    )
    watch = witnesses.watch()
    told = witnesses.told(watch, 120)
    assert sum("was deleted" in item for item in told if isinstance(item, str)) == 1
    assert watch.job.status == "Stopped"
    assert witnesses.looks <= 5


def test_a_deleted_resource_without_a_job_is_an_error() -> None:
    witnesses = Witnesses({0: NotFound("not found")}, {0: NotFound("no such job")})
    with pytest.raises(Error, match="SageMaker has no job 'job'"):
        witnesses.told(witnesses.watch(), 60)


@pytest.mark.parametrize("trouble", [NotFound("deleted"), Forbidden("no")])
def test_without_a_name_nothing_else_is_left_to_go_by(trouble: Error) -> None:
    witnesses = Witnesses({0: trouble})
    watch = witnesses.watch(job()._replace(job_name=None))
    with pytest.raises(type(trouble)):
        witnesses.told(watch, 60)
