"""Jobs as a table, as one job in full, as JSON, YAML or names; the only importer of `rich`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.text import json_visible, one_line
from kubectl_sagemaker.times import age, rfc3339

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kubectl_sagemaker.jobs import Job

SCHEMA: Final = "kubectl-sagemaker/v1"
"""Version of what `-o json` and `-o yaml` print; docs/json.md describes it."""
UNCUT: Final = 100_000
"""A width, in columns, that no table reaches: piped, nothing is cut."""
COLOURS: Final = {0: "green", 3: "red", 4: "yellow"}
"""Colours of end states, by the exit code that they give."""


def _status(job: Job) -> str:
    """`InProgress (Training)`; the secondary status only where it adds something."""
    if job.secondary_status and job.secondary_status != job.status:
        return f"{job.status or ''} ({job.secondary_status})".strip()
    return job.status or ""


Column = tuple[str, Callable[["Job", float], str]]

NAMESPACE: Final[Column] = ("NAMESPACE", lambda job, now: job.namespace)
COLUMNS: Final[tuple[Column, ...]] = (
    ("KIND", lambda job, now: job.api.kind),
    ("NAME", lambda job, now: job.name),
    ("STATUS", lambda job, now: _status(job)),
    ("AGE", lambda job, now: "" if job.resource_creation_time is None else age(now - job.resource_creation_time)),
    ("SAGEMAKER JOB", lambda job, now: job.job_name or ""),
)
REASON: Final[Column] = ("REASON", lambda job, now: job.problem or "")
WIDE: Final[tuple[Column, ...]] = (
    ("GROUP", lambda job, now: job.api.group.name),
    ("REGION", lambda job, now: job.region or ""),
    ("ACCOUNT", lambda job, now: job.account or ""),
)


def table(jobs: Sequence[Job], *, now: float, namespaces: bool, wide: bool, width: int | None, colour: bool) -> str:
    """A line a job under a heading; `width` in columns (None: uncut)."""
    from rich.table import Table

    columns = (*((NAMESPACE,) if namespaces else ()), *COLUMNS, *(WIDE if wide else ()), REASON)
    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for heading, _ in columns:
        # What says where and why gives way first when the terminal is narrow; nothing wraps.
        grid.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=None)
    for job in jobs:
        grid.add_row(*(_cell(heading, value(job, now), job) for heading, value in columns))
    return _rendered(grid, width=width, colour=colour)


def _cell(heading: str, value: str, job: Job) -> RenderableType:
    from rich.text import Text

    style = ""
    if heading == "STATUS":
        style = COLOURS.get(job.kind.ends.get(job.status or "", -1), "cyan")
    return Text(one_line(value), style=style)


def full(job: Job, *, now: float, width: int | None, colour: bool) -> str:
    """One job in full, as far as its resource tells."""
    from rich.table import Table

    created = job.resource_creation_time
    rows = [
        ("Name", job.name),
        ("Namespace", job.namespace),
        ("Kind", f"{job.api.kind} ({job.api.resource})"),
        ("Status", _status(job) or "none"),
        ("Reason", job.problem or ""),
        ("SageMaker job", job.job_name or "none yet"),
        ("Region", job.region or ""),
        ("Account", job.account or ""),
        ("Created", "" if created is None else f"{rfc3339(created)} ({age(now - created)} ago)"),
        ("Log", f"kubectl smlogs {job.api.singular} {job.name}" if job.kind.log else ""),
    ]
    grid = Table.grid(padding=(0, 3, 0, 0))
    for heading, value in rows:
        if value:
            grid.add_row(f"{heading}:", _cell(heading.upper(), value, job))
    return _rendered(grid, width=width, colour=colour)


def _rendered(what: RenderableType, *, width: int | None, colour: bool) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        width=width or UNCUT,
        color_system="standard" if colour else None,
        force_terminal=colour,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
    )
    console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def values(job: Job) -> dict[str, Any]:
    """A job as plain values, for programs."""
    created = job.resource_creation_time
    return {
        "group": job.api.group.name,
        "version": job.api.group.version,
        "resource": job.api.plural,
        "kind": job.api.kind,
        "namespace": job.namespace,
        "name": job.name,
        "jobName": job.job_name,
        "status": job.status,
        "secondaryStatus": job.secondary_status,
        "ended": job.ended,
        "reason": job.problem,
        "region": job.region,
        "account": job.account,
        "created": None if created is None else rfc3339(created),
    }


def document(jobs: Iterable[Job]) -> dict[str, Any]:
    """A list of jobs as one document."""
    return {"apiVersion": SCHEMA, "kind": "JobList", "items": [values(job) for job in jobs]}


def single(job: Job) -> dict[str, Any]:
    """One job as a document."""
    return {
        "apiVersion": SCHEMA,
        "kind": "Job",
        **{f"{name}": value for name, value in values(job).items() if name != "kind"},
    }


def as_json(value: dict[str, Any]) -> str:
    """A document as JSON, indented as kubectl does."""
    return json_visible(json.dumps(value, indent=4, ensure_ascii=False)) + "\n"


def as_yaml(value: dict[str, Any]) -> str:
    """A document as YAML."""
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=False)
    return text


def as_names(jobs: Iterable[Job]) -> str:
    """`trainingjob.sagemaker.aws.amazon.com/xgboost-mnist`, as `kubectl -o name` prints it."""
    return "".join(f"{job.api.singular}.{job.api.group.name}/{one_line(job.name)}\n" for job in jobs)
