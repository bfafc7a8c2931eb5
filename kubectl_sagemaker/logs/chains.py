"""The chains that read CloudWatch again and again while jobs are followed: one job's, or several jobs' together.

Two kinds, each from its start to its last page, for a token never sees what becomes visible behind it:

- a *narrow* poll, often, from a few seconds before the newest event: it brings the lines that come in time;
- a *wide* scan, rarely, a page at a time between the polls, over the whole overlap window: it brings the late ones.

Every event is new once, by its id (memory.py). Jobs of one log group are read in the same chains: each by itself would
have its share of the requests, and the lines of 20 jobs would come 20 s late.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Final

from kubectl_sagemaker.errors import NotFound
from kubectl_sagemaker.logs.events import Aside, LogEvent, Page
from kubectl_sagemaker.logs.memory import Memory
from kubectl_sagemaker.logs.pace import MANY
from kubectl_sagemaker.logs.source import Source, shared_prefix
from kubectl_sagemaker.logs.watch import Watch

BUSY: Final = 1.2
"""Seconds between narrow polls while lines come: with the wide scan's pages, 1 request a second."""
IDLE: Final = 10.0
"""Seconds between narrow polls when nothing comes."""
IDLE_AFTER: Final = 10.0
"""Seconds without a line after which polling slows down."""
EARLY: Final = 5.0
"""Seconds between polls while no job has come to run its container."""
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


@dataclass(slots=True, eq=False)
class Share:
    """One job in the chains: what they bring of it."""

    source: Source
    """Of this job's events alone."""
    watch: Watch
    start: int
    """Milliseconds since the epoch: nothing of it before is wanted, or remembered."""
    newest_sight: float = 0.0
    """When its last new line was seen, in seconds since the epoch."""
    chains: Chains | None = None
    """What it has joined."""
    arrived: Page = field(default_factory=list)
    """Its new events that are still to come out."""

    @property
    def job_name(self) -> str:
        """What its streams' names begin with."""
        return self.watch.job.job_name or ""


