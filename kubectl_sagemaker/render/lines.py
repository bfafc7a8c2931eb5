"""A log event as a line."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.jobs import counted, in_answer
from kubectl_sagemaker.logs.events import PLAIN, LogEvent, Naming, Page, Transition
from kubectl_sagemaker.text import COLOUR, json_visible, one_line, visible
from kubectl_sagemaker.times import clock, rfc3339

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Job
    from kubectl_sagemaker.kinds import Kind
    from kubectl_sagemaker.logs.children import Child

OUTPUTS: Final = ("long", "short", "raw", "json")
RESET: Final = "\x1b[0m"
DIM: Final = "\x1b[2m"
INSTANCE_COLOURS: Final = tuple(f"\x1b[{code}m" for code in (36, 32, 35, 34, 33, 96, 92, 95, 94, 93))
CARRIAGE_RETURN: Final = re.compile(r"\r|#015")
"""SageMaker writes a carriage return inside a line as `#015`, so a progress bar arrives as one long line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How lines look."""

    output: str = "long"
    naming: Naming = PLAIN
    resource: str = ""
    """`KIND/NAME` whose log it is."""
    prefix: str = ""
    """What tells the lines from other jobs'; empty where there are none."""
    where: tzinfo | None = None
    """Time zone; None: local."""
    stream_names: bool = True
    timestamps: bool = True
    highlight: tuple[re.Pattern[str], ...] = ()
    colour: bool = False
    terminal: bool = False
    """Whether a terminal reads it: then control sequences are shown, not sent, and progress bars collapse."""
    _labels: dict[str, str] = field(default_factory=dict)

    def text(self, page: Page) -> str:
        """The page's lines, each ended by a newline."""
        form = FORMS[self.output]
        return "".join([form(self, event) for event in page])

    def message(self, event: LogEvent) -> str:
        """The event's message, without the newline at its end, as it may go out."""
        message = event["message"]
        if message.endswith("\n"):
            message = message[:-1]
        if self.terminal:
            message = visible("\n".join(map(last_state, message.split("\n"))), colour=self.colour)
        return emphasised(message, self.highlight) if self.colour else message

    def full(self, stream: str) -> str:
        """The stream's name; behind the job's, where it names no job and there are several."""
        return f"{self.prefix}/{stream}" if self.prefix and self.naming.job else stream

    def brief(self, stream: str) -> str:
        """The instance; behind the job, where there are several."""
        label = self.naming.label(stream)
        return f"{self.prefix}/{label}" if self.prefix else label

    def label(self, stream: str, form: Callable[[str], str]) -> str:
        """What stands before a stream's lines; made once for each stream."""
        label = self._labels.get(stream)
        if label is None:
            label = one_line(form(stream)) if self.stream_names else ""
            if label and self.colour:
                label = f"{_colour(self.naming.label(stream) if not self.prefix else label)}{label}{RESET}"
            label = self._labels[stream] = f"{label} " if label else ""
        return label


LEVEL: Final = re.compile(
    r"(?P<red>\b(?:ERROR|CRITICAL|FATAL)\b|^Traceback \(most recent call last\):"
    r"|^(?:\w+\.)*\w*(?:Error|Exception)(?=: |$))"
    r"|(?P<yellow>\bWARN(?:ING)?\b)",
    re.MULTILINE,
)
"""Words that say how bad it is, as Python's logging and its tracebacks write them. Only the word is coloured: a line
that merely speaks of errors stays as it is."""
LEVEL_COLOURS: Final = {"red": "\x1b[1;31m", "yellow": "\x1b[33m"}
HIGHLIGHT: Final = "\x1b[7m"


def emphasised(message: str, highlight: Iterable[re.Pattern[str]]) -> str:
    """The message with its level, or what was asked for, in colour; else one that has colours keeps its own."""
    coloured = "\x1b[" in message
    plain = COLOUR.sub("", message) if coloured else message
    spans = sorted(match.span() for pattern in highlight for match in pattern.finditer(plain) if match[0])
    if not spans and coloured:
        # A colour that a line leaves on must not run into the next.
        return message.replace("\n", f"{RESET}\n") + RESET
    message = plain
    if not spans:
        return LEVEL.sub(lambda match: f"{LEVEL_COLOURS[match.lastgroup or 'red']}{match[0]}{RESET}", message)
    pieces, reached = [], 0
    for start, end in spans:
        if end > reached:
            first = max(start, reached)
            pieces.append(f"{message[reached:first]}{HIGHLIGHT}{message[first:end]}{RESET}")
            reached = end
    return "".join(pieces) + message[reached:]


def last_state(line: str) -> str:
    """What a terminal would show in the end of a line that carriage returns write over: its last state."""
    states = CARRIAGE_RETURN.split(line)
    if len(states) < 3 and "\r" not in line:
        # A single `#015` may be somebody's words.
        return line
    return next((state for state in reversed(states) if state.strip()), "")


def _colour(name: str) -> str:
    return INSTANCE_COLOURS[zlib.crc32(name.encode("utf-8", "backslashreplace")) % len(INSTANCE_COLOURS)]


def _prefixed(prefix: str, message: str) -> str:
    """The message with the prefix on each of its lines, so that a job can't forge another's."""
    if "\n" in message:
        return "".join([f"{prefix}{line}\n" for line in message.split("\n")])
    return f"{prefix}{message}\n"


