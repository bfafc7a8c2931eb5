"""SageMaker's jobs and other named resources, whose state follows from a lifecycle and the time.

Everything is generic over botocore's service model: whatever has Describe{Kind} by {Kind}Name can be created, listed,
described and, where the model has it, stopped and deleted; an endpoint is updated. A pipeline execution, which is
described by its ARN, is called `PIPELINE/execution/ID` here. Where kinds differ, a row says so.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kubectl_sagemaker.kinds import JOB_ENDS, KINDS
from kubectl_sagemaker.sandbox.protocol import AwsError, check, dump, fit, load, operation_model, select

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """From `offset` seconds after creation, a resource has this status.

    `secondary` is shown where the kind has a SecondaryStatus; for others it only says when work begins.
    """

    offset: float
    status: str
    secondary: str | None = None
    message: str | None = None
    """StatusMessage of the transition. A stage that only differs in it goes on with the same transition."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a pipeline execution, which begins `offset` seconds after the execution was created.

    With a job (`kind`, `job_name`) it is Starting until the job is there, and then does as the job does. Without one,
    such as a condition, it has succeeded as soon as it begins.
    """

    name: str
    offset: float
    kind: str = ""
    job_name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Metadata of a step without a job."""


@dataclass(slots=True)
class Resource:
    """A job, an endpoint, a model: whatever SageMaker keeps by kind and name."""

    kind: str
    name: str
    created: float
    """Epoch seconds; until then there is no such resource."""
    stages: tuple[Stage, ...]
    request: dict[str, Any] = field(default_factory=dict)
    """Members that Describe shows from the beginning: what Create was given."""
    outcome: dict[str, Any] = field(default_factory=dict)
    """Members that Describe shows once the last stage is reached: metrics, artifacts, FailureReason."""
    steps: tuple[Step, ...] = ()
    """Of a pipeline execution."""
    change: tuple[float, dict[str, Any]] | None = None
    """Members that Describe shows in place of `request`'s from an offset on: what Update was given."""
    gone: float = math.inf
    """Epoch seconds from which there is no such resource any more."""


ORDINARY: Final[tuple[tuple[Stage, ...], ...]] = (
    (
        Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
        Stage(2, "InProgress", "Downloading", "Downloading input data"),
        Stage(4, "InProgress", "Training", "Training image download completed. Training in progress."),
        Stage(24, "InProgress", "Uploading", "Uploading generated training model"),
        Stage(26, "Completed", "Completed", "Training job completed"),
    ),
    (Stage(0, "Creating"), Stage(10, "InService")),
    (Stage(0, "Creating"), Stage(10, "Created")),
    (Stage(0, "Pending"), Stage(10, "InService")),
    (Stage(0, "Pending"), Stage(10, "Scheduled")),
    (Stage(0, "Initializing"), Stage(10, "InProgress"), Stage(40, "Completed")),
    (Stage(0, "Executing"), Stage(30, "Succeeded")),
    (Stage(0, "Pending"), Stage(2, "CreateInProgress"), Stage(10, "CreateCompleted")),
)
"""Lifecycles of what a Create request starts: a kind has the first whose states it knows."""

WAITING: Final = frozenset({"Starting", "Pending", "Restarting", "Interrupted"})
"""Secondary states in which no instance works, and none is paid for."""

MISSING: Final[Mapping[str, tuple[str, str]]] = {
    "TrainingJob": ("ValidationException", "Requested resource not found."),
    "HyperParameterTuningJob": (
        "ResourceNotFound",
        "Amazon SageMaker can't find a tuning job with the name {name}. Check the name and try again.",
    ),
    "TransformJob": ("ValidationException", "Could not find requested job with name: {name}"),
    "ProcessingJob": ("ValidationException", "Could not find requested job with name: {name}"),
    "NotebookInstance": ("ValidationException", "RecordNotFound"),
    "LabelingJob": ("ResourceNotFound", "Could not find requested job with name: {name}"),
    "PipelineExecution": ("ResourceNotFound", "Pipeline execution '{arn}' does not exist."),
}
"""What AWS answers when there is no such resource, where it differs from `Could not find …`."""

