"""A log read as it stands: everything that is there, in order, by however many lanes."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from kubectl_sagemaker.errors import Unavailable
from kubectl_sagemaker.logs.events import LogEvent, Note, waited
from kubectl_sagemaker.logs.lanes import MOST_LANES
from kubectl_sagemaker.logs.read import read
from kubectl_sagemaker.logs.source import Source
from kubectl_sagemaker.sandbox.aws import SANDBOX
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.scenario import GROUP, generate, play
from tests.follow import SharedClock, Story, T, counted, visible

DAY = 86_400.0


class Filled(Story):
    """A job whose lines were put long ago, stream by stream in bulk."""

    def fill(self, host: str, timestamps: list[int]) -> None:
        """Put numbered lines at these timestamps (ms), in ascending order."""
        stream = f"{self.name}/{host}-1"
        messages = [f"{host} {number}" for number in range(len(timestamps))]
        self.account.logs.put_lines(GROUP, stream, timestamps, messages)
        self.put.update((stream, at, message) for at, message in zip(timestamps, messages, strict=True))

    def whole(self, **query: Any) -> list[LogEvent]:
        """Read all of it; check that it is all of it, in order."""
        self.clock.at = max(self.clock.at, T + DAY)
        events, notes = self.read(**query)
        in_order(events)
        assert counted(events) == self.put
        assert not [note for note in notes if not note.endswith("; trying again")]
        return events


def in_order(events: list[LogEvent]) -> None:
    """Check that time never goes back, and that each stream's lines stand as they were written."""
    stamps = [event["timestamp"] for event in events]
    assert stamps == sorted(stamps)
    numbers: dict[str, int] = {}
    for event in events:
        number = int(event["message"].split()[1])
        assert number > numbers.get(event["logStreamName"], -1)
        numbers[event["logStreamName"]] = number


def steady(count: int, seconds: float, begin: float = 0.0) -> list[int]:
    """So many timestamps, evenly."""
    return [round((T + begin + seconds * number / count) * 1000) for number in range(count)]


def test_one_page_is_one_request() -> None:
    story = Filled()
    story.fill("algo-1", steady(500, 60))
    story.whole()
    assert [served.operation for served in story.account.journal] == ["FilterLogEvents"]


