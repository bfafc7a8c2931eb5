"""The account's door: protocols over loopback, who may come in, how often, and what is refused in AWS's words."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_sagemaker.sandbox.aws import SANDBOX, Account, Credential
from kubectl_sagemaker.sandbox.protocol import Response, operation_model
from kubectl_sagemaker.sandbox.sagemaker import Stage
from tests.transport import Clock, bind, connect, serve

T = 1_750_000_000.0
GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def clock() -> Clock:
    return Clock(T)


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(now=clock)


def client(account: Account, service: str, credential: Credential = SANDBOX) -> Any:
    made = connect(service, account, credential=credential, retries={"total_max_attempts": 1})
    bind(made, account)
    return made


def refusal(call: Any, **parameters: Any) -> dict[str, Any]:
    """Code, message and HTTP status of the error that a call is answered with."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return {**response["Error"], "status": response["ResponseMetadata"]["HTTPStatusCode"]}


def key(name: str, **more: Any) -> Credential:
    return Credential(f"AKIA{name:>016}", "secret", **more)


# Real clients over loopback


@contextlib.contextmanager
def over_http(account: Account, service: str) -> Iterator[Any]:
    with serve(account) as url, contextlib.closing(connect(service, account, url=url)) as made:
        yield made


def test_a_log_is_read_over_http() -> None:
    account = Account(now=time.time)
    texts = [f"line {number} äöü 🚀" for number in range(12_000)]
    start = int(time.time() * 1000) - 60_000
    account.logs.put_lines(GROUP, "job/algo-1", range(start, start + 12_000), texts)
    with over_http(account, "logs") as logs:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix="job/")
        assert [event["message"] for page in pages for event in page["events"]] == texts


def test_a_job_is_described_over_http() -> None:
    account = Account(now=time.time)
    created = time.time() - 60
    account.jobs.put("TrainingJob", "job", [Stage(0, "InProgress", "Starting")], created=created)
    with over_http(account, "sagemaker") as sagemaker:
        job = sagemaker.describe_training_job(TrainingJobName="job")
        missing = refusal(sagemaker.describe_training_job, TrainingJobName="other")
    assert job["TrainingJobStatus"] == "InProgress"
    assert job["CreationTime"].timestamp() == pytest.approx(created, abs=0.001)
    assert missing == {"Code": "ValidationException", "Message": "Requested resource not found.", "status": 400}


def test_the_caller_is_told_who_it_is_over_http() -> None:
    account = Account(now=time.time, account_id="210987654321")
    with over_http(account, "sts") as sts:
        identity = sts.get_caller_identity()
    assert identity["Account"] == "210987654321"
    assert identity["Arn"] == "arn:aws:iam::210987654321:user/sandbox"


def test_the_region_of_the_signature_chooses_over_http() -> None:
    here, there = Account(now=time.time), Account(now=time.time, region="eu-central-1")
    for account in (here, there):
        account.jobs.put("TrainingJob", f"job-{account.region}", [Stage(0, "InProgress", "Starting")])
    with serve(here, there) as url:
        for account in (here, there):
            with contextlib.closing(connect("sagemaker", account, url=url)) as sagemaker:
                (job,) = sagemaker.list_training_jobs()["TrainingJobSummaries"]
                assert job["TrainingJobName"] == f"job-{account.region}"
        nowhere = Account(now=time.time, region="us-east-1")
        with contextlib.closing(connect("sagemaker", nowhere, url=url)) as sagemaker:
            assert refusal(sagemaker.list_training_jobs)["Code"] == "InvalidSignatureException"


def test_a_region_that_aws_does_not_have_does_not_answer(account: Account) -> None:
    from botocore.exceptions import ConnectionClosedError

    nowhere = Account(now=account.now, region="us-wset-2")
    with (
        serve(account) as url,
        contextlib.closing(connect("sts", nowhere, url=url, retries={"max_attempts": 0})) as sts,
        pytest.raises(ConnectionClosedError),
    ):
        sts.get_caller_identity()


def test_what_is_no_request_to_aws_is_refused(account: Account) -> None:
    for method, path in (("GET", "/"), ("POST", "/other"), ("POST", "/")):
        response = account.respond(method, path, {}, b"")
        assert response.status == 404
        assert json.loads(response.body)["__type"] == "UnknownOperationException"


# Who may come in


