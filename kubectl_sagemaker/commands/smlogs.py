"""`kubectl smlogs`: resolve a custom resource to its SageMaker job and print the job's log."""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from kubectl_sagemaker import candidates, kinds, times
from kubectl_sagemaker.aws import trusted_endpoint
from kubectl_sagemaker.errors import Ended, Error, Forbidden, NotFound, Unauthorized, Usage
from kubectl_sagemaker.options import (
    ACCOUNT,
    COLOR,
    CONNECTION,
    COUNT,
    DURATION,
    EXPRESSION,
    TALK,
    WHEN,
    Command,
    Flag,
    Parsed,
    colours,
    names,
    resource,
    shared,
)
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.jobs import Job
    from kubectl_sagemaker.logs.events import Note, Page, Transition
    from kubectl_sagemaker.logs.filters import Filter
    from kubectl_sagemaker.logs.source import Query, Source
    from kubectl_sagemaker.logs.watch import Watch
    from kubectl_sagemaker.render.lines import Style

PATIENCE: Final = 20.0
"""Seconds for which one request is tried without --follow."""
AT_ONCE: Final = 2_000
"""Lines that are written together."""
BEFORE_CREATION: Final = 60.0
"""Seconds before SageMaker's creation of the job from which its log is read."""


@click.command(
    cls=Command,
    name="smlogs",
    short_help="Print the log of a job, and follow it to its end.",
    help="""Print the CloudWatch log of the SageMaker job behind a custom resource.

    NAME alone is looked for among all kinds that have a log, in both API groups.

    With --follow, print every line of every instance until the job has ended and its log is complete, and exit with
    the job's result: 0 Completed, 3 Failed, 4 Stopped.

    \b
    Examples:
      kubectl smlogs trainingjob xgboost-mnist -f
      kubectl smlogs xgboost-mnist --tail 20
      kubectl smlogs batchtransformjob xgboost-batch -n ml --since 2h -o json
    """,
)
@click.argument(
    "words", metavar="[KIND] NAME", nargs=-1, shell_complete=candidates.resources(kinds.logged(), alone=True)
)
@click.option("-f", "--follow", cls=Flag, help="Go on until the job has ended and its log is complete.")
@click.option("--since", type=WHEN, help="Only events since then: 90s or 2d4h ago, a time, or a date; default: all.")
@click.option("--since-time", type=WHEN, help="Only events since then, as kubectl has it: RFC 3339.")
@click.option("--until", type=WHEN, help="Only events until then; not with --follow.")
@click.option("--tail", type=COUNT, help="The last N lines of each stream, before -i and -e; -1: all.")
@click.option(
    "--instance", "instances", metavar="GLOB", multiple=True, help="Only these instances (algo-1); repeatable."
)
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
    since: times.When | None,
    since_time: times.When | None,
    until: times.When | None,
    tail: int | None,
    instances: tuple[str, ...],
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
    """Find the job, choose what to read and how it looks, and write it."""
    from kubectl_sagemaker import jobs
    from kubectl_sagemaker.logs.filters import Filter
    from kubectl_sagemaker.logs.follow import Follower
    from kubectl_sagemaker.logs.read import read
    from kubectl_sagemaker.render import lines

    if since and since_time:
        raise Usage("--since and --since-time both say where to begin: give one")
    if until and follow:
        raise Usage("--until ends the log, --follow goes on: give one")
    targets, name = resource(words)
    if not any(target.kind.log for target in targets):
        raise Usage(
            f"{targets[0].apis[0].singular} has no log of its own",
            hint=f"these have: {kinds.singulars(kinds.logged())}",
        )
    with env.deadline(timeout):
        found = jobs.find(env.kube, targets, env.kube.namespace, name)
        if found.note:
            env.note(found.note)
        _say_endpoint(env, found.job)
        watch = _watch(env, found.job)
        _await_creation(env, watch, follow=follow)
        region = _region(env, watch.job)
        env.note(lines.header(watch.job, region))
        style = lines.Style(
            output=output or ("short" if env.terminal else "long"),
            job_name=watch.job.job_name or "",
            where=where,
            stream_names=not hide_log_stream_name,
            timestamps=not no_timestamps,
            highlight=highlight,
            colour=colours(color, terminal=env.terminal),
            terminal=env.terminal,
        )
        begin = since or since_time
        start = begin.seconds(env.now(), where) if begin else _start(env, watch)
        query = _query(
            watch.job,
            start=round(start * 1000),
            end=round(until.seconds(env.now(), where) * 1000) if until else None,
            instances=instances,
            stream_prefix=stream_prefix,
            pattern=filter_pattern,
        )
        source = _source(env, query, watch.job, region, patience=None if follow else PATIENCE)
        # What is imported stays: no collection looks at it, and the end of the process comes 75 ms sooner (measured).
        gc.freeze()
        output_to = functools.partial(_print, env, style, Filter(include, exclude))
        tail = None if tail == -1 else tail
        if not follow:
            if not output_to(read(source, tail=tail)) and tail != 0:
                _explain_silence(env, watch.job, region)
            return 0
        follower = Follower(source, watch, tail)
        try:
            output_to(follower.items())
        except Unauthorized as error:
            if not source.answered:
                raise
            resume = times.rfc3339(follower.memory.newest / 1000)
            raise Unauthorized(error.message, hint=f"renew them, and go on with --since-time {resume}") from error
        return _result(env, style, watch.job)