@pytest.mark.parametrize("streams", [1, 2, 4, MOST_LANES + 1])
def test_many_pages_are_read_by_lanes(streams: int) -> None:
    story = Filled()
    for number in range(streams):
        story.fill(f"algo-{number + 1}", steady(66_000 // streams, 3_600, begin=number))
    story.whole()
    lanes = {served.operation for served in story.account.journal} >= {"GetLogEvents"}
    assert lanes == (streams <= MOST_LANES)


@pytest.mark.parametrize("streams", [1, 3])
def test_bursts_and_long_quiet_spans(streams: int) -> None:
    chance = random.Random(streams)  # noqa: S311 -- no secret; a seed must give the same again
    story = Filled()
    for number in range(streams):
        stamps: list[int] = steady(12_000, 30)
        for _ in range(6):
            stamps += steady(chance.choice((3, 500, 9_000)), chance.choice((0.01, 60)), chance.uniform(100, 80_000))
        story.fill(f"algo-{number + 1}", sorted(stamps))
    story.whole()


@pytest.mark.parametrize("streams", [1, 2])
def test_more_than_a_page_in_one_millisecond(streams: int) -> None:
    story = Filled()
    for number in range(streams):
        moment = steady(1, 1, begin=30)
        story.fill(f"algo-{number + 1}", steady(11_000, 30) + moment * 23_000 + steady(11_000, 30, begin=31))
    story.whole()


def test_a_log_that_begins_with_a_page_in_one_millisecond() -> None:
    story = Filled()
    story.fill("algo-1", steady(1, 1) * 12_000 + steady(12_000, 30, begin=1))
    story.whole()


@pytest.mark.parametrize("count", [400, 30_000])
def test_one_instance_is_read_alone(count: int) -> None:
    story = Filled()
    other = Filled(clock=story.clock)
    other.account = story.account
    other.fill("algo-10", steady(count, 600))
    story.fill("algo-1", steady(count, 600))
    story.whole(instances=("algo-1",))


@pytest.mark.parametrize("count", [300, 30_000])
def test_bounds_are_inclusive(count: int) -> None:
    story = Filled()
    stamps = steady(count, 600)
    story.fill("algo-1", stamps)
    story.fill("algo-2", stamps)
    begin, end = stamps[count // 10], stamps[-count // 10]
    story.clock.at = T + DAY
    events, _ = story.read(start=begin, end=end)
    in_order(events)
    assert counted(events) == {line: 1 for line in story.put if begin <= line[1] <= end}
    assert {events[0]["timestamp"], events[-1]["timestamp"]} == {begin, end}


RATES = {
    Fault.THROTTLED: 0.1,
    Fault.UNAVAILABLE: 0.03,
    Fault.PROXY_PAGE: 0.03,
    Fault.RESET: 0.03,
    Fault.CUT: 0.03,
    Fault.EMPTY_PAGE: 0.05,
    Fault.SHORT_PAGE: 0.05,
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("streams", [1, 2, 4, MOST_LANES + 1])
def test_faults_in_the_middle(seed: int, streams: int) -> None:
    story = Filled()
    for number in range(streams):
        story.fill(f"algo-{number + 1}", steady(24_000 // streams, 900))
    story.account.faults = Faults(seed, RATES)
    story.whole()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("streams", [1, 2, MOST_LANES + 1])
def test_tokens_that_are_refused(seed: int, streams: int) -> None:
    story = Filled()
    for number in range(streams):
        stamps = (
            steady(15_000 // streams, 300) + steady(1, 1, begin=301) * 300 + steady(9_000 // streams, 300, begin=302)
        )
        story.fill(f"algo-{number + 1}", stamps)
    rates = {Fault.EXPIRED_TOKEN: 0.3, Fault.SHORT_PAGE: 0.5, Fault.EMPTY_PAGE: 0.1}
    story.account.faults = Faults(seed, rates, operations=["FilterLogEvents", "GetLogEvents"])
    story.whole()


def test_scans_that_are_bounded() -> None:
    story = Filled()
    story.fill("algo-1", steady(20_000, 900))
    story.account.logs.scan_limit = 700
    story.whole()


def test_who_may_not_describe_streams_reads_on_in_the_chain() -> None:
    story = Filled()
    story.account.credentials[SANDBOX.access_key] = denied("logs:DescribeLogStreams")
    story.fill("algo-1", steady(30_000, 900))
    story.whole()
    assert not any(served.operation == "GetLogEvents" for served in story.account.journal)


def denied(action: str) -> Any:
    from dataclasses import replace

    return replace(SANDBOX, denied=frozenset({action}))


def test_who_may_not_get_log_events_reads_all_of_it_in_one_chain() -> None:
    story = Filled()
    story.account.credentials[SANDBOX.access_key] = denied("logs:GetLogEvents")
    story.fill("algo-1", steady(30_000, 900))
    story.fill("algo-2", steady(10_000, 900))
    assert len(story.whole()) == 40_000


def test_a_lane_that_gets_no_answer_gives_up() -> None:
    story = Filled()
    story.fill("algo-1", steady(30_000, 900))
    story.clock.at = T + DAY
    story.account.faults = Faults(rates={Fault.RESET: 1.0}, operations=["GetLogEvents"])
    with pytest.raises(Unavailable, match="logs:GetLogEvents"):
        story.read()


def lanes() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lane job/")]


@pytest.mark.parametrize("streams", [1, 4])
def test_a_reader_that_stops_early_leaves_no_thread(streams: int) -> None:
    story = Filled()
    for number in range(streams):
        story.fill(f"algo-{number + 1}", steady(120_000 // streams, 3_600))
    story.clock.at = T + DAY
    pages = read(story.reader())
    for _ in range(3):
        next(pages)
    assert lanes()
    pages.close()  # type: ignore[attr-defined]  # it is a generator
    for thread in lanes():
        thread.join(timeout=10)
    assert not lanes()


def test_an_unread_lane_fetches_a_bounded_number_of_pages() -> None:
    story = Filled()
    story.fill("algo-1", steady(400_000, 3_600))
    story.clock.at = T + DAY
    pages = read(story.reader())
    for _ in range(2):
        next(pages)
    asked = -1
    while asked != len(story.account.journal):
        asked = len(story.account.journal)
        time.sleep(0.1)  # until the lanes have nothing more to do
    assert asked <= 15
    pages.close()  # type: ignore[attr-defined]  # it is a generator


@pytest.mark.parametrize("seed", range(8))
def test_a_finished_scenario(seed: int) -> None:
    scenario = generate(seed, created=T)
    story = Story()
    play(scenario, story.account)
    story.clock.at = T + 600
    story.account.faults = Faults(seed, RATES)
    events, _ = story.read()
    assert counted(events) == visible(scenario, T + 600)
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)


def test_without_a_group_there_is_one_note_and_no_page() -> None:
    story = Story()
    assert story.read() == ([], [f"no log yet: there is no log group {GROUP}"])


def test_without_lines_there_is_one_note() -> None:
    story = Story()
    story.account.logs.put(GROUP, "job-2/algo-1-1", round(T * 1000), "another job's")
    story.clock.advance(5)
    assert story.read() == ([], ["no log lines"])


def notes_of(source: Source) -> list[str]:
    return [item.text for item in waited(read(source), source.now, source.sleep) if isinstance(item, Note)]


def test_trouble_is_said_once_over_all_lanes() -> None:
    story = Filled(clock=SharedClock())
    for number in range(2):
        story.fill(f"algo-{number + 1}", steady(20_000, 900))
    story.clock.at = T + DAY
    story.account.faults = Faults(1, {Fault.UNAVAILABLE: 0.2})
    assert len([note for note in notes_of(story.reader()) if "trying again" in note]) == 1
