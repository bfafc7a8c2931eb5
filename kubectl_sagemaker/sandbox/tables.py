"""Objects as the Table that kubectl prints: the cells are made by the server, kubectl only lays them out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from kubectl_sagemaker.columns import Column
from kubectl_sagemaker.sandbox.cluster import Object
from kubectl_sagemaker.sandbox.resources import Resource
from kubectl_sagemaker.sandbox.selectors import value_at

NAME: Final = {"name": "Name", "type": "string", "format": "name", "description": "Name of the object", "priority": 0}

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
YEAR: Final = 365 * DAY


def table(
    resource: Resource,
    objects: Iterable[Object],
    *,
    metadata: Mapping[str, Any],
    now: float,
    include: str = "Metadata",
    headed: bool = True,
) -> dict[str, Any]:
    """Make a Table. `include` says how much of each object comes along: None, Metadata or Object.

    `headed` is False for a watch's later events, which repeat no column definitions.
    """
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [NAME, *map(_definition, resource.columns)] if headed else None,
        "rows": [
            {
                "cells": [thing["metadata"]["name"], *(_cell(column, thing, now) for column in resource.columns)],
                **_included(thing, include),
            }
            for thing in objects
        ],
    }


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": f"Custom resource definition column (in JSONPath format): .{column.path}",
        "priority": column.priority,
    }


def _included(thing: Object, include: str) -> dict[str, Any]:
    match include:
        case "None":
            return {}
        case "Object":
            return {"object": thing}
        case _:
            partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}
            return {"object": partial}


def _cell(column: Column, thing: Object, now: float) -> Any:
    value = value_at(thing, column.path)
    if value is None:
        return None
    if column.type == "date":
        return _age(value, now)
    if column.type == "string" and not isinstance(value, str):
        return json.dumps(value)
    return value


def _age(timestamp: str, now: float) -> str:
    try:
        return human_duration(now - datetime.fromisoformat(timestamp).timestamp())
    except ValueError:
        return "<invalid>"


def human_duration(seconds: float) -> str:
    """`119s`, `2m5s`, `3h`, `5d3h`, `2y10d`: as k8s.io/apimachinery's duration.HumanDuration writes it."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * MINUTE:
        return f"{max(whole, 0)}s"
    # Up to a limit, in a unit, with the smaller unit beside it or without.
    for limit, unit, letter, smaller, small_letter in (
        (10 * MINUTE, MINUTE, "m", 1, "s"),
        (3 * HOUR, MINUTE, "m", 0, ""),
        (8 * HOUR, HOUR, "h", MINUTE, "m"),
        (2 * DAY, HOUR, "h", 0, ""),
        (8 * DAY, DAY, "d", HOUR, "h"),
        (2 * YEAR, DAY, "d", 0, ""),
        (8 * YEAR, YEAR, "y", DAY, "d"),
    ):
        if whole < limit:
            large, rest = divmod(whole, unit)
            small = rest // smaller if smaller else 0
            return f"{large}{letter}{small}{small_letter}" if small else f"{large}{letter}"
    return f"{whole // YEAR}y"