def long(style: Style, event: LogEvent) -> str:
    """`STREAM TIME MESSAGE`, the old plugin's line: `x/algo-1-158 2020-01-28 17:19:43.244 -0800 PST message`."""
    second, milliseconds = divmod(event["timestamp"], 1000)
    day, time, suffix = clock(second, style.where)
    label = style.label(event["logStreamName"], style.full)
    if not style.timestamps:
        return _prefixed(label, style.message(event))
    return _prefixed(f"{label}{day} {time}.{milliseconds:03d}{suffix} ", style.message(event))


def short(style: Style, event: LogEvent) -> str:
    """`algo-1 17:19:43 message`."""
    label = style.label(event["logStreamName"], style.brief)
    if not style.timestamps:
        return _prefixed(label, style.message(event))
    time = clock(event["timestamp"] // 1000, style.where)[1]
    if style.colour:
        time = f"{DIM}{time}{RESET}"
    return _prefixed(f"{label}{time} ", style.message(event))


def raw(style: Style, event: LogEvent) -> str:
    """The message alone."""
    return f"{style.message(event)}\n"


def json_line(style: Style, event: LogEvent) -> str:
    """One object; docs/json.md has the schema."""
    line = record(
        {
            "type": "log",
            "time": rfc3339(event["timestamp"] / 1000),
            "resource": style.resource,
            "job": style.naming.job_of(event["logStreamName"]),
            "instance": style.naming.instance(event["logStreamName"]),
            "stream": event["logStreamName"],
            "message": event["message"],
            "ingestionTime": rfc3339(event.get("ingestionTime", event["timestamp"]) / 1000),
            "eventId": event.get("eventId"),
        }
    )
    return json_visible(line) if style.terminal else line


FORMS: Final[dict[str, Callable[[Style, LogEvent], str]]] = {
    "long": long,
    "short": short,
    "raw": raw,
    "json": json_line,
}


def record(values: dict[str, object]) -> str:
    """One JSON object on a line of its own."""
    import orjson

    try:
        return orjson.dumps(values).decode() + "\n"
    except orjson.JSONEncodeError:
        # A lone surrogate, which UTF-8 has not and JSON's escapes have.
        return json.dumps(values) + "\n"


def header(job: Job, region: str) -> str:
    """`"NAME" has SageMaker TrainingJobName "X" in region "R", status "S" and secondary status "SS"`."""
    status = f'status "{one_line(job.status or "")}"'
    if job.kind.has_secondary_status:
        status += f' and secondary status "{one_line(job.secondary_status or "")}"'
    else:
        status = f"and {status}"
    joint = ", " if job.kind.has_secondary_status else " "
    named = f'"{one_line(job.name)}" has SageMaker {job.kind.name_member} "{one_line(job.job_name or "")}"'
    return f'{named} in region "{one_line(region)}"{joint}{status}'


COUNTERS: Final = ("inProgress", "completed", "nonRetryableError", "retryableError", "stopped")
"""SageMaker's counters of a tuning job's children, in the order in which they are told."""
ALWAYS: Final = COUNTERS[:3]
"""Those that are told even of none."""


def family(kind: Kind, answer: Mapping[str, Any]) -> str | None:
    """`2 running, 5 completed, 1 failed; best so far: NAME, METRIC 0.031`; None where Describe counts no children."""
    row, counters = kind.children, in_answer(answer, kind.counters)
    if row is None or not isinstance(counters, Mapping):
        return None
    from kubectl_sagemaker.render import states

    counts = dict(counted(counters))
    text = states.counters((name, counts.get(name, 0)) for name in COUNTERS if name in counts or name in ALWAYS)
    if best := in_answer(answer, kind.best):
        from kubectl_sagemaker.logs.children import read

        child = read(row, best)
        if child.objective:
            text += f"; best so far: {child.label}, {objective(child)}"
    return one_line(text)


def child_header(job: Job, child: Child, label: str) -> str:
    """`Train is TrainingJob "pipelines-x-Train-y", Completed, validation:error 0.0312`; `label` is on its lines."""
    state = ", ".join(filter(None, (job.status, objective(child) if child.objective else child.reason)))
    return one_line(f'{label} is {job.kind.name} "{job.job_name}", {state}')


def objective(child: Child) -> str:
    """`validation:error 0.0312`."""
    reached = child.objective or {}
    return f"{reached.get('MetricName', 'objective')} {float(reached.get('Value', 0)):.6g}"


def step(parent: Job, child: Child) -> str:
    """`pipelineexecution/nightly: step Train: Executing`, and why it failed."""
    return one_line(": ".join(filter(None, (f"{parent.title}: step {child.label}", child.status, child.reason))))


def transition(change: Transition) -> str:
    """`xgboost-mnist: InProgress Training: message`; a state that says the same twice says it once."""
    states = dict.fromkeys(filter(None, (change.job.status, change.job.secondary_status)))
    return one_line(": ".join(filter(None, (change.job.name, " ".join(states), change.message))))


def transition_record(change: Transition) -> dict[str, object]:
    """A transition for `-o json`."""
    return {
        "type": "status",
        "time": rfc3339(change.time),
        "resource": change.job.title,
        "job": change.job.job_name,
        "status": change.job.status,
        "secondaryStatus": change.job.secondary_status,
        "message": change.message,
    }


def end_record(job: Job, time: float, exit_code: int) -> dict[str, object]:
    """The end of a followed job for `-o json`."""
    return {
        "type": "end",
        "time": rfc3339(time),
        "resource": job.title,
        "job": job.job_name,
        "status": job.status,
        "reason": job.reason,
        "exitCode": exit_code,
    }
