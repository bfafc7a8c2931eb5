"""The engine on a test's clock: a follower or a reader over a sandbox account, without sockets and without waiting."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kubectl_sagemaker import aws, jobs, kinds
from kubectl_sagemaker.errors import Forbidden, Unavailable
from kubectl_sagemaker.logs.events import LogEvent, Note, Page, Transition, waited
from kubectl_sagemaker.logs.follow import DRAIN, LONGEST_DRAIN, Follower
from kubectl_sagemaker.logs.memory import Memory
from kubectl_sagemaker.logs.pace import Budget
from kubectl_sagemaker.logs.read import read
from kubectl_sagemaker.logs.source import Query, Source
from kubectl_sagemaker.logs.watch import Watch
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account, Credential
from kubectl_sagemaker.sandbox.faults import EVENT_OPERATIONS, Fault, Faults
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.scenario import GROUP, Scenario, generate, play
from tests.transport import Clock, answering

KIND: Final = next(kind for kind in kinds.KINDS if kind.name == "TrainingJob")
API: Final = KIND.apis[0]
PREFIX: Final = KIND.log.prefix if KIND.log else ""
T: Final = 1_750_000_000.0
"""When the tests' stories begin, epoch s."""
PATIENCE: Final = 60.0
"""Seconds for which a reader tries one request."""

ENDS: Final = ("Completed", "Failed", "Stopped")
MEASURED: Final = {Fault.THROTTLED: 0.15, Fault.UNAVAILABLE: 0.05, Fault.RESET: 0.03, Fault.EMPTY_PAGE: 0.05}
"""Share of the requests that each fault befalls: those with which other tools were measured."""
EVERY: Final = {
    Fault.THROTTLED: 0.15,
    Fault.UNAVAILABLE: 0.03,
    Fault.UNAVAILABLE_PAGE: 0.02,
    Fault.RESET: 0.03,
    Fault.CUT: 0.02,
    Fault.PROXY_PAGE: 0.02,
    Fault.EMPTY_PAGE: 0.04,
    Fault.SHORT_PAGE: 0.04,
    Fault.EXPIRED_TOKEN: 0.02,
}
"""More of them, and of every sort but stalls."""

Line = tuple[str, int, str]
"""A line that can be counted: its stream, its timestamp in ms, its message."""


class SharedClock(Clock):
    """A clock that threads may advance, up to its end: what does not end on a test's clock fails there.

    What each thread waits for passes one after the other.
    """

    def __init__(self, at: float = T, *, seconds: float = 200_000.0) -> None:
        super().__init__(at)
        self._end = at + seconds
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        with self._lock:
            super().advance(seconds)
            assert self.at < self._end, "it does not end"


class Connected(aws.Aws):
    """The product's door to AWS, whose every session is answered by an account in this process."""

    def __init__(self, account: Account, clock: Clock, latency: float) -> None:
        super().__init__(aws.Account(region=account.region))
        self.served, self.clock, self.latency = account, clock, latency
        self.credential: Callable[[], Credential] = lambda: SANDBOX
        """What a new session finds, as in a credentials file."""

    @property
    def session(self) -> Any:
        """A session of its own with the sandbox's key, hooked up."""
        new = self._session is None
        session = super().session
        if new:
            session.set_credentials(self.credential().access_key, self.credential().secret_key)
            handler = answering(self.served, elapse=self.clock.advance, latency=self.latency, read_timeout=20)
            session.register("before-send", handler)
        return session


@dataclass
class Run:
    """A followed job: what was printed, said and told, and when by the account's clock."""

    account: Account
    clock: Clock
    source: Source
    watch: Watch
    follower: Follower
    door: Connected
    printed: list[LogEvent] = field(default_factory=list)
    printed_at: list[float] = field(default_factory=list)
    batches: list[Page] = field(default_factory=list)
    """What each page brought."""
    notes: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    told_at: list[float] = field(default_factory=list)
    """When each transition was told."""
    over_at: float = 0.0

    def __post_init__(self) -> None:
        """Begin nothing yet."""
        self._items = waited(self.follower.items(), self.source.now, self.source.sleep)

    def go(self, *, until: float | None = None) -> Run:
        """Follow to the end, or until the clock shows `until`; it can be called again."""
        for item in self._items:
            if isinstance(item, Note):
                self.notes.append(item.text)
            elif isinstance(item, Transition):
                self.transitions.append(item)
                self.told_at.append(self.clock())
            elif isinstance(item, list) and item:
                self.printed += item
                self.printed_at += [self.clock()] * len(item)
                self.batches.append(item)
            if until is not None and self.clock() >= until:
                break
        self.over_at = self.clock()
        return self

    def lines(self) -> Counter[Line]:
        """What was printed, as a multiset."""
        return counted(self.printed)

    @property
    def messages(self) -> list[str]:
        """The messages printed, in the order of printing."""
        return [event["message"] for event in self.printed]

    @property
    def states(self) -> list[tuple[str | None, str | None, str | None]]:
        """What was told of the job: status, secondary status, message."""
        return [(told.job.status, told.job.secondary_status, told.message) for told in self.transitions]

    @property
    def requests(self) -> int:
        """How often CloudWatch was asked."""
        return sum(served.operation == "FilterLogEvents" for served in self.account.journal)

    def asked_at(self) -> list[float]:
        """When CloudWatch was asked."""
        return [served.at for served in self.account.journal if served.operation == "FilterLogEvents"]


