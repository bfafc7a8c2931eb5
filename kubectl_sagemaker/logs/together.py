"""Several logs as one: followed side by side, or read in one order of time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

from kubectl_sagemaker.logs.events import Join, Note, Page, Pause, Transition

Log: TypeAlias = Iterator["Note | Page | Transition | Pause | Join"]
"""A followed log: it says with Pause when it wants to be asked again, and with Join that another one begins."""


def follow_all(
    logs: Iterable[Log], *, now: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Note | Page | Transition]:
    """Ask each log when it is due, until every one is over.

    One thread and one sleep: what the logs ask together stays within the budget that their sources share.
    """
    order = itertools.count()
    waiting = [(0.0, next(order), log) for log in logs]
    while waiting:
        due, _, log = heapq.heappop(waiting)
        pause = due - now()
        if pause > 0:
            sleep(pause)
        for item in log:
            if isinstance(item, Pause):
                heapq.heappush(waiting, (item.until, next(order), log))
                break
            if isinstance(item, Join):
                heapq.heappush(waiting, (now(), next(order), item.log))
            else:
                yield item


@dataclass(slots=True)
class _Opened:
    """A log that is being read, and what of it has been fetched and not yet yielded."""

    items: Iterator[Note | Page]
    page: Page


def read_all(logs: Iterable[tuple[int, Iterator[Note | Page]]]) -> Iterator[Note | Page]:
    """Finished logs in one order of time; each comes with the moment (ms) before which it has no event.

    A log is opened when the others have been read up to that moment, so that two hundred of them, one after the other,
    are not all in memory at once.
    """
    unopened = sorted(logs, key=itemgetter(0), reverse=True)
    opened: list[_Opened] = []
    while opened or unopened:
        for log in list(opened):
            while not log.page:
                item = next(log.items, None)
                if item is None:
                    opened.remove(log)
                    break
                if isinstance(item, Note):
                    yield item
                else:
                    log.page = item
        front = min((log.page[0]["timestamp"] for log in opened), default=None)
        if unopened and (front is None or unopened[-1][0] <= front):
            opened.append(_Opened(unopened.pop()[1], []))
            continue
        if not opened:
            continue
        moment = min(log.page[-1]["timestamp"] for log in opened)
        if unopened:
            # What begins later must be opened before anything after its beginning is yielded.
            moment = min(moment, unopened[-1][0] - 1)
        ready: Page = []
        for log in opened:
            count = next((at for at, event in enumerate(log.page) if event["timestamp"] > moment), len(log.page))
            ready += log.page[:count]
            log.page = log.page[count:]
        ready.sort(key=itemgetter("timestamp"))
        yield ready
