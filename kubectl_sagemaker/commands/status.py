"""`kubectl sagemaker status`: what runs, what failed and why; or one job in full."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from kubectl_sagemaker import candidates, kinds
from kubectl_sagemaker.errors import Usage
from kubectl_sagemaker.options import COLOR, CONNECTION, SELECTOR, TALK, UNFIT, Command, Flag, colours, resource, shared

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env


@click.command(
    cls=Command,
    name="status",
    short_help="Show what runs, what failed and why.",
    help=f"""List the SageMaker jobs and endpoints of a namespace, or show one in full. Asks Kubernetes only.

    KIND is one of {kinds.singulars(kinds.targets(all_kinds=True))}; plurals are understood too, and either with its API
    group.

    \b
    Examples:
      kubectl sagemaker status
      kubectl sagemaker status -A -l team=vision
      kubectl sagemaker status trainingjob xgboost-mnist
    """,
)
@click.argument(
    "words",
    metavar="[KIND [NAME]]",
    nargs=-1,
    shell_complete=candidates.resources(kinds.targets(all_kinds=True)),
)
@click.option("-A", "--all-namespaces", cls=Flag, help="All namespaces.")
@click.option("--all-kinds", cls=Flag, help="Also what does not run: models, endpoint configurations and the like.")
@click.option("-l", "--selector", type=SELECTOR, help="Label selector, such as team=vision,stage!=test.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "json", "yaml", "name"]),
    default="table",
    show_default=True,
    help="Form of the answer.",
)
@COLOR
@shared(CONNECTION, TALK)
def command(
    env: Env,
    words: tuple[str, ...],
    all_namespaces: bool,
    all_kinds: bool,
    selector: str | None,
    output: str,
    color: str,
) -> int:
    """List, or show one."""
    from kubectl_sagemaker import jobs
    from kubectl_sagemaker.render import jobs as render

    width = shutil.get_terminal_size().columns if env.terminal else None
    colour = colours(color, terminal=env.terminal)
    if len(words) > 1 or (words and "/" in words[0]):
        if all_namespaces or selector or all_kinds:
            raise Usage("one resource was named: -A, -l and --all-kinds choose among many")
        targets, name = resource(words)
        found = jobs.find(env.kube, targets, env.kube.namespace, name)
        if found.note:
            env.note(found.note)
        job = found.job
        one = {
            "json": lambda: render.as_json(render.single(job)),
            "yaml": lambda: render.as_yaml(render.single(job)),
            "name": lambda: render.as_names([job]),
        }
        env.write(one.get(output, lambda: render.full(job, now=env.now(), width=width, colour=colour))())
        if job.advice:
            env.note(f"hint: {job.advice}")
        return 0
    targets = [_kind(words[0])] if words else kinds.targets(all_kinds=all_kinds)
    namespace = None if all_namespaces else env.kube.namespace
    listing = jobs.collect(env.kube, targets, namespace, selector=selector)
    if len(listing.refusals) == listing.asked:
        raise listing.refusals[0]
    for refusal in listing.refusals:
        env.note(refusal.message)
    forms = {
        "json": lambda: render.as_json(render.document(listing.jobs)),
        "yaml": lambda: render.as_yaml(render.document(listing.jobs)),
        "name": lambda: render.as_names(listing.jobs),
    }
    if output in forms:
        env.write(forms[output]())
    elif listing.jobs:
        env.write(
            render.table(
                listing.jobs,
                now=env.now(),
                namespaces=all_namespaces,
                wide=output == "wide",
                width=width,
                colour=colour,
            )
        )
    else:
        env.note("no resources found" + (f" in namespace {namespace}" if namespace else ""))
    return 0


def _kind(word: str) -> kinds.Target:
    """The kind to list; raises Usage, which says what to do if the word was meant for a resource's name."""
    try:
        return kinds.parse(word)
    except Usage as error:
        if kinds.nearest(word) or UNFIT.search(word):
            raise
        hint = f"the first word is a kind: `kubectl sagemaker status trainingjob {word}`; --help lists the kinds"
        raise Usage(error.message, hint=hint) from error