def test_an_unknown_key(account: Account) -> None:
    stranger = key("STRANGER")
    logs, sts = client(account, "logs", stranger), client(account, "sts", stranger)
    message = "The security token included in the request is invalid."
    assert refusal(logs.describe_log_groups) == {
        "Code": "UnrecognizedClientException",
        "Message": message,
        "status": 400,
    }
    found = refusal(sts.get_caller_identity)
    assert (found["Code"], found["Message"], found["status"]) == ("InvalidClientTokenId", message, 403)


def test_credentials_expire_and_work_again(account: Account, clock: Clock) -> None:
    some = key("SOME", expired=((T + 10, T + 20),))
    account.credentials[some.access_key] = some
    sagemaker, sts = client(account, "sagemaker", some), client(account, "sts", some)
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    clock.advance(10)
    assert refusal(sagemaker.list_training_jobs) == {
        "Code": "ExpiredTokenException",
        "Message": "The security token included in the request is expired",
        "status": 400,
    }
    assert refusal(sts.get_caller_identity)["Code"] == "ExpiredToken"
    clock.advance(10)
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_a_session_token_belongs_to_its_key(account: Account) -> None:
    session = key("SESSION", session_token="token")
    account.credentials[session.access_key] = session
    assert client(account, "logs", session).describe_log_groups()["logGroups"] == []
    without = client(account, "logs", key("SESSION"))
    assert refusal(without.describe_log_groups)["Code"] == "UnrecognizedClientException"


def test_what_is_denied_is_named_as_iam_names_it(account: Account) -> None:
    viewer = key("VIEWER", principal="user/ada", denied=frozenset({"logs:FilterLogEvents", "sagemaker:Describe*"}))
    account.credentials[viewer.access_key] = viewer
    logs, sagemaker = client(account, "logs", viewer), client(account, "sagemaker", viewer)
    account.logs.put(GROUP, "job/algo-1", int(T * 1000), "line")
    assert refusal(logs.filter_log_events, logGroupName=GROUP) == {
        "Code": "AccessDeniedException",
        "Message": "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: logs:FilterLogEvents on "
        "resource: arn:aws:logs:us-west-2:123456789012:log-group:/aws/sagemaker/TrainingJobs:log-stream: "
        "because no identity-based policy allows the logs:FilterLogEvents action",
        "status": 400,
    }
    denied = refusal(sagemaker.describe_training_job, TrainingJobName="Job")
    assert "on resource: arn:aws:sagemaker:us-west-2:123456789012:training-job/job because" in denied["Message"]
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert logs.get_log_events(logGroupName=GROUP, logStreamName="job/algo-1")["events"]


SIGNED = "AWS4-HMAC-SHA256 Credential={key}/20250615/{region}/{service}/aws4_request, SignedHeaders=host, Signature="


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("Bearer x", "IncompleteSignatureException"),
        (SIGNED.format(key=SANDBOX.access_key, region="us-west-2", service="logs"), "IncompleteSignatureException"),
        (
            SIGNED.format(key=SANDBOX.access_key, region="eu-west-1", service="logs") + "0" * 64,
            "InvalidSignatureException",
        ),
        (
            SIGNED.format(key=SANDBOX.access_key, region="us-west-2", service="sagemaker") + "0" * 64,
            "InvalidSignatureException",
        ),
        (SIGNED.format(key=SANDBOX.access_key, region="us-west-2", service="logs") + "0" * 64, None),
    ],
    ids=["unsigned", "another scheme", "no signature", "another region", "another service", "good"],
)
def test_a_request_must_look_signed(account: Account, authorization: str | None, code: str | None) -> None:
    signed = {} if authorization is None else {"Authorization": authorization}
    response = ask(account, "Logs_20140328.DescribeLogGroups", {}, signed)
    assert json.loads(response.body).get("__type") == code
    assert response.status == (200 if code is None else 400)


def ask(account: Account, target: str, body: Any, headers: dict[str, str] | None = None) -> Response:
    """A request as a client of another make might send it."""
    service = {"Logs_20140328": "logs", "SageMaker": "sagemaker"}[target.partition(".")[0]]
    signature = SIGNED.format(key=SANDBOX.access_key, region=account.region, service=service) + "0" * 64
    base = {"X-Amz-Target": target, "X-Amz-Date": "20250615T000000Z"}
    signed = {"Authorization": signature} if headers is None else headers
    return account.respond("POST", "/", {**base, **signed}, json.dumps(body).encode())


def test_other_partitions_have_their_own_arns(clock: Clock) -> None:
    account = Account(now=clock, region="cn-north-1")
    assert account.jobs.arn("TrainingJob", "Job") == "arn:aws-cn:sagemaker:cn-north-1:123456789012:training-job/job"


