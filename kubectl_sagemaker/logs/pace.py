"""How often AWS may be asked: a budget for each operation, that throttling halves and answers restore."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
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
    rate: float = 0.0
    _level: float = 0.0
    _at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin at full speed with a full burst."""
        self.rate = self.fastest
        self._level = self.burst
        self._at = self.now()

    def reserve(self) -> float:
        """Take the next request's place; returns how many seconds from now it may start."""
        with self._lock:
            now = self.now()
            self._level = min(self.burst, self._level + (now - self._at) * self.rate) - 1
            self._at = now
            return max(0.0, -self._level / self.rate)

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


LOGS: Final[Mapping[str, tuple[float, float]]] = {
    "FilterLogEvents": (5.0, 2.0),
    "GetLogEvents": (24.0, 10.0),
    "DescribeLogStreams": (5.0, 2.0),
}
"""CloudWatch Logs' operations: requests a second, and at once. FilterLogEvents' lowest quota in any region is 5, and a
follower shares it with the whole account; GetLogEvents' is 10 to 25, and only a reader asks it, who ends (AWS's
quotas)."""
SAGEMAKER: Final = (2.0, 5.0)
"""The same for the lists of SageMaker, whose quotas are not published."""
MANY: Final = 500.0
"""Lines a second above which two requests a second are right."""
REQUESTS: Final = 1.0
REQUESTS_MANY: Final = 2.0
"""FilterLogEvents a second at most, up to MANY lines a second and above, for all who follow in one region. Catching up
and the last scan are faster."""


@dataclass(slots=True)
class Budget:
    """One region's requests, shared by all who read its logs in this process: AWS counts each operation apart."""

    now: Callable[[], float]
    _paces: dict[str, Pace] = field(default_factory=dict)
    _followers: dict[int, float | None] = field(default_factory=dict)
    """Lines a second by follower; None: it is catching up, or scans for the last time."""

    def __post_init__(self) -> None:
        """Every operation begins at its fastest."""
        for operation, (fastest, burst) in LOGS.items():
            self._paces[operation] = Pace(fastest, burst, self.now)

    def pace(self, operation: str) -> Pace:
        """The operation's own."""
        return self._paces.setdefault(operation, Pace(*SAGEMAKER, self.now))

    def follows(self, follower: int, lines: float | None) -> None:
        """A follower tells how many lines a second it sees, or that it hurries (None)."""
        self._followers[follower] = lines
        self._settle()

    def leaves(self, follower: int) -> None:
        """A follower has come to its end."""
        self._followers.pop(follower, None)
        self._settle()

    def _settle(self) -> None:
        lines = [each for each in self._followers.values() if each is not None]
        hurry = len(lines) < len(self._followers)
        usual = REQUESTS if sum(lines) <= MANY else REQUESTS_MANY
        self._paces["FilterLogEvents"].limit(LOGS["FilterLogEvents"][0] if hurry or not lines else usual)
