"""Label and field selectors, parsed into functions that say whether an object is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Selects = Callable[[Mapping[str, Any]], bool]

SET: Final = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
EQUALITY: Final = re.compile(r"(?P<key>[^\s=!<>]+)\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>[^\s=!<>()]*)")
EXISTENCE: Final = re.compile(r"(?P<absent>!\s*)?(?P<key>[^\s=!<>()]+)")
COMMA: Final = re.compile(r",(?![^(]*\))")
"""A comma that is not between parentheses."""


class BadSelector(Exception):
    """A selector that can't be read; the text says why."""


def everything(_: Mapping[str, Any]) -> bool:
    """Select every object."""
    return True


def labels(selector: str) -> Selects:
    """Parse a label selector: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`."""
    if not selector.strip():
        return everything
    requirements = [_requirement(part.strip()) for part in COMMA.split(selector)]

    def selects(thing: Mapping[str, Any]) -> bool:
        present = thing["metadata"].get("labels") or {}
        return all(requirement(present) for requirement in requirements)

    return selects


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := SET.fullmatch(text):
        key, wanted = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["operator"] == "in":
            return lambda present: present.get(key) in wanted
        return lambda present: present.get(key) not in wanted
    if match := EQUALITY.fullmatch(text):
        key, value = match["key"], match["value"]
        match match["operator"]:
            case "!=":
                return lambda present: present.get(key) != value
            case ">" | "<" as sign:
                return _compared(key, value, 1 if sign == ">" else -1)
            case _:
                return lambda present: present.get(key) == value
    if match := EXISTENCE.fullmatch(text):
        key, absent = match["key"], bool(match["absent"])
        return lambda present: (key in present) != absent
    raise BadSelector(f"unable to parse requirement: {text!r}")


def _compared(key: str, limit: str, sign: int) -> Callable[[Mapping[str, str]], bool]:
    try:
        bound = int(limit)
    except ValueError as error:
        raise BadSelector(f"unable to parse requirement: '{key}' is compared with no integer: {limit}") from error

    def larger(present: Mapping[str, str]) -> bool:
        try:
            return sign * int(present[key]) > sign * bound
        except (KeyError, ValueError):
            return False

    return larger


def fields(selector: str, known: Sequence[str]) -> Selects:
    """Parse a field selector, `metadata.name=a,metadata.namespace!=b`, whose paths must be among `known`."""
    requirements = [_field(part, known) for part in selector.split(",") if part]

    def selects(thing: Mapping[str, Any]) -> bool:
        return all(((value_at(thing, path) or "") == value) == equal for path, value, equal in requirements)

    return selects


def _field(text: str, known: Sequence[str]) -> tuple[str, str, bool]:
    match = EQUALITY.fullmatch(text.strip())
    if not match or match["operator"] in "<>":
        raise BadSelector(f"invalid selector: '{text}'; can't understand '{text}'")
    if match["key"] not in known:
        raise BadSelector(f"field label not supported: {match['key']}")
    return match["key"], match["value"], match["operator"] != "!="


def value_at(thing: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    value: Any = thing
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
