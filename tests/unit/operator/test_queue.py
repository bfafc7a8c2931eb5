"""Which object is looked at next, and when, on a test's clock."""

from __future__ import annotations

import random

from kubectl_sagemaker.operator.queue import LONGEST_WAIT, Key, Queue
from tests.transport import Clock

A, B = Key("r", "ns", "a"), Key("r", "ns", "b")


def queue(clock: Clock, rate: float = 1000.0) -> Queue:
    return Queue(clock, rate=rate, chance=random.Random(1))  # noqa: S311  # jitter is no secret


def test_an_object_that_is_asked_for_twice_is_taken_once() -> None:
    waiting = queue(Clock(0))
    waiting.add(A)
    waiting.add(A)
    waiting.add(B)
    assert [waiting.take(), waiting.take(), len(waiting)] == [A, B, 0]


def test_a_change_during_a_look_has_it_looked_at_again() -> None:
    waiting = queue(Clock(0))
    waiting.add(A)
    waiting.take()
    waiting.add(A, "7")
    assert len(waiting) == 0, "one worker at a time"
    waiting.done(A, None)
    assert waiting.take() == A


def test_a_change_that_the_look_made_itself_does_not() -> None:
    waiting = queue(Clock(0))
    waiting.add(A)
    waiting.take()
    waiting.add(A, "7")
    waiting.done(A, None, known={"7"}.__contains__)
    assert len(waiting) == 0


def test_times_that_hold_no_more_are_not_kept() -> None:
    """An object that is looked at again and again, each time for an hour from then, and a thousand that have gone."""
    clock = Clock(0)
    waiting = queue(clock)
    for number in range(1000):
        for key in (A, Key("r", "ns", str(number))):
            waiting.add(key)
            assert waiting.take() == key
            waiting.done(key, 3600)
            clock.advance(0.01)
        waiting.forget(key)
    assert len(waiting._heap) < 200
    clock.advance(3600)
    assert [waiting.take(), len(waiting)] == [A, 0]


def test_it_is_looked_at_when_it_said() -> None:
    clock = Clock(0)
    waiting = queue(clock)
    waiting.add(A)
    waiting.take()
    waiting.done(A, 5)
    assert len(waiting) == 0
    clock.advance(5)
    assert waiting.take() == A


def test_a_change_comes_before_what_was_planned() -> None:
    clock = Clock(0)
    waiting = queue(clock)
    waiting.add(A)
    waiting.take()
    waiting.done(A, 3600)
    waiting.add(A, "8")
    assert waiting.take() == A
    waiting.done(A, None)
    clock.advance(3600)
    assert len(waiting) == 0


def test_failures_wait_longer_each_time_with_jitter_and_a_bound() -> None:
    clock = Clock(0)
    waiting = queue(clock)
    waits = []
    waiting.add(A)
    for _ in range(12):
        clock.advance(LONGEST_WAIT)
        assert waiting.take() == A
        waits.append(waiting.failed(A))
    for number, wait in enumerate(waits):
        longest = min(LONGEST_WAIT, 2.0**number)
        assert longest / 2 <= wait <= longest
    assert len({round(wait / min(LONGEST_WAIT, 2.0**number), 6) for number, wait in enumerate(waits)}) == len(waits)
    clock.advance(LONGEST_WAIT)
    waiting.take()
    waiting.done(A, 0)
    waiting.take()
    assert waiting.failed(A) <= 1, "what went well has no past"


def test_no_faster_than_the_rate_and_slower_when_throttled() -> None:
    clock = Clock(0)
    waiting = queue(clock, rate=2)

    def taken(seconds: float) -> int:
        count, end = 0, clock() + seconds
        while clock() < end:
            for number in range(10):
                waiting.add(Key("r", "ns", str(number)))
            while len(waiting) and waiting._short(clock()) <= 0:
                key = waiting.take()
                assert key is not None
                waiting.done(key, None)
                count += 1
            clock.advance(0.1)
        return count

    taken(5)
    assert 19 <= taken(10) <= 21
    waiting.slower()
    assert 9 <= taken(10) <= 11
    for _ in range(20):
        waiting.faster()
    taken(5)
    assert 19 <= taken(10) <= 21


def test_a_closed_queue_lets_workers_go() -> None:
    waiting = queue(Clock(0))
    waiting.close()
    assert waiting.take() is None
