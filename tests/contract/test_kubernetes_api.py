"""The embedded Kubernetes API does what a real API server does, as far as kubectl and the programs here see it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from kubectl_sagemaker.kinds import ACK, GROUPS, KINDS, LEGACY
from kubectl_sagemaker.sandbox.resources import RESOURCES
from tests.contract.conftest import TABLE, Api
from tests.servers import CRD_PATH

LEGACY_JOBS = f"trainingjobs.{LEGACY.name}"
ACK_JOBS = f"trainingjobs.{ACK.name}"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

APIS = [api for kind in KINDS for api in kind.apis]


def model(name: str, **metadata: Any) -> dict[str, Any]:
    """An ACK Model: the custom resource that needs the least."""
    return {
        "apiVersion": f"{ACK.name}/{ACK.version}",
        "kind": "Model",
        "metadata": {"name": name, **metadata},
        "spec": {"modelName": name},
    }


@pytest.fixture
def samples() -> list[Path]:
    """The published examples of both groups."""
    folder = os.environ.get("SAGEMAKER_SAMPLES")
    if not folder:
        pytest.skip("SAGEMAKER_SAMPLES names no folder with example manifests")
    return sorted(Path(folder).rglob("*.yaml"))


def manifest(sample: Path) -> str:
    """A sample with its `<YOUR …>` placeholders filled in."""
    text = re.sub(r"<YOUR JOB NAME>", "my-job", sample.read_text())
    return re.sub(r"<YOUR [^>]*>", "placeholder", text)


@pytest.fixture
def job(cluster: Api, samples: list[Path]) -> Path:
    """The walk-through's legacy training job, applied."""
    file = next(sample for sample in samples if sample.name == "xgboost-mnist-trainingjob.yaml")
    cluster.kubectl("apply", "-f", str(file))
    return file


def set_status(cluster: Api, resource: str, name: str, **status: Any) -> None:
    """Patch a status, as a controller does."""
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", resource, name, "--subresource", "status", "--type", "merge", "--patch", patch)


class TestDiscovery:
    def test_both_groups_resources_are_listed_under_their_names(self, cluster: Api) -> None:
        for group in GROUPS:
            printed = {
                tuple(line.split())
                for line in cluster.lines("api-resources", "--api-group", group.name, "--no-headers")
            }
            assert printed == {
                (api.plural, *api.short_names, f"{group.name}/{group.version}", "true", api.kind)
                for api in APIS
                if api.group is group
            }

    def test_a_plural_of_both_groups_means_the_one_whose_group_sorts_first(self, cluster: Api) -> None:
        assert cluster.lines("get", "trainingjob", "missing", "--ignore-not-found") == []
        refused = cluster.kubectl("get", "trainingjob", "missing", check=False)
        assert f'{LEGACY_JOBS} "missing" not found' in refused.stderr

    def test_groups_are_sorted_by_name(self, server: Api) -> None:
        _, answer = server.request("GET", "/apis")
        names = [group["name"] for group in answer["groups"] if group["name"].startswith("sagemaker.")]
        assert names == [LEGACY.name, ACK.name]

    @pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.label)
    def test_a_group_says_its_verbs_and_status_subresources(self, server: Api, group: Any) -> None:
        status, answer = server.request("GET", group.path)
        assert status == 200
        verbs = {resource["name"]: sorted(resource["verbs"]) for resource in answer["resources"]}
        expected: dict[str, list[str]] = {}
        for api in APIS:
            if api.group is group:
                expected[api.plural] = [
                    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
                ]  # fmt: skip
                expected[f"{api.plural}/status"] = ["get", "patch", "update"]
        assert verbs == expected

    def test_a_group_that_is_not_installed_is_no_page_at_all(self, server: Api) -> None:
        for path in ("/apis/made.up", "/apis/made.up/v1", "/apis/made.up/v1/namespaces/default/things", "/nonsense"):
            assert server.request("GET", path) == (404, "404 page not found\n")

    def test_it_is_healthy_and_says_its_version(self, server: Api) -> None:
        for path in ("/readyz", "/livez"):
            assert server.request("GET", path) == (200, "ok")
        status, version = server.request("GET", "/version")
        assert status == 200
        assert (version["major"], version["minor"]) == ("1", "35")


