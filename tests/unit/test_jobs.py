"""A custom resource read as a Job; one found, many listed, over both API groups."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.errors import Error, Forbidden, NotFound, Unavailable
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.kinds import ACK, GROUPS, KINDS, LEGACY, Api, Group
from kubectl_sagemaker.kube import Kube

ROWS = [(kind, api) for kind in KINDS for api in kind.apis]
ACK_TRAINING = "trainingjob.sagemaker.services.k8s.aws"
LEGACY_TRAINING = "trainingjob.sagemaker.aws.amazon.com"
NAMESPACE_REGION = "services.k8s.aws/default-region"


def put(resource: dict[str, Any], path: str, value: object) -> None:
    """Set what stands at a dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        resource = resource.setdefault(name, {})
    resource[last] = value


def made(name: str = "xgb", namespace: str = "ml", **values: object) -> dict[str, Any]:
    """A resource; the values' names are paths with `__` for the dots."""
    resource: dict[str, Any] = {"metadata": {"name": name, "namespace": namespace}}
    for path, value in values.items():
        put(resource, path.replace("__", "."), value)
    return resource


def read(word: str, resource: Mapping[str, Any]) -> Job:
    target = kinds.parse(word)
    (api,) = target.apis
    return jobs.read(target.kind, api, resource)


@dataclass
class Cluster:
    """As much of Kube as jobs.py asks: resources by plural.group, and what is refused."""

    resources: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    """`plural.group`s that may not be read, or `namespaces`."""
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: tuple[Group, ...] = ()
    asked: list[str] = field(default_factory=list)

    def serves(self, group: Group) -> frozenset[str]:
        self.asked.append(f"serves {group.name}")
        served = {api.plural for _, api in ROWS if api.group is group}
        return frozenset() if group in self.absent else frozenset(served)

    def get(self, api: Api, namespace: str, name: str) -> dict[str, Any]:
        for found in self.list(api, namespace):
            if found["metadata"]["name"] == name:
                return found
        raise NotFound(f"{name} is not there")

    def list(self, api: Api, namespace: str | None, *, selector: str | None = None) -> Iterator[dict[str, Any]]:
        self.asked.append(f"list {api.resource} {selector}")
        if api.resource in self.refused or api.group in self.absent:
            raise Forbidden(f"cannot list {api.resource}")
        here = self.resources.get(api.resource, [])
        yield from (item for item in here if namespace in (None, item["metadata"]["namespace"]))

    def annotations(self, namespace: str) -> dict[str, str]:
        if "namespaces" in self.refused:
            raise Forbidden("cannot get namespaces")
        if namespace not in self.namespaces:
            raise NotFound(f"no namespace {namespace}")
        return self.namespaces[namespace]

    @property
    def kube(self) -> Kube:
        return cast("Kube", self)


# Reading


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=[api.resource for _, api in ROWS])
def test_every_path_of_a_row_is_read_into_its_field(kind: kinds.Kind, api: Api) -> None:
    fields: dict[str, tuple[str | None, ...]] = {
        "job_name": api.job_name,
        "status": (api.status,),
        "secondary_status": (api.secondary_status,),
        "reason": api.reason,
        "region": api.group.region,
        "account": (api.group.account,),
        "endpoint_url": (api.group.endpoint,),
    }
    for name, paths in fields.items():
        for path in filter(None, paths):
            resource = made()
            put(resource, path, "a text")
            assert getattr(jobs.read(kind, api, resource), name) == "a text", path
    if api.creation_time:
        resource = made(metadata__creationTimestamp="2026-01-02T00:00:00Z")
        put(resource, api.creation_time, "2020-01-29T01:19:43.244Z")
        assert jobs.read(kind, api, resource).creation_time == pytest.approx(1_580_260_783.244)


