"""Which object to look at next: each when it is due, by one worker at a time, and no faster than a rate."""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from typing import Final, NamedTuple


class Key(NamedTuple):
    """An object: `resource` is `plural.group`."""

    resource: str
    namespace: str
    name: str


FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds that an object waits after its first failure, and at most: what was lost comes back within a minute."""
SLOWEST: Final = 1.0
STALE: Final = 64
"""How many times that hold no more are kept beside as many as hold."""


class Queue:
    """A queue of objects with a time each. Threads share it.

    `now` is a monotonic clock in seconds; `rate` is how many objects a second are given out at most.
    """

    def __init__(self, now: Callable[[], float], *, rate: float, chance: random.Random | None = None) -> None:
        self._now = now
        self._chance = chance or random.Random()  # noqa: S311  # jitter is no secret
        self._rate = self._fastest = rate
        self._level, self._filled = rate, now()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._busy: dict[Key, set[str]] = {}
        """Those that a worker looks at, each with the changes that came meanwhile."""
        self._failures: dict[Key, int] = {}
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """How many are due now."""
        with self._changed:
            now = self._now()
            return sum(at <= now for at in self._due.values())

    def add(self, key: Key, mark: str = "") -> None:
        """Have an object looked at now; `mark` says which change asks for it."""
        with self._changed:
            if key in self._busy:
                self._busy[key].add(mark)
            else:
                self._put(key, self._now())

    def take(self) -> Key | None:
        """Wait for the next object that is due, and take it; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                wait = self._wait()
                if wait is not None and wait <= 0:
                    _, key = heapq.heappop(self._heap)
                    del self._due[key]
                    self._busy[key] = set()
                    self._level -= 1
                    return key
                self._changed.wait(wait)
            return None

    def wait(self) -> float | None:
        """Seconds until `take` gives an object; None: not before one is added."""
        with self._changed:
            return self._wait()

    def _wait(self) -> float | None:
        now = self._now()
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return None
        wait = self._heap[0][0] - now
        return wait if wait > 0 else self._short(now)

    def done(self, key: Key, wait: float | None, *, known: Callable[[str], bool] = lambda mark: False) -> None:
        """Give an object back that went well, to be taken again after `wait` seconds (None: when it changes).

        A change that came meanwhile has it looked at now, unless it is `known`: one that the look itself has made.
        """
        with self._changed:
            marks = self._busy.pop(key, set())
            self._failures.pop(key, None)
            if any(not known(mark) for mark in marks):
                self._put(key, self._now())
            elif wait is not None:
                self._put(key, self._now() + max(0.0, wait))

    def failed(self, key: Key) -> float:
        """Give an object back that went wrong; return after how many seconds it is taken again, later each time."""
        with self._changed:
            self._busy.pop(key, None)
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (failures - 1)) * self._chance.uniform(0.5, 1.0)
            self._put(key, self._now() + wait)
            return wait

    def forget(self, key: Key) -> None:
        """Drop an object that has gone."""
        with self._changed:
            self._due.pop(key, None)
            self._busy.pop(key, None)
            self._failures.pop(key, None)

    def slower(self) -> None:
        """Give out half as many a second: somebody was throttled."""
        with self._changed:
            self._fill(self._now())
            self._rate = max(SLOWEST, self._rate / 2)

    def faster(self) -> None:
        """Give out a little more a second, up to the rate: somebody was answered."""
        with self._changed:
            self._rate = min(self._fastest, self._rate + 0.2)

    def close(self) -> None:
        """Let every waiting worker go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _put(self, key: Key, at: float) -> None:
        if self._due.get(key, at) < at:
            return
        self._due[key] = at
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._due) + STALE:
            # What was looked at sooner, or has gone, would stay until its time, which can be an hour away.
            self._heap = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)
        self._changed.notify()

    def _fill(self, now: float) -> None:
        self._level = min(self._rate, self._level + (now - self._filled) * self._rate)
        self._filled = now

    def _short(self, now: float) -> float:
        """Seconds until the rate allows one more."""
        self._fill(now)
        return 0.0 if self._level >= 1 else (1 - self._level) / self._rate
