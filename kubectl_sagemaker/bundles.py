"""Logs whose jobs' names begin alike, read in one chain."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from kubectl_sagemaker.errors import NotFound
from kubectl_sagemaker.joblog import JobLog
from kubectl_sagemaker.logs.events import Item, Note, Page
from kubectl_sagemaker.logs.pace import LOGS
from kubectl_sagemaker.logs.read import read
from kubectl_sagemaker.logs.source import Named, Source, shared_prefix
from kubectl_sagemaker.logs.together import Reading, read_all
from kubectl_sagemaker.times import span

Result = TypeVar("Result")

LEAST_BUNDLE: Final = 4
"""Logs from which on one chain over what their names begin with is tried."""
MOST_STRANGERS: Final = 4.0
"""Lines of other jobs for each line of theirs at which each log is read by itself after all."""
LONG: Final = 10.0
"""Seconds without a line that are explained."""
AFTER_THE_END: Final = 3600.0
"""Seconds after the last job's end that are read too: instances' clocks are theirs."""


@dataclass(slots=True, eq=False)
class Bundle:
    """Finished or not, opened logs of one group whose jobs' names begin alike, read in one chain.

    Each log by itself costs a request at least, of which the account has few a second; a page holds the lines of
    hundreds of short logs.
    """

    logs: list[JobLog]
    source: Source
    _owners: dict[str, JobLog] = field(init=False)
    _silent: set[JobLog] = field(init=False)
    _complete: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self._owners = {log.job.job_name or "": log for log in self.logs}
        self._silent = set(self.logs)

    def pays(self) -> Generator[Item, None, bool]:
        """Whether few enough lines are other jobs': by the first page."""
        query = self.source.query
        try:
            answer = yield from self.source.ask("FilterLogEvents", query.parameters(query.start))
        except NotFound:
            return True
        events = answer["events"]
        wanted = yield from self.source.wanted(events)
        return not answer.get("nextToken") or len(events) <= (MOST_STRANGERS + 1) * len(wanted)

    def read(self, *, alone: bool) -> Iterator[Item]:
        """The logs as they stand now."""
        yield from read(self.source, alone=alone)
        self._complete = True

    def runs(self, page: Page) -> Iterator[tuple[JobLog, Page]]:
        """A page's events in runs of one log."""
        job_of = self.source.query.naming.job_of
        for job, run in itertools.groupby(page, key=lambda event: job_of(event["logStreamName"])):
            self._silent.discard(self._owners[job])
            yield self._owners[job], list(run)

    @property
    def silent(self) -> list[JobLog]:
        """Those of which no line has come; none as long as not all has been read."""
        return [log for log in self.logs if log in self._silent] if self._complete else []


def read_together(
    logs: Iterable[JobLog], guarded: Callable[[Iterator[Item]], Iterator[Item]]
) -> Iterator[tuple[JobLog | None, Item]]:
    """Open the logs, and read them as they stand now, merged in time order.

    `guarded` stands around what can fail for a log, or a bundle, without the others.
    """
    parts: list[JobLog] = []
    for log in logs:
        for item in guarded(_leading(log.parts(), parts.extend)):
            yield log, item
    made, rest = bundles(parts)
    paying: list[Bundle] = []
    for bundle in made:
        pays: list[bool] = []
        for item in guarded(_leading(bundle.pays(), pays.append)):
            yield None, item
        if any(pays):
            paying.append(bundle)
        else:
            rest += bundle.logs
    yield from ((None, note) for note in _forewarning(rest))
    side_by_side = len(paying) + len(rest)
    readings: list[Reading[JobLog | Bundle]] = [
        Reading(bundle, bundle.source.query.start, guarded(bundle.read(alone=side_by_side == 1))) for bundle in paying
    ]
    readings += [Reading(log, log.source.query.start, guarded(log.read(side_by_side=side_by_side))) for log in rest]
    for owner, item in read_all(readings):
        if not isinstance(owner, Bundle):
            yield owner, item
        elif isinstance(item, list):
            yield from owner.runs(item)
        else:
            yield None, item
    for log in (log for bundle in paying for log in bundle.silent):
        yield log, Note(log.source.query.nothing)
        for item in guarded(log.silence()):
            yield log, item


def _leading(items: Generator[Item, None, Result], take: Callable[[Result], object]) -> Iterator[Item]:
    """The items; `take` gets what they lead to."""
    take((yield from items))


def _forewarning(logs: Sequence[JobLog]) -> Iterator[Note]:
    """How long the last lines will take, if that is long: each log costs a request, few lines come before."""
    rate = LOGS["FilterLogEvents"][0]
    count = sum(bool(log.wanted.tail) for log in logs)
    if count / rate >= LONG:
        yield Note(f"reading the last lines of {count} logs, {rate:g} a second: about {span(count / rate)}")


def bundles(logs: Iterable[JobLog]) -> tuple[list[Bundle], list[JobLog]]:
    """Opened logs as they are best read: together where names begin alike, and the rest."""
    alike: dict[object, list[JobLog]] = {}
    rest: list[JobLog] = []
    for log in logs:
        if log.wanted.tail is None and log.alike is not None:
            first_word = log.source.query.prefix.rstrip("/").partition("-")[0]
            alike.setdefault((log.alike, first_word), []).append(log)
        else:
            rest.append(log)
    made = []
    for group in alike.values():
        if len(group) < LEAST_BUNDLE:
            rest += group
            continue
        ends = [log.watch.ended_at for log in group]
        queries = [log.source.query for log in group]
        last = max(end for end in ends if end is not None) + AFTER_THE_END if None not in ends else None
        given = queries[0].end
        query = queries[0]._replace(
            prefix=shared_prefix(queries),
            start=min(query.start for query in queries),
            end=given if given is not None or last is None else round(last * 1000),
        )
        members = Named(frozenset(log.job.job_name or "" for log in group))
        made.append(Bundle(group, replace(group[0].source, query=query, members=members)))
    return made, rest
