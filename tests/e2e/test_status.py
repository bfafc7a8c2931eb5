"""`kubectl sagemaker status` lists what runs, in both groups, or shows one job in full."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
import yaml  # noqa: TID253  # nothing starts here

from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import DENIED_DESCRIBE, DENIED_LOGS, Ran, Shell
from tests.e2e.world import ACK, FAILURE, LEGACY

COLUMNS = ["KIND", "NAME", "STATUS", "AGE", "DURATION", "INSTANCES", "SAGEMAKER JOB", "REASON"]


def table(text: str) -> list[dict[str, str]]:
    """A table's rows by heading; columns begin where their heading does."""
    heading, *lines = text.splitlines()
    starts = [match.start() for match in re.finditer(r"(?:(?<=   )|^)\S", heading)]
    ends = [*starts[1:], None]
    headings = [heading[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return [
        dict(zip(headings, (line[start:end].strip() for start, end in zip(starts, ends, strict=True)), strict=True))
        for line in lines
    ]


def test_lists_what_runs_in_both_groups(each_kubectl: Shell) -> None:
    ran = each_kubectl.sagemaker("status")
    rows = table(ran.stdout)
    assert list(rows[0]) == COLUMNS
    for row in rows:
        # Whose age it names moves on.
        row["REASON"] = re.sub(r"(?<=reconciled this in) \w+$", "", row["REASON"])
        if row["NAME"] == "no-region":
            # It is as old as this test's world: a minute may have gone by.
            row |= {"STATUS": "? no status", "REASON": ""}
    assert {(row["KIND"], row["NAME"], row["STATUS"], row["SAGEMAKER JOB"], row["REASON"]) for row in rows} == {
        ("TrainingJob", "xgb", "✓ Completed", "xgb", ""),
        ("TrainingJob", "xgb-2", "✗ Failed", "xgb-2", FAILURE),
        ("TrainingJob", "mnist", "✓ Completed", "mnist-0123456789abcdef0123456789abcdef", ""),
        ("TrainingJob", "halted", "- Stopped", "halted", ""),
        ("TrainingJob", "hostile", "✓ Completed", "hostile", ""),
        ("TrainingJob", "forger", "✗ Failed", "forger", "it is error: no error \\x1b[2J\\u202e"),
        ("TrainingJob", "long", "✓ Completed", "long", ""),
        ("TrainingJob", "churn", "✓ Completed", "churn-2026", ""),
        ("TrainingJob", "churn", "✓ Completed", "churn-fedcba9876543210fedcba9876543210", ""),
        ("TrainingJob", "shared", "✓ Completed", "shared", ""),
        ("TrainingJob", "running", "▸ InProgress (Training)", "running", ""),
        ("TrainingJob", "starting", "▸ InProgress (Starting)", "starting", ""),
        ("TrainingJob", "no-region", "? no status", "no-region", ""),
        ("TrainingJob", "not-reconciled", "! no status", "", "no controller has reconciled this in"),
        ("BatchTransformJob", "batch", "✓ Completed", "batch-0123456789abcdef0123456789abcdef", ""),
        ("ProcessingJob", "kmeans", "✓ Completed", "kmeans-0123456789abcdef0123456789abcdef", ""),
        ("Endpoint", "ranking", "✓ InService", "ranking", ""),
    }
    ages = {row["NAME"]: row["AGE"] for row in rows}
    assert re.fullmatch(r"9\dm", ages["xgb"]), "an hour and a half, as kubectl writes ages"
    order = [row["NAME"] for row in rows if row["NAME"] != "no-region"]
    assert order[0] == "not-reconciled", "what needs somebody comes first"
    assert order.index("running") < order.index("xgb-2") < order.index("xgb"), "then what runs, what failed, the rest"
    assert (ran.stderr, ran.code) == ("", 0)


def test_a_list_tells_how_long_and_on_what(shell: Shell) -> None:
    rows = {row["NAME"]: row for row in table(shell.sagemaker("status").stdout)}
    assert re.fullmatch(r"1h(\dm)?", rows["running"]["DURATION"]), "from SageMaker's creation of it on"
    assert rows["running"]["INSTANCES"] == "1 × ml.m5.large"
    assert rows["not-reconciled"]["DURATION"] == "", "nothing runs yet"


@pytest.mark.parametrize("by", ["name", "age", "status"])
def test_a_list_is_sorted_as_asked(shell: Shell, by: str) -> None:
    ran = shell.sagemaker("status", "trainingjob", "-o", "json", "--sort-by", by)
    ended = [item for item in json.loads(ran.stdout)["items"] if item["ended"]]
    keys = {
        "name": [item["name"] for item in ended],
        "age": [-when(item["created"]) for item in ended],
        "status": [item["status"] for item in ended],
    }
    assert keys[by] == sorted(keys[by])
    assert (ran.stderr, ran.code) == ("", 0)


def when(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_all_namespaces_have_a_column_of_their_own(shell: Shell) -> None:
    ran = shell.sagemaker("status", "-A")
    rows = table(ran.stdout)
    assert list(rows[0]) == ["NAMESPACE", *COLUMNS]
    assert {(row["NAMESPACE"], row["NAME"]) for row in rows} >= {("default", "xgb"), ("ml", "scores")}
    assert (ran.stderr, ran.code) == ("", 0)


def test_another_namespace(shell: Shell) -> None:
    ran = shell.sagemaker("status", "-n", "ml", "-o", "name", "--sort-by", "name")
    assert ran == Ran(f"processingjob.{ACK}/features\ntransformjob.{ACK}/scores\n", "", 0)


def test_one_kind_of_both_groups(shell: Shell) -> None:
    ran = shell.sagemaker("status", "ProcessingJobs", "-A", "-o", "name")
    assert sorted(ran.stdout.splitlines()) == [f"processingjob.{LEGACY}/kmeans", f"processingjob.{ACK}/features"]
    assert (ran.stderr, ran.code) == ("", 0)


def test_one_kind_of_one_group(shell: Shell) -> None:
    ran = shell.sagemaker("status", f"processingjobs.{LEGACY}", "-A", "-o", "name")
    assert ran == Ran(f"processingjob.{LEGACY}/kmeans\n", "", 0)


def test_wide_adds_group_region_and_account(shell: Shell) -> None:
    ran = shell.sagemaker("status", "processingjob", "-A", "-o", "wide", "--sort-by", "name")
    rows = table(ran.stdout)
    assert [(row["NAME"], row["GROUP"], row["REGION"], row["ACCOUNT"]) for row in rows] == [
        ("kmeans", LEGACY, "us-west-2", ""),
        ("features", ACK, "us-west-2", "123456789012"),
    ]
    assert (ran.stderr, ran.code) == ("", 0)


def test_json_and_yaml_are_the_same_document(shell: Shell) -> None:
    json_ran, yaml_ran = (shell.sagemaker("status", "trainingjob", "-o", form) for form in ("json", "yaml"))
    document, other = json.loads(json_ran.stdout), yaml.safe_load(yaml_ran.stdout)
    for item in (*document["items"], *other["items"]):
        if not item["ended"]:
            # A second has gone by between the two.
            item["durationSeconds"] = None
    assert other == document
    assert (document["apiVersion"], document["kind"]) == ("kubectl-sagemaker/v1", "JobList")
    (failed,) = [item for item in document["items"] if item["name"] == "xgb-2"]
    times = [failed.pop("created"), failed.pop("jobCreated")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    assert failed == {
        "group": ACK,
        "version": "v1alpha1",
        "resource": "trainingjobs",
        "kind": "TrainingJob",
        "namespace": "default",
        "name": "xgb-2",
        "jobName": "xgb-2",
        "arn": "arn:aws:sagemaker:us-west-2:123456789012:training-job/xgb-2",
        "region": "us-west-2",
        "account": "123456789012",
        "state": "failed",
        "status": "Failed",
        "secondaryStatus": "Failed",
        "ended": True,
        "reason": FAILURE,
        "deletionRequested": None,
        "durationSeconds": None,
        "instances": [{"count": 1, "type": "ml.m5.large"}],
        "spot": False,
        "counters": {},
        "best": None,
    }
    for ran in (json_ran, yaml_ran):
        assert (ran.stderr, ran.code) == ("", 0)


def test_kubectl_get_takes_the_names_that_status_prints(each_kubectl: Shell) -> None:
    names = each_kubectl.sagemaker("status", "-o", "name")
    assert (names.stderr, names.code) == ("", 0)
    got = each_kubectl.run("kubectl", "get", *names.stdout.split(), "-o", "name")
    assert got == Ran(names.stdout, "", 0)


def test_all_kinds_adds_what_does_not_run(sandbox: Sandbox, shell: Shell) -> None:
    usual, all_kinds = (shell.sagemaker("status", *flags, "--debug", "-o", "name") for flags in ((), ("--all-kinds",)))
    assert f"/{LEGACY}/v1/namespaces/default/models " not in usual.stderr
    for plural, group in (("models", f"{LEGACY}/v1"), ("models", f"{ACK}/v1alpha1"), ("domains", f"{ACK}/v1alpha1")):
        assert f"/apis/{group}/namespaces/default/{plural} 200 " in all_kinds.stderr
    assert usual.stdout == all_kinds.stdout, "this world has only what runs"
    assert (usual.code, all_kinds.code) == (0, 0)


def test_a_selector_that_selects_nothing_is_no_error(shell: Shell) -> None:
    assert shell.sagemaker("status", "-l", "team=vision") == Ran("", "no resources found in namespace default\n", 0)
    empty = shell.sagemaker("status", "-l", "team=vision", "-o", "json")
    assert json.loads(empty.stdout)["items"] == []
    assert (empty.stderr, empty.code) == ("", 0)


def test_a_selector_chooses_by_label(shell: Shell) -> None:
    # No controller writes labels, and no test does; the negation of one that nothing has selects everything.
    ran = shell.sagemaker("status", "trainingjob", "-l", "!team", "-n", "default", "-o", "name")
    assert f"trainingjob.{ACK}/xgb\n" in ran.stdout
    assert (ran.stderr, ran.code) == ("", 0)


def test_a_selector_that_is_none(shell: Shell) -> None:
    ran = shell.sagemaker("status", "-l", "a b c")
    assert re.fullmatch(r"error: .*'?a b c'?.*\n(hint: .*\n)?", ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


@pytest.mark.parametrize("words", [("trainingjob", "xgb-2"), ("TrainingJobs/xgb-2",)], ids=" ".join)
def test_one_job_in_full(shell: Shell, words: tuple[str, ...]) -> None:
    ran = shell.sagemaker("status", *words)
    title, *lines = ran.stdout.splitlines()
    assert title == "✗ Failed  trainingjob/xgb-2"
    values = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in lines if re.match(r"  \w[\w ]{0,12}  +", line))
    assert re.fullmatch(r"TrainingJob xgb-2 in namespace default, 9\dm old", values["object"])
    assert values["region"] == "us-west-2, account 123456789012"
    assert values["console"].startswith(
        "https://us-west-2.console.aws.amazon.com/sagemaker/home?region=us-west-2#/jobs/"
    )
    assert values["instances"] == "1 × ml.m5.large"
    assert values["more"] == "kubectl smlogs trainingjob xgb-2 -n default"
    assert [line for line in lines if re.match(r"  (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d  Training +\d+m", line)]
    assert f"  {FAILURE}" in lines
    assert (ran.stderr, ran.code) == ("", 0)


def test_the_command_that_shows_more_finds_the_same_job(shell: Shell) -> None:
    # Both groups have a churn, of two jobs; and the person named the context.
    ran = shell.sagemaker("status", f"trainingjob.{LEGACY}", "churn", "--context", "sandbox")
    command = ran.stdout.splitlines()[-1].removeprefix("  more").strip()
    assert command == f"kubectl smlogs trainingjob.{LEGACY} churn -n default --context sandbox"
    more = shell.run(*command.split(), "--tail", "1")
    assert (more.stdout.partition("/")[0], more.code) == ("churn-fedcba9876543210fedcba9876543210", 0)


def test_a_part_that_is_denied_costs_itself_and_one_notice(shell: Shell) -> None:
    ran = shell.holding(DENIED_DESCRIBE).sagemaker("status", "trainingjob", "xgb-2")
    assert "timeline" not in ran.stdout
    assert f"  {FAILURE}" in ran.stdout.splitlines(), "the resource's own word"
    assert re.fullmatch(r".*sagemaker:DescribeTrainingJob.*\n", ran.stderr)
    assert ran.code == 0
    log_denied = shell.holding(DENIED_LOGS).sagemaker("status", "trainingjob", "xgb-2")
    assert "timeline" in log_denied.stdout
    assert re.fullmatch(r".*logs:FilterLogEvents.*\n", log_denied.stderr)
    assert log_denied.code == 0


def test_without_aws_the_resource_is_shown(shell: Shell) -> None:
    bare = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    empty = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/dev/null")
    ran = shell.having(**bare, **empty).sagemaker("status", "trainingjob", "xgb-2")
    assert ran.stdout.startswith("✗ Failed  trainingjob/xgb-2\n")
    assert re.fullmatch(r".*credentials.*\n", ran.stderr)
    assert ran.code == 0


def test_one_job_for_programs(shell: Shell) -> None:
    answers: dict[str, Ran] = {form: shell.sagemaker("status", "trainingjob", "xgb-2", "-o", form) for form in FORMS}
    documents: list[Any] = [json.loads(answers["json"].stdout), yaml.safe_load(answers["yaml"].stdout)]
    assert documents[0] == documents[1]
    assert documents[0]["reason"] == FAILURE
    assert answers["name"] == Ran(f"trainingjob.{ACK}/xgb-2\n", "", 0)


FORMS = ("json", "yaml", "name")


def test_one_name_for_one_job_in_two_groups_is_shown_with_a_note(shell: Shell) -> None:
    ran = shell.sagemaker("status", "trainingjob", "shared", "-o", "name")
    note = f"trainingjobs.{ACK} and trainingjobs.{LEGACY} both mean this job; reading the first\n"
    assert ran == Ran(f"trainingjob.{ACK}/shared\n", note, 0)


def test_a_user_without_rights_is_told_once(shell: Shell) -> None:
    ran = shell.sagemaker("status", "--context", "viewer")
    assert re.fullmatch(r'error: .*forbidden.*"viewer".*\n(hint: .*\n)?', ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


def test_what_chooses_among_many_does_not_fit_one(shell: Shell) -> None:
    for flags in (("-A",), ("-l", "a=b"), ("--all-kinds",), ("--sort-by", "age")):
        assert shell.sagemaker("status", "trainingjob", "xgb", *flags) == Ran(
            "", "error: one resource was named: -A, -l, --all-kinds and --sort-by are for many\n", 2
        )


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (("trainngjob",), "error: unknown kind 'trainngjob'\nhint: did you mean 'trainingjob'?\n", 2),
        (("trainingjob", "nope"), "'nope' not found in namespace 'default'\n", 1),
        (("trainingjob", "churn"), "'churn' stands in two API groups", 1),
        (("-o", "xml"), "'xml'", 2),
        (("-l", "a\udcff"), "--selector: 'a\\udcff' can't be a selector\n", 2),
        (("-n", "a\udcff"), "--namespace: 'a\\udcff' can't be a namespace\n", 2),
        (("-n", "a/b"), "--namespace: 'a/b' can't be a namespace\n", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_error(shell: Shell, arguments: tuple[str, ...], error: str, code: int) -> None:
    ran = shell.sagemaker("status", *arguments)
    assert re.fullmatch(r"error: .*\n(hint: .*\n)?", ran.stderr)
    assert error in ran.stderr
    assert (ran.stdout, ran.code) == ("", code)
