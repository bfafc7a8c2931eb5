"""Follow a job's log until the job has ended and its log is drained.

Two kinds of chain read CloudWatch again and again, each from its start to its last page, for a token never sees what
becomes visible behind it:

- a *narrow* poll, often, from a few seconds before the newest event: it brings the lines that come in time;
- a *wide* scan, rarely, a page at a time between the polls, over the whole overlap window: it brings the late ones.

Every event is new once, by its id (memory.py). When the job has ended and nothing new has come for the drain window,
one more wide scan is read through; if that finds nothing either, the log is complete.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Final

from kubectl_sagemaker.errors import NotFound
from kubectl_sagemaker.logs.events import Aside, CaughtUp, Item, Page, Pause, Transition
from kubectl_sagemaker.logs.memory import WINDOW, Memory
from kubectl_sagemaker.logs.pace import MANY
from kubectl_sagemaker.logs.read import last_lines, last_of
from kubectl_sagemaker.logs.source import Source
from kubectl_sagemaker.logs.watch import Watch

BUSY: Final = 1.2
"""Seconds between narrow polls while lines come: with the wide scan's pages, 1 request a second."""
IDLE: Final = 10.0
"""Seconds between narrow polls when nothing comes."""
IDLE_AFTER: Final = 10.0
"""Seconds without a line after which polling slows down."""
EARLY: Final = 5.0
"""Seconds between polls while the job has not come to run its container."""
EARLY_STATES: Final = frozenset(
    {"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack", "Downloading"}
)
SPAN: Final = 30.0
LEAST_SPAN: Final = 2.5
SPAN_EVENTS: Final = 5_000
"""A narrow poll looks SPAN seconds back, or as far as holds so many events: half a page."""
WIDE_EVERY: Final = 20.0
"""Seconds from the end of one wide scan to the beginning of the next, up to MANY lines a second. Above, it is its next
page: at 2,000 lines a second, late lines waited 60 s (99 %) with such a pause and wait 26 s without."""
WIDE_PAGE_EVERY: Final = 6.0
WIDE_PAGE_EVERY_MANY: Final = 1.0
"""Seconds between two pages of a wide scan, up to MANY lines a second and above."""
DRAIN: Final = 15.0
LONGEST_DRAIN: Final = 60.0


