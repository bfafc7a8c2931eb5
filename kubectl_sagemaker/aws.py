"""The only importer of `botocore`, with eks.py: one door to AWS, with its errors made ours.

`Aws.call` is the whole surface. Clients of CloudWatch Logs make a single attempt, because the engine retries by its
own rules (a follower must outlive botocore's four tries); others keep botocore's three. A connection that is not
there in 5 s or silent for 20 s counts as failed: botocore's own 60 s is a stall that people notice.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from kubectl_sagemaker.errors import Error, Forbidden, Invalid, NotFound, Throttled, Unauthorized, Unavailable
from kubectl_sagemaker.text import one_line, phrase

Parameters: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]

ATTEMPTS: Final = {"logs": 1, "sts": 1}
REFUSALS: Final[Mapping[str, type[Error]]] = {
    "Throttling": Throttled,
    "ThrottlingException": Throttled,
    "ThrottledException": Throttled,
    "TooManyRequestsException": Throttled,
    "RequestLimitExceeded": Throttled,
    "ExpiredToken": Unauthorized,
    "ExpiredTokenException": Unauthorized,
    "RequestExpired": Unauthorized,
    "UnrecognizedClientException": Unauthorized,
    "InvalidClientTokenId": Unauthorized,
    "InvalidSignatureException": Unauthorized,
    "SignatureDoesNotMatch": Unauthorized,
    "IncompleteSignature": Unauthorized,
    "MissingAuthenticationToken": Unauthorized,
    "MissingAuthenticationTokenException": Unauthorized,
    "AccessDenied": Forbidden,
    "AccessDeniedException": Forbidden,
    "UnauthorizedOperation": Forbidden,
    "NotAuthorized": Forbidden,
    "OptInRequired": Forbidden,
    "ResourceNotFound": NotFound,
    "ResourceNotFoundException": NotFound,
    "ObjectNotFoundException": NotFound,
    "NoSuchEntity": NotFound,
    "InvalidParameterException": Invalid,
    "ValidationException": Invalid,
    "SerializationException": Invalid,
    # 4xx that say nothing of the request: SageMaker's common errors, and Application Auto Scaling's.
    "RequestTimeout": Unavailable,
    "RequestTimeoutException": Unavailable,
    "RequestAbortedException": Unavailable,
    "ConcurrentUpdateException": Unavailable,
}
"""What AWS's error codes mean here; any other is Unavailable from HTTP 500 on, else Error."""
ABSENT_WORDS: Final = ("not found", "recordnotfound", "does not exist", "could not find", "couldn't find")
"""SageMaker says with a ValidationException, in words, that a job does not exist; of a notebook, in one word."""


