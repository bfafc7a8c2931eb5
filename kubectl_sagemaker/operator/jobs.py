"""The pass over what SageMaker runs and cannot change: training, tuning, transform and processing jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.console import log_address
from kubectl_sagemaker.jobs import dig, first
from kubectl_sagemaker.operator import children, objects, place, shapes
from kubectl_sagemaker.operator.place import Place, Refused

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube, Object
    from kubectl_sagemaker.operator.place import Aws
    from kubectl_sagemaker.operator.rows import Row

POLL_SECONDS: Final = 5.0
"""Between two looks at what no list shows."""
REST_SECONDS: Final = 3600.0
"""Between two looks at what a list shows when it changes: a net under the lists, 17 requests a minute for 1,000."""

RUNNING: Final = "InProgress"
SETTLED: Final = frozenset({"NoIssuesFound", "IssuesFound", "Error", "Stopped"})
"""States of an evaluation that has ended."""


def reconcile(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Create the job that an object asks for, or adopt it, show its state, and stop it when the object goes."""
    if objects.going(thing):
        return _end(row, thing, kube, aws, now)
    if row.frozen and (mark := dig(thing, "status.specDigest")) and mark != _digest(row, thing):
        thing = objects.put_status(kube, row, thing, {"additional": row.frozen}, now=now, whole=False)
    if row.kind.ended(dig(thing, row.api.status)) and _evaluated(row, thing):
        return None
    name = name_of(row, thing)
    if not children.is_child(thing):
        thing = objects.hold(kube, row, thing, _named(row, thing, name))
    there = place.of(aws, thing, row)
    asked = {**row.inputs[0].request(thing["spec"]), f"{row.kind.name}Name": name}
    if not thing.get("status"):
        opening = {**row.dialect.opening(row, name), **({"specDigest": _digest(row, thing)} if row.frozen else {})}
        thing = objects.put_status(kube, row, thing, opening, now=now)
    answer = there.describe(row.kind.name, name)
    if answer is None:
        if children.is_child(thing):
            return None  # SageMaker's own start, which nobody starts again
        there.call(row.inputs[0].operation, asked)
        objects.event(kube, row, thing, "Created", f"{row.kind.name} {name} in {there.region}", now=now)
        answer = there.describe(row.kind.name, name)
        if answer is None:
            return now + POLL_SECONDS
    thing = objects.put_status(kube, row, thing, _shown(row, thing, there, name, answer), now=now)
    if row.children:
        children.appear(row.children, row, thing, kube, there, name)
    if not row.kind.ended(answer[f"{row.kind.name}Status"]):
        return now + REST_SECONDS
    return None if _evaluated(row, thing) else now + POLL_SECONDS


def name_of(row: Row, thing: Object) -> str:
    """The name in SageMaker: of the status, which an edit does not change, else of the spec, else a generated one."""
    return first(thing, row.api.job_name) or objects.generated(thing, row.name_limit)


def _named(row: Row, thing: Object, name: str) -> dict[str, str]:
    """What `hold` writes into the spec: the generated name, where the kind has it there and nobody gave one."""
    if not row.name_in_spec or row.spec_name is None or thing["spec"].get(row.spec_name):
        return {}
    return {row.spec_name: name}


def _digest(row: Row, thing: Object) -> str:
    return shapes.digest(row.inputs[0].shape, row.inputs[0].request(thing["spec"]))


def _end(row: Row, thing: Object, kube: Kube, aws: Aws, now: float) -> float | None:
    """Stop the job, wait for its end, and let the object go then."""
    if row.finalizer not in objects.finalizers(thing):
        if children.is_child(thing):
            children.let_go(row, thing, kube)
        return None
    name = name_of(row, thing)
    there = place.of(aws, thing, row)
    try:
        answer = there.describe(row.kind.name, name)
        state = answer[f"{row.kind.name}Status"] if answer else None
        if answer and not row.kind.ended(state) and not _shared(row, thing, kube, name):
            if state == RUNNING:
                there.call(f"Stop{row.kind.name}", {f"{row.kind.name}Name": name})
                answer = there.describe(row.kind.name, name) or answer
            objects.put_status(kube, row, thing, _shown(row, thing, there, name, answer), now=now)
            return now + REST_SECONDS
    except Refused as refused:
        # Of what AWS refuses for good, nothing is left to stop; a permission that is missing can be given.
        if not row.gives_up or refused.transient or refused.personal:
            raise
    if row.children:
        children.go(row.children, thing, kube)
    objects.release(kube, row.api, thing, row.finalizer)
    return None


def _shared(row: Row, thing: Object, kube: Kube, name: str) -> bool:
    """Whether another object means the same job; only a name that somebody chose can mean two."""
    if name == objects.generated(thing, row.name_limit):
        return False
    return any(
        first(other, row.api.job_name) == name
        and first(other, row.api.group.region) == first(thing, row.api.group.region)
        and other["metadata"]["uid"] != thing["metadata"]["uid"]
        and not objects.going(other)
        for other in kube.list(row.api, None)
    )


def _shown(row: Row, thing: Object, there: Place, name: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The status of a job that SageMaker has."""
    kept = {name: value for name, value in (thing.get("status") or {}).items() if name == "specDigest"}
    status: dict[str, Any] = {**kept, **row.dialect.there(row, name, there, answer)}
    status |= shapes.properties(row.described, answer, only=row.shown)
    if row.derived:
        status |= row.derived(row, thing, there, answer)
    if row.frozen and kept and kept["specDigest"] != _digest(row, thing):
        status["additional"] = row.frozen
    return status


def _evaluated(row: Row, thing: Object) -> bool:
    """Whether the evaluations that a job leaves behind have ended too."""
    evaluations = dig(thing, f"status.{row.evaluated}") if row.evaluated else None
    return all(evaluation.get("ruleEvaluationStatus") in SETTLED for evaluation in evaluations or ())


# What differs between kinds in how a status is made


def failure(row: Row, thing: Object, there: Place, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Why it failed."""
    del row, thing, there
    return {"additional": answer.get("FailureReason")}


def processing(row: Row, thing: Object, there: Place, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Why it failed, and where its log is."""
    return {
        **failure(row, thing, there, answer),
        "cloudWatchLogUrl": log_address(row.kind, answer[f"{row.kind.name}Name"], there.region),
    }


def training(row: Row, thing: Object, there: Place, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Beside that, where the model is; and no secondary status while it stops, when SageMaker's says nothing."""
    status = processing(row, thing, there, answer)
    status["modelPath"] = (answer.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    if answer["TrainingJobStatus"] == "Stopping":
        status["secondaryStatus"] = None
    return status


def tuning(row: Row, thing: Object, there: Place, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Why it failed, and how many of its jobs did."""
    status = failure(row, thing, there, answer)
    counters = shapes.properties(row.described, answer, only=("TrainingJobStatusCounters",)).get(
        "trainingJobStatusCounters"
    )
    if counters:
        counters["totalError"] = counters.get("retryableError", 0) + counters.get("nonRetryableError", 0)
        status["trainingJobStatusCounters"] = counters
    return status
