"""`kubectl smlogs -f` waits for a job, prints what comes, and ends with the job's result, or quietly when told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import socketserver
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import Line, Part, training
from tests.e2e.shell import Shell, events, finish, shell_of
from tests.e2e.world import ACK, FAILURE, LEGACY

GROUP = "/aws/sagemaker/ProcessingJobs"
BEGAN = -20.0
ENDS = 10.0
"""Seconds from the sandbox's start."""


def short_lived(name: str, group: str, end: str) -> Part:
    """A job that is running when the sandbox starts, ends some seconds later, and writes to its end."""
    return Part(
        resource=f"trainingjobs.{group}",
        name=name,
        job_name=name,
        created=BEGAN,
        stages=(
            Stage(0, "InProgress", "Starting", "Launching requested ML instances"),
            Stage(5, "InProgress", "Training", "Training in progress."),
            Stage(ENDS - 2 - BEGAN, "InProgress", "Uploading", "Uploading generated training model"),
            Stage(ENDS - BEGAN, end, end, f"Training job {end.lower()}"),
        ),
        request=training(2, "ml.m5.large"),
        outcome={"FailureReason": FAILURE} if end == "Failed" else {},
        lines=tuple(
            Line(-10 + index * 0.25 + number / 100, f"algo-{number}", f"line {index} of {name} by {number}")
            for index in range(80)
            for number in (1, 2)
        ),
    )


def raw(sandbox: Sandbox, group: str, job: str) -> list[str]:
    """Messages of a job, sorted."""
    return sorted(event["message"] for event in events(sandbox, group, job))


def test_following_ends_with_the_job_and_returns_its_result() -> None:
    """All results at once, and one follower that starts anew from the tail: the drain takes 15 s whoever waits."""
    parts = (
        short_lived("well", ACK, "Completed"),
        # Beside each other: the first name is the beginning of the second.
        short_lived("well-2", LEGACY, "Failed"),
        short_lived("halted", LEGACY, "Stopped"),
    )
    with Sandbox(parts=parts) as sandbox:
        shell = shell_of(sandbox)
        follow = ("kubectl", "smlogs", "-f", "trainingjob")
        followers = [
            shell.start(*follow, "well", "-o", "raw"),
            shell.start(*follow, "well-2", "-o", "json"),
            shell.start(*follow, "halted", "-o", "raw", "-q", "--tail", "0"),
        ]
        completed, failed, stopped = map(finish, followers)
        everything = {job: raw(sandbox, "TrainingJobs", job) for job in ("well", "well-2", "halted")}

    assert sorted(completed.stdout.splitlines()) == everything["well"]
    assert len(everything["well"]) == 160
    assert completed.stderr.splitlines()[0].startswith('"well" has SageMaker TrainingJobName "well" in region')
    assert all(line.startswith("well: ") for line in completed.stderr.splitlines()[1:])
    assert completed.stderr.splitlines()[-1].startswith("well: Completed")
    assert completed.code == 0

    records = [json.loads(line) for line in failed.stdout.splitlines()]
    assert sorted(record["message"] for record in records if record["type"] == "log") == everything["well-2"]
    states = [(record["status"], record["secondaryStatus"]) for record in records if record["type"] == "status"]
    assert states[-1] == ("Failed", "Failed")
    assert (records[-1]["type"], records[-1]["status"], records[-1]["exitCode"]) == ("end", "Failed", 3)
    assert records[-1]["reason"] == FAILURE
    assert failed.stderr.splitlines()[-1] == f"error: trainingjob/well-2 Failed: {FAILURE}"
    assert failed.code == 3

    new = stopped.stdout.splitlines()
    assert set(new) < set(everything["halted"]), "what was there before is left out"
    assert {line for line in everything["halted"] if int(line.split()[1]) > 76} <= set(new)
    assert len(new) == len(set(new))
    assert stopped.stderr == "error: trainingjob/halted Stopped\n"
    assert stopped.code == 4


def test_following_waits_for_the_job_its_name_and_its_log_group() -> None:
    plural, name = f"processingjobs.{LEGACY}", "later"
    waiting = Part(resource=plural, name=name, job_name=None, created=-1)
    with Sandbox(parts=(waiting,)) as sandbox:
        follower = shell_of(sandbox).start("kubectl", "smlogs", "-f", "processingjob", name, "-o", "raw")
        until(follower, "processingjob/later has no SageMaker job yet: no controller has reconciled this; waiting")
        # Now a controller takes it up.
        job = Job(sandbox, plural, "ProcessingJob", name)
        job.becomes("InProgress")
        seen = until(follower, f"there is no log group {GROUP} yet")
        # The log group is the account's first of the kind.
        texts = [f"partition {index}" for index in range(20)]
        at = sandbox.account.now()
        for index, text in enumerate(texts):
            sandbox.account.logs.put(GROUP, f"{name}/algo-1-1", round((at + index / 10) * 1000), text)
        job.becomes("Completed")
        ran = finish(follower)
    assert ran.stdout.splitlines() == texts
    notes = [*seen, *ran.stderr.splitlines()]
    assert '"later" has SageMaker ProcessingJobName "later" in region "us-west-2" and status "InProgress"' in notes
    assert f"waiting for the first line: there is no log group {GROUP} yet" in notes
    assert len(notes) == len(set(notes)), "each is said once"
    assert not any(note.startswith("error") for note in notes)
    assert ran.code == 0


