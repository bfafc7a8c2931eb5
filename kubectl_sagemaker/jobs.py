"""A custom resource read as a Job: find one, list many, over both API groups."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from kubectl_sagemaker import kinds, parallel, times
from kubectl_sagemaker.errors import Error, Forbidden, NotFound

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Api, Kind, Target
    from kubectl_sagemaker.kube import Kube

Resource: TypeAlias = Mapping[str, Any]

TERMINAL: Final = "ACK.Terminal"
BROKEN_CONDITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        TERMINAL: frozenset({"True"}),
        "ACK.Recoverable": frozenset({"True"}),
        "ACK.ReferencesResolved": frozenset({"False", "Unknown"}),
    }
)
"""Conditions, and the statuses in which they say in their message what is wrong, the worst first."""
PATIENCE: Final = 60.0
"""Seconds that a controller has to look at a new resource before that it has not is worth a word."""


MEANINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        TERMINAL: ("its controller has given it up", "correct the resource and apply it again"),
        "ACK.Recoverable": ("its controller can't go on, and tries again by itself", ""),
        "ACK.ReferencesResolved": (
            "it refers to another resource that is not there, or not ready",
            "see that resource: `kubectl sagemaker status --all-kinds`",
        ),
    }
)
"""What a broken condition means, and what to do about it."""
REMEDIES: Final = (
    (r"AccessDenied|not authorized|UnauthorizedOperation", "grant the controller's role the action that is named"),
    (r"ResourceLimitExceeded|LimitExceeded", "ask for a higher quota (Service Quotas), or take another instance type"),
    (
        r"CapacityError|InsufficientCapacity|Unable to provision",
        "AWS has no such instances free: try later, or another type or region",
    ),
    (r"Throttling|Rate exceeded", "AWS asked the controller to go slower: this heals by itself"),
    (r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient", "renew the controller's AWS credentials"),
)
"""What can be done about what AWS says, by its words."""


class Condition(NamedTuple):
    """One of a resource's conditions."""

    type: str
    status: str
    message: str
    """The controller's words; empty if it has none."""

    @property
    def broken(self) -> bool:
        """Whether it says that something is wrong."""
        return self.status in BROKEN_CONDITIONS.get(self.type, ())


@dataclass(frozen=True, slots=True)
class Instances:
    """Instances of one type."""

    count: int | None
    type: str | None
    """`ml.p4d.24xlarge`, or `serverless`; None where only their number is known."""


class Trial(NamedTuple):
    """A training job of a tuning job."""

    name: str
    status: str | None
    metric: str | None
    """Name of the objective."""
    value: float | None
    """The objective's final value."""
    hyperparameters: tuple[tuple[str, str], ...]
    begun: float | None
    """Seconds since the epoch, as is `ended`."""
    ended: float | None
    reason: str | None


State: TypeAlias = Literal["stuck", "waiting", "running", "failed", "stopped", "done"]
"""What a job's statuses come to: no way on without somebody's help, not begun, under way, or how it ended. `done` is
also what does not end and is as it should be: an endpoint in service, a model."""