@pytest.mark.parametrize(("kind", "api"), [row for row in ROWS if len(row[1].job_name) > 1], ids=lambda row: row)
def test_the_name_that_the_controller_used_goes_before_the_one_asked_for(kind: kinds.Kind, api: Api) -> None:
    used, asked = api.job_name
    resource = made()
    put(resource, asked, "asked")
    assert jobs.read(kind, api, resource).job_name == "asked"
    put(resource, used, "")
    assert jobs.read(kind, api, resource).job_name == "asked"
    put(resource, used, "used")
    assert jobs.read(kind, api, resource).job_name == "used"


def test_a_legacy_processing_job_has_its_name_in_status_only() -> None:
    word = "processingjob.sagemaker.aws.amazon.com"
    assert read(word, made(spec__processingJobName="asked")).job_name is None
    assert read(word, made(status__sageMakerProcessingJobName="used")).job_name == "used"


def test_acks_region_is_the_status_then_the_objects_annotation() -> None:
    resource = made(metadata__annotations={"services.k8s.aws/region": "eu-west-1", NAMESPACE_REGION: "no"})
    assert read(ACK_TRAINING, resource).region == "eu-west-1"
    put(resource, "status.ackResourceMetadata.region", "us-west-2")
    put(resource, "spec.region", "no")
    assert read(ACK_TRAINING, resource).region == "us-west-2"


def test_a_legacy_region_is_the_specs_whatever_acks_annotations_say() -> None:
    resource = made(metadata__annotations={"services.k8s.aws/region": "no"})
    assert read(LEGACY_TRAINING, resource).region is None
    put(resource, "spec.region", "us-west-2")
    assert read(LEGACY_TRAINING, resource).region == "us-west-2"


def condition(kind: str, status: str = "True", **more: object) -> dict[str, object]:
    return {"type": kind, "status": status, **more}


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ([condition("ACK.Terminal", message="bad spec")], "ACK.Terminal: bad spec"),
        (
            [condition("ACK.Recoverable", message="denied"), condition("ACK.Terminal", message="bad spec")],
            "ACK.Terminal: bad spec",
        ),
        ([condition("ACK.Recoverable", message="", reason="AccessDenied")], "ACK.Recoverable: AccessDenied"),
        ([condition("ACK.Recoverable")], "ACK.Recoverable: no message"),
        ([condition("ACK.Recoverable", message={"a": 1})], "ACK.Recoverable: no message"),
        ([condition("ACK.Terminal", "False", message="was")], None),
        ([condition("ACK.Terminal", "Unknown", message="perhaps")], None),
        ([condition("ACK.Advisory", message="by the way"), condition("Ready", "False", message="soon")], None),
        ([condition("ACK.ResourceSynced", "False", message="not yet")], None),
        ([], None),
        (None, None),
        ("ACK.Terminal", None),
        ([None, 7, "ACK.Terminal", []], None),
    ],
)
def test_a_condition_gives_the_reason_when_it_says_that_something_is_wrong(conditions: object, reason: str) -> None:
    assert read(ACK_TRAINING, made(status__conditions=conditions)).reason == reason


def test_sagemakers_own_reason_goes_before_the_conditions() -> None:
    resource = made(status__failureReason="AlgorithmError")
    put(resource, "status.conditions", [condition("ACK.Terminal", message="bad spec")])
    assert read(ACK_TRAINING, resource).reason == "AlgorithmError"


@pytest.mark.parametrize("status", [None, {}, ""])
def test_an_empty_status_means_that_no_controller_has_seen_it(status: object) -> None:
    for word in (ACK_TRAINING, LEGACY_TRAINING):
        job = read(word, {**made(), "status": status})
        assert not job.reconciled
        assert not job.ended
        assert job.problem == "no controller has reconciled this"
    assert read(ACK_TRAINING, made(status__conditions=[])).problem is None


def test_what_to_look_at_is_where_the_groups_controller_usually_is() -> None:
    for word, home in ((ACK_TRAINING, "ack-system"), (LEGACY_TRAINING, "sagemaker-k8s-operator-system")):
        assert f"`kubectl get deployments -n {home}`" in (read(word, made()).advice or "")
    assert read(ACK_TRAINING, made(status__trainingJobStatus="Failed", status__failureReason="x")).advice is None