ARN_TYPES: Final[Mapping[str, str]] = {"PipelineExecution": "pipeline"}
"""What a resource's ARN calls it, where that is not the kind in words."""

STEP_STATUSES: Final[Mapping[str, str]] = {"InProgress": "Executing", "Completed": "Succeeded"}
"""What a step's status is called, where a job's is called otherwise."""
STEP_MEMBERS: Final[Mapping[str, str]] = {"HyperParameterTuningJob": "TuningJob"}
"""The member of a step's metadata that has the job's ARN, where it is not the kind."""

OF: Final[Mapping[str, str]] = {
    "ListTrainingJobsForHyperParameterTuningJob": "HyperParameterTuningJob",
    "ListPipelineExecutionSteps": "PipelineExecution",
}
"""Operations that are about a resource, and say so in words of their own."""

NEEDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "Endpoint": (("EndpointConfigName", "EndpointConfig"),),
}
"""Members of a request that name a resource of another kind, which must be there."""

UPDATED: Final = frozenset({"InService", "UpdateRollbackFailed"})
"""States of an endpoint that can be updated: the model says of Failed alone that it can only be deleted."""
STOPPING_SECONDS: Final = 5.0
UPDATING_SECONDS: Final = 10.0
DELETING_SECONDS: Final = 3.0
"""Of an endpoint; what is not running is deleted at once."""
PAGE: Final = 10
"""MaxResults of every List operation unless it is given."""


