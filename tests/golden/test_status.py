"""Whole screens of `kubectl sagemaker status`, compared with the files beside this one.

After a change that is meant, write them anew and read the difference: python -m tests.golden.test_status
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.render import documents, states
from kubectl_sagemaker.render import panel as panels
from kubectl_sagemaker.render import table as tables
from tests.golden.objects import BY_NAME, FAILED, HOSTILE, JOBS, LONG, NOW, RUNNING, STATES, TUNED, UNSEEN, every_state
from tests.golden.panels import PANELS

HERE: Final = Path(__file__).parent
CLOCK: Final = NOW.timestamp()


def table(
    *, width: int | None, colour: bool = False, namespaces: bool = False, wide: bool = False, jobs: Iterable[Job] = JOBS
) -> str:
    shown = states.ordered(jobs, CLOCK)
    return tables.table(shown, now=CLOCK, namespaces=namespaces, wide=wide, width=width, colour=colour)


def panel(name: str, *, width: int | None = 80, colour: bool = False, links: bool = False) -> str:
    style = panels.Style(width, colour, links, notices=True)
    return panels.panel(PANELS[name], now=CLOCK, style=style)


def document(name: str) -> dict[str, Any]:
    return documents.single(PANELS[name], CLOCK)


LISTED: Final = (FAILED, RUNNING, TUNED, UNSEEN, HOSTILE)
SCREENS: Final[dict[str, Callable[[], str]]] = {
    "table-60.txt": lambda: table(width=60),
    "table-80.txt": lambda: table(width=80),
    "table-200.txt": lambda: table(width=200),
    "table-all-namespaces-120-colour.txt": lambda: table(width=120, namespaces=True, colour=True),
    "table-wide-piped.txt": lambda: table(width=None, namespaces=True, wide=True),
    "table-piped.txt": lambda: table(width=None),
    "table-every-state-80.txt": lambda: table(width=80, jobs=every_state()),
    "list.json": lambda: documents.as_json(documents.document(LISTED, CLOCK)),
    "list.yaml": lambda: documents.as_yaml(documents.document(LISTED, CLOCK)),
    "list-names.txt": lambda: documents.as_names(JOBS),
    **{f"panel-{name}-80.txt": functools.partial(panel, name) for name in PANELS},
    "panel-failed-80-colour.txt": lambda: panel("failed", colour=True, links=True),
    "panel-interrupted-120-colour.txt": lambda: panel("interrupted", width=120, colour=True),
    "panel-failed-piped.txt": lambda: panel("failed", width=None),
    "panel-tuning-piped.txt": lambda: panel("tuning", width=None),
    "one-failed.json": lambda: documents.as_json(document("failed")),
    "one-tuning.json": lambda: documents.as_json(document("tuning")),
    "panel-hostile-60-colour.txt": lambda: panel("hostile", width=60, colour=True, links=True),
    "panel-hostile-piped.txt": lambda: panel("hostile", width=None),
    "one-hostile.json": lambda: documents.as_json(document("hostile")),
    "one-endpoint.yaml": lambda: documents.as_yaml(document("endpoint")),
    "one-pipeline.yaml": lambda: documents.as_yaml(document("pipeline")),
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


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS if kind.runs], ids=lambda kind: kind.name)
def test_the_list_of_states_is_sagemakers(kind: kinds.Kind) -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model("sagemaker")
    shape = model.operation_model(f"Describe{kind.name}").output_shape.members[f"{kind.name}Status"]
    assert set(shape.enum) == set(STATES[kind.name])


# What holds at every width


def cells(line: str) -> int:
    """How many cells of a terminal a line takes."""
    from rich.cells import cell_len

    return cell_len(line)


@pytest.mark.parametrize("width", [*range(16, 130), 200, 300, 5000])
@pytest.mark.parametrize(("namespaces", "wide"), [(False, False), (True, True)])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int, namespaces: bool, wide: bool) -> None:
    """A job has its line, and a second one, indented, for what is wrong, where the table has no room for it."""
    lines = table(width=width, namespaces=namespaces, wide=wide).split("\n")
    rows = [line for line in lines if not line.startswith(tables.INDENT)]
    assert len(rows) == len(JOBS) + 2
    assert len(lines) - len(rows) in {0, sum(job.trouble(CLOCK) is not None for job in JOBS)}
    assert max(map(cells, lines)) <= width


def headings(width: int | None) -> list[str]:
    heading, *_ = table(width=width, namespaces=True, wide=True).split("\n")
    return re.split(" {3,}", heading)


def test_columns_leave_a_narrow_terminal_in_order_and_three_stay() -> None:
    order = [
        *("REASON", "GROUP", "SAGEMAKER JOB", "COUNTERS", "BEST", "SPOT", "ACCOUNT", "REGION"),
        *("DURATION", "INSTANCES", "AGE", "NAMESPACE"),
    ]
    left: list[str] = []
    for wider, narrower in itertools.pairwise([headings(None), *(headings(width) for width in range(5000, 40, -1))]):
        left += [heading for heading in wider if heading not in narrower and heading not in left]
    assert left == order
    assert headings(41) == ["KIND", "NAME", "STATUS"]


def test_what_is_wrong_is_seen_at_every_width() -> None:
    for width in (40, 80, 120, 200, 400):
        assert "no controller has reconciled this" in table(width=width)


def test_nothing_is_cut_where_no_terminal_reads() -> None:
    text = table(width=None)
    assert LONG in text
    assert "…" not in text


def test_a_wide_terminal_cuts_no_more_than_a_pipe() -> None:
    assert table(width=10_000) == table(width=None)


@pytest.mark.parametrize("screen", SCREENS)
def test_no_hostile_text_drives_a_terminal_or_forges_a_line(screen: str) -> None:
    text = SCREENS[screen]()
    for sequence in (*states.COLOURS.values(), states.BOLD, states.DIM, states.RESET):
        text = text.replace(sequence, "")
    # The address of a link holds no control character but those of the link itself.
    text = re.sub(r"\x1b\]8;(id=console)?;[!-~]*\x1b\\", "", text)
    assert {char for char in text if unicodedata.category(char) == "Cc"} <= {"\n"}
    assert not set(text) & set("\u202e\u202d\u2066\u200f")


@pytest.mark.parametrize("width", [*range(30, 130, 7), 200])
@pytest.mark.parametrize("name", PANELS)
def test_no_line_of_a_panel_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(cells, panel(name, width=width).split("\n"))) <= width


@pytest.mark.parametrize("name", PANELS)
def test_nothing_of_a_panel_is_cut_where_no_terminal_reads(name: str) -> None:
    text = panel(name, width=None)
    assert "…" not in text
    assert not any(line.startswith(" " * 6) for line in text.split("\n") if "━" in line)


def test_what_is_denied_costs_its_part_and_one_notice() -> None:
    assert len(PANELS["denied"].notices) == 1
    assert "sagemaker:DescribeTrainingJob: not authorized" in panel("denied")
    assert "4 × ml.p4d.24xlarge" in panel("denied"), "the resource's own word"


def test_what_was_never_created_is_not_asked_about() -> None:
    assert [PANELS[name].notices for name in ("recoverable", "not-reconciled")] == [(), ()]


def test_the_documents_of_one_and_of_many_share_their_fields() -> None:
    one, many = document("failed"), documents.document([PANELS["failed"].job], CLOCK)
    assert one.keys() - many["items"][0].keys() == {"apiVersion", "details"}
    assert one["apiVersion"] == many["apiVersion"] == "kubectl-sagemaker/v1"


def test_brackets_and_colons_are_nobodys_markup() -> None:
    text = table(width=None)
    assert "[bold]File[/bold]" in text
    assert "[red]Paused[/red]" in text
    assert ":smile:" in text


def test_what_needs_somebody_comes_first_then_what_runs_then_what_failed() -> None:
    ranks = [states.RANKS[job.state(CLOCK)] for job in states.ordered(JOBS, CLOCK)]
    assert ranks == sorted(ranks)
    assert {0, 1, 2, 3} == set(ranks)


@pytest.mark.parametrize("by", ["name", "age", "status"])
def test_the_order_that_was_asked_for(by: str) -> None:
    ordered = states.ordered(JOBS, CLOCK, by)
    key: dict[str, Callable[[Job], object]] = {
        "name": lambda job: (job.namespace, job.name),
        "age": lambda job: -(job.resource_creation_time or 0.0),
        "status": states.status,
    }
    keys = [key[by](job) for job in ordered]
    assert keys == sorted(keys)  # type: ignore[type-var]  # each key sorts among its own
    assert sorted(job.name for job in ordered) == sorted(job.name for job in JOBS)


def test_a_sign_tells_the_states_apart_without_colour() -> None:
    assert len(set(states.SIGNS.values())) == len(states.SIGNS)
    assert all(unicodedata.east_asian_width(sign) in {"N", "Na"} for sign in states.SIGNS.values())


def test_json_and_yaml_say_the_same() -> None:
    import yaml

    document = documents.document(JOBS, CLOCK)
    assert json.loads(documents.as_json(document)) == document
    assert yaml.safe_load(documents.as_yaml(document)) == document
    assert [item["name"] for item in document["items"]] == [job.name for job in JOBS]


def test_every_field_that_programs_read_is_documented() -> None:
    described = (HERE.parents[1] / "docs" / "json.md").read_text("utf-8").partition("## `kubectl sagemaker status")[2]
    documented = set(re.findall(r"`(\w+)`", described))
    everything: list[Any] = [document(name) for name in PANELS]
    fields = set[str]()
    while everything:
        value = everything.pop()
        if isinstance(value, dict):
            # What they hold is named by users and AWS.
            fields |= value.keys()
            everything += [item for name, item in value.items() if name not in {"hyperparameters", "counters"}]
        elif isinstance(value, list):
            everything += value
    assert fields - documented == set()


def test_what_a_narrow_terminal_leaves_out_of_the_wide_table_is_known() -> None:
    def missing(width: int | None) -> list[str]:
        return tables.left_out(JOBS, now=CLOCK, namespaces=True, width=width)

    assert missing(None) == missing(500) == []
    for width in (60, 100, 200):
        heading = table(width=width, namespaces=True, wide=True).splitlines()[0]
        assert missing(width)
        assert not any(re.search(rf"(^| ){name}( |$)", heading) for name in missing(width))
    assert missing(300) == ["SAGEMAKER JOB", "GROUP"]


def test_names_are_whole_where_that_is_possible_and_one_that_is_too_long_costs_the_others_nothing() -> None:
    jobs = (RUNNING, TUNED, BY_NAME["churn"])
    for width in (54, 60, 80):
        assert all(job.name in table(width=width, jobs=jobs) for job in jobs)
    lines = table(width=80, jobs=(RUNNING, RUNNING._replace(name="x" * 250))).splitlines()
    assert re.search(r"^TrainingJob +xgboost-mnist +▸ InProgress \(Training\) +\d+s$", lines[1])


def test_no_jobs_are_a_heading() -> None:
    for width in (None, 80, 60):
        text = tables.table([], now=0.0, namespaces=False, wide=False, width=width, colour=False)
        assert text.startswith("KIND   NAME   STATUS")
        assert text.count("\n") == 1


def test_a_mark_stands_before_its_job() -> None:
    marks = {RUNNING.key: "+", BY_NAME["churn"].key: "*"}
    shown = tables.blocks(
        [RUNNING, TUNED, BY_NAME["churn"]],
        now=CLOCK,
        namespaces=False,
        wide=False,
        width=200,
        colour=False,
        marks=marks,
    )
    assert [[line[:3] for line in block] for block in shown] == [["  K"], ["+ T"], ["  H"], ["* T"]]


if __name__ == "__main__":
    for name in SCREENS:
        (HERE / name).write_text(written(name), "utf-8")
