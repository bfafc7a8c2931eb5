"""Shows jobs as they change: on a terminal a screen that is redrawn, piped a line a change, until all have ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from kubectl_sagemaker import details, jobs
from kubectl_sagemaker.changes import Changed, Changes, Deleted, Listed, News, Trouble
from kubectl_sagemaker.errors import Ended, Error, Forbidden, NotFound
from kubectl_sagemaker.jobs import Job
from kubectl_sagemaker.kinds import grouped
from kubectl_sagemaker.render import documents, states
from kubectl_sagemaker.render.panel import Style, panel
from kubectl_sagemaker.render.table import blocks
from kubectl_sagemaker.terminal import Screen
from kubectl_sagemaker.text import json_visible, one_line
from kubectl_sagemaker.times import clock, rfc3339

if TYPE_CHECKING:
    from kubectl_sagemaker.details import Details
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.kinds import Target

Key: TypeAlias = tuple[str, str, str]

TICK: Final = 1.0
"""Seconds between two drawings in which only ages have changed."""
MARKED: Final = 10.0
"""Seconds for which a row is marked that is new or has changed."""
REFRESH: Final = 15.0
"""Seconds between two questions to SageMaker about one job; a change of its resource is a reason to ask at once."""
MARKS: Final = {"added": "+", "changed": "*"}
WORST: Final = (1, 3, 4, 0)
"""Exit codes, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is watched, and how it is shown."""

    targets: Sequence[Target]
    namespace: str | None
    selector: str | None = None
    ends: bool = False
    """Whether it is over once all have ended."""
    sort_by: str | None = None
    output: str = "table"
    colour: bool = False
    drawn: bool = False
    """Whether it is a screen that is redrawn."""
    flags: str = ""
    """What leads another command to the same cluster and account."""


@dataclass(slots=True)
class Watched:
    """What is known of the resources, and what has changed lately."""

    now: Callable[[], float]
    jobs: dict[Key, Job] = field(default_factory=dict)
    waited_for: set[str] = field(default_factory=set)
    """Resources that have not been listed yet."""
    refused: list[Error] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    """What keeps resources from being seen, by resource."""
    codes: dict[Key, int] = field(default_factory=dict)
    """Exit codes of those that have ended, or that are gone."""
    _marks: dict[Key, tuple[str, float]] = field(default_factory=dict)

    def take(self, news: News) -> Iterator[tuple[str, Job]]:
        """Take news in; tell what it changes: `existing`, `added`, `changed` or `deleted`, and the job."""
        match news:
            case Listed(api, found):
                first = api.resource in self.waited_for
                self.waited_for.discard(api.resource)
                present = {job.key for job in found}
                for key in [key for key in self.jobs if key[0] == api.resource and key not in present]:
                    yield self._lose(self.jobs[key])
                for job in found:
                    yield from self._see(job, "existing" if first else "added")
            case Changed(job):
                yield from self._see(job, "added")
            case Deleted(job):
                if job.key in self.jobs:
                    yield self._lose(self.jobs[job.key])
            case Trouble(api, None):
                self.troubles.pop(api.resource, None)
            case Trouble(api, error, first) if error is not None:
                if first and isinstance(error, Forbidden | NotFound):
                    self.waited_for.discard(api.resource)
                    self.refused.append(error)
                elif first:
                    raise error
                else:
                    self.troubles[api.resource] = one_line(error.message)
            case _:
                pass

    def _see(self, job: Job, how: str) -> Iterator[tuple[str, Job]]:
        before = self.jobs.get(job.key)
        if before is not None:
            # The region of its namespace was asked for once, and is kept.
            job = job._replace(region=job.region or before.region)
        self.jobs[job.key] = job
        code = result(job, self.now())
        if code is None:
            self.codes.pop(job.key, None)
        else:
            self.codes[job.key] = code
        if before is None or visible(before) != visible(job):
            what = how if before is None else "changed"
            if what in MARKS:
                self._marks[job.key] = MARKS[what], self.now() + MARKED
            yield what, job

    def _lose(self, job: Job) -> tuple[str, Job]:
        del self.jobs[job.key]
        self._marks.pop(job.key, None)
        # What had not ended will not be seen to.
        self.codes.setdefault(job.key, 1)
        return "deleted", job

    @property
    def marks(self) -> dict[Key, str]:
        """Signs of the rows that are new or have changed."""
        now = self.now()
        self._marks = {key: mark for key, mark in self._marks.items() if mark[1] > now}
        return {key: sign for key, (sign, _) in self._marks.items()}

    @property
    def over(self) -> bool:
        """Whether all have ended, of which there is at least one."""
        return not self.waited_for and bool(self.codes) and self.jobs.keys() <= self.codes.keys()


def result(job: Job, now: float) -> int | None:
    """The exit code that a job's state gives to who waits for it; None while there is more to wait for."""
    match job.state(now):
        case "done":
            return 0
        case "failed":
            return 3
        case "stopped":
            return 4
        case _:
            return 1 if job.terminal and not job.created else None


