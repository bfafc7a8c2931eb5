"""The door to AWS: what its answers and its library's errors become, whose credentials are used, how often it asks."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kubectl_sagemaker.aws import AWS_DOMAINS, REFUSALS, Account, Aws
from kubectl_sagemaker.errors import Error, Forbidden, Invalid, NotFound, Throttled, Unauthorized, Unavailable
from tests.servers import free_port

PAGE = {"events": [{"logStreamName": "xgb/algo-1-1", "timestamp": 1, "message": "a", "eventId": "1"}]}


@dataclass
class Server:
    """An AWS endpoint that answers as told and keeps what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = json.dumps(PAGE).encode()
    content_type: str = "application/x-amz-json-1.1"
    asked: list[dict[str, str]] = field(default_factory=list)
    """Headers of each request."""

    def refuse(self, code: str, message: str = "no reason", *, status: int = 400) -> None:
        self.status = status
        self.body = json.dumps({"__type": code, "message": message}).encode()

    @property
    def key(self) -> str:
        """The access key that signed the last request."""
        return self.asked[-1]["Authorization"].partition("Credential=")[2].partition("/")[0]


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append(dict(self.headers))
            self.send_response(told.status)
            self.send_header("Content-Type", told.content_type)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    told.url = f"http://127.0.0.1:{httpd.server_port}"
    yield told
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with AWS's `config` and `credentials`, which are not there yet."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def call(aws: Aws, *, service: str = "logs", region: str | None = "us-west-2") -> dict[str, Any]:
    if service == "logs":
        return aws.call("logs", "FilterLogEvents", {"logGroupName": "/aws/sagemaker/TrainingJobs"}, region=region)
    return aws.call("sagemaker", "DescribeTrainingJob", {"TrainingJobName": "xgb"}, region=region)


def refused(aws: Aws, **more: Any) -> Error:
    with pytest.raises(Error) as caught:
        call(aws, **more)
    return caught.value


def door(server: Server, **account: str) -> Aws:
    return Aws(Account(endpoint_url=server.url, **account))


# Answers


@pytest.mark.usefixtures("keys")
def test_an_answer_comes_as_it_is(server: Server) -> None:
    assert call(door(server))["events"] == PAGE["events"]


@pytest.mark.usefixtures("keys")
def test_a_call_is_said_with_its_outcome(server: Server) -> None:
    said: list[str] = []
    aws = Aws(Account(endpoint_url=server.url), debug=said.append)
    call(aws)
    server.refuse("ThrottlingException")
    refused(aws)
    assert [line.rsplit(" ", 2)[0] for line in said] == [
        "aws logs:FilterLogEvents us-west-2 ok",
        "aws logs:FilterLogEvents us-west-2 Throttled",
    ]


CODES: dict[type[Error], str] = {
    Throttled: "Throttling ThrottlingException ThrottledException TooManyRequestsException RequestLimitExceeded",
    Unauthorized: "ExpiredToken ExpiredTokenException RequestExpired UnrecognizedClientException InvalidClientTokenId"
    " InvalidSignatureException SignatureDoesNotMatch IncompleteSignature MissingAuthenticationToken"
    " MissingAuthenticationTokenException",
    Forbidden: "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized OptInRequired",
    NotFound: "ResourceNotFound ResourceNotFoundException ObjectNotFoundException NoSuchEntity",
    Invalid: "InvalidParameterException ValidationException SerializationException",
    Unavailable: "RequestTimeout RequestTimeoutException RequestAbortedException ConcurrentUpdateException",
}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("meaning", CODES, ids=lambda meaning: meaning.__name__)
def test_every_code_that_aws_refuses_with_is_an_error_of_ours(meaning: type[Error], server: Server) -> None:
    aws = door(server)
    for code in CODES[meaning].split():
        server.refuse(code, "as it is")
        error = refused(aws)
        assert type(error) is meaning, code
        assert error.message == f"logs:FilterLogEvents: as it is ({code})"


