"""One file a verb: parse, collect, render, write. This one knows which there are, and imports none to say so."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from kubectl_sagemaker.errors import Error, Usage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERBS: Final = {
    "logs": ("smlogs", "Print the log of a job, and follow it to its end."),
    "status": ("status", "Show what runs, what failed and why."),
    "operator": ("operator", "Run SageMaker jobs that Kubernetes objects ask for."),
    "sandbox": ("sandbox", "Run a command, or a shell, in a made-up cluster and AWS account."),
    "completion": ("completion", "Print or install what completes these commands at TAB."),
}
"""Commands of `kubectl sagemaker`: the module here that has each, and what it does, for who lists them."""


INSTALLERS: Final = {"pipx_metadata.json": "pipx", "uv-receipt.toml": "uv tool"}
"""By the file that each leaves in the environment that it made for the programs; pip by itself can't add to those."""


def lacks(verb: str, module: str) -> Error:
    """The error of a verb whose part of the package was not installed with it: how to have it, as it was installed."""
    installer = next(
        (each for file, each in INSTALLERS.items() if os.path.isfile(os.path.join(sys.prefix, file))), None
    )
    hint = f"{installer} install --force '.[{verb}]' in a checkout" if installer else None
    return Error(f"the {verb} needs {module}", hint=hint or f"pip install 'kubectl-sagemaker[{verb}]'")


class Verbs(click.Group):
    """Commands that are imported when they are used; to tell what there is, none is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the help."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb's module and take its command."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"kubectl_sagemaker.commands.{VERBS[cmd_name][0]}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As ever; of a word that is no verb, the nearest or all of them are told."""
        word = args[0]
        if word.startswith("-") or word in VERBS:
            return super().resolve_command(ctx, args)
        import difflib

        near = difflib.get_close_matches(word.lower(), VERBS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(VERBS)}"
        raise Usage(f"no such command {word!r}", hint=hint)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in the help; click would import each for its own word on itself: 30 ms (measured)."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(verb, told) for verb, (_, told) in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """The same at TAB."""
        from click.shell_completion import CompletionItem

        verbs = [CompletionItem(verb, help=told) for verb, (_, told) in VERBS.items() if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(version("kubectl-sagemaker"))
        ctx.exit()


VERSION: Final = click.Option(
    ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
