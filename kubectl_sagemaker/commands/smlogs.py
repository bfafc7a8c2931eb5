"""`kubectl smlogs`: resolve custom resources to their SageMaker jobs and print the jobs' logs."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from kubectl_sagemaker import candidates, kinds, times
from kubectl_sagemaker.errors import Ended, Error, Unauthorized, Usage
from kubectl_sagemaker.options import (
    ACCOUNT,
    COLOR,
    CONNECTION,
    COUNT,
    DURATION,
    EXPRESSION,
    SELECTOR,
    SOME,
    TALK,
    WHEN,
    Command,
    Flag,
    Parsed,
    colours,
    names,
    resources,
    shared,
)
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.joblog import JobLog, Wanted
    from kubectl_sagemaker.jobs import Found, Job
    from kubectl_sagemaker.kube import Kube
    from kubectl_sagemaker.logs.chains import Chains
    from kubectl_sagemaker.logs.events import Item, Page
    from kubectl_sagemaker.logs.filters import Filter
    from kubectl_sagemaker.logs.pace import Budget
    from kubectl_sagemaker.logs.together import Joins
    from kubectl_sagemaker.render.lines import Style
    from kubectl_sagemaker.selection import Selection

Told = TypeVar("Told")
AT_ONCE: Final = 2_000
"""Lines that are written together."""
WORST: Final = (1, 3, 4, 0)
"""Exit codes, the worst first: several logs end with the worst of theirs."""
FIND_EVERY: Final = 3.0
"""Seconds between two looks at what a selector matches."""


@click.command(
    cls=Command,
    name="smlogs",
    help=f"""Print the CloudWatch log of the SageMaker job behind a custom resource, or of several.

    NAME alone is looked for among all kinds that have a log, in both API groups. The log of a tuning job is that of
    the jobs it starts; so is a pipeline execution's.

    KIND is one of {kinds.singulars(kinds.logged())}; plurals are understood too, either with its API group, and several
    with commas.

    With --follow, print every line of every instance until the job has ended and its log is complete, and exit with
    the job's result: 0 Completed, 3 Failed, 4 Stopped; of several jobs, with the worst. What has no end, such as an
    endpoint, is followed until Ctrl-C.

    \b
    Examples:
      kubectl smlogs trainingjob xgboost-mnist -f
      kubectl smlogs xgboost-mnist --tail 20
      kubectl smlogs batchtransformjob xgboost-batch -n ml --since 2h -o json
      kubectl smlogs hyperparametertuningjob xgboost-hpo --best
      kubectl smlogs trainingjobs -l app=churn -f
    """,
)
@click.argument(
    "words",
    metavar="[KIND] NAME...",
    nargs=-1,
    shell_complete=candidates.resources(kinds.logged(), several=True, alone=kinds.logged()),
)
@click.option("-f", "--follow", cls=Flag, help="Go on until the job has ended and its log is complete.")
@click.option("-l", "--selector", type=SELECTOR, help="All resources with these labels, of KIND or of every kind.")
@click.option("--all", "everything", cls=Flag, help="All resources of KIND, or of every kind, in the namespace.")
@click.option("--since", type=WHEN, help="Only events since then: 90s or 2d4h ago, a time, or a date; default: all.")
@click.option("--since-time", type=WHEN, help="Only events since then, as kubectl has it: RFC 3339.")
@click.option("--until", type=WHEN, help="Only events until then; not with --follow.")
@click.option("--tail", type=COUNT, help="The last N lines of each stream, before -i and -e; -1: all.")
@click.option(
    "--instance",
    "instances",
    metavar="GLOB",
    multiple=True,
    shell_complete=candidates.instances,
    help="Only these instances (algo-1); repeatable.",
)
@click.option("--data-log", cls=Flag, help="The data-log streams of transform jobs and endpoints too.")
@click.option("--best", cls=Flag, help="Of a tuning job, only the best training job so far; not with --follow.")
@click.option("--top", type=SOME, help="Of a tuning job, only the N best training jobs; not with --follow.")
@click.option("--failed", cls=Flag, help="Of the jobs that a job started, only those that failed; not with --follow.")
@click.option("-i", "--include", type=EXPRESSION, multiple=True, help="Only lines that match; repeatable: any.")
@click.option("-e", "--exclude", type=EXPRESSION, multiple=True, help="No lines that match; repeatable.")
@click.option("-H", "--highlight", type=EXPRESSION, multiple=True, help="Show matches in colour; repeatable.")
@click.option("--filter-pattern", metavar="PATTERN", help="Only events that match in CloudWatch, by its own patterns.")
@click.option("-p", "--logSearchPrefix", "stream_prefix", default="", hidden=True)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["long", "short", "raw", "json"]),
    envvar=names("OUTPUT"),
    help="Form of the lines; default: short on a terminal, else long.",
)
@click.option("--hide-log-stream-name", cls=Flag, help="Leave out the stream's name.")
@click.option("--no-timestamps", cls=Flag, help="Leave out the time.")
@click.option(
    "--timezone",
    "where",
    type=Parsed("ZONE", times.zone),
    shell_complete=candidates.zones,
    default="local",
    show_default=True,
    envvar=names("TIMEZONE"),
    help="local, utc, or a name such as Europe/Berlin.",
)
@COLOR
@click.option("--timeout", type=DURATION, help="Give up after this long, with exit code 5.")
@shared(CONNECTION, ACCOUNT, TALK)
def command(
    env: Env,
    words: tuple[str, ...],
    follow: bool,
    selector: str | None,
    everything: bool,
    since: times.When | None,
    since_time: times.When | None,
    until: times.When | None,
    tail: int | None,
    instances: tuple[str, ...],
    data_log: bool,
    best: bool,
    top: int | None,
    failed: bool,
    include: tuple[re.Pattern[str], ...],
    exclude: tuple[re.Pattern[str], ...],
    highlight: tuple[re.Pattern[str], ...],
    filter_pattern: str | None,
    stream_prefix: str,
    output: str | None,
    hide_log_stream_name: bool,
    no_timestamps: bool,
    where: Any,
    color: str,
    timeout: float | None,
) -> int:
    """Find the jobs, choose what to read and how it looks, and write it."""
    if since and since_time:
        raise Usage("--since and --since-time both say where to begin: give one")
    if until and follow:
        raise Usage("--until ends the log, --follow goes on: give one")
    chosen = [flag for flag, given in (("--best", best), ("--top", top), ("--failed", failed)) if given]
    if len(chosen) > 1:
        raise Usage(f"{' and '.join(chosen)} each choose among the jobs that a job started: give one")
    if chosen and follow:
        raise Usage(f"{chosen[0]} chooses among what there is now, --follow goes on: give one")
    now = env.now()
    begin = since or since_time
    begins = begin.seconds(now, where) if begin else None
    ends = until.seconds(now, where) if until else None
    if begins is not None and ends is not None and ends < begins:
        raise Usage("--until lies before --since")
    named = selector is None and not everything
    pairs = resources(words) if named else []
    targets = [] if named else _selected(words, selector, everything)
    # What can never work is said before anything is asked; of a name alone the kind is known only then.
    certain = [*targets, *(found[0] for found, _ in pairs if len(found) == 1)]
    _check([target.kind for target in certain], chosen, data_log=data_log)

    # Wrong usage has been said by now, and pays for none of this.
    from kubectl_sagemaker import jobs, parallel

    with env.deadline(timeout):
        env.kube.begin()
        if named:
            answers = parallel.ahead(lambda: _answers(env.kube, pairs))
            look: Callable[[Job], Job] = functools.partial(jobs.again, env.kube)
        else:
            from kubectl_sagemaker.selection import Selection

            selection = Selection(env.kube, targets, selector)
            selected = parallel.ahead(selection.list)
            look = selection.look

        # While the API server is waited for, what a log is read with is imported.
        from kubectl_sagemaker.joblog import Wanted
        from kubectl_sagemaker.logs.filters import Filter
        from kubectl_sagemaker.render import lines

        wanted = Wanted(
            follow=follow,
            since=begins,
            until=ends,
            tail=None if tail == -1 else tail,
            instances=instances,
            stream_prefix=stream_prefix,
            pattern=filter_pattern,
            data_log=data_log,
            top=1 if best else top,
            failed=failed,
        )
        style = functools.partial(
            lines.Style,
            output=output or ("short" if env.terminal else "long"),
            where=where,
            stream_names=not hide_log_stream_name,
            timestamps=not no_timestamps,
            highlight=highlight,
            colour=colours(color, terminal=env.terminal),
            terminal=env.terminal,
        )
        screen = Screen(env, style, Filter(include, exclude), alone=len(pairs) == 1)
        opening = Opening(env, wanted, look, alone=screen.alone)
        env.aws.prepare(*_services(certain, wanted))
        found = _told(screen, answers()) if named else selected()
        env.started()
        if named:
            _check([job.kind for job in found], chosen, data_log=data_log)
        else:
            if follow:
                return screen.follow(_finding(screen, selection, opening, found))
            for refusal in selection.refusals:
                env.note(refusal.message)
            if not found:
                env.note(f"no resources found in namespace {env.kube.namespace}")
        logs = opening.logs(found)
        return screen.follow(_joining(screen, logs)) if follow else screen.read(logs)


def _selected(words: Sequence[str], selector: str | None, everything: bool) -> list[kinds.Target]:
    """The kinds among which -l and --all choose; raises Usage."""
    if selector is not None and everything:
        raise Usage("-l and --all both say which: give one")
    if len(words) > 1 or (words and "/" in words[0]):
        raise Usage(f"{'--all' if everything else '-l'} chooses by itself: name a kind at most")
    return kinds.parse_all(words[0]) if words else kinds.logged()


def _services(targets: Sequence[kinds.Target], wanted: Wanted) -> tuple[str, ...]:
    """The services that will be asked before the first line: SageMaker where only it knows when the log begins."""
    dated = wanted.since is not None or any(api.creation_time for target in targets for api in target.apis)
    return ("logs",) if dated or not targets else ("logs", "sagemaker")


def _check(which: Sequence[kinds.Kind], chosen: Sequence[str], *, data_log: bool) -> None:
    """Raise Usage where a kind has no log, or not what a flag asks for."""
    for kind in which:
        singular = kind.apis[0].singular
        if not kind.logged:
            raise Usage(f"{singular} has no log of its own", hint=f"these have: {kinds.singulars(kinds.logged())}")
        for flag in chosen:
            if not kind.children:
                raise Usage(f"{flag} chooses among the jobs that a job started: a {singular} starts none")
            if flag != "--failed" and not kind.children.objective:
                raise Usage(f"{flag} chooses by what was reached: nothing compares the jobs of a {singular}")
    if data_log and which and not any(kind.log and kind.log.on_demand for kind in which):
        have = [target for target in kinds.logged() if target.kind.log and target.kind.log.on_demand]
        raise Usage(
            f"--data-log: a {which[0].apis[0].singular} has no data log", hint=f"these have: {kinds.singulars(have)}"
        )


def _answers(kube: Kube, pairs: Sequence[tuple[list[kinds.Target], str]]) -> list[Found | Error]:
    """The resources named, side by side; of several, the error of one that can't be found."""
    from kubectl_sagemaker import jobs, parallel

    def find(pair: tuple[list[kinds.Target], str]) -> Found | Error:
        try:
            return jobs.find(kube, pair[0], kube.namespace, pair[1])
        except Error as error:
            if len(pairs) == 1 or isinstance(error, Unauthorized):
                raise
            return error

    return parallel.each(find, pairs)


