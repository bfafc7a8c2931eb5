"""Which resource, region, account and endpoint: how they are found, and what is said where they differ."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_sagemaker.sandbox.aws import Credential
from kubectl_sagemaker.sandbox.cluster import NAMESPACES
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.server import Sandbox
from kubectl_sagemaker.sandbox.world import Part, plain
from tests.e2e.shell import DENIED_LOGS, Ran, Shell, closed_port, finish, kubeconfig_with, shell_of
from tests.e2e.test_smlogs import header, longs
from tests.e2e.world import ACK, LEGACY, ended_training, steps

OWNER: Final = "999999999999"
OURS: Final = "123456789012"
DENIED_ALL: Final = Credential("AKIADENIEDALL0000000", "secret", denied=frozenset({"logs:*", "sts:*"}))
EVIL: Final = "https://sagemaker.example.com/"


def done(kind: str, *, region: str = "us-west-2", account: str = OWNER) -> dict[str, Any]:
    """The status of an ACK job that has ended, in an account and region."""
    return {
        f"{kind}Status": "Completed",
        "secondaryStatus": "Completed",
        "creationTime": "2026-01-28T01:19:43Z",
        "ackResourceMetadata": {
            "arn": f"arn:aws:sagemaker:{region}:{account}:job/theirs",
            "ownerAccountID": account,
            "region": region,
        },
    }


PARTS: Final = (
    ended_training("ours", ACK),
    Part(
        resource=f"trainingjobs.{ACK}",
        name="theirs",
        job_name="theirs",
        created=-3600,
        status=done("trainingJob"),
    ),
    Part(
        resource=f"processingjobs.{ACK}",
        name="theirs-too",
        job_name="theirs-too",
        created=-3600,
        status=done("processingJob"),
    ),
    ended_training("endpointed", LEGACY),
    ended_training("lured", LEGACY),
    Part(
        resource=f"transformjobs.{ACK}",
        name="several",
        job_name="several",
        created=-3600,
        stages=plain(60),
        lines=steps(-3000, 2),
    ),
    ended_training("several", LEGACY),
)


@pytest.fixture(scope="module")
def places() -> Iterator[Sandbox]:
    """A world in which things are in several places; tests read it and change nothing."""
    with Sandbox(parts=PARTS) as sandbox:
        for credential in (DENIED_LOGS, DENIED_ALL):
            sandbox.account.credentials[credential.access_key] = credential
        cluster = sandbox.cluster
        endpoint = {"spec": {"sageMakerEndpoint": EVIL}}
        cluster.patch(RESOURCES[f"trainingjobs.{LEGACY}"], "default", "endpointed", endpoint)
        annotations = {"services.k8s.aws/default-region": "ap-south-1"}
        cluster.patch(NAMESPACES, "", "ml", {"metadata": {"annotations": annotations}})
        for name, own in (("annotated", {"services.k8s.aws/region": "eu-west-1"}), ("bare", {})):
            thing = {
                "apiVersion": f"{ACK}/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name, "annotations": own},
                "spec": {"trainingJobName": name},
            }
            for namespace in ("ml", "default"):
                cluster.create(RESOURCES[f"trainingjobs.{ACK}"], namespace, thing)
            cluster.patch_status(
                RESOURCES[f"trainingjobs.{ACK}"],
                "ml",
                name,
                {"trainingJobStatus": "Completed", "creationTime": "2026-01-28T01:19:43Z"},
            )
        with_status = {**thing, "metadata": {"name": "reconciled", "annotations": {"services.k8s.aws/region": "no"}}}
        cluster.create(RESOURCES[f"trainingjobs.{ACK}"], "ml", with_status)
        cluster.patch_status(
            RESOURCES[f"trainingjobs.{ACK}"], "ml", "reconciled", done("trainingJob", region="us-east-2")
        )
        yield sandbox


@pytest.fixture
def traveller(places: Sandbox) -> Shell:
    """A shell in that world."""
    return shell_of(places)


# NAME alone


@pytest.mark.parametrize("words", [("ours",), ("-n", "default", "ours")], ids=" ".join)
def test_a_name_alone_is_found(places: Sandbox, traveller: Shell, words: tuple[str, ...]) -> None:
    assert traveller.smlogs(*words) == Ran(longs(places, "TrainingJobs", "ours"), header("ours", "ours"), 0)


def test_a_name_of_several_resources_lists_what_can_be_pasted(traveller: Shell) -> None:
    ran = traveller.smlogs("several")
    assert ran == Ran(
        "",
        "error: 'several' is the name of several resources\n"
        f"hint: say which: trainingjob.{LEGACY}/several or transformjob.{ACK}/several\n",
        1,
    )
    for word in re.findall(r"\S+/several", ran.stderr):
        assert traveller.smlogs(word, "--tail", "0").code == 0


def test_a_name_that_is_nowhere_says_where_it_was_looked_for(traveller: Shell) -> None:
    ran = traveller.smlogs("nope")
    assert ran.stderr.startswith("error: 'nope' not found in namespace 'default' among ")
    assert re.search(rf"among \d kinds of {ACK} and \d kinds of {LEGACY}\n", ran.stderr)
    assert (ran.stdout, ran.stderr.count("\n"), ran.code) == ("", 2, 1)


def test_a_silent_api_server_keeps_nobody_beyond_the_timeout(places: Sandbox, traveller: Shell, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        cluster = {"name": "sandbox", "cluster": {"server": server, "insecure-skip-tls-verify": True}}
        kubeconfig = kubeconfig_with(places, tmp_path / "config", clusters=[cluster])
        process = traveller.having(KUBECONFIG=kubeconfig).start("kubectl", "smlogs", "x", "--timeout", "1s")
        # Silence on a connection is borne for 75 s otherwise; the process is killed, and the test fails, before that.
        late = threading.Timer(30, process.kill)
        late.start()
        ran = finish(process)
        late.cancel()
    assert ran == Ran("", "error: timed out after 1 s\n", 5)


def test_status_of_a_name_alone_shows_it_as_its_log_is_found(traveller: Shell) -> None:
    alone = traveller.sagemaker("status", "ours", "-o", "name")
    assert alone == traveller.sagemaker("status", "trainingjob", "ours", "-o", "name")
    assert (alone.stdout.count("/ours\n"), alone.code) == (1, 0)
    several = traveller.sagemaker("status", "several")
    assert several == traveller.smlogs("several")


@pytest.mark.parametrize("word", ["endpiont", "end-point"])
def test_status_of_a_word_that_is_neither_says_both(traveller: Shell, word: str) -> None:
    ran = traveller.sagemaker("status", word)
    assert re.match(rf"error: '{word}' not found in namespace 'default' among \d kinds of ", ran.stderr)
    assert ran.stderr.splitlines()[1:] == ["hint: did you mean the kind 'endpoint'?"]
    assert (ran.stdout, ran.code) == ("", 1)


# Region


@pytest.mark.parametrize(
    ("name", "namespace", "flags", "region"),
    [
        ("reconciled", "ml", ("--region", "eu-north-1"), "eu-north-1"),
        ("reconciled", "ml", (), "us-east-2"),
        ("annotated", "ml", (), "eu-west-1"),
        ("bare", "ml", (), "ap-south-1"),
        ("bare", "default", (), "us-west-1"),
    ],
    ids=["--region", "status", "annotation", "namespace", "environment"],
)
def test_a_region_is_looked_for_in_this_order(
    traveller: Shell, name: str, namespace: str, flags: tuple[str, ...], region: str
) -> None:
    """Each object has every source but those that go before the one that is to win."""
    somewhere = traveller.having(AWS_REGION="us-west-1", AWS_DEFAULT_REGION="ca-central-1")
    ran = somewhere.smlogs("trainingjob", name, "-n", namespace, "--tail", "0", *flags)
    assert f' in region "{region}", ' in ran.stderr
    assert (ran.stdout, ran.code) == ("", 0)
    said = "trainingjob/reconciled says that it is in region us-east-2; --region has it looked for in eu-north-1\n"
    assert (said in ran.stderr) == bool(flags)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_DEFAULT_REGION": "ca-central-1"}, "ca-central-1"),
        ({"AWS_PROFILE": "team"}, "sa-east-1"),
    ],
    ids=["AWS_DEFAULT_REGION", "profile"],
)
def test_the_environments_region_goes_before_the_profiles(
    traveller: Shell, tmp_path: Path, variables: dict[str, str], region: str
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile team]\nregion = sa-east-1\n")
    nowhere = traveller.having(AWS_REGION=None, AWS_DEFAULT_REGION=None, AWS_CONFIG_FILE=str(config))
    ran = nowhere.having(**variables).smlogs("trainingjob", "bare", "--tail", "0")
    assert f' in region "{region}", ' in ran.stderr
    assert (ran.stdout, ran.code) == ("", 0)


# Account


def elsewhere(resource: str) -> str:
    """The beginning of what is said of a job of another account."""
    return f"{resource} is in AWS account {OWNER}, the credentials are of account {OURS}: "


HINT: Final = f"hint: give credentials of account {OWNER}: --profile or AWS_PROFILE\n"


def asked(places: Sandbox, traveller: Shell, *words: str) -> tuple[Ran, int]:
    """What a command did, and how often it asked STS."""
    before = len(places.account.journal)
    ran = traveller.smlogs(*words)
    return ran, sum(served.operation == "GetCallerIdentity" for served in places.account.journal[before:])


@pytest.mark.parametrize("flags", [(), ("-f",), ("--tail", "3")], ids=["read", "-f", "--tail"])
def test_a_log_group_that_another_account_has_is_said_to_be_there(
    places: Sandbox, traveller: Shell, flags: tuple[str, ...]
) -> None:
    ran, times = asked(places, traveller, "processingjob", "theirs-too", *flags)
    assert f"error: {elsewhere('processingjob/theirs-too')}logs:" in ran.stderr
    assert ran.stderr.endswith(HINT)
    assert (ran.stdout, ran.code, times) == ("", 1, 1)


def test_a_log_that_is_empty_because_the_job_is_in_another_account(places: Sandbox, traveller: Shell) -> None:
    """Both accounts have the log group, for it is the same for all of an account's jobs."""
    ran, times = asked(places, traveller, "trainingjob", "theirs")
    assert ran.stderr.endswith(f"error: {elsewhere('trainingjob/theirs')}there is no such log\n{HINT}")
    assert (ran.stdout, ran.code, times) == ("", 1, 1)


