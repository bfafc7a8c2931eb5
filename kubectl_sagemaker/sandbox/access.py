"""Who asks the embedded Kubernetes API, what for, and whether they may.

Authorization comes before routing, as in the real server: who may not read a resource is told 403 whether it is
served or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from kubectl_sagemaker.sandbox import refusals
from kubectl_sagemaker.sandbox.resources import Resource


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a role: every verb on every resource of every API group that it names; `*` is any."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """The only objects that it is about; none: all."""
    namespace: str = ""
    """Where alone it holds; empty: everywhere."""

    def covers(self, attributes: Attributes) -> bool:
        """Whether it allows what a request asks of a resource."""
        subject = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
        asked = ((self.groups, attributes.group), (self.resources, subject), (self.verbs, attributes.verb))
        return (
            all(word in words or "*" in words for words, word in asked)
            and (not self.names or attributes.name in self.names)
            and self.namespace in {"", attributes.namespace}
        )


@dataclass(frozen=True, slots=True)
class User:
    """Somebody known. The group `system:masters` may do everything; others may find out what is served, and `rules`."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Their groups, with the one of everybody who is known."""
        return self.groups if self == ANONYMOUS else (*self.groups, "system:authenticated")


MASTERS: Final = "system:masters"
ANONYMOUS: Final = User("system:anonymous", ("system:unauthenticated",))
"""Who sends no token."""

PUBLIC_PATHS: Final = ("/healthz", "/livez", "/readyz", "/version")
DISCOVERY_PATHS: Final = ("/api", "/apis", "/openapi")

VERB_OF_METHOD: Final[Mapping[str, str]] = MappingProxyType(
    {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request is about. Without `resource` it is about `path`, a document."""

    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource_name(self) -> str:
        """`plural.group`, as in Resource.name."""
        return self._as_resource().name

    def _as_resource(self) -> Resource:
        return Resource(self.group, self.version, self.resource, kind="")

    def check(self, user: User, granted: Iterable[Rule] = ()) -> None:
        """Raise 403 unless `user`, who has been granted more than his own rules, may do this."""
        if allowed(user, self, granted):
            return
        if not self.resource:
            raise refusals.forbidden_path(f'User "{user.name}" cannot {self.verb} path "{self.path}"')
        subject = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {self.verb} resource "{subject}" in API group "{self.group}" {scope}'
        raise refusals.forbidden(self._as_resource(), self.name, why)


def read(method: str, path: str, *, watch: bool) -> Attributes:
    """Read a request's attributes off its method and path, as k8s.io/apiserver's RequestInfo does."""
    verb = VERB_OF_METHOD.get(method, method.lower())
    group = ""
    match [unquote(word) for word in path.strip("/").split("/")]:
        case ["api", version, *words] if words:
            pass
        case ["apis", group, version, *words] if words:
            pass
        case _:
            return Attributes(verb, path.rstrip("/") or "/")
    namespace = ""
    match words:
        case ["namespaces", namespace, inner, *_] if inner not in {"status", "finalize"}:
            words = words[2:]
        case ["namespaces", namespace, *_]:
            pass  # a namespace is in itself, as far as rights go
    resource, name, subresource = (*words, "", "")[:3]
    if not name and verb == "get":
        verb = "watch" if watch else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    return Attributes(verb, path, group, version, namespace, resource, name, subresource)


def allowed(user: User, attributes: Attributes, granted: Iterable[Rule] = ()) -> bool:
    """Whether a user may do what a request asks, by his own rules and those that he has been granted."""
    if MASTERS in user.groups:
        return True
    known = user is not ANONYMOUS
    if attributes.resource:
        if any(rule.covers(attributes) for rule in (*user.rules, *granted)):
            return True
        return known and attributes.verb == "create" and attributes.resource_name in REVIEWS
    paths = (*PUBLIC_PATHS, *DISCOVERY_PATHS) if known else PUBLIC_PATHS
    inside = any(attributes.path == path or attributes.path.startswith(f"{path}/") for path in paths)
    return attributes.verb == "get" and inside


def _review_access(user: User, granted: Iterable[Rule], review: Mapping[str, Any]) -> dict[str, Any]:
    """`kubectl auth can-i`."""
    spec = review.get("spec") or {}
    about = spec.get("resourceAttributes") or spec.get("nonResourceAttributes") or {}
    known = {field: str(about[field]) for field in Attributes.__dataclass_fields__ if field in about}
    return {"allowed": allowed(user, Attributes(**{"verb": "", **known}), granted)}


def _review_user(user: User, _: Iterable[Rule], __: Mapping[str, Any]) -> dict[str, Any]:
    """`kubectl auth whoami`."""
    return {"userInfo": {"username": user.name, "uid": user.uid, "groups": user.all_groups}}


REVIEWS: Final[Mapping[str, Callable[[User, Iterable[Rule], Mapping[str, Any]], dict[str, Any]]]] = MappingProxyType(
    {
        "selfsubjectaccessreviews.authorization.k8s.io": _review_access,
        "selfsubjectreviews.authentication.k8s.io": _review_user,
    }
)
"""Resources that hold no objects: creating one asks a question. Each gives the answer's status."""