class Account(NamedTuple):
    """Whose AWS, as the flags name it; None leaves it to the environment and the profile."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


class Aws:
    """Lazy clients of one session, made at their first call."""

    def __init__(self, account: Account, *, debug: Callable[[str], None] | None = None) -> None:
        self.account = account
        self._debug = debug
        self._session: Any = None
        self._renewed = False
        self._clients: dict[tuple[str, str | None, str | None], Any] = {}
        self._account_id: str | None = None
        self._making = threading.RLock()
        """Sessions make clients one at a time; clients can be shared (boto3's guide)."""

    @property
    def region(self) -> str | None:
        """The region of --region, the environment or the profile; None if none of them names one."""
        return self.account.region or self._translated(
            "reading the AWS configuration", lambda: self.session.get_config_variable("region")
        )

    @property
    def session(self) -> Any:
        """The botocore session, made at first use."""
        if self._session is None:
            session = core_session(self.account.profile)
            session.register_component("response_parser_factory", _pages())
            # botocore reads AWS_DEFAULT_REGION alone; AWS_REGION goes before it in AWS's other tools, and in pods.
            if region := self.account.region or os.environ.get("AWS_REGION"):
                session.set_config_variable("region", region)
            self._session = session
        return self._session

    def prepare(self, *services: str) -> None:
        """Import and read what these services' clients need, while somebody waits for the API server.

        A client made after it, for whichever region, costs 3 ms. These are unsigned: no credentials are looked for
        before it is known where STS is. What is wrong with the configuration, the first call says.
        """
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        with contextlib.suppress(BotoCoreError, ValueError, OSError), self._making:
            for service in services:
                self.session.create_client(service, region_name="us-east-1", config=Config(signature_version=UNSIGNED))

    @property
    def heals(self) -> bool:
        """Whether the credentials are read from somewhere that can change; the environment of a process can't."""
        credentials = self.session.get_credentials()
        return credentials is None or credentials.method != "env"

    def renew(self) -> None:
        """Forget session and clients, so that the next call reads the credentials anew.

        A client and its session keep the old key after the credentials file has changed (measured); and so would the
        cache of roles, where AWS refuses a role's credentials before their time.
        """
        with self._making:
            self._session = None
            self._renewed = True
            self._account_id = None
            self._clients.clear()

    def call(
        self,
        service: str,
        operation: str,
        parameters: Parameters,
        *,
        region: str | None,
        endpoint_url: str | None = None,
    ) -> Answer:
        """Call one operation, named as AWS names it (`FilterLogEvents`), and return its answer.

        Raises errors.Throttled, Unavailable, Unauthorized, Forbidden, NotFound, Invalid or Error.
        """
        import botocore

        began = time.monotonic()
        outcome = "ok"
        try:
            method = botocore.xform_name(operation)
            answer: Answer = self._translated(
                f"{service}:{operation}",
                lambda: getattr(self._client(service, region, endpoint_url), method)(**parameters),
            )
        except Error as error:
            outcome = type(error).__name__
            raise
        finally:
            if self._debug:
                self._debug(f"aws {service}:{operation} {region} {outcome} {(time.monotonic() - began) * 1000:.0f} ms")
        return answer

    def account_id(self, region: str) -> str | None:
        """The 12 digits of the credentials' account; None where STS does not tell, which is no error."""
        if self._account_id is None:
            # Once: a follower meets the same refusal again and again.
            self._account_id = ""
            with contextlib.suppress(Error):
                self._account_id = self.call("sts", "GetCallerIdentity", {}, region=region).get("Account", "")
        return self._account_id or None

    def _client(self, service: str, region: str | None, endpoint_url: str | None) -> Any:
        """A client; `endpoint_url` is the resource's wish, and --endpoint-url, environment and profile go before it."""
        with self._making:
            key = (service, region, endpoint_url)
            client = self._clients.get(key)
            if client is None:
                client = self._made(service, region, self.account.endpoint_url)
                if endpoint_url and not self.account.endpoint_url:
                    usual = self._made(service, region, None, ignore_configured_endpoint_urls=True)
                    if client.meta.endpoint_url == usual.meta.endpoint_url:
                        client = self._made(service, region, endpoint_url)
                self._clients[key] = client
            return client

    def _made(self, service: str, region: str | None, endpoint_url: str | None, **settings: Any) -> Any:
        from botocore.config import Config

        if region and not self._clients and not self._renewed:
            share_roles(self.session, region)
        return self.session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=Config(
                connect_timeout=5,
                read_timeout=20,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS.get(service, 3)},
                **settings,
            ),
        )

    def _translated(self, doing: str, do: Callable[[], Any]) -> Any:
        """Run `do`; whatever botocore raises becomes one of ours."""
        import botocore.exceptions as aws
        from botocore.parsers import ResponseParserError

        try:
            return do()
        except aws.ClientError as error:
            raise self._refusal(doing, error.response) from error
        except ResponseParserError as error:
            # A proxy's or a load balancer's page where AWS's answer should be.
            raise Unavailable(f"{doing}: the answer was not AWS's") from error
        except (aws.ProfileNotFound, aws.ConfigParseError, aws.NoRegionError, aws.InvalidRegionError) as error:
            raise Error(phrase(str(error)), hint=self._profiles(error)) from error
        except (
            aws.NoCredentialsError,
            aws.PartialCredentialsError,
            aws.CredentialRetrievalError,
            aws.SSOError,
            aws.TokenRetrievalError,
            aws.LoginError,
        ) as error:
            raise Unauthorized(f"{doing}: {phrase(str(error))}", hint=self._login()) from error
        except aws.MetadataRetrievalError as error:
            raise Unauthorized(f"{doing}: {phrase(str(error))}", hint=self._login()) from error
        except aws.SSLError as error:
            # A certificate that is not trusted will not be so in a moment; a connection cut in its handshake may.
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise Unavailable(f"{doing}: {phrase(str(error))}") from error
            hint = "behind a proxy that inspects TLS, set AWS_CA_BUNDLE to its CA's file"
            raise Error(f"{doing}: {phrase(str(error))}", hint=hint) from error
        except (aws.HTTPClientError, aws.ConnectionError, aws.IncompleteReadError) as error:
            raise Unavailable(f"{doing}: {phrase(str(error))}") from error
        except (aws.BotoCoreError, ValueError, OSError) as error:
            # ValueError: an --endpoint-url that is no URL. OSError: a credential_process that can't be run.
            raise Error(f"{doing}: {phrase(str(error))}") from error

    def _refusal(self, doing: str, response: Mapping[str, Any]) -> Error:
        """The error that an answer other than 2xx means."""
        code = str(response.get("Error", {}).get("Code", ""))
        message = phrase(str(response.get("Error", {}).get("Message", "")) or code or "no reason given")
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"{doing}: {message}" if code in message else f"{doing}: {message} ({one_line(code)})"
        meaning = REFUSALS.get(code, Unavailable if status >= 500 else Error)
        if meaning is Invalid and any(word in message.lower() for word in ABSENT_WORDS):
            meaning = NotFound
        hints = {Unauthorized: self._login(), Forbidden: f"the AWS credentials need the permission {doing}"}
        return meaning(text, hint=hints.get(meaning))

    def _login(self) -> str:
        """What to run to get credentials, for the way in which this profile gets them."""
        session = self._session
        profile = (session.profile if session is not None else self.account.profile) or "default"
        settings: Mapping[str, Any] = {}
        if session is not None:
            settings = session.full_config.get("profiles", {}).get(profile, {})
        named = "" if profile == "default" else f" --profile {one_line(profile)}"
        if "sso_session" in settings or "sso_start_url" in settings:
            return f"run `aws sso login{named}`"
        if "login_session" in settings:
            return f"run `aws login{named}`"
        return (
            "set AWS_PROFILE or --profile, or renew the credentials in use (`aws sts get-caller-identity` shows them)"
        )

    def _profiles(self, error: Exception) -> str | None:
        import botocore.exceptions as aws

        if not isinstance(error, aws.ProfileNotFound):
            return None
        import botocore.session

        known = botocore.session.Session().available_profiles
        return f"known profiles: {', '.join(map(one_line, known))}" if known else "no profile is configured"


