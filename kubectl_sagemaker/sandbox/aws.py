"""An AWS account in one region, in memory: SageMaker, Auto Scaling, CloudWatch Logs and STS, by their wire protocols.

`Account.respond` is the whole of it, without sockets; `application` puts it behind HTTP.
"""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.sandbox.cloudwatch import INVALID_TOKEN, LogStore, invalid
from kubectl_sagemaker.sandbox.faults import HTML, Fault, Faults, Interrupted
from kubectl_sagemaker.sandbox.protocol import (
    AwsError,
    Call,
    Response,
    answer,
    dump,
    json_response,
    parameters,
    refusal,
    route,
)
from kubectl_sagemaker.sandbox.sagemaker import JobStore
from kubectl_sagemaker.sandbox.scaling import ScalingStore

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key, and what it may do."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    principal: str = "user/sandbox"
    """The last part of its ARN."""
    expired: tuple[tuple[float, float], ...] = ()
    """Spans of the clock (from, until; epoch s) in which it counts as expired. After one it works again."""
    denied: frozenset[str] = frozenset()
    """Actions that it may not do, as in a policy: `logs:FilterLogEvents`, `sagemaker:*`."""


SANDBOX: Final = Credential("AKIASANDBOXSANDBOX00", "sandbox/sandbox/sandbox/sandbox/sandbox/")
"""The key that every account knows from the beginning."""

AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/\d{8}/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request, ?"
    r"SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A line of the account's journal: a request, and what became of it."""

    at: float
    """Epoch seconds of the account's clock."""
    operation: str
    outcome: str
    """`ok`, an error's code, or a fault's name."""