def _watch(env: Env, job: Job) -> Watch:
    from kubectl_sagemaker import jobs
    from kubectl_sagemaker.logs.watch import Watch

    return Watch(
        job,
        look=lambda job: jobs.again(env.kube, job),
        describe=lambda job: _describe(env, job, _region(env, job)),
        now=env.now,
    )


def _describe(env: Env, job: Job, region: str) -> dict[str, Any]:
    """SageMaker's answer; that it has no such job is Forbidden where another account may have it."""
    kind = job.kind.name
    try:
        return env.aws.call(
            "sagemaker",
            f"Describe{kind}",
            {f"{kind}Name": job.job_name},
            region=region,
            endpoint_url=trusted_endpoint(job.endpoint_url),
        )
    except NotFound as error:
        raise _elsewhere(env, job, region, error) or error from error


def _say_endpoint(env: Env, job: Job) -> None:
    """Say that the resource's own endpoint is not asked, if it is not."""
    if job.endpoint_url and not env.account.endpoint_url and not trusted_endpoint(job.endpoint_url):
        path, url = job.api.group.endpoint, one_line(job.endpoint_url)
        env.note(f"{job.title}: {path} {url!r} is ignored: it is no https address of AWS (--endpoint-url can name it)")


def _elsewhere(env: Env, job: Job, region: str, error: Error) -> Error | None:
    """What an access error means where the credentials are of another account than the job; else None."""
    account = env.aws.account_id(region) if job.account else None
    if account in {None, job.account}:
        return None
    return Forbidden(
        f"{job.title} is in AWS account {job.account}, the credentials are of account {account}: {error.message}",
        hint=f"give credentials of account {job.account}: --profile or AWS_PROFILE",
    )


def _explain_silence(env: Env, job: Job, region: str) -> None:
    """Why there is no line, where that is known; raises Forbidden if the log is in another account."""
    if job.problem:
        env.note(f"{job.title}: {one_line(job.problem)}")
    if elsewhere := _elsewhere(env, job, region, Error("there is no such log")):
        raise elsewhere


def _await_creation(env: Env, watch: Watch, *, follow: bool) -> None:
    """Return once SageMaker has the job; say what keeps it from being created.

    Both controllers write the job's name before they create it, so it is the status that tells, or else SageMaker.
    Without `follow` it is an error that there is no job yet; with it, that there will be none.
    """
    said: set[str] = set()
    while not (watch.job.job_name and (watch.job.created or watch.creation_time)):
        job = watch.job
        why = one_line(": ".join(filter(None, (job.status, job.problem))) or "its status names none")
        if job.terminal or job.ended:
            raise Error(f"{job.title} has no SageMaker job: {why}", hint=job.advice)
        if not follow:
            if job.job_name and not job.uncreated and _may_exist(env, job):
                if not job.reconciled:
                    env.note(f"{job.title}: {why}; {job.advice}")
                return
            hint = f"{job.advice}; -f waits for it" if job.advice else "-f waits for it"
            raise Error(f"{job.title} has no SageMaker job yet: {why}", hint=hint)
        if why not in said:
            said.add(why)
            env.note(f"{job.title} has no SageMaker job yet: {why}; waiting")
            if job.advice:
                env.note(f"hint: {job.advice}")
        for item in watch.poll():
            _tell(env, item)
        env.sleep(1.0)


