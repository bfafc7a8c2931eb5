"""ACK's objects, which the sandbox's operator keeps by the same passes: each row lives, by the published definition."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.operator import passes
from kubectl_sagemaker.operator.ack import ACK_ROWS
from kubectl_sagemaker.operator.rows import Row
from kubectl_sagemaker.operator.shapes import property_name
from kubectl_sagemaker.sandbox.resources import RESOURCES
from tests.lab import Lab
from tests.specs import ROLE

GIVEN = {
    "EndpointName": "endpoint",
    "EndpointConfigName": "config",
    "ModelName": "model",
    "VariantName": "AllTraffic",
    "WorkteamArn": "arn:aws:sagemaker:us-west-2:123456789012:workteam/private-crowd/us",
    "UiTemplateS3Uri": "s3://bucket/key",
}


def least(shape: Any, name: str = "") -> Any:
    """The least that a shape can be: its required members."""
    match shape.type_name:
        case "structure":
            members = {member: least(shape.members[member], member) for member in shape.required_members}
            return {property_name(shape, member): value for member, value in members.items()}
        case "list":
            return [least(shape.member, name) for _ in range(max(1, shape.metadata.get("min", 1)))]
        case "map":
            return {}
        case "integer" | "long" | "float" | "double":
            return max(1, shape.metadata.get("min", 1))
        case "boolean":
            return True
        case _ if shape.metadata.get("enum"):
            return shape.metadata["enum"][0]
    if name in GIVEN:
        return GIVEN[name]
    if name.endswith("Arn"):
        return ROLE
    return "s3://bucket/key" if "S3" in name else "x" * max(1, shape.metadata.get("min", 1))


def spec(row: Row) -> dict[str, Any]:
    made: dict[str, Any] = least(row.inputs[0].shape)
    if row.api.plural == "models":
        made["primaryContainer"] = {"image": "image"}
    if row.api.plural == "pipelines":
        made["pipelineDefinition"] = "{}"
    return {**made, property_name(row.inputs[0].shape, f"{row.kind.name}Name"): "x"}


@pytest.fixture
def lab() -> Lab:
    """One with what others refer to."""
    lab = Lab()
    for kind, name in (("Model", "model"), ("EndpointConfig", "config"), ("Endpoint", "endpoint")):
        lab.account.jobs.put(kind, name, lab.account.jobs.lifecycle(kind, {}))
    lab.clock.advance(60)
    return lab


@pytest.mark.parametrize("row", ACK_ROWS, ids=lambda row: row.api.plural)
def test_it_is_made_shown_and_deleted(lab: Lab, row: Row) -> None:
    resource, kind = RESOURCES[row.api.resource], row.kind.name

    def look() -> float | None:
        return passes.look(row, dict(lab.cluster.get(resource, "default", "x")), lab.kube, lab.aws, lab.clock())

    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "x"}, "spec": spec(row)}
    lab.cluster.create(resource, "default", body)
    again = look()
    for _ in range(12):
        lab.clock.advance(5)
        # What no list shows is looked at until it has settled.
        if row.lists or (again is not None and again <= lab.clock()):
            again = look()
    status = lab.cluster.get(resource, "default", "x")["status"]
    assert status["ackResourceMetadata"]["arn"].startswith("arn:aws:sagemaker:us-west-2:123456789012:")
    assert status["conditions"] == [{"type": "ACK.ResourceSynced", "status": "True"}]
    if row.api.status:
        assert status[row.state] == lab.account.jobs.state(kind, "x")[f"{kind}Status"]
    assert lab.asked(f"Create{kind}") == 1
    lab.cluster.delete(resource, "default", "x")
    for _ in range(6):
        if lab.cluster.list(resource).items:
            look()
        lab.clock.advance(10)
    assert lab.cluster.list(resource).items == []
    state = lab.sagemaker(kind, "x")
    assert state is None or row.kind.ended(state[f"{kind}Status"])


@pytest.mark.parametrize("row", ACK_ROWS, ids=lambda row: row.api.plural)
def test_its_properties_are_those_of_the_published_definition(row: Row) -> None:
    import yaml

    folder = os.environ.get("SAGEMAKER_CRDS")
    if not folder:
        pytest.skip("SAGEMAKER_CRDS names no folder with the published CRDs")
    text = Path(folder, "ack", f"{row.api.group.name}_{row.api.plural}.yaml").read_text()
    published = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
    properties = published["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    asked = {name.lower() for name in row.inputs[0].shape.members}
    assert {name for name in properties["spec"]["properties"] if name.lower() not in asked} == set()
    assert {property_name(row.described, member) for member in row.shown} <= properties["status"]["properties"].keys()
