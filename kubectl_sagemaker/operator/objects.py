"""What a pass does to objects in the cluster: hold, release, write a status, make and delete others, and say so.

Every write names the uid of the object that was read, so that none meets a namesake that took its place.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from kubectl_sagemaker.errors import Conflict, Error, NotFound
from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.kinds import KINDS, Api
from kubectl_sagemaker.operator.shapes import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubectl_sagemaker.operator.rows import Row

Object: TypeAlias = Mapping[str, Any]

FINALIZER: Final = "sagemaker-operator-finalizer"
OWNER: Final = "sagemaker.aws.amazon.com/owner-uid"
"""Label of an object that the operator made for another: that one's uid. A name can be too long for a label."""
COMPONENT: Final = "sagemaker-operator"
NAME_LENGTH: Final = 253
APIS: Final[Mapping[str, Api]] = {api.resource: api for kind in KINDS for api in kind.apis}
"""The registry's APIs by `plural.group`."""

log: Final = logging.getLogger("kubectl_sagemaker.operator")


class Kube(Protocol):
    """As much of kube.Kube as a pass needs."""

    def call(
        self, method: str, path: str, *, query: Iterable[tuple[str, str]] = (), body: object | None = None
    ) -> dict[str, Any]:
        """Ask for a path; a body goes as JSON, that of PATCH as a merge patch."""

    def get(self, api: Api, namespace: str, name: str) -> dict[str, Any]:
        """Read one object."""

    def list(self, api: Api, namespace: str | None, *, selector: str | None = None) -> Iterator[dict[str, Any]]:
        """Read a namespace's objects, or all namespaces'."""


def title(row: Row, thing: Object) -> str:
    """`trainingjob NAMESPACE/NAME`."""
    return f"{row.api.singular} {thing['metadata']['namespace']}/{thing['metadata']['name']}"


def going(thing: Object) -> bool:
    """Whether an object is to be deleted."""
    return bool(thing["metadata"].get("deletionTimestamp"))


def finalizers(thing: Object) -> list[str]:
    """Who holds an object."""
    return list(thing["metadata"].get("finalizers") or ())


def collection(api: Api, namespace: str) -> str:
    """The API server's path of a namespace's objects."""
    return f"{api.group.path}/namespaces/{namespace}/{api.plural}"


def path(api: Api, thing: Object) -> str:
    """The API server's path of an object."""
    return f"{collection(api, thing['metadata']['namespace'])}/{thing['metadata']['name']}"


def hold(kube: Kube, row: Row, thing: Object, spec: Mapping[str, Any]) -> Object:
    """Put the finalizer on an object, and members into its spec, unless it has them; return it as it is then."""
    held = finalizers(thing)
    spec = {name: value for name, value in spec.items() if thing["spec"].get(name) != value}
    if row.finalizer in held and not spec:
        return thing
    metadata = {**_same(thing), "finalizers": held if row.finalizer in held else [*held, row.finalizer]}
    return kube.call("PATCH", path(row.api, thing), body={"metadata": metadata, **({"spec": spec} if spec else {})})


def release(kube: Kube, api: Api, thing: Object, finalizer: str) -> None:
    """Take a finalizer off an object; one that has gone already is no error."""
    held = finalizers(thing)
    if finalizer in held:
        metadata = {**_same(thing), "finalizers": [name for name in held if name != finalizer]}
        with contextlib.suppress(NotFound):
            kube.call("PATCH", path(api, thing), body={"metadata": metadata})


def _same(thing: Object) -> dict[str, Any]:
    """A patch's precondition: what was read. A list of finalizers is replaced whole."""
    return {"uid": thing["metadata"]["uid"], "resourceVersion": thing["metadata"]["resourceVersion"]}


def put_status(
    kube: Kube, row: Row, thing: Object, status: Mapping[str, Any], *, now: float, whole: bool = True
) -> Object:
    """Write a status if it says something new, and tell of a new state; return the object as it is then.

    The time of the check does not count as new: who watches would wake at every look. `whole` takes away what
    `status` does not name.
    """
    old = thing.get("status") or {}
    wanted = {name: value for name, value in status.items() if value not in (None, "", [])}
    gone = dict.fromkeys((old.keys() if whole else status.keys()) - wanted.keys() - {row.checked})
    changes = {name: value for name, value in wanted.items() if old.get(name) != value}
    changes |= {name: None for name in gone if name in old}
    if not changes:
        return thing
    changes |= {row.checked: timestamp(now)} if row.checked else {}
    body = {"metadata": {"uid": thing["metadata"]["uid"]}, "status": changes}
    new = kube.call("PATCH", f"{path(row.api, thing)}/status", body=body)
    _tell(kube, row, thing, new, now)
    return new