class Job(NamedTuple):
    """What one custom resource says of the thing that it stands for in SageMaker."""

    kind: Kind
    api: Api
    namespace: str
    name: str
    job_name: str | None
    """The name in SageMaker; None while no controller has given one."""
    status: str | None
    secondary_status: str | None
    reason: str | None
    """Why it failed, or what keeps it from starting, in the controller's words."""
    region: str | None
    account: str | None
    endpoint_url: str | None
    """SageMaker endpoint that the resource asks for. Cluster data: see aws.trusted_endpoint."""
    creation_time: float | None
    """SageMaker's creation of the job, seconds since the epoch; None where the resource does not say."""
    resource_creation_time: float | None
    """metadata.creationTimestamp, seconds since the epoch. A job can be older than its resource."""
    reconciled: bool
    """Whether any controller has written a status."""
    uid: str | None = None
    """metadata.uid: another object of the same name has another."""
    arn: str | None = None
    conditions: tuple[Condition, ...] = ()
    modified_time: float | None = None
    """SageMaker's last change of it, seconds since the epoch; None where the resource does not say."""
    deletion_time: float | None = None
    """When its deletion was asked for, seconds since the epoch."""
    instances: tuple[Instances, ...] = ()
    spot: bool | None = None
    """Whether managed spot capacity is used; None where its kind can't or does not say."""
    best: Trial | None = None
    counters: tuple[tuple[str, int], ...] = ()
    """Numbers by what they count, in the controller's spelling: `completed`, `inProgress`."""

    @property
    def ended(self) -> bool:
        """Whether the job has come to an end state."""
        return self.kind.ended(self.status)

    @property
    def created(self) -> bool:
        """Whether it is known that SageMaker has the job: by its ARN, or by a state of SageMaker's.

        Its name says nothing: both controllers write that before they create the job.
        """
        return bool(self.arn or (self.status is not None and self.status not in self.api.group.own_states))

    @property
    def uncreated(self) -> bool:
        """Whether it is known that SageMaker has no such job: a status that would have its ARN has none."""
        return self.reconciled and self.api.group.arn is not None and not self.created

    @property
    def terminal(self) -> bool:
        """Whether the controller goes no further until the resource changes; a job that was created may run on."""
        given_up = any(condition.type == TERMINAL and condition.broken for condition in self.conditions)
        return given_up or self.status in self.api.group.terminal_states

    @property
    def problem(self) -> str | None:
        """In words, what is wrong; None if nothing is known to be."""
        return self.reason or (None if self.reconciled else "no controller has reconciled this")

    @property
    def advice(self) -> str | None:
        """What to look at or to do about the problem; None if there is nothing to say."""
        if not self.reconciled:
            home = self.api.group.home
            return f"is its controller running? `kubectl get deployments -n {home}` shows it where it usually is"
        if self.terminal and not self.created:
            return "its controller has given it up: correct the resource and apply it again"
        return None

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to do about what is wrong with a job that does not go on; empty if there is nothing to say."""
        steps = [MEANINGS[condition.type][1] for condition in self.conditions if condition.broken]
        if self.advice and not steps:
            steps.append(self.advice)
        steps += [step for words, step in REMEDIES if re.search(words, self.reason or "")]
        return tuple(dict.fromkeys(filter(None, steps)))

    def state(self, now: float) -> State:
        """What its statuses come to at `now`, in seconds since the epoch."""
        code = self.kind.rest(self.status)
        if code is not None:
            return ENDS[code]
        if self.status is not None and self.status not in self.api.group.own_states:
            return "running"
        if self.trouble(now):
            return "stuck"
        return "done" if self.created and not self.api.status else "waiting"

    def trouble(self, now: float) -> str | None:
        """In words, what is wrong at `now`; None if nothing is known to be."""
        if self.reason:
            return self.reason
        age = now - (self.resource_creation_time or now)
        if not self.reconciled and age >= PATIENCE:
            return f"no controller has reconciled this in {times.age(age)}"
        gone = now - (self.deletion_time or now)
        return f"has been waiting for its deletion for {times.age(gone)}" if gone >= PATIENCE else None

    def duration(self, now: float) -> float | None:
        """Seconds from SageMaker's creation of it to its end, or to `now`; None where the resource does not say.

        Where only the resource's own creation is known, that stands for SageMaker's as long as the job runs.
        """
        if not self.created or not self.kind.runs:
            return None
        if self.kind.ended(self.status):
            known = self.creation_time is not None and self.modified_time is not None
            return max(0.0, self.modified_time - self.creation_time) if known else None  # type: ignore[operator] # known
        begun = self.creation_time or self.resource_creation_time
        return None if begun is None else max(0.0, now - begun)

    @property
    def key(self) -> tuple[str, str, str]:
        """Which object of the cluster it is."""
        return self.api.resource, self.namespace, self.name

    @property
    def title(self) -> str:
        """`KIND/NAME` as people type it."""
        return f"{self.api.singular}/{self.name}"


ENDS: Final[Mapping[int, State]] = MappingProxyType({0: "done", 3: "failed", 4: "stopped"})
"""What an end comes to, by the exit code that it gives."""


def dig(value: object, path: str | None) -> Any:
    """What stands at a dotted path, or None. JSON's objects are dicts: a Mapping takes twice as long to recognise."""
    if path is None:
        return None
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def first(resource: Resource, paths: Iterable[str | None]) -> str | None:
    """The first path with a text. An empty one, as controllers write it, counts as absent, and so does what is none."""
    for path in paths:
        if found := _text(dig(resource, path)):
            return found
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def epoch(text: str | None) -> float | None:
    """RFC 3339 as seconds since the epoch; None if it is no time."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def member(value: object, name: str) -> Any:
    """A member of a mapping, by its name in a resource or, with a great first letter, in AWS's own answers."""
    if not isinstance(value, dict):
        return None
    found = value.get(name)
    return value.get(f"{name[:1].upper()}{name[1:]}") if found is None else found


