"""A budget of requests: its burst, its average, and what throttling makes of it."""

from __future__ import annotations

import threading

import pytest

from kubectl_sagemaker.logs.pace import SLOWEST, Pace
from tests.follow import SharedClock, T


def pace(fastest: float, burst: float = 1.0) -> tuple[Pace, SharedClock]:
    clock = SharedClock()
    return Pace(fastest, burst, clock), clock


def spent(budget: Pace, clock: SharedClock, requests: int) -> float:
    """Seconds that so many requests wait."""
    begin = clock()
    for _ in range(requests):
        if (owed := budget.reserve()) > 0:
            clock.advance(owed)
    return clock() - begin


def test_a_burst_starts_at_once_and_the_rest_at_the_rate() -> None:
    budget, clock = pace(5.0, burst=3.0)
    assert spent(budget, clock, 3) == 0
    assert spent(budget, clock, 10) == pytest.approx(2.0)


def test_what_is_not_used_is_not_saved_beyond_the_burst() -> None:
    budget, clock = pace(5.0, burst=3.0)
    clock.advance(1_000)
    assert spent(budget, clock, 13) == pytest.approx(2.0)


def test_a_throttle_halves_and_spends_what_was_saved() -> None:
    budget, clock = pace(4.0, burst=3.0)
    budget.throttled()
    assert spent(budget, clock, 4) == pytest.approx(2.0)


def test_it_is_never_slower_than_the_slowest() -> None:
    budget, clock = pace(4.0)
    for _ in range(50):
        budget.throttled()
    assert budget.rate == SLOWEST
    assert spent(budget, clock, 1) == pytest.approx(1 / SLOWEST)


def test_answers_climb_back_to_the_fastest_and_no_further() -> None:
    budget, _ = pace(4.0)
    budget.throttled()
    budget.throttled()
    rates = []
    for _ in range(12):
        budget.answered()
        rates.append(budget.rate)
    assert rates == sorted(rates)
    assert 1.0 < rates[0] < 2.0
    assert rates[-1] == 4.0


def test_a_lower_limit_holds_at_once_and_a_higher_one_where_nothing_was_throttled() -> None:
    budget, _ = pace(5.0)
    budget.limit(1.0)
    assert budget.rate == 1.0
    budget.limit(2.0)
    assert budget.rate == 2.0
    budget.throttled()
    budget.limit(5.0)
    assert budget.rate == 1.0


def test_threads_share_it() -> None:
    budget, clock = pace(10.0)
    threads = [threading.Thread(target=spent, args=(budget, clock, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each wait passes on the one clock, so that what one thread slept, another need not.
    assert clock() - T >= 99 / 10 - 0.5
