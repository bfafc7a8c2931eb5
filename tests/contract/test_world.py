"""The sandbox's world on both servers: its objects are valid by the published CRDs, and are read there as here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.kube import Kube
from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.parts import PARTS
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.world import ROWS, World
from tests.contract.conftest import Api

SHOWN = sorted({part.resource for part in PARTS if part.name})


@pytest.fixture(scope="module")
def world() -> World:
    """The world a while after the start: what was to come is there, and the pipeline has got to its last step."""
    clock = {"now": time.time() - 400}
    pretended: dict[str, float | None] = {"now": None}
    cluster = Cluster(now=lambda: pretended["now"] or clock["now"])
    cluster.create_namespace("ml")
    pretend: Callable[[float | None], None] = lambda moment: pretended.update(now=moment)  # noqa: E731 - one line
    elsewhere = {"eu-central-1": Account(now=lambda: clock["now"], region="eu-central-1")}
    world = World(cluster, Account(now=lambda: clock["now"]), pretend, elsewhere)
    world.populate(PARTS, start=clock["now"])
    clock["now"] += 240
    world.reconcile()
    return world


def things(world: World, resource: str) -> list[dict[str, Any]]:
    """The objects of a resource, as the world shows them."""
    return [
        dict(world.cluster.get(RESOURCES[resource], part.namespace, part.name))
        for part in PARTS
        if part.resource == resource and part.name
    ]


def test_every_kind_with_a_log_is_shown_in_each_group_that_has_it() -> None:
    logged = {api.resource for target in kinds.targets(all_kinds=False) for api in target.apis}
    assert set(SHOWN) == logged


@pytest.mark.parametrize("resource", SHOWN)
def test_what_the_sandbox_shows_is_valid_and_is_read_the_same(
    server: Api, kube: Kube, world: World, resource: str
) -> None:
    kind, api = ROWS[resource]
    plural = server.path(api.group.path, api.plural)
    shown = things(world, resource)
    assert shown
    for number, thing in enumerate(shown):
        # Two namespaces of the sandbox come into one here.
        name = f"{thing['metadata']['name']}-{number}"
        metadata = {"name": name, "labels": thing["metadata"].get("labels", {})}
        body = {"apiVersion": thing["apiVersion"], "kind": thing["kind"], "metadata": metadata, "spec": thing["spec"]}
        status, answer = server.request("POST", f"{plural}?fieldValidation=Strict", body)
        assert status == 201, answer
        if "status" in thing:
            patch = {"status": thing["status"]}
            status, answer = server.request(
                "PATCH",
                f"{plural}/{name}/status?fieldValidation=Strict",
                patch,
                content_type="application/merge-patch+json",
            )
            assert status == 200, answer
        assert answer["spec"] == thing["spec"], "nothing was pruned"
        assert answer.get("status") == thing.get("status"), "nothing was pruned"
        found = jobs.find(kube, [kinds.Target(kind, (api,))], server.namespace, name).job
        read = jobs.read(kind, api, thing)
        expected = read._replace(
            name=name,
            namespace=server.namespace,
            resource_creation_time=found.resource_creation_time,
            uid=found.uid,
            # A JSON object has no order.
            counters=found.counters,
        )
        assert found == expected
        assert dict(found.counters) == dict(read.counters)


def test_labels_select_what_the_sandbox_labels(server: Api, kube: Kube, world: World) -> None:
    (kind, api) = ROWS["trainingjobs.sagemaker.services.k8s.aws"]
    for thing in things(world, api.resource):
        body = {**thing, "metadata": {key: thing["metadata"].get(key) for key in ("name", "labels")}}
        status, answer = server.request("POST", server.path(api.group.path, api.plural), body)
        assert status == 201, answer
    listing = jobs.collect(kube, [kinds.Target(kind, (api,))], server.namespace, selector="app=sweep")
    assert sorted(job.name for job in listing.jobs) == ["sweep-1", "sweep-2", "sweep-3", "sweep-4"]
