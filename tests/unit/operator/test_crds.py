"""The operator's definitions against the published ones, property by property."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kubectl_sagemaker.operator import crds
from kubectl_sagemaker.operator.rows import ROWS
from tests.unit.operator.test_shapes import published

TRACKING = "hostingautoscalingpolicies.spec.targetTrackingScalingPolicyConfiguration"
NEEDED_BY_AWS = {
    ("processingjobs.spec.appSpecification", "imageUri"),
    ("processingjobs.spec.stoppingCondition", "maxRuntimeInSeconds"),
    (TRACKING, "targetValue"),
    (f"{TRACKING}.predefinedMetricSpecification", "predefinedMetricType"),
    *((f"{TRACKING}.customizedMetricSpecification.dimensions[]", name) for name in ("name", "value")),
}
"""Properties without which AWS has always refused: the old definitions let them through."""


@pytest.fixture(scope="module")
def definitions() -> dict[str, dict[str, Any]]:
    return {made["metadata"]["name"]: made for made in crds.definitions()}


def schema(definition: dict[str, Any]) -> dict[str, Any]:
    (version,) = definition["spec"]["versions"]
    return dict(version["schema"]["openAPIV3Schema"])


def differences(old: dict[str, Any], new: dict[str, Any], path: str) -> list[str]:
    """What would keep a manifest, or a reader, of the old definition from working."""
    found = [
        f"{path}: {key} {old.get(key)} is {new.get(key)}" for key in ("type", "format") if old.get(key) != new.get(key)
    ]
    extra = {(path, name) for name in new.get("required", ()) if name not in old.get("required", ())}
    found += [f"{path}: requires {name}" for _, name in sorted(extra - NEEDED_BY_AWS) if name != "spec"]
    if "enum" in old and not set(old["enum"]) <= set(new.get("enum", old["enum"])):
        found.append(f"{path}: lacks {set(old['enum']) - set(new['enum'])}")
    for name, member in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            found.append(f"{path}: lacks {name}")
        else:
            found += differences(member, new["properties"][name], f"{path}.{name}")
    if "items" in old:
        found += differences(old["items"], new["items"], f"{path}[]")
    return found


def test_every_old_property_is_there_with_its_name_and_type(definitions: dict[str, dict[str, Any]]) -> None:
    old = published("SAGEMAKER_CRDS", "legacy")
    assert {one["metadata"]["name"] for one in old} == set(definitions)
    for one in old:
        new = definitions[one["metadata"]["name"]]
        assert differences(schema(one), schema(new), one["spec"]["names"]["plural"]) == []


def test_names_and_columns_are_the_old_ones(definitions: dict[str, dict[str, Any]]) -> None:
    for one in published("SAGEMAKER_CRDS", "legacy"):
        new = definitions[one["metadata"]["name"]]["spec"]
        assert new["names"] == one["spec"]["names"]
        assert new["scope"] == one["spec"]["scope"]
        columns = [version["additionalPrinterColumns"] for version in (one["spec"]["versions"][0], new["versions"][0])]
        assert columns[0] == columns[1]


def test_todays_features_can_be_reached(definitions: dict[str, dict[str, Any]]) -> None:
    training = schema(definitions["trainingjobs.sagemaker.aws.amazon.com"])["properties"]["spec"]["properties"]
    assert training["environment"]["items"]["properties"].keys() == {"name", "value"}
    assert training["retryStrategy"]["properties"]["maximumRetryAttempts"]["type"] == "integer"
    assert "FastFile" in training["algorithmSpecification"]["properties"]["trainingInputMode"]["enum"]
    deployment = schema(definitions["hostingdeployments.sagemaker.aws.amazon.com"])["properties"]["spec"]["properties"]
    assert {"deploymentConfig", "dataCaptureConfig", "asyncInferenceConfig"} <= deployment.keys()
    assert "serverlessConfig" in deployment["productionVariants"]["items"]["properties"]


def test_descriptions_are_aws_sentences_in_brief(definitions: dict[str, dict[str, Any]]) -> None:
    training = schema(definitions["trainingjobs.sagemaker.aws.amazon.com"])["properties"]["spec"]["properties"]
    text = training["resourceConfig"]["properties"]["instanceCount"]["description"]
    assert text == "The number of ML compute instances to use."
    described = _texts(list(definitions.values()))
    assert len(described) > 500
    assert not [text for text in described if "<" in text and ">" in text]
    assert max(map(len, described)) <= crds.DESCRIPTION_LENGTH + 2


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["description"]] if isinstance(value.get("description"), str) else []
        return own + [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("plural", "name"), [("trainingjobs", "trainingJobName"), ("hostingdeployments", "endpointName")]
)
def test_a_name_in_sagemaker_is_one_or_empty(definitions: dict[str, dict[str, Any]], plural: str, name: str) -> None:
    """If it is empty, one is generated."""
    spec = schema(definitions[f"{plural}.sagemaker.aws.amazon.com"])["properties"]["spec"]["properties"]
    pattern = spec[name]["pattern"]
    taken = [text for text in ("", "a", "A-b--1", "a_b", "-a", "a-", "a.b") if re.search(pattern, text)]
    assert taken == ["", "a", "A-b--1"]


def test_status_holds_whatever_sagemaker_says(definitions: dict[str, dict[str, Any]]) -> None:
    """A new state of AWS's must not make a status that the API server refuses."""
    for definition in definitions.values():
        text = json.dumps(schema(definition)["properties"]["status"])
        assert not any(f'"{word}"' in text for word in ("enum", "pattern", "required", "maxLength", "maximum"))


def test_a_definition_can_be_applied_client_side(definitions: dict[str, dict[str, Any]]) -> None:
    """kubectl keeps what was applied in an annotation, which holds 262,144 bytes."""
    assert all(len(json.dumps(definition)) < 131_072 for definition in definitions.values())


def test_there_is_a_definition_a_row() -> None:
    assert [made["metadata"]["name"] for made in crds.definitions()] == [row.api.resource for row in ROWS]
