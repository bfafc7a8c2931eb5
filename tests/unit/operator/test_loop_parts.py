"""The store, the lease and the polling, each by itself, on a test's clock."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kubectl_sagemaker.commands.operator import replica
from kubectl_sagemaker.errors import Unavailable
from kubectl_sagemaker.operator.lease import Leader
from kubectl_sagemaker.operator.objects import OWNER
from kubectl_sagemaker.operator.polling import Polling
from kubectl_sagemaker.operator.queue import Key
from kubectl_sagemaker.operator.rows import ROWS
from kubectl_sagemaker.operator.store import Store, key_of
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage
from tests.lab import ROW, Lab
from tests.specs import SPECS

LEASES = RESOURCES["leases.coordination.k8s.io"]


def thing(version: int, *, name: str = "x", uid: str = "u", owner: str | None = None) -> dict[str, Any]:
    labels = {"labels": {OWNER: owner}} if owner else {}
    return {"metadata": {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version), **labels}}


# the store


def test_only_what_is_newer_is_news() -> None:
    store = Store()
    assert store.put("r", thing(5))
    assert not store.put("r", thing(5))
    assert not store.put("r", thing(4))
    assert store.put("r", thing(6))
    assert store.get(Key("r", "ns", "x")) == thing(6)


def test_own_writes_are_no_news_when_the_watch_brings_them() -> None:
    store = Store()
    store.put("r", thing(5), own=True)
    assert not store.put("r", thing(5))
    assert store.is_own("5")


def test_what_has_gone_does_not_come_back() -> None:
    """The answer to a write can come after the watch has told that the object is gone."""
    store = Store()
    store.put("r", thing(5))
    store.remove("r", thing(7))
    assert not store.put("r", thing(6), own=True)
    assert store.put("r", thing(8, uid="another"))


def test_a_list_tells_what_has_gone_meanwhile() -> None:
    store = Store()
    for name in ("a", "b"):
        store.put("r", thing(5, name=name))
    store.put("r", thing(9, name="made since the list"))
    listed = {key_of("r", thing(5, name="a")): thing(5, name="a")}
    assert [gone["metadata"]["name"] for gone in store.keep("r", listed, 7)] == ["b"]
    assert [one["metadata"]["name"] for one in store.of("r")] == ["a", "made since the list"]


def test_owned_objects_are_found_by_their_owner() -> None:
    store = Store()
    store.put("r", thing(1, name="a", uid="1", owner="me"))
    store.put("r", thing(2, name="b", uid="2", owner="other"))
    assert [one["metadata"]["name"] for one in store.owned("r", "me")] == ["a"]
    store.remove("r", thing(3, name="a", uid="1", owner="me"))
    assert store.owned("r", "me") == []


# the lease


@pytest.fixture
def lab() -> Lab:
    return Lab()


def candidate(lab: Lab, identity: str) -> Leader:
    return Leader(lab.kube, namespace="default", name="op", identity=identity, now=lab.clock)


def test_one_of_two_acts_and_the_other_takes_over_when_it_dies(lab: Lab) -> None:
    one, two = candidate(lab, "one"), candidate(lab, "two")
    for _ in range(20):
        one.step()
        two.step()
        assert (one.acting.is_set(), two.acting.is_set()) == (True, False)
        lab.clock.advance(2)
    for _ in range(7):
        two.step()
        assert not two.acting.is_set(), "its lease is not over yet"
        lab.clock.advance(2)
    lab.clock.advance(2)
    two.step()
    assert two.acting.is_set()
    lease = lab.cluster.get(LEASES, "default", "op")
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 1)


def test_who_stands_by_says_once_for_whom(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kubectl_sagemaker.operator")
    one, two = candidate(lab, "one"), candidate(lab, "two")
    for _ in range(3):
        one.step()
        two.step()
        lab.clock.advance(2)
    said = ["this replica (one) acts", "this replica (two) stands by: one acts"]
    assert [record.getMessage() for record in caplog.records] == said


def test_a_lease_without_a_namespace_is_told(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kubectl_sagemaker.operator")
    leader = Leader(lab.kube, namespace="none", name="op", identity="one", now=lab.clock)
    for _ in range(3):
        leader.step()
    leader.give_back()
    assert [record.getMessage() for record in caplog.records] == [
        'the lease can\'t be reached: namespaces "none" not found'
    ]


def test_two_replicas_have_two_names_though_host_and_process_are_the_same() -> None:
    assert replica() != replica()


def test_a_lease_that_is_given_back_can_be_taken_at_once(lab: Lab) -> None:
    one, two = candidate(lab, "one"), candidate(lab, "two")
    one.step()
    two.step()
    one.give_back()
    two.step()
    assert (one.acting.is_set(), two.acting.is_set()) == (False, True)


def test_who_is_cut_off_acts_no_more_before_another_does(lab: Lab) -> None:
    one, two = candidate(lab, "one"), candidate(lab, "two")
    one.step()
    working, call = True, lab.kube.call

    def cut(*words: Any, **named: Any) -> Any:
        if working:
            return call(*words, **named)
        raise Unavailable("cut off")

    one._kube = type("Cut", (), {"call": staticmethod(cut)})()
    two.step()
    working = False
    acting = []
    for _ in range(12):
        lab.clock.advance(2)
        one.step()
        two.step()
        acting.append((one.acting.is_set(), two.acting.is_set()))
    assert (True, True) not in acting
    assert acting[-1] == (False, True)
    working = True
    one.step()
    assert not one.acting.is_set()


def test_two_that_try_at_once_are_not_both_granted(lab: Lab) -> None:
    one, two = candidate(lab, "one"), candidate(lab, "two")
    one.step()
    one.give_back()
    lab.clock.advance(1)
    call = lab.kube.call

    def between(method: str, *words: Any, **named: Any) -> Any:
        if method == "PUT":
            one._kube = lab.kube
            two.step()
        return call(method, *words, **named)

    one._kube = type("Between", (), {"call": staticmethod(between)})()
    one.step()
    assert (one.acting.is_set(), two.acting.is_set()) == (False, True)


def test_it_stands_until_it_is_stopped(lab: Lab) -> None:
    stopping = threading.Event()
    stopping.set()
    leader = candidate(lab, "one")
    leader.run(stopping)
    assert not leader.acting.is_set()


# the polling


def polled(lab: Lab, polling: Polling) -> set[str]:
    things = [
        (Key(ROW[singular].api.resource, "default", one["metadata"]["name"]), one)
        for singular in ROW
        for one in lab.all(singular)
    ]
    return {key.name for key in polling.step(things)}


def started(lab: Lab, *names: str, singular: str = "trainingjob") -> Polling:
    for name in names:
        lab.apply(singular, name, SPECS[singular])
        lab.look(singular, name)
    return Polling(lab.aws, ROWS, now=lab.clock)


def test_a_thousand_jobs_cost_one_request_while_nothing_changes(lab: Lab) -> None:
    lab.account.jobs.lifecycle = lambda kind, parameters: (Stage(0, "InProgress", "Training"),)
    polling = started(lab, *(f"job-{number}" for number in range(1000)))
    polled(lab, polling)
    for _ in range(20):
        lab.clock.advance(5)
        polled(lab, polling)
    before = len(lab.account.journal)
    for _ in range(12):
        lab.clock.advance(5)
        assert polled(lab, polling) == set()
    assert len(lab.account.journal) - before == 12


def test_jobs_that_have_changed_are_told_and_each_change_once(lab: Lab) -> None:
    lab.account.jobs.lifecycle = lambda kind, parameters: (Stage(0, "InProgress"), Stage(30, "Completed"))
    polling = started(lab, "a", "b", singular="processingjob")
    assert polled(lab, polling) == set()
    lab.clock.advance(5)
    lab.delete("processingjob", "a")
    lab.look("processingjob", "a")
    lab.clock.advance(10)
    assert polled(lab, polling) == {"a"}
    assert polled(lab, polling) == set()
    lab.clock.advance(20)
    assert polled(lab, polling) == {"b"}


def test_what_changed_while_nobody_could_ask_is_told_later(lab: Lab) -> None:
    polling = started(lab, "a")
    polled(lab, polling)
    lab.refuse("ListTrainingJobs", "InternalFailure", status=500)
    for _ in range(120):
        lab.clock.advance(5)
        assert polled(lab, polling) == set()
    lab.heal()
    assert polled(lab, polling) == {"a"}


def test_a_list_that_breaks_off_between_two_pages_is_asked_for_whole_again(lab: Lab) -> None:
    """What the second page would have shown, older changes, is not taken for seen."""
    lab.account.jobs.lifecycle = lambda kind, parameters: (Stage(0, "InProgress"),)
    names = [f"job-{number:03d}" for number in range(120)]
    polling = started(lab, *names, singular="processingjob")
    polled(lab, polling)
    for name in reversed(names):
        # A minute lies between the first change and the last, and lists are in the order of creation.
        lab.clock.advance(0.5)
        job = lab.status("processingjob", name)["sageMakerProcessingJobName"]
        lab.account.jobs.call("StopProcessingJob", {"ProcessingJobName": job})
    throttled = AwsError("ThrottlingException", "Rate exceeded")
    lab.account.refuses = lambda operation, given: throttled if given.get("NextToken") else None
    told = polled(lab, polling)
    assert 0 < len(told) < 120
    lab.clock.advance(60)
    lab.heal()
    assert told | polled(lab, polling) == set(names)


def test_a_tuning_job_is_told_of_when_its_children_change(lab: Lab) -> None:
    polling = started(lab, "tuning", singular="hyperparametertuningjob")
    polled(lab, polling)
    name = lab.status("hyperparametertuningjob", "tuning")["sageMakerHyperParameterTuningJobName"]
    lab.clock.advance(1)
    lab.account.jobs.put("TrainingJob", f"{name}-001-abc", (Stage(0, "InProgress", "Training"),))
    assert polled(lab, polling) == {"tuning"}


def test_where_lists_are_refused_each_is_asked_about_now_and_then(lab: Lab) -> None:
    polling = started(lab, "a", "b")
    lab.refuse("ListTrainingJobs", "AccessDeniedException")
    told = []
    for _ in range(13):
        told.append(polled(lab, polling))
        lab.clock.advance(5)
    assert told.count({"a", "b"}) == 3
    assert told.count(set()) == 10


def test_nothing_that_runs_nothing_that_is_asked(lab: Lab) -> None:
    polling = started(lab, "a")
    lab.clock.advance(60)
    lab.look("trainingjob", "a")
    before = len(lab.account.journal)
    assert polled(lab, polling) == set()
    assert len(lab.account.journal) == before
