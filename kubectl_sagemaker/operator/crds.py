"""The custom resource definitions, made of the rows and of botocore's models and their documentation."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kubectl_sagemaker.columns import COLUMNS, Column
from kubectl_sagemaker.operator import shapes
from kubectl_sagemaker.operator.rows import ENDPOINT, PAIRS, REGION, ROWS, Input, Items, Row

DESCRIPTION_LENGTH: Final = 160
ENUM_LENGTH: Final = 12
"""Longer enumerations (instance types) grow every month; AWS says itself what it has."""
SCALARS: Final[Mapping[str, Mapping[str, str]]] = {
    "string": {"type": "string"},
    "blob": {"type": "string", "format": "byte"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int64"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "timestamp": {"type": "string", "format": "date-time"},
}
BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "string": ("minLength", "maxLength"),
    "list": ("minItems", "maxItems"),
    "integer": ("minimum", "maximum"),
    "long": ("minimum", "maximum"),
    "float": ("minimum", "maximum"),
    "double": ("minimum", "maximum"),
}
IMMUTABLE: Final = [{"rule": "self == oldSelf", "message": "can't be changed; delete the object and apply it again"}]
ADDED: Final[Mapping[str, dict[str, Any]]] = {
    "DebugHookConfig": {"ruleParameters": PAIRS},
    "TrainingJobStatusCounters": {"totalError": {"type": "integer", "format": "int64"}},
}
"""Properties of structures that have no member of AWS's: one that was always ignored, and a computed one."""
JAVA: Final = re.compile(r"\(\?(?!:)|\\[puQE]|&&|[*+?}]\+|\{(?:\d+,)?\d{4,}\}")
"""What Java's expressions have and the API server's (RE2) don't: looking around, its classes, counts above 1,000."""


def definitions() -> list[dict[str, Any]]:
    """Every definition, in the order of the rows."""
    return [definition(row) for row in ROWS]


def definition(row: Row) -> dict[str, Any]:
    """One row's CustomResourceDefinition."""
    api = row.api
    names: dict[str, Any] = {
        "kind": api.kind,
        "listKind": f"{api.kind}List",
        "plural": api.plural,
        "singular": api.singular,
    }
    if api.short_names:
        names["shortNames"] = list(api.short_names)
    version = {
        "name": api.group.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object(row)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in COLUMNS[api.resource]],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": api.resource},
        "spec": {"group": api.group.name, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _object(row: Row) -> dict[str, Any]:
    spec = _spec(row.inputs, row.spec, row.required, row.optional)
    status = _members(row.described, row.shown, checked=False) if row.shown else {}
    status |= {name: dict(schema) for name, schema in row.status.items()}
    return {
        "type": "object",
        "description": row.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {"description": "What SageMaker is asked for.", **spec},
            "status": {"type": "object", "description": "What SageMaker has.", "properties": status},
        },
    }


def _spec(
    inputs: Iterable[Input], own: Mapping[str, Any], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    needed = set(required)
    for part in inputs:
        without = {*part.without, *optional}
        properties |= _members(part.shape, [name for name in part.shape.members if name not in part.without])
        needed |= {_name(part.shape, name) for name in part.shape.required_members if name not in without}
    for name, schema in own.items():
        if isinstance(schema, Items):
            inner = _spec([schema.input], schema.spec, schema.required)
            properties[name] = {"type": "array", "description": schema.description, "items": inner}
        else:
            properties[name] = dict(schema)
    if "region" in needed:
        properties["region"] = {**REGION, "x-kubernetes-validations": IMMUTABLE}
        properties["sageMakerEndpoint"] = dict(ENDPOINT)
    return {"type": "object", "required": sorted(needed), "properties": dict(sorted(properties.items()))}


def _members(structure: Any, members: Iterable[str], *, checked: bool = True) -> dict[str, Any]:
    properties = {}
    for member in members:
        shape = structure.members[member]
        made = _schema(shape, checked=checked)
        if fraction := shapes.FRACTIONS.get((structure.name, member)):
            made = {"type": fraction.type} | ({"format": "int64"} if fraction.type == "integer" else {})
        if text := _brief(shape.documentation):
            made["description"] = text
        properties[_name(structure, member)] = made
    return properties | ADDED.get(structure.name, {})


def _schema(shape: Any, *, checked: bool) -> dict[str, Any]:
    """A shape's schema; one that is not `checked` holds any value of its type, as a status must."""
    made: dict[str, Any]
    match shape.type_name:
        case "structure":
            made = {"type": "object", "properties": _members(shape, shape.members, checked=checked)}
            if checked and shape.required_members:
                made["required"] = sorted(_name(shape, member) for member in shape.required_members)
            return made
        case "map":
            pair = {"name": {"type": "string"}, "value": _schema(shape.value, checked=False)}
            return {"type": "array", "items": {"type": "object", "properties": pair}}
        case "list":
            made = {"type": "array", "items": _schema(shape.member, checked=checked)}
        case scalar:
            made = dict(SCALARS[scalar])
    return made | _constraints(shape) if checked else made


def _constraints(shape: Any) -> dict[str, Any]:
    """What AWS would refuse, as far as a schema can say it."""
    made: dict[str, Any] = {}
    for bound, name in zip(("min", "max"), BOUNDS.get(shape.type_name, ()), strict=False):
        if shape.metadata.get(bound) and abs(shape.metadata[bound]) < 2**53:
            made[name] = shape.metadata[bound]
    values = shape.metadata.get("enum", ())
    if values and len(values) <= ENUM_LENGTH:
        made["enum"] = list(values)
    pattern = shape.metadata.get("pattern", "")
    if pattern not in {"", ".*", "^.*$"} and not JAVA.search(pattern):
        made["pattern"] = f"^(?:{pattern})$"
    return made


def _name(structure: Any, member: str) -> str:
    return shapes.property_name(structure, member)


def _brief(documentation: str) -> str:
    """The first sentence of AWS's documentation, without its markup."""
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", documentation)).split())
    text = re.sub(r" ([.,;:)])", r"\1", text)
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    if len(sentence) <= DESCRIPTION_LENGTH:
        return sentence
    return sentence[:DESCRIPTION_LENGTH].rsplit(" ", 1)[0] + " …"


def _column(column: Column) -> dict[str, Any]:
    made: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": f".{column.path}"}
    if column.format:
        made["format"] = column.format
    if column.priority:
        made["priority"] = column.priority
    return made
