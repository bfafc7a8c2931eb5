"""Resources are seen as they change, whatever happens to the connection, on the sandbox's API and a real API server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.changes import Changed, Changes, Deleted, Listed, News, Trouble
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.errors import Forbidden
from kubectl_sagemaker.kube import Expired, Kube
from tests.contract.conftest import Api
from tests.environment import PROGRAMS
from tests.servers import ApiServer

TARGET = kinds.parse("trainingjob.sagemaker.services.k8s.aws")
JOBS = TARGET.apis[0]
ROW = (TARGET.kind, JOBS)
SECONDS = 60.0
"""A change that is not seen within so long fails its test; most are within a tenth of a second."""


def job(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{JOBS.group.name}/{JOBS.group.version}",
        "kind": JOBS.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "trainingJobName": name,
            "roleARN": "arn:aws:iam::123456789012:role/r",
            "algorithmSpecification": {"trainingInputMode": "File"},
            "outputDataConfig": {"s3OutputPath": "s3://b/"},
            "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGB": 5},
            "stoppingCondition": {"maxRuntimeInSeconds": 60},
        },
    }


def until(changes: Changes, wanted: Callable[[list[News]], bool]) -> list[News]:
    """All news up to the first moment at which they are as wanted."""
    end = time.monotonic() + SECONDS
    news: list[News] = []
    while not wanted(news):
        assert time.monotonic() < end, news
        news += changes.get(0.2)
    return news


def names(news: list[News]) -> list[tuple[str, str, str | None]]:
    """What happened, as (what, name, status)."""
    told: list[tuple[str, str, str | None]] = []
    for item in news:
        match item:
            case Listed(_, found):
                told += [("listed", each.name, each.status) for each in found]
            case Changed(each):
                told.append(("changed", each.name, each.status))
            case Deleted(each):
                told.append(("deleted", each.name, each.status))
            case _:
                pass
    return told


def listed(news: list[News]) -> bool:
    return any(isinstance(item, Listed) for item in news)


class TestBoth:
    """On both servers."""

    def test_what_comes_changes_and_goes_is_told(self, server: Api, kube: Kube) -> None:
        path = server.path(JOBS.group.path, JOBS.plural)
        server.request("POST", path, job("there"))
        changes = Changes(kube, [ROW], server.namespace)
        changes.start()
        assert names(until(changes, listed)) == [("listed", "there", None)]
        server.request("POST", path, job("new"))
        status = {"status": {"trainingJobStatus": "InProgress"}}
        server.request("PATCH", f"{path}/new/status", status, content_type="application/merge-patch+json")
        server.request("DELETE", f"{path}/there")
        assert names(until(changes, lambda news: len(names(news)) == 3)) == [
            ("changed", "new", None),
            ("changed", "new", "InProgress"),
            ("deleted", "there", None),
        ]

    @pytest.mark.parametrize("choice", [{"selector": "team=vision"}, {"name": "chosen"}], ids=["selector", "name"])
    def test_only_what_was_chosen_is_told(self, server: Api, kube: Kube, choice: dict[str, str]) -> None:
        path = server.path(JOBS.group.path, JOBS.plural)
        server.request("POST", path, job("other"))
        changes = Changes(kube, [ROW], server.namespace, **choice)  # type: ignore[arg-type]  # both are texts
        changes.start()
        assert names(until(changes, listed)) == []
        server.request("POST", path, job("another"))
        server.request("POST", path, job("chosen", team="vision"))
        assert names(until(changes, lambda news: bool(names(news)))) == [("changed", "chosen", None)]

    def test_a_watch_ends_by_itself_and_goes_on_where_it_was(self, server: Api) -> None:
        lines: list[str] = []
        connection = Connection(kubeconfig=str(server.kubeconfig), namespace=server.namespace, request_timeout=1.0)
        changes = Changes(Kube(connection, debug=lines.append), [ROW], server.namespace)
        changes.start()
        until(changes, listed)
        end = time.monotonic() + SECONDS
        while sum(" watch from " in line for line in lines) < 3:
            assert time.monotonic() < end, lines
            assert changes.get(0.2) == [], "nothing has changed"
        assert sum(" watch from " not in line for line in lines) == 1, (
            "one list: each watch goes on from the one before"
        )
        server.request("POST", server.path(JOBS.group.path, JOBS.plural), job("late"))
        assert names(until(changes, lambda news: bool(names(news)))) == [("changed", "late", None)]

    def test_a_version_that_is_none_any_more_is_expired(self, server: Api, kube: Kube) -> None:
        if server.kind == "sandbox":
            pytest.skip("the sandbox's history is longer than a test's")
        with pytest.raises(Expired):
            list(kube.watch(JOBS, server.namespace, "1"))

    def test_a_kind_that_may_not_be_read_is_told_once(self, server: Api) -> None:
        viewer = Kube(Connection(kubeconfig=str(server.kubeconfig), context="viewer"))
        changes = Changes(viewer, [ROW], server.namespace)
        changes.start()
        (trouble,) = until(changes, bool)
        assert isinstance(trouble, Trouble)
        assert (type(trouble.error), trouble.first) == (Forbidden, True)
        assert changes.get(1.0) == []

    def test_after_a_sleep_everything_is_listed_again(self, server: Api, kube: Kube) -> None:
        server.request("POST", server.path(JOBS.group.path, JOBS.plural), job("there"))
        clocks = [0.0, 0.0]
        changes = Changes(kube, [ROW], server.namespace, clocks=lambda: (clocks[0], clocks[1]))
        changes.start()
        until(changes, listed)
        clocks[:] = [1.0, 1.0]
        assert changes.get(1.0) == [], "a second that was spent awake is no sleep"
        clocks[:] = [3600.0, 1.0]
        assert names(until(changes, listed)) == [("listed", "there", None)]

    def test_waking_interrupts_the_wait(self, kube: Kube) -> None:
        changes = Changes(kube, [], None)
        changes.wake()
        assert changes.get(SECONDS) == []


@pytest.fixture(scope="module")
def own_server() -> Iterator[ApiServer]:
    """A server that this module stops and starts."""
    crds = os.environ.get("SAGEMAKER_CRDS")
    if not crds:
        pytest.skip("SAGEMAKER_CRDS names no folder with the published CRDs")
    with ApiServer() as server:
        server.install(Path(crds, "ack"))
        yield server


@pytest.mark.xdist_group("own-apiserver")
class TestRestart:
    """On a real API server of its own."""

    PATH = f"{JOBS.group.path}/namespaces/default/{JOBS.plural}"

    def test_a_restart_is_told_and_what_it_hid_is_seen_afterwards(self, own_server: ApiServer) -> None:
        own_server.request("POST", self.PATH, job("before"))
        own_server.request("POST", self.PATH, job("lost"))
        changes = Changes(Kube(Connection(kubeconfig=str(own_server.kubeconfig))), [ROW], "default")
        changes.start()
        until(changes, listed)
        own_server.stop_serving()
        down = until(changes, lambda news: any(isinstance(item, Trouble) and item.error for item in news))
        assert not any(isinstance(item, Trouble) and item.first for item in down)
        own_server.serve_again()
        own_server.request("DELETE", f"{self.PATH}/lost")
        own_server.request("POST", self.PATH, job("after"))
        # Whether the list or the watch tells of it depends on which was first.
        again = until(changes, lambda news: "after" in {name for _, name, _ in names(news)})
        assert Trouble(JOBS, None) in again
        assert listed(again)
        own_server.request("POST", self.PATH, job("later"))
        assert ("changed", "later", None) in names(until(changes, lambda news: bool(names(news))))

    def test_a_version_that_expires_while_it_is_down_costs_a_list(self, own_server: ApiServer) -> None:
        lines: list[str] = []
        kube = Kube(Connection(kubeconfig=str(own_server.kubeconfig), request_timeout=2.0), debug=lines.append)
        changes = Changes(kube, [ROW], "default")
        changes.start()
        until(changes, listed)
        own_server.stop_serving()
        own_server.compact()
        own_server.serve_again()
        own_server.request("POST", self.PATH, job("after-compaction"))
        assert "after-compaction" in {
            name for _, name, _ in names(until(changes, lambda news: "after-compaction" in str(news)))
        }

    def test_a_watch_outlives_a_restart(self, own_server: ApiServer) -> None:
        own_server.request("POST", self.PATH, job("survivor"))
        process = subprocess.Popen(
            [str(PROGRAMS / "kubectl-sagemaker"), "status", "trainingjob", "-w", "--timeout", "90s"],
            env={**os.environ, "KUBECONFIG": str(own_server.kubeconfig)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stderr
        # Other tests' resources have lines as well.
        assert any("trainingjob/survivor: ? no status" in line for line in process.stdout)
        own_server.stop_serving()
        assert re.fullmatch(r".*127\.0\.0\.1:\d+.*; trying again\n", process.stderr.readline())
        own_server.serve_again()
        assert process.stderr.readline() == "watching again\n"
        status = {"status": {"trainingJobStatus": "InProgress"}}
        own_server.request("PATCH", f"{self.PATH}/survivor/status", status, content_type="application/merge-patch+json")
        assert any(line.endswith(" * trainingjob/survivor: ▸ InProgress\n") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        # A server that has just started may still stumble.
        _, said = process.communicate(timeout=SECONDS)
        assert all(line.endswith("trying again") or line == "watching again" for line in said.splitlines())
        assert process.returncode == -signal.SIGINT
