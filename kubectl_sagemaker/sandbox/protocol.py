"""AWS's wire formats: a request read and checked, and an answer written, by botocore's own service models."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AwsError(Exception):
    """An error that AWS would answer with; `code` is its name on the wire."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Service:
    """A row: an AWS service, and what differs between services on the wire."""

    name: str
    """botocore's name, which is also what requests are signed for and what permissions begin with."""
    invalid: str
    """The code of a parameter outside its constraints."""


SERVICES: Final = (
    Service("application-autoscaling", invalid="ValidationException"),
    Service("logs", invalid="InvalidParameterException"),
    Service("sagemaker", invalid="ValidationException"),
    Service("sts", invalid="ValidationError"),
)

# The query protocol has its own words for the same refusals, and its own status.
QUERY_CODES: Final[Mapping[str, tuple[str, int]]] = {
    "ExpiredTokenException": ("ExpiredToken", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "AccessDeniedException": ("AccessDenied", 403),
    "ThrottlingException": ("Throttling", 400),
    "UnknownOperationException": ("InvalidAction", 400),
}


@functools.cache
def model(service: str) -> Any:
    """botocore's ServiceModel of `service`."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service_name=service)


@functools.cache
def operation_model(service: str, operation: str) -> Any | None:
    """botocore's OperationModel, or None if the service has no such operation."""
    known = model(service)
    return known.operation_model(operation) if operation in known.operation_names else None


def is_query(service: Service) -> bool:
    """Whether the service speaks the query protocol: forms in, XML out."""
    return str(model(service.name).metadata["protocol"]) == "query"


@dataclass(frozen=True, slots=True)
class Call:
    """One request's meaning before its parameters are checked."""

    service: Service
    operation: str
    payload: bytes


def route(headers: Mapping[str, str], body: bytes) -> Call:
    """Find out what is called, by the target header of the json protocol or the form of the query protocol.

    `headers` has lower-case names. Raise AwsError(UnknownOperationException) for anything else.
    """
    target = headers.get("x-amz-target")
    if target is not None:
        prefix, _, operation = target.partition(".")
        for service in SERVICES:
            if model(service.name).metadata.get("targetPrefix") == prefix:
                return Call(service, operation, body)
    elif headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        for service in SERVICES:
            metadata = model(service.name).metadata
            if is_query(service) and metadata["apiVersion"] == form.get("Version"):
                rest = {name: value for name, value in form.items() if name not in {"Action", "Version"}}
                return Call(service, form.get("Action", ""), dump(rest))
    raise AwsError("UnknownOperationException", "the sandbox serves none of what this request asks for", status=404)


def parameters(call: Call) -> dict[str, Any]:
    """Read and check a request's parameters by the operation's input shape; timestamps are epoch seconds.

    Raise AwsError: UnknownOperationException, SerializationException, or the service's own code for a parameter
    outside its constraints.
    """
    operation = operation_model(call.service.name, call.operation)
    if operation is None:
        raise AwsError("UnknownOperationException", "", status=404 if is_query(call.service) else 400)
    try:
        value = load(call.payload or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", str(error)) from None
    if operation.input_shape is None:
        return {}
    violations: list[str] = []
    check(operation.input_shape, value, "", violations)
    if violations:
        count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected: "
        raise AwsError(call.service.invalid, count + "; ".join(violations))
    return dict(value)


JSON_TYPES: Final[Mapping[str, tuple[type[Any], ...]]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


def check(shape: Any, value: Any, path: str, violations: list[str]) -> None:
    """Hold a JSON value against a shape: append what violates its constraints, raise what is of another type.

    A member that the shape doesn't have raises too. AWS ignores such members; here a misspelt one shall not pass.
    """
    kind: str = shape.type_name
    if not isinstance(value, JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise AwsError("SerializationException", f"{path or 'the request'} is not of type {kind}")
    violations.extend(_violations(shape, value, path))
    if kind == "structure":
        unknown = sorted(value.keys() - shape.members.keys())
        if unknown:
            raise AwsError("SerializationException", f"{shape.name} has no member {', '.join(unknown)}")
        for name in shape.required_members:
            if value.get(name) is None:
                at = _join(path, name)
                violations.append(f"Value null at '{at}' failed to satisfy constraint: Member must not be null")
        for name, member in value.items():
            if member is not None:
                check(shape.members[name], member, _join(path, name), violations)
    elif kind == "list":
        for index, member in enumerate(value, 1):
            check(shape.member, member, f"{path}.{index}.member", violations)
    elif kind == "map":
        for name, member in value.items():
            check(shape.key, name, f"{path}.key", violations)
            check(shape.value, member, f"{path}.{name}.member", violations)


def _join(path: str, member: str) -> str:
    name = member[:1].lower() + member[1:]
    return f"{path}.{name}" if path else name


def _violations(shape: Any, value: Any, path: str) -> list[str]:
    metadata = shape.metadata
    number = shape.type_name in {"integer", "long", "float", "double"}
    what, size = ("value", value) if number else ("length", len(value) if hasattr(value, "__len__") else 0)
    found = []
    if size < metadata.get("min", size):
        found.append(f"Member must have {what} greater than or equal to {metadata['min']}")
    if size > metadata.get("max", size):
        found.append(f"Member must have {what} less than or equal to {metadata['max']}")
    if shape.type_name == "string":
        pattern = _pattern(metadata.get("pattern", ""))
        if pattern is not None and not pattern.fullmatch(value):
            found.append(f"Member must satisfy regular expression pattern: {metadata['pattern']}")
        if metadata.get("enum") and value not in metadata["enum"]:
            found.append(f"Member must satisfy enum value set: [{', '.join(metadata['enum'])}]")
    shown = value if isinstance(value, str | int | float) else json.dumps(value, default=str)
    return [f"Value '{shown}' at '{path}' failed to satisfy constraint: {rule}" for rule in found]


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """A shape's pattern; None where it is empty or uses Java's own classes, such as \\p{L} (18 of SageMaker's)."""
    try:
        return re.compile(text) if text else None
    except re.error:
        return None


def select(shape: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are set and that the structure has."""
    return {name: values[name] for name in shape.members if values.get(name) is not None}


def fit(shape: Any, value: Any) -> Any:
    """Return what of a JSON value the shape has, all the way down: what Describe shows of what Create was given."""
    if shape.type_name == "structure":
        return {name: fit(shape.members[name], item) for name, item in value.items() if name in shape.members}
    if shape.type_name == "list":
        return [fit(shape.member, item) for item in value]
    return value


def answer(call: Call, result: Mapping[str, Any], request_id: str) -> Response:
    """Write an operation's result, of JSON values with timestamps as epoch seconds."""
    if not is_query(call.service):
        return json_response(200, dump(result), request_id)
    namespace = model(call.service.name).metadata["xmlNamespace"]
    members = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in result.items())
    name = call.operation
    return _xml_response(
        200,
        f'<{name}Response xmlns="{namespace}"><{name}Result>{members}</{name}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>",
        request_id,
    )


def refusal(service: Service | None, error: AwsError, request_id: str) -> Response:
    """Write an error as the service's protocol has it; without a service, as the json protocol has it."""
    if service is None or not is_query(service):
        body = dump({"__type": error.code, "message": error.message})
        return json_response(error.status, body, request_id)
    code, status = QUERY_CODES.get(error.code, (error.code, error.status))
    namespace = model(service.name).metadata["xmlNamespace"]
    return _xml_response(
        status,
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{"Sender" if status < 500 else "Receiver"}</Type>'
        f"<Code>{code}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>",
        request_id,
    )


def dump(value: Any) -> bytes:
    """JSON; with escapes where a message has a lone surrogate, which orjson refuses and AWS may send."""
    import orjson

    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode("ascii")


def load(body: bytes) -> Any:
    """Read JSON; raise ValueError."""
    import orjson

    return orjson.loads(body)


def json_response(status: int, body: bytes, request_id: str) -> Response:
    """An answer of the json protocol whose body is encoded already."""
    return Response(status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": request_id}, body)


def _xml_response(status: int, text: str, request_id: str) -> Response:
    return Response(status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, text.encode())
