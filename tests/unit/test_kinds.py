"""The registry against the published CRDs, and the words that mean its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.errors import Usage
from kubectl_sagemaker.kinds import ACK, GROUPS, KINDS, LEGACY, Api, Kind

ROWS = [(kind, api) for kind in KINDS for api in kind.apis]
API_IDS = [api.resource for _, api in ROWS]


@pytest.fixture(scope="module")
def crds() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """The published CRDs' `spec`s, by group and plural."""
    import yaml

    folder = os.environ.get("SAGEMAKER_CRDS")
    if not folder:
        pytest.skip("SAGEMAKER_CRDS names no folder of published CRDs")
    specs = [yaml.load(file.read_bytes(), yaml.CSafeLoader)["spec"] for file in sorted(Path(folder).rglob("*.yaml"))]
    return {(spec["group"], spec["names"]["plural"]): spec for spec in specs}


def row(word: str) -> tuple[Kind, Api]:
    """The row of a `plural.group`."""
    return next((kind, api) for kind, api in ROWS if api.resource == word)


def schema_at(spec: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """What the schema of a CRD's one version says of a dotted path, or None."""
    (version,) = spec["versions"]
    node: Mapping[str, Any] | None = version["schema"]["openAPIV3Schema"]
    for name in path.split("."):
        node = node.get("items", node).get("properties", {}).get(name) if node else None
    return node


def texts(api: Api) -> Iterator[str]:
    """Every path that is read as a text."""
    paths = (*api.job_name, api.status, api.secondary_status, *api.reason, api.creation_time)
    shared = (*api.group.region, api.group.account, api.group.arn, api.group.endpoint)
    yield from (path for path in (*paths, *shared) if path)


# Against the published CRDs


def test_the_rows_are_the_published_crds(crds: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    assert {(api.group.name, api.plural) for _, api in ROWS} == set(crds)


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=API_IDS)
def test_names_and_version_are_those_of_the_crd(
    kind: Kind, api: Api, crds: Mapping[tuple[str, str], Mapping[str, Any]]
) -> None:
    spec = crds[api.group.name, api.plural]
    names = spec["names"]
    assert (names["kind"], names["singular"], tuple(names.get("shortNames", ()))) == (
        api.kind,
        api.singular,
        api.short_names,
    )
    assert [(version["name"], version["served"]) for version in spec["versions"]] == [(api.group.version, True)]
    assert spec["scope"] == "Namespaced"


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=API_IDS)
def test_every_path_is_a_text_in_its_crd(
    kind: Kind, api: Api, crds: Mapping[tuple[str, str], Mapping[str, Any]]
) -> None:
    spec = crds[api.group.name, api.plural]
    types = {path: (schema_at(spec, path) or {}).get("type") for path in texts(api)}
    assert types == dict.fromkeys(types, "string")


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=API_IDS)
def test_conditions_have_what_is_read_of_them(
    kind: Kind, api: Api, crds: Mapping[tuple[str, str], Mapping[str, Any]]
) -> None:
    if api.group.conditions is None:
        assert schema_at(crds[api.group.name, api.plural], "status.conditions") is None
        return
    conditions = schema_at(crds[api.group.name, api.plural], api.group.conditions)
    assert conditions is not None
    assert conditions["type"] == "array"
    assert {"type", "status", "message", "reason"} <= set(conditions["items"]["properties"])


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=API_IDS)
def test_what_a_crd_offers_is_read(kind: Kind, api: Api, crds: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    """A status, a secondary status, a reason and SageMaker's creation time are in the row where the CRD has them."""
    spec = crds[api.group.name, api.plural]
    own_status = f"status.{kind.name[0].lower()}{kind.name[1:]}Status"
    known = ("secondaryStatus", "creationTime", "failureReason", "additional", "status")
    offered = {path for path in (own_status, *(f"status.{name}" for name in known)) if schema_at(spec, path)}
    assert offered - set(texts(api)) == set()


PLACES = [
    (kind, path) for kind in KINDS for path in (*kind.instances, *kind.spot, *filter(None, (kind.best, kind.counters)))
]


@pytest.mark.parametrize(("kind", "path"), PLACES, ids=lambda value: getattr(value, "name", value))
def test_what_a_list_shows_of_a_kind_is_in_a_crd_of_it(
    kind: Kind, path: str, crds: Mapping[tuple[str, str], Mapping[str, Any]]
) -> None:
    """The groups differ in what they have; where both have it, it has the same path."""
    assert any(schema_at(crds[api.group.name, api.plural], path) for api in kind.apis)


@pytest.mark.parametrize("state", ["DeleteFailed", "UpdateRollbackFailed", "Update_Failed", "SomethingFailed"])
def test_what_has_failed_in_its_name_is_a_failure(state: str) -> None:
    assert {kind.rest(state) for kind in KINDS} == {3}


def test_what_does_not_end_comes_to_rest() -> None:
    endpoint = kinds.parse("endpoint").kind
    states = ("Creating", "InService", "Updating", "OutOfService", "NewState", None)
    assert [endpoint.rest(state) for state in states] == [None, 0, None, 3, None, None]
    assert kinds.parse("trainingjob").kind.rest("InService") is None, "a job's ends are its own"


# Words


@pytest.mark.parametrize(("kind", "api"), ROWS, ids=API_IDS)
def test_every_spelling_means_its_row(kind: Kind, api: Api) -> None:
    group, version = api.group.name, api.group.version
    bare = {api.kind, api.singular, api.plural, *api.short_names}
    exact = {
        f"{api.plural}.{group}",
        f"{api.plural}.{version}.{group}",
        f"{api.singular}.{group}",
        f"{api.kind}.{version}.{group}",
    }
    for word in bare | exact:
        for spelt in (word, word.lower(), word.upper(), word.title()):
            target = kinds.parse(spelt)
            assert target.kind is kind, spelt
            assert api in target.apis, spelt
    for word in exact:
        assert kinds.parse(word).apis == (api,)


def test_no_spelling_means_two_kinds() -> None:
    meanings: dict[str, set[str]] = {}
    for kind, api in ROWS:
        for word in kinds.spellings(api):
            meanings.setdefault(word, set()).add(kind.name)
    assert {word: names for word, names in meanings.items() if len(names) > 1} == {}


@pytest.mark.parametrize("word", ["trainingjob", "TrainingJobs", "processingjob", "hyperparametertuningjob", "model"])
def test_a_bare_word_of_both_groups_means_both_ack_first(word: str) -> None:
    assert [api.group for api in kinds.parse(word).apis] == [ACK, LEGACY]


@pytest.mark.parametrize(
    ("word", "resource"),
    [
        ("Trainingjob", "trainingjobs.sagemaker.services.k8s.aws"),
        ("BatchTransformJob", "batchtransformjobs.sagemaker.aws.amazon.com"),
        ("transformjob", "transformjobs.sagemaker.services.k8s.aws"),
        ("hostingdeployment", "hostingdeployments.sagemaker.aws.amazon.com"),
        ("endpoints", "endpoints.sagemaker.services.k8s.aws"),
        ("hap", "hostingautoscalingpolicies.sagemaker.aws.amazon.com"),
        ("hostingautoscalingpolicies", "hostingautoscalingpolicies.sagemaker.aws.amazon.com"),
    ],
)
def test_the_old_plugins_words_and_those_of_one_group(word: str, resource: str) -> None:
    assert kinds.parse(word).apis[0].resource == resource


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("trainigjob", "did you mean 'trainingjob'?"),
        ("TRAININGJOBZ", "did you mean 'trainingjob'?"),
        ("batchtransform", "did you mean 'batchtransformjob'?"),
        ("trainingjobb.sagemaker.aws.amazon.com", "did you mean 'trainingjob'?"),
        ("pod", "`kubectl sagemaker status --help` lists the kinds"),
        ("", "`kubectl sagemaker status --help` lists the kinds"),
        ("trainingjobs.batch", "did you mean 'trainingjob'?"),
        ("trainingjobs.v2.sagemaker.aws.amazon.com", "did you mean 'trainingjob'?"),
    ],
)
def test_an_unknown_word_is_wrong_usage_with_the_nearest_spelling(word: str, hint: str) -> None:
    with pytest.raises(Usage) as caught:
        kinds.parse(word)
    assert caught.value.message == f"unknown kind {word!r}"
    assert caught.value.hint == hint


