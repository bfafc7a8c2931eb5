"""The two programs; the one place where an exception becomes an exit code.

| code | when |
|---|---|
| 0 | done |
| 1 | it could not be done |
| 2 | wrong usage |
| 3, 4 | a followed job Failed, was Stopped |
| 5 | --timeout passed |
| 130, 141, 143 | Ctrl-C, a closed pipe, SIGTERM: quiet |
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from kubectl_sagemaker.errors import Error, TimedOut
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERBS: Final = {
    "logs": ("smlogs", "Print the log of a job, and follow it to its end."),
    "status": ("status", "Show what runs, what failed and why."),
    "operator": ("operator", "Run SageMaker jobs that Kubernetes objects ask for."),
    "sandbox": ("sandbox", "Run a command, or a shell, in a made-up cluster and AWS account."),
    "completion": ("completion", "Print or install what completes these commands at TAB."),
}
"""Commands of `kubectl sagemaker`: the module of `commands/` that has each, and what it does, for who lists them."""


COMPLETE: Final = "_KUBECTL_SAGEMAKER_COMPLETE"
"""Set, to its own name, by a shell's script that asks what can follow (completion.py)."""


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in the help; click would import each for its own word on itself: 14 ms (measured)."""
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


def smlogs_command() -> click.Command:
    """The command of `kubectl smlogs`."""
    from kubectl_sagemaker.commands.smlogs import command

    if VERSION not in command.params:
        command.params.append(VERSION)
    return command


def sagemaker_command() -> click.Command:
    """The command of `kubectl sagemaker`."""
    return Verbs(
        "sagemaker",
        params=[VERSION],
        help="SageMaker jobs that run as Kubernetes custom resources: their logs and their state.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def smlogs() -> NoReturn:
    """Run `kubectl smlogs`."""
    run(smlogs_command, "kubectl smlogs")


def sagemaker() -> NoReturn:
    """Run `kubectl sagemaker`."""
    run(sagemaker_command, "kubectl sagemaker")


def run(load: Callable[[], click.Command], program: str) -> NoReturn:
    """Run a command on this process's arguments and exit; Ctrl-C is heard while it loads, too."""
    # Imports make little garbage and many objects to search for it; who works on says when they are over (Env.started).
    gc.disable()
    if shell := os.environ.get(COMPLETE):
        from kubectl_sagemaker.completion import answer

        answer(load, shell, sys.argv[1:])
    signal.signal(signal.SIGTERM, _terminated)
    if sys.stderr is None:
        # Closed by the caller (2>&-): nobody wants to hear it.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # for as long as the process lives
    if sys.stdout is None:
        sys.exit(_fail("stdout is closed", None, 1))
    for stream in (sys.stdout, sys.stderr):
        # A log line holds what it holds: what UTF-8 has no bytes for is escaped, and no locale stops it.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # a text file
    code = _code(load, program)
    try:
        sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            code = 141
        elif code == 0:
            # What failed before has been said already.
            code = _fail(f"can't write to stdout: {_said(error)}", None, 1)
        # The interpreter would flush again at exit, and complain of the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # Most of the interpreter's end is a last search for garbage: 75 ms (measured).
    gc.freeze()
    sys.exit(code)


def _code(load: Callable[[], click.Command], program: str) -> int:
    """Run the command; what it raises becomes a line on stderr and an exit code."""
    try:
        command = load()
        # Not command.main(): on Ctrl-C it writes an empty line, on Windows it expands `--instance "algo-*"`.
        with command.make_context(program, sys.argv[1:]) as context:
            result: Any = command.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        # No error, to kubectl, but what it says when it is called by its bare name.
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        message = error.format_message().removesuffix(".")
        where = error.ctx.command_path if error.ctx else program
        return _fail(message[:1].lower() + message[1:], f"see `{where} --help`", 2)
    except Error as error:
        return _fail(error.message, error.hint, error.exit_code)
    except TimedOut as error:
        return _fail(str(error), None, 5)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        return _fail(f"{_said(error)}{f': {error.filename}' if error.filename else ''}", None, 1)
    return result if isinstance(result, int) else 0


def _said(error: OSError) -> str:
    """What the system says, in lower case."""
    return error.strerror.lower() if error.strerror else str(error)


def _fail(message: str, hint: str | None, code: int) -> int:
    """Say what failed, on one line, and what to try on another."""
    try:
        sys.stderr.write(f"error: {one_line(message)}\n" + (f"hint: {one_line(hint)}\n" if hint else ""))
    except OSError:
        # Nobody listens on stderr; the code still tells.
        return code
    return code


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    raise SystemExit(143)
