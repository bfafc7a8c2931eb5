"""One job's log, opened: from what its resource says to the events that CloudWatch has of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kubectl_sagemaker import kinds, sagemaker, times
from kubectl_sagemaker.errors import Error, NotFound, Unauthorized
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.logs.events import CaughtUp, End, Item, Naming, Note, Pause, Transition
from kubectl_sagemaker.logs.pace import Budget
from kubectl_sagemaker.logs.read import read
from kubectl_sagemaker.logs.source import MOST_EVENTS, Source
from kubectl_sagemaker.logs.together import Joins
from kubectl_sagemaker.logs.watch import Watch
from kubectl_sagemaker.render import lines
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.logs.chains import Chains
    from kubectl_sagemaker.logs.children import Child, Children

PATIENCE: Final = 20.0
"""Seconds for which one request is tried without --follow."""
BEFORE_CREATION: Final = 60.0
"""Seconds before SageMaker's creation of the job from which its log is read."""
CREATION_EVERY: Final = 1.0
"""Seconds between two thoughts on whether the job has been created; the resource is looked at less often."""
CHILDREN_EVERY: Final = 5.0
"""Seconds between two looks at the children whose logs are read one by one."""
IN_MEMORY: Final = 90_000
"""Events that logs may keep, all together, where several are read: as many as the lanes of one."""
LEAST_PAGE: Final = 200

STEP_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {"Starting": "InProgress", "Executing": "InProgress", "Succeeded": "Completed"}
)
"""A pipeline step's states as its job has them; the others are the same words."""


class Wanted(NamedTuple):
    """What is asked for of every log; times in seconds since the epoch."""

    follow: bool = False
    since: float | None = None
    """None: since SageMaker created the job."""
    until: float | None = None
    tail: int | None = None
    instances: tuple[str, ...] = ()
    stream_prefix: str = ""
    pattern: str | None = None
    data_log: bool = False
    """Whether to read the streams too that are read on demand only."""
    top: int | None = None
    """Of children, so many, the best first; None: all."""
    failed: bool = False
    """Of children, those that failed."""

    @property
    def narrowed(self) -> bool:
        """Whether a part of the log is wanted: some of its time, its instances or its lines."""
        part = (self.since, self.until, self.instances or None, self.stream_prefix or None, self.pattern)
        return any(given is not None for given in part)