def _may_exist(env: Env, job: Job) -> bool:
    """Whether SageMaker has a job of that name, or does not tell."""
    region = _region(env, job)
    try:
        _describe(env, job, region)
    except NotFound:
        return False
    except Error:
        # The log's own requests meet the same trouble, and say so.
        return True
    return True


def _region(env: Env, job: Job) -> str:
    """--region, else the resource's, else the environment's or the profile's."""
    region = env.account.region or job.region or env.aws.region
    if not region:
        raise Error(
            f"no AWS region for {job.title}: neither the resource nor the environment names one",
            hint="give --region, set AWS_REGION, or set region in the AWS profile",
        )
    return region


def _start(env: Env, watch: Watch) -> float:
    """Where the job's log begins, in seconds: when SageMaker created the job; the resource can be newer."""
    if watch.creation_time is None:
        for item in watch.poll():
            _tell(env, item)
    if watch.creation_time is None:
        env.note("SageMaker does not say when the job was created; searching its log from the beginning of time")
        return 0.0
    return watch.creation_time - BEFORE_CREATION


def _query(job: Job, *, start: int, **bounds: Any) -> Query:
    """The events of the job's streams, by its row of the registry; `bounds` are Query's own."""
    from kubectl_sagemaker.logs.source import Query

    log = job.kind.log
    assert log is not None  # noqa: S101  # said in the beginning
    return Query(
        group=log.group.format(name=job.job_name),
        prefix=log.prefix.format(name=job.job_name),
        stream=log.stream and log.stream.format(name=job.job_name),
        start=max(0, start),
        **bounds,
    )


def _source(env: Env, query: Query, job: Job, region: str, *, patience: float | None) -> Source:
    from kubectl_sagemaker.logs.source import Source

    def fetch(operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return env.aws.call("logs", operation, parameters, region=region)
        except (Forbidden, NotFound) as error:
            raise _elsewhere(env, job, region, error) or error from error

    return Source(
        fetch=fetch,
        query=query,
        now=env.now,
        sleep=env.sleep,
        renew=env.aws.renew,
        heals=lambda: env.aws.heals,
        patience=patience,
    )


def _print(env: Env, style: Style, wanted: Filter, items: Iterator[Note | Page | Transition]) -> int:
    """Pages to stdout, each at once; the rest to stderr, and transitions into JSON too.

    Returns how many events there were, wanted or not.
    """
    from kubectl_sagemaker.logs.events import Transition
    from kubectl_sagemaker.render import lines

    events = 0
    for item in items:
        if isinstance(item, list):
            events += len(item)
            page = wanted.kept(item)
            # In pieces: the text of a long page is as large as the page.
            for first in range(0, len(page), AT_ONCE):
                env.write(style.text(page[first : first + AT_ONCE]))
            continue
        _tell(env, item)
        if isinstance(item, Transition) and style.output == "json":
            env.write(lines.record(lines.transition_record(item)))
    return events


def _tell(env: Env, item: Note | Transition) -> None:
    from kubectl_sagemaker.logs.events import Note
    from kubectl_sagemaker.render import lines

    env.note(one_line(item.text) if isinstance(item, Note) else lines.transition(item))


def _result(env: Env, style: Style, job: Job) -> int:
    """The exit code that the job's end gives; a bad end is said last."""
    from kubectl_sagemaker.render import lines

    code = job.kind.ends[job.status or ""]
    if style.output == "json":
        env.write(lines.record(lines.end_record(job, env.now(), code)))
    if code:
        raise Ended(f"{job.title} {job.status}: {job.reason or 'no reason given'}", exit_code=code)
    return code
