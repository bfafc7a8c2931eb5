"""The operator's passes on a test's clock: doors to the sandbox's cluster and account, in this process, no sockets."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from kubectl_sagemaker import aws, kube
from kubectl_sagemaker.errors import Error, Unavailable
from kubectl_sagemaker.kinds import LEGACY
from kubectl_sagemaker.operator import objects, passes
from kubectl_sagemaker.operator.place import Refused
from kubectl_sagemaker.operator.rows import ROWS, Row
from kubectl_sagemaker.sandbox.access import MASTERS, User
from kubectl_sagemaker.sandbox.apiserver import Answer, Request, answer
from kubectl_sagemaker.sandbox.aws import AUTHORIZATION, SANDBOX, Account
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.resources import RESOURCES
from tests.transport import Clock, answering

START: Final = 1_750_000_000.0
TOKENS: Final = {"t": User("operator", (MASTERS,), "1")}
ROW: Final[Mapping[str, Row]] = {row.api.singular: row for row in ROWS if row.api.group is LEGACY}
"""The group's rows by what people type."""
WRITES: Final = ("Create", "Update", "Delete", "Stop", "Register", "Deregister", "Put")
"""How operations begin that change something."""


class Killed(BaseException):
    """The process dies right after a request was answered: whoever asked never knows."""


class Door(kube.Kube):
    """Kube without a network: the sandbox's API server answers in this process."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(kube.Connection())
        self._lab = lab

    def _open(self, refused: Any = None) -> Any:
        del refused
        if self._lab.cluster_away:
            raise Unavailable("cannot reach sandbox: it is away")
        return SimpleNamespace(access=SimpleNamespace(host="sandbox"), credentials=SimpleNamespace(renewable=False))

    def _send(self, session: Any, method: str, path: str, url: str, body: object | None) -> Any:
        del session
        kind = kube.CONTENT_TYPES.get(method, "application/json")
        data = b"" if body is None else json.dumps(body).encode()
        query = dict(parse_qsl(urlsplit(url).query))
        given = answer(self._lab.cluster, TOKENS, Request(method, path, query, data, kind, "application/json", "t"))
        assert isinstance(given, Answer)
        if method != "GET" and not path.endswith("/events"):
            self._lab.did(f"{method} {path.rpartition(LEGACY.version)[2]}")
        if self._lab.cluster_away:
            raise Unavailable("sandbox went away before its answer was read")
        return given.status, given.body, {"Content-Type": given.content_type}


_newest: list[Lab] = []


class _Aws(aws.Aws):
    """One that keeps its session, which answers in the network's place."""

    def renew(self) -> None:
        _newest[-1].renewals += 1


@functools.cache
def _door() -> aws.Aws:
    """One door to AWS for all labs: a session's models and clients are most of what a lab costs. The newest answers."""
    door = _Aws(aws.Account(region="us-west-2"))
    door.session.set_credentials(SANDBOX.access_key, SANDBOX.secret_key)

    def answer(request: Any, **event: Any) -> Any:
        return _newest[-1].answer(request, **event)

    door.session.register("before-send", answer)
    # botocore would sleep before it tries again, on no clock of the lab's: nine tenths of what these tests took.
    door.session.register("needs-retry.*.*", lambda **_: False)
    return door


def _shared(lab: Lab) -> aws.Aws:
    _newest[:] = [lab]
    return _door()