def test_no_code_is_untested() -> None:
    assert {code for codes in CODES.values() for code in codes.split()} == set(REFUSALS)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("code", "status", "meaning"),
    [
        ("SomethingNew", 400, Error),
        ("SomethingNew", 404, Error),
        ("InternalFailure", 500, Unavailable),
        ("ServiceUnavailableException", 503, Unavailable),
        ("SomethingNew", 599, Unavailable),
        ("ThrottlingException", 503, Throttled),
        ("AccessDeniedException", 500, Forbidden),
    ],
)
def test_an_unknown_code_is_told_by_its_status(code: str, status: int, meaning: type[Error], server: Server) -> None:
    server.refuse(code, status=status)
    assert type(refused(door(server))) is meaning


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Requested resource not found.", NotFound),
        ("Could not find requested job with name: xgb", NotFound),
        ("Training job xgb does not exist", NotFound),
        ("1 validation error detected", Invalid),
    ],
)
def test_sagemaker_says_in_words_that_a_job_does_not_exist(message: str, meaning: type[Error], server: Server) -> None:
    server.refuse("ValidationException", message)
    assert type(refused(door(server), service="sagemaker")) is meaning


@pytest.mark.usefixtures("keys")
def test_hints_say_which_permission_or_which_login_is_missing(server: Server) -> None:
    server.refuse("AccessDeniedException", "User: arn:… is not authorized")
    assert refused(door(server)).hint == "the AWS credentials need the permission logs:FilterLogEvents"
    server.refuse("ExpiredTokenException", "The security token included in the request is expired")
    assert "renew the credentials in use" in (refused(door(server)).hint or "")


@pytest.mark.usefixtures("keys")
def test_a_hostile_refusal_is_one_line_and_drives_no_terminal(server: Server) -> None:
    server.refuse("Bad\x1b[2J", "a\nb\x1b]0;t\x07\u202e")
    assert refused(door(server)).message == ("logs:FilterLogEvents: a b\\x1b]0;t\\x07\\u202e (Bad\\x1b[2J)")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_load_balancers_page_is_an_answer_to_ask_for_again(status: int, server: Server) -> None:
    server.status, server.content_type = status, "text/html"
    server.body = b"<html><h1>Bad Gateway</h1></html>"
    assert type(refused(door(server))) is Unavailable


@pytest.mark.usefixtures("keys")
def test_a_proxys_page_with_status_200_has_no_events(server: Server) -> None:
    """botocore takes it for a page; the engine tells it by the events that are missing."""
    server.content_type, server.body = "text/html", b"<html>please log in</html>"
    assert "events" not in call(door(server))


# The library's errors


def botocore_errors() -> list[type[Exception]]:
    """Every error class of botocore."""
    import botocore.exceptions
    import botocore.parsers

    modules = (botocore.exceptions, botocore.parsers)
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == module.__name__
    ]
    # These say that a service's model in the package is broken, or are warnings.
    outside = (Warning, botocore.exceptions.UndefinedModelAttributeError)
    return [value for value in dict.fromkeys(found) if not issubclass(value, outside)]


def instance(error: type[Exception]) -> Exception:
    """An instance of a class, past its constructor: each wants something else."""
    made: Exception = error.__new__(error, "text")
    if not hasattr(made, "response"):
        made.response = {"Error": {"Code": "SomethingNew", "Message": "m"}}  # type: ignore[attr-defined]  # ClientError
    return made


FAMILIES: dict[str, type[Error]] = {
    "HTTPClientError": Unavailable,
    "ConnectionError": Unavailable,
    "IncompleteReadError": Unavailable,
    "ResponseParserError": Unavailable,
    "NoCredentialsError": Unauthorized,
    "PartialCredentialsError": Unauthorized,
    "CredentialRetrievalError": Unauthorized,
    "MetadataRetrievalError": Unauthorized,
    "TokenRetrievalError": Unauthorized,
    "SSOError": Unauthorized,
    "LoginError": Unauthorized,
}
"""What an error class and those derived from it become; any other is an Error."""


