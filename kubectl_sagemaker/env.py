"""What a command needs from outside: the cluster, AWS, the clock and two places to write to."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from kubectl_sagemaker.errors import Error, Interrupted, Usage
from kubectl_sagemaker.times import span

if TYPE_CHECKING:
    from kubectl_sagemaker.aws import Account, Aws
    from kubectl_sagemaker.kube import Connection, Kube


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Error(f"can't write to stdout: {(error.strerror or str(error)).lower()}") from error


def _say(text: str) -> None:
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:
        # A full disk behind stderr must not cost a line of the log; kubectl goes on, too.
        return


def _is_terminal() -> bool:
    return sys.stdout.isatty()


@dataclass
class Env:
    """Lazy: nothing is imported, read or asked before it is used."""

    connection: Connection
    account: Account
    quiet: bool = False
    debugging: bool = False
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    sleep: Callable[[float], None] = time.sleep
    write: Callable[[str], None] = _write
    """Data, to stdout, at once."""
    say: Callable[[str], None] = _say
    """One line for people, to stderr."""
    terminal: bool = field(default_factory=_is_terminal)

    @cached_property
    def kube(self) -> Kube:
        """The cluster."""
        from kubectl_sagemaker.kube import Kube

        return Kube(self.connection, debug=self.debug)

    @cached_property
    def aws(self) -> Aws:
        """AWS."""
        from kubectl_sagemaker.aws import Aws

        return Aws(self.account, debug=self.debug)

    def note(self, text: str) -> None:
        """Say something that --quiet leaves out."""
        if not self.quiet:
            self.say(text)

    def debug(self, text: str) -> None:
        """Say something that only --debug asks for."""
        if self.debugging:
            self.say(f"debug: {text}")

    def started(self) -> None:
        """Begin to collect garbage again, all that start-up has made set aside; for who reads on and on.

        Without any collection until here a start takes 36 ms less (measured).
        """
        gc.freeze()
        gc.enable()

    @contextmanager
    def deadline(self, seconds: float | None) -> Iterator[None]:
        """End the process with exit code 5, whatever it waits for, once `seconds` have passed; None: never."""
        if seconds is None:
            yield
            return
        if not hasattr(signal, "SIGALRM"):
            raise Usage("--timeout can't be honoured on this system: it has no alarm signal")

        def passed(signum: int, frame: FrameType | None) -> NoReturn:
            # Not by an exception: see cli.py's signals.
            del signum, frame
            with suppress(OSError):
                os.write(2, f"error: timed out after {f'{seconds:g} s' if seconds < 60 else span(seconds)}\n".encode())
            os._exit(5)

        signal.signal(signal.SIGALRM, passed)
        # A timer of 0 would never ring.
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
        try:
            yield
        except Interrupted as signalled:
            if signalled.number == signal.SIGALRM:
                passed(signal.SIGALRM, None)
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