def _told(screen: Screen, answers: Iterable[Found | Error]) -> list[Job]:
    """The jobs found; of the others it is told why not."""
    found = []
    for answer in answers:
        if isinstance(answer, Error):
            screen.fail(answer)
            continue
        if answer.note:
            screen.env.note(answer.note)
        found.append(answer.job)
    return found


@dataclass(slots=True)
class Opening:
    """How a job's log is opened; all logs of a region share one budget."""

    env: Env
    wanted: Wanted
    look: Callable[[Job], Job]
    alone: bool = False
    _budgets: dict[str, Budget] = field(default_factory=dict)
    _chains: dict[object, Chains] = field(default_factory=dict)

    def logs(self, found: Iterable[Job]) -> list[JobLog]:
        """A log for each job; what they need to know of SageMaker is asked side by side, nothing is told yet."""
        from kubectl_sagemaker import parallel
        from kubectl_sagemaker.joblog import JobLog

        # An API server that is silent holds no log up.
        logs = [
            JobLog(self.env, job, self.wanted, self._budgets, parallel.Behind(self.look), shared=self._chains)
            for job in found
        ]
        if not self.alone:
            # Two groups can have a name for two jobs of one kind.
            named = [
                (log.job.name, log.job.title, f"{log.job.api.singular}.{log.job.api.group.name}/{log.job.name}")
                for log in logs
            ]
            times_named = Counter(form for forms in named for form in forms)
            for log, forms in zip(logs, named, strict=True):
                log.label = next((form for form in forms if times_named[form] == 1), forms[-1])
        parallel.each(JobLog.ask_ahead, logs)
        return logs


