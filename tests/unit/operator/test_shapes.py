"""Specs become requests and answers become statuses by botocore's models; what differs is a named row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.errors import Invalid
from kubectl_sagemaker.operator import crds, shapes
from kubectl_sagemaker.operator.rows import ROWS, Row

TRAINING = shapes.input_shape("sagemaker", "CreateTrainingJob")
TUNED = shapes.output_shape("sagemaker", "DescribeHyperParameterTuningJob")


def published(variable: str, folder: str) -> list[Any]:
    """The documents of a folder of real parts; the test is skipped where there is none."""
    import yaml

    root = os.environ.get(variable)
    if not root:
        pytest.skip(f"{variable} names no folder")
    return [yaml.safe_load(file.read_text()) for file in sorted(Path(root, folder).glob("*.yaml"))]


def row_of(kind: str) -> Row:
    return next(row for row in ROWS if row.api.kind == kind)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar with its path in lower case; a map and a list of pairs look the same."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name.lower()}")
    elif isinstance(value, list) and value and all(set(item) == {"name", "value"} for item in value if item):
        for item in value:
            yield f"{path}.{item['name'].lower()}", item["value"]
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def test_every_published_sample_becomes_a_request_that_botocore_accepts() -> None:
    from botocore.validate import ParamValidator

    for sample in published("SAGEMAKER_SAMPLES", "legacy"):
        row = row_of(sample["kind"])
        for part in row.inputs:
            made = part.request(sample["spec"])
            names = {*part.without, *row.optional} & {*part.shape.required_members}
            filled = dict.fromkeys(names, "x")
            report = ParamValidator().validate({**filled, **made}, part.shape)
            missing = report.generate_report()
            assert not report.has_errors(), (sample["metadata"]["name"], part.operation, missing)


def test_nothing_of_a_published_sample_is_lost() -> None:
    dropped = {".region", ".models", ".resourceid"}
    for sample in published("SAGEMAKER_SAMPLES", "legacy"):
        row = row_of(sample["kind"])
        made: dict[str, Any] = {}
        for part in row.inputs:
            made |= part.request(sample["spec"])
        told = dict(leaves(made))
        for path, value in leaves(sample["spec"]):
            if not any(path.startswith(name) for name in dropped) and value != []:
                assert told[path] == value, (sample["metadata"]["name"], path)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.api.plural)
def test_every_property_of_a_spec_reaches_its_member(row: Row) -> None:
    """An instance of the definition's own schema, every property set, comes back from the request it becomes."""
    for part in row.inputs:
        members = [name for name in part.shape.members if name not in part.without]
        full = _example(part.shape, members)
        spec = shapes.properties(part.shape, full)
        assert part.request(spec) == full
        schema = crds.definition(row)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        assert spec.keys() <= schema["properties"]["spec"]["properties"].keys()


def _example(shape: Any, members: list[str] | None = None) -> Any:
    match shape.type_name:
        case "structure":
            return {name: _example(shape.members[name]) for name in (shape.members if members is None else members)}
        case "list":
            return [_example(shape.member)]
        case "map":
            return {"one": _example(shape.value)}
        case "boolean":
            return True
        case "integer" | "long":
            return 3
        case "float" | "double":
            return 2.0
    return "text"


def test_members_are_matched_without_regard_to_case_and_strangers_are_left_out() -> None:
    spec: dict[str, Any] = {
        "ROLEARN": "r",
        "outputDataConfig": {"S3OUTPUTPATH": "s3://b"},
        "region": "us-west-2",
        "tags": None,
    }
    spec["debugHookConfig"] = {"s3OutputPath": "s3://d", "ruleParameters": [{"name": "a", "value": "b"}]}
    assert shapes.request(TRAINING, spec) == {
        "RoleArn": "r",
        "OutputDataConfig": {"S3OutputPath": "s3://b"},
        "DebugHookConfig": {"S3OutputPath": "s3://d"},
    }


def test_lists_of_pairs_become_maps_where_the_member_is_one() -> None:
    spec = {
        "hyperParameters": [{"name": "eta", "value": "0.2"}, {"name": "empty"}],
        "environment": [{"key": "A", "value": "b"}],
        "tags": [{"key": "k", "value": "v"}],
    }
    assert shapes.request(TRAINING, spec) == {
        "HyperParameters": {"eta": "0.2", "empty": ""},
        "Environment": {"A": "b"},
        "Tags": [{"Key": "k", "Value": "v"}],
    }


def test_a_value_of_another_type_is_named() -> None:
    with pytest.raises(Invalid, match=r"spec\.resourceConfig\.instanceCount is no integer"):
        shapes.request(TRAINING, {"resourceConfig": {"instanceCount": "two"}})


def test_two_members_of_no_structure_differ_in_letter_case_only() -> None:
    model = shapes.service_model("sagemaker")
    structures = [model.shape_for(name) for name in model.shape_names]
    members = [list(shape.members) for shape in structures if shape.type_name == "structure"]
    assert len(members) > 1000
    assert all(len({name.lower() for name in names}) == len(names) for names in members)


def test_fractions_and_times_are_of_the_types_that_the_group_has() -> None:
    answer = {
        "BestTrainingJob": {
            "TrainingJobName": "b",
            "CreationTime": datetime(2026, 1, 28, 17, 19, 43, 244000, UTC),
            "TunedHyperParameters": {"z": "1", "a": "2"},
            "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "m", "Value": 0.25},
        }
    }
    assert shapes.properties(TUNED, answer, only=("BestTrainingJob",)) == {
        "bestTrainingJob": {
            "trainingJobName": "b",
            "creationTime": "2026-01-28T17:19:43Z",
            "tunedHyperParameters": [{"name": "a", "value": "2"}, {"name": "z", "value": "1"}],
            "finalHyperParameterTuningJobObjectiveMetric": {"metricName": "m", "value": "0.25"},
        }
    }
    endpoint = shapes.output_shape("sagemaker", "DescribeEndpoint")
    shown = shapes.properties(endpoint, {"ProductionVariants": [{"VariantName": "v", "CurrentWeight": 2.0}]})
    assert shown == {"productionVariants": [{"variantName": "v", "currentWeight": 2}]}


def test_a_digest_is_that_of_the_meaning() -> None:
    shape = shapes.input_shape("sagemaker", "CreateModel")

    def digest(**asked: Any) -> str:
        return shapes.digest(shape, {"ModelName": "m", **asked})

    vpc = {"Subnets": ["a", "b"], "SecurityGroupIds": ["s"]}
    assert digest(VpcConfig=vpc) == digest(VpcConfig={**vpc, "Subnets": ["b", "a"]}, Tags=[{"Key": "k", "Value": "v"}])
    assert digest(VpcConfig=vpc) != digest()
    first, second = {"Image": "1"}, {"Image": "2"}
    assert digest(Containers=[first, second]) != digest(Containers=[second, first])
