"""The rest of a long log, read by several requests in flight: in time order, with a bounded buffer.

GetLogEvents reads one stream, has the larger quota, and its chains run side by side: one lane a stream. Where there are
too few streams to keep the quota busy, time is cut into windows with a lane each. docs/decisions.md has the figures.
"""

from __future__ import annotations

import queue
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from kubectl_sagemaker.errors import Invalid
from kubectl_sagemaker.logs.events import Aside, Page, waited
from kubectl_sagemaker.logs.source import MOST_EVENTS, Source

IN_FLIGHT: Final = 4
"""Lanes that are wanted at once: at 25 requests a second and 100 ms each, 2.5 requests are under way on average."""
MOST_LANES: Final = 32
"""Streams above which FilterLogEvents' own merging is the better way: memory grows with every lane."""
BUFFERED: Final = 9
"""Pages in memory, over all lanes, being read, waiting or under way; 4 MB each as Python's objects."""
LANE_PAGES: Final = 2
"""Pages that a lane should have where time is cut. Each lane spends one request more to learn its end, but what is
longer than the pages fetched ahead comes one round trip after the other: 200,000 lines of one stream at 100 ms a
request take 1.9 s at 2 pages and 2.3 s at 3 or 6."""
PAGE_EVENTS: Final = 8_000
"""Events of a full page of 100-byte lines: the bound is 1 MB."""
TIME: Final = itemgetter("timestamp")


class Lane:
    """One stream's events from `start` to before `end` (ms; None: all), fetched ahead of who reads them.

    At most `depth` pages are under way or wait to be read.
    """

    def __init__(self, source: Source, stream: str, start: int, end: int | None, depth: int, limit: int) -> None:
        self._source = source
        self._stream = stream
        self._parameters: dict[str, object] = {
            "logGroupName": source.query.group,
            "logStreamName": stream,
            "startFromHead": True,
            "startTime": start,
            "limit": limit,
            **({} if end is None else {"endTime": end}),
        }
        self._fetched: queue.SimpleQueue[Aside | Page | BaseException | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(depth)
        self._stopped = threading.Event()
        # A daemon: Ctrl-C must not wait for an answer that nobody will read.
        threading.Thread(target=self._run, name=f"lane {stream}", daemon=True).start()

    def pages(self) -> Iterator[Aside | Page]:
        """Asides and pages, in order; raises what the fetching raised."""
        while (item := self._fetched.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, list):
                self._room.release()
            yield item

    def stop(self) -> None:
        """Fetch no more."""
        self._stopped.set()
        self._room.release()

    def _run(self) -> None:
        try:
            for item in waited(self._chain(), self._source.now, self._source.sleep):
                self._fetched.put(item)
            self._fetched.put(None)
        except BaseException as error:  # noqa: BLE001  # it is raised again where the lane is read
            self._fetched.put(error)

    def _chain(self) -> Iterator[Aside | Page]:
        """The stream's pages. The end is the token that was sent coming back; pages can be empty before it.

        A token that CloudWatch no longer takes (a laptop slept for a day) starts anew at the newest event read.
        """
        token = None
        reached, at_reached, again = -1, 0, 0
        while True:
            self._room.acquire()
            if self._stopped.is_set():
                return
            try:
                answer = yield from self._source.ask("GetLogEvents", self._parameters)
            except Invalid:
                if self._parameters.pop("nextToken", None) is None:
                    raise
                if at_reached:
                    self._parameters["startTime"], again = reached, at_reached
                token = None
                self._room.release()
                continue
            events: Page = answer["events"]
            # Events of GetLogEvents have no ids, but in one stream the order of a millisecond's events stays.
            skipped = min(again, len(events))
            again -= skipped
            events = events[skipped:]
            for event in events:
                event["logStreamName"] = self._stream
            if events:
                count = len(events) - bisect_left(events, events[-1]["timestamp"], key=TIME)
                at_reached = count + (at_reached if events[-1]["timestamp"] == reached else 0)
                reached = events[-1]["timestamp"]
            yield events
            if answer["nextForwardToken"] == token:
                return
            token = self._parameters["nextToken"] = answer["nextForwardToken"]


def read_streams(
    source: Source, streams: Sequence[str], start: int, newest: int, density: float
) -> Iterator[Aside | Page]:
    """The streams' events from `start` (ms) on, in time order.

    `newest` (ms) and `density` (events a millisecond, over all streams) say how time is best cut; whatever they are,
    every event comes, once. Each page that comes out holds events of all streams up to one moment.
    """
    ahead = max(1, IN_FLIGHT // len(streams))
    lanes_ahead = ahead * len(streams)
    depth = max(1, (BUFFERED - len(streams)) // lanes_ahead)
    limit = min(MOST_EVENTS, MOST_EVENTS * BUFFERED // (2 * len(streams)))
    wanted = LANE_PAGES * PAGE_EVENTS * len(streams)
    length = wanted / max(density, 1e-9)
    end = None if source.query.end is None else source.query.end + 1  # exclusive here, inclusive in FilterLogEvents
    windows: deque[list[Lane]] = deque()
    begin: int | None = start
    try:
        while windows or begin is not None:
            while begin is not None and len(windows) < ahead:
                cut = begin + max(1, round(length))
                last = ahead == 1 or cut >= newest or (end is not None and cut >= end)
                until = end if last else cut
                windows.append([Lane(source, stream, begin, until, depth, limit) for stream in streams])
                begin = None if last else cut
            lines = 0
            for item in _merged(windows[0]):
                lines += len(item) if isinstance(item, list) else 0
                yield item
            windows.popleft()
            # A burst is followed by quiet and quiet by a burst: the next window is as long as this one's lines say.
            length = min(length * 8, max(length / 8, length * wanted / max(lines, 1)))
    finally:
        for lanes in windows:
            for lane in lanes:
                lane.stop()


def _merged(lanes: Sequence[Lane]) -> Iterator[Aside | Page]:
    """The lanes' events in time order: each time as far as every lane has been read."""
    open_lanes = {lane.pages(): Page() for lane in lanes}
    while open_lanes:
        for pages, buffer in list(open_lanes.items()):
            if buffer:
                continue
            for item in pages:
                if not isinstance(item, list):
                    yield item
                    continue
                if item:
                    open_lanes[pages] = item
                    break
            else:
                del open_lanes[pages]
        if not open_lanes:
            return
        moment = min(buffer[-1]["timestamp"] for buffer in open_lanes.values())
        ready = Page()
        for pages, buffer in open_lanes.items():
            count = bisect_right(buffer, moment, key=TIME)
            ready += buffer[:count]
            open_lanes[pages] = buffer[count:]
        ready.sort(key=TIME)
        yield ready
