"""`kubectl sagemaker sandbox`: a made-up cluster and AWS account on this machine, for trying things out."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import FrameType

import click

from kubectl_sagemaker.commands import lacks
from kubectl_sagemaker.errors import Error, Interrupted
from kubectl_sagemaker.kubeconfig import reason
from kubectl_sagemaker.options import Command, Flag


@click.command(
    cls=Command,
    name="sandbox",
    help="""Start an embedded Kubernetes API and AWS endpoints on loopback, with a few jobs in both, and run CMD
    (default: $SHELL) with KUBECONFIG, AWS_ENDPOINT_URL, credentials and region set for them. Exits with CMD's exit
    code and leaves nothing behind. No account and no network is needed. What is applied there runs: an operator
    starts it, it goes through its states, and writes a log.

    \b
    Examples:
      kubectl sagemaker sandbox
      kubectl sagemaker sandbox -- kubectl smlogs trainingjob xgboost-mnist -f
    """,
    # What follows CMD is CMD's own: `sandbox kubectl get pods -A` needs no `--`.
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
        "allow_interspersed_args": False,
    },
)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Scale its clock."
)
@click.option("--empty", cls=Flag, help="Without jobs that are there already.")
@click.argument("command_line", metavar="[-- CMD [ARG]...]", nargs=-1, type=click.UNPROCESSED)
def command(speed: float, empty: bool, command_line: tuple[str, ...]) -> int:
    """Serve, run, and go."""
    if find_spec("kubectl_sagemaker.sandbox") is None:
        # release/programs.spec leaves it out, as it does its server.
        raise Error("the sandbox is left out of the archives", hint="a checkout or a pip install has it: see README.md")
    for module in ("aiohttp", "prometheus_client"):
        if find_spec(module) is None:
            raise lacks("sandbox", module)
    from kubectl_sagemaker.sandbox.parts import PARTS
    from kubectl_sagemaker.sandbox.server import Sandbox

    words = list(command_line) or [os.environ.get("SHELL") or "sh"]
    # The servers are in this process, and live for as long as somebody works in there: garbage is collected again.
    gc.enable()
    running = Running()
    running.listen()
    with Sandbox(speed=speed, parts=() if empty else PARTS, operator=True) as sandbox:
        return running.run(words, sandbox.environment)


@dataclass(slots=True)
class Running:
    """The command, once it has been started, and the signals that came before."""

    process: subprocess.Popen[bytes] | None = None
    early: list[int] = field(default_factory=list)

    def listen(self) -> None:
        """Hear of signals, for good: nothing is to interrupt the starting and the cleaning up.

        Ctrl-C goes from the terminal to the command as well, which decides what it means; SIGTERM is passed on, and so
        is SIGHUP, by which a terminal that is closed would end this process before it has cleaned up.
        """
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if number := getattr(signal, name, None):
                signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.process is None:
            self.early.append(number)
        elif number != signal.SIGINT:
            self.process.send_signal(number)

    def run(self, words: list[str], environment: dict[str, str]) -> int:
        """Run a command to its end and return its exit code; 128 + N for a signal, as shells do."""
        if self.early:
            raise Interrupted(self.early[0])
        try:
            # It inherits no handlers, as it would SIG_IGN.
            self.process = subprocess.Popen(words, env=environment)
        except OSError as error:
            code = 127 if isinstance(error, FileNotFoundError) else 126
            raise _NotStarted(f"can't run {words[0]}: {reason(error)}", code) from error
        for number in self.early:
            self.process.send_signal(number)
        code = self.process.wait()
        return code if code >= 0 else 128 - code


class _NotStarted(Error):
    """The command could not be started: 127 or 126, as shells do."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
