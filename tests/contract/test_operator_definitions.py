"""A real API server accepts the operator's definitions, and by them the manifests that people have."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.operator import crds
from kubectl_sagemaker.operator.rows import ROWS
from tests.environment import kubectls
from tests.servers import ApiServer
from tests.specs import SPECS

pytestmark = pytest.mark.xdist_group("operator-apiserver")


@pytest.fixture
def server(defined: ApiServer) -> ApiServer:
    return defined


def kubectl(server: ApiServer, *words: str, manifest: str | None = None, check: bool = True) -> Any:
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "KUBECACHEDIR": str(server.directory / "cache")}
    binary = next(iter(kubectls().values()), "kubectl")
    done = subprocess.run(
        [binary, *words], input=manifest, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def test_no_part_of_a_definition_is_refused_or_dropped(server: ApiServer) -> None:
    """A schema that is not structural is stored with a condition that says so, and prunes nothing."""
    for definition in crds.definitions():
        name = definition["metadata"]["name"]
        _, stored = server.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        conditions = {one["type"]: one["status"] for one in stored["status"]["conditions"]}
        assert conditions.get("NonStructuralSchema", "False") == "False"
        assert conditions["Established"] == "True"
        (given,), (kept,) = definition["spec"]["versions"], stored["spec"]["versions"]
        assert kept["schema"] == given["schema"]


def test_every_published_sample_applies_and_is_kept_whole(server: ApiServer) -> None:
    import yaml

    folder = os.environ.get("SAGEMAKER_SAMPLES")
    if not folder:
        pytest.skip("SAGEMAKER_SAMPLES names no folder with example manifests")
    files = sorted(Path(folder, "legacy").glob("*.yaml"))
    assert files
    for file in files:
        wanted = yaml.safe_load(file.read_text())
        said = kubectl(server, "apply", "--validate=strict", "-f", str(file))
        assert (said.stdout.split()[-1], said.stderr) == ("created", "")
        kind, name = wanted["kind"].lower(), wanted["metadata"]["name"]
        kept = json.loads(kubectl(server, "get", kind, name, "-o", "json").stdout)
        assert kept["spec"] == wanted["spec"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.api.plural)
def test_what_a_pass_writes_is_kept(server: ApiServer, row: Any) -> None:
    path = f"{row.api.group.path}/namespaces/default/{row.api.plural}"
    body = {"apiVersion": f"{row.api.group.name}/{row.api.group.version}", "kind": row.api.kind}
    body |= {"metadata": {"name": "kept"}, "spec": SPECS[row.api.singular]}
    status, answer = server.request("POST", path, body)
    assert status == 201, answer
    schema = crds.definition(row)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    wanted = _example(schema)
    merge = "application/merge-patch+json"
    status, answer = server.request("PATCH", f"{path}/kept/status", {"status": wanted}, content_type=merge)
    assert status == 200, answer
    assert answer["status"] == wanted


def _example(schema: dict[str, Any]) -> Any:
    match schema["type"]:
        case "object":
            return {name: _example(member) for name, member in schema["properties"].items()}
        case "array":
            return [_example(schema["items"])]
        case "integer" | "number":
            return 3
        case "boolean":
            return True
    return "2026-01-28T17:19:43Z" if schema.get("format") == "date-time" else "a state that is new"


def test_a_region_can_t_be_changed(server: ApiServer) -> None:
    """The job would be looked for where it is not, and started there a second time."""
    manifest = {"apiVersion": "sagemaker.aws.amazon.com/v1", "kind": "TrainingJob", "metadata": {"name": "moved"}}
    manifest["spec"] = SPECS["trainingjob"]
    kubectl(server, "apply", "-f", "-", manifest=json.dumps(manifest))
    manifest["spec"] = {**SPECS["trainingjob"], "region": "us-east-1"}
    said = kubectl(server, "apply", "-f", "-", manifest=json.dumps(manifest), check=False)
    assert said.returncode == 1
    assert "spec.region: Invalid value: can't be changed; delete the object and apply it again" in said.stderr.replace(
        '"string": ', ""
    ).replace('"us-east-1": ', "")


def test_what_aws_would_refuse_is_refused_at_once(server: ApiServer) -> None:
    spec = {**SPECS["trainingjob"], "roleArn": "no role"}
    spec["algorithmSpecification"] = {"trainingImage": "i", "trainingInputMode": "Floppy"}
    manifest = {"apiVersion": "sagemaker.aws.amazon.com/v1", "kind": "TrainingJob", "metadata": {"name": "wrong"}}
    said = kubectl(server, "apply", "-f", "-", manifest=json.dumps({**manifest, "spec": spec}), check=False)
    assert said.returncode == 1
    assert 'spec.algorithmSpecification.trainingInputMode: Unsupported value: "Floppy"' in said.stderr
    assert "spec.roleArn: Invalid value" in said.stderr


def test_kubectl_explain_shows_aws_sentences(server: ApiServer) -> None:
    words = ("explain", "trainingjob.spec.resourceConfig.instanceCount", "--api-version=sagemaker.aws.amazon.com/v1")
    assert "The number of ML compute instances to use." in kubectl(server, *words).stdout