def _joining(screen: Screen, logs: Iterable[JobLog]) -> Iterator[Joins[JobLog]]:
    """The logs, to be followed from now on."""
    from kubectl_sagemaker.logs.together import Joins

    for log in logs:
        yield Joins(log, screen.guarded(log.followed()))


def _finding(
    screen: Screen, selection: Selection, opening: Opening, found: Sequence[Job]
) -> Iterator[Item | Joins[JobLog]]:
    """The logs of what is selected now, which has been found, and of what is later."""
    from kubectl_sagemaker import parallel
    from kubectl_sagemaker.logs.events import Note, Pause
    from kubectl_sagemaker.selection import Selection

    said: set[str] = set()
    known: set[object] = set()
    notes = [refusal.message for refusal in selection.refusals]
    listing = parallel.Behind(Selection.list)
    while True:
        # An object that was deleted and made again is another.
        fresh = {key: job for job in found if (key := (*job.key, job.uid)) not in known}
        known |= fresh.keys()
        if not known:
            notes.append(f"no resources found in namespace {screen.env.kube.namespace} yet; waiting")
        for note in notes:
            if note not in said:
                said.add(note)
                yield Note(note)
        yield from _joining(screen, opening.logs(fresh.values()))
        yield Pause(screen.env.now() + FIND_EVERY)
        found, notes = [], []
        try:
            found = listing(selection)
            notes = [refusal.message for refusal in selection.refusals]
        except parallel.NotYet:
            pass
        except Error as error:
            notes = [f"{error.message}; going on with what has been found"]


