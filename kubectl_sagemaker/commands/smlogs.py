"""`kubectl smlogs`: resolve a custom resource to its SageMaker job and print the job's log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from kubectl_sagemaker import times
from kubectl_sagemaker.errors import Ended, Error
from kubectl_sagemaker.options import (
    ACCOUNT,
    CONNECTION,
    DURATION,
    TALK,
    Command,
    Flag,
    Parsed,
    names,
    resource,
    shared,
)
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.jobs import Job
    from kubectl_sagemaker.logs.events import Note, Page, Transition
    from kubectl_sagemaker.logs.source import Query, Source
    from kubectl_sagemaker.logs.watch import Watch
    from kubectl_sagemaker.render.lines import Style

PATIENCE: Final = 20.0
"""Seconds for which one request is tried without --follow."""
BEFORE_CREATION: Final = 60.0
"""Seconds before SageMaker's creation of the job from which its log is read."""


@click.command(
    cls=Command,
    name="smlogs",
    short_help="Print the log of a job, and follow it to its end.",
    help="""Print the CloudWatch log of the SageMaker job behind a custom resource.

    With --follow, print every line of every instance until the job has ended and its log is complete, and exit with
    the job's result: 0 Completed, 3 Failed, 4 Stopped.

    \b
    Examples:
      kubectl smlogs trainingjob xgboost-mnist -f
      kubectl smlogs trainingjob/xgboost-mnist --tail 20
      kubectl smlogs batchtransformjob xgboost-batch -n ml --since 2h -o json
    """,
)
@click.argument("words", metavar="KIND NAME", nargs=-1)
@click.option("-f", "--follow", cls=Flag, help="Go on until the job has ended and its log is complete.")
@click.option(
    "--since", type=DURATION, help="Only events newer than this, such as 90s or 2d4h; default: the whole job."
)
@click.option("--tail", type=click.IntRange(min=-1), metavar="N", help="The last N lines of each stream; -1: all.")
@click.option(
    "--instance", "instances", metavar="GLOB", multiple=True, help="Only these instances (algo-1); repeatable."
)
@click.option("-p", "--logSearchPrefix", "stream_prefix", default="", hidden=True)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["long", "short", "raw", "json"]),
    envvar=names("OUTPUT"),
    help="Form of the lines; default: short on a terminal, else long.",
)
@click.option("--hide-log-stream-name", cls=Flag, help="Leave out the stream's name.")
@click.option(
    "--timezone",
    "where",
    type=Parsed("ZONE", times.zone),
    default="local",
    show_default=True,
    envvar=names("TIMEZONE"),
    help="local, utc, or a name such as Europe/Berlin.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    envvar=names("COLOR"),
    help="Colour by instance.",
)
@click.option("--timeout", type=DURATION, help="Give up after this long, with exit code 5.")
@shared(CONNECTION, ACCOUNT, TALK)
def command(
    env: Env,
    words: tuple[str, ...],
    follow: bool,
    since: float | None,
    tail: int | None,
    instances: tuple[str, ...],
    stream_prefix: str,
    output: str | None,
    hide_log_stream_name: bool,
    where: Any,
    color: str,
    timeout: float | None,
) -> int:
    """Find the job, choose what to read and how it looks, and write it."""
    from kubectl_sagemaker import jobs
    from kubectl_sagemaker.render import lines

    target, name = resource(words)
    if target.kind.log is None:
        raise Error(f"{target.apis[0].singular} has no log of its own")
    with env.deadline(timeout):
        found = jobs.find(env.kube, target, env.kube.namespace, name)
        if found.note:
            env.note(found.note)
        watch = _watch(env, found.job)
        _name_known(env, watch, follow=follow)
        region = _region(env, watch.job)
        env.note(lines.header(watch.job, region))
        style = lines.Style(
            output=output or ("short" if env.terminal else "long"),
            job_name=watch.job.job_name or "",
            where=where,
            stream_names=not hide_log_stream_name,
            colour=colours(color, terminal=env.terminal),
            terminal=env.terminal,
        )
        start = env.now() - since if since else _start(env, watch)
        query = _query(watch.job, start, instances, stream_prefix)
        source = _source(env, query, region, patience=None if follow else PATIENCE)
        tail = None if tail == -1 else tail
        if not follow:
            from kubectl_sagemaker.logs.read import read

            _print(env, style, read(source, tail=tail))
            return 0
        from kubectl_sagemaker.logs.follow import Follower

        _print(env, style, Follower(source, watch, tail).items())
        return _result(env, style, watch.job)


