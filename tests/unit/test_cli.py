"""The two programs as processes: what an exception becomes, and that wrong usage is one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from kubectl_sagemaker.commands import VERBS
from tests.environment import PROGRAMS

SMLOGS = (str(PROGRAMS / "kubectl-smlogs"),)
SAGEMAKER = (str(PROGRAMS / "kubectl-sagemaker"),)
SCRIPT = """
import sys, time
import click
from kubectl_sagemaker import cli
from kubectl_sagemaker.errors import *
@click.command()
def command():
    {body}
cli.run(lambda: command, "kubectl probe")
"""


WHERE = {
    "in the command": "{}",
    # What a handler raises there, Python drops, or makes another exception of.
    "in a finalizer": "x = type('X', (), dict(__del__=lambda self: [{}]))(); del x".replace("{}", "exec({!r})"),
    "in an import": "type('X', (), dict(x=type('Y', (), dict(__set_name__=lambda *_: exec({!r})))()))",
}
"""How a command comes to wait somewhere."""


def run(*args: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    done = subprocess.run(
        args, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def script(body: str) -> tuple[str, ...]:
    """A command line that runs `body` as a command of ours."""
    return (sys.executable, "-c", SCRIPT.format(body=body))


# Exceptions


@pytest.mark.parametrize(
    ("body", "code", "stderr"),
    [
        ("return None", 0, ""),
        ("return 4", 4, ""),
        ('raise Error("it is gone")', 1, "error: it is gone\n"),
        ('raise NotFound("no xgb", hint="look elsewhere")', 1, "error: no xgb\nhint: look elsewhere\n"),
        ('raise Throttled("too fast")', 1, "error: too fast\n"),
        ('raise Usage("never", hint="so")', 2, "error: never\nhint: so\n"),
        ('raise Ended("it Failed", exit_code=3)', 3, "error: it Failed\n"),
        ('raise Ended("it Stopped", exit_code=4)', 4, "error: it Stopped\n"),
        ("raise BrokenPipeError", 141, ""),
        ('open("/nowhere/at/all")', 1, "error: no such file or directory: /nowhere/at/all\n"),
        ('raise Error("a\\nb\\x1b[2J\\u202ec", hint="d\\re")', 1, "error: a b\\x1b[2J\\u202ec\nhint: d e\n"),
        ('raise Error("lone \\udc80")', 1, "error: lone \\udc80\n"),
    ],
)
def test_an_exception_is_an_exit_code_and_a_line(body: str, code: int, stderr: str) -> None:
    assert run(*script(body)) == (code, "", stderr)


def test_what_was_written_before_an_error_comes_out() -> None:
    assert run(*script('sys.stdout.write("data\\n"); raise Error("late")')) == (1, "data\n", "error: late\n")


def test_no_locale_stops_a_log_line_and_what_utf_8_has_not_is_escaped() -> None:
    body = 'print("\\u65e5\\u672c \\udc80 \\U0001f680")'
    assert run(*script(body), LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0") == (0, "日本 \\udc80 🚀\n", "")


def on_a_terminal(encoding: str, body: str) -> bytes:
    """What a terminal of an encoding is sent by `body`."""
    import pty

    terminal, side = pty.openpty()
    try:
        variables = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        subprocess.run(script(body), stdin=side, stdout=side, stderr=side, env=variables, timeout=60, check=True)
        return os.read(terminal, 65536)
    finally:
        os.close(terminal)
        os.close(side)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_of_another_encoding_is_sent_that_and_no_byte_that_it_takes_for_a_control_sequence() -> None:
    body = 'print("\u25b8 caf\xe9 2 \xd7 \u65e5 \u06db2J")'
    assert on_a_terminal("iso-8859-1", body) == b"> caf\xe9 2 \xd7 \\u65e5 \\u06db2J\r\n"
    assert on_a_terminal("ascii", body) == b"> caf\\xe9 2 * \\u65e5 \\u06db2J\r\n"
    assert on_a_terminal("utf-8", body).decode() == "\u25b8 caf\xe9 2 \xd7 \u65e5 \u06db2J\r\n"


def test_an_error_with_nobody_to_read_it_still_has_its_exit_code() -> None:
    argv = script('raise Error("it is gone")')
    done = subprocess.run(["sh", "-c", 'exec "$@" 2>/dev/full', "sh", *argv], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('print("data")', "can't write to stdout: no space left on device"),
        ('print("data", flush=True)', "no space left on device"),
    ],
)
def test_a_full_disk_is_an_error_that_is_said_once(body: str, error: str) -> None:
    code, _, stderr = run("sh", "-c", 'exec "$@" >/dev/full', "sh", *script(body), PYTHONUNBUFFERED="")
    assert (code, stderr) == (1, f"error: {error}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
def test_a_signal_ends_a_command_quietly_and_at_once_wherever_it_comes(signum: signal.Signals, where: str) -> None:
    wait = 'print("ready", flush=True); time.sleep(60)'
    with subprocess.Popen(script(where.format(wait)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signum)
        # By the signal itself, by which a shell knows that its loop is to end.
        assert (process.wait(60), process.stdout.read(), process.stderr.read()) == (-signum, b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm")
@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
def test_a_timeout_ends_a_command_wherever_it_comes(where: str) -> None:
    waiting = where.format("time.sleep(2)")
    body = f"""
    from kubectl_sagemaker.env import Env
    with Env(None, None).deadline(0.1):
        {waiting}
        time.sleep(60)