class JobStore:
    """One account's SageMaker resources. Safe to put into from one thread while another asks."""

    def __init__(self, now: Callable[[], float], arn: Callable[[str], str]) -> None:
        """`now` is the clock in epoch seconds; `arn` names a resource of SageMaker."""
        self._now = now
        self._arn = arn
        self._resources: dict[tuple[str, str], Resource] = {}
        self.lifecycle: Callable[[str, Parameters], Sequence[Stage]] = ordinary
        """Gives the stages of what a Create request of a kind and its parameters starts."""
        self.started: Callable[[str, Parameters], None] = lambda kind, parameters: None
        """Told of each Create request that was granted: what the job writes, and what it starts, is made there."""
        self.speed = 1.0
        """How many times sooner what is stopped, updated or deleted is so."""

    def put(
        self,
        kind: str,
        name: str,
        stages: Sequence[Stage],
        *,
        created: float | None = None,
        request: Parameters | None = None,
        outcome: Parameters | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        """Add a resource or replace it; `created` (epoch s, default: now) may lie in the past or in the future.

        Names that differ in letter case only are one name. `request` and `outcome` are members of Describe's answer
        with timestamps as epoch seconds; raise AwsError if they don't fit its shape.
        """
        shape = described(kind)
        for name_of_member, value in {**(request or {}), **(outcome or {})}.items():
            if name_of_member not in shape.members:
                raise AwsError("SerializationException", f"{shape.name} has no member {name_of_member}")
            violations: list[str] = []
            check(shape.members[name_of_member], value, name_of_member, violations)
            if violations:
                raise AwsError("ValidationException", "; ".join(violations))
        self._resources[kind, name.lower()] = Resource(
            kind,
            name,
            self._now() if created is None else created,
            tuple(stages),
            dict(request or {}),
            dict(outcome or {}),
            tuple(steps),
        )

    def arn(self, kind: str, name: str) -> str:
        """The resource's ARN. AWS lower-cases names there."""
        return self._arn(f"{_arn_type(kind)}/{name.lower()}")

    def call(self, operation: str, parameters: Parameters) -> dict[str, Any]:
        """Answer one operation with checked parameters; raise AwsError."""
        if operation == "ListTrainingJobsForHyperParameterTuningJob":
            return self._list_children(parameters)
        if operation == "ListPipelineExecutionSteps":
            return self._list_steps(parameters)
        for verb, serve in (
            ("Describe", self._describe),
            ("Create", self._create),
            ("Stop", self._stop),
            ("Update", self._update),
            ("Delete", self._delete),
            ("List", self._list),
        ):
            kind = operation.removeprefix(verb)
            kind = kind.removesuffix("s") if verb == "List" else kind
            if kind != operation and (_is_named(kind) or (verb in {"Describe", "Stop"} and _has_arn(kind))):
                return serve(kind, parameters)
        raise AwsError("UnknownOperationException", "")

    def target(self, operation: str, parameters: Parameters) -> str:
        """The ARN of what an operation is about, `*` for a list: what permissions are checked against."""
        kind = OF.get(operation) or re.sub("^(Describe|Create|Stop|Update|Delete)", "", operation)
        name = self._name(kind, parameters)
        return "*" if name is None else self.arn(kind, name)

    def _name(self, kind: str, parameters: Parameters) -> str | None:
        """The name of the resource that parameters are about, by its name or its ARN; None if they say neither."""
        name: str | None = parameters.get(f"{kind}Name")
        arn = parameters.get(f"{kind}Arn", "")
        return name or arn.removeprefix(self._arn(f"{_arn_type(kind)}/")) or None

    def state(self, kind: str, name: str) -> dict[str, Any]:
        """What Describe answers now; raise AwsError if there is no such resource."""
        return select(described(kind), self._members(self._existing(kind, name)))

    def _existing(self, kind: str, name: str) -> Resource:
        """The resource of that name in any letter case; raise AwsError if there is none now.

        The model says so of tuning jobs, labeling jobs and endpoints ("case-insensitive, but the case is preserved"),
        and every kind's ARN, which knows no case, is unique.
        """
        resource = self._resources.get((kind, name.lower()))
        if resource is None or not resource.created <= self._now() < resource.gone:
            code, message = MISSING.get(kind, ("ValidationException", 'Could not find {words} "{arn}".'))
            words = _words(kind, " ")
            raise AwsError(code, message.format(name=name, words=words, arn=self.arn(kind, name)))
        return resource

    def _members(self, resource: Resource) -> dict[str, Any]:
        """Everything that is known of a resource now; the operation's shape selects from it."""
        kind, created, now = resource.kind, resource.created, self._now()
        reached = [stage for stage in resource.stages if created + stage.offset <= now] or list(resource.stages[:1])
        current = reached[-1]
        ends = _ends(kind)
        ended = current.status in ends
        members: dict[str, Any] = {
            **resource.request,
            **(resource.change[1] if resource.change and created + resource.change[0] <= now else {}),
            f"{kind}Name": resource.name,
            f"{kind}Arn": self.arn(kind, resource.name),
            f"{kind}Status": current.status,
            "SecondaryStatus": current.secondary,
            "SecondaryStatusTransitions": _transitions(resource, reached, ended=ended),
            "CreationTime": created,
            "LastModifiedTime": created + current.offset,
            **_working_time(resource, reached, ended=ended),
            **self._derived(resource, now),
        }
        if len(reached) == len(resource.stages) and (ended or not ends):
            members |= resource.outcome
        return members

    def _derived(self, resource: Resource, now: float) -> dict[str, Any]:
        """Members that follow from other resources, from the name or from the time, where the kind shows them."""
        shown = described(resource.kind).members
        members: dict[str, Any] = {}
        if "TrainingJobStatusCounters" in shown:
            members |= self._tuning(resource)
        if "LabelCounters" in shown and "LabelCounters" in resource.request:
            members["LabelCounters"] = _labelled(resource, now)
        if "EndpointArn" in shown and "EndpointName" in resource.request:
            members["EndpointArn"] = self.arn("Endpoint", resource.request["EndpointName"])
        if "EndpointStatus" in shown and "ProductionVariants" in shown:
            members |= self._serving(resource, now)
        if "PipelineArn" in shown:
            members["PipelineArn"] = self.arn("Pipeline", resource.name.partition("/")[0])
        return members

    def _describe(self, kind: str, parameters: Parameters) -> dict[str, Any]:
        return self.state(kind, self._name(kind, parameters) or "")

    def _create(self, kind: str, parameters: Parameters) -> dict[str, Any]:
        if operation_model("sagemaker", f"Create{kind}") is None:
            raise AwsError("UnknownOperationException", "")
        name = parameters[f"{kind}Name"]
        arn = self.arn(kind, name)
        held = self._resources.get((kind, name.lower()))
        if held is not None and self._now() < held.gone:
            if operation_errors(f"Create{kind}") & {"ResourceInUse"}:
                words = _words(kind, " ").capitalize()
                raise AwsError(
                    "ResourceInUse",
                    f"{words} names must be unique within an AWS account and region, "
                    f"and a {words.lower()} with this name already exists ({arn})",
                )
            raise AwsError("ValidationException", f'Cannot create already existing {_words(kind, " ")} "{arn}".')
        for member, other in NEEDS.get(kind, ()):
            self._existing(other, parameters[member])
        self.put(kind, name, self.lifecycle(kind, parameters), request=fit(described(kind), parameters))
        self.started(kind, parameters)
        return {f"{kind}Arn": arn}

    def _update(self, kind: str, parameters: Parameters) -> dict[str, Any]:
        if kind != "Endpoint":
            raise AwsError("UnknownOperationException", "")
        resource = self._existing(kind, parameters["EndpointName"])
        self._existing("EndpointConfig", parameters["EndpointConfigName"])
        state, arn = self._members(resource), self.arn(kind, resource.name)
        if state["EndpointStatus"] not in UPDATED:
            raise AwsError("ValidationException", f'Cannot update in-progress endpoint "{arn}".')
        at = self._now() - resource.created
        reached = at + UPDATING_SECONDS / self.speed
        past = tuple(stage for stage in resource.stages if stage.offset <= at)
        resource.stages = (*past, Stage(at, "Updating"), Stage(reached, "InService"))
        if resource.change:
            resource.request |= resource.change[1]
        resource.change = (reached, {"EndpointConfigName": parameters["EndpointConfigName"]})
        resource.outcome = {}
        return {"EndpointArn": arn}

    def _delete(self, kind: str, parameters: Parameters) -> dict[str, Any]:
        if operation_model("sagemaker", f"Delete{kind}") is None:
            raise AwsError("UnknownOperationException", "")
        resource = self._existing(kind, self._name(kind, parameters) or "")
        status = self._members(resource)[f"{kind}Status"]
        if status in {"Creating", "Updating"}:
            arn = self.arn(kind, resource.name)
            raise AwsError("ValidationException", f'Cannot update in-progress {_words(kind, " ")} "{arn}".')
        now = self._now()
        if not status:
            resource.gone = now  # what has no status has no time to take either
        elif status != "Deleting":
            past = tuple(stage for stage in resource.stages if stage.offset <= now - resource.created)
            resource.stages = (*past, Stage(now - resource.created, "Deleting"))
            resource.gone = now + DELETING_SECONDS / self.speed
        return {}

    def end(self, kind: str, name: str, outcome: Parameters) -> None:
        """Say what Describe adds once a resource's last stage is reached."""
        self._existing(kind, name).outcome = dict(outcome)

    def roll_back(self, kind: str, name: str, reason: str) -> None:
        """Let an update end right now with what was there before, as SageMaker does when it goes wrong."""
        resource = self._existing(kind, name)
        at = self._now() - resource.created
        past = tuple(stage for stage in resource.stages if stage.offset <= at)
        resource.stages = (*past, Stage(at, "InService"))
        resource.change = None
        resource.outcome = {"FailureReason": reason}

    def _serving(self, resource: Resource, now: float) -> dict[str, Any]:
        """An endpoint's variants: those of its configuration, where the account has it."""
        name = resource.request.get("EndpointConfigName", "")
        if resource.change and resource.created + resource.change[0] <= now:
            name = resource.change[1]["EndpointConfigName"]
        config = self._resources.get(("EndpointConfig", name.lower()))
        if config is None:
            return {}
        return {
            "ProductionVariants": [
                {
                    "VariantName": variant["VariantName"],
                    "CurrentWeight": variant.get("InitialVariantWeight", 1.0),
                    "DesiredWeight": variant.get("InitialVariantWeight", 1.0),
                    "CurrentInstanceCount": variant.get("InitialInstanceCount", 1),
                    "DesiredInstanceCount": variant.get("InitialInstanceCount", 1),
                }
                for variant in config.request.get("ProductionVariants", ())
            ]
        }

    def _stop(self, kind: str, parameters: Parameters) -> dict[str, Any]:
        operation = operation_model("sagemaker", f"Stop{kind}")
        if operation is None:
            raise AwsError("UnknownOperationException", "")
        resource = self._existing(kind, self._name(kind, parameters) or "")
        state = self._members(resource)
        status = state[f"{kind}Status"]
        if status in _ends(kind):
            words = _words(kind, " ")
            message = f"The request was rejected because the {words} is in status {status}."
            raise AwsError("ValidationException", message)
        self._stop_with_its_jobs(resource, self._now())
        return {} if operation.output_shape is None else select(operation.output_shape, state)

    def _stop_with_its_jobs(self, resource: Resource, now: float) -> None:
        """Stop it, and what it has started; what it would have started never comes."""
        if resource.created > now:
            del self._resources[resource.kind, resource.name.lower()]
            return
        self._stop_running(resource)
        for job in self._started_by(resource):
            self._stop_with_its_jobs(job, now)
        resource.steps = tuple(step for step in resource.steps if resource.created + step.offset <= now)

    def _stop_running(self, resource: Resource) -> None:
        at = self._now() - resource.created
        past = [stage for stage in resource.stages if stage.offset <= at]
        if past and past[-1].status in {*_ends(resource.kind), "Stopping"}:
            return
        words = _words(resource.kind, " ").capitalize()
        resource.stages = (
            *past,
            Stage(at, "Stopping", "Stopping", f"Stopping the {words.lower()}"),
            Stage(at + STOPPING_SECONDS / self.speed, "Stopped", "Stopped", f"{words} stopped"),
        )
        resource.outcome = {}

    def _list(self, kind: str, parameters: Parameters) -> dict[str, Any]:
        now = self._now()
        members = [
            self._members(resource)
            for resource in list(self._resources.values())
            if resource.kind == kind and resource.created <= now < resource.gone
        ]
        return _page(f"List{kind}s", kind, members, parameters)

    def _started_by(self, parent: Resource) -> list[Resource]:
        """The jobs that a tuning job or a pipeline execution has started, and those that it would have."""
        steps = (self._resources.get((step.kind, step.job_name.lower())) for step in parent.steps)
        return [*self._children(self.arn(parent.kind, parent.name)), *(job for job in steps if job is not None)]

    # A pipeline execution and its steps

    def _list_steps(self, parameters: Parameters) -> dict[str, Any]:
        execution = self._existing("PipelineExecution", self._name("PipelineExecution", parameters) or "")
        now = self._now()
        steps = [shown for step in execution.steps if (shown := self._step(execution, step, now)) is not None]
        # The newest first, unless told otherwise: no page of AWS's says so, and nobody is to rely on the order.
        descending = parameters.get("SortOrder", "Descending") == "Descending"
        page, token = _slice(steps, lambda step: (step["StartTime"], step["StepName"]), parameters, descending)
        return {"PipelineExecutionSteps": page, **token}

    def _step(self, execution: Resource, step: Step, now: float) -> dict[str, Any] | None:
        """What is told of a step now; None if it has not begun, or never will: its execution was stopped."""
        start = execution.created + step.offset
        if start > now:
            return None
        shown: dict[str, Any] = {"StepName": step.name, "StartTime": start}
        if not step.kind:
            return {**shown, "EndTime": start, "StepStatus": "Succeeded", "Metadata": dict(step.metadata)}
        job = self._resources.get((step.kind, step.job_name.lower()))
        if job is None:
            return None
        if job.created > now:
            return {**shown, "StepStatus": "Starting"}
        state = self._members(job)
        status = state[f"{job.kind}Status"]
        shown["StepStatus"] = STEP_STATUSES.get(status, status)
        shown["Metadata"] = {STEP_MEMBERS.get(job.kind, job.kind): {"Arn": state[f"{job.kind}Arn"]}}
        if status in _ends(job.kind):
            shown["EndTime"] = state["LastModifiedTime"]
        if "FailureReason" in state:
            shown["FailureReason"] = state["FailureReason"]
        return shown

    # A tuning job and its children: training jobs with its TuningJobArn

    def _children(self, arn: str) -> list[Resource]:
        """All of them, those too that are still to come."""
        everything = list(self._resources.values())
        return [resource for resource in everything if resource.request.get("TuningJobArn", "").lower() == arn]

    def _list_children(self, parameters: Parameters) -> dict[str, Any]:
        tuning_job = self.state("HyperParameterTuningJob", parameters["HyperParameterTuningJobName"])
        members = self._child_members(tuning_job["HyperParameterTuningJobArn"], tuning_job)
        if parameters.get("SortBy") == "FinalObjectiveMetricValue":
            # AWS leaves out, silently, those that returned no metric.
            members = [child for child in members if "FinalObjectiveMetricValue" in child]
        return _page("ListTrainingJobsForHyperParameterTuningJob", "TrainingJob", members, parameters)

    def _child_members(self, arn: str, tuning_job: Parameters) -> list[dict[str, Any]]:
        config = tuning_job.get("HyperParameterTuningJobConfig", {})
        objective = config.get("HyperParameterTuningJobObjective", {})
        tuned = {told["Name"] for ranges in config.get("ParameterRanges", {}).values() for told in ranges}
        now = self._now()
        children = []
        for resource in self._children(arn):
            if resource.created > now:
                continue
            child = self._members(resource)
            final = next(
                (m for m in child.get("FinalMetricDataList", []) if m["MetricName"] == objective.get("MetricName")),
                None,
            )
            child["TunedHyperParameters"] = {
                name: value for name, value in child.get("HyperParameters", {}).items() if name in tuned or not tuned
            }
            child["ObjectiveStatus"] = "Pending" if child["TrainingJobStatus"] not in JOB_ENDS else "Failed"
            if final is not None:
                child["ObjectiveStatus"] = "Succeeded"
                child["FinalObjectiveMetricValue"] = final["Value"]
                child["FinalHyperParameterTuningJobObjectiveMetric"] = {
                    "Type": objective["Type"],
                    "MetricName": final["MetricName"],
                    "Value": final["Value"],
                }
            children.append(child)
        return children

    def _tuning(self, resource: Resource) -> dict[str, Any]:
        """Counters and best job of a tuning job."""
        children = self._child_members(self.arn(resource.kind, resource.name), resource.request)
        statuses = [child["TrainingJobStatus"] for child in children]
        objectives = [child["ObjectiveStatus"] for child in children]
        scored = [child for child in children if "FinalObjectiveMetricValue" in child]
        scored.sort(key=lambda child: float(child["FinalObjectiveMetricValue"]))
        members: dict[str, Any] = {
            "TrainingJobStatusCounters": {
                "Completed": statuses.count("Completed"),
                "InProgress": sum(status not in JOB_ENDS for status in statuses),
                "RetryableError": 0,
                "NonRetryableError": statuses.count("Failed"),
                "Stopped": statuses.count("Stopped"),
            },
            "ObjectiveStatusCounters": {
                status: objectives.count(status) for status in ("Succeeded", "Pending", "Failed")
            },
        }
        config = resource.request.get("HyperParameterTuningJobConfig", {})
        members |= {name: config[name] for name in ("Strategy", "ResourceLimits") if name in config}
        if scored:
            best = scored[-1 if scored[0]["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] == "Maximize" else 0]
            members["BestTrainingJob"] = select(described(resource.kind).members["BestTrainingJob"], best)
        return members


def ordinary(kind: str, _parameters: Parameters) -> Sequence[Stage]:
    """The lifecycle of a resource that nobody gave one: of `ORDINARY`, else one stage."""
    status = described(kind).members.get(f"{kind}Status")
    known = [] if status is None else status.metadata["enum"]
    for stages in ORDINARY:
        if {stage.status for stage in stages} <= set(known):
            return stages
    return (Stage(0, known[0] if known else ""),)


def operation_errors(operation: str) -> set[str]:
    """Names of the errors that the model declares for an operation."""
    known = operation_model("sagemaker", operation)
    return set() if known is None else {shape.name for shape in known.error_shapes}


def _transitions(resource: Resource, reached: Iterable[Stage], *, ended: bool) -> list[dict[str, Any]]:
    """SecondaryStatusTransitions; a new message in the same secondary status replaces the old one, as in AWS."""
    transitions: list[dict[str, Any]] = []
    for stage in reached:
        if stage.secondary is None:
            continue
        if transitions and transitions[-1]["Status"] == stage.secondary:
            transitions[-1] |= {"StatusMessage": stage.message} if stage.message else {}
            continue
        at = resource.created + stage.offset
        if transitions:
            transitions[-1]["EndTime"] = at
        transitions.append({"Status": stage.secondary, "StartTime": at})
        if stage.message:
            transitions[-1]["StatusMessage"] = stage.message
    if ended and transitions:
        transitions[-1]["EndTime"] = transitions[-1]["StartTime"]
    return transitions


def _working_time(resource: Resource, reached: Sequence[Stage], *, ended: bool) -> dict[str, Any]:
    """Start and end of the work, and what it costs; none of them for a job that failed before it began."""
    stem = resource.kind.removesuffix("Job")
    working = [stage for stage in reached if _works(stage, resource)]
    if not working:
        return {}
    start = working[0].offset
    members: dict[str, Any] = {f"{stem}StartTime": resource.created + start}
    if ended:
        end = next(stage.offset for stage in reached if stage.status in _ends(resource.kind))
        bounds = [stage.offset for stage in reached if stage.offset <= end]
        durations = {stage.offset: later - stage.offset for stage, later in zip(reached, bounds[1:], strict=False)}
        members[f"{stem}EndTime"] = resource.created + end
        members["TrainingTimeInSeconds"] = round(end - start)
        members["BillableTimeInSeconds"] = round(sum(durations.get(stage.offset, 0) for stage in working))
    return members


def _labelled(resource: Resource, now: float) -> dict[str, int]:
    """LabelCounters: of the objects that were to be labelled at the beginning, how many people have labelled by now."""
    counters: dict[str, int] = resource.request["LabelCounters"]
    begun = next((stage.offset for stage in resource.stages if stage.status != "Initializing"), 0.0)
    share = (now - resource.created - begun) / max(1.0, resource.stages[-1].offset - begun)
    labelled = int(counters["Unlabeled"] * min(1.0, max(0.0, share)))
    return {
        **counters,
        "TotalLabeled": labelled,
        "HumanLabeled": labelled,
        "Unlabeled": counters["Unlabeled"] - labelled,
    }


def _works(stage: Stage, resource: Resource) -> bool:
    """Whether instances work in this stage; in a lifecycle without secondary statuses, whenever it has not ended."""
    if stage.status in _ends(resource.kind):
        return False
    staged = any(other.secondary for other in resource.stages)
    return stage.secondary not in {*WAITING, None} if staged else True


@functools.cache
def _ends(kind: str) -> frozenset[str]:
    """End states, by the registry of kinds; a kind that isn't in it ends as every job does."""
    return frozenset(next((row.ends for row in KINDS if row.name == kind), JOB_ENDS))


@functools.cache
def _is_named(kind: str) -> bool:
    """Whether SageMaker describes such resources by their own name."""
    describe = operation_model("sagemaker", f"Describe{kind}")
    return describe is not None and f"{kind}Name" in describe.input_shape.members


@functools.cache
def _has_arn(kind: str) -> bool:
    """Whether SageMaker describes such resources by their ARN."""
    describe = operation_model("sagemaker", f"Describe{kind}")
    return describe is not None and f"{kind}Arn" in describe.input_shape.members


@functools.cache
def described(kind: str) -> Any:
    """The shape of what Describe answers; raise ValueError if the kind is none."""
    describe = operation_model("sagemaker", f"Describe{kind}")
    if describe is None:
        raise ValueError(f"SageMaker has no Describe{kind}")
    return describe.output_shape


def _arn_type(kind: str) -> str:
    return ARN_TYPES.get(kind) or _words(kind, "-")


def _words(kind: str, separator: str) -> str:
    """`TrainingJob` as `training-job`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", separator, kind).lower()


@functools.cache
def _default(operation: str, member: str, otherwise: str) -> str:
    """The default of a list's parameter, which the model tells in its documentation only."""
    shape = operation_model("sagemaker", operation).input_shape.members.get(member)  # type: ignore[union-attr] # listed
    told = re.search(r"default (?:value )?is <code>(\w+)</code>", shape.documentation) if shape is not None else None
    return told.group(1) if told and told.group(1) in shape.metadata.get("enum", ()) else otherwise


def _page(operation: str, kind: str, items: Sequence[Parameters], parameters: Parameters) -> dict[str, Any]:
    """Filter, sort and cut a list as every List operation does."""
    output = operation_model("sagemaker", operation).output_shape  # type: ignore[union-attr] # callers know it
    listed = next(name for name, shape in output.members.items() if shape.type_name == "list")
    sort_by = parameters.get("SortBy") or _default(operation, "SortBy", "CreationTime")
    descending = (parameters.get("SortOrder") or _default(operation, "SortOrder", "Ascending")) == "Descending"
    sorted_member = {"Name": f"{kind}Name", "Status": f"{kind}Status"}.get(sort_by, sort_by)

    def key(item: Parameters) -> tuple[Any, str]:
        return (item[sorted_member], item[f"{kind}Name"])

    kept, token = _slice([item for item in items if _wanted(item, kind, parameters)], key, parameters, descending)
    return {listed: [select(output.members[listed].member, item) for item in kept], **token}


def _slice(
    items: Iterable[Parameters], key: Callable[[Parameters], tuple[Any, str]], parameters: Parameters, descending: bool
) -> tuple[list[Parameters], dict[str, str]]:
    """Cut a page out of `items` in order of `key`, with the token that leads on from it."""
    kept = sorted(items, key=key, reverse=descending)
    if (token := parameters.get("NextToken")) is not None:
        mark = _mark(token)
        kept = [item for item in kept if (key(item) < mark if descending else key(item) > mark)]
    limit = parameters.get("MaxResults", PAGE)
    page = kept[:limit]
    return page, {"NextToken": dump(key(page[-1])).hex()} if len(kept) > limit else {}


def _wanted(item: Parameters, kind: str, parameters: Parameters) -> bool:
    """Whether an item passes a list's filters."""
    for name in ("CreationTime", "LastModifiedTime"):
        after, before = parameters.get(f"{name}After"), parameters.get(f"{name}Before")
        if (after is not None and item[name] < after) or (before is not None and item[name] > before):
            return False
    status = parameters.get("StatusEquals")
    # SageMaker's NameContains knows no letter case.
    return parameters.get("NameContains", "").lower() in item[f"{kind}Name"].lower() and (
        status is None or item[f"{kind}Status"] == status
    )


def _mark(token: str) -> tuple[Any, str]:
    try:
        value, name = load(bytes.fromhex(token))
    except ValueError:
        raise AwsError("ValidationException", "Invalid NextToken") from None
    return value, name
