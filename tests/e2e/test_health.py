"""Objects that are not healthy: `smlogs` says at once why there is no job, waits where one may come, hides no log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import PROCESSING, Part, life, plain, stuck
from tests.e2e.shell import DENIED_DESCRIBE, Ran, Shell, finish, shell_of
from tests.e2e.test_follow import raw, short_lived, until
from tests.e2e.world import ACK, LEGACY, ended_training, steps

TRAINING: Final = f"trainingjobs.{ACK}"
GROUP: Final = "/aws/sagemaker/TrainingJobs"
INVALID: Final = "ValidationException: no such instance type"
DENIED: Final = "AccessDeniedException: not authorized to perform: iam:PassRole"
GIVEN_UP: Final = "hint: its controller has given it up: correct the resource and apply it again\n"


def looked_at(home: str) -> str:
    """What is said to look at where no controller has seen an object."""
    return f"is its controller running? `kubectl get deployments -n {home}` shows it where it usually is"


def never(name: str, group: str, status: Mapping[str, Any], *, plural: str = "trainingjobs") -> Part:
    """An object with a status whose job SageMaker does not have."""
    return Part(resource=f"{plural}.{group}", name=name, job_name=name, created=-600, status=status)


PARTS: Final = (
    never("invalid", ACK, stuck("ACK.Terminal", INVALID)),
    never("denied", ACK, stuck("ACK.Recoverable", DENIED)),
    never("unseen", ACK, {}),
    never(
        "retried",
        LEGACY,
        {"trainingJobStatus": "ReconcilingTrainingJob", "additional": DENIED, "sageMakerTrainingJobName": "retried"},
    ),
    never("error", LEGACY, {"processingJobStatus": "Error", "additional": INVALID}, plural="processingjobs"),
    ended_training("edited", ACK),
    # Its controller can't read it for the moment; SageMaker has it.
    ended_training("unread", LEGACY),
)


@pytest.fixture(scope="module")
def ward() -> Iterator[Sandbox]:
    """A world of unhealthy objects, which tests read and do not change."""
    with Sandbox(parts=PARTS) as sandbox:
        cluster = sandbox.cluster
        terminal = [{"type": "ACK.Terminal", "status": "True", "message": "the job can't be changed"}]
        sandbox.world.mirrored.clear()
        cluster.patch_status(RESOURCES[TRAINING], "default", "edited", {"conditions": terminal})
        cluster.patch_status(
            RESOURCES[f"trainingjobs.{LEGACY}"],
            "default",
            "unread",
            {"trainingJobStatus": "ReconcilingTrainingJob", "additional": "ThrottlingException: Rate exceeded"},
        )
        # A job that is older than its object, whose controller is not there: restored from a backup, say.
        job = replace(ended_training("restored", ACK), name="")
        sandbox.world.populate((job,), start=sandbox.account.now())
        cluster.create(
            RESOURCES[TRAINING],
            "default",
            {
                "apiVersion": f"{ACK}/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": "restored"},
                "spec": {"trainingJobName": "restored"},
            },
        )
        yield sandbox


@pytest.fixture
def patient(ward: Sandbox) -> Shell:
    """A shell in that world."""
    return shell_of(ward)


@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["read", "-f"])
def test_a_job_that_was_never_created_says_why_at_once(patient: Shell, follow: tuple[str, ...]) -> None:
    assert patient.smlogs("trainingjob", "invalid", *follow) == Ran(
        "", f"error: trainingjob/invalid has no SageMaker job: ACK.Terminal: {INVALID}\n{GIVEN_UP}", 1
    )
    assert patient.smlogs("processingjob", "error", *follow) == Ran(
        "", f"error: processingjob/error has no SageMaker job: Error: {INVALID}\n{GIVEN_UP}", 1
    )


def test_that_needs_no_aws(patient: Shell) -> None:
    nobody = patient.having(
        AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_REGION=None, AWS_DEFAULT_REGION=None
    )
    for name, why in (("invalid", INVALID), ("denied", DENIED)):
        ran = nobody.smlogs("trainingjob", name)
        assert (why in ran.stderr, ran.stdout, ran.code) == (True, "", 1)


@pytest.mark.parametrize(
    ("name", "why"),
    [("denied", f"ACK.Recoverable: {DENIED}"), ("retried", f"ReconcilingTrainingJob: {DENIED}")],
)
def test_what_may_heal_is_an_error_and_with_follow_waited_for(patient: Shell, name: str, why: str) -> None:
    said = f"trainingjob/{name} has no SageMaker job yet: {why}"
    assert patient.smlogs("trainingjob", name) == Ran("", f"error: {said}\nhint: -f waits for it\n", 1)
    waiting = patient.smlogs("trainingjob", name, "-f", "--timeout", "5s")
    assert waiting == Ran("", f"{said}; waiting\nerror: timed out after 5 s\n", 5)


def test_an_object_that_nobody_has_reconciled_says_what_to_look_at(patient: Shell) -> None:
    said = "trainingjob/unseen has no SageMaker job yet: no controller has reconciled this"
    hint = looked_at("ack-system")
    assert patient.smlogs("trainingjob", "unseen") == Ran("", f"error: {said}\nhint: {hint}; -f waits for it\n", 1)
    waiting = patient.smlogs("trainingjob", "unseen", "-f", "--timeout", "4s")
    assert waiting == Ran("", f"{said}; waiting\nhint: {hint}\nerror: timed out after 4 s\n", 5)
    shown = patient.sagemaker("status", "trainingjob", "unseen")
    assert f"  next step      {hint}\n" in shown.stdout
    assert (shown.stderr, shown.code) == ("", 0)


@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["read", "-f"])
def test_a_job_without_a_controller_is_read_if_sagemaker_has_it(
    ward: Sandbox, patient: Shell, follow: tuple[str, ...]
) -> None:
    ran = patient.smlogs("trainingjob", "restored", "-o", "raw", *follow)
    assert sorted(ran.stdout.splitlines()) == raw(ward, "TrainingJobs", "restored")
    assert ran.stdout
    assert "no controller has reconciled this" in ran.stderr
    assert ran.code == 0


def test_without_sagemakers_word_its_log_is_read_all_the_same(ward: Sandbox, patient: Shell) -> None:
    ward.account.credentials[DENIED_DESCRIBE.access_key] = DENIED_DESCRIBE
    ran = patient.holding(DENIED_DESCRIBE).smlogs("trainingjob", "restored", "-o", "raw")
    assert sorted(ran.stdout.splitlines()) == raw(ward, "TrainingJobs", "restored")
    assert ran.code == 0


@pytest.mark.parametrize("name", ["edited", "unread"])
def test_trouble_of_the_controller_hides_no_log_of_a_job_that_ran(ward: Sandbox, patient: Shell, name: str) -> None:
    ran = patient.smlogs("trainingjob", name, "-o", "raw")
    assert sorted(ran.stdout.splitlines()) == raw(ward, "TrainingJobs", name)
    assert ran.stdout
    assert ran.code == 0


def test_a_wait_ends_when_the_controller_gives_up_and_goes_on_when_it_heals() -> None:
    parts = (
        never("doomed", ACK, stuck("ACK.Recoverable", DENIED)),
        never("healed", ACK, stuck("ACK.Recoverable", DENIED)),
    )
    with Sandbox(parts=parts) as sandbox:
        shell = shell_of(sandbox)
        doomed, healed = (
            shell.start("kubectl", "smlogs", "-f", "trainingjob", name, "-o", "raw") for name in ("doomed", "healed")
        )
        until(doomed, f"trainingjob/doomed has no SageMaker job yet: ACK.Recoverable: {DENIED}; waiting")
        until(healed, "; waiting")
        resource = RESOURCES[TRAINING]
        sandbox.cluster.patch_status(resource, "default", "doomed", stuck("ACK.Terminal", INVALID))
        sandbox.account.jobs.put("TrainingJob", "healed", life(1, 8))
        at = sandbox.account.now()
        for number in range(5):
            sandbox.account.logs.put(GROUP, "healed/algo-1-1", round((at + number) * 1000), f"line {number}")
        sandbox.cluster.patch_status(
            resource,
            "default",
            "healed",
            {"trainingJobStatus": "InProgress", "conditions": None, "ackResourceMetadata": {"arn": "arn:aws:…"}},
        )
        given_up, ended = finish(doomed), finish(healed)
    said = f"error: trainingjob/doomed has no SageMaker job: ACK.Terminal: {INVALID}\n"
    assert given_up == Ran("", said + GIVEN_UP, 1)
    assert ended.stdout.splitlines() == [f"line {number}" for number in range(5)]
    assert "error" not in ended.stderr
    assert ended.code == 0


def test_a_resource_that_is_deleted_in_mid_follow_leaves_the_log_to_its_end() -> None:
    with Sandbox(parts=(short_lived("gone", ACK, "Failed"),)) as sandbox:
        follower = shell_of(sandbox).start("kubectl", "smlogs", "-f", "trainingjob", "gone", "-o", "raw")
        until(follower, '"gone" has SageMaker TrainingJobName "gone"')
        sandbox.cluster.delete(RESOURCES[TRAINING], "default", "gone")
        ran = finish(follower)
        everything = raw(sandbox, "TrainingJobs", "gone")
    assert sorted(ran.stdout.splitlines()) == everything
    notes = ran.stderr.splitlines()
    (deleted,) = [note for note in notes if "was deleted" in note]
    assert deleted.startswith("trainingjob/gone was deleted (")
    assert deleted.endswith("going by SageMaker's word")
    assert notes[-1].startswith("error: trainingjob/gone Failed: ")
    assert ran.code == 3


def test_a_failed_job_that_wrote_nothing_says_why() -> None:
    why = "CapacityError: Unable to provision requested ML compute capacity"
    part = Part(
        resource=f"processingjobs.{LEGACY}",
        name="starved",
        job_name="starved",
        created=-3600,
        stages=(Stage(0, "InProgress"), *plain(900, "Failed")[1:]),
        request=PROCESSING,
        outcome={"FailureReason": why},
    )
    with Sandbox(parts=(part, replace(part, name="other", job_name="other", lines=steps(-3000, 2)))) as sandbox:
        ran = shell_of(sandbox).smlogs("processingjob", "starved")
        followed = shell_of(sandbox).smlogs("processingjob", "starved", "-f")
    assert ran.stderr.splitlines()[1:] == ["no log lines", f"processingjob/starved: {why}"]
    assert (ran.stdout, ran.code) == ("", 0)
    assert followed.stderr.splitlines()[1:] == ["no log lines", f"error: processingjob/starved Failed: {why}"]
    assert (followed.stdout, followed.code) == ("", 3)
