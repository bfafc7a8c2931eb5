"""Jobs for programs: JSON, YAML and names. docs/json.md describes what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.text import json_visible, one_line
from kubectl_sagemaker.times import rfc3339

if TYPE_CHECKING:
    from kubectl_sagemaker.details import Details
    from kubectl_sagemaker.jobs import Instances, Job, Trial

SCHEMA: Final = "kubectl-sagemaker/v1"
"""Version of what `-o json` and `-o yaml` print."""


def values(job: Job, now: float) -> dict[str, Any]:
    """A job as plain values; times are texts in UTC, durations seconds."""
    return {
        "kind": job.api.kind,
        "group": job.api.group.name,
        "version": job.api.group.version,
        "resource": job.api.plural,
        "namespace": job.namespace,
        "name": job.name,
        "jobName": job.job_name,
        "arn": job.arn,
        "region": job.region,
        "account": job.account,
        "state": job.state(now),
        "status": job.status,
        "secondaryStatus": job.secondary_status,
        "ended": job.ended,
        # Without the time that the screen adds, so that it only changes when something does.
        "reason": job.problem if job.trouble(now) else None,
        "created": when(job.resource_creation_time),
        "deletionRequested": when(job.deletion_time),
        "jobCreated": when(job.creation_time),
        "durationSeconds": seconds(job.duration(now)),
        "instances": instances(job.instances),
        "spot": job.spot,
        "counters": dict(job.counters),
        "best": trial(job.best) if job.best else None,
    }


def when(moment: float | None) -> str | None:
    """A moment, RFC 3339 in UTC."""
    return None if moment is None else rfc3339(moment)


def seconds(length: float | None) -> int | None:
    """A length of time in whole seconds."""
    return None if length is None else round(length)


def instances(found: Iterable[Instances]) -> list[dict[str, Any]]:
    """Types of instances, each with its number."""
    return [{"count": machine.count, "type": machine.type} for machine in found]


def trial(child: Trial) -> dict[str, Any]:
    """A training job of a tuning job."""
    return {
        "jobName": child.name,
        "status": child.status,
        "metric": child.metric,
        "value": child.value,
        "hyperparameters": dict(child.hyperparameters),
        "started": when(child.begun),
        "ended": when(child.ended),
        "reason": child.reason,
    }


def document(jobs: Iterable[Job], now: float) -> dict[str, Any]:
    """A list of jobs as one document."""
    return {"apiVersion": SCHEMA, "kind": "JobList", "items": [values(job, now) for job in jobs]}


def single(details: Details, now: float) -> dict[str, Any]:
    """One job as a document: what it is in a list, the schema's version, and what SageMaker adds."""
    compute, pool = details.compute, details.compute.warm_pool
    saving = compute.saving
    billed = compute.billable * compute.count if compute.billable is not None and compute.count else None
    return {
        "apiVersion": SCHEMA,
        **values(details.job, now),
        "region": details.region or details.job.region,
        "details": {
            "console": details.console,
            "controllerStatus": details.controller,
            "conditions": [
                {"type": condition.type, "status": condition.status, "message": condition.message}
                for condition in details.job.conditions
            ],
            "nextSteps": list(details.job.next_steps),
            "timeline": [
                {
                    "status": phase.status,
                    "started": when(phase.begun),
                    "ended": when(phase.ended),
                    "durationSeconds": seconds(
                        None if phase.ended is None and details.job.ended else (phase.ended or now) - phase.begun
                    ),
                    "message": phase.message,
                }
                for phase in details.phases
            ],
            "maxRuntimeSeconds": compute.limit,
            "maxWaitSeconds": compute.wait,
            "usedRuntimeSeconds": seconds(compute.used),
            "runningSeconds": compute.training,
            "billableSeconds": compute.billable,
            "billableInstanceSeconds": billed,
            "spotSaving": None if saving is None else round(saving, 4),
            "warmPool": pool
            and {
                "status": pool.status,
                "keepSeconds": pool.keep,
                "billableSeconds": pool.billable,
                "reusedBy": pool.reused_by,
            },
            "metrics": [{"name": metric.name, "value": metric.value} for metric in details.metrics],
            "artifacts": [{"name": artifact.name, "uri": artifact.uri} for artifact in details.artifacts],
            "copies": details.copies and {"current": details.copies[0], "desired": details.copies[1]},
            "bestChildren": [trial(child) for child in details.trials],
            "steps": [
                {
                    "name": step.name,
                    "kind": step.kind or None,
                    "jobName": step.job_name or None,
                    "status": step.status,
                    "started": when(step.begun),
                    "ended": when(step.ended),
                    "reason": step.reason,
                }
                for step in details.steps
            ],
            "variants": [
                {
                    "name": variant.name,
                    "status": variant.status,
                    "weight": variant.weight,
                    "desiredWeight": variant.desired_weight,
                    "instances": instances(filter(None, [variant.instances])),
                    "desiredCount": variant.desired_count,
                    "images": list(variant.images),
                }
                for variant in details.variants
            ],
            "failingLines": [
                {"time": when(line.time), "instance": line.instance, "message": line.message} for line in details.lines
            ],
            "notices": list(details.notices),
        },
    }


def as_json(value: dict[str, Any]) -> str:
    """A document as JSON, indented as kubectl does."""
    return json_visible(json.dumps(value, indent=4, ensure_ascii=False)) + "\n"


def as_yaml(value: dict[str, Any]) -> str:
    """A document as YAML."""
    import yaml

    quick = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    try:
        text: str = yaml.dump(value, Dumper=quick, sort_keys=False, allow_unicode=False)
    except UnicodeEncodeError:
        # libyaml takes no lone surrogate; PyYAML's own dumper escapes it, some ten times slower.
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=False)
    return text


WRITERS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {"json": as_json, "yaml": as_yaml}
"""How a document is written, by --output."""


def as_names(jobs: Iterable[Job]) -> str:
    """`trainingjob.sagemaker.aws.amazon.com/xgboost-mnist`, as `kubectl -o name` prints it."""
    return "".join(f"{job.api.singular}.{job.api.group.name}/{one_line(job.name)}\n" for job in jobs)
