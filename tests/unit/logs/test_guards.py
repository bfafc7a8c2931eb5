"""What the engine guards against, a story for each: docs/architecture.md names the guard that each test holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kubectl_sagemaker.errors import Error, NotFound, Unauthorized, Unavailable
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.logs.follow import DRAIN, LONGEST_DRAIN
from kubectl_sagemaker.sandbox.aws import SANDBOX, Credential
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.scenario import GROUP
from tests.follow import Run, Story, T, denied, job, remembered, stale

HOUR = 3_600.0


def printed_after(run: Run, message: str) -> float:
    """Seconds after T at which a message was printed."""
    return run.printed_at[run.messages.index(message)] - T


def complete(run: Run, story: Story) -> None:
    """Check that every line that was put is printed, once."""
    assert run.lines() == story.put


# Late lines


def test_a_line_some_seconds_late_comes_with_the_next_poll() -> None:
    # The overlap of narrow polls: without it the line waits for a wide scan.
    story = Story(seconds=100)
    story.lines(0, 100)
    late = [(at, story.line(at, late=12)) for at in (20.5, 31.5, 43.5, 52.5, 64.5)]
    run = story.follow().go()
    complete(run, story)
    for at, message in late:
        assert at + 12 <= printed_after(run, message) <= at + 12 + 2


@pytest.mark.parametrize("late", [45, 75, 110])
def test_a_line_a_minute_late_comes_while_the_job_goes_on(late: float) -> None:
    # The wide scan: no narrow poll looks back so far.
    story = Story(seconds=600)
    story.lines(0, 600)
    message = story.line(200, "late", late=late)
    run = story.follow().go()
    complete(run, story)
    assert printed_after(run, message) <= 200 + late + 45


def test_lateness_that_was_seen_is_looked_for_from_then_on() -> None:
    # The window grows: after one line 150 s late, caught in a quiet job, others as late are caught in a busy one.
    story = Story(seconds=800)
    story.lines(0, 100)
    story.line(90, "first", late=150)
    story.lines(300, 800)
    others = [story.line(400.5 + step, late=150) for step in range(0, 200, 7)]
    run = story.follow().go()
    complete(run, story)
    assert all(printed_after(run, message) < 800 for message in others)


def test_what_was_forgotten_is_not_read_again_when_the_window_grows() -> None:
    # Lines of whose ids most are forgotten, then one so late that the window would reach back to them.
    story = Story(seconds=900)
    story.lines(0, 300, every=0.25)
    story.line(200, "late", late=400)
    run = story.follow().go()
    complete(run, story)


@pytest.mark.parametrize("seconds", [244, 256, 268])
def test_a_wide_scan_under_way_at_the_end_reads_nothing_again(seconds: float) -> None:
    # The last scan finds a line, so that the log goes on; ids behind it are forgotten meanwhile.
    story = Story(seconds=seconds)
    story.account.logs.scan_limit = 30
    story.lines(0, seconds, every=0.5)
    story.line(seconds - 50, "late", late=64)
    for step in range(10):
        story.line(seconds - 1 - step / 10, f"after {step}", late=23 + step)
    complete(story.follow().go(), story)


def test_what_comes_behind_a_long_catching_up_is_found() -> None:
    # The first wide scan goes back to when the first chain began, not to when it was over, which is 300 s later here.
    story = Story()
    story.account.logs.scan_limit = 6
    story.lines(0, 750, every=0.5)
    story.clock.advance(300)
    story.line(450, "behind", late=110)
    run = story.follow(latency=1.5).go(until=T + 630)
    story.account.logs.scan_limit = 100_000
    run.go(until=T + 750)
    assert "behind" in run.messages


def test_an_instance_joins_in_the_middle() -> None:
    # A fresh chain each time: a token knows only the streams that were there when its chain began.
    story = Story(seconds=120)
    story.account.logs.scan_limit = 40
    story.lines(0, 120)
    story.lines(60, 120, host="algo-2")
    story.lines(119, 120, host="algo-3", every=0.1)
    complete(story.follow().go(), story)


# The end


@pytest.mark.parametrize("shown", [1, 5, 9, 14])
@pytest.mark.parametrize("old", [0.5, 20, 50, 80])
def test_what_is_shown_while_draining_is_printed(shown: float, old: float) -> None:
    # The drain for what is new, the last scan for what is old.
    story = Story(seconds=100)
    story.lines(0, 100)
    story.line(100 - old, "late", late=old + shown)
    run = story.follow().go()
    complete(run, story)
    assert run.over_at >= T + 100 + DRAIN


@pytest.mark.parametrize("fast", [-240, 0, 240])
def test_lateness_lengthens_the_drain(fast: float) -> None:
    # Lines 25 s late have been seen, so one that is shown 40 s after the end is still waited for.
    story = Story(seconds=100)
    story.lines(0, 100)
    for at in range(10, 90, 4):
        story.line(at + 0.5, late=25)
    story.line(99.5, "last", late=40)
    run = story.follow(fast=fast).go()
    complete(run, story)
    assert run.over_at <= T + 100 + LONGEST_DRAIN + 5


def test_a_last_scan_that_finds_a_line_starts_the_wait_anew() -> None:
    # The first line lies behind the narrow polls and is found by the last scan only; the second comes after it.
    story = Story(seconds=100)
    story.lines(0, 100)
    story.line(55, "first", late=57)
    story.line(99.9, "second", late=25)
    complete(story.follow().go(), story)


def test_lines_that_never_stop_do_not_hold_the_end_up() -> None:
    story = Story(seconds=50)
    story.lines(0, 50)
    story.lines(50, 200, every=0.1)
    run = story.follow().go()
    assert run.over_at <= T + 50 + LONGEST_DRAIN + 8
    assert run.watch.job.status == "Completed"


@pytest.mark.parametrize("fast", [-240, 0, 240])
def test_a_job_that_ended_long_ago_is_over_at_once(fast: float) -> None:
    story = Story(seconds=100)
    story.lines(0, 100)
    story.clock.advance(HOUR)
    run = story.follow(fast=fast).go()
    complete(run, story)
    assert run.over_at <= T + HOUR + 3


@pytest.mark.parametrize("fast", [-240, 0, 240])
def test_one_that_has_just_ended_is_drained(fast: float) -> None:
    story = Story(seconds=100)
    story.lines(0, 100)
    story.line(99, "late", late=14)
    story.clock.advance(103)
    run = story.follow(fast=fast).go()
    complete(run, story)
    assert T + 103 + DRAIN <= run.over_at <= T + 103 + LONGEST_DRAIN


# Clocks


@pytest.mark.parametrize("fast", [-240, 240])
@pytest.mark.parametrize("tail", [None, 5])
def test_our_clock_may_be_wrong(fast: float, tail: int | None) -> None:
    story = Story(seconds=200)
    story.lines(0, 200)
    for at in (60, 90, 120, 150):
        story.line(at + 0.5, late=12)
        story.line(at + 0.7, late=40)
    story.clock.advance(50)
    run = story.follow(fast=fast, tail=tail).go()
    missing = story.put - run.lines()
    assert not run.lines() - story.put
    assert all(timestamp < (T + 50) * 1000 for _, timestamp, _ in missing)
    assert tail is not None or not missing
    assert run.over_at <= T + 200 + LONGEST_DRAIN + 35


@pytest.mark.parametrize("ahead", [30, 300])
def test_an_instance_may_run_ahead(ahead: float) -> None:
    # The newest event is never newer than its ingestion, or polls would look into the future only.
    story = Story(seconds=300)
    story.lines(0, 300, host="algo-1", ahead=ahead, every=2.0)
    story.lines(0, 300, host="algo-2")
    story.line(150.5, "late", late=12, host="algo-2")
    run = story.follow().go()
    complete(run, story)
    assert printed_after(run, "late") <= 165
    assert run.over_at <= T + 300 + LONGEST_DRAIN + 5


def napping(story: Story, at: float, seconds: float) -> Callable[[float], None]:
    """Sleep from which the machine wakes `seconds` later than it should, once, at `at` seconds after T."""
    slept: list[float] = []

    def sleep(wanted: float) -> None:
        story.clock.advance(wanted)
        if not slept and story.clock() >= T + at:
            slept.append(seconds)
            story.clock.advance(seconds)

    return sleep


@pytest.mark.parametrize("ends", [300.0, HOUR + 400])
def test_a_laptop_sleeps_for_an_hour(ends: float) -> None:
    # Wide scans reach back to where the last complete one began, however long ago that was.
    story = Story(seconds=ends)
    story.lines(0, ends)
    story.line(95, "behind", late=40)
    story.line(62, "far behind", late=75)
    story.line(ends - 50, "at the end", late=55)
    run = story.follow(sleep=napping(story, 100, HOUR)).go()
    complete(run, story)
    assert run.over_at <= max(T + ends, T + 100 + HOUR) + LONGEST_DRAIN + 35


def test_a_nap_is_no_lateness() -> None:
    # Else every scan of the rest of a long job would read hours again.
    story = Story(seconds=2 * HOUR)
    story.lines(0, 2 * HOUR, every=30.0)
    story.line(62, "behind", late=300)
    run = story.follow(sleep=napping(story, 100, HOUR)).go()
    complete(run, story)
    assert run.follower.memory.window < 600


# Trouble


def test_throttled_it_goes_slower_and_then_as_before() -> None:
    story = Story(seconds=600)
    story.lines(0, 600)
    run = story.follow().go(until=T + 100)
    asked = run.requests
    story.account.faults = Faults(script=[Fault.THROTTLED] * 12, operations=["FilterLogEvents"])
    run.go()
    complete(run, story)
    gaps = [later - earlier for earlier, later in zip(run.asked_at(), run.asked_at()[1:], strict=False)]
    assert min(gaps[asked + 2 : asked + 11]) > 1.9
    assert max(gaps[asked + 30 : asked + 100]) < 1.5
    assert not any("Rate exceeded" in note for note in run.notes)


def test_credentials_expire_and_a_new_key_is_found() -> None:
    story = Story(seconds=200)
    story.lines(0, 200)
    run = story.follow()
    key = Credential("AKIARENEWEDRENEWED00", "another/secret")
    story.account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=((T + 50, T + 10 * HOUR),))
    story.account.credentials[key.access_key] = key
    run.door.credential = lambda: key if story.clock() > T + 70 else SANDBOX
    run.go()
    complete(run, story)
    assert sum("expired" in note for note in run.notes) == 1


def test_credentials_expire_before_the_first_line() -> None:
    story = Story(seconds=200)
    story.lines(100, 200)
    story.account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=((T + 20, T + 60),))
    complete(story.follow().go(), story)


def test_each_expiry_is_said_once() -> None:
    story = Story(seconds=300)
    story.lines(0, 300)
    story.account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=((T + 50, T + 80), (T + 150, T + 190)))
    run = story.follow().go()
    complete(run, story)
    said = [note for note in run.notes if "going on once they work" in note]
    assert len(said) == 2
    assert all("aws sts get-caller-identity" in note for note in said)


def test_credentials_that_never_worked_are_an_error() -> None:
    story = Story(seconds=200)
    story.lines(0, 200)
    story.account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=((T - 1, T + HOUR),))
    with pytest.raises(Unauthorized, match="expired"):
        story.follow().go()


def test_the_network_is_lost_for_minutes() -> None:
    story = Story(seconds=600)
    story.lines(0, 600)
    story.line(130, "behind", late=60)
    story.account.faults = Faults(script=[None] * 60 + [Fault.RESET] * 25, operations=["FilterLogEvents"])
    run = story.follow().go()
    complete(run, story)
    assert sum("trying again" in note for note in run.notes) == 1
    assert any(note.startswith("CloudWatch answers again after") for note in run.notes)


# The job's state


def test_sagemaker_ends_what_the_controller_does_not() -> None:
    story = Story(seconds=100, end="Failed")
    story.lines(0, 100)
    run = story.follow(look=stale).go()
    complete(run, story)
    assert run.watch.job.status == "Failed"
    assert run.over_at <= T + 100 + 30 + DRAIN + 5


def test_kubernetes_ends_what_sagemaker_may_not_be_asked() -> None:
    story = Story(seconds=100, end="Stopped")
    story.lines(0, 100)
    run = story.follow(describe=denied).go()
    complete(run, story)
    assert run.watch.job.status == "Stopped"
    assert sum("DescribeTrainingJob" in note for note in run.notes) == 1


def test_kubernetes_is_lost_in_the_middle() -> None:
    story = Story(seconds=100)
    story.lines(0, 100)

    def unreachable(before: Job) -> Job:
        if story.clock() < T + 20:
            return job(secondaryStatus="Training")
        story.clock.advance(10)
        raise Unavailable("https://cluster.test: no route to host")

    run = story.follow(look=unreachable).go()
    complete(run, story)
    assert run.watch.job.status == "Completed"
    assert sum("no route to host" in note for note in run.notes) == 1
    # Looking for it must not starve the log.
    gaps = [later - earlier for earlier, later in zip(run.asked_at(), run.asked_at()[1:], strict=False)]
    assert sum(gap > 5 for gap in gaps) <= 5


def deleted(before: Job) -> Job:
    raise NotFound(f"{before.title} not found")


def test_the_resource_is_deleted_in_the_middle() -> None:
    story = Story(seconds=100)
    story.lines(0, 100)
    run = story.follow(look=deleted).go()
    complete(run, story)
    assert run.watch.job.status == "Completed"
    assert sum("was deleted" in note for note in run.notes) == 1


def test_the_resource_is_deleted_and_there_is_no_job() -> None:
    story = Story(name="job")
    run = story.follow(look=deleted)
    story.account.jobs.put("TrainingJob", "job", [Stage(0, "InProgress", "Starting")], created=T + 10 * HOUR)
    with pytest.raises(Error, match="was deleted, and SageMaker has no job 'job'"):
        run.go()


def test_each_message_of_sagemaker_is_said_once() -> None:
    story = Story()
    retrying = "Insufficient capacity error from EC2 while launching instances, retrying!"
    story.account.jobs.put(
        "TrainingJob",
        "job",
        [
            Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
            Stage(100, "InProgress", "Starting", retrying),
            Stage(300, "InProgress", "Training", "Training in progress."),
            Stage(400, "Completed", "Completed", "Training job completed"),
        ],
        created=T,
    )
    story.lines(300, 400)
    run = story.follow().go()
    complete(run, story)
    messages = [message for _, _, message in run.states if message]
    assert messages == ["Launching requested ML instances", retrying, "Training in progress."]


def test_a_state_that_sagemaker_has_left_is_not_told_again() -> None:
    # The controller comes through all states 100 s late.
    story = Story(seconds=400)
    story.account.jobs.put(
        "TrainingJob",
        "job",
        [
            Stage(0, "InProgress", "Starting"),
            Stage(50, "InProgress", "Downloading"),
            Stage(120, "InProgress", "Training"),
            Stage(400, "Completed", "Completed"),
        ],
        created=T,
    )
    story.lines(120, 400)

    def late(before: Job) -> Job:
        since = story.clock() - T - 100
        return job(secondaryStatus="Starting" if since < 50 else "Downloading" if since < 120 else "Training")

    run = story.follow(look=late).go()
    assert [secondary for _, secondary, _ in run.states] == ["Starting", "Downloading", "Training", "Completed"]


# The rest


def test_nothing_of_a_job_whose_name_begins_alike() -> None:
    story = Story(seconds=50)
    story.lines(0, 50)
    story.account.logs.put(GROUP, "job-2/algo-1-1", round(T * 1000), "not mine")
    complete(story.follow().go(), story)


def test_a_group_that_does_not_exist_yet_is_waited_for_and_said_once() -> None:
    story = Story(seconds=300)
    story.lines(200, 300)
    run = story.follow().go()
    complete(run, story)
    assert sum("there is no log group" in note for note in run.notes) == 1


def test_catching_up_forgets_what_no_scan_will_ask_for() -> None:
    story = Story()
    story.lines(0, 12_000)
    story.clock.advance(12_000)
    run = story.follow()
    run.go(until=T + 12_030)
    assert run.lines().total() >= 11_990
    assert remembered(run.follower.memory) < 3_000


def test_ids_are_forgotten_behind_the_window() -> None:
    story = Story()
    story.lines(0, 900, every=0.2)
    run = story.follow()
    run.go(until=T + 900)
    assert remembered(run.follower.memory) < 5 * 240


def test_a_tail_begins_with_the_last_lines_and_loses_none_after() -> None:
    story = Story(seconds=200)
    story.lines(0, 200)
    story.lines(0, 200, host="algo-2")
    story.line(95.5, "late", late=12)
    story.clock.advance(100)
    run = story.follow(tail=3).go()
    before = run.batches[0]
    assert [event["message"] for event in before if "algo-1-" in event["logStreamName"]] == [
        f"algo-1 at {at}.000" for at in (97, 98, 99)
    ]
    assert len(before) == 6
    after = run.printed[len(before) :]
    assert [event["message"] for event in after if event["timestamp"] < (T + 99.5) * 1000] == ["late"]
    assert all(timestamp < (T + 100) * 1000 for _, timestamp, _ in story.put - run.lines())
    assert not run.lines() - story.put


def test_a_quiet_job_is_asked_seldom() -> None:
    story = Story()
    story.lines(0, 30)
    run = story.follow().go(until=T + 100)
    before = run.requests
    run.go(until=T + 700)
    assert run.requests - before <= 12 * 10


@pytest.mark.parametrize("lines", [10, 300])
def test_a_busy_job_is_asked_once_a_second(lines: int) -> None:
    story = Story()
    story.lines(0, 120, every=1 / lines)
    run = story.follow().go(until=T + 20)
    before = run.requests
    run.go(until=T + 120)
    assert run.requests - before <= 102