class TestTables:
    @pytest.mark.parametrize("api", APIS, ids=lambda api: api.resource)
    def test_every_list_has_its_crds_columns(self, server: Api, api: Any) -> None:
        status, answer = server.request("GET", server.path(api.group.path, api.plural), accept=TABLE)
        assert status == 200
        name, *columns = answer["columnDefinitions"]
        assert (name["name"], name["format"], name["priority"]) == ("Name", "name", 0)
        assert [(column["name"], column["type"], column["format"], column["priority"]) for column in columns] == [
            (column.name, column.type, column.format, column.priority) for column in RESOURCES[api.resource].columns
        ]
        assert answer["rows"] == []

    def test_a_list_shows_status_and_creation_time(self, cluster: Api, job: Path) -> None:
        set_status(
            cluster,
            LEGACY_JOBS,
            "xgboost-mnist",
            trainingJobStatus="InProgress",
            secondaryStatus="Training",
            sageMakerTrainingJobName="xgboost-mnist-1",
        )
        header, row = cluster.lines("get", LEGACY_JOBS)
        assert header.split() == ["NAME", "STATUS", "SECONDARY-STATUS", "CREATION-TIME", "SAGEMAKER-JOB-NAME"]
        created = cluster.kubectl("get", LEGACY_JOBS, "xgboost-mnist", "-o", "jsonpath={.metadata.creationTimestamp}")
        assert row.split() == ["xgboost-mnist", "InProgress", "Training", created.stdout, "xgboost-mnist-1"]

    def test_wide_adds_the_columns_of_low_priority(self, cluster: Api, samples: list[Path]) -> None:
        sample = next(sample for sample in samples if sample.name == "my-training-job.yaml")
        cluster.kubectl("apply", "-f", "-", manifest=manifest(sample))
        set_status(cluster, ACK_JOBS, "my-job", trainingJobStatus="Failed", failureReason="AlgorithmError: no data")
        assert cluster.lines("get", ACK_JOBS) == [
            "NAME     SECONDARY-STATUS   STATUS",
            "my-job                      Failed",
        ]
        assert cluster.lines("get", ACK_JOBS, "-o", "wide") == [
            "NAME     FAILURE-REASON            SECONDARY-STATUS   STATUS",
            "my-job   AlgorithmError: no data                      Failed",
        ]

    def test_what_has_no_columns_shows_its_age(self, cluster: Api) -> None:
        cluster.kubectl("create", "-f", "-", manifest=json.dumps(model("m")))
        header, row = cluster.lines("get", f"models.{ACK.name}")
        assert header.split() == ["NAME", "AGE"]
        assert re.fullmatch(r"m +\d+s", row)

    def test_numbers_and_dates_are_shown_as_such(self, cluster: Api, samples: list[Path]) -> None:
        sample = next(sample for sample in samples if sample.name == "xgboost-mnist-hpo.yaml")
        cluster.kubectl("apply", "-f", str(sample))
        counters = {"completed": 2, "inProgress": 1, "stopped": 0, "totalError": 3}
        set_status(
            cluster,
            f"hyperparametertuningjobs.{LEGACY.name}",
            "xgboost-mnist-hpo",
            hyperParameterTuningJobStatus="InProgress",
            trainingJobStatusCounters=counters,
        )
        _, row = cluster.lines("get", f"hyperparametertuningjobs.{LEGACY.name}")
        name, status, _, *numbers = row.split()
        assert (name, status, numbers) == ("xgboost-mnist-hpo", "InProgress", ["2", "1", "3", "0"])

        kind = "NotebookInstanceLifecycleConfig"
        plural = f"{kind.lower()}s.{ACK.name}"
        config = {**model("n"), "kind": kind, "spec": {"notebookInstanceLifecycleConfigName": "n"}}
        cluster.kubectl("create", "-f", "-", manifest=json.dumps(config))
        set_status(
            cluster, plural, "n", creationTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7500))
        )
        assert cluster.lines("get", plural) == ["NAME   CREATION-TIME   LAST-MODIFIED-TIME", "n      125m"]

    def test_the_other_outputs_are_made_of_the_objects(self, cluster: Api, job: Path) -> None:
        assert cluster.lines("get", LEGACY_JOBS, "-o", "name") == [f"trainingjob.{LEGACY.name}/xgboost-mnist"]
        thing = json.loads(cluster.kubectl("get", LEGACY_JOBS, "xgboost-mnist", "-o", "json").stdout)
        assert set(thing) == {"apiVersion", "kind", "metadata", "spec"}
        assert (thing["apiVersion"], thing["kind"]) == (f"{LEGACY.name}/v1", "TrainingJob")
        assert thing["spec"]["resourceConfig"] == {
            "instanceCount": 1,
            "instanceType": "ml.m4.xlarge",
            "volumeSizeInGB": 5,
        }
        assert set(thing["metadata"]) - {"managedFields"} == {
            "annotations", "creationTimestamp", "generation", "name", "namespace", "resourceVersion", "uid",
        }  # fmt: skip
        printed = cluster.lines("get", LEGACY_JOBS, "-o", "yaml")
        assert printed[:4] == ["apiVersion: v1", "items:", f"- apiVersion: {LEGACY.name}/v1", "  kind: TrainingJob"]
        assert "      trainingImage: 433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1" in printed
        assert printed[-3:] == ["kind: List", "metadata:", '  resourceVersion: ""']

    def test_nothing_is_said_to_be_nothing(self, cluster: Api) -> None:
        done = cluster.kubectl("get", LEGACY_JOBS)
        assert (done.stdout, done.stderr) == ("", f"No resources found in {cluster.namespace} namespace.\n")


