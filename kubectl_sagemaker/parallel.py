"""Calls side by side, which nobody has to wait for when the command ends before they do."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST: Final = 8
"""Calls under way at once."""


def ahead(function: Callable[[], Result]) -> Callable[[], Result]:
    """Call a function in a thread, where it waits for somebody else while this one works.

    What is returned waits for the result, or raises the function's error.
    """
    done: queue.SimpleQueue[tuple[Result] | BaseException] = queue.SimpleQueue()

    def call() -> None:
        try:
            done.put((function(),))
        except BaseException as error:  # noqa: BLE001  # it is raised again in the caller's thread
            done.put(error)

    def result() -> Result:
        answer = done.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer[0]

    threading.Thread(target=call, daemon=True).start()
    return result


def each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The function's results for all items, in their order; the first error that comes is raised at once.

    The threads are daemons, which a ThreadPoolExecutor's are not: Ctrl-C and --timeout must not wait for an API server
    that has stopped answering.
    """
    wanted = list(items)
    if len(wanted) < 2:
        return [function(item) for item in wanted]
    results: dict[int, Result] = {}
    done: queue.SimpleQueue[tuple[int, Result] | BaseException] = queue.SimpleQueue()
    numbers = itertools.count()
    stopped = threading.Event()

    def work() -> None:
        # next() of a count is one step, whoever else asks.
        while (number := next(numbers)) < len(wanted) and not stopped.is_set():
            try:
                done.put((number, function(wanted[number])))
            except BaseException as error:  # noqa: BLE001  # it is raised again in the caller's thread
                done.put(error)
                return

    for _ in range(min(MOST, len(wanted))):
        threading.Thread(target=work, daemon=True).start()
    try:
        while len(results) < len(wanted):
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            results[answer[0]] = answer[1]
    finally:
        stopped.set()
    return [results[number] for number in range(len(wanted))]
