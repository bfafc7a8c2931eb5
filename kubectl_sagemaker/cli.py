"""The two programs; the one place where an exception becomes an exit code.

| code | when |
|---|---|
| 0 | done |
| 1 | it could not be done |
| 2 | wrong usage |
| 3, 4 | a followed job Failed, was Stopped |
| 5 | --timeout passed |
| 130, 141, 143 | Ctrl-C, a closed pipe, SIGTERM: quiet, and by the signal itself, so that a shell's loop ends too |
"""

from __future__ import annotations

import codecs
import gc
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kubectl_sagemaker.errors import Error, Interrupted
from kubectl_sagemaker.text import one_line, unencodable

if TYPE_CHECKING:
    import io
    from typing import TextIO

    import click

COMPLETE: Final = "_KUBECTL_SAGEMAKER_COMPLETE"
"""Set, to its own name, by a shell's script that asks what can follow (completion.py)."""


def smlogs_command() -> click.Command:
    """The command of `kubectl smlogs`."""
    from kubectl_sagemaker.commands import VERSION
    from kubectl_sagemaker.commands.smlogs import command

    if VERSION not in command.params:
        command.params.append(VERSION)
    return command


def sagemaker_command() -> click.Command:
    """The command of `kubectl sagemaker`."""
    from kubectl_sagemaker.commands import VERSION, Verbs

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
    """Run `kubectl sagemaker`; or, by a link of that name (commands/completion.py), what kubectl asks at TAB."""
    name = os.path.basename(sys.argv[0])
    if name.startswith("kubectl_complete-"):
        from kubectl_sagemaker import completion

        answered = completion.smlogs if name.endswith("-smlogs") else completion.sagemaker
        answered()
    run(sagemaker_command, "kubectl sagemaker")


def run(load: Callable[[], click.Command], program: str) -> NoReturn:
    """Run a command on this process's arguments and exit."""
    # Imports make little garbage and many objects to search for it; who works on says when they are over (Env.started).
    # First of all: click alone takes 2 ms less so (measured).
    gc.disable()
    if shell := os.environ.get(COMPLETE):
        from kubectl_sagemaker.completion import answer

        answer(load, shell, sys.argv[1:])
    _die_by_signals()
    if sys.stderr is None:
        # Closed by the caller (2>&-): nobody wants to hear it.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # for as long as the process lives
    if sys.stdout is None:
        sys.exit(_fail("stdout is closed", None, 1))
    for stream in (sys.stdout, sys.stderr):
        _encode(stream)  # type: ignore[arg-type]  # a text file
    code = _code(load, program)
    try:
        sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            code = 141
        elif code == 0:
            # What failed before has been said already.
            code = _fail(f"can't write to stdout: {_said(error)}", None, 1)
        _drop(sys.stdout)
    try:
        sys.stderr.flush()
    except OSError:
        # Nobody listens; the code still tells.
        _drop(sys.stderr)
    # Most of the interpreter's end is a last search for garbage: 36 ms after a list, 67 after one job (measured).
    gc.freeze()
    sys.exit(code)


def _drop(stream: TextIO) -> None:
    """Let nobody read what can't be written; the interpreter would try again at exit, say so, and exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encode(stream: io.TextIOWrapper) -> None:
    """Write UTF-8, whatever the locale says: a log line holds what it holds. What it has no bytes for is escaped.

    A terminal of another encoding would take UTF-8's bytes for other characters, and some of them for control
    sequences: it is sent its own, and our signs as their likes in ASCII.
    """
    if stream.isatty() and codecs.lookup(stream.encoding).name != "utf-8":
        codecs.register_error("signs", unencodable)
        stream.reconfigure(errors="signs")
    else:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _code(load: Callable[[], click.Command], program: str) -> int:
    """Run the command; what it raises becomes a line on stderr and an exit code."""
    import click

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
    except Interrupted as signalled:
        _die(signalled.number)
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


def _die_by_signals() -> None:
    """Let Ctrl-C and SIGTERM end this process at once, as they end kubectl.

    An exception that a handler raises comes out anywhere: an import makes an ImportError of it, and a finalizer drops
    it (of 300 followers, one went on after SIGTERM and two died with a traceback). Who has something to clean up says
    so by handlers of its own, which only take note.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            # The kernel spares a container's first process what a signal does by default.
            signal.signal(number, _exit if os.getpid() == 1 else signal.SIG_DFL)


def _die(number: int) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    _exit(number, None)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    os._exit(128 + number)
