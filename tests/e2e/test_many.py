"""Every kind that has a log, and many jobs at once, through real kubectl in the sandbox's own world."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.sandbox.parts import PARTS
from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import Shell, finish, shell_of
from tests.e2e.test_follow import until

LOGGED = [api.resource for target in kinds.logged() for api in target.apis]


@pytest.fixture(scope="module")
def living() -> Iterator[Sandbox]:
    """The world that goes on."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def shell(living: Sandbox) -> Shell:
    """A shell in it."""
    return shell_of(living)


def records(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.mark.parametrize("resource", LOGGED)
def test_each_kind_of_each_group_has_a_log_in_the_sandbox_and_it_is_read(shell: Shell, resource: str) -> None:
    named = [part for part in PARTS if part.resource == resource and part.name and part.job_name and not part.status]
    part = named[0]
    ran = shell.smlogs(f"{resource}/{part.name}", "-n", part.namespace, "-o", "json", "--tail", "3")
    assert ran.code == 0
    assert {record["type"] for record in records(ran.stdout)} == {"log"}
    assert {record["resource"].partition("/")[2] for record in records(ran.stdout)}


def test_an_endpoints_lines_say_variant_and_instance(shell: Shell) -> None:
    ran = shell.smlogs("endpoint/ranking", "-n", "ml", "-o", "short", "--tail", "1", "--instance", "canary/*")
    (line,) = ran.stdout.splitlines()
    assert line.startswith("canary/i-")


def test_a_data_log_is_read_on_demand(shell: Shell) -> None:
    command = ("batchtransformjob", "xgboost-batch", "-o", "json")
    without, with_it = (records(shell.smlogs(*command, *more).stdout) for more in ((), ("--data-log",)))
    assert not [record for record in without if record["stream"].endswith("/data-log")]
    assert [record for record in with_it if record["stream"].endswith("/data-log")]
    assert [record for record in with_it if not record["stream"].endswith("/data-log")] == without


def test_a_labeling_jobs_stream_is_its_name_and_no_longer(shell: Shell) -> None:
    ran = shell.smlogs("labelingjob", "reviews", "-n", "ml", "-o", "json")
    assert {record["stream"] for record in records(ran.stdout)} == {"reviews"}
    assert {record["instance"] for record in records(ran.stdout)} == {"reviews"}


def test_what_has_no_end_is_followed_until_ctrl_c(shell: Shell) -> None:
    follower = shell.start("kubectl", "smlogs", "endpoint", "ranking", "-n", "ml", "-f", "--tail", "1", "-o", "raw")
    assert follower.stdout
    for _ in range(8):
        assert follower.stdout.readline()
    os.killpg(follower.pid, signal.SIGINT)
    ran = finish(follower)
    assert ran.code == 130
    assert "error" not in ran.stderr


def test_a_tuning_jobs_log_is_its_childrens_and_the_best_can_be_chosen(shell: Shell) -> None:
    name = "xgboost-mnist-hpo"
    everything = records(shell.smlogs("hyperparametertuningjob", name, "-o", "json").stdout)
    parent = {record["job"].rpartition("-")[0].rpartition("-")[0] for record in everything}
    assert len(parent) == 1
    assert len({record["job"] for record in everything}) > 3
    best = shell.smlogs("hyperparametertuningjob", name, "--best", "-o", "json")
    (job,) = {record["job"] for record in records(best.stdout)}
    assert f"best so far: {job}, validation:error" in best.stderr
    short = shell.smlogs("hyperparametertuningjob", name, "--best", "-o", "short", "--tail", "1").stdout
    assert short.startswith(f"{job.removeprefix(f'{parent.pop()}-')}/algo-1 ")


def test_a_pipeline_that_failed_is_followed_to_its_end(shell: Shell) -> None:
    ran = shell.smlogs("pipelineexecution", "churn-weekly", "-n", "ml", "-f", "-o", "json")
    assert ran.code == 3
    ends = {record["resource"]: record["exitCode"] for record in records(ran.stdout) if record["type"] == "end"}
    assert ends["pipelineexecution/churn-weekly"] == 3
    assert {record["resource"] for record in records(ran.stdout) if record["type"] == "log"} <= ends.keys()


def test_several_names_are_one_log_in_time_order_labelled_by_job(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "xgb-2", "-n", "ml", "-o", "json")
    assert (ran.code, "error" in ran.stderr) == (0, False)
    assert {record["resource"] for record in records(ran.stdout)} == {"trainingjob/xgb", "trainingjob/xgb-2"}
    times = [record["time"] for record in records(ran.stdout)]
    assert times == sorted(times)
    alone = [records(shell.smlogs("trainingjob", name, "-n", "ml", "-o", "json").stdout) for name in ("xgb", "xgb-2")]
    assert len(times) == sum(map(len, alone))
    labels = {
        line.split()[0]
        for line in shell.smlogs("trainingjob/xgb", "trainingjob/xgb-2", "-n", "ml", "-o", "short").stdout.splitlines()
    }
    assert labels == {"xgb/algo-1", "xgb-2/algo-1"}


@pytest.mark.parametrize(
    ("others", "code"),
    [((), 3), (("resnet50-imagenet",), 3), (("nowhere",), 1)],
)
def test_several_jobs_end_with_the_worst_result(shell: Shell, others: tuple[str, ...], code: int) -> None:
    names = [f"trainingjob.{'sagemaker.services.k8s.aws'}/{name}" for name in ("churn", "resnet50-imagenet", *others)]
    ran = shell.smlogs(*names, "-f", "-o", "json")
    assert ran.code == code
    ends = {record["job"]: record["exitCode"] for record in records(ran.stdout) if record["type"] == "end"}
    assert ends == {"churn-2026": 4, "resnet50-imagenet": 3}
    assert "error: trainingjob/resnet50-imagenet Failed: AlgorithmError" in ran.stderr
    assert ("'nowhere' not found" in ran.stderr) == ("nowhere" in others)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("trainingjob", "embeddings-eu", "-n", "ml", "--instance", ""), ["algo-1", "algo-2"]),
        (("trainingjob/embeddings-eu", "-n", "ml", "--instance", "algo-2"), ["algo-2"]),
        (("trainingjob", "nowhere", "-n", "ml", "--instance", ""), []),
        (("endpoint", "ranking", "-n", "ml", "--instance", ""), []),
        (("--instance", ""), []),
    ],
)
def test_instances_are_completed_where_the_spec_tells_their_names(
    shell: Shell, words: tuple[str, ...], offered: list[str]
) -> None:
    ran = shell.run("kubectl", "__complete", "smlogs", *words)
    assert [line.partition("\t")[0] for line in ran.stdout.splitlines()] == [*offered, ":4"]


