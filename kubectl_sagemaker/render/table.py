"""Jobs as a table: a line a job, as wide as the terminal, or uncut where none reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.render import states
from kubectl_sagemaker.render.states import BOLD, COLOURS, DIM, RESET, cells, cut
from kubectl_sagemaker.text import one_line
from kubectl_sagemaker.times import age, span

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Job

GAP: Final = "   "


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of the table; `value` takes the job and the time, in seconds since the epoch. Each is itself alone."""

    heading: str
    value: Callable[[Job, float], str]


def _duration(job: Job, now: float) -> str:
    seconds = job.duration(now)
    return "" if seconds is None else span(seconds)


NAMESPACE: Final = Column("NAMESPACE", lambda job, now: job.namespace)
KIND: Final = Column("KIND", lambda job, now: job.api.kind)
NAME: Final = Column("NAME", lambda job, now: job.name)
STATUS: Final = Column("STATUS", states.signed)
AGE: Final = Column(
    "AGE", lambda job, now: "" if job.resource_creation_time is None else age(now - job.resource_creation_time)
)
DURATION: Final = Column("DURATION", _duration)
INSTANCES: Final = Column("INSTANCES", lambda job, now: states.machines(job.instances))
JOB_NAME: Final = Column("SAGEMAKER JOB", lambda job, now: job.job_name or "")
GROUP: Final = Column("GROUP", lambda job, now: job.api.group.name)
REGION: Final = Column("REGION", lambda job, now: job.region or "")
ACCOUNT: Final = Column("ACCOUNT", lambda job, now: job.account or "")
SPOT: Final = Column("SPOT", lambda job, now: "" if job.spot is None else "spot" if job.spot else "no")
BEST: Final = Column("BEST", lambda job, now: states.objective(job.best))
COUNTERS: Final = Column("COUNTERS", lambda job, now: states.counters(job.counters))
REASON: Final = Column("REASON", lambda job, now: job.trouble(now) or "")
USUAL: Final = (KIND, NAME, STATUS, AGE, DURATION, INSTANCES, JOB_NAME)
WIDE: Final = (GROUP, REGION, ACCOUNT, SPOT, BEST, COUNTERS)
Row = dict[Column, str]
Widths = dict[Column, int]

DISPENSABLE: Final = (
    *(GROUP, JOB_NAME, COUNTERS, BEST, SPOT, ACCOUNT, REGION),
    *(DURATION, INSTANCES, AGE, NAMESPACE),
)
"""What a narrow terminal does without, in this order; `status KIND NAME` shows it. Kind, name and state always stay."""
AGED: Final = DISPENSABLE.index(AGE)
JOB_NAME_LEAST: Final = 16
STEPS: Final[Sequence[tuple[Sequence[Column], Widths]]] = (
    # The job's name is cut, then one column after the other goes.
    *((DISPENSABLE[:count], {JOB_NAME: JOB_NAME_LEAST}) for count in range(AGED + 1)),
    # Kind and state are cut, so that names stay whole: they are what people copy.
    (DISPENSABLE[:AGED], {KIND: 12, STATUS: 18}),
    (DISPENSABLE[: AGED + 1], {KIND: 12, STATUS: 18}),
    (DISPENSABLE[: AGED + 1], {KIND: 9, STATUS: 13}),
    # Even so a name has no room: all that stays is cut before one more goes.
    *((DISPENSABLE[:count], {KIND: 12, NAME: 12, STATUS: 18}) for count in range(AGED, len(DISPENSABLE) + 1)),
)
"""What is left out, and the cells to which columns may be cut, one step after the other."""
REASON_LEAST: Final = 40
"""Cells that the reason wants for itself; where they are not left, it stands below its row."""
INDENT: Final = "    "


def table(
    jobs: Sequence[Job],
    *,
    now: float,
    namespaces: bool,
    wide: bool,
    width: int | None,
    colour: bool,
) -> str:
    """A line a job under a heading; none is wider than `width`, in cells of a terminal (None: nothing is cut).

    On a terminal that leaves the reason no room, it stands on a line of its own, below its job, cut as well.
    """
    parts = blocks(jobs, now=now, namespaces=namespaces, wide=wide, width=width, colour=colour)
    return "".join(f"{line}\n" for part in parts for line in part)