"""
    assert run(*script(body)) == (5, "", "error: timed out after 0.1 s\n")


def test_signals_that_the_caller_ignores_stay_ignored() -> None:
    body = 'import os; os.kill(os.getpid(), 2); os.kill(os.getpid(), 15); print("still here")'
    done = subprocess.run(
        ["sh", "-c", "trap '' INT TERM; exec \"$@\"", "sh", *script(body)], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"still here\n", b"")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_first_process_of_a_container(signum: signal.Signals, code: int) -> None:
    first = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
    if not shutil.which("unshare") or subprocess.run([*first, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process namespace can be made here")
    # The child's id is of the outer namespace: told by the sh that waits for it inside, it would be 1.
    argv = script('print("ready", flush=True); time.sleep(60)')
    with subprocess.Popen([*first, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signum)
        assert process.wait(60) == code


# Wrong usage


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (SMLOGS, "name a resource: KIND NAME, KIND/NAME, or NAME alone"),
        ((*SMLOGS, "trainigjob", "xgb"), "unknown kind 'trainigjob'"),
        ((*SMLOGS, "trainingjob", "a/b"), "invalid resource name 'a/b'"),
        ((*SMLOGS, "trainingjob", "a\x1b[2J"), "invalid resource name 'a\\x1b[2J'"),
        ((*SMLOGS, "model", "xgb"), None),
        (
            (*SMLOGS, "trainingjob", "xgb", "--since", "yesterdayish"),
            "--since: 'yesterdayish' is neither a duration nor a time",
        ),
        (
            (*SMLOGS, "trainingjob", "xgb", "--since", "9" * 30 + "d"),
            f"--since: '{'9' * 30}d' is longer than 292 years",
        ),
        (
            (*SMLOGS, "trainingjob", "xgb", "--tail", "-5"),
            "--tail: '-5' is no number of lines",
        ),
        ((*SMLOGS, "trainingjob", "xgb", "--timezone", "Mars"), "--timezone: unknown time zone 'Mars'"),
        ((*SMLOGS, "trainingjob", "xgb", "-f=maybe"), "-f: 'maybe' is neither true nor false"),
        ((*SMLOGS, "trainingjob", "xgb", "-v", "6"), "--v can't be honoured: --debug says what is asked"),
        ((*SMLOGS, "trainingjob", "xgb", "-x"), "no such option '-x'"),
        ((*SMLOGS, "trainingjob", "xgb", "--timeout"), "option '--timeout' requires an argument"),
        ((*SMLOGS, "trainingjob", "xgb", "--request-timeout", "x"), "--request-timeout: 'x' is no duration"),
        ((*SAGEMAKER, "stats"), "no such command 'stats'"),
        ((*SAGEMAKER, "--x"), "no such option '--x'"),
        ((*SAGEMAKER, "logs"), "name a resource: KIND NAME, KIND/NAME, or NAME alone"),
        ((*SAGEMAKER, "status", "-A", "pods"), "unknown kind 'pods'"),
        ((*SAGEMAKER, "status", "trainingjob,pods"), "unknown kind 'pods'"),
        ((*SAGEMAKER, "status", "-A", "trainingjob", "xgb"), None),
        ((*SAGEMAKER, "sandbox", "--speed", "0"), None),
    ],
)
def test_wrong_usage_is_one_line_and_perhaps_a_hint(argv: tuple[str, ...], error: str | None) -> None:
    code, stdout, stderr = run(*argv)
    first, *hint = stderr.splitlines()
    assert (stdout, len(hint) <= 1) == ("", True)
    assert all(line.startswith("hint: ") for line in hint)
    assert "Traceback" not in stderr
    if error is not None:
        assert (code, first) == (2, f"error: {error}")
    else:
        assert code in {1, 2}
        assert first.startswith("error: ")


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        ((*SMLOGS, "--x"), "kubectl smlogs"),
        ((*SAGEMAKER, "--x"), "kubectl sagemaker"),
        ((*SAGEMAKER, "status", "--x"), "kubectl sagemaker status"),
        ((*SAGEMAKER, "status", "--context"), "kubectl sagemaker status"),
        ((*SAGEMAKER, "logs", "--color=x"), "kubectl sagemaker logs"),
    ],
)
def test_the_hint_names_the_help_of_the_command_at_fault(argv: tuple[str, ...], program: str) -> None:
    assert run(*argv)[2].splitlines()[1] == f"hint: see `{program} --help`"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("statu", "did you mean 'status'?"),
        ("log", "did you mean 'logs'?"),
        ("describe", "the commands are logs, status, operator, sandbox, completion"),
    ],
)
def test_a_word_that_is_no_command_is_told_the_nearest_or_all(word: str, hint: str) -> None:
    assert run(*SAGEMAKER, word, "xgb") == (2, "", f"error: no such command '{word}'\nhint: {hint}\n")


# Help


@pytest.mark.parametrize("argv", [SMLOGS, SAGEMAKER, *((*SAGEMAKER, verb) for verb in VERBS)])
def test_help_is_data_and_is_asked_in_both_ways(argv: tuple[str, ...]) -> None:
    code, stdout, stderr = run(*argv, "--help")
    assert (code, stderr) == (0, "")
    assert stdout.startswith(f"Usage: kubectl {' '.join((Path(argv[0]).name.removeprefix('kubectl-'), *argv[1:]))} ")
    assert run(*argv, "-h") == (0, stdout, "")


def test_the_bare_program_says_its_verbs_as_kubectl_does() -> None:
    code, stdout, stderr = run(*SAGEMAKER)
    assert (code, stderr) == (0, "")
    assert [line.split()[0] for line in stdout.partition("Commands:\n")[2].splitlines()] == list(VERBS)


@pytest.mark.parametrize("argv", [SMLOGS, SAGEMAKER])
def test_the_version_is_the_packages(argv: tuple[str, ...]) -> None:
    assert run(*argv, "--version") == (0, f"{version('kubectl-sagemaker')}\n", "")


def test_logs_is_smlogs_under_another_name() -> None:
    smlogs, logs = run(*SMLOGS, "--help")[1], run(*SAGEMAKER, "logs", "--help")[1]
    lines = {line for line in smlogs.splitlines()[1:] if "--version" not in line}
    assert lines == set(logs.splitlines()[1:])