def test_a_selector_and_all_choose_among_a_kind_or_every_kind(shell: Shell) -> None:
    sweep = records(shell.smlogs("-l", "app=sweep", "-n", "ml", "-o", "json", "--tail", "2").stdout)
    assert {record["resource"] for record in sweep} >= {f"trainingjob/sweep-{number}" for number in (1, 2, 3)}
    of_kind = records(shell.smlogs("labelingjobs", "--all", "-n", "ml", "-o", "json").stdout)
    assert {record["resource"] for record in of_kind} == {"labelingjob/reviews", "labelingjob/reviews-2"}
    none = shell.smlogs("-l", "app=none", "-n", "ml")
    assert (none.stdout, none.stderr, none.code) == ("", "no resources found in namespace ml\n", 0)


def test_trouble_with_one_is_told_by_name_and_the_rest_goes_on(shell: Shell) -> None:
    ran = shell.smlogs("trainingjobs", "--all", "-n", "ml", "-o", "json", "--tail", "1")
    read = {record["resource"] for record in records(ran.stdout)}
    assert {"trainingjob/xgb", "trainingjob/xgb-2", "trainingjob/sweep-3"} <= read
    assert ran.code == 1
    errors = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
    for name, what in (
        ("partner-model", "is in AWS account 210987654321, the credentials are of account 123456789012"),
        ("no-such-instance", "has no SageMaker job: ACK.Terminal"),
        ("not-reconciled", "no controller has reconciled this"),
    ):
        assert [line for line in errors if f"trainingjob/{name} " in line and what in line], name
    # One that runs elsewhere is read there.
    assert "trainingjob/embeddings-eu" in read
    assert '"embeddings-eu" has SageMaker TrainingJobName "embeddings-eu" in region "eu-central-1"' in ran.stderr