class Lab:
    """A cluster, an account and a clock; `look` is the operator's."""

    def __init__(self) -> None:
        self.clock = Clock(START)
        self.cluster = Cluster(now=self.clock)
        self.accounts: dict[str, Account] = {}
        """The account by region."""
        self.account = self.account_in("us-west-2")
        self.kube = Door(self)
        self.aws = _shared(self)
        self.unreachable: set[str] = set()
        """Regions that no request comes to."""
        self.fails: Callable[[str], Exception] | None = None
        """What every request to AWS fails with, of its URL."""
        self.failed = 0
        """How many have failed so."""
        self.renewals = 0
        """How often credentials were to be read anew."""
        self.cluster_away = False
        """Whether no request comes to the API server."""
        self.kills: Callable[[str], bool] = lambda step: False
        """Says of a request that changes something whether the process dies right after it."""
        self.steps: list[str] = []
        """Every request that changed something, in order."""

    def answer(self, request: Any, **event: Any) -> Any:
        """Answer a request of botocore's, in the network's place."""
        from botocore.exceptions import EndpointConnectionError

        header = request.headers["Authorization"]
        signed = AUTHORIZATION.fullmatch(header.decode() if isinstance(header, bytes) else header)
        account = self.account_in(signed["region"] if signed else self.account.region)
        if account.region in self.unreachable:
            raise EndpointConnectionError(endpoint_url=request.url)
        if self.fails is not None:
            self.failed += 1
            raise self.fails(request.url)
        given = answering(account, elapse=lambda seconds: None, latency=0, read_timeout=20)(request, **event)
        operation = event["event_name"].rpartition(".")[2]
        if operation.startswith(WRITES):
            self.did(operation)
        return given

    def did(self, step: str) -> None:
        """Note a request that changed something."""
        self.steps.append(step)
        if self.kills(step):
            raise Killed(step)

    def account_in(self, region: str) -> Account:
        """The account in a region."""
        if region not in self.accounts:
            self.accounts[region] = Account(now=self.clock, region=region)
        return self.accounts[region]

    # what a person does

    def apply(self, singular: str, name: str, spec: Mapping[str, Any], namespace: str = "default") -> dict[str, Any]:
        """Make an object."""
        api = ROW[singular].api
        body = {
            "apiVersion": f"{api.group.name}/{api.group.version}",
            "kind": api.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        return dict(self.cluster.create(RESOURCES[api.resource], namespace, body))

    def edit(self, singular: str, name: str, spec: Mapping[str, Any], namespace: str = "default") -> None:
        """Change members of an object's spec."""
        self.cluster.patch(RESOURCES[ROW[singular].api.resource], namespace, name, {"spec": spec})

    def delete(self, singular: str, name: str, namespace: str = "default") -> None:
        """Delete an object."""
        self.cluster.delete(RESOURCES[ROW[singular].api.resource], namespace, name)

    def get(self, singular: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """An object as it is."""
        return dict(self.cluster.get(RESOURCES[ROW[singular].api.resource], namespace, name))

    def status(self, singular: str, name: str) -> dict[str, Any]:
        """An object's status."""
        return dict(self.get(singular, name).get("status") or {})

    def all(self, singular: str) -> list[dict[str, Any]]:
        """Every object of a kind."""
        return [dict(thing) for thing in self.cluster.list(RESOURCES[ROW[singular].api.resource]).items]

    def there(self, singular: str, name: str) -> bool:
        """Whether an object is there."""
        return any(thing["metadata"]["name"] == name for thing in self.all(singular))

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """The events on an object: type, reason, message."""
        found = self.cluster.list(RESOURCES["events"]).items
        return [(e["type"], e["reason"], e["message"]) for e in found if e["involvedObject"]["name"] == name]

    # what the operator does

    def look(self, singular: str, name: str, namespace: str = "default") -> float | None:
        """One look at an object; seconds until the next."""
        again = passes.look(ROW[singular], self.get(singular, name, namespace), self.kube, self.aws, self.clock())
        return None if again is None else again - self.clock()

    def refused(self, singular: str, name: str) -> Error:
        """A look that AWS refuses; why."""
        try:
            self.look(singular, name)
        except Refused as refused:
            return refused.error
        raise AssertionError(f"{singular} {name} was not refused")

    def round(self) -> None:
        """One look at every object, as a control loop would after all of them have changed."""
        for singular in ROW:
            for thing in self.all(singular):
                try:
                    self.look(singular, thing["metadata"]["name"], thing["metadata"]["namespace"])
                except (Refused, Error):
                    continue

    def settle(self, rounds: int = 12, seconds: float = 5.0) -> None:
        """Look at everything again and again while time passes."""
        for _ in range(rounds):
            self.round()
            self.clock.advance(seconds)

    # what SageMaker does

    def refuse(self, operation: str, code: str, message: str = "no", *, status: int = 400) -> None:
        """Let an operation be refused from now on."""
        before = self.account.refuses
        self.account.refuses = lambda called, given: (
            AwsError(code, message, status=status) if called == operation else before(called, given)
        )

    def heal(self) -> None:
        """Let everything be answered again."""
        self.account.refuses = lambda called, given: None

    def sagemaker(self, kind: str, name: str) -> dict[str, Any] | None:
        """What SageMaker knows of a job; None if it has no such job."""
        try:
            return self.account.jobs.state(kind, name)
        except AwsError:
            return None

    def asked(self, operation: str) -> int:
        """How often an operation was called."""
        return sum(served.operation == operation for served in self.account.journal)

    def granted(self, operation: str) -> int:
        """How often it was called and not refused."""
        return sum((one.operation, one.outcome) == (operation, "ok") for one in self.account.journal)


__all__ = ["ROW", "START", "Killed", "Lab", "objects"]
