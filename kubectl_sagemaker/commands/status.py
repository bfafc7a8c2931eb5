"""`kubectl sagemaker status`: what runs, what failed and why; or one job in full."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING, Final

import click

from kubectl_sagemaker import candidates, kinds
from kubectl_sagemaker.errors import NotFound, Usage
from kubectl_sagemaker.options import (
    ACCOUNT,
    COLOR,
    CONNECTION,
    DURATION,
    SELECTOR,
    TALK,
    Command,
    Flag,
    colours,
    resource,
    resource_name,
    shared,
)
from kubectl_sagemaker.render.documents import WRITERS
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env

MISSPELT: Final = 0.9
"""How like a kind a word of letters must be to be one, misspelt: `trainngjob` is 0.95, `mymodel`, a name, 0.83."""


@click.command(
    cls=Command,
    name="status",
    help=f"""List the SageMaker jobs and endpoints of a namespace, or show one in full.

    A list asks Kubernetes only; one in full asks SageMaker, and CloudWatch Logs for the lines that say why it failed.

    With --watch, one job, or what a selector selects, is watched to its end: exit code 0 Completed, or in service, 3
    Failed, 4 Stopped.

    NAME alone is looked for among the kinds that run, in both API groups.

    KIND is one of {kinds.singulars(kinds.targets(all_kinds=True))}; plurals are understood too, either with its API
    group, and several with commas.

    \b
    Examples:
      kubectl sagemaker status
      kubectl sagemaker status -A -l team=vision
      kubectl sagemaker status xgboost-mnist
      kubectl sagemaker status trainingjob,processingjob -n ml
      kubectl sagemaker status -l sweep=7 -w --timeout 2h
    """,
)
@click.argument(
    "words",
    metavar="[KIND] [NAME]",
    nargs=-1,
    shell_complete=candidates.resources(kinds.targets(all_kinds=True), alone=kinds.targets(all_kinds=False)),
)
@click.option("-A", "--all-namespaces", cls=Flag, help="All namespaces.")
@click.option("--all-kinds", cls=Flag, help="Also what does not run: models, endpoint configurations and the like.")
@click.option("-l", "--selector", type=SELECTOR, help="Label selector, such as team=vision,stage!=test.")
@click.option(
    "-w",
    "--watch",
    cls=Flag,
    help="Go on as things change; one job, or what -l selects, to its end, which gives the exit code.",
)
@click.option(
    "--sort-by",
    type=click.Choice(["name", "age", "status"]),
    help="Order of the list; default: what needs somebody, what runs, what failed, the rest, newest first.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "json", "yaml", "name"]),
    default="table",
    show_default=True,
    help="Form of the answer.",
)
@COLOR
@click.option("--timeout", type=DURATION, help="Give up after this long, with exit code 5.")
@shared(CONNECTION, ACCOUNT, TALK)
def command(
    env: Env,
    words: tuple[str, ...],
    all_namespaces: bool,
    all_kinds: bool,
    selector: str | None,
    watch: bool,
    sort_by: str | None,
    output: str,
    color: str,
    timeout: float | None,
) -> int:
    """List, or show one; once, or as things change."""
    colour = colours(color, terminal=env.terminal)
    many = bool(all_namespaces or selector or all_kinds or sort_by)
    with env.deadline(timeout):
        if len(words) > 1 or (words and "/" in words[0]):
            if many:
                raise Usage("one resource was named: -A, -l, --all-kinds and --sort-by are for many")
            return _one(env, *resource(words), output, colour, watch=watch)
        if words and not many and _is_name(words[0]):
            return _one(env, kinds.targets(all_kinds=False), resource_name(words[0]), output, colour, watch=watch)
        targets = kinds.parse_all(words[0]) if words else kinds.targets(all_kinds=all_kinds)
        namespace = None if all_namespaces else env.kube.namespace
        if watch:
            from kubectl_sagemaker import watching

            env.started()
            return watching.many(
                env,
                watching.View(
                    targets=targets,
                    namespace=namespace,
                    selector=selector,
                    ends=selector is not None,
                    sort_by=sort_by,
                    output=output,
                    colour=colour,
                    drawn=_is_drawn(env, output),
                ),
            )
        return _many(env, targets, namespace, selector, sort_by, output, colour)


def _width(env: Env) -> int | None:
    """Cells of the terminal's line; None where no terminal reads."""
    return shutil.get_terminal_size().columns if env.terminal else None


