"""Scripts that use the official Python client work in the sandbox as they do on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest
from kubernetes.client import ApiException

from kubectl_sagemaker.kinds import ACK
from tests.contract.conftest import Api
from tests.contract.test_kubernetes_api import model

MODELS = "models"
official: Any = kubernetes
"""It is typed in part."""


@pytest.fixture
def client(server: Api) -> Iterator[Any]:
    """The client, configured by its own reader of kubeconfigs."""
    with official.config.new_client_from_config(str(server.kubeconfig)) as made:
        yield made


@pytest.fixture
def place(server: Api) -> tuple[str, str, str, str]:
    """Where the test's models are, in the client's order."""
    return ACK.name, ACK.version, server.namespace, MODELS


def test_custom_objects_are_created_read_changed_and_deleted(client: Any, place: tuple[str, str, str, str]) -> None:
    objects = official.client.CustomObjectsApi(client)
    made = objects.create_namespaced_custom_object(*place, model("a", labels={"team": "x"}))
    assert objects.get_namespaced_custom_object(*place, "a") == made
    patched = objects.patch_namespaced_custom_object(*place, "a", {"metadata": {"labels": {"more": "y"}}})
    assert patched["metadata"]["labels"] == {"team": "x", "more": "y"}
    status = objects.patch_namespaced_custom_object_status(*place, "a", {"status": {"conditions": []}})
    assert status["status"] == {"conditions": []}
    with pytest.raises(ApiException) as stale:
        objects.replace_namespaced_custom_object(*place, "a", made)
    assert (stale.value.status, stale.value.reason) == (409, "Conflict")
    listed = objects.list_namespaced_custom_object(*place, label_selector="team=x,more")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    objects.delete_namespaced_custom_object(*place, "a")
    with pytest.raises(ApiException) as gone:
        objects.get_namespaced_custom_object(*place, "a")
    assert (gone.value.status, gone.value.reason) == (404, "Not Found")


def test_a_watch_tells_what_happens(client: Any, place: tuple[str, str, str, str]) -> None:
    objects = official.client.CustomObjectsApi(client)
    version = objects.list_namespaced_custom_object(*place)["metadata"]["resourceVersion"]
    objects.create_namespaced_custom_object(*place, model("a"))
    objects.patch_namespaced_custom_object(*place, "a", {"metadata": {"labels": {"team": "x"}}})
    objects.delete_namespaced_custom_object(*place, "a")
    watch = official.watch.Watch()
    told = []
    for event in watch.stream(
        objects.list_namespaced_custom_object, *place, resource_version=version, timeout_seconds=30
    ):
        told.append((event["type"], event["object"]["metadata"]["name"]))
        if len(told) == 3:
            watch.stop()
    assert told == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_typed_and_discovered_resources_are_there(client: Any, server: Api) -> None:
    core = official.client.CoreV1Api(client)
    assert server.namespace in [each.metadata.name for each in core.list_namespace().items]
    dynamic = official.dynamic.DynamicClient(client)
    models = dynamic.resources.get(api_version=f"{ACK.name}/{ACK.version}", kind="Model")
    made = models.create(body=model("a"), namespace=server.namespace)
    assert [item.metadata.uid for item in models.get(namespace=server.namespace).items] == [made.metadata.uid]