@pytest.mark.parametrize(
    ("word", "status", "created", "uncreated"),
    [
        # ACK: the ARN, or SageMaker's state; the name in the spec says nothing.
        (ACK_TRAINING, {}, False, False),
        (ACK_TRAINING, {"ackResourceMetadata": {"ownerAccountID": "123456789012"}}, False, True),
        (ACK_TRAINING, {"conditions": [{"type": "ACK.Recoverable", "status": "True"}]}, False, True),
        (ACK_TRAINING, {"ackResourceMetadata": {"arn": "arn:aws:sagemaker:…"}}, True, False),
        (ACK_TRAINING, {"trainingJobStatus": "InProgress"}, True, False),
        # Legacy: the name in the status is there before the job, and there is no ARN.
        (LEGACY_TRAINING, {"sageMakerTrainingJobName": "xgb"}, False, False),
        (LEGACY_TRAINING, {"trainingJobStatus": "SynchronizingK8sJobWithSageMaker"}, False, False),
        (LEGACY_TRAINING, {"trainingJobStatus": "ReconcilingTrainingJob", "additional": "denied"}, False, False),
        (LEGACY_TRAINING, {"trainingJobStatus": "InProgress"}, True, False),
        (LEGACY_TRAINING, {"trainingJobStatus": "SomethingNew"}, True, False),
    ],
)
def test_whether_sagemaker_has_the_job_is_told_by_its_arn_or_its_state_and_by_no_name(
    word: str, status: dict[str, Any], created: bool, uncreated: bool
) -> None:
    job = read(word, made(spec__trainingJobName="xgb", status=status))
    assert (job.job_name, job.created, job.uncreated) == ("xgb", created, uncreated)


@pytest.mark.parametrize(
    ("word", "status", "terminal"),
    [
        (ACK_TRAINING, {"conditions": [{"type": "ACK.Terminal", "status": "True"}]}, True),
        (ACK_TRAINING, {"conditions": [{"type": "ACK.Terminal", "status": "False"}]}, False),
        (ACK_TRAINING, {"conditions": [{"type": "ACK.Recoverable", "status": "True"}]}, False),
        (ACK_TRAINING, {"trainingJobStatus": "Error"}, False),
        (LEGACY_TRAINING, {"trainingJobStatus": "Error"}, True),
        (LEGACY_TRAINING, {"trainingJobStatus": "ReconcilingTrainingJob", "additional": "denied"}, False),
        (LEGACY_TRAINING, {"conditions": [{"type": "ACK.Terminal", "status": "True"}]}, False),
    ],
)
def test_a_controller_has_given_up_where_it_says_so(word: str, status: dict[str, Any], terminal: bool) -> None:
    assert read(word, made(status=status)).terminal is terminal


def test_the_specs_words_are_not_the_controllers() -> None:
    """What a user wrote never counts as a state."""
    job = read(ACK_TRAINING, made(spec__trainingJobStatus="Completed", spec__failureReason="x"))
    assert (job.status, job.reason, job.ended) == (None, None, False)


@pytest.mark.parametrize(("status", "ended"), [("Completed", True), ("Stopping", False), ("SomethingNew", False)])
def test_a_job_has_ended_in_an_end_state_only(status: str, ended: bool) -> None:
    assert read(LEGACY_TRAINING, made(status__trainingJobStatus=status)).ended is ended


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2020-01-29T01:19:43Z", 1_580_260_783.0),
        ("2020-01-29T01:19:43.244Z", 1_580_260_783.244),
        ("2020-01-29T01:19:43.244123456Z", 1_580_260_783.244123),
        ("2020-01-28T17:19:43-08:00", 1_580_260_783.0),
        ("2020-01-29T01:19:43", 1_580_260_783.0),
        ("nonsense", None),
        ("", None),
        (None, None),
        ("2020-13-41T99:99:99Z", None),
        ("\ud800", None),
        ("9" * 5000, None),
    ],
)
def test_a_time_is_rfc_3339_or_none(text: str | None, seconds: float | None) -> None:
    assert jobs.epoch(text) == (seconds if seconds is None else pytest.approx(seconds))


