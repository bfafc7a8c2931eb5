"""Patches of JSON values: merge patch (RFC 7396) and JSON patch (RFC 6902), each giving a new value."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any


class BadPatch(Exception):
    """A JSON patch that does not fit the value, or whose test fails."""


def merge(value: Any, patch: Any) -> Any:
    """Apply a merge patch; `null` removes a member."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(value) if isinstance(value, Mapping) else {}
    for name, member in patch.items():
        if member is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), member)
    return merged


def applied(before: Any, config: Any) -> Any:
    """The merge patch by which somebody who applied `before` applies `config`: what is in it no more is removed."""
    if not isinstance(before, Mapping) or not isinstance(config, Mapping):
        return config
    gone = dict.fromkeys(before.keys() - config.keys())
    return gone | {name: applied(before.get(name), member) for name, member in config.items()}


def apply(value: Any, operations: Sequence[Any]) -> Any:
    """Apply a JSON patch's operations in order; raise BadPatch and change nothing when one of them fails."""
    document = {"": copy.deepcopy(value)}
    for operation in operations:
        try:
            _step(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise BadPatch(str(error)) from error
    return document[""]


def _step(document: dict[str, Any], operation: Mapping[str, Any]) -> None:
    """Do one operation on `document`, whose one member "" is the value: a pointer's first word is empty as well."""
    path = operation["path"]
    match operation["op"]:
        case "add":
            _add(document, path, copy.deepcopy(operation["value"]))
        case "remove":
            _remove(document, path)
        case "replace":
            _remove(document, path)
            _add(document, path, copy.deepcopy(operation["value"]))
        case "move":
            _add(document, path, _remove(document, operation["from"]))
        case "copy":
            _add(document, path, copy.deepcopy(_get(document, operation["from"])))
        case "test":
            if _get(document, path) != operation["value"]:
                raise ValueError(f"test failed: {path}")
        case other:
            raise ValueError(f"unknown operation: {other}")


def _split(document: Any, pointer: str) -> tuple[Any, str]:
    """The container that a pointer leads into, and the last word."""
    *words, last = (word.replace("~1", "/").replace("~0", "~") for word in pointer.split("/"))
    for word in words:
        document = document[_key(document, word)]
    return document, last


def _key(container: Any, word: str) -> Any:
    if not isinstance(container, list):
        return word
    if not word.isdecimal():
        raise IndexError(f"no such place: {word}")
    return int(word)


def _get(document: Any, pointer: str) -> Any:
    container, last = _split(document, pointer)
    return container[_key(container, last)]


def _remove(document: Any, pointer: str) -> Any:
    container, last = _split(document, pointer)
    return container.pop(_key(container, last))


def _add(document: Any, pointer: str, value: Any) -> None:
    container, last = _split(document, pointer)
    if not isinstance(container, list):
        container[last] = value
        return
    place = len(container) if last == "-" else _key(container, last)
    if place > len(container):
        raise IndexError(f"no such place: {pointer}")
    container.insert(place, value)