@dataclass(frozen=True, slots=True)
class Job:
    """A legacy object and the job behind it, which a test leads by hand."""

    sandbox: Sandbox
    plural: str
    kind: str
    name: str

    def becomes(self, status: str) -> None:
        """Give the job a state, there and in the object's status, as its controller would."""
        self.sandbox.account.jobs.put(self.kind, self.name, [Stage(0, status)])
        small = f"{self.kind[:1].lower()}{self.kind[1:]}"
        written = {f"sageMaker{self.kind}Name": self.name, f"{small}Status": status}
        self.sandbox.cluster.patch_status(RESOURCES[self.plural], "default", self.name, written)


def until(process: subprocess.Popen[bytes], text: str) -> list[str]:
    """The lines of a process's stderr up to the one with a text."""
    assert process.stderr
    lines = []
    while line := process.stderr.readline().decode():
        lines.append(line.removesuffix("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not said: {lines}")


def following(shell: Shell, *arguments: str) -> subprocess.Popen[bytes]:
    """Follow the job that runs on, up to its third line, after which it is silent."""
    follower = shell.start("kubectl", "smlogs", "trainingjob", "running", "-f", "-o", "raw", *arguments)
    assert follower.stdout
    assert [follower.stdout.readline() for _ in range(3)] == [f"step {step} of algo-1\n".encode() for step in range(3)]
    return follower


class Gate(socketserver.ThreadingTCPServer):
    """Passes bytes on to a server of loopback, both ways, until it is shut: then it takes what comes, and no more."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.port = port
        self.open = threading.Event()
        self.open.set()


class Passage(socketserver.BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port)) as there:
            back = threading.Thread(target=self._pass, args=(there, self.request), daemon=True)
            back.start()
            self._pass(self.request, there)
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self.server.open.wait()
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


def port_of(sandbox: Sandbox) -> int:
    """Of the sandbox's API server."""
    config = json.loads(Path(sandbox.environment["KUBECONFIG"]).read_text())
    return urlsplit(config["clusters"][0]["cluster"]["server"]).port or 0


@pytest.mark.parametrize(
    "which", [("processingjob", "shy"), ("processingjob", "-l", "app=shy")], ids=["named", "selected"]
)
def test_an_api_server_that_falls_silent_holds_no_log_up(which: tuple[str, ...]) -> None:
    plural, stream = f"processingjobs.{LEGACY}", "shy/algo-1-1"
    shy = Part(resource=plural, name="shy", job_name=None, created=-1, labels={"app": "shy"})
    with Sandbox(parts=(shy,)) as sandbox, Gate(port_of(sandbox)) as gate:
        threading.Thread(target=gate.serve_forever, kwargs={"poll_interval": 0.02}).start()
        Job(sandbox, plural, "ProcessingJob", "shy").becomes("InProgress")
        sandbox.account.logs.put(GROUP, stream, round(sandbox.account.now() * 1000), "before")
        shell = shell_of(sandbox)
        flags = ("--server", f"https://127.0.0.1:{gate.server_address[1]}", "--request-timeout", "2m")
        follower = shell.start("kubectl", "smlogs", *which, "-f", "-o", "raw", *flags)
        assert follower.stdout
        assert follower.stdout.readline() == b"before\n"
        gate.open.clear()
        if "-l" not in which:
            until(follower, "no answer about processingjob/shy for 5 s; the log goes on")
        sandbox.account.logs.put(GROUP, stream, round(sandbox.account.now() * 1000), "after")
        assert follower.stdout.readline() == b"after\n"
        os.killpg(follower.pid, signal.SIGINT)
        assert finish(follower).code == 130
        gate.open.set()
        gate.shutdown()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_follower_that_is_told_to_end_does_so_quietly(shell: Shell, number: signal.Signals, code: int) -> None:
    follower = following(shell, "-q")
    os.killpg(follower.pid, number)
    ran = finish(follower)
    assert (ran.stdout, ran.stderr, ran.code) == ("", "", code)


def test_ctrl_c_while_the_job_has_no_name_is_quiet(shell: Shell) -> None:
    follower = shell.start("kubectl", "smlogs", "trainingjob", "not-reconciled", "-f")
    until(follower, "; waiting")
    os.killpg(follower.pid, signal.SIGINT)
    ran = finish(follower)
    assert (ran.stdout, ran.stderr, ran.code) == ("", "", 130)


@pytest.mark.parametrize(("name", "printed"), [("running", 3), ("not-reconciled", 0)])
def test_a_timeout_ends_a_follower_with_5(shell: Shell, name: str, printed: int) -> None:
    ran = shell.smlogs("trainingjob", name, "-f", "-q", "-o", "raw", "--timeout", "3s")
    assert ran.stdout.count("\n") == printed
    assert (ran.stderr, ran.code) == ("error: timed out after 3 s\n", 5)


def test_a_reader_that_has_seen_enough_ends_a_long_log_quietly(shell: Shell) -> None:
    command = "kubectl smlogs trainingjob long -q -o raw | head -1; echo ${PIPESTATUS[@]}"
    ran = shell.run("bash", "-c", command)
    assert (ran.stdout, ran.stderr, ran.code) == ("step 0 of algo-1\n141 0\n", "", 0)


def test_a_reader_that_has_seen_enough_ends_a_follower_quietly() -> None:
    job = Part(
        resource=f"trainingjobs.{ACK}",
        name="endless",
        job_name="endless",
        created=-60,
        stages=(Stage(0, "InProgress", "Training"),),
        request=training(1, "ml.m5.large"),
        lines=tuple(Line(index / 2, "algo-1", f"line {index}") for index in range(-20, 200)),
    )
    with Sandbox(parts=(job,)) as sandbox:
        command = "kubectl smlogs trainingjob endless -f -q -o raw | head -1; echo ${PIPESTATUS[@]}"
        ran = shell_of(sandbox).run("bash", "-c", command)
    assert (ran.stdout, ran.stderr, ran.code) == ("line -20\n141 0\n", "", 0)
