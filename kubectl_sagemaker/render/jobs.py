"""Jobs as a table, as one job in full, as JSON, YAML or names; the only importer of `rich`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.text import json_visible, one_line
from kubectl_sagemaker.times import age, rfc3339

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Job

SCHEMA: Final = "kubectl-sagemaker/v1"
"""Version of what `-o json` and `-o yaml` print; docs/json.md describes it."""
COLOURS: Final = {0: "green", 3: "red", 4: "yellow"}
"""Colours of end states, by the exit code that they give."""
SEQUENCES: Final = {"green": "\x1b[32m", "red": "\x1b[31m", "yellow": "\x1b[33m", "cyan": "\x1b[36m"}
RESET: Final = "\x1b[0m"
GAP: Final = "   "


def _status(job: Job) -> str:
    """`InProgress (Training)`; the secondary status only where it adds something."""
    if job.secondary_status and job.secondary_status != job.status:
        return f"{job.status or ''} ({job.secondary_status})".strip()
    return job.status or ""


def _colour(job: Job) -> str:
    status = job.status or ""
    code = job.kind.ends.get(status)
    if code is None:
        # Endpoints and what does not end have their bad states as well: UpdateRollbackFailed, DeleteFailed.
        return "red" if "Failed" in status else "cyan"
    return COLOURS[code]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; `value` takes the job and the time, in seconds since the epoch."""

    heading: str
    value: Callable[[Job, float], str]
    least: int | None = None
    """Cells to which it may be cut before it is left out; None: it is whole or not there."""


NAMESPACE: Final = Column("NAMESPACE", lambda job, now: job.namespace)
KIND: Final = Column("KIND", lambda job, now: job.api.kind)
NAME: Final = Column("NAME", lambda job, now: job.name)
STATUS: Final = Column("STATUS", lambda job, now: _status(job))
AGE: Final = Column(
    "AGE", lambda job, now: "" if job.resource_creation_time is None else age(now - job.resource_creation_time)
)
JOB_NAME: Final = Column("SAGEMAKER JOB", lambda job, now: job.job_name or "", least=16)
GROUP: Final = Column("GROUP", lambda job, now: job.api.group.name)
REGION: Final = Column("REGION", lambda job, now: job.region or "")
ACCOUNT: Final = Column("ACCOUNT", lambda job, now: job.account or "")
REASON: Final = Column("REASON", lambda job, now: job.problem or "", least=16)
DISPENSABLE: Final = (REASON, JOB_NAME, GROUP, ACCOUNT, REGION, AGE, NAMESPACE)
"""What a narrow terminal does without, in this order; `status KIND NAME` shows it.

Before that, the wider of the first two is cut, so that neither a long reason nor an ARN leaves nothing to the other.
KIND, NAME and STATUS always stay, cut if need be.
"""


def table(jobs: Sequence[Job], *, now: float, namespaces: bool, wide: bool, width: int | None, colour: bool) -> str:
    """A line a job under a heading; none is wider than `width`, in cells of a terminal (None: nothing is cut)."""
    columns = (
        *((NAMESPACE,) if namespaces else ()),
        *(KIND, NAME, STATUS, AGE, JOB_NAME),
        *((GROUP, REGION, ACCOUNT) if wide else ()),
        REASON,
    )
    rows = [{column: one_line(column.value(job, now)) for column in columns} for job in jobs]
    widths = _widths([{column: column.heading for column in columns}, *rows], width)
    colours = [SEQUENCES[_colour(job)] if colour else "" for job in jobs]
    lines = [
        _line({column: column.heading for column in columns}, widths, ""),
        *(_line(row, widths, sequence) for row, sequence in zip(rows, colours, strict=True)),
    ]
    return "".join(lines)


Row = dict[Column, str]
Widths = dict[Column, int]


def _widths(rows: Sequence[Row], width: int | None) -> Widths:
    """How many cells each column gets; a column that is left out is not in it."""
    from rich.cells import cell_len

    natural = {column: max(cell_len(row[column]) for row in rows) for column in rows[0]}
    if width is None:
        return natural
    for missing in range(len(DISPENSABLE) + 1):
        shown = {column: size for column, size in natural.items() if column not in DISPENSABLE[:missing]}
        least = {column: column.least for column in DISPENSABLE if column in shown and column.least}
        levelled = _levelled(shown, width, least)
        if _total(levelled) <= width:
            return levelled
    return _levelled(shown, width, dict.fromkeys(shown, 1))


def _levelled(widths: Widths, width: int, least: Widths) -> Widths:
    """The widths with the widest cut of those that have a least, until the table fits or no more can be cut."""
    levelled = {column: min(size, width) if column in least else size for column, size in widths.items()}
    while _total(levelled) > width:
        cuttable = [column for column, limit in least.items() if levelled[column] > limit]
        if not cuttable:
            break
        levelled[max(cuttable, key=lambda column: levelled[column])] -= 1
    return levelled


def _total(widths: Widths) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)


def _line(row: Row, widths: Widths, colour: str) -> str:
    """One line of the table, with its newline; `colour` is a control sequence for the status, or empty."""
    cells = []
    for column, width in widths.items():
        text, padding = _fitted(row[column], width)
        cells.append(f"{colour}{text}{RESET}{padding}" if colour and column is STATUS and text else f"{text}{padding}")
    return f"{GAP.join(cells).rstrip()}\n"


def _fitted(text: str, width: int) -> tuple[str, str]:
    """The text, cut to so many cells if need be, and the blanks that fill them; wide characters take two."""
    from rich.cells import cell_len, set_cell_size

    length = cell_len(text)
    if length > width:
        return f"{set_cell_size(text, width - 1)}…", ""
    return text, " " * (width - length)


UNCUT: Final = 10_000_000
"""A width, in cells, that no text reaches: etcd takes objects up to 1.5 MB."""


def full(job: Job, *, now: float, width: int | None, colour: bool) -> str:
    """One job in full, as far as its resource tells; long values wrap at `width` cells (None: they don't)."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

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
        ("Log", f"kubectl smlogs {job.api.singular} {job.name} -n {job.namespace}" if job.kind.log else ""),
    ]
    grid = Table.grid(padding=(0, len(GAP), 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, value in rows:
        if value:
            text = Text(one_line(value))
            if heading == "Status":
                text.stylize(_colour(job))
            grid.add_row(f"{heading}:", text)
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or UNCUT,
        height=1,  # with a width alone, TERM=dumb means 80 columns to rich
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        legacy_windows=False,
    )
    console.print(grid)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().split("\n")[:-1])


def values(job: Job) -> dict[str, Any]:
    """A job as plain values, for programs."""
    created = job.resource_creation_time
    return {
        "kind": job.api.kind,
        "group": job.api.group.name,
        "version": job.api.group.version,
        "resource": job.api.plural,
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
    """One job as a document: what it is in a list, and the schema's version."""
    return {"apiVersion": SCHEMA, **values(job)}


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
