"""A custom resource read as a Job: find one, list many, over both API groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kubectl_sagemaker import kinds, parallel
from kubectl_sagemaker.errors import Error, Forbidden, NotFound

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Api, Kind, Target
    from kubectl_sagemaker.kube import Kube

Resource: TypeAlias = Mapping[str, Any]

TERMINAL: Final = "ACK.Terminal"
BROKEN_CONDITIONS: Final = (TERMINAL, "ACK.Recoverable")
"""Conditions that say in their message what is wrong: the first needs another spec, the second may heal."""


@dataclass(frozen=True, slots=True)
class Job:
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
    resource: Resource = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether the job has come to an end state."""
        return self.kind.ended(self.status)

    @property
    def created(self) -> bool:
        """Whether it is known that SageMaker has the job: by its ARN, or by a state of SageMaker's.

        Its name says nothing: both controllers write that before they create the job.
        """
        return bool(
            first(self.resource, (self.api.group.arn,))
            or (self.status is not None and self.status not in self.api.group.own_states)
        )

    @property
    def uncreated(self) -> bool:
        """Whether it is known that SageMaker has no such job: a status that would have its ARN has none."""
        return self.reconciled and self.api.group.arn is not None and not self.created

    @property
    def terminal(self) -> bool:
        """Whether the controller goes no further until the resource changes; a job that was created may run on."""
        conditions = dig(self.resource, self.api.group.conditions)
        return self.status in self.api.group.terminal_states or _held(conditions, TERMINAL) is not None

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
    def title(self) -> str:
        """`KIND/NAME` as people type it."""
        return f"{self.api.singular}/{self.name}"


def dig(value: object, path: str | None) -> Any:
    """What stands at a dotted path, or None."""
    if path is None:
        return None
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def first(resource: Resource, paths: Iterable[str | None]) -> str | None:
    """The first path with a text. An empty one, as controllers write it, counts as absent, and so does what is none."""
    return next((found for path in paths if (found := _text(dig(resource, path)))), None)


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


def read(kind: Kind, api: Api, resource: Resource) -> Job:
    """Read one custom resource by its row of the registry."""
    group = api.group
    return Job(
        kind=kind,
        api=api,
        namespace=first(resource, ("metadata.namespace",)) or "",
        name=first(resource, ("metadata.name",)) or "",
        job_name=first(resource, api.job_name),
        status=first(resource, (api.status,)),
        secondary_status=first(resource, (api.secondary_status,)),
        reason=first(resource, api.reason) or _condition(dig(resource, group.conditions)),
        region=first(resource, group.region) or _annotation(resource, group.region_annotation),
        account=first(resource, (group.account,)),
        endpoint_url=first(resource, (group.endpoint,)),
        creation_time=epoch(first(resource, (api.creation_time,))),
        resource_creation_time=epoch(first(resource, ("metadata.creationTimestamp",))),
        reconciled=bool(resource.get("status")),
        resource=resource,
    )


def _annotation(resource: Resource, name: str | None) -> str | None:
    # The name has dots, so it is no path.
    annotations = dig(resource, "metadata.annotations")
    return _text(annotations.get(name)) if isinstance(annotations, Mapping) else None


def _condition(conditions: object) -> str | None:
    """The message of the condition that says what is wrong."""
    for wanted in BROKEN_CONDITIONS:
        if (condition := _held(conditions, wanted)) is not None:
            return f"{wanted}: {first(condition, ('message', 'reason')) or 'no message'}"
    return None


def _held(conditions: object, wanted: str) -> Resource | None:
    """The condition of a type, if it is there and true."""
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, Mapping) and condition.get("type") == wanted and condition.get("status") == "True":
            return condition
    return None


@dataclass(frozen=True, slots=True)
class Found:
    """A job, and what people should know about how it was found."""

    job: Job
    note: str | None = None


def find(kube: Kube, targets: Sequence[Target], namespace: str, name: str) -> Found:
    """Find the one resource of that name, whichever of the targets' kinds and groups has it; requests in parallel.

    Each group's discovery is asked too: RBAC answers before routing, so a group that is not installed looks
    forbidden to whoever may read only the other (measured). A refusal does not hide a hit elsewhere. Raises
    NotFound, Forbidden, or Error when several resources have the name.
    """

    def look(row: tuple[Kind, Api]) -> Job | NotFound | Forbidden:
        try:
            return read(*row, kube.get(row[1], namespace, name))
        except (NotFound, Forbidden) as error:
            return error

    if len(targets) == 1:
        # In the same breath, which saves a round trip: of a group that is not served, the answer counts for nothing.
        wanted = _wanted(targets)
        looked, rows = parallel.both(lambda: parallel.each(look, wanted), lambda: _served(kube, targets))
        answers = [answer for row, answer in zip(wanted, looked, strict=True) if row in rows]
    else:
        rows = _served(kube, targets)
        answers = parallel.each(look, rows)
    hits = [answer for answer in answers if isinstance(answer, Job)]
    if hits:
        chosen = _one_of(hits)
        return replace(chosen, job=_with_region(kube, chosen.job))
    refused = [answer for answer in answers if isinstance(answer, Forbidden)]
    if refused and (len(targets) == 1 or len(refused) == len(rows)):
        raise refused[0]
    raise _nowhere(targets, rows, answers, namespace, name)


def _wanted(targets: Iterable[Target]) -> list[tuple[Kind, Api]]:
    return [(target.kind, api) for target in targets for api in target.apis]


def _served(kube: Kube, targets: Iterable[Target]) -> list[tuple[Kind, Api]]:
    """The targets' kinds, each with an API that the server has; raises NotFound if it has none of them."""
    wanted = _wanted(targets)
    groups = {api.group.name: api.group for _, api in wanted}
    served = dict(zip(groups, parallel.each(kube.serves, groups.values()), strict=True))
    rows = [(kind, api) for kind, api in wanted if api.plural in served[api.group.name]]
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
    text = f"{name!r} not found in namespace {namespace!r} among {_grouped(looked)}"
    if closed:
        text += f"; forbidden to look among {_grouped(closed)}"
    kind = kinds.singular(name)
    return NotFound(text, hint=f"{kind} is a kind: name the resource too, {kind} NAME" if kind else hint)


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
    return replace(job, region=namespace_region(kube, job.namespace))


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
    return replace(fresh, region=fresh.region or job.region)


@dataclass(frozen=True, slots=True)
class Listing:
    """Jobs of many kinds, and what could not be listed."""

    jobs: tuple[Job, ...]
    asked: int
    """How many kinds were asked for, one in each group that serves it."""
    refusals: tuple[Error, ...] = ()


def collect(kube: Kube, targets: Iterable[Target], namespace: str | None, *, selector: str | None = None) -> Listing:
    """List every resource of the targets' kinds, requests in parallel; namespace None is all of them.

    A kind that is forbidden is among the refusals; it hides nothing else.
    """
    rows = _served(kube, targets)

    def listed(row: tuple[Kind, Api]) -> tuple[list[Job], Error | None]:
        kind, api = row
        try:
            return [read(kind, api, item) for item in kube.list(api, namespace, selector=selector)], None
        except Forbidden as error:
            return [], error

    answers = parallel.each(listed, rows)
    return Listing(
        jobs=tuple(job for found, _ in answers for job in found),
        asked=len(rows),
        refusals=tuple(error for _, error in answers if error is not None),
    )