def remembered(memory: Memory) -> int:
    """How many ids are kept."""
    return sum(map(len, memory._seen.values()))


def counted(events: Iterable[LogEvent]) -> Counter[Line]:
    """Events as a multiset of lines."""
    return Counter((event["logStreamName"], event["timestamp"], event["message"]) for event in events)


def visible(scenario: Scenario, at: float) -> Counter[Line]:
    """The job's lines that CloudWatch shows at a moment, as a multiset."""
    return Counter((line.stream, line.timestamp, line.message) for line in scenario.lines if line.visible_at <= at)


def prepared(seed: int, **more: Any) -> tuple[Scenario, Account, Clock]:
    """The job of a seed in an account of its own, from the moment of its creation; `more` is for `generate`."""
    clock = SharedClock()
    account = Account(now=clock)
    scenario = generate(seed, created=T, end=ENDS[seed % len(ENDS)], **more)
    play(scenario, account)
    return scenario, account, clock


def afflicted(account: Account, seed: int) -> Callable[[jobs.Job], dict[str, Any]]:
    """Let everything go wrong in an account, by seed; gives a Describe that fails every third time.

    Through botocore, Describe would wait between its tries in real time.
    """
    chance = random.Random(seed)  # noqa: S311 -- no secret; a seed must give the same again
    stalls = {Fault.STALL: 0.01} if seed % 3 == 1 else {}
    account.faults = Faults(seed, {**EVERY, **stalls}, operations=EVENT_OPERATIONS)
    account.logs.scan_limit = chance.choice((300, 1_000, 100_000))
    account.logs.token_lifetime = chance.choice((1.5, 10.0, 86_400.0))
    account.quotas = {"FilterLogEvents": chance.choice((2.0, 5.0))}
    if seed % 3 == 0:
        # Not from the very beginning: refused before any answer, credentials are an error.
        begin = T + chance.uniform(20, 70)
        expired = ((begin, begin + chance.uniform(5, 40)),)
        account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=expired)

    def describe(job: jobs.Job) -> dict[str, Any]:
        if chance.random() < 1 / 3:
            raise Unavailable("sagemaker:DescribeTrainingJob: The service is unavailable.")
        return account.jobs.state("TrainingJob", job.job_name or "")

    return describe


def deadline(run: Run) -> float:
    """When a follow should have ended, by what it showed: its drain window after its last news, or the last call."""
    told = run.told_at[-1]
    late = max(at - event["timestamp"] / 1000 for at, event in zip(run.printed_at, run.printed, strict=True))
    window = max(DRAIN, min(LONGEST_DRAIN, 2 * late))
    return min(max(told, run.printed_at[-1]) + window, told + LONGEST_DRAIN)


def job(name: str = "job", status: str | None = "InProgress", **more: Any) -> jobs.Job:
    """ACK's TrainingJob of that name, as its resource would be read; `more` goes into its status."""
    resource = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"trainingJobName": name},
        "status": {"trainingJobStatus": status, **more},
    }
    return jobs.read(KIND, API, resource)


