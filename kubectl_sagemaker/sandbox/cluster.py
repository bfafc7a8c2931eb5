"""The embedded cluster's objects, kept in memory by the rules of a Kubernetes API server.

No request and no connection is known here: apiserver.py does over HTTP what Python callers do with `Cluster`.
Objects are JSON values. One that a method returns is the stored one and never changes: read it, don't write to it.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import secrets
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubectl_sagemaker.sandbox import patches, selectors
from kubectl_sagemaker.sandbox.refusals import (
    already_exists,
    bad_request,
    conflict,
    expired,
    forbidden,
    invalid,
    not_found,
    unprocessable,
)
from kubectl_sagemaker.sandbox.resources import RESOURCES, Resource

Object = Mapping[str, Any]

NAMESPACES: Final = RESOURCES["namespaces"]
DEFINITIONS: Final = RESOURCES["customresourcedefinitions.apiextensions.k8s.io"]
FIRST_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")

HISTORY: Final = 10_000
"""Events that are kept for watchers that start late; one that is older is told 410."""

LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""A namespace's name."""
SUBDOMAIN: Final = rf"{LABEL}(\.{LABEL})*"
"""Every other name."""
SET_BY_SERVER: Final = (
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
)
"""Metadata that no caller can change."""
GENERATED: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Letters of a generated name's end: no vowels, hence no words."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change: `type` is ADDED, MODIFIED or DELETED; `previous` is the object before a MODIFIED."""

    type: str
    resource: Resource
    object: Object
    version: int
    previous: Object | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a part of one: `continuation` gives the next part, and is empty at the end."""

    items: Sequence[Object]
    version: int
    continuation: str = ""
    remaining: int = 0
    """How many objects follow this page."""


def key_of(thing: Object) -> str:
    """`NAMESPACE/NAME`: objects are listed in its order, as in etcd."""
    metadata = thing["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def seen(event: Event, selects: selectors.Selects) -> tuple[str, Object] | None:
    """What somebody who watches a selection sees of an event: its type and object, or None.

    An object that a change moves into the selection is ADDED, one that it moves out is DELETED.
    """
    now = selects(event.object)
    if event.type != "MODIFIED" or event.previous is None:
        return (event.type, event.object) if now else None
    before = selects(event.previous)
    if now:
        return ("MODIFIED" if before else "ADDED"), event.object
    return ("DELETED", event.object) if before else None


class Cluster:
    """Objects by resource, namespace and name. Its methods may be called from any thread.

    `now` gives seconds since the epoch; `history` is how many events a late watcher can still be told.
    """

    def __init__(self, *, now: Callable[[], float], history: int = HISTORY) -> None:
        self._now = now
        self._objects: dict[str, dict[str, Object]] = {name: {} for name in RESOURCES}
        self._history: deque[Event] = deque(maxlen=history)
        self._watchers: dict[object, tuple[Resource, Callable[[Event], None]]] = {}
        self._applied: dict[str, dict[str, Object]] = {}
        """What each manager applied last, by the object's uid."""
        self._version = 0
        self._lock = threading.RLock()
        for name in FIRST_NAMESPACES:
            self.create_namespace(name)

    @property
    def version(self) -> int:
        """The resource version of the newest change."""
        return self._version

    def now(self) -> float:
        """The cluster's time, in seconds since the epoch."""
        return self._now()

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return one object; `namespace` is empty for what has none."""
        try:
            return self._objects[resource.name][f"{namespace}/{name}"]
        except KeyError:
            raise not_found(resource, name) from None

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        selects: selectors.Selects = selectors.everything,
        *,
        limit: int = 0,
        continuation: str = "",
    ) -> Page:
        """Return the selected objects of one namespace, or of all; at most `limit` of them if it is above 0."""
        with self._lock:
            version, start = self._continued(continuation) if continuation else (self._version, "")
            objects = self._objects[resource.name]
            keys = sorted(
                key for key in objects if key > start and key.startswith(f"{namespace}/" if namespace else "")
            )
            items = [objects[key] for key in keys if selects(objects[key])]
        if not limit or len(items) <= limit:
            return Page(items, version)
        token = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": key_of(items[limit - 1])})
        return Page(
            items[:limit], version, base64.urlsafe_b64encode(token.encode()).decode(), remaining=len(items) - limit
        )

    def create(self, resource: Resource, namespace: str, thing: Object, *, dry_run: bool = False) -> Object:
        """Store a new object, and return it as it is stored. A status is ignored: patch it afterwards."""
        with self._lock:
            new = copy.deepcopy(dict(thing))
            given = _metadata(new)
            if not given.get("name") and given.get("generateName"):
                given["name"] = given["generateName"] + "".join(secrets.choice(GENERATED) for _ in range(5))
            name = given.get("name") or ""
            _check(resource, namespace, name, new)
            if resource.namespaced:
                self._check_namespace(resource, namespace, name)
            if f"{namespace}/{name}" in self._objects[resource.name]:
                raise already_exists(resource, name)
            new["metadata"] = {
                **_without(given, "managedFields", *SET_BY_SERVER),
                **({"namespace": namespace} if resource.namespaced else {}),
                **({"generation": 1} if resource.with_status else {}),
                "uid": str(uuid.uuid4()),
                "creationTimestamp": self._timestamp(),
            }
            if resource.with_status:
                new.pop("status", None)
            if resource is DEFINITIONS:
                new["status"] = _established(new)
            elif resource is NAMESPACES:
                labels = {**(given.get("labels") or {}), "kubernetes.io/metadata.name": name}
                new["metadata"]["labels"] = labels
                new |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
            return self._store(resource, "ADDED", new, dry_run=dry_run)

    def create_namespace(self, name: str) -> Object:
        """Make a namespace."""
        return self.create(NAMESPACES, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        thing: Object,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Put `thing` in an object's place; its resourceVersion must be the object's."""
        with self._lock:
            _check(resource, namespace, name, thing)
            old = self.get(resource, namespace, name)
            if resource.custom and not thing["metadata"].get("resourceVersion"):
                why = "Invalid value: 0: must be specified for an update"
                raise invalid(resource, name, "metadata.resourceVersion", why)
            return self._update(resource, old, copy.deepcopy(dict(thing)), subresource, dry_run=dry_run)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        strategic: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Change an object by a merge patch (a mapping, which may be a strategic one) or a JSON patch (a list)."""
        with self._lock:
            old = self.get(resource, namespace, name)
            try:
                if not isinstance(patch, Mapping):
                    new = patches.apply(old, patch)
                else:
                    new = patches.strategic(old, patch) if strategic else patches.merge(old, patch)
            except patches.BadPatch as error:
                raise unprocessable() from error
            _check(resource, namespace, name, new)
            return self._update(resource, old, new, subresource, dry_run=dry_run)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        config: Mapping[str, Any],
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
    ) -> tuple[Object, bool]:
        """Apply server-side: make the object, or bring it to what is applied; return it, and whether it is new.

        What the same manager applied before and applies no more goes. Unlike in a real server, lists are replaced
        whole, and no field is anybody's own: nothing conflicts.
        """
        with self._lock:
            _check(resource, namespace, name, config)
            known = self._objects[resource.name].get(f"{namespace}/{name}")
            if known is None:
                thing = self.create(resource, namespace, config, dry_run=dry_run)
            else:
                before = self._applied.get(known["metadata"]["uid"], {}).get(manager, {})
                patch = patches.applied(before, config)
                thing = self.patch(resource, namespace, name, patch, subresource=subresource, dry_run=dry_run)
            if not dry_run:
                self._applied.setdefault(thing["metadata"]["uid"], {})[manager] = copy.deepcopy(dict(config))
            return thing, known is None

    def patch_status(self, resource: Resource, namespace: str, name: str, status: Mapping[str, Any]) -> Object:
        """Change fields of an object's status, as a controller does; None removes a field."""
        return self.patch(resource, namespace, name, {"status": status}, subresource="status")

    def delete(self, resource: Resource, namespace: str, name: str, *, dry_run: bool = False) -> Object:
        """Remove an object, or mark it for deletion while it has finalizers; return its last state.

        A namespace takes its objects with it, and goes with the last of them.
        """
        with self._lock:
            thing = self.get(resource, namespace, name)
            if resource is NAMESPACES and not dry_run:
                for inner in [inner for inner in RESOURCES.values() if inner.namespaced]:
                    for item in self.list(inner, name).items:
                        self.delete(inner, name, item["metadata"]["name"])
            if not self._is_held(resource, thing):
                return self._remove(resource, thing, dry_run=dry_run)
            metadata = thing["metadata"]
            if metadata.get("deletionTimestamp"):
                return thing
            marks: dict[str, Any] = {"deletionTimestamp": self._timestamp(), "deletionGracePeriodSeconds": 0}
            if resource.with_status:
                marks["generation"] = metadata["generation"] + 1
            marked = {**thing, "metadata": {**metadata, **marks}}
            if resource is NAMESPACES:
                marked["status"] = {"phase": "Terminating"}
            return self._store(resource, "MODIFIED", marked, previous=thing, dry_run=dry_run)

    def watch(
        self, resource: Resource, told: Callable[[Event], None], since: int | None = None
    ) -> Callable[[], object]:
        """Call `told` with every event of a resource after the version `since`, and with each that follows.

        Without `since`, every object that exists comes first, as ADDED. `told` is called in the thread that makes
        the change, and must neither wait nor raise. Call what is returned to end it.
        """
        with self._lock:
            if since is None:
                backlog = [
                    Event("ADDED", resource, thing, int(thing["metadata"]["resourceVersion"]))
                    for thing in self.list(resource).items
                ]
            else:
                self._check_age(since, f"too old resource version: {since} ({self._oldest()})")
                backlog = [event for event in self._history if event.resource is resource and event.version > since]
            for event in backlog:
                told(event)
            watcher = object()
            self._watchers[watcher] = (resource, told)
        return lambda: self._watchers.pop(watcher, None)

    def _continued(self, continuation: str) -> tuple[int, str]:
        try:
            token = json.loads(base64.urlsafe_b64decode(continuation))
            version, start = int(token["rv"]), str(token["start"])
        except (ValueError, KeyError, TypeError) as error:
            raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
        self._check_age(version, "The provided continue parameter is too old to display a consistent list result.")
        return version, start

    def _oldest(self) -> int:
        """The oldest version that a watch can start from."""
        return self._history[0].version - 1 if self._history else self._version

    def _check_age(self, version: int, message: str) -> None:
        if version < self._oldest():
            raise expired(message)

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        """Refuse new objects in a namespace that is not there, or not for long."""
        if self.get(NAMESPACES, "", namespace)["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource, name, why)

    def _timestamp(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _update(
        self, resource: Resource, old: Object, new: dict[str, Any], subresource: str, *, dry_run: bool
    ) -> Object:
        before, given = old["metadata"], new["metadata"]
        name = before["name"]
        if given.get("resourceVersion") not in {None, "", before["resourceVersion"]}:
            raise conflict(resource, name)
        if given.get("uid") not in {None, before["uid"]}:
            raise invalid(resource, name, "metadata.uid", f'Invalid value: "{given["uid"]}": field is immutable')
        if subresource == "status":
            new = {**_without(old, "status"), **({"status": new["status"]} if "status" in new else {})}
        else:
            new["metadata"] = {
                **_without(given, "managedFields", *SET_BY_SERVER),
                **{field: before[field] for field in SET_BY_SERVER if field in before},
            }
            if resource.with_status:
                new = {**_without(new, "status"), **({"status": old["status"]} if "status" in old else {})}
                if _without(new, "metadata", "status") != _without(old, "metadata", "status"):
                    new["metadata"]["generation"] = before["generation"] + 1
        if new == old:
            return old  # no new version, and no watcher wakes
        if new["metadata"].get("deletionTimestamp") and not self._is_held(resource, new):
            return self._remove(resource, new, dry_run=dry_run)
        return self._store(resource, "MODIFIED", new, previous=old, dry_run=dry_run)

    def _store(
        self, resource: Resource, kind: str, thing: Object, *, previous: Object | None = None, dry_run: bool = False
    ) -> Object:
        if dry_run:
            return thing
        version = self._version + 1
        stored = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(version)}}
        if kind == "DELETED":
            del self._objects[resource.name][key_of(stored)]
            self._applied.pop(stored["metadata"]["uid"], None)
        else:
            self._objects[resource.name][key_of(stored)] = stored
        self._version = version
        event = Event(kind, resource, stored, version, previous)
        self._history.append(event)
        for watched, told in tuple(self._watchers.values()):
            if watched is resource:
                told(event)
        return stored

    def _is_held(self, resource: Resource, thing: Object) -> bool:
        """Whether something keeps an object that is to be deleted: a finalizer, or a namespace's objects."""
        if thing["metadata"].get("finalizers"):
            return True
        start = f"{thing['metadata']['name']}/"
        return resource is NAMESPACES and any(
            key.startswith(start) for objects in self._objects.values() for key in objects
        )

    def _remove(self, resource: Resource, thing: Object, *, dry_run: bool) -> Object:
        removed = self._store(resource, "DELETED", thing, dry_run=dry_run)
        if resource.namespaced and not dry_run:
            namespace = self.get(NAMESPACES, "", thing["metadata"]["namespace"])
            if namespace["metadata"].get("deletionTimestamp") and not self._is_held(NAMESPACES, namespace):
                self._remove(NAMESPACES, namespace, dry_run=False)
        return removed


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


