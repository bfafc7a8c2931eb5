"""How often one operation may be asked: a budget that throttling halves and answers restore."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SLOWEST: Final = 0.5
"""Requests a second, however often CloudWatch throttles: slower, never dead. At 0.25, with 15 % of the requests
throttled and 8 % failing, 3 of 300 jobs were seen to their end more than 20 s late; at 0.5 none by more than 15 s."""
CLIMB: Final = 1.25
"""What each answer multiplies the rate by, up to the fastest: five answers make up for three throttles."""


@dataclass(slots=True)
class Pace:
    """At most `fastest` requests a second on average, after a burst; threads can share one."""

    fastest: float
    burst: float
    """Requests that may start at once."""
    now: Callable[[], float]
    sleep: Callable[[float], None]
    rate: float = 0.0
    _level: float = 0.0
    _at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin at full speed with a full burst."""
        self.rate = self.fastest
        self._level = self.burst
        self._at = self.now()

    def wait(self) -> None:
        """Return when the next request may start."""
        with self._lock:
            now = self.now()
            self._level = min(self.burst, self._level + (now - self._at) * self.rate) - 1
            self._at = now
            owed = -self._level / self.rate
        if owed > 0:
            self.sleep(owed)

    def limit(self, fastest: float) -> None:
        """From now on at most `fastest` requests a second."""
        with self._lock:
            self.rate = fastest if self.rate == self.fastest else min(self.rate, fastest)
            self.fastest = fastest

    def throttled(self) -> None:
        """CloudWatch said "slower"."""
        with self._lock:
            self.rate = max(SLOWEST, self.rate / 2)
            self._level = min(self._level, 0.0)

    def answered(self) -> None:
        """A request went well."""
        with self._lock:
            self.rate = min(self.fastest, self.rate * CLIMB)
