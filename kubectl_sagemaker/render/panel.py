"""One job in full, on a terminal or piped."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.render.states import signed
from kubectl_sagemaker.text import one_line
from kubectl_sagemaker.times import age, rfc3339

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Job

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
        ("Status", signed(job, now)),
        ("Reason", job.trouble(now) or ""),
        ("SageMaker job", job.job_name or "none yet"),
        ("Region", job.region or ""),
        ("Account", job.account or ""),
        ("Created", "" if created is None else f"{rfc3339(created)} ({age(now - created)} ago)"),
        ("Log", f"kubectl smlogs {job.api.singular} {job.name} -n {job.namespace}" if job.kind.log else ""),
    ]
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, value in rows:
        if value:
            text = Text(one_line(value))
            if heading == "Status":
                text.stylize("bold")
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