def colours(choice: str, *, terminal: bool) -> bool:
    """Whether to colour: NO_COLOR and TERM=dumb speak when the flag does not."""
    if choice == "auto":
        return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return choice == "always"


def _watch(env: Env, job: Job) -> Watch:
    from kubectl_sagemaker import jobs
    from kubectl_sagemaker.logs.watch import Watch

    def describe(job: Job) -> dict[str, Any]:
        kind = job.kind.name
        return env.aws.call("sagemaker", f"Describe{kind}", {f"{kind}Name": job.job_name}, region=_region(env, job))

    return Watch(job, look=lambda job: jobs.again(env.kube, job), describe=describe, now=env.now)


def _name_known(env: Env, watch: Watch, *, follow: bool) -> None:
    """Wait until the controller has given the job its name; without --follow that is an error."""
    job = watch.job
    if job.job_name:
        if not job.reconciled:
            env.note(f"{job.title}: {job.problem}; is its controller running?")
        return
    if not follow:
        raise Error(
            f"{job.title} has no SageMaker job yet: {job.problem or 'its status names none'}", hint="-f waits for it"
        )
    env.note(f"{job.title} has no SageMaker job yet: {job.problem or 'its status names none'}; waiting")
    while not watch.job.job_name:
        for item in watch.poll():
            _tell(env, item)
        if watch.job.ended:
            raise Error(f"{watch.job.title} is {watch.job.status} and has no SageMaker job: {watch.job.problem or ''}")
        env.sleep(1.0)


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
    """Where the job's log begins, in seconds: SageMaker's creation of the job, never the resource's (facts §3)."""
    if watch.creation_time is None:
        for item in watch.poll():
            _tell(env, item)
    if watch.creation_time is None:
        env.note("SageMaker does not say when the job was created; searching its log from the beginning of time")
        return 0.0
    return watch.creation_time - BEFORE_CREATION


def _query(job: Job, start: float, instances: tuple[str, ...], stream_prefix: str) -> Query:
    from kubectl_sagemaker.logs.source import Query

    log = job.kind.log
    assert log is not None  # noqa: S101  # said in the beginning
    return Query(
        group=log.group.format(name=job.job_name),
        prefix=log.prefix.format(name=job.job_name),
        stream=log.stream and log.stream.format(name=job.job_name),
        start=max(0, round(start * 1000)),
        instances=instances,
        stream_prefix=stream_prefix,
    )


def _source(env: Env, query: Query, region: str, *, patience: float | None) -> Source:
    from kubectl_sagemaker.logs.source import Source

    return Source(
        fetch=lambda operation, parameters: env.aws.call("logs", operation, parameters, region=region),
        query=query,
        now=env.now,
        sleep=env.sleep,
        renew=env.aws.renew,
        patience=patience,
    )


def _print(env: Env, style: Style, items: Iterator[Note | Page | Transition]) -> None:
    """Pages to stdout, each at once; the rest to stderr, and transitions into JSON too."""
    from kubectl_sagemaker.logs.events import Transition
    from kubectl_sagemaker.render import lines

    for item in items:
        if isinstance(item, list):
            if item:
                env.write(style.text(item))
            continue
        _tell(env, item)
        if isinstance(item, Transition) and style.output == "json":
            env.write(lines.record(lines.transition_record(item)))


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
