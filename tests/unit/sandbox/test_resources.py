"""The registry of served resources says what the published CRDs say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.columns import AGE, COLUMNS, Column
from kubectl_sagemaker.kinds import KINDS
from kubectl_sagemaker.sandbox.resources import RESOURCES

APIS = {api.resource: api for kind in KINDS for api in kind.apis}


@pytest.fixture(scope="module")
def crds() -> dict[str, dict[str, Any]]:
    """The published CRDs by `plural.group`."""
    import yaml

    folder = os.environ.get("SAGEMAKER_CRDS")
    if not folder:
        pytest.skip("SAGEMAKER_CRDS names no folder with the published CRDs")
    found = {}
    for file in sorted(Path(folder).rglob("*.yaml")):
        crd = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
        found[crd["metadata"]["name"]] = crd["spec"]
    return found


def test_every_published_crd_is_served_and_nothing_else_of_its_kind(crds: dict[str, dict[str, Any]]) -> None:
    assert {name for name, resource in RESOURCES.items() if resource.custom} == set(crds)


def test_names_and_scope_are_the_crds(crds: dict[str, dict[str, Any]]) -> None:
    for name, crd in crds.items():
        resource = RESOURCES[name]
        names = crd["names"]
        assert (
            resource.plural,
            resource.kind,
            resource.kind.lower(),
            list(resource.short_names),
            resource.namespaced,
        ) == (
            names["plural"],
            names["kind"],
            names["singular"],
            names.get("shortNames", []),
            crd["scope"] == "Namespaced",
        )


def test_version_and_status_subresource_are_the_crds(crds: dict[str, dict[str, Any]]) -> None:
    for name, crd in crds.items():
        (version,) = crd["versions"]
        assert (version["name"], version["subresources"]) == (RESOURCES[name].version, {"status": {}})


def test_columns_are_the_crds(crds: dict[str, dict[str, Any]]) -> None:
    for name, crd in crds.items():
        published = [
            Column(
                column["name"],
                column["jsonPath"].removeprefix("."),
                column["type"],
                column.get("format", ""),
                column.get("priority", 0),
            )
            for column in crd["versions"][0].get("additionalPrinterColumns", ())
        ]
        assert list(RESOURCES[name].columns) == (published or [AGE]), name


def test_columns_are_of_resources_in_the_registry() -> None:
    assert set(COLUMNS) <= set(APIS)


def test_every_api_is_served_where_the_registry_has_it() -> None:
    for name, api in APIS.items():
        resource = RESOURCES[name]
        assert resource.path == api.group.path
        assert (resource.plural, resource.kind, resource.short_names) == (api.plural, api.kind, api.short_names)
