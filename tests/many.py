"""Many logs on a test's clock: what `smlogs` shows of jobs in one account, without sockets and without waiting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.aws import Account as Given
from kubectl_sagemaker.bundles import read_together
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.env import Env
from kubectl_sagemaker.joblog import JobLog, Wanted
from kubectl_sagemaker.logs.chains import Chains
from kubectl_sagemaker.logs.events import End, Item, LogEvent, Note, Pause, Transition
from kubectl_sagemaker.logs.pace import Budget
from kubectl_sagemaker.logs.together import Joins, follow_all
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.scenario import GROUP
from tests.follow import Connected, Line, SharedClock, T, counted

OBJECTIVE: Final = "validation:error"
TUNING: Final[dict[str, Any]] = {
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": OBJECTIVE},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 500, "MaxParallelTrainingJobs": 100},
    }
}


@dataclass
class Shown:
    """What came out of several logs, in order."""

    events: list[LogEvent] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    """When each event came out."""
    owners: list[str] = field(default_factory=list)
    """Whose log each event came from: its job's name, or a tuning job's."""
    notes: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    """Exit codes by the name of the job that ended."""
    over_at: float = 0.0

    @property
    def messages(self) -> list[str]:
        """The messages, in the order in which they came out."""
        return [event["message"] for event in self.events]

    def lines(self) -> Counter[Line]:
        """The events as a multiset."""
        return counted(self.events)

    def take(self, log: JobLog | None, item: Item, now: float) -> None:
        """One item of a log."""
        if isinstance(item, list):
            assert log is not None
            self.events += item
            self.at += [now] * len(item)
            self.owners += [log.job.job_name or ""] * len(item)
        elif isinstance(item, Note):
            self.notes.append(item.text)
        elif isinstance(item, Transition):
            self.transitions.append(item)
        elif isinstance(item, End):
            self.ends[item.job.job_name or ""] = item.exit_code


class Town:
    """An account with jobs of several kinds, whose lines a test puts by hand; times are seconds after T."""

    def __init__(self, *, latency: float = 0.05) -> None:
        self.clock = SharedClock()
        self.account = Account(now=self.clock)
        self.door = Connected(self.account, self.clock, latency)
        self.env = Env(Connection(), Given(region=self.account.region), now=self.clock, sleep=self.clock.advance)
        self.env.aws = self.door
        self.put: Counter[Line] = Counter()
        self.budgets: dict[str, Budget] = {}
        self.shared: dict[object, Chains] = {}
        self.bundled = 0
        """Logs that were read in one chain with others: there were fewer requests than logs."""

    def job(
        self,
        name: str,
        *,
        begins: float = 0.0,
        seconds: float | None = None,
        end: str = "Completed",
        kind: str = "TrainingJob",
        parent: str = "",
        objective: float | None = None,
        **request: Any,
    ) -> str:
        """A job that is created at `begins` and ends after so many seconds (None: it goes on); its name."""
        stages = [Stage(0, "InProgress", "Training", "Training in progress.")]
        if seconds is not None:
            stages.append(Stage(seconds, end, end, f"job {end.lower()}"))
        outcome: dict[str, Any] = {"FailureReason": f"AlgorithmError of {name}"} if end == "Failed" else {}
        if objective is not None:
            outcome["FinalMetricDataList"] = [{"MetricName": OBJECTIVE, "Value": objective, "Timestamp": T}]
        if parent:
            request["TuningJobArn"] = self.account.jobs.arn("HyperParameterTuningJob", parent)
        self.account.jobs.put(kind, name, stages, created=T + begins, request=request, outcome=outcome)
        return name

    def tuning(self, name: str = "tune", *, seconds: float | None = None, end: str = "Completed") -> str:
        """A tuning job."""
        return self.job(name, seconds=seconds, end=end, kind="HyperParameterTuningJob", **TUNING)

    def line(self, job: str, at: float, *, late: float = 0.3, host: str = "algo-1", counts: bool = True) -> str:
        """A line of a job written at `at` and shown `late` seconds after; its message. Some lines do not count."""
        stream, timestamp, shown = f"{job}/{host}-1", round((T + at) * 1000), T + at + late
        message = f"{job} {host} at {at:.3f}"
        self.account.logs.put(
            GROUP, stream, timestamp, message, visible_at=shown, ingested=max(round(shown * 1000) - 50, 0)
        )
        self.put[stream, timestamp, message] += counts
        return message

    def lines(self, job: str, since: float, until: float, *, every: float = 1.0, **more: Any) -> None:
        """A line every so many seconds."""
        for number in range(round((until - since) / every)):
            self.line(job, since + number * every, **more)

    def resource(self, name: str, kind: str = "TrainingJob") -> jobs.Job:
        """The job as ACK's resource shows it now."""
        row = kinds.named(kind)
        api = row.apis[0]
        path = {"spec": {api.job_name[0].removeprefix("spec."): name}} if api.job_name[0].startswith("spec.") else {}
        member = re.sub("^status.", "", api.status or "")
        state = self.account.jobs.state(kind, name)
        status = {member: state[f"{kind}Status"], "ackResourceMetadata": {"arn": state[f"{kind}Arn"]}}
        metadata = {"name": name, "namespace": "default"}
        return jobs.read(row, api, {"metadata": metadata, "status": status, **path})

    def look(self, job: jobs.Job) -> jobs.Job:
        """The resource, read again."""
        return self.resource(job.name, job.kind.name)

    def log(self, name: str, kind: str = "TrainingJob", **wanted: Any) -> JobLog:
        """The job's log, to be opened."""
        choice = Wanted(**{"follow": True, **wanted})
        return JobLog(
            self.env, self.resource(name, kind), choice, self.budgets, self.look, label=name, shared=self.shared
        )

    def follow(self, logs: Sequence[JobLog], *, finder: Iterator[Any] | None = None) -> Shown:
        """Follow the logs to the end of all."""
        shown = Shown()
        joining = finder or iter([Joins(log, log.followed()) for log in logs])
        for log, item in follow_all(joining, self.clock, self.clock.advance):
            shown.take(log, item, self.clock())
        shown.over_at = self.clock()
        return shown

    def read(self, logs: Sequence[JobLog]) -> Shown:
        """Read the logs as they stand now, merged."""
        shown, before = Shown(), len(self.asked("FilterLogEvents"))
        for log, item in read_together(logs, iter):
            if isinstance(item, Pause):
                self.clock.advance(max(0.0, item.until - self.clock()))
            shown.take(log, item, self.clock())
        self.bundled += len(logs) if len(self.asked("FilterLogEvents")) - before < len(logs) else 0
        return shown

    def asked(self, operation: str) -> list[float]:
        """When an operation was asked for."""
        return [served.at for served in self.account.journal if served.operation == operation]
