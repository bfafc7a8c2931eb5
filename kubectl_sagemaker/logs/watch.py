"""A job's state while it is followed, as Kubernetes and SageMaker tell it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from kubectl_sagemaker.errors import Error, Forbidden, NotFound, Unavailable
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.logs.events import Note, Transition
from kubectl_sagemaker.parallel import NotYet

RESOURCE_EVERY: Final = 3.0
"""Seconds between two looks at the custom resource."""
RESOURCE_AGAIN: Final = 15.0
"""Seconds from a look that failed to the next."""
PENDING_EVERY: Final = 0.5
"""Seconds between two looks for the answer of one that takes its time (parallel.NotYet)."""
SILENT: Final = 5.0
"""Seconds without an answer that are worth a word."""
DESCRIBE_EVERY: Final = 30.0
"""Seconds between two looks at SageMaker, for controllers that lag or are gone."""
LONG_AGO: Final = 330.0
"""Seconds. A job that ended earlier by our clock ended before now by any clock: AWS refuses requests of a clock that is
more than five minutes wrong. Only then is SageMaker's end time taken; else the moment at which we learnt of it."""


@dataclass(slots=True)
class Watch:
    """Looks at the job when it is due; `poll` is called as often as one likes."""

    job: Job
    look: Callable[[Job], Job]
    """Reads the custom resource again; raises NotYet while the answer is to come."""
    describe: Callable[[Job], dict[str, Any]]
    """SageMaker's answer to Describe."""
    now: Callable[[], float]
    ended_at: float | None = None
    """Seconds since the epoch; None while the job runs."""
    creation_time: float | None = None
    """SageMaker's creation of the job, once known."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    """What SageMaker answered last; empty before it has."""
    _deleted: bool = False
    _look_at: float = 0.0
    _pending_since: float | None = None
    """When the look began that is still without an answer, in seconds since the epoch."""
    _describe_at: float = 0.0
    _message: str | None = None
    _past: frozenset[str] = frozenset()
    _resource: tuple[str | None, str | None] = (None, None)
    """Status and secondary status that the resource showed last."""
    _said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Whoever found the job has taken the first look."""
        self.creation_time = self.job.creation_time
        self._look_at = self.now() + RESOURCE_EVERY
        self._resource = _state(self.job)
        self._settle()

    @property
    def due(self) -> float:
        """When the next look is due, in seconds since the epoch."""
        return min(self._look_at, self._describe_at)

    def poll(self) -> Iterator[Note | Transition]:
        """Whatever is due: transitions as they happen, and notes on what keeps us from seeing them."""
        now = self.now()
        if now >= self._look_at:
            self._look_at = now + RESOURCE_EVERY
            yield from self._look_at_resource()
        if now >= self._describe_at and self.job.job_name:
            # After the end SageMaker is asked once more, for the reason and the time.
            self._describe_at = math.inf if self.job.ended else now + DESCRIBE_EVERY
            yield from self._ask_sagemaker()

    def _look_at_resource(self) -> Iterator[Note | Transition]:
        since = self.now() if self._pending_since is None else self._pending_since
        self._pending_since = None
        try:
            fresh = self.look(self.job)
        except NotYet:
            self._pending_since = since
            self._look_at = self.now() + PENDING_EVERY
            if self.now() - since >= SILENT:
                yield from self._say("silent", f"no answer about {self.job.title} for {SILENT:g} s; the log goes on")
        except NotFound as error:
            if self.job.job_name is None:
                raise
            self._deleted = True
            self._look_at = math.inf
            self._describe_at = 0.0
            yield from self._say(
                "deleted", f"{self.job.title} was deleted ({error.message}); going by SageMaker's word"
            )
        except Error as error:
            if self.job.job_name is None and not isinstance(error, Unavailable):
                raise
            self._look_at = self.now() + RESOURCE_AGAIN
            yield from self._say("resource", f"{error.message}; the log goes on")
        else:
            before, self._resource = self._resource, _state(fresh)
            stands_still = self._resource == before and self._resource != _state(self.job)
            if stands_still or (fresh.secondary_status in self._past and not fresh.ended):
                # The controller lags behind what SageMaker has told already.
                return
            yield from self._changed(fresh._replace(job_name=fresh.job_name or self.job.job_name))

    def _ask_sagemaker(self) -> Iterator[Note | Transition]:
        try:
            answer = self.describe(self.job)
        except Forbidden as error:
            yield from self._say("describe", f"{error.message}; going by {self.job.title} alone")
            return
        except NotFound as error:
            if self._deleted:
                raise Error(f"{self.job.title} was deleted, and SageMaker has no job {self.job.job_name!r}") from error
            return
        except Error:
            # The log's own requests meet the same trouble, and say so.
            return
        self.answer = answer
        created = answer.get("CreationTime")
        if isinstance(created, datetime):
            self.creation_time = created.timestamp()
        history = answer.get("SecondaryStatusTransitions") or []
        self._past = frozenset(str(entry.get("Status")) for entry in history[:-1])
        fresh = self.job._replace(reason=answer.get("FailureReason") or self.job.reason)
        if self.job.ended:
            self.job = fresh
        else:
            status = answer.get(f"{self.job.kind.name}Status") or fresh.status
            fresh = fresh._replace(
                status=status, secondary_status=answer.get("SecondaryStatus") or fresh.secondary_status
            )
            yield from self._changed(fresh, history[-1].get("StatusMessage") if history else None)
        ended = answer.get(self.job.kind.end_time_member) or answer.get("LastModifiedTime")
        if self.job.ended and isinstance(ended, datetime) and self.now() - ended.timestamp() > LONG_AGO:
            self.ended_at = ended.timestamp()

    def _changed(self, fresh: Job, message: str | None = None) -> Iterator[Transition]:
        """Take the new state; it is news if status, secondary status or message are."""
        news = _state(fresh) != _state(self.job)
        news = news or (message is not None and message != self._message)
        self._message = message or self._message
        self.job = fresh
        self._settle()
        if news and fresh.status:
            yield Transition(fresh, self.now(), message)

    def _settle(self) -> None:
        """An end state ends the looks at the resource, and asks SageMaker once more, at once."""
        if self.job.ended and self.ended_at is None:
            self.ended_at = self.now()
            self._look_at = math.inf
            self._describe_at = 0.0

    def _say(self, key: str, text: str) -> Iterator[Note]:
        if key not in self._said:
            self._said.add(key)
            yield Note(text)


def _state(job: Job) -> tuple[str | None, str | None]:
    return job.status, job.secondary_status
