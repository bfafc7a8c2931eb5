"""The documents that say what the embedded Kubernetes API serves: its version, groups, resources and OpenAPI.

Discovery is plain, one document a group: kubectl prefers the aggregated form and falls back without a word.
OpenAPI v3 holds no schemas. It says that writes take `fieldValidation`, which is what kubectl looks for before it
leaves validation to the server. (kubectl 1.27 and 1.28 look in OpenAPI v2, in protobuf, which is not served: their
`apply` and `create` need --validate=false here. Measured.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from kubectl_sagemaker.sandbox.resources import RESOURCES, Resource

VERSION: Final = {
    "major": "1",
    "minor": "35",
    "gitVersion": "v1.35.4+sandbox",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
"""The release whose behaviour is followed, as measured on the real server."""

INFO: Final = {"title": "Kubernetes", "version": VERSION["gitVersion"]}

STATUS_VERBS: Final = ("get", "patch", "update")


def _documents() -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "/version", VERSION
    yield "/api", {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    groups = []
    open_api = {}
    # By group: of two that have a `trainingjob`, kubectl takes the first.
    rows = sorted(RESOURCES.values(), key=lambda row: row.path)
    for path, served in itertools.groupby(rows, key=lambda row: row.path):
        resources = tuple(served)
        first = resources[0]
        if first.group:
            group = _group(first)
            groups.append(group)
            yield f"/apis/{first.group}", {"kind": "APIGroup", "apiVersion": "v1", **group}
        yield path, _resource_list(first.api_version, resources)
        open_api[path[1:]] = {"serverRelativeURL": f"/openapi/v3{path}"}
        yield f"/openapi/v3{path}", {"openapi": "3.0.0", "info": INFO, "paths": dict(map(_operations, resources))}
    yield "/apis", {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    yield "/openapi/v3", {"paths": open_api}


def _group(resource: Resource) -> dict[str, Any]:
    version = {"groupVersion": resource.api_version, "version": resource.version}
    return {"name": resource.group, "versions": [version], "preferredVersion": version}


def _resource_list(api_version: str, resources: Sequence[Resource]) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": list(itertools.chain.from_iterable(map(_entries, resources))),
    }


def _entries(resource: Resource) -> Iterator[dict[str, Any]]:
    yield {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": resource.verbs,
        **({"shortNames": resource.short_names} if resource.short_names else {}),
    }
    if resource.with_status:
        yield {
            "name": f"{resource.plural}/status",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": STATUS_VERBS,
        }


def _operations(resource: Resource) -> tuple[str, dict[str, Any]]:
    """A path of OpenAPI v3, and what can be done there as far as kubectl asks."""
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    operation = {
        "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
        "responses": {},
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
    }
    return f"{resource.path}{scope}/{resource.plural}/{{name}}", {"patch": operation}


DOCUMENTS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(dict(_documents()))
"""Every document by its path."""