HOSTILE: tuple[Any, ...] = (None, "", 0, 7, -1.5, True, [], ["a"], {}, {"a": {}}, "a\x1b[2J\nb", "\ud800", "x" * 5000)


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=[api.resource for _, api in ROWS])
def test_a_hostile_object_is_read_without_a_crash_and_gives_texts_or_nothing(kind: kinds.Kind, api: Api) -> None:
    source = random.Random(api.resource)  # noqa: S311  # a seed, no secret
    paths = ["metadata", "spec", "status", "metadata.name", "metadata.namespace", "metadata.creationTimestamp"]
    paths += ["metadata.annotations", "status.conditions", "status.ackResourceMetadata", *api.group.region]
    own = (*api.job_name, api.status, api.secondary_status, *api.reason, api.creation_time)
    paths += [path for path in own if path]
    for _ in range(300):
        resource: dict[str, Any] = {}
        for path in source.sample(paths, source.randint(0, len(paths))):
            # What stands on the way to a path may be hostile already.
            with contextlib.suppress(AttributeError, TypeError):
                put(resource, path, source.choice(HOSTILE))
        job = jobs.read(kind, api, resource)
        texts = (job.job_name, job.status, job.secondary_status, job.reason, job.region, job.account, job.endpoint_url)
        assert {type(text) for text in (*texts, job.name, job.namespace)} <= {str, type(None)}, resource
        assert "" not in texts
        assert not job.ended


# Finding


def both(ack: dict[str, Any] | None = None, legacy: dict[str, Any] | None = None, **more: Any) -> Cluster:
    """A cluster with a TrainingJob in one group or in both."""
    return Cluster(
        {
            f"trainingjobs.{ACK.name}": [ack] if ack else [],
            f"trainingjobs.{LEGACY.name}": [legacy] if legacy else [],
        },
        **more,
    )


def find(cluster: Cluster, word: str = "trainingjob", name: str = "xgb", namespace: str = "ml") -> jobs.Found:
    return jobs.find(cluster.kube, [kinds.parse(word)], namespace, name)


def test_a_job_is_found_in_whichever_group_has_it() -> None:
    for group, cluster in ((ACK, both(ack=made())), (LEGACY, both(legacy=made()))):
        found = find(cluster)
        assert (found.job.api.group, found.job.name, found.note) == (group, "xgb", None)
        assert not [question for question in cluster.asked if "serves" in question], "a hit says that it is served"


def test_what_a_group_that_is_not_served_answers_counts_for_nothing() -> None:
    """RBAC refuses what is not installed, to whoever may read only the other group."""
    assert find(both(ack=made(), absent=(LEGACY,))).job.api.group is ACK
    with pytest.raises(NotFound, match=f"^trainingjobs.{ACK.name} 'xgb' not found"):
        find(both(absent=(LEGACY,)))


@pytest.mark.parametrize("refused", GROUPS)
def test_a_refusal_in_one_group_hides_no_hit_in_the_other(refused: Group) -> None:
    cluster = both(ack=made(), legacy=made(), refused=frozenset({f"trainingjobs.{refused.name}"}))
    found = find(cluster)
    assert found.job.api.group is not refused


def test_a_refusal_is_said_when_nothing_is_found_beside_it() -> None:
    cluster = both(refused=frozenset({f"trainingjobs.{LEGACY.name}"}))
    with pytest.raises(Forbidden, match=r"cannot list trainingjobs\.sagemaker\.aws\.amazon\.com"):
        find(cluster)


