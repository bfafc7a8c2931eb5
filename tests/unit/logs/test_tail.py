"""The last lines of each stream, with few requests however long the log is."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from kubectl_sagemaker.logs.events import LogEvent
from kubectl_sagemaker.logs.read import NEWEST_FIRST_SINCE
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.scenario import GROUP
from tests.follow import Story, T

DAY = 86_400.0


def filled(*counts: int, begin: float = T, seconds: float = 3_600.0) -> Story:
    """A job with a stream of so many lines for each count, from `begin` (epoch s) on; all of them are there."""
    story = Story()
    for host, count in enumerate(counts, 1):
        stamps = [round((begin + seconds * number / max(count, 1)) * 1000) for number in range(count)]
        messages = [f"{host}.{number}" for number in range(count)]
        story.account.logs.put_lines(GROUP, f"job/algo-{host}-1", stamps, messages)
    story.clock.at = T + DAY
    return story


def tails(events: list[LogEvent]) -> dict[str, list[str]]:
    """Each instance's messages, in the order they came in; over all of them time must not go back."""
    stamps = [event["timestamp"] for event in events]
    assert stamps == sorted(stamps)
    found: dict[str, list[str]] = defaultdict(list)
    for event in events:
        host, _, _ = event["message"].partition(".")
        found[host].append(event["message"])
    return dict(found)


def last(host: int, count: int, of: int) -> list[str]:
    return [f"{host}.{number}" for number in range(max(0, of - count), of)]


@pytest.mark.parametrize("count", [1, 10, 700])
def test_it_counts_for_each_stream(count: int) -> None:
    events, notes = filled(500, 3, 20_000).read(tail=count)
    assert tails(events) == {"1": last(1, count, 500), "2": last(2, count, 3), "3": last(3, count, 20_000)}
    assert notes == []


def test_few_requests_however_long_the_log_is() -> None:
    story = filled(200_000, 200_000)
    story.read(tail=100)
    assert len(story.account.journal) <= 3


def test_more_than_a_page() -> None:
    events, _ = filled(30_000).read(tail=25_000)
    assert tails(events) == {"1": last(1, 25_000, 30_000)}


def test_none_is_none_and_asks_nothing() -> None:
    story = filled(500)
    assert story.read(tail=0) == ([], [])
    assert not story.account.journal


def test_lines_of_one_millisecond_stand_as_they_were_written() -> None:
    events, _ = filled(500, seconds=0).read(tail=30)
    assert tails(events) == {"1": last(1, 30, 500)}


def test_of_one_instance() -> None:
    events, _ = filled(50, 50).read(tail=3, instances=("algo-2",))
    assert tails(events) == {"2": last(2, 3, 50)}


def test_within_bounds() -> None:
    # A line a second.
    bounds: dict[str, Any] = {"start": round((T + 100) * 1000), "end": round((T + 200) * 1000)}
    story = filled(3_600)
    assert tails(story.read(tail=2, **bounds)[0]) == {"1": ["1.199", "1.200"]}
    assert tails(story.read(tail=500, **bounds)[0]) == {"1": [f"1.{number}" for number in range(100, 201)]}


def test_a_log_searched_from_the_beginning_of_time() -> None:
    # CloudWatch refuses to read newest first from a start before 2024.
    events, _ = filled(500, 2).read(tail=3, start=0)
    assert tails(events) == {"1": last(1, 3, 500), "2": last(2, 3, 2)}


@pytest.mark.parametrize("begin", [-100.0, -10.0, -4.0])
def test_a_log_older_than_reading_newest_first(begin: float) -> None:
    # Ten lines, a second apart, before 2024 and on both sides of its beginning.
    story = filled(10, begin=NEWEST_FIRST_SINCE / 1000 + begin, seconds=10)
    for count in (1, 5, 8, 50):
        events, _ = story.read(tail=count, start=0)
        assert tails(events) == {"1": last(1, count, 10)}


def test_an_end_before_2024() -> None:
    story = filled(10, begin=NEWEST_FIRST_SINCE / 1000 - 100, seconds=10)
    events, _ = story.read(tail=2, start=0, end=NEWEST_FIRST_SINCE - 95_000)
    assert tails(events) == {"1": ["1.4", "1.5"]}


@pytest.mark.parametrize("seed", range(6))
def test_with_faults(seed: int) -> None:
    story = filled(500, 3, 20_000)
    story.account.faults = Faults(
        seed, {Fault.THROTTLED: 0.1, Fault.UNAVAILABLE: 0.1, Fault.EMPTY_PAGE: 0.15, Fault.SHORT_PAGE: 0.15}
    )
    events, _ = story.read(tail=600)
    assert tails(events) == {"1": last(1, 600, 500), "2": last(2, 600, 3), "3": last(3, 600, 20_000)}


def test_without_a_group_there_is_one_note() -> None:
    assert Story().read(tail=5) == ([], [f"no log yet: there is no log group {GROUP}"])