# Logs


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.log], ids=lambda kind: kind.name)
def test_no_job_reads_the_streams_of_another_whose_name_begins_alike(kind: Kind) -> None:
    assert kind.log is not None
    group, prefix, stream = (
        text.format(name="xgb") for text in (kind.log.group, kind.log.prefix, kind.log.stream or "")
    )
    assert group.startswith("/aws/sagemaker/")
    own_group = group != kind.log.group
    # Either the group is the job's own, or one stream is named exactly, or the prefix ends in its slash, or SageMaker
    # is asked whose the streams are.
    assert own_group or stream == "xgb" or prefix == "xgb/" or (prefix == "xgb-" and kind.children)


def test_log_groups_are_those_that_sagemaker_writes() -> None:
    assert {
        kind.name: (kind.log.group.removeprefix("/aws/sagemaker/"), kind.log.prefix, kind.log.stream)
        for kind in KINDS
        if kind.log
    } == {
        "TrainingJob": ("TrainingJobs", "{name}/", None),
        "TransformJob": ("TransformJobs", "{name}/", None),
        "ProcessingJob": ("ProcessingJobs", "{name}/", None),
        "HyperParameterTuningJob": ("TrainingJobs", "{name}-", None),
        "Endpoint": ("Endpoints/{name}", "", None),
        "InferenceComponent": ("InferenceComponents/{name}", "", None),
        "NotebookInstance": ("NotebookInstances", "{name}/", None),
        "LabelingJob": ("LabelingJobs", "", "{name}"),
    }