def _one(env: Env, targets: list[kinds.Target], name: str, output: str, colour: bool, *, watch: bool) -> int:
    """Show one job in full, once or until it has ended."""
    from kubectl_sagemaker import jobs, parallel

    env.kube.begin()
    answer = parallel.ahead(lambda: jobs.find(env.kube, targets, env.kube.namespace, name))

    # While the API server is waited for, what comes after it is imported.
    from kubectl_sagemaker import details
    from kubectl_sagemaker.render import documents
    from kubectl_sagemaker.render.panel import Style, panel

    if watch or output != "name":
        env.aws.prepare("sagemaker")
    try:
        found = answer()
    except NotFound as error:
        near = kinds.nearest(name) if len(targets) > 1 else None
        raise NotFound(error.message, hint=f"did you mean the kind {near!r}?" if near else error.hint) from error
    if found.note:
        env.note(found.note)
    if watch:
        from kubectl_sagemaker import watching

        view = watching.View(
            targets=targets,
            namespace=found.job.namespace,
            ends=True,
            output=output,
            colour=colour,
            drawn=_is_drawn(env, output),
            flags=_flags(env),
        )
        env.started()
        return watching.one(env, view, found.job)
    if output == "name":
        env.write(documents.as_names([found.job]))
        return 0
    full = details.collect(env, found.job)
    now = env.now()
    for notice in full.notices:
        env.note(one_line(notice))
    if output in WRITERS:
        env.write(WRITERS[output](documents.single(full, now)))
    else:
        style = Style(_width(env), colour, links=_has_links(env), grouped=kinds.grouped(targets), flags=_flags(env))
        env.write(panel(full, now=now, style=style))
    return 0


def _flags(env: Env) -> str:
    """The flags that another command needs to come to the same cluster and account."""
    given = {
        "--context": env.connection.context,
        "--kubeconfig": env.connection.kubeconfig,
        "--profile": env.account.profile,
        "--region": env.account.region,
    }
    return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in given.items() if value)


def _is_drawn(env: Env, output: str) -> bool:
    """Whether a watch is a screen that is redrawn; what --debug says would stand in the midst of it."""
    return _has_links(env) and output in {"table", "wide"} and not env.debugging


def _has_links(env: Env) -> bool:
    """Whether a terminal reads that understands sequences, or skips those that it does not know."""
    return env.terminal and os.environ.get("TERM") != "dumb"


def _many(
    env: Env,
    targets: list[kinds.Target],
    namespace: str | None,
    selector: str | None,
    sort_by: str | None,
    output: str,
    colour: bool,
) -> int:
    """List jobs."""
    from kubectl_sagemaker import jobs
    from kubectl_sagemaker.render import documents, states
    from kubectl_sagemaker.render.table import left_out, table

    listing = jobs.collect(env.kube, targets, namespace, selector=selector)
    for refusal in listing.refusals:
        env.note(refusal.message)
    now = env.now()
    found = states.ordered(listing.jobs, now, sort_by)
    if output == "name":
        env.write(documents.as_names(found))
    elif output in WRITERS:
        env.write(WRITERS[output](documents.document(found, now)))
    elif found:
        wide, width, namespaces = output == "wide", _width(env), namespace is None
        env.write(table(found, now=now, namespaces=namespaces, wide=wide, width=width, colour=colour))
        if wide and (missing := left_out(found, now=now, namespaces=namespaces, width=width)):
            env.note(f"no room here for {', '.join(missing)}: `| cat` shows all")
    else:
        env.note("no resources found" + (f" in namespace {namespace}" if namespace else ""))
    return 0


def _is_name(word: str) -> bool:
    """Whether a word alone is a resource's name: neither a kind, or several, nor a kind that is misspelt."""
    misspelt = word.isalpha() and kinds.nearest(word, likeness=MISSPELT)
    return "," not in word and not kinds.singular(word) and not misspelt