@dataclass(slots=True, eq=False)
class JobLog:
    """A job, and how its log is read. Every method that asks for something tells what there is to tell as it goes."""

    env: Env
    first: Job
    """The job as it was found; `job` is how it stands now."""
    wanted: Wanted
    budgets: dict[str, Budget]
    """By region, for all logs that are read in this process."""
    look: Callable[[Job], Job]
    """Reads the job's resource again."""
    label: str = ""
    """What tells its lines from other jobs'; empty where there are none."""
    child: Child | None = None
    """Set for a job that another has started; its end is not ours."""
    shared: dict[object, Chains] = field(default_factory=dict)
    """The chains of those that are followed in this process, by what they have in common (`alike`)."""
    watch: Watch = field(init=False)
    children: Children | None = field(init=False, default=None)
    _source: Source | None = field(init=False, default=None)
    _ahead: list[Item] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is asked yet."""
        self.watch = Watch(self.first, look=self.look, describe=self._describe, now=self.env.now)

    @property
    def job(self) -> Job:
        """The job as it stands now."""
        return self.watch.job

    @property
    def source(self) -> Source:
        """Where its events come from, once it is open."""
        assert self._source is not None  # noqa: S101  # see above
        return self._source

    @property
    def naming(self) -> Naming:
        """What its streams' names are made of, once it is open."""
        return self.source.query.naming

    @property
    def region(self) -> str:
        """--region, else the resource's, else the environment's or the profile's; raises Error if there is none."""
        return sagemaker.region(self.env, self.job)

    def ask_ahead(self) -> None:
        """Ask SageMaker what opening will need to know: many logs can do so side by side."""
        dated = self.wanted.since is not None or self.watch.creation_time is not None
        if self.job.job_name and self.job.created and (not dated or self.job.kind.children or self.child):
            self._ahead += self.watch.poll()

    def opened(self) -> Iterator[Item]:
        """Until SageMaker has the job; then `source` is there to be read, and the header has been told.

        The header says which job it is: the state that the job is found in comes after it.
        """
        states: list[Transition] = []
        for item in self._prepared():
            if isinstance(item, Transition):
                states.append(item)
            else:
                yield item
        job, region = self.job, self.region
        start = self._beginning() if self.wanted.since is None else self.wanted.since
        yield Note(lines.child_header(job, self.child, self.label) if self.child else lines.header(job, region))
        yield from states
        if family := lines.family(job.kind, self.watch.answer):
            yield Note(f"{job.title}: {family}")
        self._source = self._made(region, start)
        if self.children:
            yield from self.children.list(self.source)

    def followed(self) -> Iterator[Item | Joins[JobLog]]:
        """Everything from the job's beginning to its end; its children's logs join."""
        yield from self.opened()
        if self.job.kind.log is None:
            yield CaughtUp()
            yield from self._joining()
        else:
            from kubectl_sagemaker.logs.follow import Follower

            follower = Follower(self.source, self.watch, self._chains(), self.wanted.tail)
            events = 0
            try:
                for item in follower.items():
                    events += len(item) if isinstance(item, list) else 0
                    yield item
            except Unauthorized as error:
                if not self.source.answered:
                    raise
                resume = times.rfc3339(follower.memory.newest / 1000)
                raise Unauthorized(error.message, hint=f"renew them, and go on with --since-time {resume}") from error
            if not events and self.wanted.tail != 0:
                yield Note(self.source.query.nothing)
        if family := lines.family(self.job.kind, self.watch.answer):
            yield Note(f"{self.job.title}: {family}")
        yield End(self.job, self.job.kind.ends[self.job.status or ""])

    @property
    def alike(self) -> object | None:
        """The same for logs that one chain can read, known once they are open; None: no other than this."""
        query = self.source.query
        if query.stream_prefix or not query.prefix.endswith("/"):
            return None
        return self.region, query.group, self.job.account

    def _chains(self) -> Chains:
        from kubectl_sagemaker.logs.chains import Chains

        alike = self.alike
        return Chains() if alike is None else self.shared.setdefault(alike, Chains())

    def read(self, *, side_by_side: int = 1) -> Iterator[Item]:
        """The log as it stands now, once it is open; where it holds nothing, why, if that is known.

        So many logs are read side by side, and share the memory.
        """
        alone = side_by_side == 1
        if not alone:
            self.source.query = self.source.query._replace(
                limit=min(MOST_EVENTS, max(LEAST_PAGE, IN_MEMORY // side_by_side))
            )
        events = 0
        for item in read(self.source, tail=self.wanted.tail, alone=alone):
            events += len(item) if isinstance(item, list) else 0
            yield item
        if not events and self.wanted.tail != 0:
            yield from self.silence()

    def silence(self) -> Iterator[Item]:
        """Why there is no line, where that is known; raises Forbidden if the log is in another account."""
        if self.job.problem:
            yield Note(f"{self.job.title}: {one_line(self.job.problem)}")
        if elsewhere := sagemaker.elsewhere(self.env, self.job, self.region, Error("there is no such log")):
            raise elsewhere

    def parts(self) -> Generator[Item, None, list[JobLog]]:
        """The opened logs that this one is read as: itself, or those of its children."""
        yield from self.opened()
        if self.children is None or (self.job.kind.log and self.wanted.top is None and not self.wanted.failed):
            return [self]
        chosen = [child for child in self.children.known.values() if child.kind]
        if self.wanted.failed:
            chosen = [child for child in chosen if child.status == "Failed"]
        if self.wanted.top is not None:
            chosen = sorted((child for child in chosen if child.objective), key=lambda child: child.rank)
            chosen = chosen[: self.wanted.top]
        if not chosen:
            which = "failed" if self.wanted.failed else "has an objective" if self.wanted.top else "has a log"
            yield Note(f"{self.job.title}: no job that it started {which} yet")
        parts = []
        for child in chosen:
            log = self._of(child)
            log.ask_ahead()
            parts += yield from log.parts()
        return parts

    def _joining(self) -> Iterator[Item | Joins[JobLog]]:
        """The logs of the children as they start, until the parent has ended."""
        children = self.children
        assert children is not None  # noqa: S101  # what has no log of its own has children
        states: dict[str, str | None] = {}
        started: set[str] = set()
        while True:
            yield from self.watch.poll()
            over = self.watch.ended_at is not None
            yield from children.list(self.source)
            for key, child in reversed(children.known.items()):
                if states.get(child.label) != child.status:
                    states[child.label] = child.status
                    yield Note(lines.step(self.job, child))
                if child.kind and key not in started:
                    started.add(key)
                    log = self._of(child)
                    yield Joins(log, log.followed())
            if over:
                return
            yield Pause(self.env.now() + CHILDREN_EVERY)

    def _of(self, child: Child) -> JobLog:
        """The log of a job that this one has started."""
        kind = kinds.named(child.kind)
        children = self.children
        own_label = child.label.removeprefix(self.naming.parent)

        def state(child: Child) -> str | None:
            return STEP_STATES.get(child.status or "", child.status)

        def look(job: Job) -> Job:
            now = children.known[child.job_name] if children else child
            return job._replace(status=state(now), secondary_status=None)

        job = Job(
            kind=kind,
            api=kind.apis[0],
            namespace=self.job.namespace,
            name=child.label,
            job_name=child.job_name,
            status=state(child),
            secondary_status=None,
            reason=child.reason,
            region=self.region,
            account=self.job.account,
            endpoint_url=self.job.endpoint_url,
            creation_time=None,
            resource_creation_time=None,
            reconciled=True,
        )
        return JobLog(
            self.env,
            job,
            self.wanted._replace(top=None, failed=False),
            self.budgets,
            look,
            label="/".join(filter(None, (self.label, own_label))),
            child=child,
            shared=self.shared,
        )

    def _prepared(self) -> Iterator[Item]:
        """Return once SageMaker has the job, and has been asked for what the header and the first request need."""
        yield from self._ahead
        for text in (sagemaker.untrusted_endpoint(self.env, self.job), sagemaker.other_region(self.env, self.job)):
            if text:
                yield Note(text)
        yield from self._creation()
        if (self.child or self.job.kind.children) and not self.watch.answer:
            yield from self.watch.poll()
        if self.child and self.child.from_arn:
            true_name = self.watch.answer.get(self.job.kind.name_member)
            self.watch.job = self.job._replace(job_name=str(true_name or self.job.job_name))
        # Where there is no region, that is the error, and nobody is asked.
        sagemaker.region(self.env, self.job)
        if self.wanted.since is None and self.watch.creation_time is None:
            yield from self.watch.poll()
            if self.watch.creation_time is None:
                yield Note(
                    "SageMaker does not say when the job was created; searching its log from the beginning of time"
                )

    def _creation(self) -> Iterator[Item]:
        """Return once SageMaker has the job; tell what keeps it from being created.

        Both controllers write the job's name before they create it, so it is the status that tells, or else SageMaker.
        Without --follow it is an error that there is no job yet; with it, that there will be none.
        """
        said: set[str] = set()
        while not (self.job.job_name and (self.job.created or self.watch.creation_time)):
            job = self.job
            why = one_line(": ".join(filter(None, (job.status, job.problem))) or "its status names none")
            if job.terminal or job.ended:
                raise Error(f"{job.title} has no SageMaker job: {why}", hint=job.advice)
            if not self.wanted.follow:
                if job.job_name and not job.uncreated and self._may_exist():
                    if not job.reconciled:
                        yield Note(f"{job.title}: {why}; {job.advice}")
                    return
                hint = f"{job.advice}; -f waits for it" if job.advice else "-f waits for it"
                raise Error(f"{job.title} has no SageMaker job yet: {why}", hint=hint)
            if why not in said:
                said.add(why)
                yield Note(f"{job.title} has no SageMaker job yet: {why}; waiting", hint=job.advice)
            yield CaughtUp()
            yield from self.watch.poll()
            yield Pause(self.env.now() + CREATION_EVERY)

    def _may_exist(self) -> bool:
        """Whether SageMaker has a job of that name, or does not tell."""
        try:
            self._describe(self.job)
        except NotFound:
            return False
        except Error:
            # The log's own requests meet the same trouble, and say so.
            return True
        return True

    def _beginning(self) -> float:
        """Where the log begins, in seconds: when SageMaker created the job; the resource can be newer."""
        created = self.watch.creation_time
        return 0.0 if created is None else created - BEFORE_CREATION

    def _made(self, region: str, start: float) -> Source:
        """Where the events of the job's streams come from, by its row of the registry."""
        job, wanted = self.job, self.wanted
        name, log = job.job_name or "", job.kind.log
        if job.kind.children:
            from kubectl_sagemaker.logs.children import Children

            self.children = Children(job.kind, name)
        query = sagemaker.query(
            job,
            start=start,
            end=None if wanted.until is None else round(wanted.until * 1000),
            instances=wanted.instances,
            stream_prefix=wanted.stream_prefix,
            pattern=wanted.pattern,
            left_out=log.on_demand if log and not wanted.data_log else "",
            narrowed=wanted.narrowed,
        )
        return Source(
            fetch=sagemaker.fetcher(self.env, job, region),
            query=query,
            now=self.env.now,
            sleep=self.env.sleep,
            budget=self.budgets.setdefault(region, Budget(self.env.now)),
            renew=self.env.aws.renew,
            heals=lambda: self.env.aws.heals,
            patience=None if wanted.follow else PATIENCE,
            members=self.children if log else None,
        )

    def _describe(self, job: Job) -> dict[str, Any]:
        """SageMaker's answer; that it has no such job is Forbidden where another account may have it."""
        name = {job.kind.name_member: job.job_name}
        return sagemaker.ask(self.env, job, self.region, f"Describe{job.kind.name}", name)