@pytest.mark.parametrize("regions", [("us-west-2", "us-west-2"), (None, "us-west-2"), ("us-west-2", None)])
def test_two_objects_that_mean_one_job_are_acks_with_a_note(regions: tuple[str | None, str | None]) -> None:
    ack = made(spec__trainingJobName="xgb-1", status__ackResourceMetadata={"region": regions[0]})
    legacy = made(status__sageMakerTrainingJobName="xgb-1", spec__region=regions[1])
    found = find(both(ack, legacy))
    assert found.job.api.group is ACK
    assert found.note == (
        "trainingjobs.sagemaker.services.k8s.aws and trainingjobs.sagemaker.aws.amazon.com both mean this job;"
        " reading the first"
    )


@pytest.mark.parametrize(
    ("ack", "legacy"),
    [
        (made(spec__trainingJobName="one"), made(status__sageMakerTrainingJobName="two")),
        (
            made(spec__trainingJobName="one", status__ackResourceMetadata={"region": "us-west-2"}),
            made(spec__trainingJobName="one", spec__region="us-east-1"),
        ),
        (made(), made()),
    ],
    ids=["names", "regions", "no names yet"],
)
def test_two_objects_that_mean_different_jobs_are_an_error_with_the_two_ways_to_say_which(
    ack: dict[str, Any], legacy: dict[str, Any]
) -> None:
    cluster = both(ack, legacy)
    with pytest.raises(Error) as caught:
        find(cluster)
    assert caught.value.message == "'xgb' stands in two API groups for different SageMaker jobs"
    assert caught.value.hint == f"say which: {ACK_TRAINING}/xgb or {LEGACY_TRAINING}/xgb"
    assert caught.value.exit_code == 1
    for word, group in ((ACK_TRAINING, ACK), (LEGACY_TRAINING, LEGACY)):
        assert find(cluster, word).job.api.group is group


def test_what_is_not_there_is_named_with_its_group_and_namespace() -> None:
    with pytest.raises(NotFound) as caught:
        find(both(ack=made(namespace="other")), LEGACY_TRAINING, "xgb\x1b[2J", "m\nl")
    assert caught.value.message == r"trainingjobs.sagemaker.aws.amazon.com 'xgb\x1b[2J' not found in namespace 'm\nl'"


def test_of_two_groups_only_the_served_are_named_as_searched() -> None:
    with pytest.raises(NotFound) as caught:
        find(both(absent=(LEGACY,)))
    assert caught.value.message == "trainingjobs.sagemaker.services.k8s.aws 'xgb' not found in namespace 'ml'"


def test_without_custom_resource_definitions_that_is_said() -> None:
    with pytest.raises(NotFound) as caught:
        find(Cluster(absent=GROUPS))
    assert caught.value.message == (
        "the server has no resource trainingjobs.sagemaker.services.k8s.aws and trainingjobs.sagemaker.aws.amazon.com"
    )
    assert caught.value.hint == "the custom resource definitions are not installed"


def test_the_namespaces_annotation_is_acks_last_word_on_the_region() -> None:
    annotated = {"ml": {NAMESPACE_REGION: "eu-west-1"}}
    assert find(both(ack=made(), namespaces=annotated)).job.region == "eu-west-1"
    own = made(status__ackResourceMetadata={"region": "us-west-2"})
    assert find(both(ack=own, namespaces=annotated)).job.region == "us-west-2"
    assert find(both(legacy=made(), namespaces=annotated)).job.region is None


@pytest.mark.parametrize("refused", [frozenset({"namespaces"}), frozenset()])
def test_who_may_not_read_the_namespace_has_the_environments_region(refused: frozenset[str]) -> None:
    assert find(both(ack=made(), refused=refused)).job.region is None


def test_read_again_a_job_keeps_the_region_that_was_found() -> None:
    cluster = both(ack=made(), namespaces={"ml": {NAMESPACE_REGION: "eu-west-1"}})
    job = find(cluster).job
    cluster.resources[f"trainingjobs.{ACK.name}"][0]["status"] = {"trainingJobStatus": "Completed"}
    fresh = jobs.again(cluster.kube, job)
    assert (fresh.status, fresh.region) == ("Completed", "eu-west-1")


