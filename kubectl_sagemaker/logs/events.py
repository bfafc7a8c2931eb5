"""What the engine reads and says: events, pages of them, and all that can come between pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, NotRequired, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Job


class LogEvent(TypedDict):
    """One event as CloudWatch Logs returns it; times in milliseconds since the epoch.

    A plain dict, because it comes so from the parser and a copy into an object costs more than printing it.
    """

    logStreamName: str
    timestamp: int
    message: str
    ingestionTime: int
    eventId: NotRequired[str]
    """FilterLogEvents gives it, GetLogEvents does not."""


Page: TypeAlias = list[LogEvent]
"""Events in time order; it can be empty."""


class Note(NamedTuple):
    """Something for people: what is waited for, what went wrong, what is well again."""

    text: str
    hint: str | None = None
    """What to try."""


class Transition(NamedTuple):
    """The job's state has changed. `time` is seconds since the epoch."""

    job: Job
    time: float
    message: str | None = None


class Pause(NamedTuple):
    """There is nothing to do before `until`, in seconds since the epoch; whoever runs the engine waits, or does not."""

    until: float


class CaughtUp:
    """What was there when following began has been read; from now on events come as they are written."""


class End(NamedTuple):
    """The job has ended and its log is complete; `exit_code` is what its end gives a follower."""

    job: Job
    exit_code: int


Aside: TypeAlias = Note | Pause
"""What comes between pages."""
Item: TypeAlias = Note | Pause | Page | Transition | CaughtUp | End
T = TypeVar("T")


def waited(items: Iterable[T], now: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[T]:
    """The items; each pause is waited for in its place."""
    for item in items:
        if not isinstance(item, Pause):
            yield item
        elif (seconds := item.until - now()) > 0:
            sleep(seconds)


STREAM_NUMBER: Final = re.compile(r"-\d+$")


class Naming(NamedTuple):
    """What the names of a log's streams are made of.

    `JOB/INSTANCE-NUMBER` for most; for an endpoint `VARIANT/INSTANCE`; for a labeling job `JOB`; what may follow a
    second slash is a container's name or `data-log`.
    """

    job: str = ""
    """The job's name, where a stream does not begin with one."""
    numbered: bool = True
    """Whether an instance's name ends in a number that says nothing."""
    parent: str = ""
    """What the names of a job's children begin with; empty: the streams are the job's own."""

    def job_of(self, stream: str) -> str:
        """The job in SageMaker that wrote the stream."""
        return self.job or stream.partition("/")[0]

    def instance(self, stream: str) -> str:
        """`algo-1` of `NAME/algo-1-1580260714`, `AllTraffic/i-0a1b` of an endpoint's."""
        name = stream if self.job else stream.partition("/")[2] or stream
        if not self.numbered:
            return name
        host, slash, rest = name.partition("/")
        return f"{STREAM_NUMBER.sub('', host)}{slash}{rest}"

    def label(self, stream: str) -> str:
        """The instance; behind what is a child's own of its name, where there are children: `001-0a1b2c3d/algo-1`."""
        instance = self.instance(stream)
        return f"{self.job_of(stream).removeprefix(self.parent)}/{instance}" if self.parent else instance


PLAIN: Final = Naming()