def test_sagemakers_no_such_job_is_said_to_be_another_accounts(traveller: Shell) -> None:
    ran = traveller.smlogs("trainingjob", "theirs", "-f", "--timeout", "5s")
    assert elsewhere("trainingjob/theirs") + "sagemaker:DescribeTrainingJob: " in ran.stderr


def test_a_refusal_by_another_account_is_said_to_be_one(places: Sandbox, traveller: Shell) -> None:
    ran, times = asked(places, traveller.holding(DENIED_LOGS), "trainingjob", "theirs")
    assert f"error: {elsewhere('trainingjob/theirs')}logs:FilterLogEvents: " in ran.stderr
    assert "AccessDenied" in ran.stderr
    assert (ran.stdout, ran.code, times) == ("", 1, 1)


def test_sts_that_does_not_tell_is_not_heard(places: Sandbox, traveller: Shell) -> None:
    ran, times = asked(places, traveller.holding(DENIED_ALL), "trainingjob", "theirs")
    assert "error: logs:FilterLogEvents: " in ran.stderr
    assert "sts" not in ran.stderr.lower()
    assert (ran.stdout, ran.code, times) == ("", 1, 1)


@pytest.mark.parametrize("name", ["ours", "endpointed"])
def test_sts_is_not_asked_where_nothing_is_refused(places: Sandbox, traveller: Shell, name: str) -> None:
    ran, times = asked(places, traveller, "trainingjob", name)
    assert (ran.code, times) == (0, 0)