def in_answer(answer: object, path: str | None) -> Any:
    """What Describe's answer has of a path in a resource's status; None without one."""
    return member(answer, path.partition(".")[2]) if path else None


def walk(value: object, path: str) -> Iterator[Any]:
    """What stands at a dotted path, in a resource or in AWS's answer; a list gives one for each of its items."""
    name, _, rest = path.partition(".")
    found = member(value, name) if name else value
    for item in found if isinstance(found, list) else (found,):
        if item is not None:
            if rest:
                yield from walk(item, rest)
            else:
                yield item


def number(value: object) -> float | None:
    """A number as it is, or as the legacy controller writes it: in a text."""
    try:
        found = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def pairs(value: object) -> tuple[tuple[str, str], ...]:
    """A map of texts, or the legacy group's list of `{name, value}`, as pairs."""
    if isinstance(value, list):
        return tuple((str(member(item, "name")), str(member(item, "value"))) for item in value)
    # A JSON object has no order, and the API server gives it another one than it was given.
    return tuple(sorted((str(name), str(item)) for name, item in value.items())) if isinstance(value, Mapping) else ()


def instances(value: object, paths: Iterable[str]) -> tuple[Instances, ...]:
    """What runs it, by the first of the paths that says so."""
    for path in paths:
        found = [machines for config in walk(value, path) for machines in _machines(config)]
        if found:
            return tuple(found)
    return ()


COUNTS: Final = ("instanceCount", "currentInstanceCount", "initialInstanceCount")


def _machines(config: object) -> Iterator[Instances]:
    """One type of instances, or several groups of them (heterogeneous clusters)."""
    if groups := member(config, "instanceGroups"):
        for group in groups if isinstance(groups, list) else ():
            yield from _machines(group)
        return
    kind = _text(member(config, "instanceType"))
    if any(member(config, name) for name in ("currentServerlessConfig", "serverlessConfig")):
        kind = "serverless"
    counts = (member(config, name) for name in COUNTS)
    count = next((count for count in counts if isinstance(count, int)), None)
    if kind or count is not None:
        # What has a type and no count is a single instance, as notebooks are.
        yield Instances(count if count is not None or kind == "serverless" else 1, kind)


def trial(value: object) -> Trial:
    """A training job of a tuning job, from a tuning job's status or from SageMaker's list."""
    objective = member(value, "finalHyperParameterTuningJobObjectiveMetric")
    return Trial(
        name=_text(member(value, "trainingJobName")) or "",
        status=_text(member(value, "trainingJobStatus")),
        metric=_text(member(objective, "metricName")),
        value=number(member(objective, "value")),
        hyperparameters=pairs(member(value, "tunedHyperParameters")),
        begun=moment(member(value, "trainingStartTime")),
        ended=moment(member(value, "trainingEndTime")),
        reason=_text(member(value, "failureReason")),
    )


def moment(value: object) -> float | None:
    """Seconds since the epoch of a text in RFC 3339, or of botocore's datetime."""
    return value.timestamp() if isinstance(value, datetime) else epoch(_text(value))


def counted(value: object) -> tuple[tuple[str, int], ...]:
    """Numbers by what they count, without those of nothing."""
    if not isinstance(value, Mapping):
        return ()
    counts = ((str(name), count) for name, count in value.items() if isinstance(count, int) and count)
    return tuple((f"{name[:1].lower()}{name[1:]}", count) for name, count in counts)


def read(kind: Kind, api: Api, resource: Resource) -> Job:
    """Read one custom resource by its row of the registry. Nothing of the resource is kept but what is in the Job."""
    group = api.group
    conditions = tuple(_conditions(dig(resource, group.conditions)))
    best = dig(resource, kind.best)
    return Job(
        kind=kind,
        api=api,
        namespace=first(resource, ("metadata.namespace",)) or "",
        name=first(resource, ("metadata.name",)) or "",
        job_name=first(resource, api.job_name),
        status=first(resource, (api.status,)),
        secondary_status=first(resource, (api.secondary_status,)),
        reason=first(resource, api.reason) or _condition(conditions),
        region=first(resource, group.region) or _annotation(resource, group.region_annotation),
        account=first(resource, (group.account,)),
        endpoint_url=first(resource, (group.endpoint,)),
        creation_time=epoch(first(resource, (api.creation_time,))),
        resource_creation_time=epoch(first(resource, ("metadata.creationTimestamp",))),
        reconciled=bool(resource.get("status")),
        uid=first(resource, ("metadata.uid",)),
        arn=first(resource, (group.arn,)),
        conditions=conditions,
        modified_time=epoch(first(resource, (group.modified_time,))),
        deletion_time=epoch(first(resource, ("metadata.deletionTimestamp",))),
        instances=instances(resource, kind.instances),
        spot=next((value for path in kind.spot for value in walk(resource, path) if isinstance(value, bool)), None),
        best=trial(best) if isinstance(best, Mapping) and best else None,
        counters=counted(dig(resource, kind.counters)),
    )