SERVICES: Final = (
    *("logs", "sagemaker", "sts", "sso", "sso-oidc", "signin"),
    *("application-autoscaling", "iam", "eks"),  # of the operator
)
"""What is asked of AWS here, or by botocore for credentials."""


def core_session(profile: str | None = None, *, usual_profile: str | None = None) -> Any:
    """A botocore session, with the models that this process has read already.

    `profile` goes before keys in the environment, as a flag does, `usual_profile` after them, as AWS_PROFILE does.
    boto3's own sessions cost 27 ms more (measured), for what is not used here.
    """
    import botocore.session
    from botocore.configprovider import ConstantProvider

    session = botocore.session.Session(profile=profile)
    if usual_profile:
        session.get_component("config_store").set_config_provider("profile", ConstantProvider(usual_profile))
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


@functools.cache
def _loader(data_path: str | None) -> Any:
    """A loader that looks for no other services, and reads its files with orjson.

    botocore's own lists hundreds of folders, twice, to find out that one of them is there: 17 ms. Its json takes 23 ms
    for the endpoints of all services and the operations of one, orjson 8 (both measured).
    """
    import gzip

    import orjson
    from botocore.loaders import JSONFileLoader, Loader, create_loader

    class Files(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
        def load_file(self, file_path: str) -> Any:
            for extension, opened in ((".json", open), (".json.gz", gzip.open)):
                with contextlib.suppress(FileNotFoundError), opened(f"{file_path}{extension}", "rb") as file:
                    return orjson.loads(file.read())
            return None

    class Known(Loader):  # type: ignore[misc]  # the same
        def list_available_services(self, type_name: str) -> list[str]:
            del type_name
            return list(SERVICES)

    paths = create_loader(data_path).search_paths
    return Known(extra_search_paths=paths, file_loader=Files(), include_default_search_paths=False)


def share_roles(session: Any, region: str) -> None:
    """Take credentials of roles from aws-cli's cache, and leave them there: a code of MFA is then asked for once.

    The key of a role there is botocore's, and so the same for both. `region` is where STS is asked.
    """
    from botocore.credentials import create_credential_resolver
    from botocore.utils import JSONFileCache

    cache = JSONFileCache(os.path.expanduser("~/.aws/cli/cache"))
    session.register_component("credential_provider", create_credential_resolver(session, cache, region))


AWS_DOMAINS: Final = (
    *(".amazonaws.com", ".api.aws"),
    *(".amazonaws.com.cn", ".api.amazonwebservices.com.cn"),
    *(".amazonaws.eu", ".api.amazonwebservices.eu"),
    *(".c2s.ic.gov", ".api.aws.ic.gov", ".sc2s.sgov.gov", ".api.aws.scloud"),
    *(".cloud.adc-e.uk", ".api.cloud-aws.adc-e.uk", ".csp.hci.ic.gov", ".api.aws.hci.ic.gov"),
)
"""What the names of AWS's endpoints end in, by partition: botocore's partitions.json, with which a test compares it."""


def trusted_endpoint(url: str | None) -> str | None:
    """The URL if it is an https address of AWS, else None.

    A resource's own endpoint is cluster data: whoever may write the resource would receive signed requests.
    """
    try:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
    except ValueError:
        return None
    return url if parts.scheme == "https" and f".{host}".endswith(AWS_DOMAINS) else None


PAGES: Final = frozenset({"FilterLogEventsResponse", "GetLogEventsResponse"})
"""Output shapes that JSON gives as they are: texts and numbers, no time and no blob."""


def _pages() -> Any:
    """A factory of botocore's response parsers that reads pages of log events with orjson.

    botocore's walk over the shape takes 24 to 42 ms for a page of 10,000 events, orjson 4 (measured). Only answers
    below 300 of the json protocol take this way; whatever orjson refuses (a lone surrogate, a proxy's HTML) goes to
    botocore's parser, whose errors botocore knows how to retry.
    """
    import orjson
    from botocore.parsers import ResponseParserFactory

    class Pages:
        def __init__(self, parser: Any) -> None:
            self._parser = parser

        def parse(self, response: dict[str, Any], shape: Any) -> Any:
            if response["status_code"] < 300 and shape is not None and shape.name in PAGES:
                try:
                    page = orjson.loads(response["body"])
                except orjson.JSONDecodeError:
                    page = None
                if isinstance(page, dict):
                    headers = response["headers"]
                    page["ResponseMetadata"] = {
                        "RequestId": headers.get("x-amzn-requestid"),
                        "HTTPStatusCode": response["status_code"],
                        "HTTPHeaders": dict(headers),
                    }
                    return page
            return self._parser.parse(response, shape)

    class Factory(ResponseParserFactory):  # type: ignore[misc]  # botocore has no types
        def create_parser(self, protocol_name: str) -> Any:
            parser = super().create_parser(protocol_name)
            return Pages(parser) if protocol_name == "json" else parser

    return Factory()
