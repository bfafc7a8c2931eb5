"""What counts as new, how far back scans look, and what may be forgotten."""

from __future__ import annotations

import pytest

from kubectl_sagemaker.logs.events import LogEvent
from kubectl_sagemaker.logs.memory import LONGEST_GAP, MARGIN, WINDOW, Memory
from tests.follow import T, remembered


def event(at: float, identity: str = "", *, ingested: float | None = None) -> LogEvent:
    """An event of `at` seconds after T, ingested half a second later unless said otherwise."""
    return {
        "logStreamName": "job/algo-1-1",
        "timestamp": round((T + at) * 1000),
        "message": "line",
        "ingestionTime": round((T + (at + 0.5 if ingested is None else ingested)) * 1000),
        "eventId": identity or f"{at}",
    }


def memory() -> Memory:
    """Nothing seen yet; the query starts an hour before T."""
    start = round((T - 3_600) * 1000)
    return Memory(start, newest=start, base=start)


def test_an_event_is_new_once() -> None:
    seen = memory()
    assert [found["eventId"] for found in seen.take([event(1), event(2)])] == ["1", "2"]
    assert [found["eventId"] for found in seen.take([event(1), event(2), event(3)])] == ["3"]


def test_equal_lines_of_different_ids_are_both_new() -> None:
    assert len(memory().take([event(1, "a"), event(1, "b")])) == 2


def test_nothing_before_the_start_is_asked_for() -> None:
    seen = memory()
    assert seen.floor == seen.near(30) == seen.start


def test_the_newest_event_is_no_newer_than_its_ingestion() -> None:
    seen = memory()
    seen.take([event(1), event(500, ingested=2)])
    assert seen.newest == round((T + 2) * 1000)


def test_a_scan_looks_back_from_where_the_one_before_began() -> None:
    seen = memory()
    seen.take([event(1_000)])
    seen.base = seen.newest
    seen.take([event(5_000)])
    assert seen.floor == round((T + 1_000 - WINDOW) * 1000)
    seen.base = seen.newest
    assert seen.floor == round((T + 5_000 - WINDOW) * 1000)


@pytest.mark.parametrize("fast", [-200, 0, 200])
def test_the_window_grows_with_lateness_whatever_our_clock_says(fast: float) -> None:
    seen = memory()
    seen.take([event(1_000)], sight=T + 1_000.5 + fast)
    assert seen.window == WINDOW
    seen.take([event(800, ingested=1_002)], sight=T + 1_003 + fast)
    assert seen.lateness == pytest.approx(203, abs=0.6)
    assert seen.window == seen.lateness + MARGIN


def test_history_is_no_lateness() -> None:
    seen = memory()
    seen.take([event(1)])
    assert seen.lateness == 0


def test_a_nap_is_no_lateness() -> None:
    seen = memory()
    seen.take([event(1)], sight=T + 2)
    seen.take([event(3), event(5)], sight=T + 4_000)
    assert seen.lateness <= 0.5 + LONGEST_GAP


def filled(*, scanned: int = 300) -> Memory:
    """30,000 events over 300 s, with scans until second `scanned`."""
    seen = memory()
    for second in range(300):
        seen.take([event(second + index / 100) for index in range(100)], sight=T + second + 2)
        if second < scanned:
            seen.base = seen.newest
    return seen


def oldest(seen: Memory) -> int:
    """The oldest timestamp of which ids are known, in whole seconds as ms."""
    return min(seen._seen) * 1000


def test_ids_behind_the_floor_are_forgotten() -> None:
    seen = filled()
    assert remembered(seen) <= (WINDOW + 2) * 100
    assert oldest(seen) >= seen.floor - 2_000


def test_ids_that_an_unfinished_scan_may_still_read_are_kept() -> None:
    seen = filled(scanned=150)
    assert oldest(seen) <= seen.floor
    assert remembered(seen) >= (WINDOW + 150) * 100 - 100


def test_the_window_never_grows_back_over_what_was_forgotten() -> None:
    seen = filled()
    known = oldest(seen)
    seen.take([event(250.005, "late", ingested=900)], sight=T + 901)
    assert seen.window > 600
    assert seen.floor >= known