def blocks(
    jobs: Sequence[Job],
    *,
    now: float,
    namespaces: bool,
    wide: bool,
    width: int | None,
    colour: bool,
    marks: Mapping[tuple[str, str, str], str] | None = None,
) -> list[list[str]]:
    """The table's lines: those of its heading, then those of each job.

    `marks` puts a sign of one cell before the jobs whose keys it holds, and a blank before the others.
    """
    margin = 0 if marks is None else 2
    heading, texts, widths = _laid_out(jobs, now, namespaces, wide, width if width is None else width - margin)
    head = "".join(_lines(heading, widths, None, "", "  " if margin else ""))
    parts = [[f"{BOLD}{head}{RESET}" if colour else head]]
    for job, row in zip(jobs, texts, strict=True):
        shown = COLOURS[job.state(now)] if colour else ""
        mark = f"{(marks or {}).get(job.key, ' ')} " if margin else ""
        parts.append(list(_lines(row, widths, width, shown, mark)))
    return parts


def left_out(jobs: Sequence[Job], *, now: float, namespaces: bool, width: int | None) -> list[str]:
    """Headings of the wide table's columns that hold something, and for which so narrow a terminal has no room."""
    heading, _, widths = _laid_out(jobs, now, namespaces, True, width)
    return [text for column, text in heading.items() if column not in widths and column is not REASON]


def _laid_out(
    jobs: Sequence[Job], now: float, namespaces: bool, wide: bool, width: int | None
) -> tuple[Row, list[Row], Widths]:
    """The heading, each job's texts, and the widths of the columns for which there is room."""
    columns = (*((NAMESPACE,) if namespaces else ()), *USUAL, *(WIDE if wide else ()), REASON)
    texts = [{column: one_line(column.value(job, now)) for column in columns} for job in jobs]
    if width is not None and texts:
        # On a terminal, a column without any value gives its room to the others.
        columns = tuple(column for column in columns if any(row[column] for row in texts))
    heading = {column: column.heading for column in columns}
    return heading, texts, _widths([heading, *texts], columns, width)


def _widths(rows: Sequence[Row], columns: Sequence[Column], width: int | None) -> Widths:
    """How many cells each column gets; a column that is left out is not in it."""
    natural = {column: max(cells(row[column]) for row in rows) for column in columns}
    if width is None:
        return natural
    reason = natural.pop(REASON, 0)
    levelled = _without_reason(natural, width)
    if reason:
        asked = {column: natural[column] for column in levelled} | {REASON: reason}
        least = {REASON: min(reason, REASON_LEAST), **({JOB_NAME: JOB_NAME_LEAST} if JOB_NAME in asked else {})}
        beside = _levelled(asked, width, least)
        if _total(beside) <= width:
            return beside
    return levelled


def _without_reason(natural: Widths, width: int) -> Widths:
    """The columns that fit, the reason aside: those of the first of STEPS with which the table does."""
    for without, least in STEPS:
        kept = {column: size for column, size in natural.items() if column not in without}
        levelled = _levelled(kept, width, least)
        if _total(levelled) <= width:
            return levelled
    return _levelled(levelled, width, dict.fromkeys(levelled, 1))


def _levelled(widths: Widths, width: int, least: Widths) -> Widths:
    """The widths with the widest cut of those that have a least, until the table fits or no more can be cut."""
    levelled = {column: min(size, width) if column in least else size for column, size in widths.items()}
    while _total(levelled) > width:
        cuttable = [column for column, limit in least.items() if levelled.get(column, 0) > limit]
        if not cuttable:
            break
        levelled[max(cuttable, key=lambda column: levelled[column])] -= 1
    return levelled


def _total(widths: Widths) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)


def _lines(row: Row, widths: Widths, width: int | None, colour: str, mark: str) -> Iterator[str]:
    """A row's line, and the reason's below it where that has no column; `colour` is for the status."""
    padded = []
    for column, size in widths.items():
        text = cut(row[column], size)
        blanks = " " * (size - cells(text))
        padded.append(f"{colour}{text}{RESET}{blanks}" if colour and column is STATUS else f"{text}{blanks}")
    yield f"{mark}{GAP.join(padded).rstrip()}"
    reason = row.get(REASON)
    if width is not None and reason and REASON not in widths:
        text = cut(f"{' ' * len(mark)}{INDENT}{reason}", width)
        yield f"{DIM}{text}{RESET}" if colour else text