@pytest.mark.usefixtures("keys")
def test_no_error_class_of_botocore_is_left_unmapped(server: Server) -> None:
    aws = door(server)
    raised: list[Exception] = []

    def fail(**_: Any) -> None:
        raise raised[-1]

    aws.session.register("before-call", fail)
    classes = botocore_errors()
    assert len(classes) > 90
    meanings = {}
    expected = {}
    for error in classes:
        raised.append(instance(error))
        meanings[error.__name__] = type(refused(aws))
        family = next((FAMILIES[base.__name__] for base in error.__mro__ if base.__name__ in FAMILIES), Error)
        expected[error.__name__] = family
    assert meanings == expected
    assert server.asked == []


@pytest.mark.usefixtures("keys")
def test_nobody_there_is_unavailable() -> None:
    error = refused(Aws(Account(endpoint_url=f"http://127.0.0.1:{free_port()}")))
    assert type(error) is Unavailable
    assert error.message.startswith("logs:FilterLogEvents: could not connect to the endpoint URL")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp//x", ""])
def test_an_endpoint_that_is_no_url_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "also nonsense")
    error = refused(Aws(Account(endpoint_url=url or None)))
    assert type(error) is Error
    assert error.message.startswith("logs:FilterLogEvents: invalid endpoint: ")


@pytest.mark.usefixtures("keys")
def test_a_parameter_that_the_operation_has_not_is_an_error(server: Server) -> None:
    with pytest.raises(Error, match="Unknown parameter in input") as caught:
        door(server).call("logs", "FilterLogEvents", {"nonsense": 1}, region="us-west-2")
    assert "\n" not in caught.value.message


# Credentials, profiles, regions


@pytest.mark.usefixtures("files")
def test_without_credentials_the_hint_says_what_to_set(server: Server) -> None:
    error = refused(door(server))
    assert type(error) is Unauthorized
    assert error.message == "logs:FilterLogEvents: unable to locate credentials"
    assert error.hint == (
        "set AWS_PROFILE or --profile, or renew the credentials in use (`aws sts get-caller-identity` shows them)"
    )
    assert server.asked == []


def test_an_unknown_profile_is_an_error_with_the_known_ones(server: Server, files: Path) -> None:
    error = refused(door(server, profile="dve"))
    assert (type(error), error.hint) == (Error, "no profile is configured")
    assert error.message == "the config profile (dve) could not be found"
    (files / "config").write_text("[profile dev]\nregion = us-west-2\n[profile prod]\n")
    assert refused(door(server, profile="dve")).hint == "known profiles: dev, prod"


def test_an_unknown_profile_of_the_environment_is_the_same_error(
    server: Server, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "dve")
    error = refused(door(server))
    assert (type(error), error.message) == (Error, "the config profile (dve) could not be found")


def test_a_broken_configuration_is_an_error(server: Server, files: Path) -> None:
    (files / "config").write_text("no section\n")
    error = refused(door(server))
    assert type(error) is Error
    assert error.message.startswith("unable to parse config file: ")


def test_a_profiles_key_signs_and_its_region_counts(server: Server, files: Path) -> None:
    (files / "config").write_text("[default]\nregion = us-east-1\n[profile dev]\nregion = eu-west-1\n")
    (files / "credentials").write_text("[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = secret\n")
    aws = door(server, profile="dev")
    call(aws)
    assert server.key == "AKIADEV"
    assert aws.region == "eu-west-1"
    assert door(server).region == "us-east-1"