# How often


def test_a_quota_is_a_rate(account: Account, clock: Clock) -> None:
    account.quotas["FilterLogEvents"] = 5
    account.logs.put(GROUP, "a", int(T * 1000), "line")
    logs = client(account, "logs")
    allowed = []
    for _ in range(40):  # twenty a second, for two seconds
        with contextlib.suppress(logs.exceptions.ThrottlingException):
            logs.filter_log_events(logGroupName=GROUP)
            allowed.append(clock())
        clock.advance(0.05)
    assert 14 <= len(allowed) <= 15  # a second's worth at once, then five a second
    account.quotas["FilterLogEvents"] = 0.5
    refused = refusal(logs.filter_log_events, logGroupName=GROUP)
    assert refused == {"Code": "ThrottlingException", "Message": "Rate exceeded", "status": 400}
    assert logs.get_log_events(logGroupName=GROUP, logStreamName="a")["events"]


def test_botocore_retries_what_is_throttled(account: Account, clock: Clock) -> None:
    account.quotas["GetCallerIdentity"] = 0.001
    sts = connect("sts", account, retries={"total_max_attempts": 1})
    bind(sts, account)
    assert refusal(sts.get_caller_identity)["Code"] == "Throttling"


def test_the_journal_has_every_request(account: Account, clock: Clock) -> None:
    logs = client(account, "logs")
    logs.describe_log_groups()
    clock.advance(2)
    refusal(logs.filter_log_events, logGroupName=GROUP)
    assert [(served.at, served.operation, served.outcome) for served in account.journal] == [
        (T, "DescribeLogGroups", "ok"),
        (T + 2, "FilterLogEvents", "ResourceNotFoundException"),
    ]


# What the models say


@pytest.mark.parametrize(
    ("target", "body", "code", "message"),
    [
        ("SageMaker.DescribeNothing", {}, "UnknownOperationException", ""),
        ("SageMaker.CreatePresignedDomainUrl", {}, "ValidationException", "2 validation errors detected"),
        ("Logs_20140328.PutLogEvents", {}, "InvalidParameterException", "3 validation errors detected"),
        ("SageMaker.DescribeTrainingJob", {}, "ValidationException", "Value null at 'trainingJobName'"),
        ("SageMaker.DescribeTrainingJob", {"TrainingJobName": 1}, "SerializationException", "string"),
        ("SageMaker.DescribeTrainingJob", {"TrainingJob": "x"}, "SerializationException", "no member TrainingJob"),
        ("SageMaker.DescribeTrainingJob", [], "SerializationException", "structure"),
        ("SageMaker.DescribeTrainingJob", {"TrainingJobName": "a/b"}, "ValidationException", "regular expression"),
        ("SageMaker.ListTrainingJobs", {"MaxResults": 101}, "ValidationException", "less than or equal to 100"),
        ("SageMaker.ListTrainingJobs", {"MaxResults": True}, "SerializationException", "integer"),
        ("SageMaker.ListTrainingJobs", {"SortBy": "Size"}, "ValidationException", "enum value set: [Name, "),
        ("Logs_20140328.FilterLogEvents", {"limit": 0}, "InvalidParameterException", "at 'limit'"),
    ],
)
def test_parameters_are_held_against_the_input_shape(
    account: Account, target: str, body: Any, code: str, message: str
) -> None:
    response = ask(account, target, body)
    answer = json.loads(response.body)
    assert (response.status, answer["__type"]) == (400, code)
    assert message in answer["message"]


def test_an_operation_that_the_model_has_and_the_sandbox_has_not(account: Account) -> None:
    logs, sagemaker, sts = (client(account, service) for service in ("logs", "sagemaker", "sts"))
    assert refusal(logs.describe_queries)["Code"] == "UnknownOperationException"
    assert refusal(sagemaker.list_domains)["Code"] == "UnknownOperationException"
    assert refusal(sts.get_session_token)["Code"] == "InvalidAction"


def test_the_protocols_are_those_of_the_models() -> None:
    """botocore sends by the model's protocol; the sandbox reads json 1.1 and query."""
    for service, operation, protocol in (
        ("logs", "FilterLogEvents", "json"),
        ("sagemaker", "DescribeTrainingJob", "json"),
        ("sts", "GetCallerIdentity", "query"),
    ):
        model = operation_model(service, operation)
        assert model is not None
        assert model.service_model.resolved_protocol == protocol
