"""Calls side by side, which nobody has to wait for when the command ends before they do."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST: Final = 8
"""Calls under way at once."""
AT_ONCE: Final = 0.5
"""Seconds in which an answer usually comes."""


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


class NotYet(Exception):
    """The answer is still to come."""


class Behind(Generic[Item, Result]):
    """A function that goes on in a thread where it takes its time: the call raises NotYet, and a later one returns."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        """Nothing is called yet."""
        self._function = function
        self._done: queue.SimpleQueue[tuple[Result] | BaseException] = queue.SimpleQueue()
        self._under_way = False

    def __call__(self, item: Item) -> Result:
        """The result for the item, or, of a call that took its time, for the item of then; raises its error."""
        try:
            if self._under_way:
                answer = self._done.get_nowait()
            else:
                self._under_way = True
                threading.Thread(target=self._work, args=(item,), daemon=True).start()
                answer = self._done.get(timeout=AT_ONCE)
        except queue.Empty:
            raise NotYet from None
        self._under_way = False
        if isinstance(answer, BaseException):
            raise answer
        return answer[0]

    def _work(self, item: Item) -> None:
        try:
            self._done.put((self._function(item),))
        except BaseException as error:  # noqa: BLE001  # it is raised again in the caller's thread
            self._done.put(error)