def _established(definition: Object) -> dict[str, Any]:
    """A definition's status: whether its objects can be kept here, which what is defined does not change."""
    served = RESOURCES.get(definition["metadata"]["name"])
    spec = definition.get("spec") or {}
    accepted = {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"}
    if served is None or not served.custom:
        accepted |= {"status": "False", "reason": "NotServed", "message": "the sandbox serves SageMaker's kinds alone"}
    established = {"type": "Established", "status": accepted["status"], "reason": "InitialNamesAccepted", "message": ""}
    versions = [version.get("name") for version in spec.get("versions") or () if version.get("storage")]
    return {"conditions": [accepted, established], "acceptedNames": spec.get("names"), "storedVersions": versions}


def _metadata(thing: Object) -> dict[str, Any]:
    """An object's metadata, of which the parts that are used here have the right JSON types."""
    metadata = thing.get("metadata")
    if not isinstance(metadata, dict):
        raise bad_request("metadata is missing, or no JSON object")
    for field in ("labels", "annotations"):
        pairs = metadata.get(field) or {}
        if not isinstance(pairs, Mapping) or not all(isinstance(value, str) for value in pairs.values()):
            raise bad_request(f"metadata.{field} must be a map of strings")
    return metadata


def _check(resource: Resource, namespace: str, name: str, thing: Object) -> None:
    """Refuse an object that is none of `resource`, or whose name or namespace is not the one that it is sent to."""
    metadata = _metadata(thing)
    if thing.get("apiVersion") != resource.api_version:
        raise bad_request(
            f"the API version in the data ({thing.get('apiVersion') or ''}) does not match the expected API version "
            f"({resource.api_version})"
        )
    kind = thing.get("kind")
    if not kind:
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): 'Kind' is missing")
    if kind != resource.kind:
        raise invalid(resource, name, "kind", f'Invalid value: "{kind}": must be {resource.kind}')
    if not name:
        why = "Required value: name or generateName is required"
        raise invalid(resource, name, "metadata.name", why, reason="FieldValueRequired")
    if metadata.get("name") != name:
        raise bad_request(
            f"the name of the object ({metadata.get('name') or ''}) does not match the name on the URL ({name})"
        )
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    pattern = LABEL if resource is NAMESPACES else SUBDOMAIN
    if not re.fullmatch(pattern, name):
        why = f'Invalid value: "{name}": must match {pattern}'
        raise invalid(resource, name, "metadata.name", why)