def visible(job: Job) -> object:
    """What of a job makes a change worth telling."""
    return job.status, job.secondary_status, job.reason, job.job_name, job.counters, job.best, job.deletion_time


def many(env: Env, view: View) -> int:
    """Watch a list; returns the exit code, and raises Ended where it is not 0."""
    rows = jobs.served(env.kube, view.targets)
    changes = Changes(env.kube, rows, view.namespace, selector=view.selector)
    watched = Watched(env.now, waited_for={api.resource for _, api in rows})
    changes.start()
    first = list(_until_listed(watched, changes))
    if len(watched.refused) == len(rows):
        raise watched.refused[0]
    if view.ends and not watched.jobs:
        where = "" if view.namespace is None else f" in namespace {view.namespace}"
        raise Error(f"no resources found{where} with labels {view.selector}", hint="nothing is selected that could end")
    if view.drawn:
        _draw_many(env, view, watched, changes)
    else:
        _tell_many(env, view, watched, changes, [job for _, job in first])
    return _end(watched)


def _draw_many(env: Env, view: View, watched: Watched, changes: Changes) -> None:
    """Redraw the table until all have ended; what it showed last stays on the terminal."""
    screen = Screen(env.write, changes.wake)
    try:
        with screen:
            while not (view.ends and watched.over):
                screen.draw(_screen(view, watched, screen.size, env.now()))
                for news in changes.get(TICK):
                    list(watched.take(news))
    finally:
        last = _rows(view, watched, screen.size[0], env.now(), marks=False)
        env.write("".join(f"{row}\n" for block in last for row in block))


def _tell_many(env: Env, view: View, watched: Watched, changes: Changes, first: Sequence[Job]) -> None:
    """Write what there is, then a line a change, until all have ended."""
    for error in watched.refused:
        env.note(error.message)
    for job in states.ordered(first, env.now(), view.sort_by):
        env.write(_line(view, "existing", job, env.now()))
    told = False
    while not (view.ends and watched.over):
        for news in changes.get(TICK):
            for what, job in watched.take(news):
                env.write(_line(view, what, job, env.now()))
        told = _tell(env, watched, told)


def _until_listed(watched: Watched, changes: Changes) -> Iterator[tuple[str, Job]]:
    while watched.waited_for:
        for news in changes.get(TICK):
            yield from watched.take(news)


def _tell(env: Env, watched: Watched, told: bool) -> bool:
    """Say once that resources can't be seen, and why, and once that all are seen again; returns whether it is said.

    One outage has as many reasons as there are kinds: the first is enough.
    """
    troubles = list(watched.troubles.values())
    if troubles and not told:
        env.note(f"{troubles[0]}; trying again")
    if told and not troubles:
        env.note("watching again")
    return bool(troubles)


def _end(watched: Watched) -> int:
    """The exit code; raises Ended with what was not as it should be."""
    codes = set(watched.codes.values())
    code = next(code for code in WORST if code in codes)
    if code:
        bad = sum(each != 0 for each in watched.codes.values())
        raise Ended(f"{bad} of {len(watched.codes)} did not end well", exit_code=code)
    return code


def _rows(
    view: View, watched: Watched, width: int, now: float, *, marks: bool, most: int | None = None
) -> list[list[str]]:
    found = states.ordered(watched.jobs.values(), now, view.sort_by)[:most]
    return blocks(
        found,
        now=now,
        namespaces=view.namespace is None,
        wide=view.output == "wide",
        width=width,
        colour=view.colour,
        marks=watched.marks if marks else None,
    )


def _screen(view: View, watched: Watched, size: tuple[int, int], now: float) -> list[str]:
    """The table as far as it fits, and a line on what is watched."""
    columns, lines = size
    room = max(1, lines - 2)
    shown: list[str] = []
    seen = -1  # the first block is the heading
    for block in _rows(view, watched, columns, now, marks=True, most=room):
        seen += len(shown) < room
        shown += block[: room - len(shown)]
    count = "" if seen == len(watched.jobs) else f"{seen} of "
    notes = [*list(watched.troubles.values())[:1], *(one_line(error.message) for error in watched.refused)]
    return [
        *shown,
        "",
        _footer(f"{count}{len(watched.jobs)} resources", notes, columns, now, view.colour),
    ][:lines]


def _footer(what: str, notes: Iterable[str], columns: int, now: float, colour: bool) -> str:
    _, time, _ = clock(int(now), None)
    text = states.cut("; ".join([f"{time}  {what}, Ctrl-C ends", *dict.fromkeys(notes)]), columns)
    return f"{states.DIM}{text}{states.RESET}" if colour else text


