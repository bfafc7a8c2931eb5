"""Follow a job's log until the job has ended and its log is drained.

What is there already is caught up with; then the chains (chains.py) bring what is new. When the job has ended and
nothing new has come for the drain window, one more wide scan of its own is read through; if that finds nothing either,
the log is complete.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from kubectl_sagemaker.errors import NotFound
from kubectl_sagemaker.logs.chains import Chains, Share, absent
from kubectl_sagemaker.logs.events import Aside, CaughtUp, Item, Page, Pause, Transition
from kubectl_sagemaker.logs.memory import WINDOW, Memory
from kubectl_sagemaker.logs.read import last_lines, last_of
from kubectl_sagemaker.logs.source import Source
from kubectl_sagemaker.logs.watch import Watch

DRAIN: Final = 15.0
LONGEST_DRAIN: Final = 60.0


@dataclass(slots=True)
class Follower:
    """One followed log: `items` yields it, and is over when the log is."""

    source: Source
    watch: Watch
    chains: Chains = field(default_factory=Chains)
    """What reads the log once it has been caught up with; jobs whose names begin alike can have them together."""
    tail: int | None = None
    """Begin with so many last lines of each stream; None: with the query's start."""
    _share: Share = field(init=False)
    _history: Memory = field(init=False)
    """What has been seen until the chains went on."""
    _caught_up: float = 0.0

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        start = self.source.query.start
        self._history = Memory(start, newest=start, base=start)
        self._share = Share(self.source, self.watch, start)

    @property
    def memory(self) -> Memory:
        """What has been seen."""
        return self._share.chains.memory if self._share.chains else self._history

    def items(self) -> Iterator[Item]:
        """Pages of new events, notes and transitions, as they come, and pauses when nothing is due."""
        try:
            yield from self._items()
        finally:
            self.source.budget.leaves(id(self))
            if self._share.chains:
                self._share.chains.leave(self._share)

    def _items(self) -> Iterator[Item]:
        now = self.source.now
        with self._hurry():
            yield from self._catch_up()
        self.chains.join(self._share, self._history)
        yield CaughtUp()
        while (chains := self._share.chains) is not None:
            for item in self.watch.poll():
                yield item
                if isinstance(item, Transition):
                    chains.hasten(now())
            if self._is_quiet():
                with self._hurry():
                    found = yield from self._arriving(chains.scan(self._share))
                if not found or now() >= self._last_call:
                    return
                # Meanwhile they can have gone apart.
                continue
            yield from self._arriving(chains.turn())
            if (due := min(chains.due, self.watch.due)) > now():
                yield Pause(due)

    @contextmanager
    def _hurry(self) -> Iterator[None]:
        """Be as fast as the quota allows, for a while that ends."""
        self.source.budget.follows(id(self), None)
        yield
        self.source.budget.leaves(id(self))

    def _arriving(self, reading: Iterator[Aside | Page]) -> Generator[Item, None, int]:
        """This job's new lines, as the chains read on for all who have joined; returns how many there were."""
        lines = 0
        for item in itertools.chain([Page()], reading):
            if isinstance(item, list):
                page, self._share.arrived = self._share.arrived, []
                lines += len(page)
                yield page
            else:
                yield item
        return lines

    def _catch_up(self) -> Iterator[Item]:
        """Read what is there already, as fast as the quota allows; the job's state is watched meanwhile."""
        began = self.source.now()
        history = self._history
        pages = self._past(history.start) if self.tail is None else self._begin_at_tail(self.tail)
        for item in pages:
            yield item
            if isinstance(item, Pause):
                continue
            yield from self.watch.poll()
            # What becomes visible while this chain goes on may lie behind it: the first wide scan goes back to when
            # it began, and so far what is read may be forgotten.
            elapsed = round((self.source.now() - began) * 1000)
            history.base = max(history.base, history.newest - elapsed)
        self._caught_up = self.source.now()
        self._share.newest_sight = min(self._caught_up, history.ingested / 1000)

    def _begin_at_tail(self, count: int) -> Iterator[Aside | Page]:
        """The last `count` lines of each stream; all else that is visible now counts as seen.

        First the window is read without printing it, then the tail: whatever becomes visible between the two is new
        to one of them, and printed once.
        """
        history = self._history
        try:
            newest = yield from last_of(self.source, None, 1)
            for event in newest:
                # The window ends at the newest event, not at now: our clock may be minutes wrong.
                at = min(event["timestamp"], event.get("ingestionTime", event["timestamp"]))
                recent = max(history.start, at - round((WINDOW + LONGEST_DRAIN) * 1000))
                history.start = history.newest = recent
            for item in self._past(history.start):
                if not isinstance(item, list):
                    yield item
            page = yield from last_lines(self.source, count)
        except NotFound:
            yield from absent(self.source)
            return
        history.take(page)
        yield page

    def _past(self, start: int) -> Iterator[Aside | Page]:
        """What there is from `start` on, a page at a time."""
        try:
            for item in self.source.pages(self.source.query.parameters(start)):
                yield self._history.take(item) if isinstance(item, list) else item
        except NotFound:
            yield from absent(self.source)

    def _is_quiet(self) -> bool:
        """Whether the job has ended and nothing new has come for the drain window, or the last call has passed."""
        ended_at = self.watch.ended_at
        if ended_at is None:
            return False
        window = max(DRAIN, min(LONGEST_DRAIN, 2 * self.memory.lateness))
        now = self.source.now()
        return now - max(ended_at, self._share.newest_sight) >= window or now >= self._last_call

    @property
    def _last_call(self) -> float:
        """When draining is over in any case, in seconds since the epoch."""
        return max(self.watch.ended_at or 0.0, self._caught_up) + LONGEST_DRAIN
