"""A terminal's other screen, redrawn in place, and left as if nothing had been there."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Self

from kubectl_sagemaker.errors import Interrupted

ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The other screen, without a cursor, and without wrapping: a character that is wider there than we think moves nothing
but the end of its own line."""
LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN: Final = "\x1b[?2026h\x1b[H"
END: Final = "\x1b[J\x1b[?2026l"
"""What lies between is shown at once, by terminals that know how; the others see each line replaced, never erased."""
SIGNALS: Final = ("SIGWINCH", "SIGTSTP", "SIGCONT")
ENDS: Final = ("SIGINT", "SIGTERM", "SIGALRM")


class Screen:
    """A context manager; `draw` replaces what is shown.

    `wake` is called when there is a reason to draw: a new size, Ctrl-Z, which leaves the terminal clean too, or
    Ctrl-C, SIGTERM or --timeout's alarm, on which `draw` raises Interrupted; a second one ends the process at once.
    """

    def __init__(self, write: Callable[[str], None], wake: Callable[[], None]) -> None:
        self._write = write
        self._wake = wake
        self._shown: object = None
        self._stopping = False
        self._ended_by = 0
        self._before: dict[signal.Signals, Any] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Cells that a line may take, and lines.

        The last column stays free: what erases the rest of a full line would take its last character.
        """
        try:
            # Not by COLUMNS and LINES: where a shell exports them, they stay as they were.
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except (OSError, ValueError):
            columns = lines = 0
        usual_columns, usual_lines = shutil.get_terminal_size()
        return max(1, (columns or usual_columns) - 1), lines or usual_lines

    def __enter__(self) -> Self:
        for name in (*SIGNALS, *ENDS):
            number = getattr(signal, name, None)
            if number and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._heard)
        self._write(ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._write(LEAVE)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, of which there are no more than the terminal has; nothing is sent if they stand there."""
        if self._ended_by:
            raise Interrupted(self._ended_by)
        if self._stopping:
            self._stopping = False
            self._write(LEAVE)
            os.kill(os.getpid(), signal.SIGSTOP)
            # Here it goes on after `fg`.
            self._write(ENTER)
        shown = (self.size, tuple(lines))
        if shown != self._shown:
            self._shown = shown
            self._write(BEGIN + "\r\n".join(f"{line}\x1b[K" for line in lines) + END)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        """Note what has happened; a handler must not write, for it can come in the midst of a write."""
        del frame
        if signal.Signals(number).name in ENDS:
            self._ended_by = number
            signal.signal(number, signal.SIG_DFL)
        self._stopping = self._stopping or number == getattr(signal, "SIGTSTP", None)
        self._shown = None
        self._wake()
