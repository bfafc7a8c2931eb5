"""One job's events in CloudWatch, asked for patiently and within a budget."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple, Protocol, cast

from kubectl_sagemaker.errors import Error, Invalid, NotFound, Throttled, Unauthorized, Unavailable
from kubectl_sagemaker.logs.events import PLAIN, Aside, Naming, Note, Page, Pause
from kubectl_sagemaker.logs.pace import Budget


class Query(NamedTuple):
    """Which events: times in milliseconds since the epoch, `end` inclusive."""

    group: str
    prefix: str
    """What every stream of the job begins with, and no other job's: it ends in a slash, for jobs."""
    stream: str | None = None
    """The one stream to read, in place of a prefix."""
    start: int = 0
    end: int | None = None
    instances: tuple[str, ...] = ()
    """Globs; an event counts if its instance, or its label, matches one. Empty: all."""
    stream_prefix: str = ""
    """What a stream's name, after the job's, begins with."""
    pattern: str | None = None
    """CloudWatch's own filter pattern."""
    naming: Naming = PLAIN
    left_out: str = ""
    """How the names of streams end that are not read; empty: all are."""
    limit: int | None = None
    """Events of a page, at most; None: as many as CloudWatch gives."""
    narrowed: bool = False
    """Whether a part of the log was asked for, so that lines elsewhere in it don't count."""

    @property
    def nothing(self) -> str:
        """What is said where no line has come."""
        return "no log lines that match the flags" if self.narrowed else "no log lines"

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
        if self.limit is not None:
            parameters["limit"] = self.limit
        return parameters

    def wants(self, stream: str) -> bool:
        """Whether `stream` is wanted, by its end and its instance."""
        if self.left_out and stream.endswith(self.left_out):
            return False
        names = {self.naming.instance(stream), self.naming.label(stream)}
        return not self.instances or any(fnmatchcase(name, glob) for glob in self.instances for name in names)


def shared_prefix(queries: Iterable[Query]) -> str:
    """What the prefixes of all of them begin with, letter by letter."""
    prefixes = [query.prefix for query in queries]
    # What the first and the last in order share, all between them do.
    first, last = min(prefixes), max(prefixes)
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((at for at, (one, other) in pairs if one != other), len(first))]


class Members(Protocol):
    """Whose lines count, where a prefix selects more streams than are wanted."""

    def among(self, jobs: Iterable[str], source: Source) -> Generator[Aside, None, set[str]]:
        """Those of the jobs that count."""


class Named(NamedTuple):
    """Jobs that are known by name beforehand."""

    names: frozenset[str]

    def among(self, jobs: Iterable[str], source: Source) -> Generator[Aside, None, set[str]]:
        """Those of the jobs that are named."""
        del source
        yield from ()
        return set(jobs) & self.names


class Fetch(Protocol):
    """Call one operation of CloudWatch Logs or SageMaker; raises what Aws.call raises."""

    def __call__(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]: ...


MOST_EVENTS: Final = 10_000
"""Events of a page, at most."""
PAGED: Final = frozenset({"FilterLogEvents", "GetLogEvents"})
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Back-off, in seconds: doubled at each failure in a row, times a random half to one and a half."""
OUTAGE: Final = 30.0
"""After so many seconds without an answer, its return is worth a word."""


@dataclass(slots=True)
class Source:
    """CloudWatch's answers for one query; it backs off and says so."""

    fetch: Fetch
    query: Query
    now: Callable[[], float]
    sleep: Callable[[float], None]
    """Where threads read, each waits for itself; everywhere else pauses are yielded."""
    budget: Budget
    renew: Callable[[], None]
    """Reads the credentials anew."""
    heals: Callable[[], bool] = lambda: True
    """Whether credentials that have expired can become valid again in this process."""
    patience: float | None = None
    """How long one request is tried, in seconds; None: for ever."""
    random: random.Random = field(default_factory=random.Random)
    answered: bool = False
    """Whether any request was answered: until then, refused credentials are an error and no expiry."""
    members: Members | None = None
    """Whose lines count; None: every stream's."""
    _said: set[str] = field(default_factory=set)

    def say(self, key: str, text: str) -> Iterator[Note]:
        """A Note, the first time that `key` comes up."""
        if key not in self._said:
            self._said.add(key)
            yield Note(text)

    def pages(self, parameters: Mapping[str, Any], *, before: Page | None = None) -> Iterator[Aside | Page]:
        """One chain of FilterLogEvents to its last page: asides, and the wanted events of each page.

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
            yield (yield from self.wanted(events))
            if not answer.get("nextToken"):
                return
            query["nextToken"] = answer["nextToken"]

    def wanted(self, events: Page) -> Generator[Aside, None, Page]:
        """Those of the wanted streams; SageMaker is asked whose child a job is that has not been met before."""
        if not (self.query.instances or self.query.left_out or self.members):
            return events
        wanted = yield from self.wanted_streams({event["logStreamName"] for event in events})
        return [event for event in events if event["logStreamName"] in wanted]

    def wanted_streams(self, streams: Iterable[str]) -> Generator[Aside, None, set[str]]:
        """The wanted ones of some streams."""
        wanted = {stream for stream in streams if self.query.wants(stream)}
        if self.members is None:
            return wanted
        job_of = self.query.naming.job_of
        jobs = yield from self.members.among({job_of(stream) for stream in wanted}, self)
        return {stream for stream in wanted if job_of(stream) in jobs}

    def ask(self, operation: str, parameters: Mapping[str, Any]) -> Generator[Aside, None, dict[str, Any]]:
        """One request until it is answered: asides, and in the end the answer.

        Raises what no waiting mends (Forbidden, NotFound, Invalid, other Errors), credentials that never worked,
        and the last Unavailable once `patience` is over.
        """
        pace = self.budget.pace(operation)
        pause = FIRST_PAUSE
        began = self.now()
        while True:
            if (owed := pace.reserve()) > 0:
                yield Pause(self.now() + owed)
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
            yield Pause(self.now() + pause * (0.5 + self.random.random()))
            pause = min(LONGEST_PAUSE, pause * 2)