# NAME alone


def search(cluster: Cluster, name: str = "xgb") -> jobs.Found:
    return jobs.find(cluster.kube, kinds.logged(), "ml", name)


LOGGED = [api for kind in KINDS if kind.logged for api in kind.apis]


@pytest.mark.parametrize("api", LOGGED, ids=lambda api: api.resource)
def test_a_name_alone_is_found_in_every_kind_that_has_a_log(api: Api) -> None:
    cluster = Cluster({api.resource: [made()], "models.sagemaker.aws.amazon.com": [made()]})
    found = search(cluster)
    assert (found.job.api, found.job.name, found.note) == (api, "xgb", None)


def test_only_what_is_served_is_asked() -> None:
    cluster = Cluster({f"endpoints.{ACK.name}": [made()]}, absent=(LEGACY,))
    assert search(cluster).job.kind.name == "Endpoint"
    assert not any(LEGACY.name in asked for asked in cluster.asked if asked.startswith("list"))


def test_several_hits_are_listed_as_they_can_be_typed() -> None:
    cluster = Cluster(
        {
            f"trainingjobs.{ACK.name}": [made(spec__trainingJobName="one")],
            f"trainingjobs.{LEGACY.name}": [made(status__sageMakerTrainingJobName="one")],
            f"hostingdeployments.{LEGACY.name}": [made()],
        }
    )
    with pytest.raises(Error) as caught:
        search(cluster)
    assert caught.value.message == "'xgb' is the name of several resources"
    assert caught.value.hint == (
        f"say which: {ACK_TRAINING}/xgb, {LEGACY_TRAINING}/xgb or hostingdeployment.{LEGACY.name}/xgb"
    )
    for word in caught.value.hint.removeprefix("say which: ").replace(" or ", ", ").split(", "):
        kind, _, name = word.partition("/")
        assert find(cluster, kind, name).job.api.singular == kind.partition(".")[0]


def test_two_objects_that_mean_one_job_are_one_hit() -> None:
    ack, legacy = made(spec__trainingJobName="one"), made(status__sageMakerTrainingJobName="one")
    found = search(both(ack, legacy))
    assert found.job.api.group is ACK
    assert "both mean this job" in (found.note or "")


def test_a_name_that_is_nowhere_says_where_it_was_looked_for() -> None:
    with pytest.raises(NotFound) as caught:
        search(Cluster(absent=(LEGACY,)), "nope")
    count = sum(api.group is ACK for api in LOGGED)
    assert caught.value.message == f"'nope' not found in namespace 'ml' among {count} kinds of {ACK.name}"
    assert caught.value.hint == "`kubectl sagemaker status -A` lists what there is"


@pytest.mark.parametrize("word", ["trainingjob", "TrainingJobs", f"trainingjob.{ACK.name}"])
def test_a_kind_alone_is_told_that_a_name_is_missing(word: str) -> None:
    with pytest.raises(NotFound) as caught:
        search(Cluster(), word)
    assert caught.value.hint == "trainingjob is a kind: name the resource too, trainingjob NAME"


def test_a_kind_that_is_forbidden_hides_no_hit_and_is_named_where_there_is_none() -> None:
    refused = frozenset({f"endpoints.{ACK.name}", f"trainingjobs.{LEGACY.name}"})
    assert search(both(ack=made(), refused=refused)).job.api.resource == f"trainingjobs.{ACK.name}"
    with pytest.raises(NotFound) as caught:
        search(Cluster(refused=refused))
    looked, _, closed = caught.value.message.partition("; forbidden to look among ")
    counts = [sum(api.group is group for api in LOGGED) - 1 for group in (ACK, LEGACY)]
    assert looked.endswith(f"among {counts[0]} kinds of {ACK.name} and {counts[1]} kinds of {LEGACY.name}")
    assert closed == f"trainingjobs of {LEGACY.name} and endpoints of {ACK.name}"