@pytest.mark.usefixtures("files")
def test_the_region_is_the_flags_then_the_environments(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door(server).region is None
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert door(server).region == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert door(server).region == "us-west-2"
    assert door(server, region="eu-west-1").region == "eu-west-1"


@pytest.mark.usefixtures("files")
def test_a_region_that_is_none_is_an_error(server: Server) -> None:
    for region in (None, "us west 2", "-", "us-west-2/x"):
        error = refused(Aws(Account()), region=region)
        assert type(error) is Error
        assert "region" in error.message


def test_renewed_the_credentials_are_read_anew(server: Server, files: Path) -> None:
    """A client and its session keep the old key after the file has changed (measured)."""
    text = "[default]\naws_access_key_id = {}\naws_secret_access_key = secret\n"
    (files / "credentials").write_text(text.format("AKIAOLD"))
    aws = door(server)
    call(aws)
    (files / "credentials").write_text(text.format("AKIANEW"))
    call(aws)
    assert server.key == "AKIAOLD"
    aws.renew()
    call(aws)
    assert server.key == "AKIANEW"


SIGN_ON = "sso_account_id = 123456789012\nsso_role_name = r\n"
START = "sso_region = us-east-1\nsso_start_url = https://127.0.0.1/start\n"


@pytest.mark.parametrize(
    "config",
    [
        f"[profile dev]\n{SIGN_ON}sso_session = corp\n[sso-session corp]\n{START}",
        f"[profile dev]\n{SIGN_ON}{START}",
    ],
    ids=["session", "legacy"],
)
@pytest.mark.parametrize("by_flag", [True, False])
def test_a_profile_of_single_sign_on_says_how_to_log_in(
    config: str, by_flag: bool, server: Server, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "config").write_text(config)
    if not by_flag:
        monkeypatch.setenv("AWS_PROFILE", "dev")
    error = refused(door(server, profile="dev") if by_flag else door(server))
    assert (type(error), error.hint) == (Unauthorized, "run `aws sso login --profile dev`")


def test_a_refused_key_of_single_sign_ons_default_profile_names_no_profile(server: Server, files: Path) -> None:
    (files / "config").write_text(f"[default]\n{SIGN_ON}{START}")
    assert refused(door(server)).hint == "run `aws sso login`"


def test_a_credential_process_that_fails_is_unauthorized(server: Server, files: Path) -> None:
    (files / "config").write_text("[default]\ncredential_process = sh -c 'echo gone >&2; exit 7'\n")
    error = refused(door(server))
    assert type(error) is Unauthorized
    assert "gone" in error.message


# How often and how long


@pytest.mark.usefixtures("keys")
def test_a_client_of_logs_asks_once_and_the_engine_decides(server: Server) -> None:
    server.refuse("ThrottlingException")
    refused(door(server))
    server.refuse("InternalFailure", status=500)
    refused(door(server))
    assert len(server.asked) == 2


@pytest.mark.usefixtures("keys")
def test_other_clients_try_three_times(server: Server) -> None:
    server.refuse("ThrottlingException")
    assert type(refused(door(server), service="sagemaker")) is Throttled
    assert len(server.asked) == 3


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("service", ["logs", "sagemaker"])
def test_a_connection_has_5_s_and_silence_20(service: str, server: Server) -> None:
    """botocore's own 60 s are a stall that people notice."""
    seen: list[tuple[float, float]] = []
    aws = door(server)

    def note(model: Any, context: dict[str, Any], **_: Any) -> None:
        del model
        config = context["client_config"]
        seen.append((config.connect_timeout, config.read_timeout))

    aws.session.register("before-call", note)
    call(aws, service=service)
    assert seen == [(5, 20)]


@pytest.mark.usefixtures("keys")
def test_one_region_has_one_client_and_each_region_its_own(server: Server) -> None:
    made: list[str] = []
    aws = door(server)
    aws.session.register("creating-client-class", lambda **_: made.append("client"))
    for region in ("us-west-2", "us-west-2", "eu-west-1"):
        call(aws, region=region)
    assert len(made) == 2
    assert [asked["Authorization"].split("/")[2] for asked in server.asked] == ["us-west-2", "us-west-2", "eu-west-1"]


@pytest.mark.parametrize("profile", ["work", "nobody"])
def test_preparing_asks_for_no_credentials_and_leaves_what_is_wrong_to_the_first_call(
    profile: str, files: Path, server: Server
) -> None:
    asked = files / "asked"
    keys = json.dumps({"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"})
    (files / "keys").write_text(keys)
    script = files / "process"
    script.write_text(f"#!/bin/sh\ntouch {asked}\ncat {files / 'keys'}\n")
    script.chmod(0o755)
    (files / "config").write_text(f"[profile work]\ncredential_process = {script}\n")
    aws = door(server, profile=profile)
    aws.prepare("logs", "sagemaker")
    assert not asked.exists()
    if profile == "nobody":
        assert "nobody" in refused(aws).message
    else:
        call(aws)
        assert (server.key, asked.exists()) == ("AKIAPROCESS", True)


# Regions, partitions, endpoints


def urls(aws: Aws, region: str, *, resource: str | None = None) -> list[str]:
    """Scheme and host that SageMaker, CloudWatch Logs and STS are asked at, without a network."""
    from botocore.awsrequest import AWSResponse

    asked: list[str] = []

    def answer(request: Any, **_: Any) -> Any:
        parts = urlsplit(request.url)
        asked.append(f"{parts.scheme}://{parts.netloc}")
        assert f"/{region}/" in request.headers["Authorization"].decode()
        return AWSResponse(request.url, 400, {}, _Body())

    aws.session.register("before-send", answer)
    for service, operation, parameters in (
        ("sagemaker", "DescribeTrainingJob", {"TrainingJobName": "xgb"}),
        ("logs", "FilterLogEvents", {"logGroupName": "g"}),
        ("sts", "GetCallerIdentity", {}),
    ):
        wish = resource if service == "sagemaker" else None
        with pytest.raises(Error):
            aws.call(service, operation, parameters, region=region, endpoint_url=wish)
    return asked


class _Body:
    """An answer's body that is empty."""

    def stream(self) -> Iterator[bytes]:
        yield b"{}"


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("us-west-2", "us-west-2.amazonaws.com"),
        ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com"),
    ],
)
def test_every_partition_has_its_own_endpoints(region: str, suffix: str) -> None:
    names = ("api.sagemaker", "logs", "sts")
    assert urls(Aws(Account()), region) == [f"https://{name}.{suffix}" for name in names]


