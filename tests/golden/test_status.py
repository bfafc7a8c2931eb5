"""Whole screens of `kubectl sagemaker status`, compared with the files beside this one.

After a change that is meant, write them anew and read the difference: python -m tests.golden.test_status
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_sagemaker import jobs, kinds
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.render import jobs as render

HERE: Final = Path(__file__).parent
NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
TRAINING: Final = "trainingjob.sagemaker.services.k8s.aws"
LEGACY_TRAINING: Final = "trainingjob.sagemaker.aws.amazon.com"
TRACEBACK: Final = "ExecuteUserScriptError: [bold]File[/bold] train.py, line 3, in [red]main[/red]: "
LONG: Final = ("AlgorithmError: " + TRACEBACK * 80)[:4000]


def job(
    word: str,
    name: str,
    state: str | None = None,
    *,
    ago: timedelta | None = timedelta(minutes=5),
    job_name: str | None = None,
    namespace: str = "default",
    **status: Any,
) -> Job:
    """An object of a kind as its controller leaves it; `status` are members of its status beside the state."""
    target = kinds.parse(word)
    api = target.apis[0]
    resource: dict[str, Any] = {"metadata": {"name": name, "namespace": namespace}, "spec": {}, "status": status}
    if ago is not None:
        resource["metadata"]["creationTimestamp"] = f"{NOW - ago:%Y-%m-%dT%H:%M:%SZ}"
    if state is not None:
        assert api.status
        status[api.status.removeprefix("status.")] = state
    if job_name is not None:
        part, _, member = api.job_name[0].partition(".")
        resource[part][member] = job_name
    if status and api.group is kinds.ACK:
        status["ackResourceMetadata"] = {
            "region": "us-west-2",
            "ownerAccountID": "123456789012",
            **status.pop("ackResourceMetadata", {}),
        }
    if api.group is kinds.LEGACY:
        resource["spec"]["region"] = "us-west-2"
    return jobs.read(target.kind, api, resource)


def condition(kind: str, message: str) -> list[dict[str, str]]:
    return [{"type": "ACK.ResourceSynced", "status": "False"}, {"type": kind, "status": "True", "message": message}]


DENIED: Final = job(
    TRAINING,
    "denied",
    job_name="denied",
    ago=timedelta(seconds=119),
    conditions=condition("ACK.Recoverable", "AccessDeniedException: not authorized to perform: iam:PassRole"),
)
FAILED: Final = job(
    TRAINING,
    "resnet50-imagenet",
    "Failed",
    secondaryStatus="Failed",
    job_name="resnet50-imagenet",
    failureReason=LONG,
    ago=timedelta(hours=3, minutes=7),
)
RUNNING: Final = job(
    LEGACY_TRAINING,
    "xgboost-mnist",
    "InProgress",
    secondaryStatus="Training",
    job_name="xgboost-mnist-f52cc0c2d1f44bd5a3c0f8d2c9b7a6e1",
    ago=timedelta(seconds=71),
)
UNSEEN: Final = job(TRAINING, "not-reconciled", ago=timedelta(minutes=9, seconds=59))
HOSTILE: Final = job(
    TRAINING,
    "evil\x1b[2J\nname",
    "Fail\x9bed\u202e",
    secondaryStatus="[red]Paused[/red]",
    job_name="日本語のジョブ名\x07",
    failureReason="学習ジョブが失敗しました 🚀\r\n\x1b]0;owned\x07 שלום :smile: \ud800",
    ago=timedelta(seconds=-30),
)

JOBS: Final = (
    job(TRAINING, "bert-pretrain", "InProgress", secondaryStatus="Starting", job_name="bert-pretrain-2026"),
    FAILED,
    job(TRAINING, "churn", "Stopped", secondaryStatus="MaxRuntimeExceeded", job_name="churn", ago=timedelta(days=26)),
    job(TRAINING, "churn-2", "Stopping", secondaryStatus="Stopping", job_name="churn-2", ago=timedelta(days=3)),
    job(TRAINING, "newer-than-this-program", "Hibernating", job_name="hibernating", ago=timedelta(days=800)),
    DENIED,
    job(
        TRAINING,
        "misspelt",
        ago=timedelta(hours=47),
        conditions=condition("ACK.Terminal", "InvalidParameter: instanceType ml.p9 is not valid"),
    ),
    UNSEEN,
    HOSTILE,
    RUNNING,
    job(
        LEGACY_TRAINING,
        "spot-xgboost-mnist",
        "Completed",
        secondaryStatus="Completed",
        job_name="spot-xgboost-mnist-b0ff6b809ddf52b580b47ae10dc39f9d",
        ago=timedelta(minutes=52),
    ),
    job(LEGACY_TRAINING, "quota", "ReconcilingTrainingJob", additional="ResourceLimitExceeded: ml.p3.2xlarge is 0"),
    job("transformjob", "nightly-scores", "Completed", job_name="nightly-scores", ago=timedelta(hours=9)),
    job("batchtransformjob", "xgboost-batch", "Failed", job_name="xgboost-batch-1", additional="ClientError: no data"),
    job("processingjob.sagemaker.services.k8s.aws", "features", "InProgress", job_name="features-20260101"),
    job("processingjob.sagemaker.aws.amazon.com", "kmeans-processing", "SynchronizingK8sJobWithSageMaker"),
    job("hyperparametertuningjob.sagemaker.services.k8s.aws", "tune", "DeleteFailed", job_name="tune"),
    job(
        "hyperparametertuningjob.sagemaker.aws.amazon.com",
        "xgboost-mnist-hpo",
        "InProgress",
        job_name="b5d70917405150bba0a15641c74d0c7d",
    ),
    job("endpoint", "ranking", "UpdateRollbackFailed", job_name="ranking", failureReason="no capacity", namespace="ml"),
    job("hostingdeployment", "hosting-deployment", "InService", job_name="hosting-deployment-8a6f", namespace="ml"),
    job("inferencecomponent", "llama", "Creating", job_name="llama", namespace="ml"),
    job("notebookinstance", "nb", "Pending", job_name="nb", namespace="ml"),
    job("labelingjob", "cats", "Completed", job_name="cats", namespace="ml", ago=timedelta(days=3000)),
    job(
        "pipelineexecution",
        "nightly",
        "Succeeded",
        namespace="ml",
        ackResourceMetadata={"arn": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/nightly/execution/abc"},
    ),
    job("model.sagemaker.services.k8s.aws", "xgb", job_name="xgb", namespace="ml", ago=None),
)
SINGLES: Final = (FAILED, RUNNING, DENIED, UNSEEN, HOSTILE)
BY_NAME: Final = {job.name: job for job in JOBS}


def table(*, width: int | None, colour: bool = False, namespaces: bool = False, wide: bool = False) -> str:
    return render.table(JOBS, now=NOW.timestamp(), namespaces=namespaces, wide=wide, width=width, colour=colour)


def full(*shown: Job, width: int | None, colour: bool = False) -> str:
    """One job in full after another."""
    screens = (render.full(job, now=NOW.timestamp(), width=width, colour=colour) for job in shown or SINGLES)
    return "\n".join(screens)


SCREENS: Final[dict[str, Callable[[], str]]] = {
    "table-60.txt": lambda: table(width=60),
    "table-80.txt": lambda: table(width=80),
    "table-200.txt": lambda: table(width=200),
    "table-all-namespaces-120-colour.txt": lambda: table(width=120, namespaces=True, colour=True),
    "table-wide-piped.txt": lambda: table(width=None, namespaces=True, wide=True),
    "table-piped.txt": lambda: table(width=None),
    "one-80.txt": lambda: full(width=80),
    "one-80-colour.txt": lambda: full(
        *(BY_NAME[name] for name in ("xgboost-mnist", "xgboost-batch", "churn", "nightly")), width=80, colour=True
    ),
    "one-piped.txt": lambda: full(width=None),
    "list.json": lambda: render.as_json(render.document((FAILED, RUNNING, UNSEEN, HOSTILE))),
    "list.yaml": lambda: render.as_yaml(render.document((FAILED, RUNNING, UNSEEN, HOSTILE))),
    "one.json": lambda: render.as_json(render.single(RUNNING)),
    "one.yaml": lambda: render.as_yaml(render.single(RUNNING)),
    "list-names.txt": lambda: render.as_names(JOBS),
}


def written(screen: str) -> str:
    """The screen as its file holds it: an escape can be read, and what UTF-8 has not is escaped as on stdout."""
    text = SCREENS[screen]().replace("\x1b", "␛")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@pytest.mark.parametrize("screen", SCREENS)
def test_the_screen_is_as_it_was(screen: str) -> None:
    assert written(screen) == (HERE / screen).read_text("utf-8")


def test_every_file_is_a_screen() -> None:
    assert {path.name for path in HERE.iterdir() if path.suffix in {".txt", ".json", ".yaml"}} == set(SCREENS)


# What holds at every width


def cells(line: str) -> int:
    """How many cells of a terminal a line takes."""
    from rich.cells import cell_len

    return cell_len(line)


@pytest.mark.parametrize("width", [*range(9, 130), 200, 300, 5000])
@pytest.mark.parametrize(("namespaces", "wide"), [(False, False), (True, True)])
def test_no_line_of_the_table_wraps_or_is_wider_than_the_terminal(width: int, namespaces: bool, wide: bool) -> None:
    lines = table(width=width, namespaces=namespaces, wide=wide).split("\n")
    assert len(lines) == len(JOBS) + 2
    assert max(map(cells, lines)) <= width


def headings(width: int | None) -> list[str]:
    heading, *_ = table(width=width, namespaces=True, wide=True).split("\n")
    return re.split(" {3,}", heading)


def test_columns_leave_a_narrow_terminal_in_order_and_three_stay() -> None:
    order = ["REASON", "SAGEMAKER JOB", "GROUP", "ACCOUNT", "REGION", "AGE", "NAMESPACE"]
    left: list[str] = []
    for wider, narrower in itertools.pairwise([headings(None), *(headings(width) for width in range(400, 40, -1))]):
        left += [heading for heading in wider if heading not in narrower]
    assert left == order
    assert headings(41) == ["KIND", "NAME", "STATUS"]


def test_neither_an_arn_nor_a_long_reason_leaves_nothing_to_the_other() -> None:
    heading, *_ = table(width=180).split("\n")
    columns = [heading.index(name) for name in ("SAGEMAKER JOB", "REASON")]
    job_name, reason = columns[1] - columns[0] - len(render.GAP), 180 - columns[1]
    assert abs(job_name - reason) <= 1


def test_nothing_is_cut_where_no_terminal_reads() -> None:
    text = table(width=None)
    assert LONG in text
    assert "…" not in text
    assert LONG in full(width=None)


def test_a_wide_terminal_cuts_no_more_than_a_pipe() -> None:
    assert table(width=10_000) == table(width=None)


@pytest.mark.parametrize("screen", SCREENS)
def test_no_hostile_text_drives_a_terminal_or_forges_a_line(screen: str) -> None:
    text = SCREENS[screen]()
    for sequence in (*render.SEQUENCES.values(), render.RESET):
        text = text.replace(sequence, "")
    assert {char for char in text if unicodedata.category(char) == "Cc"} <= {"\n"}
    assert not set(text) & set("\u202e\u202d\u2066\u200f")


def test_brackets_and_colons_are_nobodys_markup() -> None:
    text = full(width=None)
    assert "[bold]File[/bold]" in text
    assert "[red]Paused[/red]" in text
    assert ":smile:" in text


@pytest.mark.parametrize("term", ["dumb", "xterm", "unknown"])
def test_the_flags_word_goes_before_the_environments(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to colour and how wide it is was decided before; rich is not to ask the environment again."""
    before = (table(width=120, colour=True), full(width=120, colour=True), full(width=120))
    for name, value in (("TERM", term), ("NO_COLOR", "1"), ("FORCE_COLOR", "1"), ("COLUMNS", "20")):
        monkeypatch.setenv(name, value)
    assert (table(width=120, colour=True), full(width=120, colour=True), full(width=120)) == before


def test_json_and_yaml_say_the_same() -> None:
    import yaml

    document = render.document(JOBS)
    assert json.loads(render.as_json(document)) == document
    assert yaml.safe_load(render.as_yaml(document)) == document
    assert [item["name"] for item in document["items"]] == [job.name for job in JOBS]
    assert {key: value for key, value in render.single(RUNNING).items() if key != "apiVersion"} == render.values(
        RUNNING
    )


def test_no_jobs_are_a_heading() -> None:
    for width in (None, 80, 20):
        text = render.table([], now=0.0, namespaces=False, wide=False, width=width, colour=True)
        assert text.startswith("KIND   NAME   STATUS")
        assert text.count("\n") == 1


if __name__ == "__main__":
    for name in SCREENS:
        (HERE / name).write_text(written(name), "utf-8")
