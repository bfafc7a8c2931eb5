"""Putting the operator into a cluster, and taking it out of one that has nothing of it left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.errors import Conflict, Error, NotFound
from kubectl_sagemaker.operator import manifest
from kubectl_sagemaker.operator.rows import ROWS

if TYPE_CHECKING:
    from kubectl_sagemaker.kube import Kube

LOOK_SECONDS: Final = 1.0
MANAGER: Final = "kubectl-sagemaker"
NAMED: Final = 10
"""How many objects an error names."""


def install(
    kube: Kube, choice: manifest.Choice, *, sleep: Callable[[float], None], note: Callable[[str], None]
) -> None:
    """Apply everything, and wait until the operator is ready."""
    things = manifest.objects(choice)
    for thing in things:
        name = f"{thing['kind'].lower()}/{thing['metadata']['name']}"
        # What `uninstall` has just deleted takes a moment to go, and nothing can be put into a namespace that goes.
        while _apply(kube, thing)["metadata"].get("deletionTimestamp"):
            note(f"waiting for {name}: it is being deleted")
            sleep(LOOK_SECONDS)
        note(f"{name} applied")
    for thing in things:
        if ready := WAITED.get(thing["kind"]):
            while (wanting := ready(kube.call("GET", manifest.path(thing)))) is not None:
                note(f"waiting for {thing['kind'].lower()}/{thing['metadata']['name']}: {wanting}")
                sleep(LOOK_SECONDS)


def _apply(kube: Kube, thing: Mapping[str, Any]) -> dict[str, Any]:
    query = [("fieldManager", MANAGER), ("force", "true")]
    return kube.call("APPLY", manifest.path(thing), query=query, body=thing)


def _established(thing: Mapping[str, Any]) -> str | None:
    conditions = {one["type"]: one for one in thing.get("status", {}).get("conditions") or ()}
    if refused := next(
        (one for one in conditions.values() if one["type"] == "NamesAccepted" and one["status"] == "False"), None
    ):
        raise Error(f"the server does not take {thing['metadata']['name']}: {refused.get('message')}")
    return None if conditions.get("Established", {}).get("status") == "True" else "not established yet"


def _available(thing: Mapping[str, Any]) -> str | None:
    status, wanted = thing.get("status") or {}, thing["spec"]["replicas"]
    if status.get("observedGeneration", 0) < thing["metadata"]["generation"]:
        return "no controller has seen it yet"
    updated, ready = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if min(updated, ready) >= wanted:
        return None
    told = (
        f"{min(updated, ready)} of {wanted} replicas are ready; `kubectl -n {manifest.NAMESPACE} get pods` shows them"
    )
    failing = next((one for one in status.get("conditions") or () if one["type"] == "ReplicaFailure"), None)
    return f"{told}; {failing.get('message')}" if failing else told


WAITED: Final[Mapping[str, Callable[[Mapping[str, Any]], str | None]]] = {
    "CustomResourceDefinition": _established,
    "Deployment": _available,
}
"""Of the kinds that are waited for: what one still wants, None if it is ready."""


def uninstall(kube: Kube, *, note: Callable[[str], None]) -> None:
    """Take everything away; raise Error, naming them, while there are objects that only the operator can let go."""
    left = []
    for row in ROWS:
        with contextlib.suppress(NotFound):
            for thing in kube.list(row.api, None):
                left.append(f"{row.api.singular} {thing['metadata']['namespace']}/{thing['metadata']['name']}")
    if left:
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        hint = "delete them first: their jobs are stopped by the operator, and without it nothing lets them go"
        raise Error(f"there are still objects: {', '.join(left[:NAMED])}{more}", hint=hint)
    for thing in reversed(manifest.objects(manifest.Choice(image=""))):
        try:
            kube.call("DELETE", manifest.path(thing), body={"apiVersion": "v1", "kind": "DeleteOptions"})
            note(f"{thing['kind'].lower()}/{thing['metadata']['name']} deleted")
        except (NotFound, Conflict):
            continue
