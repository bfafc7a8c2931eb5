"""How the embedded Kubernetes API says no: every refusal, in the real server's words.

Each function gives the exception to raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from kubectl_sagemaker.sandbox.resources import Resource


class Refused(Exception):
    """A request that the API server refuses, with what its Status object tells."""

    def __init__(self, code: HTTPStatus, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = int(code)
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        """The Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({} if self.details is None else {"details": self.details}),
            "code": self.code,
        }


def details(resource: Resource, name: str = "") -> dict[str, str]:
    """A Status' details: what it is about."""
    about = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in about.items() if value}


def bad_request(message: str) -> Refused:
    """400: the request makes no sense, whatever the cluster holds."""
    return Refused(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> Refused:
    """401: a token that nobody knows."""
    return Refused(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str) -> Refused:
    """403: it is known who asks, or what for, and that it may not be."""
    subject = f'{resource.name} "{name}"' if name else resource.name
    message = f"{subject} is forbidden: {why}"
    return Refused(HTTPStatus.FORBIDDEN, "Forbidden", message, details(resource, name))


def forbidden_path(why: str) -> Refused:
    """403 for a path that leads to no resource."""
    return Refused(HTTPStatus.FORBIDDEN, "Forbidden", f"forbidden: {why}", {})


def not_found(resource: Resource, name: str) -> Refused:
    """404: no such object."""
    return Refused(HTTPStatus.NOT_FOUND, "NotFound", f'{resource.name} "{name}" not found', details(resource, name))


def method_not_allowed() -> Refused:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return Refused(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {})


def not_acceptable(*types: str) -> Refused:
    """406: the caller reads none of the media types that there are."""
    message = f"only the following media types are accepted: {', '.join(types)}"
    return Refused(HTTPStatus.NOT_ACCEPTABLE, "NotAcceptable", message)


def already_exists(resource: Resource, name: str) -> Refused:
    """409 on creation."""
    message = f'{resource.name} "{name}" already exists'
    return Refused(HTTPStatus.CONFLICT, "AlreadyExists", message, details(resource, name))


def conflict(resource: Resource, name: str) -> Refused:
    """409 on a change: the object is a later one than the caller thinks."""
    message = (
        f'Operation cannot be fulfilled on {resource.name} "{name}": '
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    return Refused(HTTPStatus.CONFLICT, "Conflict", message, details(resource, name))


def expired(message: str) -> Refused:
    """410: what the caller goes on from is no longer known."""
    return Refused(HTTPStatus.GONE, "Expired", message)


def unsupported_media_type(*types: str) -> Refused:
    """415: the body is of none of the types that can be read."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(types)}"
    return Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)


def invalid(resource: Resource, name: str, field: str, why: str, *, reason: str = "FieldValueInvalid") -> Refused:
    """422: the object's field `field`, a dotted path, breaks a rule."""
    title = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    about = {
        **details(resource, name),
        "kind": resource.kind,
        "causes": [{"reason": reason, "message": why, "field": field}],
    }
    message = f'{title} "{name}" is invalid: {field}: {why}'
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, about)


def invalid_options(why: str) -> Refused:
    """422: the request's own parameters break a rule."""
    message = f'PatchOptions.meta.k8s.io "" is invalid: {why}'
    about = {"group": "meta.k8s.io", "kind": "PatchOptions"}
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, about)


def unprocessable() -> Refused:
    """422 for a JSON patch that does not fit: the real server says no more either."""
    message = "the server rejected our request due to an error in our request"
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, {})
