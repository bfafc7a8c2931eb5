"""One job in full, as wide as the terminal, or uncut where none reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.jobs import MEANINGS
from kubectl_sagemaker.render import states
from kubectl_sagemaker.render.states import BOLD, COLOURS, DIM, RESET, cells, cut
from kubectl_sagemaker.text import one_line, visible
from kubectl_sagemaker.times import age, clock, span

if TYPE_CHECKING:
    from kubectl_sagemaker.details import Details, Phase, Step, Variant
    from kubectl_sagemaker.jobs import State, Trial

INDENT: Final = "  "
LABEL: Final = 15
"""Cells of a label."""
BAR: Final = 20
"""Cells of the bar of a timeline."""
STATUS: Final = 24
"""Cells of a phase's name on a terminal, at most: SageMaker's longest has as many."""
MOST_LINES: Final = 12
"""Lines of a reason on a terminal: SageMaker's have at most 1,024 characters, a controller's may have more."""
BAR_WIDTH: Final = 76
"""Cells of a terminal from which on there is a bar: it has room beside the longest phase, with its day."""
WAITS: Final = frozenset({"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack", "Interrupted"})
"""Phases in which nothing of the job's own runs."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a panel looks."""

    width: int | None = None
    """Cells of the terminal; None: nothing is wrapped or cut."""
    colour: bool = False
    links: bool = False
    """Whether the console's address is a hyperlink of the terminal's (OSC 8)."""
    notices: bool = False
    """Whether what could not be asked stands in the panel."""
    grouped: bool = False
    """Whether the command that shows more names the kind with its group, as the person did."""
    flags: str = ""
    """What that command needs to come to the same cluster and account: `--context prod`."""

    def shade(self, text: str, sequence: str) -> str:
        """The text in a colour, if there are colours."""
        return f"{sequence}{text}{RESET}" if self.colour and sequence and text else text

    def room(self, taken: int) -> int | None:
        """Cells that are left of a line; None: as many as one likes."""
        return None if self.width is None else max(8, self.width - taken)


def panel(details: Details, *, now: float, style: Style) -> str:
    """Everything that is known of a job; sections without anything to say are left out."""
    sections = (
        _who(details, now, style),
        _timeline(details, now, style),
        _compute(details, style),
        _results(details, style),
        _tuning(details, style),
        _steps(details.steps, now, style),
        _variants(details, style),
        _why(details, now, style),
        _more(details, style),
    )
    return "".join(f"{line}\n" for line in _joined(list(section) for section in sections))


def _joined(sections: Iterable[list[str]]) -> Iterator[str]:
    for number, section in enumerate(filter(None, sections)):
        if number:
            yield ""
        yield from section


