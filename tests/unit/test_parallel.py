"""Calls side by side: in order, bounded, and never waited for longer than needed."""

from __future__ import annotations

import contextlib
import threading

import pytest

from kubectl_sagemaker import parallel
from kubectl_sagemaker.errors import Error, Unavailable


def test_results_come_in_the_order_of_the_items_however_the_calls_end() -> None:
    later = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            assert later.wait(30)
        elif item == 19:
            later.set()
        return item * item

    assert parallel.each(call, range(20)) == [item * item for item in range(20)]
    assert parallel.each(call, []) == []
    assert parallel.each(call, [7]) == [49]


def test_so_many_calls_are_under_way_at_once_and_no_more() -> None:
    together = threading.Barrier(parallel.MOST)
    lock = threading.Lock()
    counts = [0, 0]

    def call(_: int) -> None:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        together.wait(30)
        with lock:
            counts[0] -= 1

    parallel.each(call, range(2 * parallel.MOST))
    assert counts == [0, parallel.MOST]


def test_an_error_is_raised_at_once_and_nothing_else_is_waited_for_or_begun() -> None:
    release = threading.Event()
    begun: list[int] = []

    def call(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise Unavailable("the server is down")
        release.wait(30)

    with pytest.raises(Unavailable, match="the server is down"):
        parallel.each(call, range(100))
    assert len(begun) <= parallel.MOST + 1
    release.set()


def test_one_waits_while_the_other_works() -> None:
    asked, worked = threading.Event(), threading.Event()

    def wait() -> int:
        asked.set()
        assert worked.wait(30)
        return threading.get_ident()

    answer = parallel.ahead(wait)
    assert asked.wait(30)
    worked.set()
    assert answer() != threading.get_ident()


def test_an_error_ahead_is_raised_where_its_answer_is_wanted() -> None:
    def fail() -> None:
        raise Error("no answer")

    answer = parallel.ahead(fail)
    with pytest.raises(Error, match="no answer"):
        answer()


def test_a_call_that_takes_its_time_is_made_once_and_its_answer_is_there_later() -> None:
    release, done = threading.Event(), threading.Event()
    asked: list[int] = []

    def call(item: int) -> int:
        asked.append(item)
        assert release.wait(30)
        done.set()
        return item * item

    behind = parallel.Behind(call)
    for item in (3, 4):
        with pytest.raises(parallel.NotYet):
            behind(item)
    release.set()
    assert done.wait(30)
    answer = None
    while answer is None:
        with contextlib.suppress(parallel.NotYet):
            answer = behind(5)
    assert answer == 9
    assert asked == [3]
    assert behind(6) == 36


def test_the_error_of_a_call_behind_is_raised_and_the_next_call_is_a_new_one() -> None:
    answers = iter([Unavailable("the server is down"), None])

    def call(item: int) -> int:
        if error := next(answers):
            raise error
        return item

    behind = parallel.Behind(call)
    with pytest.raises(Unavailable, match="the server is down"):
        behind(1)
    assert behind(2) == 2
