"""Which events have been seen: the overlap window, its bounds, and what they are learnt from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kubectl_sagemaker.logs.events import Page

WINDOW: Final = 120.0
"""Seconds: the least that a wide scan looks back."""
MARGIN: Final = 15.0
LONGEST_GAP: Final = 15.0
"""Seconds from an event's ingestion to our sight of it that lateness may be blamed for. More is an outage, or a laptop
that slept: counted as lateness, a nap of an hour would let every later scan read an hour again."""


@dataclass(slots=True)
class Memory:
    """The ids of the last window's events, by which each event is new once.

    All bounds come from CloudWatch's own times (an event's timestamp, never later than the newest ingestion), so
    that a wrong clock here or on an instance costs requests and no lines.
    """

    start: int
    """Milliseconds since the epoch: nothing before it is asked for."""
    newest: int = 0
    """The newest timestamp seen, in milliseconds; never ahead of the newest ingestion."""
    ingested: int = 0
    """The newest ingestion time seen, in milliseconds."""
    lateness: float = 0.0
    """The greatest time from an event's timestamp to our first sight of it, in seconds, while following."""
    skew: float | None = None
    """Our clock less CloudWatch's, in seconds: the least that any event's sight lay behind its ingestion."""
    base: int = 0
    """Where `newest` stood when the last completed wide scan began."""
    _forgotten: int = 0
    """Ids before it are forgotten, so that nothing may be read there again, even where the window grows."""
    _seen: dict[int, set[int]] = field(default_factory=dict)
    """Ids by the second of their event's timestamp, so that the oldest can be forgotten at once.

    Of an id its hash is kept, 64 bits in the place of 56 characters: half of the memory that a busy job takes. At 2,000
    lines a second, five million lines have one chance in 10⁹ that two of one second share a hash.
    """

    @property
    def window(self) -> float:
        """How far a wide scan looks back, in seconds: at least as long as any lateness seen, with a margin."""
        return max(WINDOW, self.lateness + MARGIN)

    @property
    def floor(self) -> int:
        """Where a wide scan begins, in milliseconds.

        It reaches a window back from where `newest` was when the scan before began: whatever became visible since
        then, at most a window late, lies behind that point.
        """
        return max(self.start, self._forgotten, min(self.base, self.newest) - round(self.window * 1000))

    @property
    def remembered_from(self) -> int:
        """Milliseconds since the epoch: what was seen before is no longer known."""
        return max(self.start, self._forgotten)

    def adopt(self, other: Memory) -> None:
        """Know what another has seen of another job, too."""
        self.start = min(self.start, other.start)
        self.newest = max(self.newest, other.newest)
        self.ingested = max(self.ingested, other.ingested)
        for second, ids in other._seen.items():
            self._seen.setdefault(second, set()).update(ids)

    def near(self, span: float) -> int:
        """Where a narrow poll of `span` seconds begins, in milliseconds."""
        return max(self.start, self.newest - round(span * 1000))

    def take(self, page: Page, *, sight: float | None = None) -> Page:
        """The page's new events, which are known from now on.

        `sight` is now by our clock (seconds since the epoch); None while catching up, when lateness can't be told
        from history.
        """
        fresh = Page()
        for event in page:
            ids = self._seen.setdefault(event["timestamp"] // 1000, set())
            identity = hash(event["eventId"])
            if identity not in ids:
                ids.add(identity)
                fresh.append(event)
        if not fresh:
            return fresh
        ingested = max(event.get("ingestionTime", event["timestamp"]) for event in fresh)
        self.ingested = max(self.ingested, ingested)
        self.newest = max(self.newest, min(self.ingested, fresh[-1]["timestamp"]))
        if sight is not None:
            lag = sight - self.ingested / 1000
            self.skew = lag if self.skew is None else min(self.skew, lag)
            self.lateness = max(self.lateness, _lateness(fresh, sight - self.skew))
        self._forget()
        return fresh

    def _forget(self) -> None:
        """Forget the ids behind the floor: no scan asks for them again."""
        floor = self.floor // 1000
        if floor > self._forgotten // 1000:
            self._forgotten = floor * 1000
            for second in [second for second in self._seen if second < floor]:
                del self._seen[second]


def _lateness(events: Page, sight: float) -> float:
    """The greatest time from an event's timestamp to its sight, in seconds; `sight` by CloudWatch's clock."""
    latest = round(sight * 1000)
    gap = round(LONGEST_GAP * 1000)
    lates = (min(latest, event.get("ingestionTime", event["timestamp"]) + gap) - event["timestamp"] for event in events)
    return max(lates) / 1000
