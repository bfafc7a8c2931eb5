"""One job's events in CloudWatch, asked for patiently and within a budget."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol, cast

from kubectl_sagemaker.errors import Error, Invalid, NotFound, Throttled, Unauthorized, Unavailable
from kubectl_sagemaker.logs.events import Note, Page, instance
from kubectl_sagemaker.logs.pace import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which events: times in milliseconds since the epoch, `end` inclusive."""

    group: str
    prefix: str
    """What every stream of the job begins with, and no other job's: it ends in a slash, for jobs."""
    stream: str | None = None
    """The one stream to read, in place of a prefix."""
    start: int = 0
    end: int | None = None
    instances: tuple[str, ...] = ()
    """Globs; an event counts if its instance matches one. Empty: all."""
    stream_prefix: str = ""
    """What a stream's name, after the job's, begins with."""
    pattern: str | None = None
    """CloudWatch's own filter pattern."""

    def parameters(self, start: int) -> dict[str, Any]:
        """FilterLogEvents' parameters for this query from `start` on."""
        parameters: dict[str, Any] = {"logGroupName": self.group, "startTime": start}
        if self.stream is not None:
            parameters["logStreamNames"] = [self.stream]
        elif self.prefix or self.stream_prefix:
            # CloudWatch refuses an empty prefix; an endpoint's group is its own and needs none.
            parameters["logStreamNamePrefix"] = self.prefix + self.stream_prefix
        if self.end is not None:
            parameters["endTime"] = self.end
        if self.pattern is not None:
            parameters["filterPattern"] = self.pattern
        return parameters

    def wants(self, stream: str) -> bool:
        """Whether `stream` is of a wanted instance."""
        name = instance(stream)
        return not self.instances or any(fnmatchcase(name, glob) for glob in self.instances)


class Fetch(Protocol):
    """Call one operation of CloudWatch Logs; raises what Aws.call raises."""

    def __call__(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]: ...


MOST_EVENTS: Final = 10_000
"""Events of a page, at most."""
PAGED: Final = frozenset({"FilterLogEvents", "GetLogEvents"})
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Back-off, in seconds: doubled at each failure in a row, times a random half to one and a half."""
OUTAGE: Final = 30.0
"""After so many seconds without an answer, its return is worth a word."""
FASTEST: Final[Mapping[str, tuple[float, float]]] = {
    "FilterLogEvents": (5.0, 2.0),
    "GetLogEvents": (24.0, 10.0),
    "DescribeLogStreams": (5.0, 2.0),
}
"""Requests a second, and at once, by operation. FilterLogEvents' lowest quota in any region is 5, and a follower shares
it with the whole account; GetLogEvents' is 10 to 25, and only a reader asks it, who ends (AWS's quotas)."""


@dataclass(slots=True)
class Source:
    """CloudWatch's answers for one query; it waits, backs off and says so."""

    fetch: Fetch
    query: Query
    now: Callable[[], float]
    sleep: Callable[[float], None]
    renew: Callable[[], None]
    """Reads the credentials anew."""
    heals: Callable[[], bool] = lambda: True
    """Whether credentials that have expired can become valid again in this process."""
    patience: float | None = None
    """How long one request is tried, in seconds; None: for ever."""
    random: random.Random = field(default_factory=random.Random)
    answered: bool = False
    """Whether any request was answered: until then, refused credentials are an error and no expiry."""
    paces: dict[str, Pace] = field(default_factory=dict)
    """A budget for each operation: CloudWatch counts them apart."""
    _said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Every operation begins at its fastest."""
        for operation, (fastest, burst) in FASTEST.items():
            self.paces[operation] = Pace(fastest, burst, self.now, self.sleep)

    def say(self, key: str, text: str) -> Iterator[Note]:
        """A Note, the first time that `key` comes up."""
        if key not in self._said:
            self._said.add(key)
            yield Note(text)

    def pages(self, parameters: Mapping[str, Any], *, before: Page | None = None) -> Iterator[Note | Page]:
        """One chain of FilterLogEvents to its last page: notes, and the wanted events of each page.

        The end is a page without a token, and nothing else: pages can be short or empty before it. An error in
        mid-chain is met by asking for the same page again. Only a token that CloudWatch no longer takes (they live
        24 h) starts a new chain, at the newest event that this one has brought. `before` is the page whose token the
        parameters go on from, if they have one.
        """
        query = dict(parameters)
        reached: int = query["startTime"]
        at_reached: set[str] = set()
        events = before or []
        while True:
            if events and events[-1]["timestamp"] >= reached:
                if events[-1]["timestamp"] > reached:
                    at_reached = set()
                reached = events[-1]["timestamp"]
                for event in reversed(events):
                    if event["timestamp"] < reached:
                        break
                    at_reached.add(event["eventId"])
            try:
                answer = yield from self.ask("FilterLogEvents", query)
            except Invalid:
                if query.pop("nextToken", None) is None:
                    raise
                query["startTime"] = reached
                events = []
                continue
            events = cast("Page", answer["events"])
            if at_reached:
                # Only after such a new start can an event come again.
                events = [event for event in events if event["eventId"] not in at_reached]
            yield self.wanted(events)
            if not answer.get("nextToken"):
                return
            query["nextToken"] = answer["nextToken"]

    def wanted(self, events: Page) -> Page:
        """Those of the wanted instances."""
        if not self.query.instances:
            return events
        wanted = {stream: self.query.wants(stream) for stream in {event["logStreamName"] for event in events}}
        return [event for event in events if wanted[event["logStreamName"]]]

    def ask(self, operation: str, parameters: Mapping[str, Any]) -> Generator[Note, None, dict[str, Any]]:
        """One request until it is answered: notes, and in the end the answer.

        Raises what no waiting mends (Forbidden, NotFound, Invalid, other Errors), credentials that never worked,
        and the last Unavailable once `patience` is over.
        """
        pace = self.paces[operation]
        pause = FIRST_PAUSE
        began = self.now()
        while True:
            pace.wait()
            try:
                answer = self.fetch(operation, parameters)
                if operation in PAGED and not isinstance(answer.get("events"), list):
                    # A proxy's page with status 200 is parsed into an answer without events (measured).
                    raise Unavailable(f"logs:{operation}: a page without events")
            except NotFound:
                # No group yet: to say so, CloudWatch has accepted the credentials.
                self.answered = True
                raise
            except Throttled as error:
                pace.throttled()
                trouble: Error = error
            except Unavailable as error:
                yield from self.say("unavailable", f"{error.message}; trying again")
                trouble = error
            except Unauthorized as error:
                if not self.answered or self.patience is not None or not self.heals():
                    raise
                yield from self.say(f"credentials {began}", f"{error.message}; {error.hint}; going on once they work")
                self.renew()
                trouble = error
            else:
                self.answered = True
                pace.answered()
                if self.now() - began > OUTAGE:
                    yield Note(f"CloudWatch answers again after {self.now() - began:.0f} s")
                return answer
            if self.patience is not None and self.now() - began > self.patience:
                raise trouble
            self.sleep(pause * (0.5 + self.random.random()))
            pause = min(LONGEST_PAUSE, pause * 2)
