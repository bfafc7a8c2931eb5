"""`kubectl sagemaker status -w` shows what changes and ends with what it watches, on a terminal and piped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import Part, training
from tests.e2e.shell import SECONDS, Ran, Shell, finish, shell_of
from tests.e2e.test_terminal import on_a_terminal
from tests.e2e.world import ACK, FAILURE, LEGACY

ENDS = 12.0
"""Seconds from the sandbox's start."""


def short_lived(name: str, group: str, end: str, **labels: str) -> Part:
    """A job that is running when the sandbox starts, and ends some seconds later."""
    return Part(
        resource=f"trainingjobs.{group}",
        name=name,
        job_name=name,
        labels=labels,
        created=-30,
        stages=(
            Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
            Stage(5, "InProgress", "Training", "Training in progress."),
            Stage(30 + ENDS - 3, "InProgress", "Uploading", "Uploading generated training model"),
            Stage(30 + ENDS, end, end, f"Training job {end.lower()}"),
        ),
        request=training(2, "ml.m5.large"),
        outcome={"FailureReason": FAILURE} if end == "Failed" else {},
    )


def told(ran: Ran) -> list[str]:
    """The lines of a watch without their times."""
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [ +*-] ", line) for line in ran.stdout.splitlines())
    return [line[25:] for line in ran.stdout.splitlines()]


def test_a_watch_ends_with_what_it_watches_and_gives_its_result() -> None:
    """All at once: a job that ends in each way, and two selections of them."""
    parts = (
        short_lived("well", ACK, "Completed", sweep="7"),
        short_lived("bad", LEGACY, "Failed", sweep="7"),
        short_lived("halted", LEGACY, "Stopped", sweep="8"),
        short_lived("fine", LEGACY, "Completed", sweep="8"),
    )
    with Sandbox(parts=parts) as sandbox:
        shell = shell_of(sandbox)
        watch = ("kubectl", "sagemaker", "status", "-w")
        started = [
            shell.start(*watch, "trainingjob", "well"),
            shell.start(*watch, "trainingjob", "bad"),
            shell.start(*watch, "trainingjob", "halted", "-o", "json"),
            shell.start(*watch, "-l", "sweep=7", "-o", "name"),
            shell.start(*watch, "-l", "sweep=8"),
        ]
        well, bad, halted, sevens, eights = map(finish, started)

    assert told(well) == [
        "  trainingjob/well: ▸ InProgress (Training): Training in progress.",
        "* trainingjob/well: ▸ InProgress (Uploading): Uploading generated training model",
        "* trainingjob/well: ✓ Completed: Training job completed",
    ]
    assert (well.stderr, well.code) == ("", 0)

    assert told(bad)[-1] == f"* trainingjob/bad: ✗ Failed: {FAILURE}"
    assert bad.stderr == f"error: trainingjob/bad Failed: {FAILURE}\n"
    assert bad.code == 3

    records = [json.loads(line) for line in halted.stdout.splitlines()]
    assert [record["type"] for record in records] == ["existing", "changed", "changed"]
    assert records[-1]["job"]["state"] == "stopped"
    assert halted.code == 4

    names = [f"trainingjob.{LEGACY}/bad", f"trainingjob.{ACK}/well"]
    assert sorted(set(sevens.stdout.splitlines())) == names
    assert (sevens.stderr, sevens.code) == ("error: 1 of 2 did not end well\n", 3)

    assert told(eights)[-1] in {"* trainingjob/fine: ✓ Completed", "* trainingjob/halted: - Stopped"}
    assert (eights.stderr, eights.code) == ("error: 1 of 2 did not end well\n", 4)


def test_what_has_ended_already_ends_a_watch_at_once(shell: Shell) -> None:
    assert shell.sagemaker("status", "-w", "trainingjob", "xgb").code == 0
    assert shell.sagemaker("status", "-w", "trainingjob", "xgb-2").code == 3
    assert shell.sagemaker("status", "-w", "trainingjob", "halted").code == 4
    assert shell.sagemaker("status", "-w", "endpoint", "ranking").code == 0, "it is in service"


