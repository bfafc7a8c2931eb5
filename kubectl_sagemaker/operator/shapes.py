"""A spec as a request and an answer as a status, by walking botocore's service models.

A property is an AWS member that begins small (`S3Uri` is `s3Uri`); members are matched without regard to case, which is
unambiguous in every structure. AWS's maps are lists of `{name, value}` here. What differs is a named row below.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from kubectl_sagemaker.errors import Invalid

Value: TypeAlias = Mapping[str, Any]
Member: TypeAlias = tuple[str, str]
"""A structure's name and its member's."""

SPELLINGS: Final[Mapping[Member, str]] = MappingProxyType(
    {
        ("DataProcessing", "JoinSource"): "JoinSource",
        ("DataProcessing", "OutputFilter"): "OutputFilter",
        ("DebugRuleEvaluationStatus", "StatusDetails"): "statusDetail",
    }
)
"""Properties that the group has always spelt otherwise."""


@dataclass(frozen=True, slots=True)
class Fraction:
    """How a property keeps a fraction of AWS's as another type."""

    type: str
    """Of JSON."""
    of: Callable[[float], object]


WHOLE: Final = Fraction("integer", round)
FRACTIONS: Final[Mapping[Member, Fraction]] = MappingProxyType(
    {
        ("ProductionVariant", "InitialVariantWeight"): WHOLE,
        ("ProductionVariantSummary", "CurrentWeight"): WHOLE,
        ("ProductionVariantSummary", "DesiredWeight"): WHOLE,
        ("TargetTrackingScalingPolicyConfiguration", "TargetValue"): WHOLE,
        ("FinalHyperParameterTuningJobObjectiveMetric", "Value"): Fraction("string", str),
    }
)
"""Fractions of the group's first years, when CRDs had none; later ones are numbers."""

ORDERED: Final = frozenset({"ContainerDefinitionList"})
"""Lists whose order means something: containers are a pipeline in this order. That of others is no change."""


@functools.cache
def service_model(service: str) -> Any:
    """botocore's model of a service."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service_name=service)


@functools.cache
def input_shape(service: str, operation: str) -> Any:
    """The shape of an operation's request."""
    return service_model(service).operation_model(operation).input_shape


@functools.cache
def output_shape(service: str, operation: str) -> Any:
    """The shape of an operation's answer."""
    return service_model(service).operation_model(operation).output_shape


def property_name(structure: Any, member: str) -> str:
    """The property that stands for a structure's member."""
    return SPELLINGS.get((structure.name, member)) or f"{member[:1].lower()}{member[1:]}"


def request(shape: Any, spec: Value) -> dict[str, Any]:
    """Make a request of a spec; properties that AWS has no member for (`region`) are left out.

    A `_` at a name's end does not count: ACK writes `type_` where Go has a word of its own.

    Raise Invalid, naming the property, for a value of the wrong type.
    """
    made: dict[str, Any] = _request(shape, spec, "spec")
    return made


def _request(shape: Any, value: Any, path: str) -> Any:
    match shape.type_name:
        case "structure" if isinstance(value, Mapping):
            members = {property_name(shape, member).lower(): member for member in shape.members}
            return {
                member: _request(shape.members[member], item, f"{path}.{name}")
                for name, item in value.items()
                if item is not None and (member := members.get(name.lower().rstrip("_"))) is not None
            }
        case "map" if isinstance(value, Mapping):
            return {name: _request(shape.value, item, f"{path}.{name}") for name, item in value.items()}
        case "map" if isinstance(value, list):
            pairs = {str(pair.get("name", pair.get("key", ""))): pair.get("value", "") for pair in value}
            return {name: _request(shape.value, item, f"{path}.{name}") for name, item in pairs.items()}
        case "list" if isinstance(value, list):
            return [_request(shape.member, item, f"{path}[{index}]") for index, item in enumerate(value)]
        case "float" | "double" if isinstance(value, int | float):
            return float(value)
        case "string" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "integer" | "long" if isinstance(value, int) and not isinstance(value, bool):
            return value
    raise Invalid(f"{path} is no {shape.type_name}")


def properties(shape: Any, answer: Value, *, only: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Make properties of an answer's members: of all that the structure has, or of those named."""
    made = {}
    for member in shape.members if only is None else only:
        if (value := answer.get(member)) is not None:
            fraction = FRACTIONS.get((shape.name, member))
            made[property_name(shape, member)] = (
                fraction.of(value) if fraction else _property(shape.members[member], value)
            )
    return made


def _property(shape: Any, value: Any) -> Any:
    match shape.type_name:
        case "structure":
            return properties(shape, value)
        case "map":
            # AWS gives maps in any order; a status that only changes its order would wake every watcher.
            return [{"name": name, "value": _property(shape.value, value[name])} for name in sorted(value)]
        case "list":
            return [_property(shape.member, item) for item in value]
        case "timestamp":
            return timestamp(value)
    return value


def timestamp(moment: datetime | float) -> str:
    """A moment as Kubernetes writes it: in UTC, to the second."""
    when = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(shape: Any, asked: Value) -> str:
    """A short digest of a request, the same for the same meaning: tags and the order of lists don't count."""
    meaning = _normal(shape, {name: value for name, value in asked.items() if name != "Tags"})
    return hashlib.sha256(_canonical(meaning).encode()).hexdigest()[:16]


def _normal(shape: Any, value: Any) -> Any:
    match shape.type_name:
        case "structure":
            return {name: _normal(shape.members[name], item) for name, item in value.items()}
        case "list":
            items = [_normal(shape.member, item) for item in value]
            return items if shape.name in ORDERED else sorted(items, key=_canonical)
    return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