@dataclass
class Story:
    """An account with one training job whose lines a test puts by hand; times are seconds after T."""

    seconds: float | None = None
    """When the job ends; None: it goes on."""
    name: str = "job"
    end: str = "Completed"
    clock: Clock = field(default_factory=SharedClock)
    account: Account = field(init=False)
    put: Counter[Line] = field(default_factory=Counter)
    """Every line that was put."""

    def __post_init__(self) -> None:
        """The job is created at T, trains at once, and ends when it should."""
        self.account = Account(now=self.clock)
        stages = [Stage(0, "InProgress", "Training", "Training in progress.")]
        if self.seconds is not None:
            stages.append(Stage(self.seconds, self.end, self.end, f"Training job {self.end.lower()}"))
        self.account.jobs.put("TrainingJob", self.name, stages, created=T)

    def line(self, at: float, message: str = "", *, late: float = 0.3, ahead: float = 0.0, host: str = "algo-1") -> str:
        """A line written at `at`, shown `late` seconds after, by an instance whose clock is `ahead`; its message."""
        stream, timestamp = f"{self.name}/{host}-1", round((T + at + ahead) * 1000)
        message = message or f"{host} at {at:.3f}"
        shown = T + at + late
        self.account.logs.put(
            GROUP, stream, timestamp, message, visible_at=shown, ingested=max(round(shown * 1000) - 50, 0)
        )
        self.put[stream, timestamp, message] += 1
        return message

    def lines(self, since: float, until: float, *, every: float = 1.0, **more: Any) -> None:
        """A line every so many seconds."""
        for number in range(round((until - since) / every)):
            self.line(since + number * every, **more)

    def follow(self, **more: Any) -> Run:
        """A follower of the job; see `follow`."""
        return follow(self.account, self.clock, self.name, **more)

    def reader(self, *, latency: float = 0.05, **query: Any) -> Source:
        """A source for `read`, as `smlogs` without --follow builds it."""
        return source(Connected(self.account, self.clock, latency), self.clock, self.name, patience=PATIENCE, **query)

    def read(self, *, tail: int | None = None, latency: float = 0.05, **query: Any) -> tuple[list[LogEvent], list[str]]:
        """What read() gives from now on: all events, and all notes."""
        reader = self.reader(latency=latency, **query)
        return collected(waited(read(reader, tail=tail), reader.now, reader.sleep))


def collected(items: Any) -> tuple[list[LogEvent], list[str]]:
    """Events and notes of what read() yields."""
    events: list[LogEvent] = []
    notes: list[str] = []
    for item in items:
        if isinstance(item, Note):
            notes.append(item.text)
        else:
            events += item
    return events, notes


def source(
    door: Connected,
    now: Callable[[], float],
    name: str,
    *,
    seed: int = 0,
    sleep: Callable[[float], None] | None = None,
    patience: float | None = None,
    **query: Any,
) -> Source:
    """The job's log behind a door; `query` are Query's fields."""
    return Source(
        fetch=lambda operation, parameters: door.call("logs", operation, parameters, region=door.served.region),
        query=Query(**{"group": GROUP, "prefix": PREFIX.format(name=name), "start": round((T - 60) * 1000), **query}),
        now=now,
        sleep=sleep or door.clock.advance,
        budget=Budget(now),
        renew=door.renew,
        patience=patience,
        random=random.Random(seed),  # noqa: S311 -- no secret; a seed must give the same again
    )


def follow(
    account: Account,
    clock: Clock,
    name: str = "job",
    *,
    seed: int = 0,
    first: jobs.Job | None = None,
    look: Callable[[jobs.Job], jobs.Job] | None = None,
    describe: Callable[[jobs.Job], dict[str, Any]] | None = None,
    lag: float = 1.0,
    latency: float = 0.05,
    fast: float = 0.0,
    sleep: Callable[[float], None] | None = None,
    tail: int | None = None,
    **query: Any,
) -> Run:
    """A follower of a job in `account`.

    Its resource shows SageMaker's state `lag` seconds late, unless `look` says what it shows; the follower's own
    clock is `fast` by so many seconds.
    """
    door = Connected(account, clock, latency)

    def now() -> float:
        return clock() + fast

    def lagging(before: jobs.Job) -> jobs.Job:
        try:
            state = account.jobs.state("TrainingJob", name)
        except AwsError:
            return before
        changed = [entry["StartTime"] for entry in state.get("SecondaryStatusTransitions", [])]
        if changed and clock() - changed[-1] < lag:
            return before
        return job(name, state["TrainingJobStatus"], secondaryStatus=state["SecondaryStatus"])

    def asked(job: jobs.Job) -> dict[str, Any]:
        return door.call("sagemaker", "DescribeTrainingJob", {"TrainingJobName": job.job_name}, region=account.region)

    log = source(door, now, name, seed=seed, sleep=sleep, **query)
    watch = Watch(first or job(name), look=look or lagging, describe=describe or asked, now=now)
    return Run(account, clock, log, watch, Follower(log, watch, tail=tail), door)


def stale(before: jobs.Job) -> jobs.Job:
    """A resource whose controller writes nothing any more."""
    return before._replace(status="InProgress", secondary_status="Starting")


def denied(job: jobs.Job) -> dict[str, Any]:
    """Describe for somebody who may not."""
    raise Forbidden(f"sagemaker:DescribeTrainingJob: not authorized ({job.job_name})")