@dataclass(slots=True)
class Screen:
    """Where logs are shown: lines and records on stdout, the rest on stderr."""

    env: Env
    style: functools.partial[Style]
    """Makes a style of what differs between logs."""
    wanted: Filter
    alone: bool
    """Whether there is one log, whose trouble is the command's."""
    _codes: list[int] = field(default_factory=list)
    """How each log has ended."""
    _bad_end: Ended | None = None
    _styles: dict[JobLog, Style] = field(default_factory=dict)
    _day: str = ""
    """The day of the newest line shown, where it is told."""

    def follow(self, finder: Iterator[Item | Joins[JobLog]]) -> int:
        """Show every log to its end; returns the worst exit code, or raises a lone log's."""
        from kubectl_sagemaker.logs.together import follow_all

        for log, item in follow_all(finder, self.env.now, self.env.sleep):
            self._show(log, item, follow=True)
        if self.alone and self._bad_end:
            raise self._bad_end
        return self._worst()

    def read(self, logs: Iterable[JobLog]) -> int:
        """Show the logs as they stand now, merged in time order."""
        from kubectl_sagemaker.bundles import read_together

        for log, item in read_together(logs, self.guarded):
            self._show(log, item)
        return self._worst()

    def guarded(self, items: Iterator[Told]) -> Iterator[Told]:
        """The items; where there are other logs, trouble with one is told, and the others go on.

        Credentials that are refused are everybody's trouble.
        """
        try:
            yield from items
        except Error as error:
            if self.alone or isinstance(error, Unauthorized):
                raise
            self.fail(error)

    def fail(self, error: Error) -> None:
        """Tell why a log can't be read, or not any further."""
        self._codes.append(error.exit_code)
        self.env.say(f"error: {one_line(error.message)}")
        if error.hint:
            self.env.say(f"hint: {one_line(error.hint)}")

    def _worst(self) -> int:
        return min(self._codes, key=WORST.index, default=0)

    def _show(self, log: JobLog | None, item: Item, *, follow: bool = False) -> None:
        from kubectl_sagemaker.logs.events import End, Note, Pause, Transition
        from kubectl_sagemaker.render import lines

        if isinstance(item, list) and log is not None:
            self._write(log, item)
        elif isinstance(item, Pause):
            self.env.sleep(max(0.0, item.until - self.env.now()))
        elif isinstance(item, Note):
            text = one_line(item.text)
            label = log.label if log else ""
            text = text if label in text else f"{label}: {text}"
            self.env.note(f"{text}\nhint: {one_line(item.hint)}" if item.hint else text)
        elif isinstance(item, Transition):
            self.env.note(lines.transition(item))
            self._record(follow, lines.transition_record(item))
        elif isinstance(item, End) and log is not None:
            self._record(follow, lines.end_record(item.job, self.env.now(), item.exit_code))
            if log.child:
                return
            self._codes.append(item.exit_code)
            if item.exit_code:
                ended = f"{item.job.title} {item.job.status}"
                self._bad_end = Ended(": ".join(filter(None, (ended, item.job.reason))), exit_code=item.exit_code)
                if not self.alone:
                    self.env.say(f"error: {one_line(self._bad_end.message)}")

    def _write(self, log: JobLog, page: Page) -> None:
        """The events that are wanted, at once."""
        style = self._styles.get(log)
        if style is None:
            style = self._styles[log] = self.style(naming=log.naming, resource=log.job.title, prefix=log.label)
        for kept in self._by_day(style, self.wanted.kept(page)):
            # In pieces: the text of a long page is as large as the page.
            for first in range(0, len(kept), AT_ONCE):
                self.env.write(style.text(kept[first : first + AT_ONCE]))

    def _by_day(self, style: Style, page: Page) -> Iterator[Page]:
        """The events; where a terminal shows their time alone, day by day, and of each its date: not of today's."""
        if not (self.env.terminal and style.output == "short" and style.timestamps):
            yield page
            return
        today = times.clock(int(self.env.now()), style.where)[0]
        for day, events in groupby(page, lambda event: times.clock(event["timestamp"] // 1000, style.where)[0]):
            # A line that comes late, from before midnight, is not worth a date.
            if day > self._day:
                if self._day or day != today:
                    self.env.note(day)
                self._day = day
            yield list(events)

    def _record(self, follow: bool, values: dict[str, object]) -> None:
        """A record of the job's, where objects are wanted and the log is followed."""
        from kubectl_sagemaker.render import lines

        if follow and self.style.keywords["output"] == "json":
            self.env.write(lines.record(values))