class Account:
    """One account in one region, with a clock and no threads; respond and put may run in different threads."""

    def __init__(
        self, *, now: Callable[[], float], region: str = "us-west-2", account_id: str = "123456789012"
    ) -> None:
        """`now` is the clock in epoch seconds; everything that the account shows follows from it."""
        self.now = now
        self.region = region
        self.account_id = account_id
        self.credentials: dict[str, Credential] = {SANDBOX.access_key: SANDBOX}
        self.logs = LogStore(now, functools.partial(self.arn, "logs"))
        self.jobs = JobStore(now, functools.partial(self.arn, "sagemaker"))
        self.scaling = ScalingStore(now, functools.partial(self.arn, "autoscaling"))
        self.faults: Faults | None = None
        self.refuses: Callable[[str, Mapping[str, Any]], AwsError | None] = lambda operation, given: None
        """Gives the error that an operation with these parameters is answered with, in place of its answer, or None."""
        self.quotas: dict[str, float] = {}
        """Requests a second by operation; an operation that isn't named has no bound."""
        self.journal: list[Served] = []
        """Every request that was answered or not, in order."""
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.RLock()

    def arn(self, service: str, resource: str) -> str:
        """The ARN of one of the account's resources; IAM's and STS's have no region."""
        region = "" if service in {"iam", "sts"} else self.region
        return f"arn:{_partition(self.region)}:{service}:{region}:{self.account_id}:{resource}"

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer one request; raise Interrupted where the connection fails instead."""
        with self._lock:
            return self._respond(method, path, {name.lower(): text for name, text in headers.items()}, body)

    def _respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        request_id = str(uuid.UUID(int=len(self.journal) + 1, version=4))
        call: Call | None = None
        fault: Fault | None = None
        try:
            if (method, path.partition("?")[0]) != ("POST", "/"):
                raise AwsError("UnknownOperationException", f"{method} {path} is no request to AWS", status=404)
            call = route(headers, body)
            if self.faults is not None:
                fault = self.faults.draw(call.operation, paging=b'"nextToken"' in body)
            response = self._answer(call, headers, fault, request_id)
            outcome = "ok" if fault is None else fault.name
            if fault is Fault.CUT:
                raise Interrupted(fault, response)
        except AwsError as error:
            response = refusal(call.service if call else None, error, request_id)
            outcome = error.code
        except Interrupted as interruption:
            self._note(call, interruption.fault.name)
            raise
        self._note(call, outcome)
        return response

    def _note(self, call: Call | None, outcome: str) -> None:
        self.journal.append(Served(self.now(), call.operation if call else "", outcome))

    def _answer(self, call: Call, headers: Mapping[str, str], fault: Fault | None, request_id: str) -> Response:
        if fault in {Fault.RESET, Fault.STALL}:
            raise Interrupted(fault)
        if fault is not None and fault in HTML:
            return HTML[fault]
        credential = self._authenticate(call, headers)
        if fault is Fault.UNAVAILABLE:
            raise AwsError("ServiceUnavailableException", "The service cannot complete the request.", status=503)
        if fault is Fault.THROTTLED or not self._within_quota(call.operation):
            raise AwsError("ThrottlingException", "Rate exceeded")
        given = parameters(call)
        self._authorize(call, credential, given)
        if (refused := self.refuses(call.operation, given)) is not None:
            raise refused
        if fault is Fault.EXPIRED_TOKEN:
            raise invalid(INVALID_TOKEN)
        if call.service.name == "logs":
            take = None if self.faults is None or fault is None else self.faults.take(fault)
            body = self.logs.cached(call.operation, call.payload) if take is None else None
            if body is None:
                body = dump(self.logs.call(call.operation, given, take))
                if take is None:
                    self.logs.cache(call.operation, call.payload, body)
            return json_response(200, body, request_id)
        if call.service.name == "sts":
            return answer(call, self._identity(call, credential), request_id)
        store = self.scaling if call.service.name == "application-autoscaling" else self.jobs
        return answer(call, store.call(call.operation, given), request_id)

    def _authenticate(self, call: Call, headers: Mapping[str, str]) -> Credential:
        """Whose request it is. Its shape, scope and key are checked; its signature is not."""
        text = headers.get("authorization")
        if text is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
        parts = AUTHORIZATION.fullmatch(text)
        if parts is None or "x-amz-date" not in headers:
            raise AwsError("IncompleteSignatureException", "Authorization header is not that of Signature Version 4.")
        if parts["region"] != self.region:
            raise AwsError("InvalidSignatureException", "Credential should be scoped to a valid region.")
        if parts["service"] != call.service.name:
            message = f"Credential should be scoped to correct service: '{call.service.name}'."
            raise AwsError("InvalidSignatureException", message)
        credential = self.credentials.get(parts["key"])
        if credential is None or headers.get("x-amz-security-token") != credential.session_token:
            raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.")
        now = self.now()
        if any(since <= now < until for since, until in credential.expired):
            raise AwsError("ExpiredTokenException", "The security token included in the request is expired")
        return credential

    def _authorize(self, call: Call, credential: Credential, given: Mapping[str, Any]) -> None:
        action = f"{call.service.name}:{call.operation}"
        if not any(fnmatch.fnmatchcase(action, denied) for denied in credential.denied):
            return
        resource = "*"
        if call.service.name == "logs" and "logGroupName" in given:
            stream = given.get("logStreamName", "")
            resource = self.arn("logs", f"log-group:{given['logGroupName']}:log-stream:{stream}")
        elif call.service.name == "sagemaker":
            resource = self.jobs.target(call.operation, given)
        user = self.arn("iam", credential.principal)
        raise AwsError(
            "AccessDeniedException",
            f"User: {user} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action",
        )

    def _within_quota(self, operation: str) -> bool:
        """Take one request from the operation's bucket, which holds a second's worth."""
        rate = self.quotas.get(operation)
        if rate is None:
            return True
        now = self.now()
        level, at = self._buckets.get(operation, (rate, now))
        level = min(rate, level + (now - at) * rate)
        allowed = level >= 1
        self._buckets[operation] = (level - allowed, now)
        return allowed

    def _identity(self, call: Call, credential: Credential) -> dict[str, str]:
        if call.operation != "GetCallerIdentity":
            raise AwsError("UnknownOperationException", "")
        return {
            "UserId": f"AIDA{credential.access_key[4:]}",
            "Account": self.account_id,
            "Arn": self.arn("iam", credential.principal),
        }


@functools.cache
def _endpoints() -> Mapping[str, Any]:
    """botocore's partitions, with their regions.

    Not of a session, which would read the person's own configuration, and fail at a profile that is not in it.
    """
    from botocore.loaders import Loader

    endpoints: Mapping[str, Any] = Loader().load_data("endpoints")
    return endpoints


def _exists(region: str) -> bool:
    return any(region in partition["regions"] for partition in _endpoints()["partitions"])


@functools.cache
def _partition(region: str) -> str:
    from botocore.regions import EndpointResolver

    return str(EndpointResolver(_endpoints()).get_partition_for_region(region))


def application(account: Account, *elsewhere: Account, latency: float = 0.0) -> web.Application:
    """The account behind HTTP; it binds nothing itself. Each answer takes `latency` seconds more.

    A request is answered by the account in the region that it is signed for, `account` if there is none `elsewhere`.
    Of a region that AWS does not have there is no address: such a request gets no answer. A stalled one ends when the
    server does.
    """
    from aiohttp import web

    regions = {one.region: one for one in elsewhere}

    stopping = asyncio.Event()

    async def serve(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if latency:
            await asyncio.sleep(latency)
        signed = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        asked = regions.get(signed["region"], account) if signed else account
        try:
            if signed and signed["region"] != asked.region and not _exists(signed["region"]):
                raise Interrupted(Fault.RESET)
            response = asked.respond(request.method, request.raw_path, request.headers, body)
        except Interrupted as interruption:
            if interruption.fault is Fault.STALL:
                await stopping.wait()
            elif interruption.response is not None:
                await _send_half(request, interruption.response)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)  # nobody is left to read it
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    async def stop(_: web.Application) -> None:
        stopping.set()

    served = web.Application(client_max_size=1 << 22)
    served.router.add_route("*", "/{path:.*}", serve)
    served.on_shutdown.append(stop)
    return served


async def _send_half(request: web.Request, response: Response) -> None:
    from aiohttp import web

    cut = web.StreamResponse(status=response.status, headers=response.headers)
    cut.content_length = len(response.body)
    await cut.prepare(request)
    await cut.write(response.body[: len(response.body) // 2])
