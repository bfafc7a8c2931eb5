"""A custom resource read as a Job: find one, list many, over both API groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from kubectl_sagemaker.errors import Error, Forbidden, NotFound

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Api, Kind, Target
    from kubectl_sagemaker.kube import Kube

Resource: TypeAlias = Mapping[str, Any]

BROKEN_CONDITIONS: Final = ("ACK.Terminal", "ACK.Recoverable")
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
    def problem(self) -> str | None:
        """In words, what is wrong; None if nothing is known to be."""
        return self.reason or (None if self.reconciled else "no controller has reconciled this")

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
    if not isinstance(conditions, list):
        return None
    for wanted in BROKEN_CONDITIONS:
        for condition in conditions:
            if isinstance(condition, Mapping) and condition.get("type") == wanted and condition.get("status") == "True":
                return f"{wanted}: {first(condition, ('message', 'reason')) or 'no message'}"
    return None


@dataclass(frozen=True, slots=True)
class Found:
    """A job, and what people should know about how it was found."""

    job: Job
    note: str | None = None


def find(kube: Kube, target: Target, namespace: str, name: str) -> Found:
    """Find the one resource of that name, in whichever of the target's groups has it.

    Each group's discovery is asked first: RBAC answers before routing, so a group that is not installed looks
    forbidden to whoever may read only the other (facts: kubectl). A refusal in one group does not hide a hit in the
    other. Raises NotFound, Forbidden, or Error when two groups have the name for different jobs.
    """
    hits: list[Job] = []
    refused: Forbidden | None = None
    served = [api for api in target.apis if api.plural in kube.serves(api.group)]
    for api in served:
        try:
            hits.append(read(target.kind, api, kube.get(api, namespace, name)))
        except NotFound:
            continue
        except Forbidden as error:
            refused = error
    if hits:
        chosen = _one_of(hits)
        return replace(chosen, job=_with_region(kube, chosen.job))
    if refused:
        raise refused
    resources = " and ".join(api.resource for api in served or target.apis)
    if not served:
        raise NotFound(
            f"the server has no resource {resources}", hint="the custom resource definitions are not installed"
        )
    raise NotFound(
        f"{resources} {name!r} not found in namespace {namespace!r}",
        hint="`kubectl sagemaker status -A` lists what there is",
    )


def _one_of(hits: list[Job]) -> Found:
    """The hit; of two, the first (ACK's) if both mean the same SageMaker job, else an error."""
    if len(hits) == 1:
        return Found(hits[0])
    chosen, other = hits
    same_region = chosen.region == other.region or None in (chosen.region, other.region)
    if chosen.job_name and chosen.job_name == other.job_name and same_region:
        return Found(chosen, f"{chosen.api.resource} and {other.api.resource} both mean this job; reading the first")
    raise Error(
        f"{chosen.name!r} stands in two API groups for different SageMaker jobs",
        hint=f"say which: {chosen.api.singular}.{chosen.api.group.name} or {other.api.singular}.{other.api.group.name}",
    )


def _with_region(kube: Kube, job: Job) -> Job:
    """Fill in the region of the namespace's annotation, where the job has none of its own."""
    annotation = job.api.group.namespace_region_annotation
    if job.region or not annotation:
        return job
    try:
        return replace(job, region=kube.annotations(job.namespace).get(annotation) or None)
    except (Forbidden, NotFound):
        # Reading namespaces is a right of its own; without it the environment's region is asked.
        return job


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
    wanted = [(target.kind, api) for target in targets for api in target.apis]
    groups = {api.group.name: api.group for _, api in wanted}
    with ThreadPoolExecutor(max_workers=8) as pool:
        served = dict(zip(groups, pool.map(kube.serves, groups.values()), strict=True))
        rows = [(kind, api) for kind, api in wanted if api.plural in served[api.group.name]]

        def listed(row: tuple[Kind, Api]) -> tuple[list[Job], Error | None]:
            kind, api = row
            try:
                return [read(kind, api, item) for item in kube.list(api, namespace, selector=selector)], None
            except Forbidden as error:
                return [], error

        answers = list(pool.map(listed, rows))
    if not rows:
        names = " and ".join(sorted(groups))
        raise NotFound(
            f"the server has no resources of {names}", hint="the custom resource definitions are not installed"
        )
    return Listing(
        jobs=tuple(job for found, _ in answers for job in found),
        asked=len(rows),
        refusals=tuple(error for _, error in answers if error is not None),
    )
