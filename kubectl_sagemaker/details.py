"""What SageMaker and CloudWatch add to one job, as plain values for every screen.

Each part is asked for by itself: what is denied or fails costs its part and one notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kubectl_sagemaker import console, kinds, parallel, sagemaker
from kubectl_sagemaker.errors import Error, NotFound, Unauthorized
from kubectl_sagemaker.jobs import (
    Instances,
    Job,
    Trial,
    counted,
    dig,
    in_answer,
    instances,
    member,
    moment,
    number,
    trial,
    walk,
)

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.kinds import Kind
    from kubectl_sagemaker.logs.children import Child

Answer: TypeAlias = Mapping[str, Any]
Ask: TypeAlias = Callable[[str, Answer], Answer]
"""Ask SageMaker for an operation with parameters."""
Part: TypeAlias = dict[str, Any]
"""Fields of Details."""

BEST: Final = 5
"""Children of a tuning job that are shown."""
CHILDREN: Final = 100
"""Items of a page of children: the most there may be."""
PAGES: Final = 5
"""Pages of steps that are read; AWS's quota is 100 steps of a pipeline, each of which may be tried again."""
BEFORE_CREATION: Final = 60.0
"""Seconds before SageMaker's creation of the job from which its log is read."""
PATIENCE: Final = 8.0
"""Seconds for which a request for the last lines is tried."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One of a job's secondary statuses, with its time; seconds since the epoch."""

    status: str
    begun: float
    ended: float | None
    """None while it lasts."""
    message: str | None


@dataclass(frozen=True, slots=True)
class WarmPool:
    """Instances that are kept for the next job."""

    status: str | None
    keep: int | None
    """Seconds for which they were to be kept."""
    billable: int | None
    """Seconds for which they were paid."""
    reused_by: str | None