def test_a_refusal_in_the_jobs_own_account_is_a_refusal(places: Sandbox, traveller: Shell) -> None:
    ran, _ = asked(places, traveller.holding(DENIED_LOGS), "trainingjob", "ours")
    assert "error: logs:FilterLogEvents: " in ran.stderr
    assert "is in AWS account" not in ran.stderr


# Endpoint


def test_an_endpoint_that_is_not_aws_is_ignored_and_said_once(places: Sandbox, traveller: Shell) -> None:
    note = (
        f"trainingjob/endpointed: spec.sageMakerEndpoint {EVIL!r} is ignored: it is no https address of AWS "
        "(--endpoint-url can name it)\n"
    )
    lines = longs(places, "TrainingJobs", "endpointed")
    assert traveller.smlogs("endpointed") == Ran(lines, note + header("endpointed", "endpointed"), 0)
    url = traveller.environment["AWS_ENDPOINT_URL"]
    assert traveller.smlogs("endpointed", "--endpoint-url", url).stderr == header("endpointed", "endpointed")


def test_an_endpoint_that_is_not_aws_gets_no_request(places: Sandbox, traveller: Shell) -> None:
    """Nothing else names SageMaker's endpoint here; the way to AWS's own is a proxy that is not there."""
    with socket.socket() as lure:
        lure.bind(("127.0.0.1", 0))
        lure.listen()
        endpoint = {"spec": {"sageMakerEndpoint": f"http://127.0.0.1:{lure.getsockname()[1]}"}}
        places.cluster.patch(RESOURCES[f"trainingjobs.{LEGACY}"], "default", "lured", endpoint)
        ran = traveller.having(
            AWS_ENDPOINT_URL=None,
            AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=traveller.environment["AWS_ENDPOINT_URL"],
            HTTPS_PROXY=f"http://127.0.0.1:{closed_port()}",
        ).smlogs("trainingjob", "lured", "--timeout", "60s")
        lure.setblocking(False)
        with pytest.raises(BlockingIOError):
            lure.accept()
    assert ran.stdout == longs(places, "TrainingJobs", "lured")
    assert "is ignored: it is no https address of AWS" in ran.stderr
    assert ran.code == 0