def test_who_may_look_nowhere_is_told_that() -> None:
    with pytest.raises(Forbidden, match="cannot list"):
        search(Cluster(refused=frozenset(api.resource for _, api in ROWS)))


# Listing


def collect(cluster: Cluster, *, namespace: str | None = "ml", all_kinds: bool = False, **more: Any) -> jobs.Listing:
    return jobs.collect(cluster.kube, kinds.targets(all_kinds=all_kinds), namespace, **more)


def world(**more: Any) -> Cluster:
    """An object of every row in the namespace ml, and one elsewhere."""
    return Cluster(
        {api.resource: [made(api.plural), made(api.plural, namespace="other")] for _, api in ROWS},
        **more,
    )


@pytest.mark.parametrize("all_kinds", [True, False])
def test_every_row_of_both_groups_is_listed_in_the_registrys_order(all_kinds: bool) -> None:
    listing = collect(world(), all_kinds=all_kinds)
    assert [job.api.resource for job in listing.jobs] == [api.resource for kind, api in ROWS if kind.runs or all_kinds]
    assert listing.refusals == ()
    assert {job.namespace for job in listing.jobs} == {"ml"}


def test_no_namespace_means_all_of_them() -> None:
    assert {job.namespace for job in collect(world(), namespace=None).jobs} == {"ml", "other"}


def test_the_selector_reaches_every_request() -> None:
    cluster = world()
    collect(cluster, selector="team=vision")
    asked = [line for line in cluster.asked if line.startswith("list")]
    assert asked
    assert all(line.endswith(" team=vision") for line in asked)


def test_a_kind_that_is_forbidden_is_a_refusal_of_its_own_and_hides_nothing() -> None:
    refused = frozenset({f"trainingjobs.{LEGACY.name}", f"endpoints.{ACK.name}"})
    listing = collect(world(refused=refused))
    assert [refusal.message for refusal in listing.refusals] == [
        f"cannot list trainingjobs.{LEGACY.name}",
        f"cannot list endpoints.{ACK.name}",
    ]
    assert len(listing.jobs) == sum(kind.runs for kind, _ in ROWS) - 2
    assert f"trainingjobs.{ACK.name}" in {job.api.resource for job in listing.jobs}


def test_everything_forbidden_is_no_empty_list_but_an_error() -> None:
    with pytest.raises(Forbidden, match=f"^cannot list {ROWS[0][1].resource}$"):
        collect(world(refused=frozenset(api.resource for _, api in ROWS)))


@pytest.mark.parametrize("absent", GROUPS)
def test_a_group_that_is_not_installed_is_neither_listed_nor_refused(absent: Group) -> None:
    cluster = world(absent=(absent,))
    listing = collect(cluster)
    assert {job.api.group.name for job in listing.jobs} == {group.name for group in GROUPS if group is not absent}
    assert listing.refusals == ()
    assert not any(absent.name in line for line in cluster.asked if line.startswith("list"))


def test_a_list_without_custom_resource_definitions_is_an_error() -> None:
    with pytest.raises(NotFound) as caught:
        collect(Cluster(absent=GROUPS))
    assert caught.value.message == (
        "the server has no resources of sagemaker.aws.amazon.com and sagemaker.services.k8s.aws"
    )


def test_a_server_that_fails_fails_the_list() -> None:
    class Broken(Cluster):
        def list(self, api: Api, namespace: str | None, *, selector: str | None = None) -> Iterator[dict[str, Any]]:
            raise Unavailable("the server is down")

    with pytest.raises(Unavailable, match="the server is down"):
        collect(Broken())


def test_an_empty_namespace_is_an_empty_list() -> None:
    cluster = Cluster()
    assert collect(cluster) == jobs.Listing(())
    assert sum(line.startswith("list") for line in cluster.asked) == sum(kind.runs for kind, _ in ROWS)