class TestWatching:
    def test_a_watch_prints_each_change_under_one_header(self, cluster: Api, job: Path) -> None:
        with subprocess.Popen(
            cluster.command("get", LEGACY_JOBS, "--watch"), env=cluster.environment, stdout=subprocess.PIPE, text=True
        ) as watching:
            try:
                assert watching.stdout is not None
                header, first = watching.stdout.readline(), watching.stdout.readline()
                set_status(cluster, LEGACY_JOBS, "xgboost-mnist", trainingJobStatus="InProgress")
                second = watching.stdout.readline()
                set_status(cluster, LEGACY_JOBS, "xgboost-mnist", trainingJobStatus="Completed")
                third = watching.stdout.readline()
            finally:
                watching.terminate()
        assert header.split()[:2] == ["NAME", "STATUS"]
        assert [line.split()[0] for line in (first, second, third)] == ["xgboost-mnist"] * 3
        assert [line.split()[1] for line in (second, third)] == ["InProgress", "Completed"]

    def test_wait_ends_when_the_status_is_there(self, cluster: Api, job: Path) -> None:
        condition = "--for=jsonpath={.status.trainingJobStatus}=Completed"
        with subprocess.Popen(
            cluster.command("wait", condition, f"{LEGACY_JOBS}/xgboost-mnist", "--timeout=20s"),
            env=cluster.environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as waiting:
            set_status(cluster, LEGACY_JOBS, "xgboost-mnist", trainingJobStatus="InProgress")
            set_status(cluster, LEGACY_JOBS, "xgboost-mnist", trainingJobStatus="Completed")
            printed, _ = waiting.communicate(timeout=30)
        assert printed == f"trainingjob.{LEGACY.name}/xgboost-mnist condition met\n"
        assert waiting.returncode == 0

    def watched(self, server: Api, query: str) -> list[dict[str, Any]]:
        _, answer = server.request("GET", f"{server.path(ACK.path, 'models')}?watch=true&timeoutSeconds=1&{query}")
        if isinstance(answer, dict):
            return [answer]
        return [json.loads(line) for line in answer.splitlines()]

    def test_a_watch_goes_on_from_a_version(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        server.request("POST", path, model("a"))
        _, page = server.request("GET", path)
        server.request("POST", path, model("b"))
        server.request("PATCH", f"{path}/b", {"spec": {"executionRoleARN": "r"}}, content_type=MERGE_PATCH)
        server.request("DELETE", f"{path}/a")
        events = self.watched(server, f"resourceVersion={page['metadata']['resourceVersion']}")
        assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
            ("ADDED", "b"),
            ("MODIFIED", "b"),
            ("DELETED", "a"),
        ]

    def test_a_watch_without_a_version_starts_with_what_exists(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        server.request("POST", path, model("a"))
        events = self.watched(server, "")
        assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "a")]

    def test_initial_events_end_with_a_bookmark(self, server: Api) -> None:
        server.request("POST", server.path(ACK.path, "models"), model("a"))
        query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        first, last = self.watched(server, query)
        assert first["type"] == "ADDED"
        assert last["type"] == "BOOKMARK"
        assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(last["object"]["metadata"]["resourceVersion"]) >= int(first["object"]["metadata"]["resourceVersion"])

    def test_a_label_that_comes_or_goes_moves_an_object_in_or_out_of_a_watch(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        server.request("POST", path, model("a"))
        _, page = server.request("GET", path)
        for value in ("x", None):
            server.request("PATCH", f"{path}/a", {"metadata": {"labels": {"t": value}}}, content_type=MERGE_PATCH)
        events = self.watched(server, f"labelSelector=t%3Dx&resourceVersion={page['metadata']['resourceVersion']}")
        assert [event["type"] for event in events] == ["ADDED", "DELETED"]


class TestWriting:
    def test_the_samples_are_created_then_unchanged_then_configured(self, cluster: Api, samples: list[Path]) -> None:
        texts = [manifest(sample) for sample in samples]
        changed = [text.replace("\n  name: ", "\n  labels: {a: b}\n  name: ", 1) for text in texts]
        for applied, expected in ((texts, "created"), (texts, "unchanged"), (changed, "configured")):
            printed = cluster.lines("apply", "-f", "-", manifest="\n---\n".join(applied))
            assert [line.split()[-1] for line in printed] == [expected] * len(samples)

    def test_apply_removes_what_the_manifest_no_longer_has(self, cluster: Api, job: Path) -> None:
        text = job.read_text()
        cluster.kubectl("apply", "-f", "-", manifest=text.partition("  tags:")[0])
        thing = json.loads(cluster.kubectl("get", LEGACY_JOBS, "xgboost-mnist", "-o", "json").stdout)
        assert "tags" not in thing["spec"]
        assert thing["metadata"]["generation"] == 2

    def test_create_replace_patch_label_and_delete_say_what_they_did(self, cluster: Api) -> None:
        resource = f"model.{ACK.name}"
        text = json.dumps(model("m"))
        assert cluster.lines("create", "-f", "-", manifest=text) == [f"{resource}/m created"]
        refused = cluster.kubectl("create", "-f", "-", manifest=text, check=False)
        assert "Error from server (AlreadyExists)" in refused.stderr
        assert f'models.{ACK.name} "m" already exists' in refused.stderr
        assert cluster.lines("replace", "-f", "-", manifest=text) == [f"{resource}/m replaced"]
        assert cluster.lines("label", resource, "m", "a=b") == [f"{resource}/m labeled"]
        operations = json.dumps([{"op": "add", "path": "/metadata/labels/c", "value": "d"}])
        assert cluster.lines("patch", resource, "m", "--type", "json", "-p", operations) == [f"{resource}/m patched"]
        labels = cluster.kubectl("get", resource, "m", "-o", "jsonpath={.metadata.labels}").stdout
        assert json.loads(labels) == {"a": "b", "c": "d"}
        assert cluster.lines("delete", resource, "m")[0].startswith(f'{resource} "m" deleted')
        assert "(NotFound)" in cluster.kubectl("get", resource, "m", check=False).stderr

    def test_a_dry_run_changes_nothing(self, cluster: Api) -> None:
        resource = f"model.{ACK.name}"
        text = json.dumps(model("m"))
        assert cluster.lines("create", "-f", "-", "--dry-run=server", manifest=text) == [
            f"{resource}/m created (server dry run)"
        ]
        cluster.kubectl("create", "-f", "-", manifest=text)
        cluster.kubectl("label", resource, "m", "a=b", "--dry-run=server")
        cluster.kubectl("delete", resource, "m", "--dry-run=server")
        assert cluster.kubectl("get", resource, "m", "-o", "jsonpath={.metadata.labels}").stdout == ""

    def test_status_and_spec_are_written_apart(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        _, made = server.request("POST", path, {**model("m"), "status": {"conditions": []}})
        assert "status" not in made
        both = {
            "spec": {"executionRoleARN": "r"},
            "status": {"ackResourceMetadata": {"region": "eu-west-1", "ownerAccountID": "1"}},
        }
        _, main = server.request("PATCH", f"{path}/m", both, content_type=MERGE_PATCH)
        assert "status" not in main
        assert main["spec"] == {"modelName": "m", "executionRoleARN": "r"}
        both["spec"] = {"executionRoleARN": "other"}
        _, status = server.request("PATCH", f"{path}/m/status", both, content_type=MERGE_PATCH)
        assert status["status"] == both["status"]
        assert status["spec"] == main["spec"]

    def test_generations_count_changes_of_the_spec_and_versions_every_change(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        _, made = server.request("POST", path, model("m"))

        def patched(patch: dict[str, Any]) -> dict[str, Any]:
            _, answer = server.request("PATCH", f"{path}/m", patch, content_type=MERGE_PATCH)
            metadata: dict[str, Any] = answer["metadata"]
            return metadata

        same = patched({"spec": {"modelName": "m"}})
        labelled = patched({"metadata": {"labels": {"a": "b"}}})
        changed = patched({"spec": {"executionRoleARN": "r"}})
        assert [step["generation"] for step in (made["metadata"], same, labelled, changed)] == [1, 1, 1, 2]
        versions = [int(step["resourceVersion"]) for step in (made["metadata"], same, labelled, changed)]
        assert versions[0] == versions[1] < versions[2] < versions[3]

    def test_a_strategic_patch_merges_lists_by_their_keys_where_a_kind_is_built_in(self, server: Api) -> None:
        path = server.path("/apis/apps/v1", "deployments")
        containers = [
            {"name": "a", "image": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "1"}]},
            {"name": "b", "image": "b", "ports": [{"containerPort": 1, "name": "one", "protocol": "TCP"}]},
        ]
        volumes = [{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}]
        labels = {"app": "d"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": containers, "volumes": volumes}}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d", "finalizers": ["example.com/x"]},
            "spec": {"selector": {"matchLabels": labels}, "template": pod},
        }
        assert server.request("POST", path, body)[0] == 201

        def patched(spec: dict[str, Any], **members: Any) -> Any:
            patch = {"spec": {"template": {"spec": spec}}, **members}
            status, answer = server.request("PATCH", f"{path}/d", patch, content_type=STRATEGIC_PATCH)
            assert status == 200, answer["message"]
            return answer

        spec = patched(
            {
                "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                "containers": [
                    {"name": "c", "image": "c", "command": ["x"]},
                    {"name": "b", "ports": [{"containerPort": 1, "name": "two"}]},
                    {"name": "a", "env": [{"name": "X", "$patch": "delete"}, {"name": "Y", "value": "2"}]},
                ],
                "volumes": [{"name": "w", "$patch": "delete"}],
            }
        )["spec"]["template"]["spec"]
        assert [one["name"] for one in spec["containers"]] == ["c", "b", "a"]
        assert [one["image"] for one in spec["containers"]] == ["c", "b", "a"]
        assert spec["containers"][2]["env"] == [{"name": "Y", "value": "2"}]
        assert [port["name"] for port in spec["containers"][1]["ports"]] == ["two"]
        assert [volume["name"] for volume in spec["volumes"]] == ["v"]
        spec = patched(
            {
                "$retainKeys": ["containers"],
                "containers": [{"$patch": "replace"}, {"name": "z", "image": "z", "command": ["y"]}],
            }
        )["spec"]["template"]["spec"]
        assert [one["name"] for one in spec["containers"]] == ["z"]
        assert "volumes" not in spec
        both = patched({}, metadata={"finalizers": ["example.com/y"]})["metadata"]["finalizers"]
        assert sorted(both) == ["example.com/x", "example.com/y"]
        drop = {"$deleteFromPrimitiveList/finalizers": ["example.com/x"]}
        assert patched({}, metadata=drop)["metadata"]["finalizers"] == ["example.com/y"]
        assert "finalizers" not in patched({}, metadata={"finalizers": None})["metadata"]
        # What a definition has made has no such keys.
        models = server.path(ACK.path, "models")
        server.request("POST", models, model("m"))
        status, answer = server.request("PATCH", f"{models}/m", {}, content_type=STRATEGIC_PATCH)
        assert (status, answer["reason"]) == (415, "UnsupportedMediaType")

    def test_a_stale_version_is_a_conflict(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        _, made = server.request("POST", path, model("m"))
        server.request("PATCH", f"{path}/m", {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE_PATCH)
        message = (
            f'Operation cannot be fulfilled on models.{ACK.name} "m": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )
        stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"], "labels": {"c": "d"}}}
        for status, answer in (
            server.request("PUT", f"{path}/m", made),
            server.request("PATCH", f"{path}/m", stale, content_type=MERGE_PATCH),
        ):
            assert (status, answer["reason"], answer["message"]) == (409, "Conflict", message)

    def test_a_generated_name_gets_five_letters(self, server: Api) -> None:
        thing = model("m")
        thing["metadata"] = {"generateName": "m-"}
        status, made = server.request("POST", server.path(ACK.path, "models"), thing)
        assert status == 201
        assert re.fullmatch(r"m-[a-z0-9]{5}", made["metadata"]["name"])

    def test_a_finalizer_keeps_a_deleted_object_until_it_is_removed(self, cluster: Api) -> None:
        resource = f"model.{ACK.name}"
        cluster.kubectl("create", "-f", "-", manifest=json.dumps(model("m", finalizers=["a.b/c"])))
        cluster.kubectl("delete", resource, "m", "--wait=false")
        metadata = json.loads(cluster.kubectl("get", resource, "m", "-o", "json").stdout)["metadata"]
        assert metadata["deletionTimestamp"]
        assert (metadata["deletionGracePeriodSeconds"], metadata["generation"]) == (0, 2)
        cluster.kubectl("patch", resource, "m", "--type", "merge", "-p", '{"metadata":{"finalizers":null}}')
        assert "(NotFound)" in cluster.kubectl("get", resource, "m", check=False).stderr

    def test_a_collection_is_deleted_by_selector(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        for name, label in (("a", "x"), ("b", "y")):
            server.request("POST", path, model(name, labels={"t": label}))
        status, gone = server.request("DELETE", f"{path}?labelSelector=t%3Dx")
        assert status == 200
        assert [item["metadata"]["name"] for item in gone["items"]] == ["a"]
        _, left = server.request("GET", path)
        assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


class TestReading:
    def test_selectors_select(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        for name, labels in (("a", {"t": "x", "n": "1"}), ("b", {"t": "y"}), ("c", {})):
            server.request("POST", path, model(name, labels=labels))

        def selected(**query: str) -> str:
            _, page = server.request("GET", f"{path}?{urlencode(query)}")
            return "".join(item["metadata"]["name"] for item in page["items"])

        for selector, names in {
            "t=x": "a",
            "t==x": "a",
            "t!=x": "bc",
            "t in (x, y)": "ab",
            "t notin (x)": "bc",
            "t": "ab",
            "!t": "c",
            "t,n=1": "a",
            "n>0": "a",
            "n<1": "",
        }.items():
            assert selected(labelSelector=selector) == names, selector
        for selector, names in {
            "metadata.name=a": "a",
            "metadata.name!=a": "bc",
            f"metadata.namespace={server.namespace},metadata.name=b": "b",
        }.items():
            assert selected(fieldSelector=selector) == names, selector
        assert selected(fieldSelector="metadata.name!=a", labelSelector="t") == "b"

    def test_kubectl_passes_selectors_on(self, cluster: Api) -> None:
        for name in "ab":
            cluster.request("POST", cluster.path(ACK.path, "models"), model(name, labels={"t": name}))
        for flags in (("-l", "t in (b,c)"), ("--field-selector", "metadata.name=b")):
            assert cluster.lines("get", f"models.{ACK.name}", *flags, "-o", "name") == [f"model.{ACK.name}/b"]

    def test_describe_shows_the_object_and_its_events(self, cluster: Api, job: Path) -> None:
        lines = cluster.lines("describe", LEGACY_JOBS, "xgboost-mnist")
        for expected in (
            "Name:         xgboost-mnist",
            f"Namespace:    {cluster.namespace}",
            f"API Version:  {LEGACY.name}/v1",
            "Kind:         TrainingJob",
        ):
            assert expected in lines
        assert lines[-1].split() == ["Events:", "<none>"]
        uid = cluster.kubectl("get", LEGACY_JOBS, "xgboost-mnist", "-o", "jsonpath={.metadata.uid}").stdout
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "e"},
            "involvedObject": {
                "apiVersion": f"{LEGACY.name}/v1",
                "kind": "TrainingJob",
                "name": "xgboost-mnist",
                "namespace": cluster.namespace,
                "uid": uid,
            },
            "reason": "Started",
            "message": "it runs",
            "type": "Normal",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        assert cluster.request("POST", f"/api/v1/namespaces/{cluster.namespace}/events", event)[0] == 201
        last = cluster.lines("describe", LEGACY_JOBS, "xgboost-mnist")[-1].split()
        assert (last[:2], last[-2:]) == (["Normal", "Started"], ["it", "runs"])

    def test_1200_objects_come_in_pages_each_once_and_in_order(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        names = [f"m-{number:04}" for number in range(1200)]
        connection = server.connection()
        try:
            for name in reversed(names):
                assert server.request("POST", path, model(name), connection=connection)[0] == 201
            seen, sizes, remaining, position = [], [], [], ""
            while True:
                _, page = server.request("GET", f"{path}?limit=500{position}", connection=connection)
                seen += [item["metadata"]["name"] for item in page["items"]]
                sizes.append(len(page["items"]))
                remaining.append(page["metadata"].get("remainingItemCount", 0))
                if not page["metadata"].get("continue"):
                    break
                position = f"&continue={page['metadata']['continue']}"
        finally:
            connection.close()
        assert seen == names
        assert (sizes, remaining) == ([500, 500, 200], [700, 200, 0])
        printed = server.lines("get", f"models.{ACK.name}", "-o", "name")
        assert [line.rpartition("/")[2] for line in printed] == names

    def test_other_namespaces_are_apart_until_all_are_asked_for(self, cluster: Api) -> None:
        cluster.request("POST", cluster.path(ACK.path, "models"), model("m"))
        assert cluster.lines("get", f"models.{ACK.name}", "-n", "default", "-o", "name") == []
        rows = [line.split()[:2] for line in cluster.lines("get", f"models.{ACK.name}", "-A", "--no-headers")]
        assert [cluster.namespace, "m"] in rows

    def test_our_own_client_reads_what_kubectl_wrote(self, server: Api, kube: Any) -> None:
        (api,) = [api for api in APIS if api.resource == f"models.{ACK.name}"]
        for name in "abc":
            server.request("POST", server.path(ACK.path, "models"), model(name))
        assert kube.serves(ACK) == {api.plural for api in APIS if api.group is ACK}
        assert kube.get(api, server.namespace, "b")["spec"] == {"modelName": "b"}
        assert [item["metadata"]["name"] for item in kube.list(api, server.namespace, limit=2)] == list("abc")


class TestRefusals:
    def test_who_has_no_rights_is_told_what_for_even_where_nothing_is_installed(self, server: Api) -> None:
        for path, subject, group in (
            (server.path(LEGACY.path, "trainingjobs"), "trainingjobs", LEGACY.name),
            (server.path("/apis/made.up/v1", "things"), "things", "made.up"),
        ):
            status, answer = server.request("GET", path, user="viewer")
            assert (status, answer["reason"]) == (403, "Forbidden")
            assert answer["message"] == (
                f'{subject}.{group} is forbidden: User "viewer" cannot list resource "{subject}" '
                f'in API group "{group}" in the namespace "{server.namespace}"'
            )
            assert answer["details"] == {"group": group, "kind": subject}
        status, answer = server.request("GET", f"{ACK.path}/models", user="viewer")
        assert answer["message"].endswith("at the cluster scope")

    def test_kubectl_shows_the_refusal(self, cluster: Api) -> None:
        done = cluster.kubectl("--context", "viewer", "get", LEGACY_JOBS, "x", check=False)
        assert done.returncode == 1
        assert done.stderr == (
            f'Error from server (Forbidden): {LEGACY_JOBS} "x" is forbidden: User "viewer" cannot get resource '
            f'"trainingjobs" in API group "{LEGACY.name}" in the namespace "{cluster.namespace}"\n'
        )

    def test_everybody_known_may_discover(self, server: Api) -> None:
        for path in ("/version", "/api", "/apis", ACK.path, "/openapi/v3"):
            assert server.request("GET", path, user="viewer")[0] == 200
        status, answer = server.request("GET", "/nonsense", user="viewer")
        assert (status, answer["message"]) == (403, 'forbidden: User "viewer" cannot get path "/nonsense"')

    def test_an_unknown_token_is_unauthorized_and_none_is_anonymous(self, server: Api) -> None:
        status, answer = server.request("GET", "/apis", user="unknown")
        assert (status, answer["reason"], answer["message"]) == (401, "Unauthorized", "Unauthorized")
        assert server.request("GET", "/version", user=None)[0] == 200
        status, answer = server.request("GET", "/apis", user=None)
        assert status == 403
        assert answer["message"] == 'forbidden: User "system:anonymous" cannot get path "/apis"'

    def test_rights_and_identity_can_be_asked_for(self, cluster: Api) -> None:
        assert cluster.lines("auth", "can-i", "list", LEGACY_JOBS) == ["yes"]
        denied = cluster.kubectl("--context", "viewer", "auth", "can-i", "list", LEGACY_JOBS, check=False)
        assert (denied.stdout, denied.returncode) == ("no\n", 1)
        who = json.loads(cluster.kubectl("--context", "viewer", "auth", "whoami", "-o", "json").stdout)
        assert who["status"]["userInfo"]["username"] == "viewer"
        assert who["status"]["userInfo"]["groups"] == ["viewers", "system:authenticated"]

    def test_what_is_not_there_is_named(self, cluster: Api) -> None:
        missing = cluster.kubectl("get", ACK_JOBS, "missing", check=False)
        assert missing.returncode == 1
        assert missing.stderr == f'Error from server (NotFound): {ACK_JOBS} "missing" not found\n'
        assert (
            'the server doesn\'t have a resource type "things"' in cluster.kubectl("get", "things", check=False).stderr
        )

    def test_a_missing_namespace_holds_nothing_and_takes_nothing(self, cluster: Api) -> None:
        assert cluster.lines("get", ACK_JOBS, "-n", "nowhere") == []
        text = json.dumps(model("m"))
        refused = cluster.kubectl("create", "-n", "nowhere", "-f", "-", manifest=text, check=False)
        assert 'namespaces "nowhere" not found' in refused.stderr

    def test_a_namespace_can_be_made(self, cluster: Api) -> None:
        name = f"{cluster.namespace}-{len(cluster.binary)}"
        assert cluster.lines("create", "namespace", name) == [f"namespace/{name} created"]
        header, row = cluster.lines("get", "namespace", name)
        assert header.split() == ["NAME", "STATUS", "AGE"]
        assert row.split()[:2] == [name, "Active"]

    @pytest.mark.parametrize(
        ("change", "code", "reason", "message"),
        [
            ({"apiVersion": "v1"}, 400, "BadRequest", "the API version in the data (v1) does not match"),
            ({"kind": None}, 400, "BadRequest", "the object provided is unrecognized (must be of type Model)"),
            ({"kind": "Thing"}, 422, "Invalid", 'kind: Invalid value: "Thing": must be Model'),
            ({"metadata": {"name": "A_b"}}, 422, "Invalid", 'metadata.name: Invalid value: "A_b"'),
            ({"metadata": {}}, 422, "Invalid", "metadata.name: Required value: name or generateName is required"),
            ({"metadata": {"name": "m", "namespace": "other"}}, 400, "BadRequest", "does not match the namespace sent"),
        ],
        ids=["version", "no kind", "kind", "name", "no name", "namespace"],
    )
    def test_an_object_that_breaks_a_rule_is_refused(
        self, server: Api, change: dict[str, Any], code: int, reason: str, message: str
    ) -> None:
        thing = {key: value for key, value in {**model("m"), **change}.items() if value is not None}
        status, answer = server.request("POST", server.path(ACK.path, "models"), thing)
        assert (status, answer["reason"]) == (code, reason)
        assert message in answer["message"]

    def test_requests_that_make_no_sense_are_refused(self, server: Api) -> None:
        path = server.path(ACK.path, "models")
        server.request("POST", path, model("m"))
        for code, reason, (status, answer) in (
            (400, "BadRequest", server.request("POST", path, b"{")),
            (400, "BadRequest", server.request("GET", f"{path}?labelSelector=a%20b")),
            (400, "BadRequest", server.request("GET", f"{path}?fieldSelector=spec.a%3Db")),
            (400, "BadRequest", server.request("GET", f"{path}?limit=x")),
            (400, "BadRequest", server.request("GET", f"{path}?continue=x")),
            (400, "BadRequest", server.request("PUT", f"{path}/other", model("m"))),
            (400, "BadRequest", server.request("PATCH", f"{path}/m", b"[", content_type=MERGE_PATCH)),
            (404, "NotFound", server.request("PATCH", f"{path}/other", {}, content_type=MERGE_PATCH)),
            (404, "NotFound", server.request("DELETE", f"{path}/other")),
            (405, "MethodNotAllowed", server.request("DELETE", f"{path}/m/status")),
            (406, "NotAcceptable", server.request("GET", path, accept="text/plain")),
            (415, "UnsupportedMediaType", server.request("POST", path, b"a", content_type="text/plain")),
            (415, "UnsupportedMediaType", server.request("PATCH", f"{path}/m", {})),
            (422, "Invalid", server.request("PUT", f"{path}/m", model("m"))),
            (
                422,
                "Invalid",
                server.request(
                    "PATCH",
                    f"{path}/m",
                    [{"op": "test", "path": "/spec/modelName", "value": "other"}],
                    content_type="application/json-patch+json",
                ),
            ),
        ):
            assert (status, answer["reason"], answer["code"]) == (code, reason, code), answer
            assert (answer["kind"], answer["status"]) == ("Status", "Failure")


class TestApplied:
    """Server-side apply, by which the operator is installed."""

    def apply(self, server: Api, name: str, body: object, *, manager: str = "one") -> tuple[int, Any]:
        path = f"{server.path('/api/v1', 'serviceaccounts', name)}?fieldManager={manager}&force=true"
        return server.request("PATCH", path, body, content_type="application/apply-patch+yaml")

    def account(self, name: str, **metadata: object) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, **metadata}}

    def test_what_is_not_there_is_made_and_what_is_there_is_changed(self, server: Api) -> None:
        status, made = self.apply(server, "a", self.account("a", labels={"x": "1", "y": "1"}))
        assert (status, made["metadata"]["labels"]) == (201, {"x": "1", "y": "1"})
        status, same = self.apply(server, "a", self.account("a", labels={"x": "1", "y": "1"}))
        assert (status, same["metadata"]["resourceVersion"]) == (200, made["metadata"]["resourceVersion"])
        _, changed = self.apply(server, "a", self.account("a", labels={"x": "2"}))
        assert changed["metadata"]["labels"] == {"x": "2"}, "what is applied no more goes"

    def test_what_another_manager_has_applied_stays(self, server: Api) -> None:
        self.apply(server, "a", self.account("a", labels={"x": "1"}))
        self.apply(server, "a", self.account("a", annotations={"b": "1"}), manager="two")
        _, changed = self.apply(server, "a", self.account("a"))
        assert (changed["metadata"].get("labels"), changed["metadata"]["annotations"]) == (None, {"b": "1"})

    def test_it_takes_yaml_and_wants_a_manager(self, server: Api) -> None:
        text = b"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: b\n"
        assert self.apply(server, "b", text)[0] == 201
        status, answer = self.apply(server, "b", text, manager="")
        assert (status, answer["reason"]) == (422, "Invalid")
        assert "fieldManager: Required value: is required for apply patch" in answer["message"]
        assert self.apply(server, "b", b"a: [")[0] == 400
        assert self.apply(server, "z", text)[0] == 400, "of another name"

    def test_kubectl_applies_a_job_that_it_changes(self, cluster: Api) -> None:
        text = json.dumps(model("m") | {"spec": {"modelName": "m", "executionRoleARN": "r"}})
        words = ("apply", "--server-side", "-f", "-")
        assert cluster.lines(*words, manifest=text) == [f"model.{ACK.name}/m serverside-applied"]
        assert cluster.lines(*words, "--dry-run=server", manifest=text.replace('"r"', '"q"')) == [
            f"model.{ACK.name}/m serverside-applied (server dry run)"
        ]
        cluster.kubectl(*words, manifest=text.replace('"r"', '"s"'))
        assert cluster.lines("get", "-o", "jsonpath={.spec.executionRoleARN}", f"model.{ACK.name}/m") == ["s"]


class TestRoles:
    """What a role allows to whom it is bound."""

    def bind(self, server: Api, name: str, *rules: object, kind: str = "Role") -> None:
        where = server.path("/apis/rbac.authorization.k8s.io/v1", "rolebindings")
        roles = server.path("/apis/rbac.authorization.k8s.io/v1", "roles")
        if kind == "ClusterRole":
            roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        version = {"apiVersion": "rbac.authorization.k8s.io/v1"}
        role = {**version, "kind": kind, "metadata": {"name": name}, "rules": rules}
        assert server.request("POST", roles, role)[0] == 201
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "plugin"}]
        body = {**version, "kind": "RoleBinding", "metadata": {"name": name}, "roleRef": reference}
        assert server.request("POST", where, {**body, "subjects": subjects})[0] == 201

    def may(self, server: Api, method: str, path: str, body: object | None = None) -> bool:
        status, _ = server.request(method, path, body, user="plugin")
        return status != 403

    def until(self, server: Api, path: str) -> None:
        """The real server's authorizer learns of a binding a moment later."""
        end = time.monotonic() + 30
        while not self.may(server, "GET", path):
            assert time.monotonic() < end
            time.sleep(0.05)

    def test_a_role_allows_what_it_names_where_it_is_bound(self, server: Api) -> None:
        models = server.path(ACK.path, "models")
        assert not self.may(server, "GET", models)
        self.bind(server, "reader", {"apiGroups": [ACK.name], "resources": ["models"], "verbs": ["list"]})
        self.until(server, models)
        assert not self.may(server, "GET", f"{models}/m")
        assert not self.may(server, "POST", models, model("m"))
        assert not self.may(server, "GET", f"{ACK.path}/models")
        assert not self.may(server, "GET", f"{ACK.path}/namespaces/default/models")

    def test_a_cluster_s_role_that_is_bound_in_a_namespace_and_names_objects(self, server: Api) -> None:
        models = server.path(ACK.path, "models")
        rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "resourceNames": ["m"]}
        self.bind(server, f"one-of-{server.namespace}", rule, kind="ClusterRole")
        self.until(server, f"{models}/m")
        assert not self.may(server, "GET", f"{models}/n")
        assert not self.may(server, "GET", models)
        assert not self.may(server, "GET", f"{ACK.path}/namespaces/default/models/m")

    def test_kubectl_can_ask(self, server: Api) -> None:
        rule = {"apiGroups": [ACK.name], "resources": ["models/status"], "verbs": ["patch"]}
        self.bind(server, "writer", rule, {"apiGroups": [ACK.name], "resources": ["models"], "verbs": ["list"]})
        self.until(server, server.path(ACK.path, "models"))
        asked = ("auth", "can-i", "patch", f"models.{ACK.name}", "--token=tok-plugin")
        for words, said in (((*asked, "--subresource=status"), "yes\n"), (asked, "no\n")):
            assert server.kubectl(*words, check=False).stdout == said


def test_a_definition_of_what_is_served_is_established(server: Api) -> None:
    """The real server has those of both groups; the sandbox serves them with definitions or without."""
    name = f"models.{ACK.name}"
    if server.kind == "sandbox":
        spec = {"group": ACK.name, "names": {"plural": "models", "kind": "Model"}, "scope": "Namespaced"}
        for known in (name, "things.example.com"):
            body: dict[str, Any] = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
            body |= {"metadata": {"name": known}, "spec": {**spec, "versions": [{"name": "v1alpha1", "storage": True}]}}
            assert server.request("POST", CRD_PATH, body)[0] == 201
        refused = server.kubectl(
            "wait", "crd", "things.example.com", "--for=condition=NamesAccepted=false", "--timeout=5s"
        )
        assert refused.stdout == "customresourcedefinition.apiextensions.k8s.io/things.example.com condition met\n"
    said = server.kubectl("wait", "crd", name, "--for=condition=established", "--timeout=5s").stdout
    assert said == f"customresourcedefinition.apiextensions.k8s.io/{name} condition met\n"
