"""Many logs as one: followed side by side in one thread, or merged in time order."""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, Generic, NamedTuple, TypeVar

from kubectl_sagemaker.logs.events import CaughtUp, Item, LogEvent, Page, Pause

Log = TypeVar("Log")
TIME: Final = itemgetter("timestamp")


class Joins(NamedTuple, Generic[Log]):
    """A log that is followed too from now on."""

    log: Log
    items: Iterator[Item | Joins[Log]]


def follow_all(
    finder: Iterator[Item | Joins[Log]], now: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[tuple[Log | None, Item]]:
    """Every log's items, each with its log; the finder's own have none, and no pause comes out.

    The finder brings the logs, and a log may bring others. What was there when a log joined comes in time order, over
    all that join together; then all go on side by side, and whoever has waited longest is next. It is over when every
    log is, whether or not the finder would find more; while there was none at all, the finder is waited for.
    """
    numbers = itertools.count()
    waiting: list[tuple[float, int, Log | None, Iterator[Item | Joins[Log]]]] = [(now(), next(numbers), None, finder)]
    joined: list[Joins[Log]] = []
    logs, any_yet = 0, False
    while waiting and (logs or not any_yet):
        due, _, log, items = heapq.heappop(waiting)
        if (seconds := due - now()) > 0:
            sleep(seconds)
        for item in items:
            if isinstance(item, Pause):
                heapq.heappush(waiting, (item.until, next(numbers), log, items))
                break
            if isinstance(item, Joins):
                joined.append(item)
            elif not isinstance(item, CaughtUp):
                yield log, item
        else:
            logs -= log is not None
        if joined:
            logs, any_yet = logs + len(joined), True
            for other, past in read_all(Reading(each.log, 0.0, _history(each.items)) for each in joined):
                if not isinstance(past, Pause):
                    yield other, past
                elif (seconds := past.until - now()) > 0:
                    sleep(seconds)
            for each in joined:
                heapq.heappush(waiting, (now(), next(numbers), each.log, each.items))
            joined.clear()


def _history(items: Iterator[Item | Joins[Log]]) -> Iterator[Item]:
    """The items up to where the log has been caught up with; nothing joins before."""
    for item in items:
        assert not isinstance(item, Joins)  # noqa: S101  # it would be lost
        if isinstance(item, CaughtUp):
            return
        yield item


@dataclass(slots=True, eq=False)
class Reading(Generic[Log]):
    """A log that is being read: its items, and what of the last page is still to come out."""

    log: Log
    start: float
    """Milliseconds since the epoch: no event lies before it."""
    items: Iterator[Item]
    buffer: Page = field(default_factory=list)


def read_all(logs: Iterable[Reading[Log]]) -> Iterator[tuple[Log, Item]]:
    """The logs' events in time order, in runs of one log, and all else that they say.

    A log is begun only when the others have come to its start: jobs that ran one after the other are read so too.
    """
    unread = sorted(logs, key=lambda log: log.start, reverse=True)
    reading: list[Reading[Log]] = []
    while reading or unread:
        while unread and (not reading or unread[-1].start <= _moment(reading)):
            reading.append(unread.pop())
            yield from _fill(reading[-1])
            reading = [log for log in reading if log.buffer]
        if not reading:
            continue
        moment = _moment(reading)
        ready: list[tuple[LogEvent, Log]] = []
        for log in reading:
            count = bisect_right(log.buffer, moment, key=TIME)
            ready += [(event, log.log) for event in log.buffer[:count]]
            log.buffer = log.buffer[count:]
        ready.sort(key=lambda pair: pair[0]["timestamp"])
        for owner, run in itertools.groupby(ready, key=itemgetter(1)):
            yield owner, [event for event, _ in run]
        for log in reading:
            yield from _fill(log)
        reading = [log for log in reading if log.buffer]


def _moment(reading: Sequence[Reading[Log]]) -> int:
    """As far as every log has been read, in milliseconds."""
    return min(log.buffer[-1]["timestamp"] for log in reading)


def _fill(log: Reading[Log]) -> Iterator[tuple[Log, Item]]:
    """Read on until there is an event to come out, if there is none; at the log's end there is none left."""
    if log.buffer:
        return
    for item in log.items:
        if not isinstance(item, list):
            yield log.log, item
        elif item:
            log.buffer = item
            return