def wrap(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width` cells, cut between words where that is possible."""
    if width is None or cells(text) <= width:
        return [text]
    lines, line = [], ""
    for word in text.split(" "):
        rest = word
        joined = f"{line} {rest}" if line else rest
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while cells(rest) > width:
            head = _head(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line] if line else lines


def _head(text: str, width: int) -> str:
    """As much of the beginning as fits into `width` cells, and at least one character."""
    if text.isascii():
        return text[:width]
    end, taken = 0, 0
    for char in text:
        taken += cells(char)
        if taken > width and end:
            break
        end += 1
    return text[:end]


def _heading(text: str, style: Style, note: str = "") -> str:
    return style.shade(text, BOLD) + (f"  {_fitted(note, cells(text) + 2, style)}" if note else "")


def _fitted(text: str, taken: int, style: Style) -> str:
    """The text, cut on a terminal to what is left of a line of which so many cells are taken."""
    return text if style.width is None else cut(text, max(0, style.width - taken))


def _labelled(label: str, text: str, style: Style, sequence: str = "") -> Iterator[str]:
    """A label and its text, which goes on below itself."""
    label = one_line(label)
    for line in wrap(one_line(text), style.room(len(INDENT) + LABEL)):
        yield f"{INDENT}{label}{' ' * (LABEL - cells(label))}{style.shade(line, sequence)}"
        label = ""


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], style: Style, below: Sequence[str] | None = None
) -> Iterator[str]:
    """Aligned columns, on a terminal cut at its end; a column without any value is left out.

    What belongs to a row and is long stands below it.
    """
    wanted = [index for index in range(len(headings)) if any(row[index] for row in rows)]
    lines = [[headings[index] for index in wanted], *([one_line(row[index]) for index in wanted] for row in rows)]
    widths = [max(cells(line[index]) for line in lines) for index in range(len(wanted))]
    for line, more in zip(lines, ["", *(below or [""] * len(rows))], strict=True):
        text = "  ".join(f"{cell}{' ' * (size - cells(cell))}" for cell, size in zip(line, widths, strict=True))
        text = _fitted(f"{INDENT}{text}".rstrip(), 0, style)
        yield style.shade(text, DIM) if line is lines[0] else text
        if more:
            for piece in wrap(one_line(more), style.room(len(INDENT) * 3)):
                yield f"{INDENT * 3}{style.shade(piece, DIM)}"


def _who(details: Details, now: float, style: Style) -> Iterator[str]:
    """Who and where."""
    job = details.job
    status = _fitted(one_line(states.signed(job, now)), 0, style)
    title = _fitted(one_line(job.title), cells(status) + 2, style)
    yield f"{style.shade(status, COLOURS[job.state(now)])}  {style.shade(title, BOLD)}".rstrip()
    created = job.resource_creation_time
    aged = "" if created is None else f", {age(now - created)} old"
    yield from _labelled("object", f"{job.api.kind} {job.name} in namespace {job.namespace}{aged}", style)
    yield from _labelled("api", f"{job.api.group.name}/{job.api.group.version} ({job.api.group.label})", style)
    if details.controller:
        yield from _labelled("", f"(its controller still says {details.controller})", style)
    yield from _labelled("SageMaker job", job.job_name or "none yet", style)
    where = details.region or job.region
    if where:
        yield from _labelled("region", where + (f", account {job.account}" if job.account else ""), style)
    if details.console:
        for number, line in enumerate(wrap(details.console, style.room(len(INDENT) + LABEL))):
            # The pieces of one address, told by their id, are one link to the terminal.
            linked = f"\x1b]8;id=console;{details.console}\x1b\\{line}\x1b]8;;\x1b\\" if style.links else line
            yield f"{INDENT}{('console' if number == 0 else ''):<{LABEL}}{linked}"


def _timeline(details: Details, now: float, style: Style) -> Iterator[str]:
    """Every phase with its time, as a bar on a terminal; what goes on now; how much of its time it has used."""
    phases = details.phases
    if not phases:
        return
    last, over = phases[-1], details.job.ended
    began, end = phases[0].begun, (last.ended or last.begun) if over else now
    days = {clock(int(phase.begun), None)[0] for phase in phases}
    today, _, zone = clock(int(now), None)
    day = "" if len(days) > 1 or days == {today} else f"{days.pop()}, "
    yield _heading(
        "timeline", style, f"{day}{'took' if over else 'for'} {span(end - began)} (times in {zone.split()[-1]})"
    )
    yield from _phases(details, began, end, len(days) > 1, style)
    if not over:
        since = _moment(last.begun, len(days) > 1)
        yield from _labelled("now", f"{last.status} since {since}, for {span(now - last.begun)}", style, BOLD)
    compute = details.compute
    if compute.limit:
        used = "" if compute.used is None else f", {100 * compute.used / compute.limit:.0f} % used"
        yield from _labelled("maxRuntime", f"{span(compute.limit)}{used}", style)
    if compute.wait and compute.spot:
        yield from _labelled("maxWait", f"{span(compute.wait)}, waiting for spot capacity included", style)


def _phases(details: Details, began: float, end: float, with_day: bool, style: Style) -> Iterator[str]:
    """A line a phase; the messages stand beside all of them, or, where one has no room there, below each."""
    phases, over = details.phases, details.job.ended
    drawn = BAR if style.width is not None and style.width >= BAR_WIDTH else 0
    statuses = [one_line(phase.status) for phase in phases]
    if style.width is not None:
        statuses = [cut(status, STATUS) for status in statuses]
    longest = max(map(cells, statuses))
    lengths = [(phase.ended or end) - phase.begun for phase in phases]
    # An end is no time; and why it failed is said below.
    spans = [span(length) if length or not over else "" for length in lengths]
    messages = [one_line("" if phase.message == details.job.reason else phase.message or "") for phase in phases]
    heads = []
    for phase, status, taken in zip(phases, statuses, spans, strict=True):
        padded = f"{status}{' ' * (longest - cells(status))}"
        head = f"{INDENT}{_moment(phase.begun, with_day)}  {padded}  {taken:>{max(map(len, spans))}}"
        heads.append(_fitted(head, 0, style))
    room = style.room(cells(heads[0]) + 2 + (drawn + 2 if drawn else 0))
    beside = room is None or max(map(cells, messages)) <= room
    below = " " * (len(INDENT) * 2 + len(_moment(began, with_day)))
    for phase, head, length, message in zip(phases, heads, lengths, messages, strict=True):
        bar = _bar(phase.begun - began, length, end - began, drawn)
        line = style.shade(head, BOLD if phase is phases[-1] and not over else "")
        line += f"  {style.shade(bar, _phase_colour(details, phase))}" if drawn else ""
        yield f"{line}  {message}" if message and beside else line.rstrip()
        if message and not beside:
            yield from (f"{below}{style.shade(piece, DIM)}" for piece in wrap(message, style.room(len(below))))


def _moment(seconds: float, with_day: bool) -> str:
    day, time, _ = clock(int(seconds), None)
    return f"{day} {time}" if with_day else time


def _phase_colour(details: Details, phase: Phase) -> str:
    if "Failed" in phase.status:
        return COLOURS["failed"]
    if phase.status in WAITS:
        return COLOURS["stopped"]
    return COLOURS["running" if phase.ended is None and not details.job.ended else "done"]


def _bar(begun: float, length: float, whole: float, width: int) -> str:
    """A part of the whole time at its place, in `width` cells; nothing for what took none."""
    if not length or whole <= 0:
        return " " * width
    first = min(width - 1, int(begun / whole * width))
    last = min(width, max(first + 1, round((begun + length) / whole * width)))
    return f"{' ' * first}{'━' * (last - first)}{' ' * (width - last)}"


def _compute(details: Details, style: Style) -> Iterator[str]:
    """What it runs on, and what is paid."""
    compute, rows = details.compute, []
    if compute.instances and not details.variants:
        rows.append(("instances", states.machines(compute.instances)))
    if compute.training is not None:
        rows.append(("running time", span(compute.training)))
    if compute.billable is not None:
        bill = span(compute.billable)
        if compute.count and compute.count > 1:
            bill += f" × {compute.count} instances = {span(compute.billable * compute.count)}"
        rows.append(("billable time", bill))
    if compute.spot:
        saved = "" if compute.saving is None else f", {100 * compute.saving:.0f} % saved"
        rows.append(("capacity", f"managed spot{saved}"))
    if pool := compute.warm_pool:
        kept = None if pool.keep is None else f"kept for {span(pool.keep)}"
        paid = None if pool.billable is None else f"{span(pool.billable)} billable"
        reused = f"reused by {pool.reused_by}" if pool.reused_by else None
        rows.append(("warm pool", ", ".join(filter(None, (pool.status, kept, paid, reused)))))
    if rows:
        yield _heading("compute", style)
    for label, text in rows:
        yield from _labelled(label, text, style)


def _results(details: Details, style: Style) -> Iterator[str]:
    """What came out."""
    rows = [(artifact.name, artifact.uri) for artifact in details.artifacts]
    if details.copies:
        there, wanted = details.copies
        rows.append(("copies", f"{there} of {wanted}" if wanted != there else f"{there}"))
    if not rows and not details.metrics:
        return
    yield _heading("result", style)
    for label, text in rows:
        # A name of an output is as long as its author likes.
        yield from _labelled(label if cells(one_line(label)) < LABEL else "output", text, style)
    longest = max((cells(one_line(metric.name)) for metric in details.metrics), default=0)
    for number, metric in enumerate(details.metrics):
        name = one_line(metric.name)
        text = f"{name}{' ' * (longest - cells(name))}  {states.figure(metric.value)}"
        yield _fitted(f"{INDENT}{('metrics' if number == 0 else ''):<{LABEL}}{text}", 0, style)


def _tuning(details: Details, style: Style) -> Iterator[str]:
    """How a tuning job's children do; what else is counted, too."""
    job = details.job
    if not (job.counters or job.best):
        return
    yield _heading("progress", style)
    if job.counters:
        yield from _labelled("count", states.counters(job.counters), style)
    if job.best:
        yield from _labelled("best", " ".join(filter(None, (job.best.name, states.objective(job.best)))), style)
        if job.best.hyperparameters:
            yield from _labelled("", _parameters(job.best), style)
    if details.trials:
        # They are all named after the tuning job.
        prefix = f"{job.job_name}-"
        rows = [
            (
                trial.name.removeprefix(prefix),
                trial.status or "",
                _value(trial),
                _took(trial.begun, trial.ended),
                _parameters(trial),
            )
            for trial in details.trials
        ]
        yield from _table(("THE BEST", "STATUS", "OBJECTIVE", "TOOK", "HYPERPARAMETERS"), rows, style)


def _value(trial: Trial) -> str:
    return "" if trial.value is None else states.figure(trial.value)


def _took(begun: float | None, ended: float | None) -> str:
    return "" if begun is None or ended is None else span(ended - begun)


def _parameters(trial: Trial) -> str:
    return " ".join(f"{name}={value}" for name, value in trial.hyperparameters)


STEP_STATES: Final[dict[str, State]] = {
    "Starting": "running",
    "Executing": "running",
    "Succeeded": "done",
    "Failed": "failed",
    "Stopped": "stopped",
}


def _steps(steps: Sequence[Step], now: float, style: Style) -> Iterator[str]:
    """A pipeline's steps."""
    if not steps:
        return
    yield _heading("steps", style)
    rows = [
        (
            step.name,
            f"{_step_sign(step)} {step.status or ''}".rstrip(),
            _took(step.begun, step.ended or (now if step.begun and step.status == "Executing" else None)),
            f"{step.kind} {step.job_name}".strip(),
        )
        for step in steps
    ]
    yield from _table(("STEP", "STATUS", "TOOK", "JOB"), rows, style, [step.reason or "" for step in steps])


def _step_sign(step: Step) -> str:
    state = STEP_STATES.get(step.status or "")
    return states.SIGNS[state] if state else "?"


def _variants(details: Details, style: Style) -> Iterator[str]:
    """An endpoint's variants."""
    if not details.variants:
        return
    yield _heading("variants", style)
    rows = [
        (
            variant.name,
            variant.status or "",
            _change(variant.weight, variant.desired_weight),
            _sized(variant),
        )
        for variant in details.variants
    ]
    images = [", ".join(variant.images) for variant in details.variants]
    yield from _table(("VARIANT", "STATUS", "WEIGHT", "INSTANCES"), rows, style, images)


def _change(now: float | None, then: float | None) -> str:
    if now is None:
        return ""
    return f"{now:g}" if then is None or then == now else f"{now:g} → {then:g}"


def _sized(variant: Variant) -> str:
    text = states.machines([variant.instances]) if variant.instances else ""
    count = variant.instances.count if variant.instances else None
    wanted = variant.desired_count
    return text if wanted is None or count is None or wanted == count else f"{text} → {wanted}"


def _why(details: Details, now: float, style: Style) -> Iterator[str]:
    """Why it failed or never started, and what to do."""
    job = details.job
    state, trouble = job.state(now), job.trouble(now) or job.problem
    broken = [condition for condition in job.conditions if condition.broken]
    if trouble or details.lines or broken:
        heads = {"failed": "why it failed", "stuck": "why it does not start", "waiting": "why it does not start"}
        yield _heading(heads.get(state, "what is said"), style)
        # A condition says it again, and what it means.
        said = (
            []
            if any(trouble and condition.message and condition.message in trouble for condition in broken)
            else [trouble]
        )
        for text in filter(None, said):
            lines = wrap(one_line(text), style.room(len(INDENT)))
            for line in lines[:MOST_LINES]:
                yield f"{INDENT}{style.shade(line, COLOURS['failed' if state == 'failed' else 'stuck'])}"
            if len(lines) > MOST_LINES:
                yield f"{INDENT}{style.shade(_fitted('… -o json has all of it', len(INDENT), style), DIM)}"
        for condition in broken:
            meaning, _ = MEANINGS[condition.type]
            text = f"{condition.type}, {meaning}: {condition.message or 'no message'}"
            for line in wrap(one_line(text), style.room(len(INDENT))):
                yield f"{INDENT}{style.shade(line, COLOURS['stuck'])}"
        for step in job.next_steps:
            yield from _labelled("next step", step, style, BOLD)
    if details.lines:
        yield style.shade(_fitted(f"{INDENT}{one_line(details.lines[0].instance)} wrote first:", 0, style), BOLD)
        for written in details.lines:
            text = visible(written.message.replace("\t", "    ").replace("\n", " "), colour=False)
            yield _fitted(f"{INDENT}  {_indented_line(text)}", 0, style)
    if style.notices:
        for notice in details.notices:
            yield from _labelled("notice", notice, style, DIM)


def _indented_line(text: str) -> str:
    """One line with its blanks, which are a traceback's order; everything else made visible."""
    stripped = text.lstrip(" ")
    return f"{' ' * (len(text) - len(stripped))}{one_line(stripped)}"


def _more(details: Details, style: Style) -> Iterator[str]:
    """The command that shows more."""
    job = details.job
    if job.kind.logged and job.job_name and not job.uncreated:
        word = f"{job.api.singular}.{job.api.group.name}" if style.grouped else job.api.singular
        words = filter(None, ("kubectl smlogs", word, job.name, "-n", job.namespace, style.flags))
        yield from _labelled("more", " ".join(words), style)