def _annotation(resource: Resource, name: str | None) -> str | None:
    # The name has dots, so it is no path.
    annotations = dig(resource, "metadata.annotations")
    return _text(annotations.get(name)) if isinstance(annotations, Mapping) else None


def _conditions(listed: object) -> Iterator[Condition]:
    for condition in listed if isinstance(listed, list) else ():
        if kind := first(condition, ("type",)):
            message = first(condition, ("message", "reason")) or ""
            yield Condition(kind, first(condition, ("status",)) or "", message)


def _condition(conditions: Iterable[Condition]) -> str | None:
    """The message of the condition that says what is wrong."""
    broken = {condition.type: condition for condition in conditions if condition.broken}
    worst = next((broken[wanted] for wanted in BROKEN_CONDITIONS if wanted in broken), None)
    return f"{worst.type}: {worst.message or 'no message'}" if worst else None


class Found(NamedTuple):
    """A job, and what people should know about how it was found."""

    job: Job
    note: str | None = None


def find(kube: Kube, targets: Sequence[Target], namespace: str, name: str) -> Found:
    """Find the one resource of that name, whichever of the targets' kinds and groups has it; requests in parallel.

    Without a hit each group's discovery is asked: RBAC answers before routing, so a group that is not installed looks
    forbidden to whoever may read only the other (measured). A refusal does not hide a hit elsewhere. Raises
    NotFound, Forbidden, or Error when several resources have the name.
    """

    def look(row: tuple[Kind, Api]) -> Job | NotFound | Forbidden:
        try:
            return read(*row, kube.get(row[1], namespace, name))
        except (NotFound, Forbidden) as error:
            return error

    # All kinds are more than can be asked at once, so that for a name alone discovery is asked first.
    rows = _wanted(targets) if len(targets) == 1 else served(kube, targets)
    answers = parallel.each(look, rows)
    hits = [answer for answer in answers if isinstance(answer, Job)]
    if hits:
        chosen = _one_of(hits)
        return chosen._replace(job=_with_region(kube, chosen.job))
    if len(targets) == 1:
        # Of a group that is not served, the answer counts for nothing.
        asked, rows = dict(zip(rows, answers, strict=True)), served(kube, targets)
        answers = [asked[row] for row in rows]
    refused = [answer for answer in answers if isinstance(answer, Forbidden)]
    if refused and (len(targets) == 1 or len(refused) == len(rows)):
        raise refused[0]
    raise _nowhere(targets, rows, answers, namespace, name)


def _wanted(targets: Iterable[Target]) -> list[tuple[Kind, Api]]:
    return [(target.kind, api) for target in targets for api in target.apis]


def served(kube: Kube, targets: Iterable[Target]) -> list[tuple[Kind, Api]]:
    """The targets' kinds, each with an API that the server has; raises NotFound if it has none of them."""
    wanted = _wanted(targets)
    groups = {api.group.name: api.group for _, api in wanted}
    plurals = dict(zip(groups, parallel.each(kube.serves, groups.values()), strict=True))
    rows = [(kind, api) for kind, api in wanted if api.plural in plurals[api.group.name]]
    if not rows:
        one = len({kind for kind, _ in wanted}) == 1
        names = [api.resource for _, api in wanted] if one else sorted(groups)
        raise NotFound(
            f"the server has no resource{'' if one else 's of'} {' and '.join(names)}",
            hint="the custom resource definitions are not installed",
        )
    return rows


