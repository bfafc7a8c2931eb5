"""The engine on a test's clock: a follower over a sandbox account, without sockets and without waiting."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kubectl_sagemaker import aws, jobs, kinds
from kubectl_sagemaker.errors import Error, NotFound
from kubectl_sagemaker.logs.events import LogEvent, Note, Transition
from kubectl_sagemaker.logs.follow import Follower
from kubectl_sagemaker.logs.source import Query, Source
from kubectl_sagemaker.logs.watch import Watch
from kubectl_sagemaker.sandbox.aws import SANDBOX, Account
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.scenario import Scenario
from tests.transport import Clock, answering

KIND = next(kind for kind in kinds.KINDS if kind.name == "TrainingJob")
API = KIND.apis[0]


class Connected(aws.Aws):
    """The product's door to AWS, whose every session is answered by an account in this process."""

    def __init__(self, account: Account, clock: Clock, latency: float) -> None:
        super().__init__(aws.Account(region=account.region))
        self.served, self.clock, self.latency = account, clock, latency

    @property
    def session(self) -> Any:
        """A session of its own with the sandbox's key, hooked up."""
        new = self._session is None
        session = super().session
        if new:
            session._session.set_credentials(SANDBOX.access_key, SANDBOX.secret_key)
            handler = answering(self.served, elapse=self.clock.advance, latency=self.latency, read_timeout=20)
            session.events.register("before-send", handler)
        return session


@dataclass
class Run:
    """A followed job: what was printed, said and told, and when."""

    account: Account
    clock: Clock
    source: Source
    watch: Watch
    follower: Follower
    printed: list[LogEvent] = field(default_factory=list)
    printed_at: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    over_at: float = 0.0

    def go(self, *, until: float | None = None) -> Run:
        """Follow to the end, or until the clock shows `until`."""
        for item in self.follower.items():
            if isinstance(item, Note):
                self.notes.append(item.text)
            elif isinstance(item, Transition):
                self.transitions.append(item)
            else:
                self.printed += item
                self.printed_at += [self.clock()] * len(item)
            if until is not None and self.clock() >= until:
                break
        self.over_at = self.clock()
        return self

    def lines(self) -> Counter[tuple[str, int, str]]:
        """What was printed, as a multiset."""
        return Counter((event["logStreamName"], event["timestamp"], event["message"]) for event in self.printed)

    @property
    def requests(self) -> int:
        """How many requests CloudWatch was asked."""
        return sum(served.operation == "FilterLogEvents" for served in self.account.journal)


def visible(scenario: Scenario, at: float) -> Counter[tuple[str, int, str]]:
    """The job's lines that CloudWatch shows at a moment, as a multiset."""
    return Counter((line.stream, line.timestamp, line.message) for line in scenario.lines if line.visible_at <= at)


def job(name: str, status: str | None = "InProgress", **more: Any) -> jobs.Job:
    """ACK's TrainingJob of that name, as its resource would be read."""
    resource = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"trainingJobName": name},
        "status": {"trainingJobStatus": status, **more},
    }
    return jobs.read(KIND, API, resource)


def follow(
    account: Account,
    clock: Clock,
    name: str,
    *,
    seed: int = 0,
    look: Callable[[jobs.Job], jobs.Job] | None = None,
    lag: float = 1.0,
    latency: float = 0.05,
    start: float = 0.0,
    tail: int | None = None,
    instances: tuple[str, ...] = (),
) -> Run:
    """A follower of a job in `account`; its resource shows SageMaker's state `lag` seconds late."""
    door = Connected(account, clock, latency)

    def lagging(before: jobs.Job) -> jobs.Job:
        try:
            state = account.jobs.state("TrainingJob", name)
        except AwsError:
            return before
        changed = [t["StartTime"] for t in state.get("SecondaryStatusTransitions", [])]
        if changed and clock() - changed[-1] < lag:
            return before
        return job(name, state["TrainingJobStatus"], secondaryStatus=state["SecondaryStatus"])

    def describe(job: jobs.Job) -> dict[str, Any]:
        return door.call("sagemaker", "DescribeTrainingJob", {"TrainingJobName": job.job_name}, region=account.region)

    query = Query(
        group="/aws/sagemaker/TrainingJobs", prefix=f"{name}/", start=round(start * 1000), instances=instances
    )
    source = Source(
        fetch=lambda operation, parameters: door.call("logs", operation, parameters, region=account.region),
        query=query,
        now=clock,
        sleep=clock.advance,
        renew=door.renew,
        random=random.Random(seed),
    )
    watch = Watch(job(name), look=look or lagging, describe=describe, now=clock)
    return Run(account, clock, source, watch, Follower(source, watch, tail))


def ticking(clock: Clock) -> Iterator[float]:
    """The clock's time, again and again."""
    while True:
        yield clock()


__all__ = ["Error", "NotFound", "Run", "follow", "job", "visible"]