@dataclass(frozen=True, slots=True)
class Compute:
    """What it runs on and what that costs; times in seconds."""

    instances: tuple[Instances, ...] = ()
    training: int | None = None
    """Wall clock."""
    billable: int | None = None
    """Wall clock, too: the bill is this for each instance."""
    spot: bool | None = None
    limit: int | None = None
    """MaxRuntimeInSeconds."""
    used: float | None = None
    """How much of it is used."""
    wait: int | None = None
    """MaxWaitTimeInSeconds: running and waiting for spot capacity together."""
    warm_pool: WarmPool | None = None

    @property
    def count(self) -> int | None:
        """How many instances there are, of all types; None where that is not known of each."""
        counts = [machine.count for machine in self.instances if machine.count is not None]
        return sum(counts) if counts and len(counts) == len(self.instances) else None

    @property
    def saving(self) -> float | None:
        """The part of the price that spot capacity saved: 1 − billable / training time."""
        if not self.spot or not self.training or self.billable is None:
            return None
        return max(0.0, 1 - self.billable / self.training)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's last value."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """What came out, or goes there."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A production variant of an endpoint."""

    name: str
    status: str | None
    weight: float | None
    desired_weight: float | None
    instances: Instances | None
    desired_count: int | None
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a pipeline."""

    name: str
    kind: str
    """SageMaker's name of the kind of its job; empty where it is none."""
    job_name: str
    status: str | None
    begun: float | None
    """Seconds since the epoch, as is `ended`."""
    ended: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log."""

    time: float
    """Seconds since the epoch."""
    instance: str
    message: str


@dataclass(frozen=True, slots=True)
class Details:
    """One job in full. What SageMaker does not tell, or could not be asked, is empty or None."""

    job: Job
    """As SageMaker has it now, where that could be asked."""
    region: str | None = None
    console: str | None = None
    controller: str | None = None
    """The status that the resource still shows, where SageMaker's is another."""
    phases: tuple[Phase, ...] = ()
    compute: Compute = field(default_factory=Compute)
    metrics: tuple[Metric, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    copies: tuple[int | None, int | None] | None = None
    """Of an inference component: how many there are, and how many there are to be."""
    trials: tuple[Trial, ...] = ()
    """The best of a tuning job's children."""
    steps: tuple[Step, ...] = ()
    variants: tuple[Variant, ...] = ()
    lines: tuple[LogLine, ...] = ()
    """Of the instance that failed first."""
    notices: tuple[str, ...] = ()
    """What could not be asked, and why."""


def plain(job: Job) -> Details:
    """What the resource alone tells."""
    return Details(job, job.region, compute=Compute(instances=job.instances, spot=job.spot))


def collect(env: Env, job: Job) -> Details:
    """Ask SageMaker about a job, and CloudWatch for the lines that say why it failed."""
    found = plain(job)
    if job.job_name is None or job.uncreated or not (job.kind.runs or job.kind.console):
        return found
    try:
        where = sagemaker.region(env, job)
    except Error as error:
        return replace(found, notices=(_notice(error),))
    found = replace(found, region=where, console=console.address(job.kind, job.job_name, where))
    notices = [text for text in (sagemaker.untrusted_endpoint(env, job),) if text]

    def ask(operation: str, parameters: Answer) -> Answer:
        return sagemaker.ask(env, job, where, operation, parameters)

    def tried(part: Callable[[], Part]) -> Part | None:
        try:
            return part()
        except Error as error:
            notices.append(_notice(error))
            return None

    try:
        answer = ask(f"Describe{job.kind.name}", {job.kind.name_member: job.job_name})
    except Unauthorized as error:
        # Nothing else would be answered, either; who asks again, asks with credentials that are read anew.
        env.aws.renew()
        return replace(found, notices=(_notice(error),))
    except NotFound as error:
        return replace(found, notices=(_notice(error),) if job.created else ())
    except Error as error:
        answer = {}
        notices.append(_notice(error))
    found = described(found, answer, env.now())
    now, fresh = env.now(), found.job
    parts: list[Callable[[], Part]] = [
        lambda: {"trials": tuple(_trials(fresh, answer, ask))},
        lambda: {"steps": tuple(_steps(fresh, ask))},
        lambda: {"variants": tuple(_variants(answer, ask, notices))},
        lambda: {"lines": tuple(_lines(env, fresh, where, answer, now))},
    ]
    for values in parallel.each(tried, parts):
        found = replace(found, **(values or {}))
    return replace(found, notices=tuple(dict.fromkeys(notices)))


def _notice(error: Error) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def described(found: Details, answer: Answer, now: float) -> Details:
    """The details that Describe's answer gives; an empty one gives none."""
    if not answer:
        return found
    job = found.job
    status = answer.get(f"{job.kind.name}Status") or job.status
    secondary = answer.get("SecondaryStatus") or job.secondary_status
    lags = (status, secondary) != (job.status, job.secondary_status)
    below = {path: path.partition(".")[2] for path in (*job.kind.instances, *job.kind.spot)}
    machines = instances(answer, [below[path] for path in job.kind.instances]) or job.instances
    spot = next((value for path in job.kind.spot for value in walk(answer, below[path])), job.spot)
    ended = moment(answer.get(job.kind.end_time_member)) or (
        moment(answer.get("LastModifiedTime")) if job.kind.ended(status) else None
    )
    fresh = job._replace(
        status=status,
        secondary_status=secondary,
        reason=answer.get("FailureReason") or (None if answer.get(f"{job.kind.name}Status") else job.reason),
        creation_time=moment(answer.get("CreationTime")) or job.creation_time,
        modified_time=ended,
        arn=job.arn or answer.get(f"{job.kind.name}Arn"),
        instances=machines,
        spot=spot,
        counters=counted(in_answer(answer, job.kind.counters)) or job.counters,
        best=_best(job.kind, answer) or job.best,
    )
    return replace(
        found,
        job=fresh,
        controller=_controllers_word(job) if lags else None,
        phases=tuple(_phases(job.kind, answer, ended)),
        compute=_compute(fresh, answer, ended, now),
        metrics=tuple(_metrics(answer)),
        artifacts=tuple(_artifacts(answer)),
        copies=_copies(answer),
    )


def _controllers_word(job: Job) -> str:
    return " ".join(filter(None, (job.status, job.secondary_status))) or "no status"


def _best(kind: Kind, answer: Answer) -> Trial | None:
    best = in_answer(answer, kind.best)
    return trial(best) if best else None


def _phases(kind: Kind, answer: Answer, ended: float | None) -> Iterator[Phase]:
    """SecondaryStatusTransitions; of what has none, the time until its start and the time from then on."""
    history = answer.get("SecondaryStatusTransitions")
    if history:
        for entry in history:
            begun = moment(entry.get("StartTime"))
            if begun is not None:
                yield Phase(
                    str(entry.get("Status")), begun, moment(entry.get("EndTime")), entry.get("StatusMessage") or None
                )
        return
    created = moment(answer.get("CreationTime"))
    started = moment(answer.get(kind.end_time_member.replace("EndTime", "StartTime")))
    if created is None or not kind.ends:
        return
    if started is not None and started > created:
        yield Phase("Starting", created, started, None)
    yield Phase("Running", started or created, ended, None)


LIMITS: Final = (
    "StoppingCondition.MaxRuntimeInSeconds",
    "HyperParameterTuningJobConfig.ResourceLimits.MaxRuntimeInSeconds",
)


def _compute(job: Job, answer: Answer, ended: float | None, now: float) -> Compute:
    pool = answer.get("WarmPoolStatus")
    keep = dig(answer, "ResourceConfig.KeepAlivePeriodInSeconds")
    started = moment(answer.get(job.kind.end_time_member.replace("EndTime", "StartTime")))
    limit = next((found for path in LIMITS if (found := dig(answer, path))), None)
    training = answer.get("TrainingTimeInSeconds")
    if training is None and started is not None and ended is not None:
        training = round(ended - started)
    return Compute(
        instances=job.instances,
        training=training,
        billable=answer.get("BillableTimeInSeconds"),
        spot=job.spot,
        limit=limit,
        used=None if limit is None or started is None else (ended or now) - started,
        wait=dig(answer, "StoppingCondition.MaxWaitTimeInSeconds"),
        warm_pool=WarmPool(
            member(pool, "Status"),
            keep,
            member(pool, "ResourceRetainedBillableTimeInSeconds"),
            member(pool, "ReusedByJob"),
        )
        if pool or keep
        else None,
    )


def _metrics(answer: Answer) -> Iterator[Metric]:
    for entry in answer.get("FinalMetricDataList") or ():
        value = number(entry.get("Value"))
        if value is not None:
            yield Metric(str(entry.get("MetricName")), value)


OUTPUTS: Final = (
    ("model", "ModelArtifacts.S3ModelArtifacts"),
    ("output", "TransformOutput.S3OutputPath"),
    ("labels", "LabelingJobOutput.OutputDatasetS3Uri"),
)


def _artifacts(answer: Answer) -> Iterator[Artifact]:
    for name, path in OUTPUTS:
        if uri := dig(answer, path):
            yield Artifact(name, str(uri))
    for output in dig(answer, "ProcessingOutputConfig.Outputs") or ():
        if uri := dig(output, "S3Output.S3Uri"):
            yield Artifact(str(output.get("OutputName") or "output"), str(uri))


def _copies(answer: Answer) -> tuple[int | None, int | None] | None:
    running = answer.get("RuntimeConfig")
    return (running.get("CurrentCopyCount"), running.get("DesiredCopyCount")) if running else None


def _trials(job: Job, answer: Answer, ask: Ask) -> Iterator[Trial]:
    """The best children of a job that compares them; none as long as none has an objective."""
    row = job.kind.children
    best = in_answer(answer, job.kind.best)
    if row is None or not best:
        return
    order = "Descending" if dig(best, f"{row.objective}.Type") == "Maximize" else "Ascending"
    parameters = {job.kind.name_member: job.job_name, "MaxResults": BEST, **row.best_first, "SortOrder": order}
    yield from map(trial, ask(row.operation, parameters).get(row.members) or ())


def _steps(job: Job, ask: Ask) -> Iterator[Step]:
    """The children of a job that does not compare them, in the order of their beginning: a pipeline's steps."""
    from kubectl_sagemaker.logs.children import read

    row = job.kind.children
    if row is None or row.objective:
        return
    items: list[Answer] = []
    parameters = {job.kind.name_member: job.job_name, "MaxResults": CHILDREN, **row.newest_first}
    for _ in range(PAGES):
        answer = ask(row.operation, parameters)
        items += answer.get(row.members) or ()
        if not answer.get("NextToken"):
            break
        parameters["NextToken"] = answer["NextToken"]
    items.sort(key=lambda item: moment(item.get("StartTime")) or float("inf"))
    children = [read(row, item) for item in items]
    names = parallel.each(lambda child: _true_name(child, ask), children)
    for item, child, name in zip(items, children, names, strict=True):
        begun, ended = moment(item.get("StartTime")), moment(item.get("EndTime"))
        yield Step(child.label, child.kind, name, child.status, begun, ended, child.reason)


def _true_name(child: Child, ask: Ask) -> str:
    """The name of a child's job as its log has it: an ARN can have it in lower case. Who may not ask sees the ARN's."""
    if not child.kind or not child.from_arn:
        return child.job_name
    member = kinds.named(child.kind).name_member
    try:
        return str(ask(f"Describe{child.kind}", {member: child.job_name}).get(member) or child.job_name)
    except Error:
        return child.job_name


def _variants(answer: Answer, ask: Ask, notices: list[str]) -> Iterator[Variant]:
    """An endpoint's variants; their types of instances stand in its configuration, which can be denied alone."""
    listed = answer.get("ProductionVariants") or ()
    name = answer.get("EndpointConfigName")
    if not listed or not name:
        return
    configured: dict[str, Answer] = {}
    try:
        config = ask("DescribeEndpointConfig", {"EndpointConfigName": name})
        configured = {str(entry.get("VariantName")): entry for entry in config.get("ProductionVariants") or ()}
    except Error as error:
        notices.append(_notice(error))
    for entry in listed:
        title = str(entry.get("VariantName"))
        kind = configured.get(title, {}).get("InstanceType")
        serverless = bool(entry.get("CurrentServerlessConfig"))
        count = entry.get("CurrentInstanceCount")
        states = entry.get("VariantStatus") or ()
        yield Variant(
            name=title,
            status=states[0].get("Status") if states else None,
            weight=number(entry.get("CurrentWeight")),
            desired_weight=number(entry.get("DesiredWeight")),
            instances=Instances(None, "serverless") if serverless else Instances(count, kind),
            desired_count=entry.get("DesiredInstanceCount"),
            images=tuple(
                str(image.get("SpecifiedImage") or image.get("ResolvedImage"))
                for image in entry.get("DeployedImages") or ()
            ),
        )


def _lines(env: Env, job: Job, where: str, answer: Answer, now: float) -> Iterator[LogLine]:
    """The lines that say why it failed, if it did."""
    from kubectl_sagemaker.logs.events import Note, Pause, waited
    from kubectl_sagemaker.logs.failure import failing
    from kubectl_sagemaker.logs.pace import Budget
    from kubectl_sagemaker.logs.source import Source

    if job.state(now) != "failed":
        return
    if not job.kind.log or job.kind.children:
        return
    created = moment(answer.get("CreationTime")) or BEFORE_CREATION
    query = sagemaker.query(job, start=created - BEFORE_CREATION, left_out=job.kind.log.on_demand)
    source = Source(
        fetch=sagemaker.fetcher(env, job, where),
        query=query,
        now=env.now,
        sleep=env.sleep,
        budget=Budget(env.now),
        renew=env.aws.renew,
        patience=PATIENCE,
    )
    try:
        events = list(waited(failing(source), env.now, env.sleep))
    except NotFound:
        # Nothing was ever written.
        return
    for event in events:
        if isinstance(event, Note | Pause):
            continue
        yield LogLine(
            event["timestamp"] / 1000, query.naming.instance(event["logStreamName"]), event["message"].rstrip("\n")
        )