def _nowhere(
    targets: Sequence[Target],
    rows: Sequence[tuple[Kind, Api]],
    answers: Sequence[Job | NotFound | Forbidden],
    namespace: str,
    name: str,
) -> NotFound:
    """Say where it was looked for, and where that was forbidden."""
    hint = "`kubectl sagemaker status -A` lists what there is"
    if len(targets) == 1:
        resources = " and ".join(api.resource for _, api in rows)
        return NotFound(f"{resources} {name!r} not found in namespace {namespace!r}", hint=hint)
    looked = [api for (_, api), answer in zip(rows, answers, strict=True) if not isinstance(answer, Forbidden)]
    closed = [api for (_, api), answer in zip(rows, answers, strict=True) if isinstance(answer, Forbidden)]
    text = f"{name!r} not found in namespace {namespace!r} among {_counted(looked)}"
    if closed:
        text += f"; forbidden to look among {_grouped(closed)}"
    kind = kinds.singular(name)
    return NotFound(text, hint=f"{kind} is a kind: name the resource too, {kind} NAME" if kind else hint)


def _counted(apis: Sequence[Api]) -> str:
    """`9 kinds of GROUP and 5 of GROUP`; their names would fill the screen."""
    groups = Counter(api.group.name for api in apis)
    return " and ".join(f"{count} kind{'' if count == 1 else 's'} of {group}" for group, count in groups.items())


def _grouped(apis: Iterable[Api]) -> str:
    """`trainingjobs, processingjobs of GROUP and trainingjobs of GROUP`."""
    plurals: dict[str, list[str]] = {}
    for api in apis:
        plurals.setdefault(api.group.name, []).append(api.plural)
    return " and ".join(f"{', '.join(names)} of {group}" for group, names in plurals.items())


def _one_of(hits: Sequence[Job]) -> Found:
    """The hit; of two of one kind that mean the same SageMaker job, the first (ACK's); else an error."""
    if len(hits) == 1:
        return Found(hits[0])
    same_kind = all(hit.kind is hits[0].kind for hit in hits)
    if same_kind and _same(*hits):
        chosen, other = hits
        return Found(chosen, f"{chosen.api.resource} and {other.api.resource} both mean this job; reading the first")
    *others, last = (f"{hit.api.singular}.{hit.api.group.name}/{hit.name}" for hit in hits)
    several = (
        "stands in two API groups for different SageMaker jobs" if same_kind else "is the name of several resources"
    )
    raise Error(f"{hits[0].name!r} {several}", hint=f"say which: {', '.join(others)} or {last}")


def _same(one: Job, other: Job) -> bool:
    """Whether two resources of one kind mean the same job in SageMaker, as far as they tell."""
    same_region = one.region == other.region or None in (one.region, other.region)
    return bool(one.job_name) and one.job_name == other.job_name and same_region


def _with_region(kube: Kube, job: Job) -> Job:
    """Fill in the region of the namespace's annotation, where the job has none of its own."""
    if job.region or not job.api.group.namespace_region_annotation:
        return job
    return job._replace(region=namespace_region(kube, job.namespace))


def namespace_region(kube: Kube, namespace: str) -> str | None:
    """The region that a namespace's annotation gives its resources; None if it gives none."""
    names = [name for group in kinds.GROUPS if (name := group.namespace_region_annotation)]
    try:
        annotations = kube.annotations(namespace)
    except (Forbidden, NotFound):
        # Reading namespaces is a right of its own; without it the environment's region is asked.
        return None
    return next((found for name in names if (found := annotations.get(name))), None)


def again(kube: Kube, job: Job) -> Job:
    """The same object, read again; it keeps the region that was found."""
    fresh = read(job.kind, job.api, kube.get(job.api, job.namespace, job.name))
    return fresh._replace(region=fresh.region or job.region)


class Listing(NamedTuple):
    """Jobs of many kinds, and what could not be listed."""

    jobs: tuple[Job, ...]
    refusals: tuple[Error, ...] = ()


def collect(kube: Kube, targets: Iterable[Target], namespace: str | None, *, selector: str | None = None) -> Listing:
    """List every resource of the targets' kinds, requests in parallel; namespace None is all of them.

    A kind that is forbidden is among the refusals; it hides nothing else. Raises Forbidden if every kind is.
    """
    rows = served(kube, targets)

    def listed(row: tuple[Kind, Api]) -> tuple[list[Job], Error | None]:
        kind, api = row
        try:
            return [read(kind, api, item) for item in kube.list(api, namespace, selector=selector)], None
        except Forbidden as error:
            return [], error

    answers = parallel.each(listed, rows)
    refusals = tuple(error for _, error in answers if error is not None)
    if len(refusals) == len(rows):
        raise refusals[0]
    return Listing(tuple(job for found, _ in answers for job in found), refusals)