@dataclass(slots=True, eq=False)
class Chains:
    """The chains of those who have joined; whoever comes first, when something is due, reads for all."""

    apart: bool = False
    """Whether all read by themselves after all."""
    memory: Memory = field(init=False)
    shares: list[Share] = field(init=False, default_factory=list)
    _source: Source = field(init=False)
    _rate: float = 0.0
    """Lines a second, smoothed."""
    _polled: float = 0.0
    """When the last narrow poll began."""
    _poll_every: float = BUSY
    _poll_at: float = 0.0
    _wide_at: float = 0.0
    _wide: Iterator[Aside | Page] | None = None
    _reading: bool = False
    """Whether somebody is at it."""

    def join(self, share: Share, memory: Memory) -> None:
        """Read a job too that has been caught up with; `memory` is what has been seen of it."""
        if self.apart or any(other.job_name == share.job_name for other in self.shares):
            # Two resources can mean one job.
            Chains().join(share, memory)
            return
        now = share.source.now()
        if not self.shares:
            self.memory, self._source = memory, share.source
            self._polled, self._wide_at, self._wide = now, now + WIDE_EVERY, None
        else:
            self.memory.adopt(memory)
        share.start = max(share.start, memory.remembered_from)
        share.chains = self
        self.shares.append(share)
        self._settle()
        self.hasten(now)

    def leave(self, share: Share) -> None:
        """Read a job no more."""
        if share in self.shares:
            self.shares.remove(share)
            self._settle()
            if not self.shares:
                self._source.budget.leaves(id(self))

    def hasten(self, now: float) -> None:
        """Poll at once, and often again: a new state often brings new lines."""
        self._poll_every, self._poll_at = BUSY, now

    @property
    def due(self) -> float:
        """When somebody has to come back, in seconds since the epoch: for what is due, or to see what others found."""
        due = min(self._poll_at, self._wide_at)
        if len(self.shares) == 1:
            return due
        now = self._source.now()
        return now + BUSY if self._reading else max(now, min(due, now + BUSY))

    def turn(self) -> Iterator[Aside | Page]:
        """Whatever is due: asides, and the new events of all jobs, which have arrived where each finds its own."""
        if self._reading:
            return
        self._reading = True
        try:
            now = self._source.now
            if now() >= self._poll_at:
                self._poll_at = now()
                yield from self._poll()
                self._poll_at += self._poll_every
            if now() >= self._wide_at:
                self._wide = self._wide or self._scan_wide()
                page = yield from _next_page(self._wide)
                every = WIDE_EVERY if page is None else WIDE_PAGE_EVERY
                self._wide_at = now() + (every if self._rate <= MANY else WIDE_PAGE_EVERY_MANY)
                if page is None:
                    self._wide = None
                else:
                    yield page
        finally:
            self._reading = False
        if self.apart:
            self._split()

    def scan(self, share: Share) -> Iterator[Aside | Page]:
        """A wide scan of one job at once, by which it is seen whether its log is complete."""
        yield from self._chain(share.source, self.memory.floor, share)

    def _split(self) -> None:
        """Let each go on by itself, from where all are."""
        self.apart = True
        shares, self.shares = self.shares, []
        for share in shares:
            Chains().join(share, deepcopy(self.memory))
        self._source.budget.leaves(id(self))

    def among(self, jobs: Iterable[str], source: Source) -> Generator[Aside, None, set[str]]:
        """Those of the jobs that have joined."""
        del source
        yield from ()
        return set(jobs) & {share.job_name for share in self.shares}

    def _settle(self) -> None:
        """Ask for what the jobs' names begin with, which may be nothing; one that has been alone had all of its own."""
        if not self.shares or (len(self.shares) == 1 and self._source is self.shares[0].source):
            return
        if self._source.members is not self:
            # What the scan under way brings would be taken for any job's that is alone later.
            self._wide = None
        queries = [share.source.query for share in self.shares]
        query = queries[0]._replace(prefix=shared_prefix(queries))
        self._source = replace(self._source, query=query, members=self)

    def _poll(self) -> Iterator[Aside | Page]:
        """A narrow chain, and from what it brings the pace of the next."""
        began = self._source.now()
        elapsed = max(0.1, began - self._polled)
        span = max(LEAST_SPAN, min(SPAN, SPAN_EVENTS / max(self._rate, 1.0)))
        lines = pages = 0
        for item in self._chain(self._source, self.memory.near(span)):
            if isinstance(item, list):
                lines, pages = lines + len(item), pages + 1
            yield item
            if 1 < len(self.shares) < pages:
                # So full of other jobs' lines is the group that each by itself takes fewer requests.
                self.apart = True
                return
        self._polled = began
        self._rate += 0.3 * (lines / elapsed - self._rate)
        self._source.budget.follows(id(self), self._rate)
        if lines or any(share.watch.ended_at is not None for share in self.shares):
            self._poll_every = BUSY
        elif all(share.watch.job.secondary_status in EARLY_STATES for share in self.shares):
            self._poll_every = EARLY
        elif began - max((share.newest_sight for share in self.shares), default=0.0) > IDLE_AFTER:
            self._poll_every = min(IDLE, self._poll_every * 1.5)

    def _scan_wide(self) -> Iterator[Aside | Page]:
        """A wide chain; only once it is complete may the next one begin later."""
        newest = self.memory.newest
        yield from self._chain(self._source, self.memory.floor)
        self.memory.base = newest

    def _chain(self, source: Source, start: int, share: Share | None = None) -> Iterator[Aside | Page]:
        """One chain's new events, a page at a time; of a share's own chain, by what the share has joined by then."""
        try:
            for item in source.pages(source.query.parameters(start)):
                chains = (share and share.chains) or self
                yield chains._new(item) if isinstance(item, list) else item
        except NotFound:
            yield from absent(source)

    def _new(self, page: Page) -> Page:
        """A page's new events; each arrives at its job's share."""
        by_job = {share.job_name: share for share in self.shares}
        job_of, alone = self._source.query.naming.job_of, len(self.shares) == 1

        def share_of(event: LogEvent) -> Share:
            return self.shares[0] if alone else by_job[job_of(event["logStreamName"])]

        now = self._source.now()
        # A chain that began before a wide scan was complete can bring what has been forgotten since: it was seen then.
        known = self.memory.remembered_from
        page = [event for event in page if event["timestamp"] >= max(known, share_of(event).start)]
        fresh = self.memory.take(page, sight=now)
        for event in fresh:
            share = share_of(event)
            share.newest_sight = now
            share.arrived.append(event)
        return fresh


def absent(source: Source) -> Iterator[Aside]:
    """Say, once, that there is no log group yet."""
    yield from source.say("absent", f"waiting for the first line: there is no log group {source.query.group} yet")


def _next_page(chain: Iterator[Aside | Page]) -> Generator[Aside, None, Page | None]:
    """A chain's asides up to its next page, which is returned; None at its end."""
    for item in chain:
        if isinstance(item, list):
            return item
        yield item
    return None
