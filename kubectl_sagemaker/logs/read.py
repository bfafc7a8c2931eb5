"""Read a job's log as it stands now: all of it, or the last lines of each stream."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from operator import itemgetter
from typing import Final

from kubectl_sagemaker.errors import NotFound
from kubectl_sagemaker.logs.events import Note, Page
from kubectl_sagemaker.logs.source import Source

MOST_EVENTS: Final = 10_000
"""A page's greatest number of events."""
NEWEST_FIRST_SINCE: Final = 1_704_067_200_000
"""2024-01-01 UTC in milliseconds: CloudWatch refuses `startFromHead=false` from an earlier start."""


def read(source: Source, *, tail: int | None = None) -> Iterator[Note | Page]:
    """Pages of events in time order, and notes; one note and no page where nothing was ever written."""
    lines = 0
    try:
        pages = source.pages(source.query.parameters(source.query.start)) if tail is None else _tail(source, tail)
        for item in pages:
            if not isinstance(item, Note):
                lines += len(item)
            yield item
    except NotFound:
        yield Note(f"no log yet: there is no log group {source.query.group}")
        return
    if not lines and tail != 0:
        yield Note("no log lines")


def _tail(source: Source, count: int) -> Iterator[Note | Page]:
    page = yield from last_lines(source, count)
    yield page


def last_lines(source: Source, count: int) -> Generator[Note, None, Page]:
    """The last `count` events of each wanted stream, in time order over all of them."""
    events: Page = []
    if count:
        streams = yield from _streams(source)
        for stream in streams:
            events += yield from _last_of(source, stream, count)
    events.sort(key=itemgetter("timestamp"))
    return events


def _streams(source: Source) -> Generator[Note, None, list[str]]:
    """Names of the wanted streams."""
    query = source.query
    if query.stream is not None:
        return [query.stream]
    names: list[str] = []
    parameters = {"logGroupName": query.group, "logStreamNamePrefix": query.prefix + query.stream_prefix}
    if not parameters["logStreamNamePrefix"]:
        del parameters["logStreamNamePrefix"]
    while True:
        answer = yield from source.ask("DescribeLogStreams", parameters)
        names += [stream["logStreamName"] for stream in answer["logStreams"]]
        if not answer.get("nextToken"):
            return [name for name in names if query.wants(name)]
        parameters["nextToken"] = answer["nextToken"]


def _last_of(source: Source, stream: str, count: int) -> Generator[Note, None, Page]:
    """One stream's last events, read newest first until there are `count`."""
    start = max(source.query.start, NEWEST_FIRST_SINCE)
    parameters = source.query.parameters(start)
    parameters.pop("logStreamNamePrefix", None)
    parameters |= {"logStreamNames": [stream], "startFromHead": False, "limit": min(count, MOST_EVENTS)}
    events: Page = []
    while len(events) < count:
        answer = yield from source.ask("FilterLogEvents", parameters)
        events += answer["events"]
        if not answer.get("nextToken"):
            break
        parameters["nextToken"] = answer["nextToken"]
    # Newest first: reversed, events of one millisecond stand as they were written.
    return events[:count][::-1]