# Ends


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name.endswith("Job")], ids=lambda kind: kind.name)
def test_a_job_ends_in_three_states_and_in_no_other(kind: Kind) -> None:
    assert dict(kind.ends) == {"Completed": 0, "Failed": 3, "Stopped": 4}
    going_on = ("InProgress", "Stopping", "Deleting", "DeleteFailed", "Initializing", "completed", "SomethingNew")
    assert not any(kind.ended(status) for status in (*going_on, "", None))


def test_a_pipeline_succeeds_and_what_serves_has_no_end() -> None:
    ends = {kind.name: dict(kind.ends) for kind in KINDS if not kind.name.endswith("Job")}
    assert {name for name, states in ends.items() if states} == {"PipelineExecution"}
    assert ends["PipelineExecution"] == {
        "Succeeded": 0,
        "Failed": 3,
        "CompletedWithFailures": 3,
        "Stopped": 4,
    }


@pytest.mark.parametrize(
    ("name", "member"),
    [("TrainingJob", "TrainingEndTime"), ("TransformJob", "TransformEndTime"), ("ProcessingJob", "ProcessingEndTime")],
)
def test_describe_has_the_members_that_a_kinds_name_implies(name: str, member: str) -> None:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    kind = next(kind for kind in KINDS if kind.name == name)
    model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
    describe = model.operation_model(f"Describe{name}")
    assert kind.end_time_member == member
    assert f"{name}Name" in describe.input_shape.members
    assert {f"{name}Status", "CreationTime", member} <= set(describe.output_shape.members)


# What is listed


def test_what_runs_is_listed_and_the_rest_on_demand() -> None:
    running = {target.kind.name for target in kinds.targets(all_kinds=False)}
    assert {"TrainingJob", "TransformJob", "ProcessingJob", "HyperParameterTuningJob", "Endpoint"} <= running
    assert not running & {"Model", "EndpointConfig", "HostingAutoscalingPolicy", "Domain"}
    assert [target.kind for target in kinds.targets(all_kinds=True)] == list(KINDS)
    assert all(target.apis == target.kind.apis for target in kinds.targets(all_kinds=True))


def test_what_has_a_log_or_an_end_runs() -> None:
    assert [kind.name for kind in KINDS if (kind.log or kind.ends) and not kind.runs] == []


def test_the_groups_are_the_two_that_exist() -> None:
    assert [group.path for group in GROUPS] == [
        "/apis/sagemaker.services.k8s.aws/v1alpha1",
        "/apis/sagemaker.aws.amazon.com/v1",
    ]


def test_kinds_that_are_named_twice_are_meant_once() -> None:
    word = f"trainingjob.{kinds.LEGACY.name}"
    (target,) = kinds.parse_all(f"{word},trainingjobs,{word}")
    assert target == kinds.Target(target.kind, tuple(reversed(kinds.parse("trainingjob").apis)))
