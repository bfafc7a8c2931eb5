"""What the engine reads and says: events, pages of them, notes and transitions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NotRequired, TypeAlias, TypedDict

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


@dataclass(frozen=True, slots=True)
class Note:
    """Something for people: what is waited for, what went wrong, what is well again."""

    text: str


@dataclass(frozen=True, slots=True)
class Transition:
    """The job's state has changed. `time` is seconds since the epoch."""

    job: Job
    time: float
    message: str | None = None


STREAM_NUMBER: Final = re.compile(r"-\d+$")


def instance(stream: str) -> str:
    """`algo-1` of `NAME/algo-1-1580260714`: what follows the job's name, without the trailing number."""
    return STREAM_NUMBER.sub("", stream.rpartition("/")[2])
