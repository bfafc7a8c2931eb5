"""Objects whose status is patched as a controller would, and names that are looked for among all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.errors import Error, Forbidden, NotFound
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.kinds import ACK, LEGACY, Api, Group
from kubectl_sagemaker.kube import Kube
from kubectl_sagemaker.sandbox.world import PROCESSING, TRANSFORM, spelt, training
from tests.contract import conftest

DENIED = "AccessDeniedException: not authorized to perform: iam:PassRole"
METADATA = {"ownerAccountID": "123456789012", "region": "us-west-2"}


def condition(kind: str) -> dict[str, Any]:
    return {"ackResourceMetadata": METADATA, "conditions": [{"type": kind, "status": "True", "message": DENIED}]}


def create(server: conftest.Api, word: str, request: Mapping[str, Any], name: str = "xgb") -> Api:
    """An object of a kind, whose spec is AWS's request as its group spells it; returns where it is kept."""
    target = kinds.parse(word)
    (api,) = target.apis
    spec = spelt(request, api.group)
    spec |= {"region": "us-west-2"} if api.group is LEGACY else {}
    if api.job_name[-1].startswith("spec."):
        spec[api.job_name[-1].removeprefix("spec.")] = name
    thing = {
        "apiVersion": f"{api.group.name}/{api.group.version}",
        "kind": api.kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    status, answer = server.request("POST", server.path(api.group.path, api.plural), thing)
    assert status == 201, answer
    return api


def set_status(server: conftest.Api, api: Api, status: Mapping[str, Any], name: str = "xgb") -> None:
    path = f"{server.path(api.group.path, api.plural, name)}/status"
    code, answer = server.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")
    assert code == 200, answer


def found(kube: Kube, word: str) -> Job:
    return jobs.find(kube, [kinds.parse(word)], kube.namespace, "xgb").job


def training_of(group: Group) -> str:
    return f"trainingjob.{group.name}"


@pytest.mark.parametrize("group", [ACK, LEGACY], ids=lambda group: group.label)
def test_an_object_that_no_controller_has_seen(server: conftest.Api, kube: Kube, group: Group) -> None:
    create(server, training_of(group), training(1, "ml.m5.large"))
    job = found(kube, training_of(group))
    assert (job.reconciled, job.created, job.uncreated, job.terminal) == (False, False, False, False)
    assert job.problem == "no controller has reconciled this"
    assert job.job_name == "xgb", "the name says nothing"


@pytest.mark.parametrize(
    ("kind", "terminal"), [("ACK.Terminal", True), ("ACK.Recoverable", False)], ids=["terminal", "recoverable"]
)
def test_an_ack_job_that_could_not_be_created(server: conftest.Api, kube: Kube, kind: str, terminal: bool) -> None:
    api = create(server, training_of(ACK), training(1, "ml.m5.large"))
    set_status(server, api, condition(kind))
    job = found(kube, training_of(ACK))
    assert (job.uncreated, job.terminal, job.problem) == (True, terminal, f"{kind}: {DENIED}")
    assert (job.region, job.account) == ("us-west-2", "123456789012")


def test_an_ack_job_that_runs_has_its_arn_whatever_its_conditions_say(server: conftest.Api, kube: Kube) -> None:
    api = create(server, training_of(ACK), training(1, "ml.m5.large"))
    set_status(server, api, condition("ACK.Terminal"))
    assert not found(kube, training_of(ACK)).created
    arn = "arn:aws:sagemaker:us-west-2:123456789012:training-job/xgb"
    set_status(server, api, {"ackResourceMetadata": {"arn": arn}})
    job = found(kube, training_of(ACK))
    assert (job.created, job.uncreated, job.terminal) == (True, False, True)


@pytest.mark.parametrize(
    ("word", "request_of", "status", "expected"),
    [
        (
            "trainingjob",
            training(1, "ml.m5.large"),
            {"trainingJobStatus": "ReconcilingTrainingJob", "additional": DENIED, "sageMakerTrainingJobName": "xgb"},
            (False, False),
        ),
        ("processingjob", PROCESSING, {"processingJobStatus": "Error", "additional": DENIED}, (False, True)),
        ("batchtransformjob", TRANSFORM, {"transformJobStatus": "InProgress", "additional": DENIED}, (True, False)),
    ],
    ids=["reconciling", "error", "in progress"],
)
def test_a_legacy_jobs_state_says_whether_sagemaker_has_it(
    server: conftest.Api,
    kube: Kube,
    word: str,
    request_of: Mapping[str, Any],
    status: Mapping[str, Any],
    expected: tuple[bool, bool],
) -> None:
    word = f"{word}.{LEGACY.name}"
    set_status(server, create(server, word, request_of), status)
    job = found(kube, word)
    assert ((job.created, job.terminal), job.uncreated, job.problem) == (expected, False, DENIED)


def test_a_name_alone_is_looked_for_among_all_kinds_of_both_groups(server: conftest.Api, kube: Kube) -> None:
    def search(name: str = "xgb") -> Job:
        return jobs.find(kube, kinds.logged(), kube.namespace, name).job

    with pytest.raises(NotFound, match=r"'xgb' not found in namespace .* among \d+ kinds of "):
        search()
    create(server, f"processingjob.{LEGACY.name}", PROCESSING)
    assert search().api.resource == f"processingjobs.{LEGACY.name}"
    create(server, training_of(ACK), training(1, "ml.m5.large"))
    with pytest.raises(Error, match="'xgb' is the name of several resources") as caught:
        search()
    assert caught.value.hint == f"say which: {training_of(ACK)}/xgb or processingjob.{LEGACY.name}/xgb"


def test_who_may_look_nowhere_is_refused(server: conftest.Api) -> None:
    kube = Kube(Connection(kubeconfig=str(server.kubeconfig), context="viewer", namespace=server.namespace))
    with pytest.raises(Forbidden, match='User "viewer" cannot get'):
        jobs.find(kube, kinds.logged(), server.namespace, "xgb")
