"""Read a job's log as it stands now: all of it, or the last lines of each stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from operator import itemgetter
from typing import Any, Final, cast

from kubectl_sagemaker.errors import Forbidden, Invalid, NotFound
from kubectl_sagemaker.logs.events import Aside, LogEvent, Note, Page
from kubectl_sagemaker.logs.source import MOST_EVENTS, Source

NEWEST_FIRST_SINCE: Final = 1_704_067_200_000
"""2024-01-01 UTC in milliseconds: CloudWatch refuses `startFromHead=false` from an earlier start."""


def read(source: Source, *, tail: int | None = None, alone: bool = True) -> Iterator[Aside | Page]:
    """Pages of events in time order, and asides; one note and no page where nothing was ever written.

    Who reads `alone` has the memory and the quota for several requests in flight.
    """
    lines = 0
    try:
        if tail is not None:
            pages = _tail(source, tail)
        else:
            pages = _all(source) if alone else source.pages(source.query.parameters(source.query.start))
        for item in pages:
            if isinstance(item, list):
                lines += len(item)
            yield item
    except NotFound:
        yield Note(f"no log yet: there is no log group {source.query.group}")
        return
    if not lines and tail != 0:
        yield Note(source.query.nothing)


def _all(source: Source) -> Iterator[Aside | Page]:
    """The whole log. One request is all that most logs need; what is longer goes on in lanes, or in the same chain."""
    parameters = source.query.parameters(source.query.start)
    events: Page = []
    while not events:
        try:
            answer = yield from source.ask("FilterLogEvents", parameters)
        except Invalid:
            # A token that CloudWatch no longer takes, with nothing read yet.
            if parameters.pop("nextToken", None) is None:
                raise
            continue
        events = cast("Page", answer["events"])
        if not answer.get("nextToken"):
            yield (yield from source.wanted(events))
            return
        parameters["nextToken"] = answer["nextToken"]

    from kubectl_sagemaker.logs.lanes import MOST_LANES, read_streams

    reached, first = events[-1]["timestamp"], events[0]["timestamp"]
    streams: list[dict[str, Any]] = []
    if reached > first and source.query.pattern is None:
        try:
            streams = yield from _streams(source)
        except Forbidden:
            # DescribeLogStreams is a right of its own; the chain needs none but FilterLogEvents.
            streams = []
    if 0 < len(streams) <= MOST_LANES:
        # The page can have been cut in the middle of a millisecond, which the lanes read again from its beginning.
        yield (yield from source.wanted([event for event in events if event["timestamp"] < reached]))
        names = [stream["logStreamName"] for stream in streams]
        # It can lag by an hour (API reference): good enough to say how time is cut, not where the log ends.
        newest = max(stream.get("lastIngestionTime", reached) for stream in streams)
        begun = False
        try:
            for item in read_streams(source, names, reached, newest, len(events) / (reached - first)):
                begun = begun or isinstance(item, list)
                yield item
            return
        except Forbidden:
            # GetLogEvents is a right of its own, too.
            if begun:
                raise
        cut = [event for event in events if event["timestamp"] >= reached]
    else:
        cut = events
    yield (yield from source.wanted(cut))
    yield from source.pages(parameters, before=events)


def _tail(source: Source, count: int) -> Iterator[Aside | Page]:
    page = yield from last_lines(source, count)
    yield page


def last_lines(source: Source, count: int) -> Generator[Aside, None, Page]:
    """The last `count` events of each wanted stream, in time order over all of them."""
    events: Page = []
    if count:
        streams = yield from _streams(source)
        for stream in streams:
            events += yield from last_of(source, stream["logStreamName"], count)
    events.sort(key=itemgetter("timestamp"))
    return events


def _streams(source: Source) -> Generator[Aside, None, list[dict[str, Any]]]:
    """The wanted streams, as DescribeLogStreams has them."""
    query = source.query
    if query.stream is not None:
        return [{"logStreamName": query.stream}]
    streams: list[dict[str, Any]] = []
    parameters = {"logGroupName": query.group, "logStreamNamePrefix": query.prefix + query.stream_prefix}
    if not parameters["logStreamNamePrefix"]:
        del parameters["logStreamNamePrefix"]
    while True:
        answer = yield from source.ask("DescribeLogStreams", parameters)
        streams += answer["logStreams"]
        if not answer.get("nextToken"):
            wanted = yield from source.wanted_streams(stream["logStreamName"] for stream in streams)
            return [stream for stream in streams if stream["logStreamName"] in wanted]
        parameters["nextToken"] = answer["nextToken"]


def last_of(source: Source, stream: str | None, count: int) -> Generator[Aside, None, Page]:
    """The last events of one stream, or of all streams together (None), read newest first until there are `count`."""
    parameters = source.query.parameters(source.query.start)
    if stream is not None:
        parameters.pop("logStreamNamePrefix", None)
        parameters["logStreamNames"] = [stream]
    events: Page = []
    if parameters.get("endTime", NEWEST_FIRST_SINCE) >= NEWEST_FIRST_SINCE:
        start = max(source.query.start, NEWEST_FIRST_SINCE)
        newest = parameters | {"startTime": start, "startFromHead": False, "limit": min(count, MOST_EVENTS)}
        while len(events) < count:
            answer = yield from source.ask("FilterLogEvents", newest)
            events += answer["events"]
            if not answer.get("nextToken"):
                break
            newest["nextToken"] = answer["nextToken"]
        # Newest first: reversed, events of one millisecond stand as they were written.
        events = events[:count][::-1]
    if len(events) < count and source.query.start < NEWEST_FIRST_SINCE:
        # What is older can only be read from its beginning.
        older: deque[LogEvent] = deque(maxlen=count - len(events))
        parameters["endTime"] = min(NEWEST_FIRST_SINCE - 1, parameters.get("endTime", NEWEST_FIRST_SINCE))
        for item in source.pages(parameters):
            if isinstance(item, list):
                older += item
            else:
                yield item
        events = [*older, *events]
    return events
