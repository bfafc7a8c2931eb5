"""On a terminal, lines are made for eyes, and what a message holds can't drive the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import tty
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.shell import SECONDS, Shell


def on_a_terminal(shell: Shell, *command: str, columns: int = 200) -> tuple[str, int]:
    """Run a command whose stdout and stderr are one terminal; return what the terminal was sent, and the exit code."""
    terminal, side = pty.openpty()
    try:
        tty.setraw(side)  # what is written arrives as it is, without a \r before each \n
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen(
            command, env=shell.environment, stdin=side, stdout=side, stderr=side, start_new_session=True
        )
    finally:
        os.close(side)
    sent = bytearray()
    try:
        while piece := os.read(terminal, 65536):
            sent += piece
    except OSError:
        pass  # Linux's way to say that the other side is closed
    finally:
        os.close(terminal)
    return sent.decode(), process.wait(SECONDS)


def lines(text: str) -> list[str]:
    """What follows the header, and the date of what is not of today, without the prefix of each line."""
    header, *rest = text.split("\n")[:-1]
    assert '" has SageMaker TrainingJobName "' in header
    if re.fullmatch(r"\d{4}-\d\d-\d\d", rest[0]):
        del rest[0]
    return [
        re.sub(r"^(\x1b\[\d+m)?algo-1(\x1b\[0m)? (\x1b\[2m)?\d\d:\d\d:\d\d(\x1b\[0m)? ?", "", line) for line in rest
    ]


def test_control_sequences_of_a_message_are_shown_and_not_sent(shell: Shell) -> None:
    text, code = on_a_terminal(shell.having(NO_COLOR="1"), "kubectl", "smlogs", "trainingjob", "hostile")
    assert lines(text) == [
        "first", "second", "", "fourth",
        "bell \\x07, cursor \\x1b[2A, title \\x1b]0;owned\\x07, colour red, c1 \\x9b31m, bidi \\u202eevil",
        "[bold]brackets[/bold] [link=https://example.com]stay[/link] 100% {braces} \\n",
        # Progress bars end in their last state.
        "100%|##########| done",
        " 3/3",
        "naïve 中文 🙂",
        "half of a pair: \\ud83d",
        "ends in a newline",
        "",
    ]  # fmt: skip
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text) is None
    assert code == 0


def test_what_is_not_of_today_has_its_date_said_before_it(shell: Shell) -> None:
    now = datetime.now(UTC)

    def told(hour: int) -> tuple[str, str]:
        """What follows the header in a zone where it is that hour, and the date of the day before there."""
        offset = (hour - now.hour + 11) % 24 - 11
        command = ("kubectl", "smlogs", "trainingjob", "mnist", "--timezone", f"Etc/GMT{-offset:+d}")
        text, code = on_a_terminal(shell.having(NO_COLOR="1"), *command)
        assert code == 0
        return text.split("\n")[1], str((now + timedelta(hours=offset)).date() - timedelta(days=1))

    # The job wrote more than an hour ago: before midnight, and today.
    line, yesterday = told(0)
    assert line == yesterday
    assert told(22)[0].startswith("algo-1 ")


def test_colour_is_for_the_instance_and_a_messages_own_colour_ends_with_it(shell: Shell) -> None:
    text, code = on_a_terminal(shell, "kubectl", "smlogs", "trainingjob", "hostile")
    assert re.search(r"\n\x1b\[\d+malgo-1\x1b\[0m \x1b\[2m\d\d:\d\d:\d\d\x1b\[0m first\n", text)
    (coloured,) = [line for line in lines(text) if "red" in line]
    assert "colour \x1b[31mred\x1b[0m, c1" in coloured
    assert coloured.endswith("\x1b[0m")
    assert set(re.findall(r"\x1b.", text)) == {"\x1b["}
    assert code == 0


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({"NO_COLOR": "1"}, ("smlogs", "trainingjob", "mnist")),
        ({"TERM": "dumb"}, ("smlogs", "trainingjob", "mnist")),
        ({"NO_COLOR": "1"}, ("sagemaker", "status")),
        ({"TERM": "dumb"}, ("sagemaker", "status", "trainingjob", "mnist")),
    ],
    ids=str,
)
def test_no_color_and_a_dumb_terminal_are_obeyed(
    shell: Shell, variables: dict[str, str], command: tuple[str, ...]
) -> None:
    text, code = on_a_terminal(shell.having(**variables), "kubectl", *command)
    assert "mnist" in text
    assert "\x1b" not in text
    assert code == 0


def test_color_always_is_stronger_than_no_color(shell: Shell) -> None:
    command = ("kubectl", "smlogs", "trainingjob", "mnist", "--color", "always")
    text, code = on_a_terminal(shell.having(NO_COLOR="1"), *command)
    assert "\x1b[" in text
    assert code == 0


@pytest.mark.parametrize("columns", [40, 120])
def test_a_table_fits_the_terminal(shell: Shell, columns: int) -> None:
    text, code = on_a_terminal(shell, "kubectl", "sagemaker", "status", columns=columns)
    lines = re.sub(r"\x1b\[[\d;]+m", "", text).splitlines()
    assert max(map(len, lines)) <= columns
    assert len([line for line in lines if not line.startswith("    ")]) == 1 + 18, "a line a job"
    assert "\x1b[31m✗ Failed" in text
    assert code == 0


def test_an_error_on_a_terminal_is_one_line_too(shell: Shell) -> None:
    text, code = on_a_terminal(shell, "kubectl", "smlogs", "trainingjob", "a\x1b[31mb")
    assert text.split("\n") == [
        "error: invalid resource name 'a\\x1b[31mb'",
        "hint: a name has no slash, space, percent or control character",
        "",
    ]
    assert code == 2