def test_a_watch_has_a_timeout(shell: Shell) -> None:
    # Long enough for a machine that is busy to have started the program.
    watch = ("kubectl", "sagemaker", "status", "-w", "--timeout", "12s")
    one, everything = map(finish, [shell.start(*watch, "trainingjob", "running"), shell.start(*watch)])
    assert told(one) == ["  trainingjob/running: ▸ InProgress (Training): Training in progress."]
    assert len(told(everything)) == 18
    for ran in (one, everything):
        assert (ran.stderr, ran.code) == ("error: timed out after 12 s\n", 5)


def test_a_selection_of_nothing_has_no_end(shell: Shell) -> None:
    ran = shell.sagemaker("status", "-w", "-l", "team=vision")
    assert ran == Ran(
        "",
        "error: no resources found in namespace default with labels team=vision\n"
        "hint: nothing is selected that could end\n",
        1,
    )


def test_a_user_without_rights_is_told_once(shell: Shell) -> None:
    ran = shell.sagemaker("status", "-w", "--context", "viewer")
    assert re.fullmatch(r'error: .*forbidden.*"viewer".*\n(hint: .*\n)?', ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


def test_ctrl_c_is_quiet(shell: Shell) -> None:
    process = shell.start("kubectl-sagemaker", "status", "-w")
    assert process.stdout
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert (ran.stderr, ran.code) == ("", 130)


def test_deletion_and_creation_are_lines() -> None:
    resource = RESOURCES[f"trainingjobs.{ACK}"]
    thing = {
        "apiVersion": f"{ACK}/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "fleeting"},
        "spec": {"trainingJobName": "fleeting"},
    }
    with Sandbox(parts=()) as world:
        world.cluster.create(resource, "default", {**thing, "metadata": {"name": "there"}})
        process = shell_of(world).start("kubectl-sagemaker", "status", "-A", "-w")
        assert process.stdout
        first = process.stdout.readline()
        world.cluster.create(resource, "default", thing)
        created = process.stdout.readline()
        world.cluster.delete(resource, "default", "fleeting")
        deleted = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        ran = finish(process)
    lines = (first + created + deleted).decode()
    assert told(replace(ran, stdout=lines)) == [
        "  default/trainingjob/there: ? no status",
        "+ default/trainingjob/fleeting: ? no status",
        "- default/trainingjob/fleeting: deleted",
    ]
    assert (ran.stderr, ran.code) == ("", 130)


# On a terminal

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
FRAME = re.compile(r"\x1b\[\?2026h\x1b\[H(.*?)\x1b\[J\x1b\[\?2026l", re.DOTALL)


@pytest.mark.parametrize("words", [("-A",), ("trainingjob", "running")], ids=" ".join)
def test_a_screen_is_redrawn_without_being_erased(shell: Shell, words: tuple[str, ...]) -> None:
    command = ("kubectl", "sagemaker", "status", "-w", *words, "--timeout", "12s")
    text, code = on_a_terminal(shell, *command, columns=80)
    assert code == 5
    before, _, rest = text.partition(ENTER)
    drawn, _, after = rest.partition(LEAVE)
    assert before == "", "nothing stands on the other screen that belongs on this"
    frames = FRAME.findall(drawn)
    assert len(frames) >= 2
    assert FRAME.sub("", drawn) == "", "whatever is drawn is a whole frame"
    for frame in frames:
        lines = frame.split("\r\n")
        assert all(line.endswith("\x1b[K") for line in lines)
        assert len(lines) <= 50
        assert not re.search(r"\x1b\[\d*J|\n(?<!\r\n)", frame)
    assert "Ctrl-C ends" not in after
    assert "running" in after, "what was shown last stays"
    assert after.endswith("error: timed out after 12 s\n")


class Tmux:
    """A terminal emulator with one window, which runs a shell."""

    def __init__(self, shell: Shell, columns: int, lines: int) -> None:
        self._socket = f"status-{uuid.uuid4().hex[:8]}"
        self._shell = shell
        size = ("-x", str(columns), "-y", str(lines))
        self("-f", "/dev/null", "new-session", "-d", *size, "env PS1='$ ' sh")

    def __call__(self, *words: str) -> str:
        command = ["tmux", "-L", self._socket, *words]
        done = subprocess.run(command, env=self._shell.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def screen(self) -> str:
        return self("capture-pane", "-p")

    def until(self, wanted: Callable[[str], object]) -> str:
        """The screen, once it is as wanted."""
        end = time.monotonic() + SECONDS
        while not wanted(screen := self.screen()):
            assert time.monotonic() < end, screen
            time.sleep(0.1)
        return screen

    def state(self) -> tuple[str, ...]:
        """Whether the other screen is shown, the cursor is, and lines wrap; and how many lines have scrolled away."""
        return tuple(
            self("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag} #{history_size}").split()
        )


@pytest.fixture
def moving() -> Iterator[Shell]:
    """A shell in a world in which jobs end."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not in PATH")
    parts = (
        short_lived("well", ACK, "Completed"),
        short_lived("bad", LEGACY, "Failed"),
        *(short_lived(f"job-{number:02}", LEGACY, "Completed") for number in range(30)),
    )
    with Sandbox(parts=parts) as sandbox:
        yield shell_of(sandbox)


def test_a_list_is_watched_in_a_real_terminal(moving: Shell) -> None:
    tmux = Tmux(moving, 100, 20)
    try:
        tmux("send-keys", "clear; for n in 1 2; do kubectl-sagemaker status -w; done", "Enter")
        screen = tmux.until(lambda screen: "Ctrl-C ends" in screen)
        assert tmux.state() == ("1", "0", "0", "0")
        assert "KIND" in screen.splitlines()[0]
        assert " 17 of 32 resources" in screen, "a heading, 17 rows, a blank line, and this"
        assert len(screen.rstrip().splitlines()) == 20, "as high as the terminal, and no higher"

        changed = tmux.until(lambda screen: "✗ Failed" in screen)
        (row,) = [line for line in changed.splitlines() if " bad " in line]
        assert row.startswith("* "), "what has changed is marked"

        tmux("resize-window", "-x", "60", "-y", "12")
        small = tmux.until(lambda screen: len(screen.rstrip().splitlines()) == 12 and "Ctrl-C ends" in screen)
        assert max(map(len, small.splitlines())) <= 60

        tmux("send-keys", "C-c")
        tmux.until(lambda screen: "Ctrl-C ends" not in screen)
        # The loop has ended too.
        tmux("send-keys", "echo code $?", "Enter")
        left = tmux.until(lambda screen: "code 130" in screen)
        assert tmux.state()[:3] == ("0", "1", "1")
        assert "Ctrl-C ends" not in left
        assert "TrainingJob" in left, "what was shown last stays"
    finally:
        tmux("kill-server")


def test_a_timeout_leaves_the_terminal_as_it_was(moving: Shell) -> None:
    tmux = Tmux(moving, 100, 20)
    try:
        tmux("send-keys", "clear; kubectl-sagemaker status -w --timeout 12s; echo code $?", "Enter")
        tmux.until(lambda screen: "Ctrl-C ends" in screen)
        left = tmux.until(lambda screen: "code 5" in screen)
        assert tmux.state()[:3] == ("0", "1", "1")
        assert "error: timed out after 12 s" in left
        assert "TrainingJob" in left, "what was shown last stays"
    finally:
        tmux("kill-server")


def test_a_second_signal_ends_what_its_terminal_holds_up(moving: Shell) -> None:
    """As Ctrl-S does."""
    inner, outer = os.openpty()
    process = subprocess.Popen(
        ["kubectl-sagemaker", "status", "-w"], env=moving.environment, stdout=outer, start_new_session=True
    )
    try:
        seen = b""
        while ENTER.encode() not in seen:
            seen += os.read(inner, 1)
        termios.tcflow(outer, termios.TCOOFF)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        os.close(inner)
        os.close(outer)


def test_ctrl_z_leaves_the_terminal_and_fg_comes_back(moving: Shell) -> None:
    tmux = Tmux(moving, 100, 20)
    try:
        # A shell without job control would not stop with it.
        tmux("send-keys", "clear; set -m; kubectl-sagemaker status -w", "Enter")
        tmux.until(lambda screen: "Ctrl-C ends" in screen)
        tmux("send-keys", "C-z")
        tmux.until(lambda screen: "Ctrl-C ends" not in screen and "topped" in screen)
        assert tmux.state()[:3] == ("0", "1", "1")
        tmux("send-keys", "fg", "Enter")
        tmux.until(lambda screen: "Ctrl-C ends" in screen)
        assert tmux.state()[:3] == ("1", "0", "0")
        tmux("send-keys", "C-c")
        tmux.until(lambda screen: "Ctrl-C ends" not in screen)
    finally:
        tmux("kill-server")