@dataclass(slots=True)
class Follower:
    """One followed log: `items` yields it, and is over when the log is."""

    source: Source
    watch: Watch
    tail: int | None = None
    """Begin with so many last lines of each stream; None: with the query's start."""
    memory: Memory = field(init=False)
    _rate: float = 0.0
    """Lines a second, smoothed."""
    _newest_sight: float = 0.0
    """When the last new line was seen, in seconds since the epoch."""
    _caught_up: float = 0.0
    _polled: float = 0.0
    """When the last narrow poll began."""
    _poll_every: float = BUSY

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        start = self.source.query.start
        self.memory = Memory(start, newest=start, base=start)

    def items(self) -> Iterator[Item]:
        """Pages of new events, notes and transitions, as they come, and pauses when nothing is due."""
        try:
            yield from self._items()
        finally:
            self.source.budget.leaves(id(self))

    def _items(self) -> Iterator[Item]:
        now = self.source.now
        self._hurry()
        yield from self._catch_up()
        yield CaughtUp()
        poll_at = wide_at = now()
        wide_at += WIDE_EVERY
        wide: Iterator[Aside | Page] | None = None
        while True:
            for item in self.watch.poll():
                yield item
                if isinstance(item, Transition):
                    # A new state often brings new lines: look at once.
                    self._poll_every = BUSY
                    poll_at = now()
            if self._is_quiet():
                # The scan takes the place of one under way, whose next pages would lie where ids are forgotten.
                wide, wide_at = None, now() + WIDE_EVERY
                found = yield from self._scan()
                if not found or now() >= self._last_call:
                    return
            if now() >= poll_at:
                poll_at = now()
                yield from self._poll()
                poll_at += self._poll_every
            if now() >= wide_at:
                wide = wide or self._wide()
                page = yield from _next_page(wide)
                if page is not None:
                    yield page
                    wide_at = now() + (WIDE_PAGE_EVERY if self._rate <= MANY else WIDE_PAGE_EVERY_MANY)
                else:
                    wide = None
                    wide_at = now() + (WIDE_EVERY if self._rate <= MANY else WIDE_PAGE_EVERY_MANY)
            if (due := min(poll_at, wide_at, self.watch.due)) > now():
                yield Pause(due)

    def _hurry(self) -> None:
        """Be as fast as the quota allows, for a while that ends."""
        self.source.budget.follows(id(self), None)

    def _catch_up(self) -> Iterator[Item]:
        """Read what is there already, as fast as the quota allows; the job's state is watched meanwhile."""
        began = self.source.now()
        pages = self._chain(self.memory.start, live=False) if self.tail is None else self._begin_at_tail(self.tail)
        for item in pages:
            yield item
            if isinstance(item, Pause):
                continue
            yield from self.watch.poll()
            # What becomes visible while this chain goes on may lie behind it: the first wide scan goes back to when
            # it began, and so far what is read may be forgotten.
            elapsed = round((self.source.now() - began) * 1000)
            self.memory.base = max(self.memory.base, self.memory.newest - elapsed)
        self._caught_up = self._polled = self.source.now()
        self._newest_sight = min(self._caught_up, self.memory.ingested / 1000)

    def _begin_at_tail(self, count: int) -> Iterator[Aside | Page]:
        """The last `count` lines of each stream; all else that is visible now counts as seen.

        First the window is read without printing it, then the tail: whatever becomes visible between the two is new
        to one of them, and printed once.
        """
        try:
            newest = yield from last_of(self.source, None, 1)
            for event in newest:
                # The window ends at the newest event, not at now: our clock may be minutes wrong.
                at = min(event["timestamp"], event.get("ingestionTime", event["timestamp"]))
                recent = max(self.memory.start, at - round((WINDOW + LONGEST_DRAIN) * 1000))
                self.memory.start = self.memory.newest = recent
            for item in self._chain(self.memory.start, live=False):
                if not isinstance(item, list):
                    yield item
            page = yield from last_lines(self.source, count)
        except NotFound:
            yield from self._say_absent()
            return
        self.memory.take(page)
        yield page

    def _poll(self) -> Iterator[Aside | Page]:
        """A narrow chain, and from what it brings the pace of the next."""
        began = self.source.now()
        elapsed = max(0.1, began - self._polled)
        span = max(LEAST_SPAN, min(SPAN, SPAN_EVENTS / max(self._rate, 1.0)))
        lines = 0
        for item in self._chain(self.memory.near(span), live=True):
            if isinstance(item, list):
                lines += len(item)
            yield item
        self._polled = began
        self._rate += 0.3 * (lines / elapsed - self._rate)
        self.source.budget.follows(id(self), self._rate)
        if lines or self.watch.ended_at is not None:
            self._poll_every = BUSY
        elif self.watch.job.secondary_status in EARLY_STATES:
            self._poll_every = EARLY
        elif began - self._newest_sight > IDLE_AFTER:
            self._poll_every = min(IDLE, self._poll_every * 1.5)

    def _wide(self) -> Iterator[Aside | Page]:
        """A wide chain; only once it is complete may the next one begin later."""
        newest = self.memory.newest
        yield from self._chain(self.memory.floor, live=True)
        self.memory.base = newest

    def _scan(self) -> Generator[Item, None, int]:
        """A whole wide scan at once; returns how many new lines it found."""
        found = 0
        self._hurry()
        for item in self._wide():
            if isinstance(item, list):
                found += len(item)
            yield item
        return found

    def _chain(self, start: int, *, live: bool) -> Iterator[Aside | Page]:
        """One chain's new events, a page at a time; `live` once caught up, when lateness can be told."""
        try:
            for item in self.source.pages(self.source.query.parameters(start)):
                if not isinstance(item, list):
                    yield item
                    continue
                fresh = self.memory.take(item, sight=self.source.now() if live else None)
                if fresh and live:
                    self._newest_sight = self.source.now()
                yield fresh
        except NotFound:
            yield from self._say_absent()

    def _say_absent(self) -> Iterator[Aside]:
        group = self.source.query.group
        yield from self.source.say("absent", f"waiting for the first line: there is no log group {group} yet")

    def _is_quiet(self) -> bool:
        """Whether the job has ended and nothing new has come for the drain window, or the last call has passed."""
        ended_at = self.watch.ended_at
        if ended_at is None:
            return False
        window = max(DRAIN, min(LONGEST_DRAIN, 2 * self.memory.lateness))
        now = self.source.now()
        return now - max(ended_at, self._newest_sight) >= window or now >= self._last_call

    @property
    def _last_call(self) -> float:
        """When draining is over in any case, in seconds since the epoch."""
        return max(self.watch.ended_at or 0.0, self._caught_up) + LONGEST_DRAIN


def _next_page(chain: Iterator[Aside | Page]) -> Generator[Aside, None, Page | None]:
    """A chain's asides up to its next page, which is returned; None at its end."""
    for item in chain:
        if isinstance(item, list):
            return item
        yield item
    return None