def test_a_selector_that_matches_nothing_yet_waits_and_what_appears_joins(shell: Shell) -> None:
    follower = shell.start("kubectl", "smlogs", "trainingjob", "-l", "tries=1", "-n", "ml", "-f", "-o", "json")
    until(follower, "no resources found in namespace ml yet; waiting")
    for name in ("xgb", "xgb-2"):
        assert (
            shell.run("kubectl", "label", f"trainingjob.sagemaker.services.k8s.aws/{name}", "tries=1", "-n", "ml").code
            == 0
        )
    ran = finish(follower)
    ends = {record["resource"] for record in records(ran.stdout) if record["type"] == "end"}
    assert "trainingjob/xgb" in ends
    assert ran.code in {0, 3}


def test_two_jobs_of_one_name_and_kind_are_told_apart_by_their_group(shell: Shell) -> None:
    groups = ("sagemaker.services.k8s.aws", "sagemaker.aws.amazon.com")
    labels = [f"trainingjob.{group}/churn" for group in groups]
    ran = shell.smlogs(*labels, "--tail", "1", "-o", "short", "-q")
    assert {line.rpartition("/algo-")[0] for line in ran.stdout.splitlines()} == set(labels)
    assert ran.code == 0


def test_waiting_for_a_selector_is_bounded_by_the_timeout(shell: Shell) -> None:
    ran = shell.smlogs("-l", "app=none", "-n", "ml", "-f", "--timeout", "2s")
    assert ran.code == 5


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("trainingjob", "a/b", "c"), "'trainingjob' stands among KIND/NAME: write all of them so, or KIND NAME NAME"),
        (("trainingjob", "xgb", "-l", "app=sweep"), "-l chooses by itself: name a kind at most"),
        (("trainingjob/xgb", "--all"), "--all chooses by itself: name a kind at most"),
        (("--all", "-l", "app=sweep"), "-l and --all both say which: give one"),
        (
            ("trainingjob", "xgb", "--best"),
            "--best chooses among the jobs that a job started: a trainingjob starts none",
        ),
        (
            ("pipelineexecution", "churn-weekly", "-n", "ml", "--top", "2"),
            "--top chooses by what was reached: nothing compares the jobs of a pipelineexecution",
        ),
        (
            ("hyperparametertuningjob", "x", "--best", "--failed"),
            "--best and --failed each choose among the jobs that a job started: give one",
        ),
        (
            ("hyperparametertuningjob", "x", "--best", "-f"),
            "--best chooses among what there is now, --follow goes on: give one",
        ),
        (("hyperparametertuningjob", "x", "--top", "0"), "--top: '0' is no number of at least 1"),
        (("trainingjob", "xgb", "-n", "ml", "--data-log"), "--data-log: a trainingjob has no data log"),
        (("model", "--all"), "model has no log of its own"),
    ],
)
def test_wrong_usage(shell: Shell, words: tuple[str, ...], error: str) -> None:
    ran = shell.smlogs(*words)
    assert (ran.stdout, ran.stderr.splitlines()[0], ran.code) == ("", f"error: {error}", 2)