def _tell(kube: Kube, row: Row, old: Object, new: Object, now: float) -> None:
    """One log line for a new state or a new reason, and an event where somebody may be waiting for it."""
    was, state = dig(old, row.api.status), dig(new, row.api.status)
    reason = next((text for place in row.api.reason if (text := dig(new, place))), "")
    known = next((text for place in row.api.reason if (text := dig(old, place))), "")
    secondary = dig(new, row.api.secondary_status)
    if (was, known, dig(old, row.api.secondary_status)) == (state, reason, secondary):
        return
    fields = {
        "kind": row.api.kind,
        "namespace": new["metadata"]["namespace"],
        "name": new["metadata"]["name"],
        "was": was,
        "state": state,
        "secondary": secondary,
        "reason": reason or None,
    }
    phase = f" ({secondary})" if secondary and secondary != state else ""
    why = f": {reason}" if reason else ""
    log.info("%s: %s%s%s", title(row, new), state or "", phase, why, extra={"fields": fields})
    if state in row.kind.ends and state != was:
        event(kube, row, new, state, reason or f"SageMaker's {row.kind.name} {state.lower()}", now=now)
    elif reason and reason != known:
        event(kube, row, new, "Failed", reason, now=now)


def event(kube: Kube, row: Row, thing: Object, reason: str, message: str, *, now: float) -> None:
    """Make an event on an object; that it can't be made (a namespace that goes, say) stops nothing."""
    metadata, at = thing["metadata"], timestamp(now)
    mark = hashlib.sha256(f"{metadata['uid']}{reason}{message}{now}".encode()).hexdigest()[:16]
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name'][:236]}.{mark}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": f"{row.api.group.name}/{row.api.group.version}",
            "kind": row.api.kind,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if reason == "Failed" else "Normal",
        "reason": reason,
        "message": message[:1024],
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
    }
    try:
        kube.call("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", body=body)
    except Error as error:
        log.debug("no event %s on %s: %s", reason, title(row, thing), error.message)


def owned(kube: Kube, api: Api, owner: Object) -> list[dict[str, Any]]:
    """The objects of a kind that were made for another."""
    return list(kube.list(api, owner["metadata"]["namespace"], selector=f"{OWNER}={owner['metadata']['uid']}"))


def make(
    kube: Kube, api: Api, owner: Object, owner_api: Api, name: str, spec: Mapping[str, Any], *, held: tuple[str, ...]
) -> None:
    """Make an object for another; one that is there already is left as it is."""
    metadata = owner["metadata"]
    reference = {
        "apiVersion": f"{owner_api.group.name}/{owner_api.group.version}",
        "kind": owner_api.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    body = {
        "apiVersion": f"{api.group.name}/{api.group.version}",
        "kind": api.kind,
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {OWNER: metadata["uid"]},
            "finalizers": list(held),
            "ownerReferences": [reference],
        },
        "spec": spec,
    }
    with contextlib.suppress(Conflict):
        kube.call("POST", collection(api, metadata["namespace"]), body=body)


def remove(kube: Kube, api: Api, thing: Object) -> None:
    """Delete an object, if it is still the one that was read."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": thing["metadata"]["uid"]}}
    with contextlib.suppress(NotFound, Conflict):
        kube.call("DELETE", path(api, thing), body=body)


def owner_of(thing: Object) -> tuple[Api, str] | None:
    """The API and the name of the object that the operator made another for."""
    if not (thing["metadata"].get("labels") or {}).get(OWNER):
        return None
    for reference in thing["metadata"].get("ownerReferences") or ():
        for api in APIS.values():
            if reference.get("controller") and _kind(api) == (reference.get("apiVersion"), reference.get("kind")):
                return api, str(reference["name"])
    return None


def _kind(api: Api) -> tuple[str, str]:
    return f"{api.group.name}/{api.group.version}", api.kind


def generated(thing: Object, limit: int) -> str:
    """A name in SageMaker: the object's and its uid, of which the name is cut first and then the uid.

    Dots, which objects' names may have and SageMaker's may not, are dashes.
    """
    uid = thing["metadata"]["uid"].replace("-", "")[:limit]
    name = re.sub(r"[^a-zA-Z0-9]+", "-", thing["metadata"]["name"])[: max(0, limit - len(uid) - 1)].strip("-")
    return f"{name}-{uid}" if name else uid


def object_name(name: str, *suffixes: str) -> str:
    """A name for an object: `name`, made fit for one and cut, and the suffixes whole."""
    end = "".join(f"-{suffix}" for suffix in suffixes)
    fit = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"{fit[: NAME_LENGTH - len(end)].rstrip('-')}{end}".strip("-")