def _line(view: View, what: str, job: Job, now: float, message: str | None = None) -> str:
    """One change, piped."""
    match view.output:
        case "name":
            return documents.as_names([job])
        case "json":
            values = {"type": what, "time": rfc3339(now), "job": documents.values(job, now)}
            return json_visible(json.dumps(values, ensure_ascii=False)) + "\n"
        case "yaml":
            values = {"type": what, "time": rfc3339(now), "job": documents.values(job, now)}
            return f"---\n{documents.as_yaml(values)}"
        case _:
            pass
    where = f"{job.namespace}/" if view.namespace is None else ""
    said = "deleted" if what == "deleted" else states.signed(job, now)
    counted = states.counters(job.counters)
    parts = filter(None, (said, counted, job.trouble(now) or message))
    sign = {**MARKS, "deleted": "-"}.get(what, " ")
    return f"{rfc3339(now)} {sign} {one_line(f'{where}{job.title}')}: {one_line(': '.join(parts))}\n"


@dataclass(slots=True)
class Asking:
    """Asks SageMaker about one job in a thread, one question at a time."""

    env: Env
    wake: Callable[[], None]
    answer: Details | None = None
    _asked: float = 0.0
    _busy: bool = False
    _again: bool = False
    _error: BaseException | None = None

    def due(self, job: Job, *, changed: bool) -> None:
        """Ask if it is time to, or if the resource has changed."""
        self._again = self._again or changed
        if self._error is not None:
            raise self._error
        if not self._busy and (self._again or self.env.now() - self._asked >= REFRESH):
            self._busy, self._again, self._asked = True, False, self.env.now()
            threading.Thread(target=self._ask, args=(job,), daemon=True).start()

    @property
    def settled(self) -> bool:
        """Whether the last answer is about the newest resource."""
        return self.answer is not None and not self._busy and not self._again

    def _ask(self, job: Job) -> None:
        try:
            self.answer = details.collect(self.env, job)
        except BaseException as error:  # noqa: BLE001  # it is raised again in the caller's thread
            self._error = error
        self._busy = False
        self.wake()


def one(env: Env, view: View, job: Job) -> int:
    """Watch one job; returns the exit code, and raises Ended where it is not 0."""
    changes = Changes(env.kube, [(job.kind, job.api)], job.namespace, name=job.name)
    watched = Watched(env.now, waited_for={job.api.resource})
    watched.jobs[job.key] = job
    screen = Screen(env.write, changes.wake) if view.drawn else None
    asking = Asking(env, changes.wake)
    changes.start()
    told = False
    noted: set[str] = set()
    last: object = None
    changed = True
    try:
        with screen or nullcontext():
            while True:
                if watched.refused:
                    raise watched.refused[0]
                job = watched.jobs.get(job.key, job)
                asking.due(job, changed=changed)
                shown = asking.answer or details.plain(job)
                code = _result(watched, asking, job, env.now())
                if screen is not None:
                    screen.draw(_drawn(view, shown, watched, screen.size, env.now()))
                elif asking.answer is not None:
                    last = _told(env, view, shown, last)
                    for notice in set(shown.notices) - noted:
                        env.note(one_line(notice))
                    noted |= set(shown.notices)
                if code is not None:
                    break
                changed = False
                for news in changes.get(TICK):
                    for _ in watched.take(news):
                        changed = True
                if screen is None:
                    told = _tell(env, watched, told)
    finally:
        if screen is not None:
            env.write(_panel(view, asking.answer or details.plain(job), screen.size[0], env.now()))
    if code:
        after = (asking.answer or details.plain(job)).job
        gone = "was deleted before it ended" if job.key not in watched.jobs else ""
        ended = " ".join(filter(None, (job.title, gone or after.status)))
        why = "" if gone else after.trouble(env.now())
        raise Ended(": ".join(filter(None, (ended, why))), exit_code=code)
    return code


def _result(watched: Watched, asking: Asking, job: Job, now: float) -> int | None:
    """The exit code, once the job has ended by SageMaker's word, or by its resource's where that is all there is."""
    if job.key not in watched.jobs:
        return 1
    if not asking.settled or asking.answer is None:
        return None
    return result(asking.answer.job, now)


def _told(env: Env, view: View, shown: Details, last: object) -> object:
    """Write a line if there is something new; returns what was told."""
    message = shown.phases[-1].message if shown.phases else None
    state = visible(shown.job), message
    if state != last:
        what = "existing" if last is None else "changed"
        env.write(_line(view, what, shown.job, env.now(), message))
    return state


def _panel(view: View, shown: Details, columns: int, now: float, *, notices: bool = False) -> str:
    style = Style(
        columns, view.colour, links=view.drawn, notices=notices, grouped=grouped(view.targets), flags=view.flags
    )
    return panel(shown, now=now, style=style)


def _drawn(view: View, shown: Details, watched: Watched, size: tuple[int, int], now: float) -> list[str]:
    """The panel, and a line on what is watched. Where it does not fit, its end is worth more: why it failed."""
    columns, lines = size
    rows = _panel(view, shown, columns, now, notices=True).splitlines()
    room = max(1, lines - 2)
    if len(rows) > room:
        rows = [rows[0], states.cut(f"… {len(rows) - room + 1} lines more", columns), *rows[len(rows) - room + 2 :]]
    notes = list(watched.troubles.values())[:1]
    return [*rows, "", _footer("watching", notes, columns, now, view.colour)][:lines]
