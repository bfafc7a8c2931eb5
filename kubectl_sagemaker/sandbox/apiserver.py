"""A request to the embedded Kubernetes API, answered from a Cluster: values in, values out.

kubernetes.py brings requests from the network and takes the answers there.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from kubectl_sagemaker.sandbox import access, protobuf, refusals, roles, selectors, tables
from kubectl_sagemaker.sandbox.cluster import Cluster, Event, Object, seen
from kubectl_sagemaker.sandbox.discovery import DOCUMENTS, STATUS_VERBS
from kubectl_sagemaker.sandbox.resources import RESOURCES, Resource

JSON: Final = "application/json"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
TEXT: Final = "text/plain; charset=utf-8"

HEALTH_PATHS: Final = ("/healthz", "/livez", "/readyz")
UNNAMED_VERBS: Final = ("create", "deletecollection", "list", "watch")

WATCH_SECONDS: Final = 1800.0
"""How long a watch stays open whose caller does not say."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, off the network; `token` is None when there is none."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = b""
    content_type: str = ""
    accept: str = ""
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, ready for the network."""

    status: int
    body: bytes
    content_type: str = JSON


PAGE_NOT_FOUND: Final = Answer(HTTPStatus.NOT_FOUND, b"404 page not found\n", TEXT)


@dataclass(frozen=True, slots=True)
class Watch:
    """An answer that goes on: a line for each event of a resource, for so many seconds.

    Without `since`, the objects that exist come first. `line` gives None for an event that is not selected.
    """

    resource: Resource
    since: int | None
    seconds: float
    line: Callable[[Event], bytes | None]
    bookmarked: bool
    """Whether a bookmark tells that the objects that exist are all sent."""

    def bookmark(self, version: int) -> bytes:
        """The line that ends the first objects."""
        metadata = {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}}
        return event_line(
            "BOOKMARK",
            {"apiVersion": self.resource.api_version, "kind": self.resource.kind, "metadata": metadata},
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is allowed, about a resource that is served."""

    cluster: Cluster
    request: Request
    resource: Resource
    namespace: str
    name: str
    subresource: str
    as_table: bool
    """Whether objects are answered as a Table."""

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be stored."""
        return self.request.query.get("dryRun") == "All"


def answer(cluster: Cluster, tokens: Mapping[str, access.User], request: Request) -> Answer | Watch:
    """Answer a request as the user whose token it carries."""
    try:
        user = access.ANONYMOUS if request.token is None else tokens.get(request.token)
        if user is None:
            raise refusals.unauthorized()
        attributes = access.read(request.method, request.path, watch=request.query.get("watch") in {"1", "true"})
        granted = roles.granted(cluster, user)
        attributes.check(user, granted)
        if not attributes.resource:
            return _document(attributes)
        resource = RESOURCES.get(attributes.resource_name)
        if resource is None or not _is_served(resource, attributes):
            return PAGE_NOT_FOUND
        verbs = STATUS_VERBS if attributes.subresource else resource.verbs
        if attributes.verb not in verbs or bool(attributes.name) == (attributes.verb in UNNAMED_VERBS):
            raise refusals.method_not_allowed()
        if review := access.REVIEWS.get(resource.name):
            question = _body(request)
            return _json({**question, "status": review(user, granted, question)}, HTTPStatus.CREATED)
        namespace = attributes.namespace if resource.namespaced else ""
        call = Call(
            cluster,
            request,
            resource,
            namespace,
            attributes.name,
            attributes.subresource,
            as_table=_wants_table(request.accept),
        )
        return VERBS[attributes.verb](call)
    except refusals.Refused as refused:
        return _json(refused.status(), refused.code)


def event_line(kind: str, thing: Mapping[str, Any]) -> bytes:
    """A line of a watch."""
    return _encoded({"type": kind, "object": thing}) + b"\n"


def _document(attributes: access.Attributes) -> Answer:
    if attributes.path in HEALTH_PATHS:
        return Answer(HTTPStatus.OK, b"ok", TEXT)
    document = DOCUMENTS.get(attributes.path)
    return _json(document) if document and attributes.verb == "get" else PAGE_NOT_FOUND


def _is_served(resource: Resource, attributes: access.Attributes) -> bool:
    if attributes.version != resource.version or attributes.subresource not in _subresources(resource):
        return False
    # Only lists go over all namespaces.
    return not resource.namespaced or bool(attributes.namespace) or attributes.verb in {"list", "watch"}


def _subresources(resource: Resource) -> tuple[str, ...]:
    return ("", "status") if resource.with_status else ("",)


def _get(call: Call) -> Answer:
    thing = call.cluster.get(call.resource, call.namespace, call.name)
    return _object(call, thing)


def _list(call: Call) -> Answer:
    page = call.cluster.list(
        call.resource,
        call.namespace,
        _selects(call),
        limit=_number(call, "limit"),
        continuation=call.request.query.get("continue", ""),
    )
    metadata: dict[str, Any] = {"resourceVersion": str(page.version), "continue": page.continuation}
    if page.remaining:
        metadata["remainingItemCount"] = page.remaining
    if call.as_table:
        return _json(_table(call, page.items, metadata))
    return _json_list(call, page.items, metadata)


def _watch(call: Call) -> Watch:
    query = call.request.query
    namespace, selects = call.namespace, _selects(call)
    headed = itertools.chain([True], itertools.repeat(False))

    def wanted(thing: Object) -> bool:
        return (not namespace or thing["metadata"]["namespace"] == namespace) and selects(thing)

    def line(event: Event) -> bytes | None:
        sight = seen(event, wanted)
        if sight is None:
            return None
        kind, thing = sight
        if not call.as_table:
            return event_line(kind, thing)
        metadata = {"resourceVersion": thing["metadata"]["resourceVersion"]}
        return event_line(kind, _table(call, [thing], metadata, headed=next(headed)))

    from_start = query.get("resourceVersion") in {None, "", "0"} or query.get("sendInitialEvents") == "true"
    return Watch(
        call.resource,
        None if from_start else _number(call, "resourceVersion"),
        _number(call, "timeoutSeconds") or WATCH_SECONDS,
        line,
        bookmarked=from_start and query.get("allowWatchBookmarks") in {"1", "true"},
    )


def _create(call: Call) -> Answer:
    thing = call.cluster.create(call.resource, call.namespace, _body(call.request), dry_run=call.dry_run)
    return _object(call, thing, HTTPStatus.CREATED)


def _update(call: Call) -> Answer:
    thing = call.cluster.replace(
        call.resource,
        call.namespace,
        call.name,
        _body(call.request),
        subresource=call.subresource,
        dry_run=call.dry_run,
    )
    return _object(call, thing)


def _patch(call: Call) -> Answer:
    media_type = _media_type(call.request)
    if media_type == APPLY_PATCH:
        return _apply(call)
    # As in a real server, only what is built in has the keys by which a strategic patch merges lists.
    known = [JSON_PATCH, MERGE_PATCH, *([] if call.resource.custom else [STRATEGIC_PATCH]), APPLY_PATCH]
    if media_type not in known:
        raise refusals.unsupported_media_type(*known)
    patch = _parsed(call.request.body)
    if not isinstance(patch, list if media_type == JSON_PATCH else dict):
        raise refusals.bad_request("error decoding patch: it is of another JSON type")
    thing = call.cluster.patch(
        call.resource,
        call.namespace,
        call.name,
        patch,
        strategic=media_type == STRATEGIC_PATCH,
        subresource=call.subresource,
        dry_run=call.dry_run,
    )
    return _object(call, thing)


def _apply(call: Call) -> Answer:
    """Server-side apply, of which the body is YAML, but JSON from most clients."""
    manager = call.request.query.get("fieldManager")
    if not manager:
        raise refusals.invalid_options("fieldManager: Required value: is required for apply patch")
    try:
        config = json.loads(call.request.body)
    except ValueError:
        config = _yaml(call.request.body)
    if not isinstance(config, dict):
        raise refusals.bad_request("error decoding YAML: it is no object")
    thing, created = call.cluster.apply(
        call.resource,
        call.namespace,
        call.name,
        config,
        manager=manager,
        subresource=call.subresource,
        dry_run=call.dry_run,
    )
    return _object(call, thing, HTTPStatus.CREATED if created else HTTPStatus.OK)


def _yaml(text: bytes) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise refusals.bad_request(f"error decoding YAML: {error}") from error


def _delete(call: Call) -> Answer:
    thing = call.cluster.delete(call.resource, call.namespace, call.name, dry_run=_is_dry_deletion(call))
    metadata = thing["metadata"]
    if not call.resource.custom or metadata.get("finalizers"):
        return _object(call, thing)
    about = {**refusals.details(call.resource, call.name), "uid": metadata["uid"]}
    return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about})


def _delete_collection(call: Call) -> Answer:
    dry_run = _is_dry_deletion(call)
    page = call.cluster.list(call.resource, call.namespace, _selects(call))
    for thing in page.items:
        metadata = thing["metadata"]
        call.cluster.delete(call.resource, metadata["namespace"], metadata["name"], dry_run=dry_run)
    return _json_list(call, page.items, {"resourceVersion": str(page.version)})


VERBS: Final[Mapping[str, Callable[[Call], Answer | Watch]]] = MappingProxyType(
    {
        "create": _create,
        "delete": _delete,
        "deletecollection": _delete_collection,
        "get": _get,
        "list": _list,
        "patch": _patch,
        "update": _update,
        "watch": _watch,
    }
)


def _is_dry_deletion(call: Call) -> bool:
    """Whether nothing is to be deleted: DeleteOptions, which may be the body, say it too."""
    options = _body(call.request) if call.request.body else {}
    return call.dry_run or options.get("dryRun") == ["All"]


def _selects(call: Call) -> selectors.Selects:
    query = call.request.query
    try:
        labelled = selectors.labels(query.get("labelSelector", ""))
        having = selectors.fields(query.get("fieldSelector", ""), call.resource.fields)
    except selectors.BadSelector as error:
        raise refusals.bad_request(str(error)) from error
    return lambda thing: labelled(thing) and having(thing)


def _number(call: Call, name: str) -> int:
    text = call.request.query.get(name) or "0"
    if not text.isdecimal():
        raise refusals.bad_request(f'{name}: Invalid value: "{text}": invalid syntax')
    return int(text)


def _media_type(request: Request) -> str:
    return request.content_type.partition(";")[0].strip()


def _body(request: Request) -> dict[str, Any]:
    """The object that a request brings."""
    match _media_type(request):
        case "" | "application/json":
            thing = _parsed(request.body)
        case "application/vnd.kubernetes.protobuf":
            try:
                thing = protobuf.read(request.body)
            except protobuf.Unreadable as error:
                raise refusals.bad_request(f"the object provided is unrecognized: {error}") from error
        case _:
            raise refusals.unsupported_media_type(JSON, PROTOBUF)
    if not isinstance(thing, dict):
        raise refusals.bad_request("the object provided is unrecognized: it is no JSON object")
    return thing


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise refusals.bad_request(f"json parse error: {error}") from error


def _wants_table(accept: str) -> bool:
    """Whether the first media type of an Accept header that can be served is a Table; it is JSON otherwise."""
    for choice in (accept or JSON).split(","):
        media_type, *parameters = (part.strip() for part in choice.split(";"))
        if media_type not in {JSON, "application/*", "*/*"}:
            continue
        given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        if given.get("as") == "Table" and given.get("v") == "v1":
            return True
        if "as" not in given:
            return False
    raise refusals.not_acceptable(JSON)


def _object(call: Call, thing: Object, status: int = HTTPStatus.OK) -> Answer:
    if not call.as_table:
        return _json(thing, status)
    metadata = {"resourceVersion": thing["metadata"].get("resourceVersion", "")}  # a dry creation has none
    return _json(_table(call, [thing], metadata), status)


def _table(
    call: Call, objects: Sequence[Object], metadata: Mapping[str, Any], *, headed: bool = True
) -> Mapping[str, Any]:
    include = call.request.query.get("includeObject", "Metadata")
    return tables.table(
        call.resource, objects, metadata=metadata, now=call.cluster.now(), include=include, headed=headed
    )


def _json_list(call: Call, items: Sequence[Object], metadata: Mapping[str, Any]) -> Answer:
    resource = call.resource
    return _json(
        {"apiVersion": resource.api_version, "kind": f"{resource.kind}List", "metadata": metadata, "items": items}
    )


def _json(value: Any, status: int = HTTPStatus.OK) -> Answer:
    return Answer(int(status), _encoded(value))


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