def test_a_trusted_endpoint_can_be_in_every_partition() -> None:
    import botocore.loaders

    partitions = botocore.loaders.Loader().load_data("partitions")["partitions"]
    known = {f".{partition['outputs'][key]}" for partition in partitions for key in ("dnsSuffix", "dualStackDnsSuffix")}
    assert known == set(AWS_DOMAINS)


RESOURCES_WISH = "https://vpce-1.api.sagemaker.us-west-2.vpce.amazonaws.com"


@pytest.mark.usefixtures("keys")
def test_a_resources_endpoint_is_sagemakers_alone_and_goes_before_awss_own() -> None:
    found = urls(Aws(Account()), "us-west-2", resource=RESOURCES_WISH)
    assert found == [RESOURCES_WISH, "https://logs.us-west-2.amazonaws.com", "https://sts.us-west-2.amazonaws.com"]


@pytest.mark.usefixtures("keys")
def test_endpoint_url_is_for_all_services_and_goes_before_everything() -> None:
    aws = Aws(Account(endpoint_url="http://127.0.0.1:1"))
    assert urls(aws, "us-west-2", resource=RESOURCES_WISH) == ["http://127.0.0.1:1"] * 3


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"])
def test_the_environments_endpoint_goes_before_a_resources(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:2")
    assert urls(Aws(Account()), "us-west-2", resource=RESOURCES_WISH)[0] == "http://127.0.0.1:2"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert urls(Aws(Account()), "us-west-2", resource=RESOURCES_WISH)[0] == RESOURCES_WISH


@pytest.mark.usefixtures("keys")
def test_the_profiles_endpoint_goes_before_a_resources(files: Path) -> None:
    (files / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:3\n")
    assert urls(Aws(Account()), "us-west-2", resource=RESOURCES_WISH) == ["http://127.0.0.1:3"] * 3


# The credentials' account


def identity(server: Server, account: str) -> None:
    server.content_type = "text/xml"
    server.status = 200
    server.body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ).encode()


@pytest.mark.usefixtures("keys")
def test_sts_is_asked_once_whose_the_credentials_are_and_anew_when_they_are(server: Server) -> None:
    aws = door(server)
    identity(server, "123456789012")
    assert [aws.account_id("us-west-2") for _ in range(3)] == ["123456789012"] * 3
    assert len(server.asked) == 1
    aws.renew()
    identity(server, "999999999999")
    assert aws.account_id("us-west-2") == "999999999999"


@pytest.mark.usefixtures("keys")
def test_sts_that_refuses_is_no_error_and_is_asked_once(server: Server) -> None:
    aws = door(server)
    server.refuse("AccessDenied", status=403)
    assert [aws.account_id("us-west-2") for _ in range(3)] == [None] * 3
    assert len(server.asked) == 1
